-- +goose Up
-- What an office wrote. Not a per-citizen table: one notice goes to many.
CREATE TABLE notice (
    notice_id    TEXT      NOT NULL,
    municipality TEXT      NOT NULL,
    client_id    TEXT      NOT NULL, -- made by the console: a form sent twice sends once
    fingerprint  {{bytes}} NOT NULL, -- of what was sent under client_id
    number       TEXT      NOT NULL, -- printed on letters
    kind         TEXT      NOT NULL,
    sender       TEXT      NOT NULL, -- the office, for the reader
    phone        TEXT      NOT NULL,
    deadline     TEXT      NOT NULL, -- YYYY-MM-DD or ''
    texts        TEXT      NOT NULL, -- JSON by language
    written_by   TEXT      NOT NULL, -- the officer
    recipients   {{int}}   NOT NULL,
    sent_at      {{int}}   NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT notice_pkey PRIMARY KEY (notice_id),
    CONSTRAINT notice_once UNIQUE (municipality, client_id)
) {{strict}};
CREATE INDEX notice_newest ON notice (municipality, sent_at, notice_id);

-- One person's notice in one channel.
CREATE TABLE delivery (
    citizen_id   TEXT    NOT NULL,
    notice_id    TEXT    NOT NULL,
    channel      TEXT    NOT NULL,
    municipality TEXT    NOT NULL,
    sent_at      {{int}} NOT NULL, -- microseconds since 1970, UTC
    read_at      {{int}} NOT NULL, -- microseconds since 1970, UTC; -1: not yet
    CONSTRAINT delivery_pkey PRIMARY KEY (citizen_id, notice_id, channel)
) {{strict}};
CREATE INDEX delivery_newest ON delivery (citizen_id, sent_at, notice_id);
CREATE INDEX delivery_of_notice ON delivery (notice_id, read_at);

-- +goose Down
DROP TABLE delivery;
DROP TABLE notice;
