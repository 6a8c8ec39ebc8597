-- +goose Up
-- The console counts what terminals took back.
CREATE INDEX intake_record_voided ON intake_record (terminal_id, received_at) WHERE voided_by <> '';

-- +goose Down
DROP INDEX intake_record_voided;
