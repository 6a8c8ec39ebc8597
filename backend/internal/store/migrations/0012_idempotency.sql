-- +goose Up
-- Answers of unsafe calls, so that a repeat gets the first one's answer.
CREATE TABLE idempotency (
    citizen_id  TEXT      NOT NULL,
    operation   TEXT      NOT NULL,
    key         TEXT      NOT NULL,
    fingerprint {{bytes}} NOT NULL,
    response    {{bytes}} NOT NULL,
    created_at  {{int}}   NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT idempotency_pkey PRIMARY KEY (citizen_id, operation, key)
) {{strict}};
CREATE INDEX idempotency_age ON idempotency (created_at);

-- +goose Down
DROP TABLE idempotency;
