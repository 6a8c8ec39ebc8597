// Package storetest gives tests a store of their own on both engines.
//
// A domain package uses it so:
//
//	func TestRows(t *testing.T) {
//		storetest.Each(t, func(t *testing.T, db *store.DB) {
//			rows := citizen.New(db.Reads())
//			err := db.Runner().Do(t.Context(), func(ctx context.Context, tx tx.Tx) error {
//				return rows.Insert(ctx, tx, …)
//			})
//			…
//		})
//	}
//
//	func TestConformance(t *testing.T) {
//		storetest.Each(t, func(t *testing.T, db *store.DB) {
//			storetest.Conformance(t, db, storetest.Table{
//				Name: "citizen", Keys: []string{"citizen_id"},
//				Columns: []string{"citizen_id", "municipality_code", "photo", "alive"},
//				Values: func(n int) []any { return []any{fmt.Sprint("ctz_", n), "990019", []byte{1}, true} },
//			})
//		})
//	}
//
// It promises: every store is migrated, empty but for its epoch, shared with no other test,
// and gone when the test ends. SQLite stores are copies of one file. PostgreSQL stores are
// clones of one database, on the server that MADOGUCHI_TEST_POSTGRES names (a role that may
// create databases; one template stays there for each state of the schema), else on a
// server that this process starts, without fsync, and that dies with it however it ends.
// Where no PostgreSQL can be had the subtest skips with the reason; with CI=true it fails.
package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"madoguchi.example/backend/internal/store"
)

// Engines are the engines that Each visits.
var Engines = []store.Engine{store.SQLite, store.Postgres}

// Each runs fn as a subtest on each engine, with a store that fn need not close.
func Each(t *testing.T, fn func(t *testing.T, db *store.DB)) {
	t.Helper()
	for _, e := range Engines {
		t.Run(string(e), func(t *testing.T) { fn(t, Open(t, e)) })
	}
}

// Open opens a fresh store. change may adapt the configuration before.
func Open(t testing.TB, e store.Engine, change ...func(*store.Config)) *store.DB {
	t.Helper()
	cfg := Config(DSN(t, e))
	for _, c := range change {
		c(&cfg)
	}
	db, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("cannot open the test store: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("cannot close the test store: %v", err)
		}
	})
	return db
}

// DSN makes a fresh, migrated store that nobody has open, for tests that start programs.
func DSN(t testing.TB, e store.Engine) string {
	t.Helper()
	if e == store.Postgres {
		return clone(t, true)
	}
	path := filepath.Join(t.TempDir(), "store.db")
	data, err := template()
	if err != nil {
		t.Fatalf("cannot make the template of test stores: %v", err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite:" + path
}

// EmptyDSN makes a store without any table, for tests of migrations.
func EmptyDSN(t testing.TB, e store.Engine) string {
	t.Helper()
	if e == store.Postgres {
		return clone(t, false)
	}
	return "sqlite:" + filepath.Join(t.TempDir(), "store.db")
}

// patience is the callback limit of test stores: tests say what is stored, not how fast a
// busy machine with the race detector stores it. The limit has tests of its own.
const patience = 30 * time.Second

// Config gives a configuration for a test: the clock stands still, the random source is
// made from the DSN.
func Config(dsn string) store.Config {
	return store.Config{DSN: dsn, Now: Now, Rand: Rand(dsn), CallbackLimit: patience}
}

// Now is a clock that stands still.
func Now() time.Time { return time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC) }

// Rand gives bytes that look random and are the same for the same seed. It is safe for
// concurrent use.
func Rand(seed string) io.Reader { return &stream{seed: seed} }

type stream struct {
	seed string
	n    atomic.Uint64
}

func (s *stream) Read(p []byte) (int, error) {
	for done := 0; done < len(p); {
		block := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(s.seed), s.n.Add(1)))
		done += copy(p[done:], block[:])
	}
	return len(p), nil
}

// template is a migrated SQLite file, as bytes.
var template = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "madoguchi-template-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "template.db")
	if _, err := store.Migrate(context.Background(), Config("sqlite:"+path)); err != nil {
		return nil, err
	}
	// The last connection to close empties the log into the file.
	if left, err := os.Stat(path + "-wal"); err == nil && left.Size() > 0 {
		return nil, fmt.Errorf("the log of the template holds %d bytes", left.Size())
	}
	return os.ReadFile(path)
})
