-- +goose Up
-- What terminals sent and what goes back to them. Bodies hold no number in clear: the
-- numbers are sealed to a payer, the answers to the terminal. None is a per-citizen table.
CREATE TABLE intake_record (
    terminal_id TEXT      NOT NULL,
    record_id   TEXT      NOT NULL, -- made by the terminal at capture
    batch_id    TEXT      NOT NULL, -- the batch that brought it first
    epoch       TEXT      NOT NULL,
    seq         {{int}}   NOT NULL,
    kind        TEXT      NOT NULL,
    at          {{int}}   NOT NULL, -- the terminal's clock, microseconds since 1970, UTC
    body        {{bytes}} NOT NULL, -- as received
    digest      {{bytes}} NOT NULL, -- wire.Digest
    received_at {{int}}   NOT NULL, -- microseconds since 1970, UTC
    state       TEXT      NOT NULL, -- open, answered, refused, kept
    code        TEXT      NOT NULL, -- why it was refused, '' otherwise
    CONSTRAINT intake_record_pkey PRIMARY KEY (terminal_id, record_id)
) {{strict}};
CREATE INDEX intake_record_batch ON intake_record (batch_id, state);
CREATE INDEX intake_record_open ON intake_record (received_at) WHERE state = 'open';

-- The highest sequence seen of each life of a terminal's queue.
CREATE TABLE intake_mark (
    terminal_id TEXT    NOT NULL,
    epoch       TEXT    NOT NULL,
    high        {{int}} NOT NULL,
    CONSTRAINT intake_mark_pkey PRIMARY KEY (terminal_id, epoch)
) {{strict}};

-- Security events: a gap in the sequence, one id with two contents. Repeats add nothing.
CREATE TABLE intake_event (
    terminal_id TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    epoch       TEXT    NOT NULL,
    seq         {{int}} NOT NULL, -- of the record that showed it
    record_id   TEXT    NOT NULL,
    at          {{int}} NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT intake_event_pkey PRIMARY KEY (terminal_id, kind, epoch, seq, record_id)
) {{strict}};

CREATE TABLE terminal_answer (
    terminal_id TEXT      NOT NULL,
    cursor      {{int}}   NOT NULL,
    record_id   TEXT      NOT NULL,
    sealed      {{bytes}} NOT NULL, -- age X25519 to the terminal, empty with a code
    code        TEXT      NOT NULL, -- why the payer could not read the inquiry, '' otherwise
    created_at  {{int}}   NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT terminal_answer_pkey PRIMARY KEY (terminal_id, cursor),
    CONSTRAINT terminal_answer_record_key UNIQUE (terminal_id, record_id)
) {{strict}};

-- The last cursor given to each terminal. Its row is held until commit, so that cursors
-- become visible in their order.
CREATE TABLE terminal_answer_last (
    terminal_id TEXT    NOT NULL,
    cursor      {{int}} NOT NULL,
    CONSTRAINT terminal_answer_last_pkey PRIMARY KEY (terminal_id)
) {{strict}};

-- +goose Down
DROP TABLE terminal_answer_last;
DROP TABLE terminal_answer;
DROP TABLE intake_event;
DROP TABLE intake_mark;
DROP TABLE intake_record;
