-- +goose Up
-- The municipalities of the cell. A small shared list (a reference table once sharded).
CREATE TABLE municipality (
    code          TEXT      NOT NULL,
    name_ja       TEXT      NOT NULL,
    name_easy     TEXT      NOT NULL,
    name_en       TEXT      NOT NULL,
    counter_name  TEXT      NOT NULL,
    counter_place TEXT      NOT NULL,
    counter_phone TEXT      NOT NULL,
    counter_hours TEXT      NOT NULL,
    digest        {{bytes}} NOT NULL,
    CONSTRAINT municipality_pkey PRIMARY KEY (code)
) {{strict}};

-- From an office's own key to the citizen. Not a per-citizen table: it is found by the
-- office's key, which is unique in the cell.
CREATE TABLE resident_ref (
    municipality TEXT NOT NULL,
    ref          TEXT NOT NULL,
    citizen_id   TEXT NOT NULL,
    CONSTRAINT resident_ref_pkey PRIMARY KEY (municipality, ref)
) {{strict}};

CREATE TABLE resident (
    citizen_id     TEXT      NOT NULL,
    municipality   TEXT      NOT NULL,
    ref            TEXT      NOT NULL,
    family_kanji   TEXT      NOT NULL,
    given_kanji    TEXT      NOT NULL,
    family_kana    TEXT      NOT NULL,
    given_kana     TEXT      NOT NULL,
    family_latin   TEXT      NOT NULL,
    given_latin    TEXT      NOT NULL,
    birth_date     TEXT      NOT NULL, -- YYYY-MM-DD
    sex            {{int}}   NOT NULL, -- ISO/IEC 5218
    postal_code    TEXT      NOT NULL,
    address        TEXT      NOT NULL,
    resident_since TEXT      NOT NULL, -- YYYY-MM-DD
    digest         {{bytes}} NOT NULL, -- of the row as it was imported
    CONSTRAINT resident_pkey PRIMARY KEY (citizen_id)
) {{strict}};
CREATE INDEX resident_birth ON resident (birth_date, sex);

-- One household per person: a newer file moves them.
CREATE TABLE household_member (
    citizen_id    TEXT      NOT NULL,
    municipality  TEXT      NOT NULL,
    household_ref TEXT      NOT NULL,
    relation      TEXT      NOT NULL,
    since         TEXT      NOT NULL,
    digest        {{bytes}} NOT NULL,
    CONSTRAINT household_member_pkey PRIMARY KEY (citizen_id)
) {{strict}};
CREATE INDEX household_member_of ON household_member (municipality, household_ref);

CREATE TABLE birth (
    citizen_id    TEXT      NOT NULL,
    born_on       TEXT      NOT NULL,
    registered_on TEXT      NOT NULL,
    digest        {{bytes}} NOT NULL,
    CONSTRAINT birth_pkey PRIMARY KEY (citizen_id)
) {{strict}};

CREATE TABLE move (
    citizen_id         TEXT      NOT NULL,
    moved_on           TEXT      NOT NULL,
    kind               TEXT      NOT NULL, -- in, out, within
    other_municipality TEXT      NOT NULL, -- '' where not known
    digest             {{bytes}} NOT NULL,
    CONSTRAINT move_pkey PRIMARY KEY (citizen_id, moved_on, kind)
) {{strict}};

CREATE TABLE death (
    citizen_id    TEXT      NOT NULL,
    died_on       TEXT      NOT NULL,
    registered_on TEXT      NOT NULL,
    digest        {{bytes}} NOT NULL,
    CONSTRAINT death_pkey PRIMARY KEY (citizen_id)
) {{strict}};

CREATE TABLE income (
    citizen_id       TEXT      NOT NULL,
    tax_year         {{int}}   NOT NULL,
    income_yen       {{int}}   NOT NULL,
    resident_tax_yen {{int}}   NOT NULL,
    dependants       {{int}}   NOT NULL,
    exempt           {{bool}}  NOT NULL,
    digest           {{bytes}} NOT NULL,
    CONSTRAINT income_pkey PRIMARY KEY (citizen_id, tax_year)
) {{strict}};

-- From a provider's subject to the citizen. Not a per-citizen table: it is found by the
-- subject, which is unique with its issuer.
CREATE TABLE identity_link (
    issuer     TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    citizen_id TEXT    NOT NULL,
    linked_at  {{int}} NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT identity_link_pkey PRIMARY KEY (issuer, subject)
) {{strict}};

-- +goose Down
DROP TABLE identity_link;
DROP TABLE income;
DROP TABLE death;
DROP TABLE move;
DROP TABLE birth;
DROP TABLE household_member;
DROP TABLE resident;
DROP TABLE resident_ref;
DROP TABLE municipality;
