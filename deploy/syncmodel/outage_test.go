package syncmodel_test

import (
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"madoguchi.example/agent/agenttest"
	"madoguchi.example/shared/wire"
)

// plan is an outage of a region.
type plan struct {
	terminals int
	around    time.Duration // for which people record before the line goes down and once it is back
	down      time.Duration // for how long the line is down for all
	every     time.Duration // how often a person records, on average; every tenth is busy
	busy      time.Duration // how often at those
	spread    time.Duration // within which terminals come back with what they gathered
	tries     time.Duration // the longest wait between two tries of a terminal
}

// travel is how long a call takes on the line of a region.
const travel = 2 * time.Second

// outcome is how it went.
type outcome struct {
	records, batches int
	peak             int64         // calls with records at once on the line, after it came back
	drained          time.Duration // from when the line came back until nothing waited
	syncs            int64         // of all terminals
}

// region is the line that all terminals share.
type region struct {
	up      atomic.Bool
	counts  atomic.Bool // the peak is taken
	now     atomic.Int64
	peak    atomic.Int64
	batches atomic.Int64
}

// regional is one terminal's line in a region.
type regional struct {
	*region
	line agenttest.Line
}

// Dial implements agenttest.Line.
func (l regional) Dial() error {
	if !l.up.Load() {
		return errRefused
	}
	return nil
}

// Batch implements agenttest.Line.
func (l regional) Batch(ctx context.Context, raw []byte) ([]byte, error) {
	b, err := wire.DecodeBatch(raw)
	if err != nil {
		return nil, err
	}
	if len(b.Records) > 0 {
		l.batches.Add(1)
		n := l.now.Add(1)
		defer l.now.Add(-1)
		for l.counts.Load() {
			peak := l.peak.Load()
			if n <= peak || l.peak.CompareAndSwap(peak, n) {
				break
			}
		}
	}
	if wait(ctx, travel) != nil {
		return nil, errLost
	}
	return l.line.Batch(ctx, raw)
}

// Answers implements agenttest.Line. A line that is cut cuts off what is asked on it.
func (l regional) Answers(ctx context.Context, after uint64, held time.Duration) ([]byte, error) {
	if held > 0 && wait(ctx, hold) != nil || l.Dial() != nil {
		return nil, errLost
	}
	return l.line.Answers(ctx, after, 0)
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// ride lets a region live through an outage.
func ride(t *testing.T, p plan) (o outcome) {
	t.Helper()
	if _, err := fresh(); err != nil {
		t.Fatal(err)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // thousands of terminals in one process
	dir := newFolder(t)
	var err error
	synctest.Test(t, func(*testing.T) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
			}
		}()
		o, err = rideOut(context.Background(), dir, p)
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func rideOut(ctx context.Context, dir string, p plan) (o outcome, err error) {
	w, err := newWorld(ctx, dir, 72)
	if err != nil {
		return o, err
	}
	defer func() {
		if ended := w.close(); err == nil {
			err = ended
		}
	}()
	r := &region{}
	r.up.Store(true)
	if err := w.populate(ctx, p, r); err != nil {
		return o, err
	}
	people, stop := context.WithCancel(ctx)
	defer stop()
	busy := w.open(people, p)
	time.Sleep(p.around)
	r.up.Store(false)
	time.Sleep(p.down)
	r.up.Store(true)
	r.counts.Store(true)
	back := time.Now()
	time.Sleep(p.around)
	stop()
	if err := busy(); err != nil {
		return o, err
	}
	if err := w.drained(p.spread + 12*time.Hour); err != nil {
		return o, err
	}
	o = outcome{batches: int(r.batches.Load()), peak: r.peak.Load(), drained: time.Since(back)}
	for _, s := range w.seats {
		o.records += len(s.confirmed)
		o.syncs += s.Syncs()
	}
	return o, w.examine(ctx)
}

// populate starts the terminals, one after the other.
func (w *world) populate(ctx context.Context, p plan, r *region) error {
	for range p.terminals {
		_, err := w.enrol(ctx, func(c *agenttest.Config) {
			c.Line = regional{r, c.Line}
			c.Spread, c.Cap = func() time.Duration { return p.spread }, p.tries
		})
		if err != nil {
			return err
		}
		time.Sleep(p.around / 4 / time.Duration(p.terminals))
	}
	return nil
}

// open lets people record at every terminal until ctx ends; the result waits for that. They
// record on the stroke of a clock, so that more than one terminal works at a time.
func (w *world) open(ctx context.Context, p plan) (closed func() error) {
	var people sync.WaitGroup
	stroke := p.busy / 20
	failed := make([]error, len(w.seats))
	for i, s := range w.seats {
		rng, every := mathrand.New(mathrand.NewPCG(uint64(i), 72)), p.every
		if i%10 == 0 {
			every = p.busy
		}
		people.Go(func() {
			pause := time.Duration(rng.Int64N(int64(every)))
			for wait(ctx, pause.Truncate(stroke)) == nil && failed[i] == nil {
				failed[i] = s.record(context.Background(), aVerification)
				pause = every/2 + time.Duration(rng.Int64N(int64(every)))
			}
		})
	}
	return func() error {
		people.Wait()
		for _, err := range failed {
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// drained waits until nothing waits at any terminal.
func (w *world) drained(patience time.Duration) error {
	for began := time.Now(); ; time.Sleep(time.Minute) {
		waiting, name := 0, ""
		for _, s := range w.seats {
			if n := s.Pending(); n > 0 {
				waiting, name = waiting+n, s.name
			}
		}
		switch {
		case waiting == 0:
			return nil
		case time.Since(began) > patience:
			return fmt.Errorf("after %s there still wait %d records, some at %s", patience, waiting, name)
		}
	}
}

// TestThreeDaysWithoutALine lets 2,000 terminals work through 72 hours without a line, and
// come back all at once. Nothing is lost, nothing is twice, and they do not come as a herd.
// All retry once an hour at the latest, else three days consist of failed calls.
func TestThreeDaysWithoutALine(t *testing.T) {
	p := plan{
		terminals: fullRegion, around: 10 * time.Minute, down: 72 * time.Hour, every: 3 * time.Hour, busy: 30 * time.Minute,
		spread: 30 * time.Minute, tries: time.Hour,
	}
	began := time.Now()
	o := ride(t, p)
	t.Logf("%d terminals, %s down: %d records in %d batches, drained %s after the line came back, peak %d calls at once, %d syncs; %s by the clock on the wall",
		p.terminals, p.down, o.records, o.batches, o.drained, o.peak, o.syncs, time.Since(began).Round(time.Second/10))
	if want := p.terminals * int(p.down/p.every) * 9 / 10; o.records < want {
		t.Errorf("only %d records were made, want %d", o.records, want)
	}
	if most := int64(max(fullRegion/50, 6)); o.peak > most {
		t.Errorf("%d calls with records at once, want at most %d", o.peak, most)
	}
}

// TestWithoutASpreadAllComeAtOnce is the control: the same outage of busy terminals, once
// with a spread and once without, and the difference is seen.
func TestWithoutASpreadAllComeAtOnce(t *testing.T) {
	p := plan{
		terminals: smallRegion, around: time.Minute, down: 4 * time.Hour, every: time.Minute, busy: time.Minute,
		spread: time.Hour, tries: time.Minute,
	}
	with := ride(t, p)
	p.spread = 0
	without := ride(t, p)
	t.Logf("calls at once: %d with a spread of an hour, %d without", with.peak, without.peak)
	if without.peak < 2*with.peak {
		t.Errorf("the spread does not spread: %d calls at once with it, %d without", with.peak, without.peak)
	}
}
