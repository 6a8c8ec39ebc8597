-- +goose Up
-- Nonces and ids of proofs that were used, until they would not be taken any more. Nobody's.
CREATE TABLE wallet_once (
    once_hash  {{bytes}} NOT NULL,
    expires_at {{int}}   NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT wallet_once_pkey PRIMARY KEY (once_hash)
) {{strict}};
CREATE INDEX wallet_once_age ON wallet_once (expires_at);

-- +goose Down
DROP TABLE wallet_once;
