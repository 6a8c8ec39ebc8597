package syncmodel_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"madoguchi.example/agent/agenttest"
)

// step is one thing that happens, to the terminal at a seat or to the backend.
type step struct {
	what act
	seat int
	n    int
}

type act string

// What happens. Each act is a method of world below.
const (
	records      act = "records"       // a person records a few things
	fills        act = "fills"         // a person records until the terminal refuses
	cutsLine     act = "line down"     // the line goes down
	mendsLine    act = "line up"       // the line comes back
	losesRequest act = "lose requests" // requests never arrive
	losesAnswer  act = "lose answers"  // requests are done, the answers never arrive
	stalls       act = "stall"         // the same, and nobody hears of it for a while
	doubles      act = "twice"         // requests arrive twice
	comesLate    act = "late"          // a request of the past arrives again
	isKilled     act = "killed"        // the process dies
	losesPower   act = "power cut"     // the machine dies while somebody records
	changesKey   act = "key"           // the key-encryption key is replaced
	isCopied     act = "copied"        // the disk is copied into another machine
	movesClock   act = "clock"         // the terminal's clock jumps, days back and forth
	timePasses   act = "time"          // seconds to a day go by
	takesBackup  act = "backup"        // the backend is backed up
	isRestored   act = "restored"      // the backend is restored from a backup
	answers      act = "answers"       // the payer answers all open checks
)

func (s step) String() string { return fmt.Sprintf("%s(seat %d, %d)", s.what, s.seat, s.n) }

// history is what happens in one life of the house.
type history struct {
	seed      uint64
	terminals int
	room      int // records that a terminal's queue takes
	steps     []step
}

func (h history) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d terminals with room for %d, seed %d:", h.terminals, h.room, h.seed)
	for _, s := range h.steps {
		fmt.Fprintf(&b, "\n  %s", s)
	}
	return b.String()
}

// play lives through a history in a bubble and tells what was broken at its end.
func play(t *testing.T, h history) (broken error) {
	if _, err := fresh(); err != nil {
		return err
	}
	dir := newFolder(t)
	synctest.Test(t, func(*testing.T) {
		defer func() {
			if r := recover(); r != nil {
				broken = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
			}
		}()
		broken = live(context.Background(), dir, h)
	})
	return broken
}

func live(ctx context.Context, dir string, h history) (err error) {
	w, err := newWorld(ctx, dir, h.seed)
	if err != nil {
		return err
	}
	defer func() {
		if ended := w.close(); err == nil {
			err = ended
		}
	}()
	w.change = func(c *agenttest.Config) { c.MaxRecords, c.Images = h.room, true }
	for range h.terminals {
		if _, err := w.enrol(ctx, w.change); err != nil {
			return err
		}
	}
	for i, s := range h.steps {
		if err := w.do(ctx, s); err != nil {
			return fmt.Errorf("step %d, %s: %w", i, s, err)
		}
		synctest.Wait()
	}
	if err := w.drain(ctx); err != nil {
		return err
	}
	return w.examine(ctx)
}

// do lets a step happen.
func (w *world) do(ctx context.Context, s step) error {
	seat := w.seats[s.seat%len(w.seats)]
	switch s.what {
	case records:
		for i := range s.n%5 + 1 {
			if err := seat.record(ctx, (s.n+i)%8%3); err != nil {
				return err
			}
		}
	case fills:
		return w.fill(ctx, seat)
	case cutsLine:
		seat.link.set(func(f *faults) { f.down = true })
	case mendsLine:
		seat.link.set(func(f *faults) { f.down = false })
	case losesRequest:
		seat.link.set(func(f *faults) { f.loseRequests = s.n%4 + 1 })
	case losesAnswer:
		seat.link.set(func(f *faults) { f.loseAnswers = s.n%4 + 1 })
	case stalls:
		seat.link.set(func(f *faults) { f.stall = 1 })
	case doubles:
		seat.link.set(func(f *faults) { f.twice = s.n%4 + 1 })
	case comesLate:
		seat.link.late(ctx, s.n)
	case movesClock:
		seat.skew.Add(int64(time.Duration(s.n%81-40) * 25 * time.Hour))
	case timePasses:
		time.Sleep(spans[s.n%len(spans)])
	default:
		return w.doHard(ctx, s, seat)
	}
	return nil
}

var spans = []time.Duration{time.Second, 20 * time.Second, 7 * time.Minute, time.Hour, 25 * time.Hour}

// doHard lets a step happen that stops a terminal or the backend.
func (w *world) doHard(ctx context.Context, s step, seat *seat) error {
	switch s.what {
	case isKilled:
		return w.kill(ctx, seat)
	case losesPower:
		return w.cutPower(ctx, seat, s.n)
	case changesKey:
		return seat.Rotate(ctx)
	case isCopied:
		if len(w.seats) >= maxSeats {
			return nil
		}
		return w.copyDisk(ctx, seat, w.change)
	case takesBackup:
		taken, err := w.server.Snapshot(ctx)
		w.snapshots = append(w.snapshots, snapshot{taken, time.Now()})
		return err
	case isRestored:
		return w.restore(ctx, s.n)
	case answers:
		_, err := w.server.AnswerOpen(ctx, sealed())
		return err
	}
	return fmt.Errorf("nobody knows how to %s", s.what)
}

const maxSeats = 4

// fill records until the terminal refuses; what it holds then is looked at in the end.
func (w *world) fill(ctx context.Context, s *seat) error {
	s.link.set(func(f *faults) { f.down = true })
	synctest.Wait()
	for range s.Stats().MaxRecords + 1 {
		if err := s.record(ctx, aVerification); err != nil {
			return err
		}
	}
	if stats := s.Stats(); !stats.Full() {
		return fmt.Errorf("%s took more than it has room for: %+v", s.name, stats)
	}
	return nil
}

// dies lets nothing more through to the backend, so that the image that is taken next is
// that of a machine which is dead from then on.
func (s *seat) dies() (lives func()) {
	was := false
	s.link.set(func(f *faults) { was, f.down = f.down, true })
	return func() { s.link.set(func(f *faults) { f.down = was }) }
}

func (w *world) kill(ctx context.Context, s *seat) error {
	lives := s.dies()
	defer lives()
	synctest.Wait()
	image, err := s.Image(false)
	if err != nil {
		return err
	}
	return s.Restart(ctx, image)
}

// cutPower takes the files as they were at the last sync while somebody records. What was
// confirmed by then must be in them; of what was confirmed later nobody knows.
func (w *world) cutPower(ctx context.Context, s *seat, n int) error {
	lives := s.dies()
	defer lives()
	var busy sync.WaitGroup
	var failed error
	busy.Go(func() {
		for i := range 6 {
			if err := s.record(ctx, i%2); err != nil {
				failed = err
			}
		}
	})
	for range n % 50 {
		_ = s.Stats() // lets the other one go on for a while
	}
	s.mu.Lock()
	seen := len(s.confirmed)
	s.mu.Unlock()
	image, err := s.Image(true)
	busy.Wait()
	if err != nil {
		return err
	}
	s.confirmed = s.confirmed[:seen]
	if failed != nil {
		return failed
	}
	return s.Restart(ctx, image)
}

// memory is how old a backup may be: terminals keep what was accepted for some days.
const memory = 5 * 24 * time.Hour

func (w *world) restore(ctx context.Context, n int) error {
	for i, s := range w.snapshots {
		if time.Since(s.at) < memory {
			w.snapshots = w.snapshots[i:]
			taken := w.snapshots[n%len(w.snapshots)]
			w.restored = true
			return w.server.Restore(ctx, taken.store)
		}
	}
	return nil
}

// patience is how long the drain may take, once all is well.
const patience = 48 * time.Hour

// drain makes all well and waits until nothing waits any more.
func (w *world) drain(ctx context.Context) error {
	for _, s := range w.seats {
		s.link.set(func(f *faults) { *f = faults{} })
	}
	// A terminal that has nothing to send hears of a new life of the backend by its beat.
	time.Sleep(time.Hour)
	for began := time.Now(); ; time.Sleep(10 * time.Minute) {
		synctest.Wait()
		waiting := ""
		for _, s := range w.seats {
			if stats := s.Stats(); stats.Pending > 0 {
				waiting += fmt.Sprintf("\n%s: %+v, line %+v", filepath.Base(s.name), stats, s.LineState())
			}
		}
		switch {
		case waiting == "":
			return w.answerAll(ctx)
		case time.Since(began) > patience:
			return fmt.Errorf("after %s on a good line there still wait:%s", patience, waiting)
		}
	}
}

// answerAll lets the payer answer all checks, and gives the answers time to come.
func (w *world) answerAll(ctx context.Context) error {
	_, err := w.server.AnswerOpen(ctx, sealed())
	time.Sleep(2 * hold)
	synctest.Wait()
	return err
}
