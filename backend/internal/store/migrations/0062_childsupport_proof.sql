-- +goose Up
-- Proof that items and cases are gone. Not a per-citizen table: it names nobody.
CREATE TABLE child_erasure (
    erasure_id   TEXT      NOT NULL,
    municipality TEXT      NOT NULL,
    source       TEXT      NOT NULL,
    item         TEXT      NOT NULL,
    why          TEXT      NOT NULL,
    erased       {{int}}   NOT NULL, -- how many
    cutoff       TEXT      NOT NULL, -- YYYY-MM-DD, the first day that was kept
    digest       {{bytes}} NOT NULL, -- SHA-256 over the sorted keys
    at           {{int}}   NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT child_erasure_pkey PRIMARY KEY (erasure_id)
) {{strict}};
CREATE INDEX child_erasure_newest ON child_erasure (municipality, at, erasure_id);

-- What evaluations keep of erased cases: counts. Not a per-citizen table.
CREATE TABLE child_tally (
    tally_id     TEXT    NOT NULL,
    municipality TEXT    NOT NULL,
    indicator    TEXT    NOT NULL,
    flagged      {{int}} NOT NULL,
    reviewed     {{int}} NOT NULL,
    contacted    {{int}} NOT NULL,
    accepted     {{int}} NOT NULL,
    declined     {{int}} NOT NULL,
    wrong        {{int}} NOT NULL,
    at           {{int}} NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT child_tally_pkey PRIMARY KEY (tally_id)
) {{strict}};
CREATE INDEX child_tally_of ON child_tally (municipality, indicator);

-- +goose Down
DROP TABLE child_tally;
DROP TABLE child_erasure;
