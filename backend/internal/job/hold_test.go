package job_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"madoguchi.example/backend/internal/job"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
)

// A job that has to wait stays, counts no attempt, and runs once it may; jobs of another
// kind run meanwhile. One that is dropped never runs.
func TestHeldJobsWait(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var standing atomic.Bool
		standing.Store(true)
		asked := make(chan struct{}, 1000)
		e := open(t, db, func(c *job.Config) {
			c.MaxAttempts, c.HoldTime = 1, 50*time.Millisecond
			c.Hold = func(_ context.Context, kind string) bool {
				if kind != (letter{}).Kind() || !standing.Load() {
					return false
				}
				asked <- struct{}{}
				return true
			}
		})
		cards := make(chan int64, 10)
		must(t, job.Register(e, func(_ context.Context, c card) error { cards <- c.Number; return nil }))
		got := handles(t, e) // starts it
		post(t, db, e, letter{Handle: "held"})
		for range 3 {
			receive(t, asked)
		}
		post(t, db, e, card{Number: 7})
		if n := receive(t, cards); n != 7 {
			t.Errorf("card %d", n)
		}
		if len(got) > 0 {
			t.Fatalf("a held job ran: %s", <-got)
		}
		standing.Store(false)
		if h := receive(t, got); h != "held" {
			t.Errorf("got %s", h)
		}
		must(t, e.Stop(t.Context()))
		post(t, db, e, letter{Handle: "dropped"})
		must(t, db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error {
			if n, err := e.Drop(ctx, x, (letter{}).Kind()); err != nil || n != 1 {
				t.Errorf("%d jobs dropped, error %v", n, err)
			}
			return nil
		}))
		if n := count(t, db, "SELECT count(*) FROM river_job WHERE kind = 'letter' AND finalized_at IS NULL"); n != 0 {
			t.Errorf("%d jobs wait", n)
		}
	})
}
