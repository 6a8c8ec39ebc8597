// Package store keeps everything the backend must not lose, in SQLite or in PostgreSQL.
//
// It promises: Do answers nil only when everything its callback wrote survives a power
// loss; any other answer but tx.ErrUnknown means that nothing was stored; a caller that
// fails, is cancelled, panics or overstays leaves its neighbours' rows untouched. On SQLite
// the callers that wait while a commit is written share the next one; a lone caller waits
// for nobody. Both engines take the same SQL text (see sqltx) and the same migrations.
package store

import (
	"io"
	"log/slog"
	"time"
)

// Engine names the database behind a DB.
type Engine string

// The engines.
const (
	SQLite   Engine = "sqlite"
	Postgres Engine = "postgres"
)

// Config says which store to open and how. DSN, Now and Rand must be set; every other zero
// value stands for the default that its comment names.
type Config struct {
	// DSN is "sqlite:PATH" or "postgres://…".
	DSN string
	// Migrate brings the schema up to date while opening. Without it Open refuses a store
	// whose migrations are pending.
	Migrate bool
	// CallbackLimit ends a callback of Do. Default 2 s.
	CallbackLimit time.Duration
	// ReadLimit ends a query of the read side. Default 10 s.
	ReadLimit time.Duration
	// CommitLimit is how long Do waits for PostgreSQL's word on a COMMIT before it answers
	// tx.ErrUnknown. Default 15 s.
	CommitLimit time.Duration
	// GroupCallers and GroupTime bound one shared commit on SQLite. Default 128 and 20 ms.
	GroupCallers int
	GroupTime    time.Duration
	// Connections bounds the PostgreSQL pool. Default 16.
	Connections int

	Now  func() time.Time
	Rand io.Reader
	// Log may be nil: then the store says nothing.
	Log *slog.Logger
}

// LogValue keeps the DSN, which may hold a password, out of logs.
func (c Config) LogValue() slog.Value { return slog.StringValue("store") }
