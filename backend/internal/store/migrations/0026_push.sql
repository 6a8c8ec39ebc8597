-- +goose Up
CREATE TABLE device (
    citizen_id TEXT    NOT NULL,
    device     TEXT    NOT NULL, -- made by the app
    transport  TEXT    NOT NULL,
    token      TEXT    NOT NULL,
    token_hash {{bytes}} NOT NULL,
    language   TEXT    NOT NULL,
    updated_at {{int}} NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT device_pkey PRIMARY KEY (citizen_id, device)
) {{strict}};

-- Whose a token is now: a phone that changed hands must not get the former owner's pushes.
-- Not a per-citizen table: a token is unique in the cell.
CREATE TABLE push_token (
    token_hash {{bytes}} NOT NULL,
    citizen_id TEXT      NOT NULL,
    device     TEXT      NOT NULL,
    CONSTRAINT push_token_pkey PRIMARY KEY (token_hash)
) {{strict}};

-- One push of one notice to one device, with the opaque handle that it carries.
CREATE TABLE push_send (
    citizen_id TEXT    NOT NULL,
    notice_id  TEXT    NOT NULL,
    device     TEXT    NOT NULL,
    handle     TEXT    NOT NULL,
    made_at    {{int}} NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT push_send_pkey PRIMARY KEY (citizen_id, notice_id, device),
    CONSTRAINT push_send_handle UNIQUE (citizen_id, handle)
) {{strict}};

-- How a push ended. A row here is final: the push is not sent again. Kept apart from
-- push_send, because a transaction over many citizens only inserts.
CREATE TABLE push_outcome (
    citizen_id TEXT    NOT NULL,
    notice_id  TEXT    NOT NULL,
    device     TEXT    NOT NULL,
    outcome    TEXT    NOT NULL, -- accepted, gone, refused
    at         {{int}} NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT push_outcome_pkey PRIMARY KEY (citizen_id, notice_id, device)
) {{strict}};
CREATE INDEX push_outcome_of_notice ON push_outcome (notice_id, outcome);

-- A notice whose pushes have all ended. A row appears once.
CREATE TABLE push_done (
    notice_id TEXT    NOT NULL,
    at        {{int}} NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT push_done_pkey PRIMARY KEY (notice_id)
) {{strict}};

-- A notice whose job was lost and was asked for again, once.
CREATE TABLE push_swept (
    notice_id TEXT    NOT NULL,
    at        {{int}} NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT push_swept_pkey PRIMARY KEY (notice_id)
) {{strict}};

-- +goose Down
DROP TABLE push_swept;
DROP TABLE push_done;
DROP TABLE push_outcome;
DROP TABLE push_send;
DROP TABLE push_token;
DROP TABLE device;
