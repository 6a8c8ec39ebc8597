package intake

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"
)

// bell wakes terminals that wait for an answer.
type bell struct {
	mu      sync.Mutex
	waiting map[string][]*waiter // by terminal, those that came first first
}

// mostPolls is how many long polls of one terminal are held. A terminal has one; the others
// are of connections that it lost. A further one ends the oldest.
const mostPolls = 2

// waiter is one long poll. Its channel takes one ring and drops the others.
type waiter struct {
	terminal string
	after    uint64
	rung     chan struct{}
	over     chan struct{} // closed when it is ended for another's sake
}

func newBell() *bell { return &bell{waiting: map[string][]*waiter{}} }

// wait registers a long poll; the second result ends it.
func (b *bell) wait(terminal string, after uint64) (*waiter, func()) {
	w := &waiter{terminal: terminal, after: after, rung: make(chan struct{}, 1), over: make(chan struct{})}
	b.mu.Lock()
	defer b.mu.Unlock()
	if all := b.waiting[terminal]; len(all) >= mostPolls {
		close(all[0].over)
		b.waiting[terminal] = slices.Delete(all, 0, 1)
	}
	b.waiting[terminal] = append(b.waiting[terminal], w)
	return w, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		left := slices.DeleteFunc(b.waiting[terminal], func(other *waiter) bool { return other == w })
		if b.waiting[terminal] = left; len(left) == 0 {
			delete(b.waiting, terminal)
		}
	}
}

// ring wakes the terminal's waiters that are behind the cursor.
func (b *bell) ring(terminal string, cursor uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.waiting[terminal] {
		if w.after >= cursor {
			continue
		}
		select {
		case w.rung <- struct{}{}:
		default:
		}
	}
}

func (b *bell) terminals() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []string
	for t := range b.waiting {
		all = append(all, t)
	}
	slices.Sort(all)
	return all
}

// DefaultPollEvery keeps an answer that another process wrote no longer than 200 ms from
// the terminal that waits for it.
const DefaultPollEvery = 150 * time.Millisecond

// pollChunk is how many terminals one query of Watch asks for.
const pollChunk = 500

// Watch asks the store on behalf of all waiting terminals together, until ctx ends: other
// processes write answers too. While nobody waits it asks nothing. Run it once per process.
func (x *Intake) Watch(ctx context.Context) {
	tick := time.NewTicker(x.PollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := x.look(ctx); err != nil && ctx.Err() == nil {
			x.Log.LogAttrs(ctx, slog.LevelWarn, "cannot look for answers", slog.String("error", err.Error()))
		}
	}
}

func (x *Intake) look(ctx context.Context) error {
	for some := range slices.Chunk(x.bell.terminals(), pollChunk) {
		last, err := x.Rows.LastCursors(ctx, some)
		if err != nil {
			return err
		}
		for terminal, cursor := range last {
			x.bell.ring(terminal, cursor)
		}
	}
	return nil
}

// ringAll wakes all of the terminal's waiters: each looks for itself.
func (b *bell) ringAll(terminal string) { b.ring(terminal, math.MaxUint64) }
