-- +goose Up
-- Authorization requests that wallets pushed before the browser comes, by the hash of their name.
CREATE TABLE wallet_pushed (
    name_hash  {{bytes}} NOT NULL, -- SHA-256
    asked      TEXT      NOT NULL, -- JSON
    expires_at {{int}}   NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT wallet_pushed_pkey PRIMARY KEY (name_hash)
) {{strict}};
CREATE INDEX wallet_pushed_age ON wallet_pushed (expires_at);

-- Wallets' requests in citizens' browsers, by the hash of the browser's secret. Not a
-- per-citizen table: until they sign in they are nobody's.
CREATE TABLE wallet_visit (
    secret_hash       {{bytes}} NOT NULL, -- SHA-256
    asked             TEXT      NOT NULL, -- JSON
    citizen_id        TEXT      NOT NULL, -- empty: nobody yet
    municipality_code TEXT      NOT NULL,
    expires_at        {{int}}   NOT NULL,
    CONSTRAINT wallet_visit_pkey PRIMARY KEY (secret_hash)
) {{strict}};
CREATE INDEX wallet_visit_age ON wallet_visit (expires_at);

-- +goose Down
DROP TABLE wallet_visit;
DROP TABLE wallet_pushed;
