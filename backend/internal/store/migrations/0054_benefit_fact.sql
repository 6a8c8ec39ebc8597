-- +goose Up
-- What a file tells of a person that a benefit's rule asks for. The newest row counts.
CREATE TABLE benefit_fact (
    citizen_id TEXT      NOT NULL,
    fact       TEXT      NOT NULL,
    value      TEXT      NOT NULL, -- typed by the programme that asks for it
    since      TEXT      NOT NULL, -- YYYY-MM-DD
    source     TEXT      NOT NULL,
    digest     {{bytes}} NOT NULL, -- of the row as it was imported
    CONSTRAINT benefit_fact_pkey PRIMARY KEY (citizen_id, fact)
) {{strict}};

-- +goose Down
DROP TABLE benefit_fact;
