package e2e_test

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"
)

// store is one engine on which the backend can be run.
type store struct {
	name string
	dsn  func(t *testing.T) string // a fresh, empty store; "" lets the stage choose SQLite
}

// stores are the engines that one DSN chooses between.
func stores() []store {
	return []store{{"sqlite", func(*testing.T) string { return "" }}, {"postgres", database}}
}

// database makes an empty database on the server that MADOGUCHI_TEST_POSTGRES names, or
// on one of its own, and drops it when the test ends. Without a server the test is
// skipped, or fails under CI.
func database(t *testing.T) string {
	t.Helper()
	server := os.Getenv("MADOGUCHI_TEST_POSTGRES")
	if server == "" {
		var err error
		if server, err = startPostgres(t); err != nil && os.Getenv("CI") == "true" {
			t.Fatalf("PostgreSQL is needed: %v", err)
		} else if err != nil {
			t.Skipf("no PostgreSQL: %v", err)
		}
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal("the server's address is no URL")
	}
	db, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	answers(t, db)
	name := fmt.Sprintf("e2e_%d_%d", os.Getpid(), time.Now().UnixNano())
	if _, err := db.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.Exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	u.Path = "/" + name
	return u.String()
}

func answers(t *testing.T, db *sql.DB) {
	t.Helper()
	ctx := limit(t, time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("PostgreSQL does not answer: %v", err)
		}
	}
}

// startPostgres starts a server on a Unix socket, as the user postgres where we are root,
// and ends it with the test.
func startPostgres(t *testing.T) (string, error) {
	initdb, err := postgresProgram("initdb")
	if err != nil {
		return "", err
	}
	server, err := postgresProgram("postgres")
	if err != nil {
		return "", err
	}
	as, err := postgresUser()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("/tmp", "madoguchi-e2e-pg-")
	if err != nil {
		return "", err
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if as != nil {
		if err := os.Chown(dir, int(as.Uid), int(as.Gid)); err != nil {
			return "", err
		}
	}
	data := filepath.Join(dir, "data")
	prepare := exec.Command(initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	prepare.Dir, prepare.SysProcAttr = dir, &syscall.SysProcAttr{Credential: as}
	if out, err := prepare.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w: %s", err, out)
	}
	run := exec.Command(server, "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off")
	run.Dir, run.SysProcAttr = dir, &syscall.SysProcAttr{Credential: as, Setpgid: true}
	if err := run.Start(); err != nil {
		return "", err
	}
	t.Cleanup(func() {
		_ = run.Process.Signal(syscall.SIGQUIT) // it may have ended by itself
		_ = run.Wait()
	})
	return "postgres:///postgres?host=" + url.QueryEscape(dir) + "&user=postgres", nil
}

// postgresProgram looks on PATH and where Debian puts the servers.
func postgresProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		return "", errors.Join(err, fmt.Errorf("%s is not installed", name))
	}
	return found[len(found)-1], nil
}

func postgresUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, errors.New("there is no user postgres to run the server as")
	}
	uid, err := strconv.ParseUint(strings.TrimSpace(u.Uid), 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(strings.TrimSpace(u.Gid), 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}
