package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
)

var (
	errAbandoned = errors.New("cannot store: the callback did not return")
	errEnded     = errors.New("cannot use a transaction after its callback returned")
)

// call is one Do that waits for its transaction, and then for its outcome.
type call struct {
	ctx    context.Context
	lent   chan *loan // receives the loan, once, unless the answer came before
	answer chan error // receives the outcome, once
}

func newCall(ctx context.Context) *call {
	return &call{ctx: ctx, lent: make(chan *loan, 1), answer: make(chan error, 1)}
}

// loan is the transaction in a caller's hands.
type loan struct {
	ctx  context.Context // for the callback: its deadline and the mark "inside Do"
	tx   *sqltx.Tx
	back chan error // the callback's outcome; nil asks for COMMIT
}

// call runs the callback on its own goroutine, so that a panic keeps its stack and
// runtime.Goexit ends nobody else.
func (l *loan) call(fn func(context.Context, tx.Tx) error) {
	outcome := errAbandoned
	defer func() { l.back <- outcome }()
	outcome = fn(l.ctx, l.tx)
}

// lend hands t to the caller and takes it back when the callback returns, when its time is
// over or when the caller gives up, whichever is first. nil asks for COMMIT; after that
// nobody can reach t through the loan.
func lend(c *call, t *sql.Tx, limit time.Duration, shared bool) error {
	ctx, cancel := context.WithTimeoutCause(sqltx.Inside(c.ctx), limit, tx.ErrExpired)
	defer cancel()
	l := &loan{ctx: ctx, tx: sqltx.Lend(ctx, t, shared), back: make(chan error, 1)}
	c.lent <- l
	select {
	case failed := <-l.back:
		return l.outcome(failed)
	case <-ctx.Done():
		// A statement that runs on SQLite cannot be stopped: Close waits for it.
		return l.outcome(context.Cause(ctx))
	}
}

// outcome is what Do answers when COMMIT succeeds: the callback's error, else the first
// error of a statement, else why the time was over.
func (l *loan) outcome(failed error) error {
	cause := context.Cause(l.ctx)
	ended := cause
	if ended == nil {
		ended = errEnded
	}
	first := l.tx.Close(ended)
	if failed == nil {
		failed = first
	}
	if failed == nil {
		return cause
	}
	late := errors.Is(failed, context.DeadlineExceeded) || errors.Is(failed, context.Canceled)
	if late && errors.Is(cause, tx.ErrExpired) && !errors.Is(failed, tx.ErrExpired) {
		return fmt.Errorf("%w: %w", tx.ErrExpired, failed)
	}
	return failed
}
