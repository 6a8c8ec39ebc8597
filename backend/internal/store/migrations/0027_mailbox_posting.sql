-- +goose Up
-- Notices that another use case posts, each for one person, many at once.
ALTER TABLE notice ADD COLUMN posting TEXT NOT NULL DEFAULT ''; -- posted together; '': an officer wrote it
ALTER TABLE notice ADD COLUMN about TEXT NOT NULL DEFAULT ''; -- handles of the people it tells of besides its recipients
ALTER TABLE notice ADD COLUMN subject_kind TEXT NOT NULL DEFAULT '';
ALTER TABLE notice ADD COLUMN subject_id TEXT NOT NULL DEFAULT '';

-- The console lists what officers wrote; the sweep goes by time and posting. push_done and
-- push_swept hold postings beside notices.
DROP INDEX notice_newest;
CREATE INDEX notice_newest ON notice (municipality, posting, sent_at, notice_id);
CREATE INDEX notice_sent ON notice (sent_at, posting);

-- +goose Down
DROP INDEX notice_sent;
DROP INDEX notice_newest;
CREATE INDEX notice_newest ON notice (municipality, sent_at, notice_id);
ALTER TABLE notice DROP COLUMN subject_id;
ALTER TABLE notice DROP COLUMN subject_kind;
ALTER TABLE notice DROP COLUMN about;
ALTER TABLE notice DROP COLUMN posting;
