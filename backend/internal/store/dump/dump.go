// Package dump reads one moment of a whole store, and fills an empty one: the SQL of
// backend/internal/backup.
//
// It promises: a Moment sees the store as it was when it began, whatever is written
// meanwhile; rows come one at a time and in the order of their key, text by its bytes, on
// both engines; Fill stores everything that its callback stores or nothing.
package dump

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"madoguchi.example/backend/internal/backup"
	"madoguchi.example/backend/internal/store"
)

// Moment is a store at one time. It holds a read transaction until Close: SQLite's log
// grows by what is written meanwhile, and PostgreSQL keeps the rows of that time.
type Moment struct {
	db       *store.DB
	engine   store.Engine
	tx       *sql.Tx
	schema   schema
	versions []int64
}

var _ backup.Source = (*Moment)(nil)

// Begin opens a Moment.
func Begin(ctx context.Context, db *store.DB) (*Moment, error) {
	t, err := db.BeginRead(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot begin to read the store: %w", err)
	}
	m := &Moment{db: db, engine: db.Engine(), tx: t}
	m.schema, err = readSchema(ctx, t, m.engine)
	if err == nil {
		m.versions, err = versions(ctx, t)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot read the schema: %w", err), m.Close())
	}
	return m, nil
}

// Close ends the Moment.
func (m *Moment) Close() error { return m.tx.Rollback() }

// Head gives what a file of this moment begins with.
func (m *Moment) Head(ctx context.Context, at time.Time) (backup.Head, error) {
	h := backup.Head{Engine: string(m.engine), TakenAt: at.UTC()}
	if err := m.tx.QueryRowContext(ctx, `SELECT epoch FROM server_epoch WHERE only_row = 1`).Scan(&h.Epoch); err != nil {
		return h, fmt.Errorf("cannot read the server epoch: %w", err)
	}
	h.Schema = m.versions
	return h, nil
}

// Tables implements backup.Source.
func (m *Moment) Tables(context.Context) ([]backup.Table, error) {
	out := make([]backup.Table, len(m.schema))
	for i, t := range m.schema {
		out[i] = t.Table
	}
	return out, nil
}

// Each implements backup.Source.
func (m *Moment) Each(ctx context.Context, t backup.Table, row func([]any) error) error {
	known, ok := m.schema.table(t.Name)
	if !ok {
		return fmt.Errorf("cannot read table %s: it is not there", t.Name)
	}
	rows, err := m.tx.QueryContext(ctx, known.selects(m.engine))
	if err != nil {
		return err
	}
	defer rows.Close()
	values, dest := make([]any, len(t.Columns)), make([]any, len(t.Columns))
	for i := range values {
		dest[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		if err := known.neutral(values); err != nil {
			return err
		}
		if err := row(values); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return m.steady(ctx)
}

var errMigrated = errors.New("the schema was changed meanwhile: back up again")

// steady refuses what was read while the schema was changed: a table that PostgreSQL writes
// anew is empty to those who began to read before.
func (m *Moment) steady(ctx context.Context) error {
	if m.engine != store.Postgres {
		return nil
	}
	t, err := m.db.BeginRead(ctx)
	if err != nil {
		return err
	}
	defer t.Rollback() // it only read
	now, err := versions(ctx, t)
	if err == nil && !slices.Equal(now, m.versions) {
		err = errMigrated
	}
	return err
}

// kind is how a column holds its values.
type kind int

const (
	whole kind = iota
	text
	octets
	boolean
)

// table is one table of ours with the kinds of its columns.
type table struct {
	backup.Table
	kinds []kind
}

// schema is every table of ours, by name.
type schema []table

func (s schema) table(name string) (table, bool) {
	i, found := slices.BinarySearchFunc(s, name, func(t table, name string) int { return strings.Compare(t.Name, name) })
	if !found {
		return table{}, false
	}
	return s[i], true
}

// selects orders by the key; text by its bytes, as SQLite does.
func (t table) selects(e store.Engine) string {
	order := slices.Clone(t.Key)
	for i, key := range order {
		if e == store.Postgres && t.kinds[slices.Index(t.Columns, key)] == text {
			order[i] += ` COLLATE "C"`
		}
	}
	return "SELECT " + strings.Join(t.Columns, ", ") + " FROM " + t.Name + " ORDER BY " + strings.Join(order, ", ")
}

// neutral turns a driver's values into those of a file, in place.
func (t table) neutral(values []any) error {
	for i, v := range values {
		switch v := v.(type) {
		case nil:
		case int64:
			if t.kinds[i] != whole && t.kinds[i] != boolean {
				return fmt.Errorf("cannot read column %s: it holds a number", t.Columns[i])
			}
		case bool:
			values[i] = int64(0)
			if v {
				values[i] = int64(1)
			}
		case string:
			if t.kinds[i] == octets {
				values[i] = []byte(v)
			}
		case []byte:
			if t.kinds[i] == text {
				values[i] = string(v)
			}
		default:
			return fmt.Errorf("cannot read column %s: it holds a %T", t.Columns[i], v)
		}
	}
	return nil
}

// native turns a file's values into those that this engine's column takes, in place.
func (t table) native(row []any) error {
	for i, v := range row {
		_, isInt := v.(int64)
		_, isText := v.(string)
		_, isBytes := v.([]byte)
		k := t.kinds[i]
		if v != nil && (isInt != (k == whole || k == boolean) || isText != (k == text) || isBytes != (k == octets)) {
			return fmt.Errorf("cannot fill column %s: the file holds a %T", t.Columns[i], v)
		}
		if n, ok := v.(int64); ok && k == boolean {
			row[i] = n != 0
		}
	}
	return nil
}
