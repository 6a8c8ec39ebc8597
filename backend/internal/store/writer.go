package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
)

// writer is the one writer of an SQLite store. It opens a transaction when a caller comes,
// lends it to the goroutines of the callers that wait, one after another and each inside a
// savepoint, and answers all of them after one COMMIT. It never waits for more callers:
// those of the next group are the ones that came while the disk was busy.
type writer struct {
	db       *sql.DB
	limit    time.Duration // of one callback
	callers  int           // bound of one group
	duration time.Duration // bound of one group
	log      *slog.Logger

	queue   chan *call
	closing chan struct{}
	closed  sync.Once
	done    chan struct{}
}

var errBroken = errors.New("a savepoint failed")

func newWriter(db *sql.DB, cfg Config) *writer {
	w := &writer{
		db: db, limit: cfg.CallbackLimit, callers: cfg.GroupCallers, duration: cfg.GroupTime, log: cfg.Log,
		queue: make(chan *call), closing: make(chan struct{}), done: make(chan struct{}),
	}
	go w.run()
	return w
}

// Do implements tx.Runner.
func (w *writer) Do(ctx context.Context, fn func(context.Context, tx.Tx) error) error {
	if sqltx.IsInside(ctx) {
		return tx.ErrNested
	}
	return coded(w.do(ctx, fn))
}

func (w *writer) do(ctx context.Context, fn func(context.Context, tx.Tx) error) error {
	c := newCall(ctx)
	select {
	case w.queue <- c:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-w.closing:
		return ErrClosed
	}
	select {
	case l := <-c.lent:
		l.call(fn)
		return <-c.answer
	case err := <-c.answer:
		return err
	}
}

func (w *writer) run() {
	defer close(w.done)
	for {
		select {
		case c := <-w.queue:
			w.group(c)
		case <-w.closing:
			return
		}
	}
}

// stop waits for the group in progress and refuses every later caller.
func (w *writer) stop() {
	w.closed.Do(func() { close(w.closing) })
	<-w.done
}

// group serves first and whoever waits, and commits once.
func (w *writer) group(first *call) {
	conn, t, err := w.begin()
	if err != nil {
		first.answer <- fmt.Errorf("%w: %w", errBegin, err)
		return
	}
	defer conn.Close()
	bound := time.NewTimer(w.duration)
	defer bound.Stop()

	var members []*call // those whose rows the COMMIT will store
	served := 0
	for c := first; c != nil; c = w.next(served, bound.C) {
		served++
		err := w.serve(t, c)
		if errors.Is(err, errBroken) {
			w.log.Error("a shared commit was given up", "callers", len(members)+1, "cause", err.Error())
			_ = t.Rollback() // the savepoint's failure may have ended it already
			discard(conn)
			answer(append(members, c), fmt.Errorf("%w: %w", tx.ErrGroup, err))
			return
		}
		if err != nil {
			c.answer <- err
			continue
		}
		members = append(members, c)
	}
	answer(members, w.commit(conn, t))
}

// next takes a caller that already waits. The bounds are looked at before: a caller that
// was taken is always served.
func (w *writer) next(served int, bound <-chan time.Time) *call {
	if served >= w.callers {
		return nil
	}
	select {
	case <-bound:
		return nil
	default:
	}
	select {
	case c := <-w.queue:
		return c
	default:
		return nil
	}
}

// begin takes the one connection, which River may be using for a moment.
func (w *writer) begin() (*sql.Conn, *sql.Tx, error) {
	conn, err := w.db.Conn(context.Background())
	if err != nil {
		return nil, nil, err
	}
	t, err := conn.BeginTx(context.Background(), nil)
	if err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	return conn, t, nil
}

// serve lends t to one caller inside a savepoint. nil means that its rows wait for COMMIT;
// errBroken that the state of t is not known; any other error that its rows are undone.
func (w *writer) serve(t *sql.Tx, c *call) error {
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	if err := savepoint(t, "SAVEPOINT caller"); err != nil {
		return err
	}
	failed := lend(c, t, w.limit, true)
	if failed == nil {
		return savepoint(t, "RELEASE caller")
	}
	if err := savepoint(t, "ROLLBACK TO caller", "RELEASE caller"); err != nil {
		return errors.Join(err, failed)
	}
	return failed
}

func savepoint(t *sql.Tx, statements ...string) error {
	for _, s := range statements {
		if _, err := t.ExecContext(context.Background(), s); err != nil {
			return fmt.Errorf("%w: %s: %w", errBroken, s, err)
		}
	}
	return nil
}

// commit answers what all members of the group get.
func (w *writer) commit(conn *sql.Conn, t *sql.Tx) error {
	err := t.Commit()
	if err == nil {
		return nil
	}
	discard(conn)
	w.log.Error("a commit failed", "cause", err.Error())
	if notStored(err) {
		return fmt.Errorf("%w: %w", tx.ErrGroup, err)
	}
	return fmt.Errorf("%w: %w", tx.ErrUnknown, err)
}

// notStored tells whether SQLite refused a COMMIT before it wrote the end of the log.
// After an error of the disk the commit may come back to life at the next opening.
func notStored(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_FULL:
		return true
	}
	return false
}

// discard closes the connection for good: nobody may meet what a failed commit left on it.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
}

func answer(calls []*call, err error) {
	for _, c := range calls {
		c.answer <- err
	}
}
