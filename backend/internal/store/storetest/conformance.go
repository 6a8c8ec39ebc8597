package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
)

// Table tells Conformance how to make valid rows of one table.
type Table struct {
	Name    string
	Columns []string
	Keys    []string // the columns of the primary key
	// Values gives a valid row in the order of Columns: text, int64, bool or []byte, and a
	// nil only where the column may be NULL. Rows of different n have different keys.
	Values func(n int) []any
	// Parents, when set, stores what row n refers to.
	Parents func(ctx context.Context, t tx.Tx, n int) error
}

// Conformance proves that each table refuses what it must on this engine: values of a wrong
// type, NULL in a key, a second row under one key, and half of a failed transaction; and
// that a caller that fails among 64 takes nobody with it.
func Conformance(t *testing.T, db *store.DB, tables ...Table) {
	t.Helper()
	for _, table := range tables {
		s := &suite{db: db, table: table}
		t.Run(table.Name+"/wrong types", s.wrongTypes)
		t.Run(table.Name+"/NULL keys", s.nullKeys)
		t.Run(table.Name+"/same key twice", s.sameKey)
		t.Run(table.Name+"/error then continue", s.errorThenContinue)
		t.Run(table.Name+"/a caller fails among 64", s.neighbours)
	}
}

type suite struct {
	db    *store.DB
	table Table
	next  int // number of the next row, so that the cases do not collide
}

func (s *suite) row() int { s.next++; return s.next }

func (s *suite) insert(ctx context.Context, t tx.Tx, values []any) error {
	places := make([]string, len(values))
	for i := range places {
		places[i] = fmt.Sprintf("$%d", i+1)
	}
	_, err := sqltx.Of(t).Exec(ctx, "INSERT INTO "+s.table.Name+" ("+strings.Join(s.table.Columns, ", ")+
		") VALUES ("+strings.Join(places, ", ")+")", values...)
	return err
}

// store stores row n with its parents; change may spoil the values.
func (s *suite) store(ctx context.Context, t tx.Tx, n int, change func([]any)) error {
	if s.table.Parents != nil {
		if err := s.table.Parents(ctx, t, n); err != nil {
			return fmt.Errorf("parents: %w", err)
		}
	}
	values := s.table.Values(n)
	if change != nil {
		change(values)
	}
	return s.insert(ctx, t, values)
}

func (s *suite) do(t *testing.T, fn func(ctx context.Context, t tx.Tx) error) error {
	return s.db.Runner().Do(t.Context(), fn)
}

func (s *suite) count(t *testing.T) int {
	t.Helper()
	var n int
	if err := s.db.Reads().Each(t.Context(), "SELECT count(*) FROM "+s.table.Name, nil,
		func(scan func(...any) error) error { return scan(&n) }); err != nil {
		t.Fatalf("cannot count: %v", err)
	}
	return n
}

// refused stores a spoilt row and wants an error and no row.
func (s *suite) refused(t *testing.T, change func([]any)) {
	t.Helper()
	before, n := s.count(t), s.row()
	err := s.do(t, func(ctx context.Context, t tx.Tx) error { return s.store(ctx, t, n, change) })
	if err == nil || strings.HasPrefix(err.Error(), "parents: ") {
		t.Errorf("error %v, want the row refused", err)
	}
	if after := s.count(t); after != before {
		t.Errorf("%d rows, want %d as before", after, before)
	}
}

func (s *suite) wrongTypes(t *testing.T) {
	for i, column := range s.table.Columns {
		t.Run(column, func(t *testing.T) {
			s.refused(t, func(values []any) { values[i] = wrong(values[i]) })
		})
	}
}

// wrong gives a value that no column for v may take, on either engine.
func wrong(v any) any {
	switch v.(type) {
	case []byte:
		return `\xno bytes`
	case string, nil:
		return []byte{0xff, 0xfe}
	}
	return "no number"
}

func (s *suite) nullKeys(t *testing.T) {
	for _, key := range s.table.Keys {
		i := slices.Index(s.table.Columns, key)
		if i < 0 {
			t.Fatalf("key %s is not among the columns", key)
		}
		t.Run(key, func(t *testing.T) { s.refused(t, func(values []any) { values[i] = nil }) })
	}
}

func (s *suite) sameKey(t *testing.T) {
	n := s.row()
	if err := s.do(t, func(ctx context.Context, t tx.Tx) error { return s.store(ctx, t, n, nil) }); err != nil {
		t.Fatalf("cannot store a valid row: %v", err)
	}
	before := s.count(t)
	err := s.do(t, func(ctx context.Context, t tx.Tx) error { return s.insert(ctx, t, s.table.Values(n)) })
	if err == nil || s.count(t) != before {
		t.Errorf("error %v and %d rows, want the second row refused and %d rows", err, s.count(t), before)
	}
}

func (s *suite) errorThenContinue(t *testing.T) {
	before, good, bad := s.count(t), s.row(), s.row()
	err := s.do(t, func(ctx context.Context, t tx.Tx) error {
		_ = s.store(ctx, t, bad, func(values []any) { values[s.key()] = nil })
		_ = s.store(ctx, t, good, nil)
		return nil
	})
	if err == nil || s.count(t) != before {
		t.Errorf("error %v and %d rows, want the first error and %d rows", err, s.count(t), before)
	}
	if err := s.do(t, func(ctx context.Context, t tx.Tx) error { return s.store(ctx, t, good, nil) }); err != nil {
		t.Errorf("the next transaction failed: %v", err)
	}
}

func (s *suite) key() int { return slices.Index(s.table.Columns, s.table.Keys[0]) }

func (s *suite) neighbours(t *testing.T) {
	const callers = 64
	before, first := s.count(t), s.next+1
	s.next += callers
	errGiveUp := errors.New("the caller gives up")
	var failed [callers]error
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			failed[i] = s.do(t, func(ctx context.Context, t tx.Tx) error {
				err := s.store(ctx, t, first+i, func(values []any) {
					if i%8 == 3 {
						values[s.key()] = nil
					}
				})
				if i%8 == 6 {
					return errGiveUp
				}
				return err
			})
		})
	}
	all.Wait()
	stored := 0
	for i, err := range failed {
		mustFail := i%8 == 3 || i%8 == 6
		if (err != nil) != mustFail {
			t.Errorf("caller %d: error %v", i, err)
		}
		if !mustFail {
			stored++
		}
	}
	if got := s.count(t) - before; got != stored {
		t.Errorf("%d rows, want %d: one for each caller that was told so", got, stored)
	}
}
