package job_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"madoguchi.example/backend/internal/job"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
)

// patience ends a wait for something that must happen.
const patience = time.Minute

type letter struct {
	Handle string `json:"handle"`
}

func (letter) Kind() string { return "letter" }

type card struct {
	Number int64 `json:"number"`
}

func (card) Kind() string { return "card" }

type short struct{}

func (short) Kind() string { return "x" }

var errFailed = errors.New("the work failed")

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// receive waits for the next value of a channel.
func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func open(t *testing.T, db *store.DB, change ...func(*job.Config)) *job.Engine {
	t.Helper()
	cfg := job.Config{Now: time.Now, Retry: func(int) time.Duration { return 0 }}
	for _, c := range change {
		c(&cfg)
	}
	e, err := job.Open(db, cfg)
	must(t, err)
	t.Cleanup(func() { must(t, e.Stop(context.Background())) })
	return e
}

func post(t testing.TB, db *store.DB, q job.Queue, a job.Args) {
	t.Helper()
	must(t, db.Runner().Do(context.Background(), func(ctx context.Context, x tx.Tx) error { return q.Enqueue(ctx, x, a) }))
}

// handles starts an engine whose handler tells what it got.
func handles(t *testing.T, e *job.Engine) <-chan string {
	t.Helper()
	got := make(chan string, 1000)
	must(t, job.Register(e, func(_ context.Context, l letter) error { got <- l.Handle; return nil }))
	must(t, e.Start(t.Context()))
	return got
}

func TestCommittedRunsRolledBackNever(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		e := open(t, db)
		post(t, db, e, letter{"before the start"})
		errRollBack := errors.New("roll back")
		err := db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error {
			must(t, e.Enqueue(ctx, x, letter{"rolled back"}))
			return errRollBack
		})
		if !errors.Is(err, errRollBack) {
			t.Fatal(err)
		}
		got := handles(t, e)
		if first := receive(t, got); first != "before the start" {
			t.Errorf("ran %q", first)
		}
		post(t, db, e, letter{"last"})
		if second := receive(t, got); second != "last" {
			t.Errorf("ran %q", second)
		}
		if n := count(t, db, "SELECT count(*) FROM river_job"); n != 2 {
			t.Errorf("%d jobs stored, want 2", n)
		}
	})
}

func count(t *testing.T, db *store.DB, query string) int {
	t.Helper()
	var n int
	must(t, db.Reads().Each(context.Background(), query, nil, func(scan func(...any) error) error { return scan(&n) }))
	return n
}

func TestNoConfiguredWaitKeepsAJobLong(t *testing.T) {
	const limit = 200 * time.Millisecond
	if job.Poll+job.Cooldown > limit/2 {
		t.Errorf("poll %s and cooldown %s leave no room below %s", job.Poll, job.Cooldown, limit)
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		e := open(t, db)
		started := make(chan time.Time)
		must(t, job.Register(e, func(context.Context, letter) error { started <- time.Now(); return nil }))
		must(t, e.Start(t.Context()))
		post(t, db, e, letter{"warm"})
		receive(t, started)
		// A busy machine may delay some; a configured wait would delay the half of them.
		var waits []time.Duration
		for round := range 4 {
			waits = waits[:0]
			for i := range 9 {
				post(t, db, e, letter{fmt.Sprint(round, i)})
				committed := time.Now()
				waits = append(waits, receive(t, started).Sub(committed))
			}
			slices.Sort(waits)
			if waits[len(waits)/2] <= limit {
				t.Logf("from commit to start: median %s, longest %s", waits[len(waits)/2], waits[len(waits)-1])
				return
			}
		}
		t.Errorf("from commit to start: median %s, want at most %s", waits[len(waits)/2], limit)
	})
}

func TestFailedAndPanickedJobsRunAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var log syncBuffer
		e := open(t, db, func(c *job.Config) { c.Log = slog.New(slog.NewJSONHandler(&log, nil)) })
		runs := make(chan int, 10)
		var n int
		must(t, job.Register(e, func(_ context.Context, l letter) error {
			n++
			runs <- n
			switch n {
			case 1:
				return errFailed
			case 2:
				panic("a value that nobody may see")
			}
			return nil
		}))
		must(t, e.Start(t.Context()))
		post(t, db, e, letter{"hnd_secret"})
		for want := 1; want <= 3; want++ {
			if got := receive(t, runs); got != want {
				t.Fatalf("run %d, want %d", got, want)
			}
		}
		must(t, e.Stop(t.Context()))
		said := log.String()
		if !strings.Contains(said, "a job failed") || !strings.Contains(said, errFailed.Error()) {
			t.Errorf("the log does not name the failure: %s", said)
		}
		for _, secret := range []string{"hnd_secret", "nobody may see"} {
			if strings.Contains(said, secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
	})
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}
func (s *syncBuffer) String() string { s.mu.Lock(); defer s.mu.Unlock(); return s.b.String() }

func TestStopDrains(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		e := open(t, db)
		started, finish := make(chan struct{}), make(chan struct{})
		must(t, job.Register(e, func(ctx context.Context, _ letter) error {
			close(started)
			<-finish
			return ctx.Err()
		}))
		must(t, e.Start(t.Context()))
		post(t, db, e, letter{"long"})
		receive(t, started)
		stopped := make(chan error, 1)
		go func() { stopped <- e.Stop(context.Background()) }()
		select {
		case <-stopped:
			t.Fatal("Stop did not wait for the handler")
		default:
		}
		close(finish)
		must(t, receive(t, stopped))
		if n := count(t, db, "SELECT count(*) FROM river_job WHERE state = 'completed'"); n != 1 {
			t.Errorf("%d jobs completed, want 1", n)
		}
	})
}

func TestStopCancelsWhatOverstays(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		e := open(t, db)
		started := make(chan struct{}, 1)
		must(t, job.Register(e, func(ctx context.Context, _ letter) error {
			started <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}))
		start, cancelStart := context.WithCancel(t.Context())
		must(t, e.Start(start))
		post(t, db, e, letter{"endless"})
		receive(t, started)
		cancelStart() // does not stop the engine
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := e.Stop(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want the context's", err)
		}
		if n := count(t, db, "SELECT count(*) FROM river_job WHERE state <> 'completed'"); n != 1 {
			t.Errorf("%d jobs left to run again, want 1", n)
		}
	})
}

// Fault 2 of the transaction seam: jobs and callers share the one writing connection.
func TestFault2JobsAndCallersShareTheWriter(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const callers, posts = 16, 4
		var log syncBuffer
		e := open(t, db, func(c *job.Config) { c.Log = slog.New(slog.NewJSONHandler(&log, nil)) })
		got := handles(t, e)
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() {
				for j := range posts {
					err := db.Runner().Do(context.Background(), func(ctx context.Context, x tx.Tx) error {
						if err := e.Enqueue(ctx, x, letter{fmt.Sprintf("%d/%d", i, j)}); err != nil || j == 1 {
							return errors.Join(err, errFailed)
						}
						return nil
					})
					if (err != nil) != (j == 1) {
						t.Errorf("caller %d/%d: %v", i, j, err)
					}
				}
			})
		}
		all.Wait()
		seen := map[string]int{}
		for range callers * (posts - 1) {
			seen[receive(t, got)]++
		}
		must(t, e.Stop(t.Context()))
		if len(seen) != callers*(posts-1) || len(got) != 0 {
			t.Errorf("%d different jobs ran, %d more, want %d", len(seen), len(got), callers*(posts-1))
		}
		for what := range seen {
			if strings.HasSuffix(what, "/1") {
				t.Errorf("%s was rolled back and ran", what)
			}
		}
		if strings.Contains(log.String(), "locked") {
			t.Errorf("the engine found the file locked: %s", log.String())
		}
	})
}

// Fault 1 of the transaction seam, for the job's own statement.
func TestFault1CancelledEnqueueTakesNobodyAlong(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		e := open(t, db)
		ctx, cancel := context.WithCancel(t.Context())
		err := db.Runner().Do(ctx, func(ctx context.Context, x tx.Tx) error {
			cancel()
			return e.Enqueue(ctx, x, letter{"cancelled"})
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want cancelled", err)
		}
		post(t, db, e, letter{"next"})
		if n := count(t, db, "SELECT count(*) FROM river_job"); n != 1 {
			t.Errorf("%d jobs, want 1", n)
		}
	})
}

func TestAnotherProcessHandlesTheKind(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		enqueues, works := open(t, db), open(t, db)
		post(t, db, enqueues, letter{"for the other"})
		if got := receive(t, handles(t, works)); got != "for the other" {
			t.Errorf("ran %q", got)
		}
	})
}

// PostgreSQL's driver rounds larger ones without a word.
func TestNumbersThatWouldBeRounded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		e := open(t, db)
		got := make(chan int64, 1)
		must(t, job.Register(e, func(_ context.Context, c card) error { got <- c.Number; return nil }))
		must(t, e.Start(t.Context()))
		for _, exact := range []int64{1 << 53, -1 << 53} {
			post(t, db, e, card{exact})
			if n := receive(t, got); n != exact {
				t.Errorf("%d came as %d", exact, n)
			}
		}
		for _, large := range []job.Args{card{1<<53 + 2}, card{-1<<53 - 2}, letter{strings.Repeat("x", job.MaxArgs)}} {
			err := db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error {
				_ = e.Enqueue(ctx, x, large)
				return nil
			})
			if err == nil {
				t.Error("arguments were taken that would not come back")
			}
		}
	})
}

func TestEveryRunsAtStart(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		e := open(t, db)
		must(t, e.Every(time.Hour, letter{"sweep"}))
		if err := e.Every(time.Millisecond, letter{"too often"}); err == nil {
			t.Error("a period below a second was taken")
		}
		if got := receive(t, handles(t, e)); got != "sweep" {
			t.Errorf("ran %q", got)
		}
	})
}

func TestRegisterRefuses(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	e := open(t, db)
	nothing := func(context.Context, letter) error { return nil }
	if err := e.Start(t.Context()); err == nil {
		t.Error("an engine without handlers started")
	}
	if err := job.Register(e, func(context.Context, short) error { return nil }); err == nil {
		t.Error("a kind of one character was taken")
	}
	must(t, job.Register(e, nothing))
	if err := job.Register(e, nothing); err == nil {
		t.Error("two handlers for one kind were taken")
	}
	must(t, e.Start(t.Context()))
	if err := e.Start(t.Context()); err == nil {
		t.Error("an engine started twice")
	}
	if err := job.Register(e, func(context.Context, card) error { return nil }); err == nil {
		t.Error("a handler was taken after the start")
	}
	if err := e.Every(time.Hour, letter{}); err == nil {
		t.Error("a period was taken after the start")
	}
	err := db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error { return e.Enqueue(ctx, x, short{}) })
	if err == nil {
		t.Error("a job of a one-character kind was stored")
	}
	if _, err := job.Open(db, job.Config{}); err == nil {
		t.Error("an engine without a clock was opened")
	}
}

// A job and the row that it is about are stored together or not at all.
func TestJobRidesWithTheRow(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		e := open(t, db)
		err := db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error {
			must(t, e.Enqueue(ctx, x, letter{"half"}))
			_, _ = sqltx.Of(x).Exec(ctx, "INSERT INTO server_epoch (only_row, epoch, created_at) VALUES (2, 'epo_x', 0)")
			return nil
		})
		if err == nil || count(t, db, "SELECT count(*) FROM river_job") != 0 {
			t.Errorf("error %v, want the row's refusal and no job", err)
		}
	})
}

// A process that is killed leaves its job "running". The engine runs it again.
func TestJobOfADeadProcessRunsAgain(t *testing.T) {
	if job.Timeout >= job.Rescue || job.Rescue > 10*time.Minute {
		t.Errorf("a job of a dead process waits %s, while one run may take %s", job.Rescue, job.Timeout)
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		e := open(t, db)
		post(t, db, e, letter{"left behind"})
		long := time.Now().Add(-job.Rescue - time.Minute).UTC()
		var at any = long
		if db.Engine() == store.SQLite {
			at = long.Format("2006-01-02 15:04:05.000")
		}
		_, err := db.Writer().ExecContext(t.Context(), "UPDATE river_job SET state = 'running', attempt = 1, attempted_at = $1", at)
		must(t, err)
		if got := receive(t, handles(t, e)); got != "left behind" {
			t.Errorf("ran %q", got)
		}
	})
}
