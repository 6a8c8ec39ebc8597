-- +goose Up
-- An auditor reads the newest entries of one municipality.
CREATE INDEX audit_entry_municipality ON audit_entry (municipality_code, at, entry_id);

-- +goose Down
DROP INDEX audit_entry_municipality;
