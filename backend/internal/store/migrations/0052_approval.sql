-- +goose Up
-- What asks for a second person. Not a per-citizen table: a request is about a list or a case.
CREATE TABLE approval_request (
    request_id   TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    object       TEXT    NOT NULL,
    round        {{int}} NOT NULL, -- 1, then one more each time it is asked for again
    municipality TEXT    NOT NULL,
    role         TEXT    NOT NULL, -- who may decide
    asked_by     TEXT    NOT NULL, -- the officer
    asked_at     {{int}} NOT NULL, -- microseconds since 1970, UTC
    due          TEXT    NOT NULL, -- YYYY-MM-DD or ''
    involved     TEXT    NOT NULL, -- JSON list of the officers who worked on it
    CONSTRAINT approval_request_pkey PRIMARY KEY (request_id),
    CONSTRAINT approval_request_round UNIQUE (kind, object, round)
) {{strict}};
CREATE INDEX approval_request_queue ON approval_request (municipality, role, asked_at, request_id);

-- How a request ended. Its key lets one decision in; a row is never changed.
CREATE TABLE approval_decision (
    request_id TEXT    NOT NULL,
    verdict    TEXT    NOT NULL, -- approved, returned, withdrawn
    decided_by TEXT    NOT NULL, -- the officer
    reason     TEXT    NOT NULL,
    at         {{int}} NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT approval_decision_pkey PRIMARY KEY (request_id)
) {{strict}};

-- +goose Down
DROP TABLE approval_decision;
DROP TABLE approval_request;
