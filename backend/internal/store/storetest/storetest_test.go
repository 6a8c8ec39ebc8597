package storetest_test

import (
	"bufio"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"testing"
	"time"

	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
)

// child makes this test binary start a server, say where, and wait to be killed.
const child = "MADOGUCHI_TEST_STORETEST_CHILD"

func TestStoresAreEmptyAndApart(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		other := storetest.Open(t, db.Engine())
		must(t, db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error {
			_, err := sqltx.Of(x).Exec(ctx, "UPDATE server_epoch SET created_at = 7")
			return err
		}))
		var at int64
		must(t, other.Reads().Each(t.Context(), "SELECT created_at FROM server_epoch", nil,
			func(scan func(...any) error) error { return scan(&at) }))
		if at == 7 {
			t.Error("two tests share a store")
		}
	})
}

func TestConformance(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		must(t, db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error {
			_, err := sqltx.Of(x).Exec(ctx, `CREATE TABLE sample (a TEXT NOT NULL, b `+number(db)+` NOT NULL, c `+number(db)+`, PRIMARY KEY (a, b)) `+strict(db))
			return err
		}))
		storetest.Conformance(t, db, storetest.Table{
			Name: "sample", Columns: []string{"a", "b", "c"}, Keys: []string{"a", "b"},
			Values: func(n int) []any { return []any{fmt.Sprint(n), int64(n), int64(0)} },
		})
	})
}

func number(db *store.DB) string {
	if db.Engine() == store.SQLite {
		return "INTEGER"
	}
	return "BIGINT"
}

func strict(db *store.DB) string {
	if db.Engine() == store.SQLite {
		return "STRICT"
	}
	return ""
}

// The server that a test process starts ends with it, even when it is killed.
func TestServerEndsWithItsProcess(t *testing.T) {
	if os.Getenv(storetest.Variable) != "" {
		t.Skip("the server is not ours")
	}
	if os.Getenv(child) != "" {
		fmt.Println(storetest.DSN(t, store.Postgres))
		select {}
	}
	storetest.DSN(t, store.Postgres) // skips where there is no PostgreSQL
	c := exec.Command(os.Args[0], "-test.run=^TestServerEndsWithItsProcess$")
	c.Env = append(os.Environ(), child+"=1")
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("the child said nothing")
	}
	dsn, err := url.Parse(lines.Text())
	must(t, err)
	dir := dsn.Query().Get("host")
	if _, err := os.Stat(dir); err != nil {
		t.Fatal(err)
	}
	must(t, c.Process.Kill())
	_ = c.Wait()
	gone := time.NewTicker(20 * time.Millisecond)
	defer gone.Stop()
	late := time.After(time.Minute)
	for {
		if _, err := os.Stat(dir); os.IsNotExist(err) {
			return
		} else if err != nil && !os.IsPermission(err) {
			t.Fatal(err)
		}
		select {
		case <-gone.C:
		case <-late:
			t.Fatalf("%s is still there", dir)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
