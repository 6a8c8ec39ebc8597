-- +goose Up
-- What citizens allowed wallets to fetch, by the hash of the code. Not a per-citizen table:
-- a code is unique over all citizens and leads to one.
CREATE TABLE wallet_grant (
    code_hash         {{bytes}} NOT NULL, -- SHA-256
    grant_id          TEXT      NOT NULL,
    kind              TEXT      NOT NULL, -- offered, consented
    citizen_id        TEXT      NOT NULL, -- who allowed it
    municipality_code TEXT      NOT NULL,
    person_id         TEXT      NOT NULL, -- whom the certificate is about
    certificate_id    TEXT      NOT NULL,
    client_id         TEXT      NOT NULL, -- of a consented one
    redirect_uri      TEXT      NOT NULL,
    challenge         TEXT      NOT NULL, -- PKCE S256
    detailed          {{bool}}  NOT NULL,
    key_thumbprint    TEXT      NOT NULL, -- of the DPoP key that was announced
    tries             {{int}}   NOT NULL, -- transaction codes that were tried
    created_at        {{int}}   NOT NULL, -- microseconds since 1970, UTC
    expires_at        {{int}}   NOT NULL,
    spent_at          {{int}}   NOT NULL, -- 0: not yet
    CONSTRAINT wallet_grant_pkey PRIMARY KEY (code_hash)
) {{strict}};
CREATE INDEX wallet_grant_offers ON wallet_grant (citizen_id, certificate_id);
CREATE INDEX wallet_grant_age ON wallet_grant (expires_at);

-- Access tokens of wallets. Not a per-citizen table, as above.
CREATE TABLE wallet_token (
    token_hash        {{bytes}} NOT NULL, -- SHA-256
    code_hash         {{bytes}} NOT NULL, -- of the grant
    grant_id          TEXT      NOT NULL,
    citizen_id        TEXT      NOT NULL,
    municipality_code TEXT      NOT NULL,
    person_id         TEXT      NOT NULL,
    certificate_id    TEXT      NOT NULL,
    client_id         TEXT      NOT NULL, -- empty: anonymous
    detailed          {{bool}}  NOT NULL,
    key_thumbprint    TEXT      NOT NULL, -- empty: a bearer token
    copies            {{int}}   NOT NULL, -- fetched so far
    expires_at        {{int}}   NOT NULL,
    CONSTRAINT wallet_token_pkey PRIMARY KEY (token_hash)
) {{strict}};
CREATE INDEX wallet_token_grant ON wallet_token (code_hash);
CREATE INDEX wallet_token_age ON wallet_token (expires_at);

-- +goose Down
DROP TABLE wallet_token;
DROP TABLE wallet_grant;
