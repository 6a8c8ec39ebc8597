-- +goose Up
-- The registry payer's own register. The *_key columns hold what is compared.
CREATE TABLE coverage (
    citizen_id        TEXT    NOT NULL,
    insurer_key       TEXT    NOT NULL,
    symbol_key        TEXT    NOT NULL,
    number_key        TEXT    NOT NULL,
    branch            TEXT    NOT NULL, -- two digits or ''
    valid_from        TEXT    NOT NULL, -- YYYY-MM-DD, the first day that counts
    valid_to          TEXT    NOT NULL, -- the last day that counts, '' without an end
    municipality_code TEXT    NOT NULL,
    insurer_number    TEXT    NOT NULL,
    insurer_name      TEXT    NOT NULL,
    symbol            TEXT    NOT NULL, -- as the insurer writes it
    number            TEXT    NOT NULL,
    copayment_percent {{int}} NOT NULL,
    insured_kind      TEXT    NOT NULL, -- insured or dependant
    digest            {{bytes}} NOT NULL, -- of the row as it was imported
    CONSTRAINT coverage_pkey PRIMARY KEY (citizen_id, insurer_key, symbol_key, number_key, branch, valid_from)
) {{strict}};
CREATE INDEX coverage_number ON coverage (insurer_key, number_key, symbol_key);

-- +goose Down
DROP TABLE coverage;
