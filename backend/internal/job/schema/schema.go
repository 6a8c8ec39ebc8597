// Package schema gives the job engine's tables to migrations, one step for each version of
// the engine's schema, so that our line of versions and the engine's stay one.
package schema

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

// Versions is how many versions the engine's schema has had. A later engine raises it.
const Versions = 6

// Step brings the engine's schema from one version to the next.
type Step struct {
	Version int // 1 …
	Up      func(ctx context.Context, t *sql.Tx) error
}

// Driver gives River's driver for a dialect, over db or, for migrations, over nil.
func Driver(dialect string, db *sql.DB) riverdriver.Driver[*sql.Tx] {
	if dialect == "postgres" {
		return riverdatabasesql.New(db)
	}
	return riversqlite.New(db)
}

// Steps gives the engine's versions in order for "sqlite" or "postgres".
func Steps(dialect string) []Step {
	steps := make([]Step, Versions)
	for i := range steps {
		version := i + 1
		steps[i] = Step{Version: version, Up: func(ctx context.Context, t *sql.Tx) error {
			return up(ctx, t, dialect, version)
		}}
	}
	return steps
}

func up(ctx context.Context, t *sql.Tx, dialect string, version int) error {
	m, err := rivermigrate.New(Driver(dialect, nil), nil)
	if err != nil {
		return err
	}
	//lint:ignore SA1019 its reason is many versions in one transaction; here each has its own
	_, err = m.MigrateTx(ctx, t, rivermigrate.DirectionUp, &rivermigrate.MigrateOpts{TargetVersion: version})
	if err != nil {
		return fmt.Errorf("cannot bring the job engine's schema to version %d: %w", version, err)
	}
	return nil
}
