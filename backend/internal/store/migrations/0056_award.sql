-- +goose Up
-- One decision about one household, by its payee.
CREATE TABLE award (
    citizen_id    TEXT     NOT NULL, -- the payee
    award_id      TEXT     NOT NULL,
    run_id        TEXT     NOT NULL,
    municipality  TEXT     NOT NULL,
    household_ref TEXT     NOT NULL,
    benefit       TEXT     NOT NULL,
    month         TEXT     NOT NULL, -- YYYY-MM of entitlement
    kind          TEXT     NOT NULL, -- noticed, open_question or must_apply
    amount        {{int}}  NOT NULL, -- yen
    children      {{int}}  NOT NULL,
    deadline      TEXT     NOT NULL, -- YYYY-MM-DD
    pay_on        TEXT     NOT NULL, -- YYYY-MM-DD
    notice_id     TEXT     NOT NULL,
    withheld      {{bool}} NOT NULL, -- a protection kept the notice back
    decided_at    {{int}}  NOT NULL, -- microseconds since 1970, UTC
    decision      TEXT     NOT NULL, -- JSON: lines, facts, steps
    CONSTRAINT award_pkey PRIMARY KEY (citizen_id, award_id)
) {{strict}};
CREATE INDEX award_by_id ON award (award_id);
-- With what a run's awards are counted and chosen by: a row is long.
CREATE INDEX award_of_run ON award (run_id, award_id, citizen_id, kind, amount);

-- Money moves once: the key holds over all payees and all runs.
CREATE TABLE entitlement (
    citizen_id TEXT    NOT NULL, -- the beneficiary
    benefit    TEXT    NOT NULL,
    month      TEXT    NOT NULL, -- YYYY-MM
    kind       TEXT    NOT NULL,
    award_id   TEXT    NOT NULL,
    payee_id   TEXT    NOT NULL,
    amount     {{int}} NOT NULL, -- yen
    at         {{int}} NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT entitlement_pkey PRIMARY KEY (citizen_id, benefit, month, kind)
) {{strict}};
CREATE INDEX entitlement_of_award ON entitlement (award_id);

-- A family is asked the same thing once.
CREATE TABLE award_asked (
    citizen_id TEXT NOT NULL, -- the payee
    benefit    TEXT NOT NULL,
    month      TEXT NOT NULL, -- YYYY-MM
    asked      TEXT NOT NULL, -- what, in a form that compares
    award_id   TEXT NOT NULL,
    CONSTRAINT award_asked_pkey PRIMARY KEY (citizen_id, benefit, month, asked)
) {{strict}};

-- Proof that a notice was delivered. The first one stands.
CREATE TABLE award_proof (
    citizen_id TEXT    NOT NULL,
    award_id   TEXT    NOT NULL,
    at         {{int}} NOT NULL, -- microseconds since 1970, UTC
    channel    TEXT    NOT NULL,
    answer_by  TEXT    NOT NULL, -- YYYY-MM-DD, the last day to refuse
    CONSTRAINT award_proof_pkey PRIMARY KEY (citizen_id, award_id)
) {{strict}};

-- How an award ended. Refusal and approval both insert: the key says who was first.
CREATE TABLE award_settlement (
    citizen_id  TEXT    NOT NULL,
    award_id    TEXT    NOT NULL,
    how         TEXT    NOT NULL, -- refused, approved or withdrawn
    at          {{int}} NOT NULL, -- microseconds since 1970, UTC
    settled_by  TEXT    NOT NULL,
    received_on TEXT    NOT NULL, -- YYYY-MM-DD of a refusal, or ''
    channel     TEXT    NOT NULL, -- of a refusal, or ''
    reason      TEXT    NOT NULL,
    list_id     TEXT    NOT NULL, -- of an approval, or ''
    CONSTRAINT award_settlement_pkey PRIMARY KEY (citizen_id, award_id)
) {{strict}};

-- +goose Down
DROP TABLE award_settlement;
DROP TABLE award_proof;
DROP TABLE award_asked;
DROP TABLE entitlement;
DROP TABLE award;
