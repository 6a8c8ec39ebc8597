// Package migrations holds the one set of schema changes for both engines.
//
// A file is NNNN_name.sql in goose's format. Column types that differ between the engines
// are tokens: {{bytes}} {{int}} {{bool}}, and {{strict}} after the closing parenthesis of
// CREATE TABLE; a token that is not known stops the program at its first use. Owners
// number in their own ranges, so a lower number may be applied after a higher one. A
// released file is never changed.
package migrations

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"madoguchi.example/backend/internal/job/schema"
)

//go:embed *.sql
var files embed.FS

// Files gives the migrations as they are written, with their tokens.
func Files() fs.FS { return files }

// Dialect is the engine to write SQL for: "sqlite" or "postgres".
type Dialect string

// The dialects.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// firstJobVersion is the number of River's version 1 in our line of versions.
const firstJobVersion = 101

// Up applies what is missing and gives the names of what it applied. On PostgreSQL a lock
// lets one process at a time do so; on SQLite the one writing connection does.
func Up(ctx context.Context, db *sql.DB, d Dialect) ([]string, error) {
	p, err := provider(db, d)
	if err != nil {
		return nil, err
	}
	results, err := p.Up(ctx)
	if partial, ok := errors.AsType[*goose.PartialError](err); ok {
		return names(partial.Applied), fmt.Errorf("cannot apply migration %s: %w", name(partial.Failed.Source), partial.Err)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot migrate: %w", err)
	}
	return names(results), nil
}

// Pending gives the names of the migrations that are not applied yet.
func Pending(ctx context.Context, db *sql.DB, d Dialect) ([]string, error) {
	p, err := provider(db, d)
	if err != nil {
		return nil, err
	}
	all, err := p.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot read the migrations' status: %w", err)
	}
	var pending []string
	for _, s := range all {
		if s.State == goose.StatePending {
			pending = append(pending, name(s.Source))
		}
	}
	return pending, nil
}

func provider(db *sql.DB, d Dialect) (*goose.Provider, error) {
	expanded, err := Expand(files, d)
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{
		goose.WithAllowOutofOrder(true),
		goose.WithDisableGlobalRegistry(true),
		goose.WithGoMigrations(jobMigrations(d)...),
	}
	dialect := goose.DialectSQLite3
	if d == Postgres {
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return nil, err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	p, err := goose.NewProvider(dialect, db, expanded, options...)
	if err != nil {
		return nil, fmt.Errorf("cannot read the migrations: %w", err)
	}
	return p, nil
}

// jobMigrations gives each version of the job engine's schema its own transaction: a new
// enum value cannot be used in the transaction that made it.
func jobMigrations(d Dialect) []*goose.Migration {
	var all []*goose.Migration
	for i, step := range schema.Steps(string(d)) {
		all = append(all, goose.NewGoMigration(int64(firstJobVersion+i), &goose.GoFunc{RunTx: step.Up}, nil))
	}
	return all
}

func names(results []*goose.MigrationResult) []string {
	var all []string
	for _, r := range results {
		all = append(all, name(r.Source))
	}
	return all
}

func name(s *goose.Source) string {
	if s.Path == "" {
		return fmt.Sprintf("%04d_job_engine", s.Version)
	}
	return path.Base(s.Path)
}

// Fingerprint names this state of the schema: it changes whenever a migration does. Tests
// keep their templates under it.
func Fingerprint(d Dialect) (string, error) {
	expanded, err := Expand(files, d)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	err = fs.WalkDir(expanded, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(expanded, path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(text), text)
		return err
	})
	fmt.Fprintf(sum, "job engine %d", schema.Versions)
	return hex.EncodeToString(sum.Sum(nil)), err
}
