-- +goose Up
-- The access record. Not a per-citizen table: many entries are about nobody, and one
-- appender per cell will chain them.
CREATE TABLE audit_entry (
    entry_id          TEXT    NOT NULL,
    at                {{int}} NOT NULL, -- microseconds since 1970, UTC
    visible_from      {{int}} NOT NULL, -- microseconds since 1970, UTC; -1: the citizen never sees it
    actor_kind        TEXT    NOT NULL,
    actor_id          TEXT    NOT NULL,
    purpose           TEXT    NOT NULL,
    action            TEXT    NOT NULL,
    citizen_id        TEXT    NOT NULL, -- '' where it is about nobody
    municipality_code TEXT    NOT NULL,
    object            TEXT    NOT NULL,
    items             TEXT    NOT NULL, -- JSON list of names
    CONSTRAINT audit_entry_pkey PRIMARY KEY (entry_id)
) {{strict}};
CREATE INDEX audit_entry_citizen ON audit_entry (citizen_id, at, entry_id);

-- +goose Down
DROP TABLE audit_entry;
