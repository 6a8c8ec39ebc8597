-- +goose Up
-- Payment lists that left the house: a list with a row here is never written to a transfer
-- file again. Not a per-citizen table.
CREATE TABLE payment_export (
    list_id TEXT    NOT NULL,
    how     TEXT    NOT NULL, -- reconciled: a person said so after a restoration
    by_whom TEXT    NOT NULL,
    at      {{int}} NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT payment_export_pkey PRIMARY KEY (list_id)
) {{strict}};

-- +goose Down
DROP TABLE payment_export;
