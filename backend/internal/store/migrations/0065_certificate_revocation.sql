-- +goose Up
-- Certificates that are good no more. Rows are only inserted: what is revoked stays so.
CREATE TABLE certificate_revocation (
    citizen_id     TEXT    NOT NULL,
    certificate_id TEXT    NOT NULL,
    revoked_at     {{int}} NOT NULL, -- microseconds since 1970, UTC
    ground         TEXT    NOT NULL, -- correction, request, key
    words          TEXT    NOT NULL, -- the officer's reason, or ''
    by_whom        TEXT    NOT NULL,
    CONSTRAINT certificate_revocation_pkey PRIMARY KEY (citizen_id, certificate_id)
) {{strict}};

-- What verifiers are told, by key: a rid, the first half of the SHA-256 of a certificate's
-- identifier, or an index of a status list. It names nobody. Rows are only inserted; a
-- key's number of rows is the number of its list's changes.
CREATE TABLE revoked_token (
    key_use    TEXT    NOT NULL, -- shc, hcert, sdjwt
    key_id     TEXT    NOT NULL,
    token      TEXT    NOT NULL,
    revoked_at {{int}} NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT revoked_token_pkey PRIMARY KEY (key_use, key_id, token)
) {{strict}};

-- Copies of a certificate that wallets hold.
CREATE TABLE certificate_wallet_copy (
    citizen_id     TEXT    NOT NULL,
    certificate_id TEXT    NOT NULL,
    key_id         TEXT    NOT NULL,
    status_index   {{int}} NOT NULL,
    added_at       {{int}} NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT certificate_wallet_copy_pkey PRIMARY KEY (citizen_id, certificate_id, key_id, status_index)
) {{strict}};

-- Places of the status lists that were given away, each once in the cell.
CREATE TABLE status_place (
    status_index {{int}} NOT NULL,
    CONSTRAINT status_place_pkey PRIMARY KEY (status_index)
) {{strict}};

-- From what people read to a counter to what it names. Not a per-citizen table: it is
-- found by the reference, which is unique in the cell.
CREATE TABLE counter_reference (
    reference    TEXT    NOT NULL,
    citizen_id   TEXT    NOT NULL,
    municipality TEXT    NOT NULL, -- whose counter looks into it
    kind         TEXT    NOT NULL, -- certificate, refusal, correction
    object       TEXT    NOT NULL, -- the certificate, or why it was refused
    at           {{int}} NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT counter_reference_pkey PRIMARY KEY (reference)
) {{strict}};
CREATE INDEX counter_reference_of ON counter_reference (citizen_id, object);

-- +goose Down
DROP TABLE counter_reference;
DROP TABLE status_place;
DROP TABLE certificate_wallet_copy;
DROP TABLE revoked_token;
DROP TABLE certificate_revocation;
