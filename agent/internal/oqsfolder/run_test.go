package oqsfolder_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"madoguchi.example/agent/internal/oqsfolder"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// run starts the exchange on the machine's clock until the test ends.
func (w *world) run() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := w.x.Run(ctx, w.taker); err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(func() {
		cancel()
		done.Wait()
	})
}

// came waits for the next thing to be taken.
func (w *world) came(within time.Duration) bool {
	w.t.Helper()
	select {
	case <-w.taker.came:
		return true
	case <-time.After(within):
		return false
	}
}

func TestEventsBringAnswersAtOnce(t *testing.T) {
	w := newWorld(t, func(c *oqsfolder.Config) { c.ScanEvery = time.Hour }) // no scan will help
	w.put(w.res, ours(0), answer(record(10), "1", "1", ""), 0)
	w.run()
	if !w.came(10 * time.Second) {
		t.Fatal("the first scan does not come")
	}
	for n := 1; n <= 3; n++ { // as the terminal does: whole elsewhere, then moved in
		whole := w.put(w.fac, fmt.Sprintf("x%d", n), answer(record(n), "1", "1", ""), 0)
		if err := os.Rename(whole, filepath.Join(w.res, ours(n))); err != nil {
			t.Fatal(err)
		}
		if !w.came(10 * time.Second) {
			t.Fatalf("no event brought answer %d", n)
		}
	}
	half, err := os.Create(filepath.Join(w.res, ours(4))) // as others do: written in place
	if err != nil {
		t.Fatal(err)
	}
	text := answer(record(4), "1", "1", "")
	for _, part := range []string{text[:100], text[100:]} {
		if _, err := half.WriteString(part); err != nil {
			t.Fatal(err)
		}
	}
	if err := half.Close(); err != nil {
		t.Fatal(err)
	}
	if !w.came(10 * time.Second) {
		t.Fatal("no event brought the answer written in place")
	}
	if got := strings.Count(w.taker.all(), "done valid"); got != 5 {
		t.Errorf("%d answers: %s", got, w.taker.all())
	}
}

func TestScansBringAnswersFromAFolderThatCameBack(t *testing.T) {
	w := newWorld(t, func(c *oqsfolder.Config) { c.ScanEvery = 20 * time.Millisecond })
	w.run()
	for n := 1; n <= 3; n++ {
		if err := os.Rename(w.res, w.res+".away"); err != nil {
			t.Fatal(err)
		}
		w.put(w.res+".away", ours(n), answer(record(n), "1", "1", ""), 0)
		if err := os.Rename(w.res+".away", w.res); err != nil {
			t.Fatal(err)
		}
		if !w.came(10 * time.Second) {
			t.Fatalf("answer %d does not come", n)
		}
	}
}

func TestTheEndDoesNotWaitForASilentShare(t *testing.T) {
	w := newWorld(t, func(c *oqsfolder.Config) { c.Timeout = 20 * time.Millisecond })
	entered, release := make(chan struct{}, 10), make(chan struct{})
	w.put(w.res, ours(1), answer(record(1), "1", "1", ""), 0)
	w.x.Use(oqsfolder.Disk{List: func(dir string) {
		if dir == w.res {
			entered <- struct{}{}
			<-release
		}
	}})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.x.Run(ctx, w.taker) }()
	<-entered
	w.pass(time.Second)
	if h := w.x.Health(); h.Ready || h.Fault != oqsfolder.FaultSilent {
		t.Errorf("%+v", h)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	close(release)
	w.x.Scan(ctx, w.taker) // waits for the one that was left behind
	w.want("")
}

// TestAWholeMorning lets a terminal answer while questions are asked from many sides, with
// answers late, in progress first, in two steps, and taken away by the receipt computer.
func TestAWholeMorning(t *testing.T) {
	const people = 60
	w := newWorld(t, func(c *oqsfolder.Config) { c.ScanEvery, c.Rand = 20*time.Millisecond, &lockedCounter{} })
	w.run()
	var desks sync.WaitGroup
	for n := range people {
		desks.Go(func() {
			if err := w.x.Ask(context.Background(), inquiry(n)); err != nil {
				t.Error(err)
			}
		})
	}
	desks.Wait()
	requests := w.collect()
	if len(requests) != people {
		t.Fatalf("%d requests for %d people", len(requests), people)
	}
	for i, a := range requests {
		name := strings.Replace(a.file, "req", "res", 1)
		if i%3 == 0 {
			w.put(w.res, "OQSsiquc01res_20261120"+fmt.Sprintf("%04d", i)+".xml", answer(a.xml.ID, "2", "", ""), 0)
		}
		text := answer(a.xml.ID, "1", "1", "窓口")
		if i%2 == 0 {
			w.put(w.res, name, text[:len(text)/2], 0)
		}
		w.put(w.res, name, text, 0)
	}
	deadline := time.After(30 * time.Second)
	for strings.Count(w.taker.all(), "done valid") < people {
		select {
		case <-w.taker.came:
		case <-deadline:
			t.Fatalf("only %d of %d answers came", strings.Count(w.taker.all(), "done valid"), people)
		}
	}
	if h := w.x.Health(); h.Waiting != 0 || len(h.Trouble) != 0 {
		t.Errorf("%+v", h)
	}
	for n := range people {
		if got := strings.Count(w.taker.all(), fmt.Sprintf("online %02d done", n)); got != 1 {
			t.Errorf("answer %d was taken %d times", n, got)
		}
	}
}

type lockedCounter struct {
	mu sync.Mutex
	counter
}

func (c *lockedCounter) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counter.Read(b)
}
