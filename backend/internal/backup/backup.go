// Package backup writes one moment of the store to a file of our own format, proves such a
// file, and reads it back into an empty store.
//
// It promises: a file that Write made on one engine restores on the other, to the same rows
// (the SHA-256 of each table is the same on both); a file that was cut, changed or made by a
// newer program is refused before anything of it counts; memory is bounded by MaxFrame,
// whatever the store's size; rows are sealed (age) unless the caller says otherwise. Two
// kinds of tables stay out, and Excluded names them: those of the job engine, because a job
// of the past may be done already and the sweepers find every row that still waits for one,
// and those of the migrations, because the target's own say what its schema is.
//
// DESIGN.md beside this file tells the bytes.
package backup

import (
	"context"
	"encoding/hex"
	"strings"
	"time"
)

// Format is the version of the file that Write makes; Read takes it and no newer one.
const Format = 1

// Limits of one file.
const (
	// MaxFrame is the largest frame in bytes: a row must fit into one. A frame is allocated
	// only after its length was checked.
	MaxFrame = 32 << 20
	// frameRows is the size in bytes at which rows are closed into a frame.
	frameRows = 256 << 10
	// maxTables and maxColumns bound what a header may make a reader keep.
	maxTables  = 1000
	maxColumns = 200
)

// Excluded are the beginnings of the names of tables that stay out.
var Excluded = []string{"river_", "goose_", "sqlite_"}

// Holds tells whether a table is part of a backup.
func Holds(table string) bool {
	for _, p := range Excluded {
		if strings.HasPrefix(table, p) {
			return false
		}
	}
	return true
}

// Table names a table, its columns in the order in which its values travel (by name), and
// its primary key, by which its rows are ordered.
type Table struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Key     []string `json:"key"`
}

// Source is one moment of a store. A row holds nil, int64, string or []byte for each column;
// it is valid until the callback returns.
type Source interface {
	Tables(ctx context.Context) ([]Table, error)
	Each(ctx context.Context, t Table, row func([]any) error) error
}

// Sink takes the rows of a file. Rows are valid until Insert returns.
type Sink interface {
	// Begin is called before the first row of a table. It refuses one that the store has not.
	Begin(ctx context.Context, t Table) error
	Insert(ctx context.Context, t Table, rows [][]any) error
}

// Head opens a file.
type Head struct {
	Format  int       `json:"format"`
	Epoch   string    `json:"server_epoch"`
	Engine  string    `json:"engine"` // that it was made on; says nothing of where it can go
	Schema  []int64   `json:"schema"` // versions of the migrations that made the tables
	TakenAt time.Time `json:"taken_at"`
}

// Sum says what one table held.
type Sum struct {
	Table  string `json:"table"`
	Rows   int64  `json:"rows"`
	SHA256 Digest `json:"sha256"` // over the table's name, columns and rows in order
}

// Digest is a SHA-256, written in hexadecimal.
type Digest [32]byte

// MarshalText implements encoding.TextMarshaler.
func (d Digest) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(d[:])), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Digest) UnmarshalText(text []byte) error {
	raw, err := hex.DecodeString(string(text))
	if err != nil || len(raw) != len(d) {
		return errForm
	}
	copy(d[:], raw)
	return nil
}

// Manifest is what a whole file says of itself.
type Manifest struct {
	Head
	Tables []Sum `json:"tables"`
	Rows   int64 `json:"rows"`
}
