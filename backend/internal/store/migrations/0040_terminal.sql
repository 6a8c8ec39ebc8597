-- +goose Up
-- Offices, their terminals and the codes that enrol them. None is a per-citizen table.
CREATE TABLE office (
    office_id         TEXT    NOT NULL,
    municipality_code TEXT    NOT NULL,
    office_ref        TEXT    NOT NULL, -- the operator's own name for it
    class             TEXT    NOT NULL,
    name              TEXT    NOT NULL,
    institution_code  TEXT    NOT NULL, -- '' where it is no medical institution
    CONSTRAINT office_pkey PRIMARY KEY (office_id),
    CONSTRAINT office_ref_key UNIQUE (municipality_code, office_ref)
) {{strict}};

CREATE TABLE enrolment_code (
    selector    TEXT      NOT NULL, -- the part that finds the row; it proves nothing
    secret_hash {{bytes}} NOT NULL, -- SHA-256 of the part that proves
    office_id   TEXT      NOT NULL,
    created_at  {{int}}   NOT NULL, -- microseconds since 1970, UTC
    expires_at  {{int}}   NOT NULL,
    attempts    {{int}}   NOT NULL, -- failed ones
    used_by     TEXT      NOT NULL, -- the terminal that it enrolled, '' before
    CONSTRAINT enrolment_code_pkey PRIMARY KEY (selector)
) {{strict}};

CREATE TABLE terminal (
    terminal_id     TEXT    NOT NULL,
    office_id       TEXT    NOT NULL,
    public_key      TEXT    NOT NULL, -- canonical JWK
    recipient       TEXT    NOT NULL, -- age X25519
    enrolled_at     {{int}} NOT NULL, -- microseconds since 1970, UTC
    disabled_at     {{int}} NOT NULL, -- 0 while it is in use
    last_contact_at {{int}} NOT NULL, -- 0 before the first
    CONSTRAINT terminal_pkey PRIMARY KEY (terminal_id)
) {{strict}};
CREATE INDEX terminal_office ON terminal (office_id);

-- +goose Down
DROP TABLE terminal;
DROP TABLE enrolment_code;
DROP TABLE office;
