-- +goose Up
-- When an open check is to be asked again. A payer that has no word yet, or is out, is asked
-- at growing distances, so that the checks of one payer never stand before another's.
ALTER TABLE intake_record ADD COLUMN due_at {{int}} NOT NULL DEFAULT 0; -- microseconds since 1970, UTC
ALTER TABLE intake_record ADD COLUMN asked {{int}} NOT NULL DEFAULT 0; -- how often a payer had no word
UPDATE intake_record SET due_at = received_at WHERE state = 'open';
DROP INDEX intake_record_open;
CREATE INDEX intake_record_due ON intake_record (due_at) WHERE state = 'open';

-- +goose Down
DROP INDEX intake_record_due;
CREATE INDEX intake_record_open ON intake_record (received_at) WHERE state = 'open';
ALTER TABLE intake_record DROP COLUMN asked;
ALTER TABLE intake_record DROP COLUMN due_at;
