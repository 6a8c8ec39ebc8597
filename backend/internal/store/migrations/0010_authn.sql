-- +goose Up
-- Sign-ins in progress, by the hash of their state. Not a per-citizen table: nobody is
-- signed in yet.
CREATE TABLE sign_in_flow (
    state_hash   {{bytes}} NOT NULL,
    face         TEXT      NOT NULL,
    binding_hash {{bytes}} NOT NULL,
    expires_at   {{int}}   NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT sign_in_flow_pkey PRIMARY KEY (state_hash)
) {{strict}};
CREATE INDEX sign_in_flow_age ON sign_in_flow (expires_at);

-- A citizen's sessions: each the family of its refresh tokens, of which one works.
CREATE TABLE citizen_session (
    citizen_id        TEXT      NOT NULL,
    session_id        TEXT      NOT NULL,
    municipality_code TEXT      NOT NULL,
    refresh_hash      {{bytes}} NOT NULL,
    created_at        {{int}}   NOT NULL,
    expires_at        {{int}}   NOT NULL,
    CONSTRAINT citizen_session_pkey PRIMARY KEY (citizen_id, session_id)
) {{strict}};
CREATE INDEX citizen_session_age ON citizen_session (expires_at);

-- The officers whom the offices list. roles: separated by blanks.
CREATE TABLE staff (
    staff_id          TEXT NOT NULL,
    subject           TEXT NOT NULL,
    name              TEXT NOT NULL,
    municipality_code TEXT NOT NULL,
    roles             TEXT NOT NULL,
    CONSTRAINT staff_pkey PRIMARY KEY (staff_id),
    CONSTRAINT staff_subject UNIQUE (subject)
) {{strict}};

CREATE TABLE staff_session (
    session_hash {{bytes}} NOT NULL,
    staff_id     TEXT      NOT NULL,
    created_at   {{int}}   NOT NULL,
    seen_at      {{int}}   NOT NULL,
    expires_at   {{int}}   NOT NULL,
    CONSTRAINT staff_session_pkey PRIMARY KEY (session_hash)
) {{strict}};
CREATE INDEX staff_session_age ON staff_session (expires_at);

-- Assertions that terminals have used, until they expire.
CREATE TABLE terminal_assertion (
    terminal_id    TEXT      NOT NULL,
    assertion_hash {{bytes}} NOT NULL,
    expires_at     {{int}}   NOT NULL,
    CONSTRAINT terminal_assertion_pkey PRIMARY KEY (terminal_id, assertion_hash)
) {{strict}};
CREATE INDEX terminal_assertion_age ON terminal_assertion (expires_at);

-- +goose Down
DROP TABLE terminal_assertion;
DROP TABLE staff_session;
DROP TABLE staff;
DROP TABLE citizen_session;
DROP TABLE sign_in_flow;
