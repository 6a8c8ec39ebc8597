package e2e_test

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"
)

// store is one engine on which the backend can be run.
type store struct {
	name string
	dsn  func(t *testing.T) string // a fresh, empty store; "" lets the stage choose SQLite
}

// stores lists SQLite, and PostgreSQL when MADOGUCHI_TEST_POSTGRES names a server.
func stores(t *testing.T) []store {
	t.Helper()
	all := []store{{"sqlite", func(*testing.T) string { return "" }}}
	server := os.Getenv("MADOGUCHI_TEST_POSTGRES")
	if server == "" {
		t.Log("PostgreSQL is left out: MADOGUCHI_TEST_POSTGRES names no server")
		return all
	}
	return append(all, store{"postgres", func(t *testing.T) string { return database(t, server) }})
}

// database makes an empty database on the server and drops it when the test ends.
func database(t *testing.T, server string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal("MADOGUCHI_TEST_POSTGRES is no URL")
	}
	db, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("e2e_%d_%s", os.Getpid(), strings.ToLower(strings.Map(letters, t.Name())))
	if _, err := db.Exec(`CREATE DATABASE "` + name + `"`); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.Exec(`DROP DATABASE "` + name + `" WITH (FORCE)`); err != nil {
			t.Error(err)
		}
		db.Close()
	})
	u.Path = "/" + name
	return u.String()
}

func letters(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
		return r
	}
	return -1
}
