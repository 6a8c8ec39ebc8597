-- +goose Up
-- Restorations: while one is not lifted, nothing goes out. Not a per-citizen table.
CREATE TABLE fence (
    server_epoch TEXT    NOT NULL, -- the life of the store that began with it
    prior_epoch  TEXT    NOT NULL, -- the life that the rows come from
    how          TEXT    NOT NULL, -- restored: from a backup of ours; adopted: by other means
    copied_at    {{int}} NOT NULL, -- of the copy, microseconds since 1970, UTC; 0: not known
    raised_at    {{int}} NOT NULL, -- microseconds since 1970, UTC
    lifted_at    {{int}} NOT NULL, -- 0: it stands
    lifted_by    TEXT    NOT NULL, -- a name, '' while it stands
    pushes       TEXT    NOT NULL, -- kept or dropped, '' while it stands
    CONSTRAINT fence_pkey PRIMARY KEY (server_epoch)
) {{strict}};

-- What a person said about a payment list that was open in the copy.
CREATE TABLE fence_word (
    server_epoch TEXT    NOT NULL,
    list_id      TEXT    NOT NULL,
    word         TEXT    NOT NULL, -- sent or not_sent
    said_by      TEXT    NOT NULL,
    at           {{int}} NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT fence_word_pkey PRIMARY KEY (server_epoch, list_id)
) {{strict}};

-- +goose Down
DROP TABLE fence_word;
DROP TABLE fence;
