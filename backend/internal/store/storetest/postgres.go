package storetest

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/migrations"
)

// Variable names the server to use instead of an own one.
const Variable = "MADOGUCHI_TEST_POSTGRES"

// templateLock keeps two processes from making one template at once.
const templateLock = 7_203_150_001

var clones atomic.Int64

// server is the PostgreSQL server of this process, with the name of its template.
var server = sync.OnceValues(func() (*postgres, error) {
	dsn := os.Getenv(Variable)
	if dsn == "" {
		var err error
		if dsn, err = startServer(); err != nil {
			return nil, err
		}
	}
	p := &postgres{dsn: dsn}
	admin, err := sql.Open("pgx", dsn)
	if err != nil {
		return nil, err
	}
	p.admin = admin
	return p, p.makeTemplate(context.Background())
})

type postgres struct {
	dsn      string
	admin    *sql.DB
	template string
}

// clone makes a database of its own for t, from the template or empty, and drops it in the
// end. Without a server it skips t, or fails it under CI.
func clone(t testing.TB, migrated bool) string {
	t.Helper()
	p, err := server()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("PostgreSQL is needed: %v", err)
		}
		t.Skipf("no PostgreSQL: %v", err)
	}
	name := fmt.Sprintf("madoguchi_test_%d_%d", os.Getpid(), clones.Add(1))
	from := "template0"
	if migrated {
		from = p.template
	}
	if err := p.create(t.Context(), name, from); err != nil {
		t.Fatalf("cannot clone %s: %v", from, err)
	}
	t.Cleanup(func() {
		if _, err := p.admin.ExecContext(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("cannot drop the test store: %v", err)
		}
	})
	return p.database(name)
}

func (p *postgres) create(ctx context.Context, name, from string) error {
	_, err := p.admin.ExecContext(ctx, "CREATE DATABASE "+name+" TEMPLATE "+from+" STRATEGY wal_log")
	return err
}

// database gives the DSN of another database on the same server.
func (p *postgres) database(name string) string {
	u, err := url.Parse(p.dsn)
	if err != nil {
		return p.dsn
	}
	u.Path = "/" + name
	return u.String()
}

// makeTemplate makes the template of this state of the schema, unless the server has it.
func (p *postgres) makeTemplate(ctx context.Context) error {
	mark, err := migrations.Fingerprint(migrations.Postgres)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(mark))
	p.template = "madoguchi_template_" + hex.EncodeToString(sum[:8])
	conn, err := p.admin.Conn(ctx)
	if err != nil {
		return fmt.Errorf("cannot reach the server: %w", err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", templateLock); err != nil {
		return err
	}
	made := p.migrate(ctx, conn)
	_, err = conn.ExecContext(ctx, "SELECT pg_advisory_unlock($1)", templateLock)
	return errors.Join(made, err)
}

func (p *postgres) migrate(ctx context.Context, conn *sql.Conn) error {
	var there bool
	if err := conn.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)", p.template).Scan(&there); err != nil || there {
		return err
	}
	draft := p.template + "_draft"
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + draft + " WITH (FORCE)", "CREATE DATABASE " + draft + " TEMPLATE template0"} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	if _, err := store.Migrate(ctx, Config(p.database(draft))); err != nil {
		return err
	}
	_, err := conn.ExecContext(ctx, "ALTER DATABASE "+draft+" RENAME TO "+p.template)
	return err
}
