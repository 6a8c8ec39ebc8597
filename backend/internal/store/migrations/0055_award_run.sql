-- +goose Up
-- One pass over the families of a municipality. Not a per-citizen table.
CREATE TABLE award_run (
    run_id       TEXT      NOT NULL,
    municipality TEXT      NOT NULL,
    client_id    TEXT      NOT NULL, -- made by the console: a form sent twice makes one run
    fingerprint  {{bytes}} NOT NULL, -- of what was sent under client_id
    benefit      TEXT      NOT NULL,
    month        TEXT      NOT NULL, -- YYYY-MM asked for
    entitlement  TEXT      NOT NULL, -- YYYY-MM that the money is for
    deadline     TEXT      NOT NULL, -- YYYY-MM-DD
    pay_on       TEXT      NOT NULL, -- YYYY-MM-DD
    state        TEXT      NOT NULL,
    paused       {{bool}}  NOT NULL,
    drafted_by   TEXT      NOT NULL,
    drafted_at   {{int}}   NOT NULL, -- microseconds since 1970, UTC
    started_by   TEXT      NOT NULL,
    started_at   {{int}}   NOT NULL, -- microseconds since 1970, UTC; 0: not yet
    moved_at     {{int}}   NOT NULL, -- microseconds since 1970, UTC
    reached      TEXT      NOT NULL, -- the last household that was looked at
    page         {{int}}   NOT NULL, -- pages stored since the state began
    counted      TEXT      NOT NULL, -- JSON, by the dry run
    result       TEXT      NOT NULL, -- JSON, by the run
    CONSTRAINT award_run_pkey PRIMARY KEY (run_id),
    CONSTRAINT award_run_once UNIQUE (municipality, client_id)
) {{strict}};
CREATE INDEX award_run_newest ON award_run (municipality, drafted_at, run_id);
CREATE INDEX award_run_open ON award_run (state, moved_at);

-- What no rule can decide: a question for a person.
CREATE TABLE award_trouble (
    citizen_id    TEXT NOT NULL,
    run_id        TEXT NOT NULL,
    trouble       TEXT NOT NULL,
    household_ref TEXT NOT NULL,
    CONSTRAINT award_trouble_pkey PRIMARY KEY (citizen_id, run_id, trouble)
) {{strict}};
CREATE INDEX award_trouble_of_run ON award_trouble (run_id, citizen_id, trouble);

-- +goose Down
DROP TABLE award_trouble;
DROP TABLE award_run;
