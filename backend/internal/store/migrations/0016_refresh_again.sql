-- +goose Up
-- The refresh token before the one that works, and when it was replaced: an app whose
-- answer was lost may bring it once more. NULL: none was replaced yet.
ALTER TABLE citizen_session ADD COLUMN prior_hash {{bytes}};
ALTER TABLE citizen_session ADD COLUMN replaced_at {{int}} NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE citizen_session DROP COLUMN replaced_at;
ALTER TABLE citizen_session DROP COLUMN prior_hash;
