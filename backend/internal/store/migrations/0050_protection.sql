-- +goose Up
-- Who must not be contacted or disclosed.
CREATE TABLE protection (
    citizen_id   TEXT      NOT NULL,
    kind         TEXT      NOT NULL, -- do_not_contact, non_disclosure
    municipality TEXT      NOT NULL,
    since        TEXT      NOT NULL, -- YYYY-MM-DD
    until        TEXT      NOT NULL, -- the last day, YYYY-MM-DD, or ''
    digest       {{bytes}} NOT NULL, -- of the last row imported, empty where there was none
    CONSTRAINT protection_pkey PRIMARY KEY (citizen_id, kind)
) {{strict}};
CREATE INDEX protection_of_municipality ON protection (municipality, since);

-- What was not sent because of it. A row is never changed.
CREATE TABLE withheld (
    citizen_id   TEXT    NOT NULL,
    object       TEXT    NOT NULL, -- handle of what was not sent
    what         TEXT    NOT NULL, -- notice, push, offer
    withheld_id  TEXT    NOT NULL,
    municipality TEXT    NOT NULL,
    title        TEXT    NOT NULL, -- in Japanese, or ''
    at           {{int}} NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT withheld_pkey PRIMARY KEY (citizen_id, object, what)
) {{strict}};
CREATE INDEX withheld_waiting ON withheld (municipality, at, withheld_id);

-- How a person dealt with it. The first one counts.
CREATE TABLE withheld_settled (
    citizen_id  TEXT    NOT NULL,
    withheld_id TEXT    NOT NULL,
    how         TEXT    NOT NULL,
    note        TEXT    NOT NULL,
    settled_by  TEXT    NOT NULL, -- the officer
    at          {{int}} NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT withheld_settled_pkey PRIMARY KEY (citizen_id, withheld_id)
) {{strict}};

-- +goose Down
DROP TABLE withheld_settled;
DROP TABLE withheld;
DROP TABLE protection;
