// Package bulk inserts and finds many rows with one statement, on both engines, for the
// packages below store.
//
// Add promises inserts only: a transaction over many citizens may do nothing else.
package bulk

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/store/sqltx"
)

// MaxRows caps the rows of one call of Add.
const MaxRows = 500

// MaxPlaces caps the placeholders of one insert. SQLite finds a "$n" by searching its list
// of names, so a statement's time grows with the square of their number: 200 rows of 12
// columns took 370 ms in one statement and 9 ms in statements of 10 rows.
const MaxPlaces = 120

// perStatement is how many rows of that many columns one insert takes.
func perStatement(columns int) int { return max(1, MaxPlaces/columns) }

// Table is a table whose rows carry the digest of the import row that they came from.
type Table struct {
	Name    string
	Key     []string // the primary key, its first column the one that tells rows apart best
	Columns []string // the others, without digest
}

// Row is one row: the key's values, the other columns' values, and the digest.
type Row struct {
	Key    []any
	Values []any
	Digest []byte
}

// Insert stores the rows that are not there yet, by the columns given.
func Insert(ctx context.Context, t *sqltx.Tx, table string, columns []string, rows [][]any) (int64, error) {
	var n int64
	for part := range slices.Chunk(rows, perStatement(len(columns))) {
		stored, err := t.Exec(ctx, "INSERT INTO "+table+" ("+strings.Join(columns, ", ")+") VALUES "+
			Places(1, len(part), len(columns))+" ON CONFLICT DO NOTHING", slices.Concat(part...)...)
		if err != nil {
			return n, fmt.Errorf("cannot insert into %s: %w", table, err)
		}
		n += stored
	}
	return n, nil
}

// Add stores the rows whose key is not there yet and tells of each what it found: Added,
// Unchanged where the stored digest is equal, Changed where it is not. It changes no row.
// Keys must differ within rows, at most MaxRows.
func (tb Table) Add(ctx context.Context, t *sqltx.Tx, rows []Row) ([]importing.Result, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	if len(rows) > MaxRows {
		return nil, fmt.Errorf("cannot insert %d rows into %s at once", len(rows), tb.Name)
	}
	added, err := tb.insert(ctx, t, rows)
	if err != nil {
		return nil, err
	}
	out := make([]importing.Result, len(rows))
	if len(added) == len(rows) {
		return out, nil
	}
	stored, err := tb.digests(ctx, t, rows)
	if err != nil {
		return nil, err
	}
	for i, r := range rows {
		switch k := text(r.Key); {
		case added[k]:
			out[i] = importing.Added
		case bytes.Equal(stored[k], r.Digest):
			out[i] = importing.Unchanged
		default:
			out[i] = importing.Changed
		}
	}
	return out, nil
}

func (tb Table) insert(ctx context.Context, t *sqltx.Tx, rows []Row) (map[string]bool, error) {
	columns := slices.Concat(tb.Key, tb.Columns, []string{"digest"})
	added := map[string]bool{}
	for part := range slices.Chunk(rows, perStatement(len(columns))) {
		if err := tb.insertPart(ctx, t, columns, part, added); err != nil {
			return nil, fmt.Errorf("cannot insert into %s: %w", tb.Name, err)
		}
	}
	return added, nil
}

func (tb Table) insertPart(ctx context.Context, t *sqltx.Tx, columns []string, rows []Row, added map[string]bool) error {
	args := make([]any, 0, len(rows)*len(columns))
	for _, r := range rows {
		args = append(append(append(args, r.Key...), r.Values...), r.Digest)
	}
	return t.Each(ctx, "INSERT INTO "+tb.Name+" ("+strings.Join(columns, ", ")+") VALUES "+
		Places(1, len(rows), len(columns))+" ON CONFLICT ("+strings.Join(tb.Key, ", ")+") DO NOTHING RETURNING "+
		strings.Join(tb.Key, ", "), args, func(scan func(...any) error) error {
		key, dest := tb.scanKey()
		if err := scan(dest...); err != nil {
			return err
		}
		added[text(key())] = true
		return nil
	})
}

// digests reads what is stored under the first key column of the rows.
func (tb Table) digests(ctx context.Context, t *sqltx.Tx, rows []Row) (map[string][]byte, error) {
	args := make([]any, len(rows))
	for i, r := range rows {
		args[i] = r.Key[0]
	}
	out := map[string][]byte{}
	err := t.Each(ctx, "SELECT "+strings.Join(tb.Key, ", ")+", digest FROM "+tb.Name+
		" WHERE "+tb.Key[0]+" IN "+List(1, len(args)), args, func(scan func(...any) error) error {
		key, dest := tb.scanKey()
		var digest []byte
		if err := scan(append(dest, &digest)...); err != nil {
			return err
		}
		out[text(key())] = digest
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", tb.Name, err)
	}
	return out, nil
}

// Replace writes the row over the one stored under its key.
func (tb Table) Replace(ctx context.Context, t *sqltx.Tx, r Row) error {
	var set, where []string
	n := 0
	place := func(column string) string { n++; return column + " = $" + strconv.Itoa(n) }
	for _, c := range append(slices.Clone(tb.Columns), "digest") {
		set = append(set, place(c))
	}
	for _, c := range tb.Key {
		where = append(where, place(c))
	}
	args := slices.Concat(r.Values, []any{r.Digest}, r.Key)
	_, err := t.Exec(ctx, "UPDATE "+tb.Name+" SET "+strings.Join(set, ", ")+" WHERE "+strings.Join(where, " AND "), args...)
	if err != nil {
		return fmt.Errorf("cannot update %s: %w", tb.Name, err)
	}
	return nil
}

func (tb Table) scanKey() (key func() []any, dest []any) {
	values := make([]string, len(tb.Key))
	dest = make([]any, len(tb.Key))
	for i := range values {
		dest[i] = &values[i]
	}
	return func() []any {
		out := make([]any, len(values))
		for i, v := range values {
			out[i] = v
		}
		return out
	}, dest
}

// text makes one text of a key's values, the same for a value as given and as scanned.
func text(key []any) string {
	var b strings.Builder
	for _, v := range key {
		s := fmt.Sprint(v)
		b.WriteString(strconv.Itoa(len(s)) + ":" + s)
	}
	return b.String()
}

// Places writes "($1, $2), ($3, $4)" for rows of columns, from the number first on.
func Places(first, rows, columns int) string {
	var b strings.Builder
	for r := range rows {
		if r > 0 {
			b.WriteString(", ")
		}
		b.WriteString(List(first+r*columns, columns))
	}
	return b.String()
}

// List writes "($1, $2, $3)" for n values, from the number first on.
func List(first, n int) string {
	var b strings.Builder
	b.WriteByte('(')
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(first + i))
	}
	b.WriteByte(')')
	return b.String()
}
