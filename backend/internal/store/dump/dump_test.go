package dump_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/backup"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/dump"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
)

func exec(t *testing.T, db *store.DB, query string, args ...any) {
	t.Helper()
	if err := db.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) error {
		_, err := sqltx.Of(tt).Exec(ctx, query, args...)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

const addGrant = `INSERT INTO wallet_grant (code_hash, grant_id, kind, citizen_id, municipality_code, person_id, certificate_id, client_id,
	redirect_uri, challenge, detailed, key_thumbprint, tries, created_at, expires_at, spent_at)
	VALUES ($1, $2, 'offered', 'ctz_1', '990019', 'ctz_1', 'crt_1', '', '', '', $3, '', 0, -9223372036854775808, 9223372036854775807, 0)`

// furnish stores rows of every kind of column: numbers at both ends, booleans, bytes, NULL,
// and text whose order depends on the engine's ideas of letters.
func furnish(t *testing.T, db *store.DB) {
	t.Helper()
	for i, name := range []string{"b", "A", "ａ", "é", "Z", "_", "ア", "", "a\"b'c\\d\n\té"} {
		exec(t, db, `INSERT INTO municipality (code, name_ja, name_easy, name_en, counter_name, counter_place, counter_phone, counter_hours, digest)
			VALUES ($1, $2, '', '', '', '', '', '', $3)`, name+fmt.Sprint(i%3), "窓口"+name, []byte{0, 1, 255, byte(i)})
		exec(t, db, addGrant, []byte{byte(i), 0, 255}, name, i%2 == 0)
	}
	exec(t, db, `INSERT INTO citizen_session (citizen_id, session_id, municipality_code, refresh_hash, created_at, expires_at, prior_hash)
		VALUES ('ctz_1', 'ses_1', '990019', $1, 1, 2, NULL), ('ctz_1', 'ses_2', '990019', $2, 1, 2, $3)`, []byte{1}, []byte{}, []byte{7})
}

func write(t *testing.T, db *store.DB, meanwhile func()) ([]byte, backup.Manifest) {
	t.Helper()
	m, err := dump.Begin(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	head, err := m.Head(t.Context(), storetest.Now())
	if err != nil {
		t.Fatal(err)
	}
	if meanwhile != nil {
		meanwhile()
	}
	var out bytes.Buffer
	written, err := backup.Write(t.Context(), &out, head, m)
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), written
}

func fill(t *testing.T, db *store.DB, file []byte) error {
	t.Helper()
	return dump.Fill(t.Context(), db, func(ctx context.Context, f *dump.Filling) error {
		_, err := backup.Read(ctx, bytes.NewReader(file), func(h backup.Head) error { return f.Fits(ctx, h) }, f)
		return err
	})
}

// A backup of one engine restores on the other to the same rows: the sum of every table is
// the same again. What is written while the backup runs is not in it.
func TestABackupRestoresOnEitherEngine(t *testing.T) {
	for _, from := range storetest.Engines {
		t.Run(string(from), func(t *testing.T) {
			db := storetest.Open(t, from)
			furnish(t, db)
			file, written := write(t, db, func() { exec(t, db, addGrant, []byte("later"), "later", true) })
			if len(written.Tables) < 70 || written.Rows != 21 {
				t.Fatalf("%d tables, %d rows", len(written.Tables), written.Rows)
			}
			for _, to := range storetest.Engines {
				t.Run("to "+string(to), func(t *testing.T) {
					other := storetest.Open(t, to)
					if err := fill(t, other, file); err != nil {
						t.Fatal(err)
					}
					_, again := write(t, other, nil)
					if !slices.Equal(again.Tables, written.Tables) || again.Epoch != written.Epoch {
						t.Errorf("the tables differ:\n%v\n%v", again.Tables, written.Tables)
					}
					if err := fill(t, other, file); !errors.Is(err, dump.ErrNotEmpty) {
						t.Errorf("a store that holds rows was filled: %v", err)
					}
				})
			}
		})
	}
}

// What a backup leaves out is left out by name, and each of our tables is in it.
func TestABackupHoldsEveryTableOfOurs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		_, written := write(t, db, nil)
		for _, s := range written.Tables {
			if strings.HasPrefix(s.Table, "river_") || strings.HasPrefix(s.Table, "goose_") {
				t.Errorf("%s is in the backup", s.Table)
			}
		}
		for _, want := range []string{"audit_entry", "server_epoch", "intake_record", "payment_list", "ledger", "signing_key", "fence"} {
			if !slices.ContainsFunc(written.Tables, func(s backup.Sum) bool { return s.Table == want }) {
				t.Errorf("%s is not in the backup", want)
			}
		}
	})
}

// A restoration that fails leaves the store empty, ready for another.
func TestAFailedRestorationLeavesNothing(t *testing.T) {
	source := storetest.Open(t, store.SQLite)
	furnish(t, source)
	file, _ := write(t, source, nil)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		if err := fill(t, db, file[:len(file)-40]); fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("a cut file: %v", err)
		}
		late := errors.New("after everything was read")
		if err := dump.Fill(t.Context(), db, func(ctx context.Context, f *dump.Filling) error {
			_, err := backup.Read(ctx, bytes.NewReader(file), func(backup.Head) error { return nil }, f)
			return errors.Join(err, late)
		}); !errors.Is(err, late) {
			t.Errorf("error %v", err)
		}
		if err := fill(t, db, file); err != nil {
			t.Errorf("after two that failed: %v", err)
		}
	})
}

// A table that PostgreSQL writes anew while a backup runs would be empty in it.
func TestAMigrationMeanwhileIsFound(t *testing.T) {
	db := storetest.Open(t, store.Postgres)
	furnish(t, db)
	m, err := dump.Begin(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	head, err := m.Head(t.Context(), storetest.Now())
	if err != nil {
		t.Fatal(err)
	}
	exec(t, db, `ALTER TABLE municipality ALTER COLUMN digest TYPE BYTEA USING digest || digest`)
	exec(t, db, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (999999, true)`)
	if _, err := backup.Write(t.Context(), io.Discard, head, m); err == nil || !strings.Contains(err.Error(), "back up again") {
		t.Errorf("error %v", err)
	}
}

// headOf is the head of a backup of the store as it is.
func headOf(t *testing.T, db *store.DB) backup.Head {
	t.Helper()
	m, err := dump.Begin(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	head, err := m.Head(t.Context(), storetest.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return head
}

// An older copy lacks tables and columns of ours: they are empty, and hold their defaults.
func TestAnOlderBackupIsTaken(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		head := headOf(t, db)
		head.Schema = head.Schema[:3]
		older := one{backup.Table{Name: "citizen_session", Columns: []string{"citizen_id", "created_at", "expires_at", "municipality_code", "refresh_hash", "session_id"},
			Key: []string{"citizen_id", "session_id"}}, []any{"ctz_1", int64(1), int64(2), "990019", []byte{1}, "ses_1"}}
		var out bytes.Buffer
		if _, err := backup.Write(t.Context(), &out, head, older); err != nil {
			t.Fatal(err)
		}
		if err := fill(t, db, out.Bytes()); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := db.Reads().Each(t.Context(), `SELECT count(*) FROM citizen_session WHERE prior_hash IS NULL`, nil, func(scan func(...any) error) error { return scan(&n) }); err != nil || n != 1 {
			t.Errorf("%d rows, %v", n, err)
		}
	})
}

// What this program does not know is refused before a row of it is taken.
func TestANewerBackupIsRefused(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	head := headOf(t, db)
	known := backup.Table{Name: "signing_ring", Columns: []string{"acts", "used_for"}, Key: []string{"used_for"}}
	cases := map[string]struct {
		schema []int64
		table  backup.Table
		row    []any
	}{
		"migration": {append(slices.Clone(head.Schema), 999_999), known, []any{int64(1), "shc"}},
		"table":     {head.Schema, backup.Table{Name: "tomorrow", Columns: []string{"a"}, Key: []string{"a"}}, []any{"x"}},
		"column":    {head.Schema, backup.Table{Name: "signing_ring", Columns: []string{"used_for", "x"}, Key: []string{"used_for"}}, []any{"shc", "x"}},
		"kind":      {head.Schema, known, []any{"one", "shc"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := head
			h.Schema = c.schema
			var out bytes.Buffer
			if _, err := backup.Write(t.Context(), &out, h, one{c.table, c.row}); err != nil {
				t.Fatal(err)
			}
			if err := fill(t, db, out.Bytes()); err == nil {
				t.Error("it was taken")
			}
		})
	}
}

// one is a source of one row.
type one struct {
	table backup.Table
	row   []any
}

func (o one) Tables(context.Context) ([]backup.Table, error) { return []backup.Table{o.table}, nil }

func (o one) Each(_ context.Context, _ backup.Table, row func([]any) error) error { return row(o.row) }
