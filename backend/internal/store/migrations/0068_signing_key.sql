-- +goose Up
-- Acts on the keys of one use, counted: who counts holds the others back. Not a
-- per-citizen table.
CREATE TABLE signing_ring (
    used_for TEXT    NOT NULL, -- shc, hcert, vdsnc, sdjwt
    acts     {{int}} NOT NULL,
    CONSTRAINT signing_ring_pkey PRIMARY KEY (used_for)
) {{strict}};

-- Keys that sign certificates: the public part, and where the private part is. Not a
-- per-citizen table.
CREATE TABLE signing_key (
    used_for       TEXT      NOT NULL,
    key_id         TEXT      NOT NULL, -- the format's own name of it
    number         {{int}}   NOT NULL, -- counts the keys of a use
    public_key     {{bytes}} NOT NULL, -- PKIX
    certificate    {{bytes}} NOT NULL, -- DER, or empty
    locator        TEXT      NOT NULL, -- of the private part
    specimen       {{bool}}  NOT NULL,
    published_from {{int}}   NOT NULL, -- microseconds since 1970, UTC
    use_from       {{int}}   NOT NULL, -- microseconds
    use_until      {{int}}   NOT NULL, -- microseconds; -1: open
    withdrawn_at   {{int}}   NOT NULL, -- microseconds; -1: not
    destroyed_at   {{int}}   NOT NULL, -- microseconds, the private part; -1: not
    CONSTRAINT signing_key_pkey PRIMARY KEY (used_for, key_id),
    CONSTRAINT signing_key_once UNIQUE (used_for, number)
) {{strict}};

-- +goose Down
DROP TABLE signing_key;
DROP TABLE signing_ring;
