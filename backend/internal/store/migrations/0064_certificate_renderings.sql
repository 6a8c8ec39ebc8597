-- +goose Up
-- A certificate in the formats beside its SMART Health Card, which stands in certificate:
-- one row per format, or why the format was left out. A certificate without rows here has
-- its card alone.
CREATE TABLE certificate_rendering (
    citizen_id     TEXT     NOT NULL,
    certificate_id TEXT     NOT NULL,
    format         TEXT     NOT NULL, -- hcert, vdsnc
    left_out       TEXT     NOT NULL, -- why there is none; '' where there is one
    key_id         TEXT     NOT NULL, -- '' where left out
    qr_text        TEXT     NOT NULL, -- '' where left out
    token          TEXT     NOT NULL, -- by which it is revoked; '' where it cannot be
    specimen       {{bool}} NOT NULL,
    doses          {{int}}  NOT NULL, -- how many of the certificate's doses it states
    CONSTRAINT certificate_rendering_pkey PRIMARY KEY (citizen_id, certificate_id, format)
) {{strict}};

-- Which certificates state a record, under the record's citizen: the row under which the
-- holder stood when the record was made.
CREATE TABLE certificate_statement (
    citizen_id     TEXT NOT NULL, -- of the record
    municipality   TEXT NOT NULL,
    record_ref     TEXT NOT NULL,
    holder         TEXT NOT NULL, -- citizen_id of the certificate
    certificate_id TEXT NOT NULL,
    CONSTRAINT certificate_statement_pkey PRIMARY KEY (citizen_id, municipality, record_ref, holder, certificate_id)
) {{strict}};
-- What certificates from before this table state is not known record by record: each is
-- taken to state all that its holder has. One too many is issued anew, none is missed.
INSERT INTO certificate_statement (citizen_id, municipality, record_ref, holder, certificate_id)
SELECT v.citizen_id, v.municipality, v.record_ref, c.citizen_id, c.certificate_id
  FROM certificate AS c JOIN vaccination AS v ON v.citizen_id = c.citizen_id;

-- What a correction found on record and put away. The newest content stands in
-- vaccination, or nowhere while the record is void.
CREATE TABLE vaccination_history (
    citizen_id    TEXT      NOT NULL,
    municipality  TEXT      NOT NULL,
    record_ref    TEXT      NOT NULL,
    revision      {{int}}   NOT NULL, -- counts the record's corrections from 1 on
    act           TEXT      NOT NULL, -- replace, void
    before        TEXT      NOT NULL, -- JSON of the record before; '' where it was void
    before_digest {{bytes}} NOT NULL, -- of the row that said so
    digest        {{bytes}} NOT NULL, -- of the row of the correction
    corrected_on  TEXT      NOT NULL, -- YYYY-MM-DD, as the office says
    reason        TEXT      NOT NULL, -- the office's words
    by_whom       TEXT      NOT NULL, -- who took the correction in
    at            {{int}}   NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT vaccination_history_pkey PRIMARY KEY (citizen_id, municipality, record_ref, revision)
) {{strict}};

-- +goose Down
DROP TABLE vaccination_history;
DROP TABLE certificate_statement;
DROP TABLE certificate_rendering;
