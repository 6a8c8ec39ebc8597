package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"madoguchi.example/backend/internal/store/migrations"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/handle"
)

// The defaults of Config.
const (
	DefaultCallbackLimit = 2 * time.Second
	DefaultReadLimit     = 10 * time.Second
	DefaultCommitLimit   = 15 * time.Second
	DefaultGroupCallers  = 128
	DefaultGroupTime     = 20 * time.Millisecond
	DefaultConnections   = 16
)

// ErrClosed answers a Do after Close. Nothing was stored.
var ErrClosed = errors.New("cannot use the store: it is closed")

// DB is an open store. It is safe for concurrent use.
type DB struct {
	engine Engine
	write  *sql.DB
	read   *sql.DB // the same as write on PostgreSQL
	runner tx.Runner
	stop   func()
	reads  *sqltx.Pool
	epoch  string
	path   string      // of an SQLite file
	file   os.FileInfo // of it, when it was opened
}

// Open opens the store of cfg.DSN, creating an SQLite file that is not there, and waits for
// nobody: a server that is away is an error. ctx bounds the opening alone.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	db, err := ready(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot open the store: %w", err)
	}
	db.reads = newReads(db.read, cfg)
	db.startRunner(cfg)
	if err := db.readEpoch(ctx, cfg); err != nil {
		db.Close()
		return nil, fmt.Errorf("cannot read the server epoch: %w", err)
	}
	return db, nil
}

// Migrate brings the schema of cfg.DSN up to date and tells what it applied, one name for
// each migration, in order. Two processes may call it at once.
func Migrate(ctx context.Context, cfg Config) ([]string, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	unlock, err := lock(cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot open the store: %w", err)
	}
	defer unlock()
	db, err := connect(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot open the store: %w", err)
	}
	defer db.closePools()
	return migrations.Up(ctx, db.write, db.dialect())
}

// ready connects and looks after the schema.
func ready(ctx context.Context, cfg Config) (*DB, error) {
	unlock, err := lock(cfg)
	if err != nil {
		return nil, err
	}
	defer unlock()
	db, err := connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := db.prepare(ctx, cfg); err != nil {
		return nil, errors.Join(err, db.closePools())
	}
	return db, nil
}

// lock keeps other processes out while a store is made ready. PostgreSQL has locks of its
// own for that.
func lock(cfg Config) (unlock func(), err error) {
	path, ok := sqlitePath(cfg.DSN)
	if !ok {
		return func() {}, nil
	}
	if path == "" || path == ":memory:" {
		return nil, errors.New("the store's dsn names no file: write sqlite:PATH")
	}
	return lockSQLite(path)
}

func sqlitePath(dsn string) (string, bool) { return strings.CutPrefix(dsn, "sqlite:") }

func (c Config) complete() (Config, error) {
	if c.Now == nil || c.Rand == nil {
		return c, errors.New("cannot open the store: no clock or no random source was given")
	}
	c.CallbackLimit = orDefault(c.CallbackLimit, DefaultCallbackLimit)
	c.ReadLimit = orDefault(c.ReadLimit, DefaultReadLimit)
	c.CommitLimit = orDefault(c.CommitLimit, DefaultCommitLimit)
	c.GroupCallers = orDefault(c.GroupCallers, DefaultGroupCallers)
	c.GroupTime = orDefault(c.GroupTime, DefaultGroupTime)
	c.Connections = orDefault(c.Connections, DefaultConnections)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func connect(ctx context.Context, cfg Config) (*DB, error) {
	if path, ok := sqlitePath(cfg.DSN); ok {
		return connectSQLite(ctx, path)
	}
	if strings.HasPrefix(cfg.DSN, "postgres://") || strings.HasPrefix(cfg.DSN, "postgresql://") {
		return connectPostgres(ctx, cfg)
	}
	return nil, errors.New(`the store's dsn is neither "sqlite:PATH" nor "postgres://…"`)
}

func (db *DB) prepare(ctx context.Context, cfg Config) error {
	if cfg.Migrate {
		_, err := migrations.Up(ctx, db.write, db.dialect())
		return err
	}
	pending, err := migrations.Pending(ctx, db.write, db.dialect())
	if err != nil {
		return err
	}
	if len(pending) > 0 {
		return fmt.Errorf("%d migrations are pending, the first is %s: run the migrate command", len(pending), pending[0])
	}
	return nil
}

func (db *DB) startRunner(cfg Config) {
	if db.engine == SQLite {
		w := newWriter(db.write, cfg)
		db.runner, db.stop = w, w.stop
		return
	}
	p := &postgresRunner{db: db.write, callbackLimit: cfg.CallbackLimit, commitLimit: cfg.CommitLimit}
	db.runner, db.stop = p, p.stop
}

// readEpoch makes the epoch when this store has none yet.
func (db *DB) readEpoch(ctx context.Context, cfg Config) error {
	id, err := handle.Source{Now: cfg.Now, Rand: cfg.Rand}.New("epo")
	if err != nil {
		return err
	}
	return db.runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		s := sqltx.Of(t)
		if _, err := s.Exec(ctx, `
			INSERT INTO server_epoch (only_row, epoch, created_at) VALUES (1, $1, $2)
			ON CONFLICT (only_row) DO NOTHING`, id, sqltx.Micros(cfg.Now())); err != nil {
			return err
		}
		return s.Each(ctx, `SELECT epoch FROM server_epoch WHERE only_row = 1`, nil,
			func(scan func(...any) error) error { return scan(&db.epoch) })
	})
}

// Engine tells which engine this is.
func (db *DB) Engine() Engine { return db.engine }

// Runner runs transactions.
func (db *DB) Runner() tx.Runner { return db.runner }

// Reads is the read side, for what needs no transaction.
func (db *DB) Reads() *sqltx.Pool { return db.reads }

// ServerEpoch names this life of the store, from its first opening on ("epo_…").
func (db *DB) ServerEpoch() string { return db.epoch }

// InPlace tells whether the file that is open still lies where it was opened. One that was
// replaced takes what is written to it and is no more when it is closed. PostgreSQL's always is.
func (db *DB) InPlace() bool {
	if db.file == nil {
		return true
	}
	now, err := os.Stat(db.path)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	return os.SameFile(db.file, now)
}

// Writer is the pool that writes. It is for job alone: on SQLite it holds the one writing
// connection, which River must share; a second one would starve.
func (db *DB) Writer() *sql.DB { return db.write }

// BeginRead opens a read transaction that sees one moment of the store until it is rolled
// back. It is for dump: a long reader keeps SQLite's log from being emptied.
func (db *DB) BeginRead(ctx context.Context) (*sql.Tx, error) {
	options := &sql.TxOptions{ReadOnly: true}
	if db.engine == Postgres {
		options.Isolation = sql.LevelRepeatableRead
	}
	t, err := db.read.BeginTx(ctx, options)
	if err != nil || db.engine != Postgres {
		return t, err
	}
	// Who reads a table may be slow to take the next one.
	if _, err := t.ExecContext(ctx, `SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
		return nil, errors.Join(err, t.Rollback())
	}
	return t, nil
}

// Close waits for the transactions in progress, refuses later ones with ErrClosed, and
// closes the files or connections. Stop the job engine first.
func (db *DB) Close() error {
	db.stop()
	return db.closePools()
}

func (db *DB) closePools() error {
	err := db.write.Close()
	if db.read != db.write {
		err = errors.Join(err, db.read.Close())
	}
	return err
}

func (db *DB) dialect() migrations.Dialect { return migrations.Dialect(db.engine) }

var _ io.Closer = (*DB)(nil)
