-- +goose Up
-- What each terminal last said of itself: counts, times and words, nothing of a person.
CREATE TABLE terminal_health (
    terminal_id TEXT    NOT NULL,
    received_at {{int}} NOT NULL, -- microseconds since 1970, UTC
    pending     {{int}} NOT NULL, -- records that wait at the terminal
    summary     TEXT    NOT NULL, -- wire.Health, whose signature was good
    CONSTRAINT terminal_health_pkey PRIMARY KEY (terminal_id)
) {{strict}};
CREATE INDEX terminal_health_pending ON terminal_health (pending) WHERE pending > 0;

-- +goose Down
DROP TABLE terminal_health;
