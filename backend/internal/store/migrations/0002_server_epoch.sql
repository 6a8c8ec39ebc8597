-- +goose Up
-- Which life of the store this is: terminals that meet another epoch send again what the
-- store may have forgotten. One row.
CREATE TABLE server_epoch (
    only_row   {{int}} NOT NULL,
    epoch      TEXT    NOT NULL,
    created_at {{int}} NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT server_epoch_pkey PRIMARY KEY (only_row),
    CONSTRAINT server_epoch_one CHECK (only_row = 1)
) {{strict}};

-- +goose Down
DROP TABLE server_epoch;
