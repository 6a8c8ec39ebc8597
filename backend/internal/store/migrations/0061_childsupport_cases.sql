-- +goose Up
-- One flag of one child and what became of it. It names items and holds no value of any.
CREATE TABLE child_case (
    citizen_id   TEXT    NOT NULL, -- the child
    case_id      TEXT    NOT NULL,
    municipality TEXT    NOT NULL,
    indicator    TEXT    NOT NULL,
    episode      {{int}} NOT NULL, -- counts the child's cases of the indicator
    state        TEXT    NOT NULL,
    flagged_at   {{int}} NOT NULL, -- microseconds since 1970, UTC
    lapses_on    TEXT    NOT NULL, -- YYYY-MM-DD, the first day without the flag if nobody reviewed it
    refs         TEXT    NOT NULL, -- JSON: source, item, part and day of each item
    support      TEXT    NOT NULL, -- '' before contact was proposed
    decide_by    TEXT    NOT NULL, -- YYYY-MM-DD or ''
    guardian_id  TEXT    NOT NULL, -- to whom the offer went, or ''
    offer_id     TEXT    NOT NULL, -- or ''
    notice_id    TEXT    NOT NULL, -- or ''
    offered_at   {{int}} NOT NULL, -- microseconds; -1: not
    answer       TEXT    NOT NULL, -- or ''
    answered_at  {{int}} NOT NULL, -- microseconds; -1: not
    outcome      TEXT    NOT NULL, -- or ''
    closed_at    {{int}} NOT NULL, -- microseconds; -1: open
    erase_on     TEXT    NOT NULL, -- YYYY-MM-DD, the first day without the closed case; '' while open
    CONSTRAINT child_case_pkey PRIMARY KEY (citizen_id, case_id),
    CONSTRAINT child_case_once UNIQUE (citizen_id, indicator, episode)
) {{strict}};
CREATE INDEX child_case_queue ON child_case (municipality, state, flagged_at);
CREATE INDEX child_case_found ON child_case (case_id);
CREATE INDEX child_case_offers ON child_case (guardian_id, offered_at);

-- The history of a case.
CREATE TABLE child_act (
    citizen_id TEXT    NOT NULL, -- the child
    case_id    TEXT    NOT NULL,
    step       {{int}} NOT NULL, -- from 1 on
    what       TEXT    NOT NULL,
    by_whom    TEXT    NOT NULL, -- the officer, "family" or the job
    reason     TEXT    NOT NULL,
    at         {{int}} NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT child_act_pkey PRIMARY KEY (citizen_id, case_id, step)
) {{strict}};

-- +goose Down
DROP TABLE child_act;
DROP TABLE child_case;
