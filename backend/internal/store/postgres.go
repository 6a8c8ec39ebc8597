package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
)

const (
	connectTimeout     = 5 * time.Second
	connectionLifetime = 5 * time.Minute // a connection that outlives a failover reads old rows
)

// connectPostgres opens the pool that Do, the read side and the jobs share.
func connectPostgres(ctx context.Context, cfg Config) (*DB, error) {
	c, err := pgx.ParseConfig(cfg.DSN)
	if err != nil {
		return nil, err
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectTimeout
	}
	idle := cfg.CallbackLimit + time.Second // the second line of defence behind the loan's own limit
	c.RuntimeParams["idle_in_transaction_session_timeout"] = strconv.FormatInt(idle.Milliseconds(), 10)
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "madoguchi-backend"
	}
	if c.RuntimeParams["jit"] == "" {
		// Compiling a statement takes a second, the statements that are compiled because of a
		// wrong guess of rows take milliseconds, and a transaction has two seconds.
		c.RuntimeParams["jit"] = "off"
	}
	db := stdlib.OpenDB(*c)
	db.SetMaxOpenConns(cfg.Connections)
	db.SetMaxIdleConns(cfg.Connections)
	db.SetConnMaxLifetime(connectionLifetime)
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("cannot reach PostgreSQL: %w", err)
	}
	return &DB{engine: Postgres, write: db, read: db}, nil
}

// postgresRunner gives each caller a transaction of its own.
type postgresRunner struct {
	db            *sql.DB
	callbackLimit time.Duration
	commitLimit   time.Duration

	mu      sync.Mutex // guards closed against running
	closed  bool
	running sync.WaitGroup
}

// Do implements tx.Runner.
func (p *postgresRunner) Do(ctx context.Context, fn func(context.Context, tx.Tx) error) error {
	if sqltx.IsInside(ctx) {
		return tx.ErrNested
	}
	return coded(p.do(ctx, fn))
}

func (p *postgresRunner) do(ctx context.Context, fn func(context.Context, tx.Tx) error) error {
	if !p.enter() {
		return ErrClosed
	}
	c := newCall(ctx)
	go func() {
		defer p.running.Done()
		c.answer <- p.serve(c)
	}()
	select {
	case l := <-c.lent:
		l.call(fn)
		return <-c.answer
	case err := <-c.answer:
		return err
	}
}

func (p *postgresRunner) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.running.Add(1)
	return true
}

func (p *postgresRunner) stop() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.running.Wait()
}

// serve lends a transaction to the caller, whose goroutine runs the callback, and commits.
// The caller may give up while it waits for a connection, never during COMMIT.
func (p *postgresRunner) serve(c *call) error {
	conn, err := p.db.Conn(c.ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errBegin, err)
	}
	t, err := conn.BeginTx(context.WithoutCancel(c.ctx), nil)
	if err != nil {
		_ = conn.Close()
		return fmt.Errorf("%w: %w", errBegin, err)
	}
	if failed := lend(c, t, p.callbackLimit, false); failed != nil {
		_ = t.Rollback() // where it fails the connection is gone, and the rows with it
		_ = conn.Close()
		return failed
	}
	return p.commit(conn, t)
}

// commit waits for the server's word, but not for ever: a server that waits for a lost
// standby says nothing, and no timeout of its own ends that.
func (p *postgresRunner) commit(conn *sql.Conn, t *sql.Tx) error {
	word := make(chan error, 1)
	go func() {
		word <- committed(t.Commit())
		_ = conn.Close()
	}()
	limit := time.NewTimer(p.commitLimit)
	defer limit.Stop()
	select {
	case err := <-word:
		return err
	case <-limit.C:
		return fmt.Errorf("%w: no answer in %s", tx.ErrUnknown, p.commitLimit)
	}
}

// committed says what an error at COMMIT means. Only the server's own refusal means that
// nothing was stored.
func committed(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, pgx.ErrTxCommitRollback) {
		return fmt.Errorf("cannot commit: %w", err)
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && refusal(e.Code) {
		return fmt.Errorf("cannot commit: %w", err)
	}
	return fmt.Errorf("%w: %w", tx.ErrUnknown, err)
}

// refusal tells a server's "no" from a server that went away in the middle: connection
// failures (08), shutdowns (57P), internal errors (XX) and 40003 leave it open.
func refusal(sqlstate string) bool {
	for _, open := range []string{"08", "57P", "XX", "40003"} {
		if strings.HasPrefix(sqlstate, open) {
			return false
		}
	}
	return true
}
