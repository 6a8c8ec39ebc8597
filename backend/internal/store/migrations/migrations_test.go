package migrations_test

import (
	"context"
	"database/sql"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/migrations"
	"madoguchi.example/backend/internal/store/storetest"
)

// foreign are the tables that libraries make their own way: not STRICT, and not our keys.
func foreign(table string) bool {
	return strings.HasPrefix(table, "river_") || strings.HasPrefix(table, "goose_") || strings.HasPrefix(table, "sqlite_")
}

func TestUpFromEmpty(t *testing.T) {
	for _, e := range storetest.Engines {
		t.Run(string(e), func(t *testing.T) {
			cfg := storetest.Config(storetest.EmptyDSN(t, e))
			applied, err := store.Migrate(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.IsSorted(applied) || !slices.Contains(applied, "0001_audit.sql") || !slices.Contains(applied, "0106_job_engine") {
				t.Errorf("applied %v", applied)
			}
			again, err := store.Migrate(t.Context(), cfg)
			if err != nil || len(again) != 0 {
				t.Errorf("a second run applied %v, error %v", again, err)
			}
		})
	}
}

// A later owner's lower number must still be applied after River's higher ones.
func TestOutOfOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, statement := range []string{"DELETE FROM goose_db_version WHERE version_id = 2", "DROP TABLE server_epoch"} {
			if _, err := db.Writer().ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		d := migrations.Dialect(db.Engine())
		pending, err := migrations.Pending(t.Context(), db.Writer(), d)
		if err != nil || !slices.Equal(pending, []string{"0002_server_epoch.sql"}) {
			t.Fatalf("pending %v, error %v", pending, err)
		}
		if applied, err := migrations.Up(t.Context(), db.Writer(), d); err != nil || !slices.Equal(applied, pending) {
			t.Errorf("applied %v, error %v", applied, err)
		}
	})
}

func TestTwoProcessesMigrateAtOnce(t *testing.T) {
	for _, e := range storetest.Engines {
		t.Run(string(e), func(t *testing.T) {
			cfg := storetest.Config(storetest.EmptyDSN(t, e))
			failed := make(chan error, 2)
			for range 2 {
				go func() {
					_, err := store.Migrate(context.Background(), cfg)
					failed <- err
				}()
			}
			for range 2 {
				if err := <-failed; err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func query(t *testing.T, db *sql.DB, q string, args ...any) [][2]string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), q, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var found [][2]string
	for rows.Next() {
		var pair [2]string
		if err := rows.Scan(&pair[0], &pair[1]); err != nil {
			t.Fatal(err)
		}
		found = append(found, pair)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

func TestSQLiteTablesAreStrict(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	ours := 0
	for _, table := range query(t, db.Writer(), "SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table'") {
		if foreign(table[0]) {
			continue
		}
		ours++
		if table[1] != "1" {
			t.Errorf("table %s is not STRICT: write {{strict}} after its closing parenthesis", table[0])
		}
	}
	if ours < 2 {
		t.Errorf("%d tables looked at", ours)
	}
}

// Every column of a primary key and of a unique index is NOT NULL: SQLite would take many
// rows with the key NULL.
func TestKeyColumnsAreNotNull(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	keys := 0
	for _, key := range query(t, db.Writer(), `
		SELECT t.name, c.name FROM pragma_table_list AS t, pragma_table_info(t.name) AS c
		 WHERE t.schema = 'main' AND t.type = 'table' AND c."notnull" = 0
		   AND (c.pk > 0 OR EXISTS (SELECT 1 FROM pragma_index_list(t.name) AS i, pragma_index_info(i.name) AS x
		                             WHERE i."unique" = 1 AND x.name = c.name))`) {
		if !foreign(key[0]) {
			t.Errorf("key column %s.%s may be NULL", key[0], key[1])
		}
	}
	for _, table := range query(t, db.Writer(), `
		SELECT t.name, max(c.pk) FROM pragma_table_list AS t, pragma_table_info(t.name) AS c
		 WHERE t.schema = 'main' AND t.type = 'table' GROUP BY t.name`) {
		if foreign(table[0]) {
			continue
		}
		keys++
		if table[1] == "0" {
			t.Errorf("table %s has no primary key", table[0])
		}
	}
	if keys < 2 {
		t.Errorf("%d tables looked at", keys)
	}
}

// notPerCitizen are the tables that hold a citizen_id though they are not per-citizen
// tables: the access record, and those that keep a value unique over all citizens and lead
// from it to one.
var notPerCitizen = []string{"audit_entry", "counter_reference", "identity_link", "push_token", "resident_ref", "vaccination_ref",
	"wallet_grant", "wallet_token", "wallet_visit"}

// A per-citizen table may be distributed by citizen_id one day: its keys begin with it.
func TestKeysOfPerCitizenTables(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	for _, key := range query(t, db.Writer(), `
		SELECT t.name, k.name FROM pragma_table_list AS t, pragma_table_info(t.name) AS c, pragma_table_info(t.name) AS k
		 WHERE t.schema = 'main' AND t.type = 'table' AND c.name = 'citizen_id' AND k.pk = 1`) {
		if !foreign(key[0]) && key[1] != "citizen_id" && !slices.Contains(notPerCitizen, key[0]) {
			t.Errorf("table %s holds citizen_id, its primary key begins with %s: put citizen_id first, or list the table above", key[0], key[1])
		}
	}
}

// Both engines have the same tables with the same columns.
func TestEnginesAgree(t *testing.T) {
	lite, post := storetest.Open(t, store.SQLite), storetest.Open(t, store.Postgres)
	ours := func(all [][2]string) [][2]string {
		all = slices.DeleteFunc(all, func(c [2]string) bool { return foreign(c[0]) })
		slices.SortFunc(all, func(a, b [2]string) int { return strings.Compare(a[0]+"."+a[1], b[0]+"."+b[1]) })
		return all
	}
	a := ours(query(t, lite.Writer(), `SELECT t.name, c.name FROM pragma_table_list AS t, pragma_table_info(t.name) AS c
		WHERE t.schema = 'main' AND t.type = 'table'`))
	b := ours(query(t, post.Writer(), `SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'`))
	if !slices.Equal(a, b) {
		t.Errorf("SQLite has\n%v\nPostgreSQL has\n%v", a, b)
	}
}

// What the rules for a distributed store forbid (architecture note, section 6), by the word.
var forbidden = regexp.MustCompile(`(?i)\b(TRIGGER|SERIAL|BIGSERIAL|AUTOINCREMENT|IDENTITY|DEFERRABLE|CURRENT_TIMESTAMP|now\(\)|random\(\)|TIMESTAMP|TIMESTAMPTZ|REAL|DOUBLE|NUMERIC|BLOB|BYTEA|BOOLEAN|BIGINT|STRICT|JSONB?)\b`)

func TestMigrationsUseTokensAndPlainSQL(t *testing.T) {
	comment := regexp.MustCompile(`--.*|\{\{.*?\}\}`)
	files, err := fs.Glob(migrations.Files(), "*.sql")
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, error %v", files, err)
	}
	for _, path := range files {
		text, err := fs.ReadFile(migrations.Files(), path)
		if err != nil {
			t.Fatal(err)
		}
		if found := forbidden.FindString(comment.ReplaceAllString(string(text), "")); found != "" {
			t.Errorf("%s uses %s: write the token, or do it in Go", path, found)
		}
	}
}

func TestExpandRefusesUnknownTokens(t *testing.T) {
	for _, text := range []string{"{{text}}", "{{}}", "{{int", "{{ int }}", "{{int}"} {
		_, err := migrations.Expand(fstest.MapFS{"0001_a.sql": {Data: []byte("CREATE TABLE a (b " + text + ");")}}, migrations.SQLite)
		if err == nil || !strings.Contains(err.Error(), "0001_a.sql") {
			t.Errorf("%s: error %v, want the file named", text, err)
		}
	}
}

func TestExpand(t *testing.T) {
	from := fstest.MapFS{"0001_a.sql": {Data: []byte("a {{int}} {{bool}} {{bytes}}) {{strict}};")}}
	for d, want := range map[migrations.Dialect]string{
		migrations.SQLite: "a INTEGER INTEGER BLOB) STRICT;", migrations.Postgres: "a BIGINT BOOLEAN BYTEA) ;",
	} {
		to, err := migrations.Expand(from, d)
		if err != nil {
			t.Fatal(err)
		}
		got, err := fs.ReadFile(to, "0001_a.sql")
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, error %v", d, got, err)
		}
		info, err := fs.Stat(to, "0001_a.sql")
		if err != nil || info.Size() != int64(len(want)) {
			t.Errorf("%s: size %d, error %v", d, info.Size(), err)
		}
	}
}
