-- +goose Up
-- Linked items of children, each under the pseudonym of its source: no column leads to a
-- child without that source's key. Newer data is another row; what it supersedes is erased.
CREATE TABLE child_item (
    source       TEXT      NOT NULL,
    pseudonym    TEXT      NOT NULL,
    item         TEXT      NOT NULL, -- of the register
    part         TEXT      NOT NULL, -- which check-up, or ''
    as_of        TEXT      NOT NULL, -- YYYY-MM-DD, the day of which the source speaks
    municipality TEXT      NOT NULL,
    value        TEXT      NOT NULL, -- "word YYYY-MM-DD", either may be empty
    expires_on   TEXT      NOT NULL, -- YYYY-MM-DD, the last day on which it may be kept
    digest       {{bytes}} NOT NULL, -- of the value
    CONSTRAINT child_item_pkey PRIMARY KEY (pseudonym, source, item, part, as_of)
) {{strict}};
CREATE INDEX child_item_expiry ON child_item (municipality, source, item, expires_on);

-- Parts of files that brought something new. Not a per-citizen table.
CREATE TABLE child_delivery (
    delivery_id  TEXT    NOT NULL,
    source       TEXT    NOT NULL,
    municipality TEXT    NOT NULL,
    as_of        TEXT    NOT NULL, -- YYYY-MM-DD
    at           {{int}} NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT child_delivery_pkey PRIMARY KEY (delivery_id)
) {{strict}};
CREATE INDEX child_delivery_newest ON child_delivery (municipality, source, as_of);

-- How far the indicators have been looked at. Not a per-citizen table.
CREATE TABLE child_pass (
    municipality TEXT     NOT NULL,
    day          TEXT     NOT NULL, -- YYYY-MM-DD on which it began
    seen         {{int}}  NOT NULL, -- deliveries that were there when it began
    after_child  TEXT     NOT NULL, -- children up to here are done
    done         {{bool}} NOT NULL,
    CONSTRAINT child_pass_pkey PRIMARY KEY (municipality)
) {{strict}};

-- Children of a municipality page by page.
CREATE INDEX resident_of ON resident (municipality, citizen_id);

-- +goose Down
DROP INDEX resident_of;
DROP TABLE child_pass;
DROP TABLE child_delivery;
DROP TABLE child_item;
