package store_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"modernc.org/sqlite"

	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
)

// The tests named Fault… each keep closed one of the faults that a trial of the transaction
// seam found.

var errGiveUp = errors.New("the caller gives up")

// hook is called by the SQL function test_hook() on SQLite, in the middle of a statement.
var hook atomic.Pointer[func()]

func init() {
	sqlite.MustRegisterScalarFunction("test_hook", 0, func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
		if f := hook.Load(); f != nil {
			(*f)()
		}
		return "", nil
	})
}

// makeNotes adds the table that the tests write into.
func makeNotes(t testing.TB, db *store.DB) *store.DB {
	t.Helper()
	strict := ""
	if db.Engine() == store.SQLite {
		strict = "STRICT"
	}
	must(t, db.Runner().Do(context.Background(), func(ctx context.Context, t tx.Tx) error {
		_, err := sqltx.Of(t).Exec(ctx, "CREATE TABLE note (id TEXT NOT NULL PRIMARY KEY, body TEXT NOT NULL) "+strict)
		return err
	}))
	return db
}

func each(t *testing.T, fn func(t *testing.T, db *store.DB), change ...func(*store.Config)) {
	t.Helper()
	for _, e := range storetest.Engines {
		t.Run(string(e), func(t *testing.T) { fn(t, makeNotes(t, storetest.Open(t, e, change...))) })
	}
}

// inBubble runs fn with an SQLite store under a clock that moves when everybody waits.
func inBubble(t *testing.T, fn func(t *testing.T, db *store.DB)) {
	t.Helper()
	cfg := storetest.Config(storetest.DSN(t, store.SQLite))
	cfg.CallbackLimit = store.DefaultCallbackLimit // a bubble's time does not depend on the machine
	synctest.Test(t, func(t *testing.T) {
		db, err := store.Open(context.Background(), cfg)
		must(t, err)
		defer db.Close()
		fn(t, makeNotes(t, db))
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error %v, want %v", err, target)
	}
}

func add(ctx context.Context, t tx.Tx, id string) error {
	_, err := sqltx.Of(t).Exec(ctx, "INSERT INTO note (id, body) VALUES ($1, $2)", id, "text")
	return err
}

func adding(id string) func(context.Context, tx.Tx) error {
	return func(ctx context.Context, t tx.Tx) error { return add(ctx, t, id) }
}

func notes(t testing.TB, db *store.DB) []string {
	t.Helper()
	var ids []string
	must(t, db.Reads().Each(context.Background(), "SELECT id FROM note ORDER BY id", nil, func(scan func(...any) error) error {
		ids = append(ids, "")
		return scan(&ids[len(ids)-1])
	}))
	return ids
}

func wantNotes(t testing.TB, db *store.DB, ids ...string) {
	t.Helper()
	if got := notes(t, db); !slices.Equal(got, ids) {
		t.Errorf("stored %v, want %v", got, ids)
	}
}

// long is a statement that works on for a while after test_hook was called.
const long = `
	INSERT INTO note (id, body)
	WITH RECURSIVE n (x) AS (SELECT length(test_hook()) UNION ALL SELECT x + 1 FROM n WHERE x < 300000)
	SELECT $1, count(*) FROM n`

func TestFault1CancelInsideASharedStatement(t *testing.T) {
	inBubble(t, func(t *testing.T, db *store.DB) {
		ctx, cancel := context.WithCancel(context.Background())
		stop := func() { cancel() }
		hook.Store(&stop)
		defer hook.Store(nil)

		var before, cancelled, after error
		holds, queued := make(chan struct{}), make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() {
			before = db.Runner().Do(context.Background(), func(ctx context.Context, t tx.Tx) error {
				close(holds)
				<-queued // so that the next two ride on this transaction
				return add(ctx, t, "before")
			})
		})
		<-holds
		all.Go(func() {
			cancelled = db.Runner().Do(ctx, func(ctx context.Context, t tx.Tx) error {
				_, err := sqltx.Of(t).Exec(ctx, long, "cancelled")
				return err
			})
		})
		synctest.Wait()
		all.Go(func() { after = db.Runner().Do(context.Background(), adding("after")) })
		synctest.Wait()
		close(queued)
		all.Wait()
		must(t, before)
		must(t, after)
		want(t, cancelled, context.Canceled)
		wantNotes(t, db, "after", "before")
	})
}

func TestFault1CancelBetweenStatements(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		err := db.Runner().Do(ctx, func(ctx context.Context, t tx.Tx) error {
			if err := add(ctx, t, "first"); err != nil {
				return err
			}
			cancel()
			return nil
		})
		want(t, err, context.Canceled)
		wantNotes(t, db)
		must(t, db.Runner().Do(t.Context(), adding("next")))
		wantNotes(t, db, "next")
	})
}

func TestFault1BrokenSavepointFailsTheGroup(t *testing.T) {
	inBubble(t, func(t *testing.T, db *store.DB) {
		var before, breaker error
		holds, queued := make(chan struct{}), make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() {
			before = db.Runner().Do(context.Background(), func(ctx context.Context, t tx.Tx) error {
				close(holds)
				<-queued
				return add(ctx, t, "before")
			})
		})
		<-holds
		all.Go(func() {
			breaker = db.Runner().Do(context.Background(), func(ctx context.Context, t tx.Tx) error {
				// What a full disk does: the whole transaction is gone, the caller sees one error.
				return sqltx.Of(t).With(ctx, func(ctx context.Context, s *sql.Tx) error {
					_, err := s.ExecContext(ctx, "ROLLBACK")
					return err
				})
			})
		})
		synctest.Wait()
		close(queued)
		all.Wait()
		want(t, before, tx.ErrGroup)
		want(t, breaker, tx.ErrGroup)
		wantNotes(t, db)
		must(t, db.Runner().Do(context.Background(), adding("next")))
		wantNotes(t, db, "next")
	})
}

func TestFault2OneWritingConnectionOnSQLite(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	if n := db.Writer().Stats().MaxOpenConnections; n != 1 {
		t.Errorf("%d writing connections, want 1: the job engine starves on a second one", n)
	}
	// Between groups the connection is free for the job engine.
	must(t, db.Runner().Do(t.Context(), func(context.Context, tx.Tx) error { return nil }))
	if _, err := db.Writer().ExecContext(t.Context(), "SELECT 1"); err != nil {
		t.Error(err)
	}
}

func TestFault3Nested(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		err := db.Runner().Do(t.Context(), func(ctx context.Context, outer tx.Tx) error {
			want(t, db.Runner().Do(ctx, adding("inner")), tx.ErrNested)
			want(t, db.Reads().Each(ctx, "SELECT 1", nil, nil), tx.ErrNested)
			return add(ctx, outer, "outer")
		})
		must(t, err)
		wantNotes(t, db, "outer")
	})
}

func TestFault4CallbackOverstays(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		neighbour := make(chan error, 1)
		err := db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error {
			must(t, add(ctx, x, "early"))
			<-ctx.Done()
			// The writer went on to the next caller while this callback still runs.
			go func() { neighbour <- db.Runner().Do(t.Context(), adding("neighbour")) }()
			must(t, <-neighbour)
			want(t, add(ctx, x, "late"), tx.ErrExpired)
			want(t, add(context.Background(), x, "late"), tx.ErrExpired)
			return nil
		})
		want(t, err, tx.ErrExpired)
		if code := fault.CodeOf(err); code != fault.Unavailable {
			t.Errorf("code %s", code)
		}
		wantNotes(t, db, "neighbour")
	}, func(c *store.Config) { c.CallbackLimit = 100 * time.Millisecond })
}

func TestFault4LimitIsTwoSeconds(t *testing.T) {
	inBubble(t, func(t *testing.T, db *store.DB) {
		begin := time.Now()
		err := db.Runner().Do(context.Background(), func(ctx context.Context, x tx.Tx) error {
			<-ctx.Done()
			return ctx.Err()
		})
		want(t, err, tx.ErrExpired)
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("the callback ended after %s, want 2s", took)
		}
	})
}

func TestFault4StatementOverstaysOnPostgres(t *testing.T) {
	db := makeNotes(t, storetest.Open(t, store.Postgres, func(c *store.Config) { c.CallbackLimit = 100 * time.Millisecond }))
	err := db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error {
		must(t, add(ctx, x, "early"))
		_, err := sqltx.Of(x).Exec(ctx, "SELECT pg_sleep(60)")
		return err
	})
	want(t, err, tx.ErrExpired)
	wantNotes(t, db)
}

func TestFault5UseFromTwoPlaces(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		must(t, db.Runner().Do(t.Context(), adding("a")))
		err := db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error {
			_ = sqltx.Of(x).Each(ctx, "SELECT id FROM note", nil, func(func(...any) error) error {
				want(t, add(ctx, x, "while rows are open"), tx.ErrBusy)
				return nil
			})
			return nil
		})
		want(t, err, tx.ErrBusy)
		wantNotes(t, db, "a")
	})
}

func TestFault5EachClosesItsRows(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		must(t, db.Runner().Do(t.Context(), adding("a")))
		must(t, db.Runner().Do(t.Context(), adding("b")))
		must(t, db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error {
			must(t, sqltx.Of(x).Each(ctx, "SELECT id FROM note", nil, func(func(...any) error) error { return nil }))
			return add(ctx, x, "c")
		}))
		want(t, db.Reads().Each(t.Context(), "SELECT id FROM note", nil, func(func(...any) error) error { return errGiveUp }), errGiveUp)
		wantNotes(t, db, "a", "b", "c")
	})
}

func TestFault6SwallowedError(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		var first error
		err := db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error {
			must(t, add(ctx, x, "a"))
			first = add(ctx, x, "a")
			_ = add(ctx, x, "b")
			return nil
		})
		if first == nil {
			t.Fatal("the second row under one key was taken")
		}
		want(t, err, first)
		wantNotes(t, db)
	})
}

func TestFault8MoreCallersThanTheBound(t *testing.T) {
	for _, every := range []int{1, 2, 7} { // each n-th caller fails at once
		t.Run(fmt.Sprint(every), func(t *testing.T) {
			db := makeNotes(t, storetest.Open(t, store.SQLite, func(c *store.Config) { c.GroupCallers = 3 }))
			var failed, stored atomic.Int64
			var all sync.WaitGroup
			for i := range 40 {
				all.Go(func() {
					err := db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error {
						if i%every == 0 {
							return errGiveUp
						}
						return add(ctx, x, fmt.Sprint(i))
					})
					if errors.Is(err, errGiveUp) {
						failed.Add(1)
					} else if err == nil {
						stored.Add(1)
					}
				})
			}
			all.Wait()
			if failed.Load()+stored.Load() != 40 || int(stored.Load()) != len(notes(t, db)) {
				t.Errorf("%d failed, %d stored, %d rows", failed.Load(), stored.Load(), len(notes(t, db)))
			}
		})
	}
}

func TestPanicAndGoexitTakeNobodyAlong(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		var all sync.WaitGroup
		all.Go(func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic did not reach the caller")
				}
			}()
			_ = db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error {
				must(t, add(ctx, x, "panic"))
				panic("a fault of the callback")
			})
		})
		all.Go(func() {
			_ = db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error {
				_ = add(ctx, x, "goexit")
				runtime.Goexit()
				return nil
			})
		})
		all.Wait()
		must(t, db.Runner().Do(t.Context(), adding("next")))
		wantNotes(t, db, "next")
	})
}

func TestQueuedCallerMayGiveUp(t *testing.T) {
	inBubble(t, func(t *testing.T, db *store.DB) {
		holds, free := make(chan struct{}), make(chan struct{})
		var first, queued error
		var all sync.WaitGroup
		all.Go(func() {
			first = db.Runner().Do(context.Background(), func(ctx context.Context, x tx.Tx) error {
				close(holds)
				<-free
				return add(ctx, x, "first")
			})
		})
		<-holds
		ctx, cancel := context.WithCancel(context.Background())
		all.Go(func() { queued = db.Runner().Do(ctx, adding("queued")) })
		synctest.Wait()
		cancel()
		synctest.Wait()
		want(t, queued, context.Canceled)
		close(free)
		all.Wait()
		must(t, first)
		wantNotes(t, db, "first")
	})
}

func TestLoneCallerWaitsForNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, db *store.DB) {
		begin := time.Now()
		must(t, db.Runner().Do(context.Background(), adding("lone")))
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("a timer kept a lone caller for %s", waited)
		}
	})
}

func TestUseAfterTheCallback(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		var kept tx.Tx
		must(t, db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error { kept = x; return nil }))
		if err := add(t.Context(), kept, "late"); err == nil {
			t.Error("a transaction was used after its end")
		}
		wantNotes(t, db)
	})
}

func TestDoAfterClose(t *testing.T) {
	for _, e := range storetest.Engines {
		t.Run(string(e), func(t *testing.T) {
			db := storetest.Open(t, e)
			must(t, db.Close())
			want(t, db.Runner().Do(t.Context(), adding("late")), store.ErrClosed)
		})
	}
}
