-- +goose Up
-- From an office's record number to the citizen. Not a per-citizen table: a record number
-- is unique in its municipality, whoever it is about.
CREATE TABLE vaccination_ref (
    municipality TEXT      NOT NULL,
    record_ref   TEXT      NOT NULL,
    citizen_id   TEXT      NOT NULL,
    digest       {{bytes}} NOT NULL, -- of the row as it was imported
    CONSTRAINT vaccination_ref_pkey PRIMARY KEY (record_ref, municipality)
) {{strict}};

CREATE TABLE vaccination (
    citizen_id   TEXT    NOT NULL,
    municipality TEXT    NOT NULL,
    record_ref   TEXT    NOT NULL,
    vaccine_code TEXT    NOT NULL, -- CVX
    product      TEXT    NOT NULL,
    manufacturer TEXT    NOT NULL,
    lot          TEXT    NOT NULL,
    dose_number  {{int}} NOT NULL,
    given_on     TEXT    NOT NULL, -- YYYY-MM-DD
    performer    TEXT    NOT NULL,
    country      TEXT    NOT NULL, -- ISO 3166-1 alpha-3
    CONSTRAINT vaccination_pkey PRIMARY KEY (citizen_id, municipality, record_ref)
) {{strict}};

-- A certificate as it was issued. It never changes; whether newer records exist is seen by
-- comparing records with the records of today.
CREATE TABLE certificate (
    citizen_id     TEXT      NOT NULL,
    certificate_id TEXT      NOT NULL,
    asked_by       TEXT      NOT NULL, -- the citizen who asked: self or a parent
    format         TEXT      NOT NULL,
    used_for       TEXT      NOT NULL, -- domestic, overseas
    issued_at      {{int}}   NOT NULL, -- microseconds since 1970, UTC
    issuer         TEXT      NOT NULL,
    key_id         TEXT      NOT NULL,
    rid            TEXT      NOT NULL, -- the revocation id in the certificate
    records        {{bytes}} NOT NULL, -- SHA-256 of the records that it states
    claims         TEXT      NOT NULL, -- JSON, as issued
    signed         TEXT      NOT NULL, -- JWS
    CONSTRAINT certificate_pkey PRIMARY KEY (citizen_id, certificate_id)
) {{strict}};
CREATE INDEX certificate_newest ON certificate (citizen_id, issued_at, certificate_id);

-- +goose Down
DROP TABLE certificate;
DROP TABLE vaccination;
DROP TABLE vaccination_ref;
