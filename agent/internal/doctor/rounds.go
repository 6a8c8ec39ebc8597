package doctor

import (
	"context"
	"slices"
	"sync"
	"time"
)

// DefaultEvery is how often a running agent examines itself.
const DefaultEvery = time.Minute

// Rounds examines a running agent again and again, for the desk to show what was found
// without waiting for it. It is safe for concurrent use.
type Rounds struct {
	parts   func() Parts
	every   time.Duration
	changed func()
	stuck   stuck
	again   chan struct{}

	mu     sync.Mutex
	latest []Finding
}

// NewRounds makes Rounds over the parts that the function gives anew for each. every may be 0
// for DefaultEvery; changed is told when something is found, or found no more; it may be nil
// and must not block.
func NewRounds(parts func() Parts, every time.Duration, changed func()) *Rounds {
	if every <= 0 {
		every = DefaultEvery
	}
	return &Rounds{parts: parts, every: every, changed: changed, again: make(chan struct{}, 1)}
}

// Run examines at once, then every time, until ctx ends, and gives ctx's error.
func (r *Rounds) Run(ctx context.Context) error {
	tick := time.NewTicker(r.every)
	defer tick.Stop()
	for {
		r.Examine(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-r.again:
		}
	}
}

// Kick has the next round begin at once: something was plugged in or pulled.
func (r *Rounds) Kick() {
	select {
	case r.again <- struct{}{}:
	default:
	}
}

// Examine looks now and gives what it found.
func (r *Rounds) Examine(ctx context.Context) []Finding {
	found := examine(ctx, r.parts(), &r.stuck)
	if ctx.Err() != nil {
		return found // whoever asked went away; what was broken off proves nothing
	}
	r.mu.Lock()
	other := !slices.EqualFunc(r.latest, found, same)
	r.latest = found
	r.mu.Unlock()
	if other && r.changed != nil {
		r.changed()
	}
	return found
}

func same(a, b Finding) bool { return a.Part == b.Part && a.Fault == b.Fault && a.Hint == b.Hint }

// Latest is what the last round found; nil before the first.
func (r *Rounds) Latest() []Finding {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.latest)
}

// Troubles are the findings that a person should see: faults first, then hints.
func Troubles(all []Finding) []Finding {
	var faults, hints []Finding
	for _, f := range all {
		switch {
		case !f.OK():
			faults = append(faults, f)
		case f.Hint != "":
			hints = append(hints, f)
		}
	}
	return append(faults, hints...)
}
