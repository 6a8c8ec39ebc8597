package dump

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"madoguchi.example/backend/internal/backup"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
)

// ErrNotEmpty refuses to fill a store that holds anything.
var ErrNotEmpty = fault.New(fault.Conflict, "the store is not empty: restore into a new one")

// Filling is an empty store while it is filled, in one transaction.
type Filling struct {
	db     *store.DB
	conn   *sql.Conn
	tx     *sql.Tx
	schema schema
	insert *sql.Stmt // of the open table, on SQLite
}

var _ backup.Sink = (*Filling)(nil)

// Fill lends the one transaction in which an empty store is filled, and commits when fn
// answers no error. Nobody else may use the store meanwhile.
func Fill(ctx context.Context, db *store.DB, fn func(ctx context.Context, f *Filling) error) error {
	conn, err := db.Writer().Conn(ctx)
	if err != nil {
		return fmt.Errorf("cannot open the store: %w", err)
	}
	defer conn.Close()
	t, err := conn.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return fmt.Errorf("cannot begin to fill the store: %w", err)
	}
	f := &Filling{db: db, conn: conn, tx: t}
	if err := f.run(ctx, fn); err != nil {
		return errors.Join(err, t.Rollback())
	}
	if err := t.Commit(); err != nil {
		return fmt.Errorf("cannot keep what was restored: %w", err)
	}
	return nil
}

func (f *Filling) run(ctx context.Context, fn func(ctx context.Context, f *Filling) error) (err error) {
	if f.db.Engine() == store.Postgres {
		// A file is read at its own pace.
		if _, err := f.tx.ExecContext(ctx, `SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
			return err
		}
	}
	if f.schema, err = readSchema(ctx, f.tx, f.db.Engine()); err != nil {
		return err
	}
	if err := f.empty(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.endTable()) }()
	return fn(ctx, f)
}

// empty refuses a store that holds more than the epoch that it got when it was opened, and
// takes that away.
func (f *Filling) empty(ctx context.Context) error {
	some, err := f.schema.holdsRows(ctx, f.tx)
	if err != nil {
		return err
	}
	if some {
		return ErrNotEmpty
	}
	_, err = f.tx.ExecContext(ctx, `DELETE FROM server_epoch`)
	return err
}

// HoldsRows tells whether a store holds more than the epoch that it got when it was opened.
func HoldsRows(ctx context.Context, db *store.DB) (some bool, err error) {
	t, err := db.BeginRead(ctx)
	if err != nil {
		return false, fmt.Errorf("cannot begin to read the store: %w", err)
	}
	defer t.Rollback() // it only read
	s, err := readSchema(ctx, t, db.Engine())
	if err != nil {
		return false, fmt.Errorf("cannot read the schema: %w", err)
	}
	return s.holdsRows(ctx, t)
}

func (s schema) holdsRows(ctx context.Context, t *sql.Tx) (bool, error) {
	for _, table := range s {
		if table.Name == "server_epoch" {
			continue
		}
		var n int
		if err := t.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM `+table.Name+` LIMIT 1) AS one`).Scan(&n); err != nil {
			return false, err
		}
		if n > 0 {
			return true, nil
		}
	}
	return false, nil
}

// Fits tells whether this store has the schema that the file was made with. A file of older
// migrations is taken: columns that came later get their defaults.
func (f *Filling) Fits(ctx context.Context, h backup.Head) error {
	ours, err := versions(ctx, f.tx)
	if err != nil {
		return err
	}
	for _, v := range h.Schema {
		if !slices.Contains(ours, v) {
			return fault.New(fault.Conflict, fmt.Sprintf("cannot restore: the backup has migration %d, this program has not: use the program that made it, or a newer one", v))
		}
	}
	return nil
}

// Tx gives the transaction to the store's other packages.
func (f *Filling) Tx(ctx context.Context) tx.Tx { return sqltx.Lend(ctx, f.tx, false) }

// Begin implements backup.Sink.
func (f *Filling) Begin(ctx context.Context, t backup.Table) error {
	if err := f.endTable(); err != nil {
		return err
	}
	known, ok := f.schema.table(t.Name)
	if !ok {
		return fault.New(fault.Conflict, "cannot restore: the backup holds table "+t.Name+", this store does not")
	}
	for _, column := range t.Columns {
		if !slices.Contains(known.Columns, column) {
			return fault.New(fault.Conflict, "cannot restore: the backup holds a column of "+t.Name+" that this store does not")
		}
	}
	if f.db.Engine() == store.Postgres {
		return nil
	}
	places := strings.TrimSuffix(strings.Repeat("?, ", len(t.Columns)), ", ")
	stmt, err := f.tx.PrepareContext(ctx, "INSERT INTO "+t.Name+" ("+strings.Join(t.Columns, ", ")+") VALUES ("+places+")")
	f.insert = stmt
	return err
}

func (f *Filling) endTable() error {
	stmt := f.insert
	f.insert = nil
	if stmt == nil {
		return nil
	}
	return stmt.Close()
}

// Insert implements backup.Sink.
func (f *Filling) Insert(ctx context.Context, t backup.Table, rows [][]any) error {
	known := f.kindsOf(t)
	for _, row := range rows {
		if err := known.native(row); err != nil {
			return err
		}
	}
	if f.db.Engine() == store.Postgres {
		return f.copyRows(ctx, t, rows)
	}
	for _, row := range rows {
		if _, err := f.insert.ExecContext(ctx, row...); err != nil {
			return fmt.Errorf("cannot fill table %s: %w", t.Name, err)
		}
	}
	return nil
}

// kindsOf gives the kinds of the file's columns, which may be fewer than the table's.
func (f *Filling) kindsOf(t backup.Table) table {
	known, _ := f.schema.table(t.Name)
	out := table{Table: t, kinds: make([]kind, len(t.Columns))}
	for i, column := range t.Columns {
		out.kinds[i] = known.kinds[slices.Index(known.Columns, column)]
	}
	return out
}

// copyRows uses PostgreSQL's COPY, inside the transaction.
func (f *Filling) copyRows(ctx context.Context, t backup.Table, rows [][]any) error {
	return f.conn.Raw(func(driver any) error {
		c := driver.(*stdlib.Conn).Conn()
		n, err := c.CopyFrom(ctx, pgx.Identifier{t.Name}, t.Columns, pgx.CopyFromRows(rows))
		if err == nil && n != int64(len(rows)) {
			err = fmt.Errorf("%d of %d rows were taken", n, len(rows))
		}
		if err != nil {
			return fmt.Errorf("cannot fill table %s: %w", t.Name, err)
		}
		return nil
	})
}
