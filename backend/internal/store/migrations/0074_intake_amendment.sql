-- +goose Up
-- What later records say about earlier ones. A check that is taken back while it is open
-- moves to the state withdrawn.
ALTER TABLE intake_record ADD COLUMN about TEXT NOT NULL DEFAULT ''; -- the record that this one amends or tells the outcome of
ALTER TABLE intake_record ADD COLUMN voided_by TEXT NOT NULL DEFAULT ''; -- the amendment that took this one back
ALTER TABLE intake_record ADD COLUMN amended_by TEXT NOT NULL DEFAULT ''; -- the record in its place

-- +goose Down
ALTER TABLE intake_record DROP COLUMN amended_by;
ALTER TABLE intake_record DROP COLUMN voided_by;
ALTER TABLE intake_record DROP COLUMN about;
