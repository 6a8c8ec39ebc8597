-- +goose Up
-- What somebody asked the office to correct, and its answer.
CREATE TABLE correction (
    citizen_id     TEXT    NOT NULL, -- whose record it is about
    reference      TEXT    NOT NULL,
    asked_by       TEXT    NOT NULL, -- self or a parent
    municipality   TEXT    NOT NULL,
    kind           TEXT    NOT NULL, -- missing, wrong, name
    certificate_id TEXT    NOT NULL, -- or ''
    dose           {{int}} NOT NULL, -- or 0
    words          TEXT    NOT NULL,
    asked_at       {{int}} NOT NULL, -- microseconds since 1970, UTC
    state          TEXT    NOT NULL, -- open, corrected, nothing_to_correct
    answer         TEXT    NOT NULL, -- the officer's words, '' while open
    answered_by    TEXT    NOT NULL, -- '' while open
    answered_at    {{int}} NOT NULL, -- microseconds; -1: open
    CONSTRAINT correction_pkey PRIMARY KEY (citizen_id, reference)
) {{strict}};
CREATE INDEX correction_found ON correction (reference);
CREATE INDEX correction_queue ON correction (municipality, state, asked_at);

-- +goose Down
DROP TABLE correction;
