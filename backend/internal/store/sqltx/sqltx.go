// Package sqltx turns the opaque transaction of a use case into SQL. Only packages below
// store, and job, may import it.
//
// It promises one behaviour on both engines. Placeholders are $1..$n. Arguments are
// strings (valid UTF-8 without NUL), whole numbers, Go bools, []byte, nil and pointers to
// or named forms of these; anything else is refused before it reaches the engine, so a
// time or a fraction cannot be stored in two ways. Times are int64 microseconds since
// 1970 in UTC (Micros, Time), dates are text. No rows are ever handed out.
//
// A transaction keeps its first error: every later statement answers that error and
// nothing is stored, whatever the callback returns. A statement that may fail for a good
// reason says so in SQL (ON CONFLICT … DO NOTHING RETURNING).
package sqltx

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"madoguchi.example/backend/internal/tx"
)

// Reader is what runs a query: a *Tx, or a *Pool where no transaction is needed.
type Reader interface {
	// Each runs a query and calls scan once for every row, in order. scan receives the
	// function that copies the row's columns out; it must not use the Reader again.
	Each(ctx context.Context, query string, args []any, scan func(scan func(dest ...any) error) error) error
}

// Tx is a transaction in progress on either engine. One goroutine uses it at a time;
// a second one gets tx.ErrBusy. It is of no use after its callback returned.
type Tx struct {
	sql      *sql.Tx
	shared   bool // the connection carries other callers' rows: no cancellation may reach it
	deadline context.Context

	using sync.Mutex // held while a statement runs

	mu    sync.Mutex // guards first
	first error
}

// OpaqueTx marks Tx as the transaction that use cases carry.
func (*Tx) OpaqueTx() {}

// Of gives the SQL side of a transaction. It panics when t was not made by store: that is
// a fault in the wiring, never of an input.
func Of(t tx.Tx) *Tx {
	x, ok := t.(*Tx)
	if !ok {
		panic(fmt.Sprintf("sqltx: cannot run SQL on a %T", t))
	}
	return x
}

// Exec runs one statement and tells how many rows it changed.
func (t *Tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	var rows int64
	err := t.With(ctx, func(ctx context.Context, s *sql.Tx) error {
		plain, err := arguments(args)
		if err != nil {
			return err
		}
		res, err := s.ExecContext(ctx, query, plain...)
		if err != nil {
			return err
		}
		rows, err = res.RowsAffected()
		return err
	})
	return rows, err
}

// Each implements Reader. A use of the same transaction inside scan gets tx.ErrBusy.
func (t *Tx) Each(ctx context.Context, query string, args []any, scan func(scan func(dest ...any) error) error) error {
	return t.With(ctx, func(ctx context.Context, s *sql.Tx) error {
		plain, err := arguments(args)
		if err != nil {
			return err
		}
		rows, err := s.QueryContext(ctx, query, plain...)
		if err != nil {
			return err
		}
		return drain(rows, scan)
	})
}

// With lends the database/sql transaction, for libraries that want one (River). The
// callback must use the context it is given, close every Rows it opens, and neither
// commit nor roll back. Its error is kept as the transaction's first error.
func (t *Tx) With(ctx context.Context, fn func(ctx context.Context, s *sql.Tx) error) error {
	if !t.using.TryLock() {
		return t.Fail(tx.ErrBusy)
	}
	defer t.using.Unlock()
	if err := t.usable(ctx); err != nil {
		return err
	}
	statement := ctx
	if t.shared {
		statement = context.WithoutCancel(ctx)
	}
	done := false
	defer func() {
		if !done {
			t.Fail(errors.New("cannot use a transaction after a panic in it"))
		}
	}()
	err := fn(statement, t.sql)
	done = true
	if err != nil {
		return t.Fail(t.blame(err))
	}
	return nil
}

// usable tells why no further statement may run, or nil.
func (t *Tx) usable(ctx context.Context) error {
	if err := t.Err(); err != nil {
		return err
	}
	if t.deadline.Err() != nil {
		return t.Fail(context.Cause(t.deadline))
	}
	if ctx.Err() != nil {
		return t.Fail(context.Cause(ctx))
	}
	return nil
}

// blame names the time limit where it, and not the statement, was the cause.
func (t *Tx) blame(err error) error {
	if t.deadline.Err() != nil && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", context.Cause(t.deadline), err)
	}
	return err
}

// Err is the first error of the transaction, or nil.
func (t *Tx) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.first
}

// Fail keeps err as the first error, if there is none yet, and returns the first error.
func (t *Tx) Fail(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.first == nil {
		t.first = err
	}
	return t.first
}

// Close ends the use of the transaction: it waits for a statement that runs, and every
// later use gets err. It returns the first error, nil when the transaction is whole.
// Close is for store.
func (t *Tx) Close(err error) error {
	t.using.Lock()
	defer t.using.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	first := t.first
	if first == nil {
		t.first = err
	}
	return first
}

// Lend makes the Tx that a callback receives. deadline is the context of the callback; its
// cause becomes the error of late statements. shared says that other callers' rows ride on
// the same connection. Lend is for store.
func Lend(deadline context.Context, s *sql.Tx, shared bool) *Tx {
	return &Tx{sql: s, shared: shared, deadline: deadline}
}

type insideKey struct{}

// Inside marks ctx as belonging to a callback of Do. Inside is for store.
func Inside(ctx context.Context) context.Context {
	return context.WithValue(ctx, insideKey{}, true)
}

// IsInside tells whether ctx belongs to a callback of Do.
func IsInside(ctx context.Context) bool { return ctx.Value(insideKey{}) != nil }

// Pool is the read side: each query sees what was committed before it began.
// It is safe for concurrent use.
type Pool struct {
	db    *sql.DB
	limit time.Duration
}

// NewPool makes the read side over db; a read that takes longer than limit is stopped,
// because a long reader keeps SQLite's log from being emptied. NewPool is for store.
func NewPool(db *sql.DB, limit time.Duration) *Pool { return &Pool{db: db, limit: limit} }

// Each implements Reader. Inside a Do it answers tx.ErrNested: read through the Tx there.
func (p *Pool) Each(ctx context.Context, query string, args []any, scan func(scan func(dest ...any) error) error) error {
	if IsInside(ctx) {
		return tx.ErrNested
	}
	plain, err := arguments(args)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, p.limit)
	defer cancel()
	rows, err := p.db.QueryContext(ctx, query, plain...)
	if err != nil {
		return err
	}
	return drain(rows, scan)
}

func drain(rows *sql.Rows, scan func(func(...any) error) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Micros is how a time is stored: microseconds since 1970 in UTC.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// Time reads what Micros wrote, in UTC.
func Time(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
