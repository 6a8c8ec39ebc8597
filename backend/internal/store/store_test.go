package store_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
)

func TestServerEpochStaysWithTheStore(t *testing.T) {
	for _, e := range storetest.Engines {
		t.Run(string(e), func(t *testing.T) {
			cfg := storetest.Config(storetest.DSN(t, e))
			db, err := store.Open(t.Context(), cfg)
			must(t, err)
			first := db.ServerEpoch()
			must(t, db.Close())
			db, err = store.Open(t.Context(), cfg)
			must(t, err)
			defer db.Close()
			if first == "" || db.ServerEpoch() != first {
				t.Errorf("epoch %q, then %q", first, db.ServerEpoch())
			}
			if other := storetest.Open(t, e).ServerEpoch(); other == first {
				t.Error("two stores have one epoch")
			}
		})
	}
}

func TestOpenRefusesPendingMigrations(t *testing.T) {
	for _, e := range storetest.Engines {
		t.Run(string(e), func(t *testing.T) {
			cfg := storetest.Config(storetest.EmptyDSN(t, e))
			if _, err := store.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "pending") {
				t.Errorf("error %v, want the pending migrations named", err)
			}
			cfg.Migrate = true
			db, err := store.Open(t.Context(), cfg)
			must(t, err)
			must(t, db.Close())
		})
	}
}

func TestOpenNamesWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	full := storetest.Config("sqlite:" + filepath.Join(dir, "store.db"))
	tests := []struct {
		name   string
		change func(*store.Config)
		says   string
	}{
		{"no clock", func(c *store.Config) { c.Now = nil }, "no clock"},
		{"no random source", func(c *store.Config) { c.Rand = nil }, "no random source"},
		{"another engine", func(c *store.Config) { c.DSN = "mysql://x" }, "neither"},
		{"no file", func(c *store.Config) { c.DSN = "sqlite:" }, "names no file"},
		{"memory", func(c *store.Config) { c.DSN = "sqlite::memory:" }, "names no file"},
		{"a folder", func(c *store.Config) { c.DSN = "sqlite:" + dir }, "cannot open"},
		{"nobody listens", func(c *store.Config) { c.DSN = "postgres:///x?host=" + dir }, "cannot reach PostgreSQL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := full
			tt.change(&cfg)
			_, err := store.Open(t.Context(), cfg)
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want %q in it", err, tt.says)
			}
		})
	}
}

func TestErrorsKeepThePasswordOut(t *testing.T) {
	for _, dsn := range []string{"postgres://u:hunter2@127.0.0.1:1/x?connect_timeout=1", "postgres://u:hunter2@[::bad/x"} {
		_, err := store.Open(t.Context(), storetest.Config(dsn))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("error %v", err)
		}
	}
}

func TestSQLiteFileIsPrivateAndDurable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new folder?#", "store.db")
	cfg := storetest.Config("sqlite:" + path)
	cfg.Migrate = true
	db, err := store.Open(t.Context(), cfg)
	must(t, err)
	defer db.Close()
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode().Perm())
	}
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "trusted_schema": "0", "secure_delete": "1", "journal_size_limit": "67108864",
	} {
		var got string
		must(t, db.Writer().QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got))
		if got != want {
			t.Errorf("%s = %s, want %s", pragma, got, want)
		}
	}
}

func TestReadsCannotWriteOnSQLite(t *testing.T) {
	db := makeNotes(t, storetest.Open(t, store.SQLite))
	err := db.Reads().Each(t.Context(), "INSERT INTO note (id, body) VALUES ('a', 'b') RETURNING id", nil,
		func(func(...any) error) error { return nil })
	if err == nil {
		t.Error("the read side wrote")
	}
	wantNotes(t, db)
}

func TestOneTextForBothEngines(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		type kind string
		word, none := "b", (*string)(nil)
		must(t, db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error {
			s := sqltx.Of(x)
			n, err := s.Exec(ctx, `INSERT INTO note (id, body) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET body = excluded.body`, kind("a"), &word)
			if err != nil || n != 1 {
				t.Errorf("%d rows, error %v", n, err)
			}
			var got string
			var yes bool
			must(t, s.Each(ctx, `UPDATE note SET body = $2 WHERE id = $1 AND $3 RETURNING body, body = $2`, []any{"a", "c", true},
				func(scan func(...any) error) error { return scan(&got, &yes) }))
			if got != "c" || !yes {
				t.Errorf("RETURNING gave %q, %v", got, yes)
			}
			var missing *string
			must(t, s.Each(ctx, `SELECT CAST($1 AS TEXT)`, []any{none}, func(scan func(...any) error) error { return scan(&missing) }))
			if missing != nil {
				t.Errorf("NULL came back as %q", *missing)
			}
			return nil
		}))
	})
}

func TestErrorsOfCallbacksStayAsTheyAre(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		conflict := fault.New(fault.Conflict, "the same id with other content")
		for _, mine := range []error{conflict, errGiveUp} {
			err := db.Runner().Do(t.Context(), func(context.Context, tx.Tx) error { return mine })
			if err != mine {
				t.Errorf("%v, want %v itself", err, mine)
			}
		}
	})
}
