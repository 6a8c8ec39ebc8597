-- +goose Up
-- A list of payments that a second person approves. Not a per-citizen table.
CREATE TABLE payment_list (
    list_id      TEXT    NOT NULL,
    run_id       TEXT    NOT NULL,
    municipality TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    line_count   {{int}} NOT NULL,
    total        {{int}} NOT NULL, -- yen
    made_by      TEXT    NOT NULL,
    made_at      {{int}} NOT NULL, -- microseconds since 1970, UTC
    moved_at     {{int}} NOT NULL, -- microseconds since 1970, UTC
    reached      TEXT    NOT NULL, -- the last award that was looked at
    page         {{int}} NOT NULL, -- pages stored
    CONSTRAINT payment_list_pkey PRIMARY KEY (list_id)
) {{strict}};
CREATE INDEX payment_list_of_run ON payment_list (run_id, made_at);
CREATE INDEX payment_list_open ON payment_list (state, moved_at);

-- One award on one list. A returned list leaves its lines: the next attempt has a number of
-- its own, so that no two lists hold one award at once.
CREATE TABLE list_line (
    citizen_id TEXT    NOT NULL,
    award_id   TEXT    NOT NULL,
    attempt    {{int}} NOT NULL,
    list_id    TEXT    NOT NULL,
    amount     {{int}} NOT NULL, -- yen
    children   {{int}} NOT NULL,
    CONSTRAINT list_line_pkey PRIMARY KEY (citizen_id, award_id, attempt)
) {{strict}};
CREATE INDEX list_line_of ON list_line (list_id, award_id);

-- Append-only. The entries of one list sum to zero. Not a per-citizen table: it is kept by
-- list, and names nobody.
CREATE TABLE ledger (
    list_id  TEXT    NOT NULL,
    account  TEXT    NOT NULL, -- payable or appropriation
    award_id TEXT    NOT NULL, -- '' of the appropriation
    amount   {{int}} NOT NULL, -- yen
    at       {{int}} NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT ledger_pkey PRIMARY KEY (list_id, account, award_id)
) {{strict}};

-- +goose Down
DROP TABLE ledger;
DROP TABLE list_line;
DROP TABLE payment_list;
