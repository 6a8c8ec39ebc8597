-- +goose Up
-- The chain's hash after the highest sequence, 64 hexadecimal digits; '' where records came
-- without a chain.
ALTER TABLE intake_mark ADD COLUMN head TEXT NOT NULL DEFAULT '';

-- Who else stands at a sequence: a fork of the chain. Batches are looked up while they have
-- open records alone, so that the two indexes together take no more room than the one before.
CREATE INDEX intake_record_seq ON intake_record (terminal_id, epoch, seq);
DROP INDEX intake_record_batch;
CREATE INDEX intake_record_batch ON intake_record (batch_id) WHERE state = 'open';

-- +goose Down
DROP INDEX intake_record_batch;
CREATE INDEX intake_record_batch ON intake_record (batch_id, state);
DROP INDEX intake_record_seq;
ALTER TABLE intake_mark DROP COLUMN head;
