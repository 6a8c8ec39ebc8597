package store_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
)

// atCommit makes PostgreSQL run body when a transaction that wrote a note commits.
func atCommit(t *testing.T, body string, change ...func(*store.Config)) *store.DB {
	t.Helper()
	db := makeNotes(t, storetest.Open(t, store.Postgres, change...))
	must(t, db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error {
		for _, s := range []string{
			"CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " + body + " RETURN NULL; END $$",
			"CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON note DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit()",
		} {
			if _, err := sqltx.Of(x).Exec(ctx, s); err != nil {
				return err
			}
		}
		return nil
	}))
	return db
}

const gate = 4711 // an advisory lock that COMMIT waits for

// closeGate holds the gate on a connection of its own; open lets COMMIT go on.
func closeGate(t *testing.T, db *store.DB) (open func()) {
	t.Helper()
	conn, err := db.Writer().Conn(t.Context())
	must(t, err)
	_, err = conn.ExecContext(t.Context(), "SELECT pg_advisory_lock($1)", gate)
	must(t, err)
	return func() {
		_, err := conn.ExecContext(context.Background(), "SELECT pg_advisory_unlock($1)", gate)
		must(t, errors.Join(err, conn.Close()))
	}
}

// awaitGate returns when somebody waits at the gate.
func awaitGate(t *testing.T, db *store.DB) {
	t.Helper()
	for waiting := false; !waiting; {
		must(t, db.Writer().QueryRowContext(t.Context(),
			"SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted)", gate).Scan(&waiting))
	}
}

const waitAtGate = "PERFORM pg_advisory_xact_lock(4711);"

func TestFault7CancelDuringCommit(t *testing.T) {
	db := atCommit(t, waitAtGate)
	open := closeGate(t, db)
	ctx, cancel := context.WithCancel(t.Context())
	outcome := make(chan error, 1)
	go func() { outcome <- db.Runner().Do(ctx, adding("whole")) }()
	awaitGate(t, db)
	cancel()
	open()
	must(t, <-outcome)
	wantNotes(t, db, "whole")
}

func TestFault7ServerLostDuringCommit(t *testing.T) {
	db := atCommit(t, "PERFORM pg_terminate_backend(pg_backend_pid());")
	err := db.Runner().Do(t.Context(), adding("unknown"))
	want(t, err, tx.ErrUnknown)
	if code := fault.CodeOf(err); code != fault.Unknown {
		t.Errorf("code %s", code)
	}
}

func TestFault7ServerSaysNothing(t *testing.T) {
	db := atCommit(t, waitAtGate, func(c *store.Config) { c.CommitLimit = 50 * time.Millisecond })
	open := closeGate(t, db)
	want(t, db.Runner().Do(t.Context(), adding("unknown")), tx.ErrUnknown)
	open()
	for len(notes(t, db)) == 0 { // it was stored after all: that is what "unknown" means
		must(t, t.Context().Err())
	}
}

func TestFault7ServerRefusesAtCommit(t *testing.T) {
	db := atCommit(t, "RAISE EXCEPTION 'no' USING ERRCODE = 'check_violation';")
	err := db.Runner().Do(t.Context(), adding("refused"))
	if err == nil || errors.Is(err, tx.ErrUnknown) {
		t.Errorf("error %v, want a plain refusal", err)
	}
	wantNotes(t, db)
}

func TestFault6CommitOfAFailedTransaction(t *testing.T) {
	db := makeNotes(t, storetest.Open(t, store.Postgres))
	err := db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error {
		return sqltx.Of(x).With(ctx, func(ctx context.Context, s *sql.Tx) error {
			_, _ = s.ExecContext(ctx, "INSERT INTO note (id) VALUES (NULL)") // swallowed below our sight
			return nil
		})
	})
	if err == nil || errors.Is(err, tx.ErrUnknown) {
		t.Errorf("error %v, want a plain refusal", err)
	}
}

func TestGroupIsToldWhenCommitIsRefused(t *testing.T) {
	db := makeNotes(t, storetest.Open(t, store.SQLite))
	must(t, db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error {
		_, err := sqltx.Of(x).Exec(ctx, `CREATE TABLE child (id TEXT NOT NULL PRIMARY KEY,
			parent TEXT NOT NULL REFERENCES note (id) DEFERRABLE INITIALLY DEFERRED) STRICT`)
		return err
	}))
	err := db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error {
		_, err := sqltx.Of(x).Exec(ctx, "INSERT INTO child (id, parent) VALUES ('c', 'nobody')")
		return err
	})
	want(t, err, tx.ErrGroup)
	if code := fault.CodeOf(err); code != fault.Unavailable {
		t.Errorf("code %s", code)
	}
	must(t, db.Runner().Do(t.Context(), adding("next")))
	wantNotes(t, db, "next")
}
