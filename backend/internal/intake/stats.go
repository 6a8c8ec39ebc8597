package intake

import (
	"context"
	"maps"
	"sync"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// Stats counts what came in since this process began.
type Stats struct {
	Batches map[Lane]int64        // stored
	Refused map[Lane]int64        // told to come again
	Told    int64                 // beats, and batches from before a restore
	Results map[wire.Status]int64 // of records
	Events  map[EventKind]int64
	Inside  map[Lane]int // batches being taken in now
	// Waiting is how many records terminals said they hold still, in the backlog lane, and
	// PerSecond at what rate those come in.
	Waiting   int
	PerSecond float64
}

// Lanes are both lanes.
func Lanes() []Lane { return []Lane{Live, Backlog} }

type counters struct {
	mu   sync.Mutex
	seen Stats
}

// change runs fn with maps that are there.
func (c *counters) change(fn func(s *Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen.Batches == nil {
		c.seen = Stats{Batches: map[Lane]int64{}, Refused: map[Lane]int64{}, Results: map[wire.Status]int64{}, Events: map[EventKind]int64{}}
	}
	fn(&c.seen)
}

func (c *counters) refused(lane Lane) { c.change(func(s *Stats) { s.Refused[lane]++ }) }

func (c *counters) told(records int) {
	c.change(func(s *Stats) {
		s.Told++
		s.Results[wire.Retry] += int64(records)
	})
}

func (c *counters) batch(x *sorted) {
	c.change(func(s *Stats) {
		s.Batches[x.lane]++
		for _, r := range x.results {
			s.Results[r.Status]++
		}
		for _, e := range x.events {
			s.Events[e.Kind]++
		}
	})
}

// Stats gives the counts.
func (x *Intake) Stats() Stats {
	var out Stats
	x.counted.change(func(s *Stats) {
		out = *s
		out.Batches, out.Refused = maps.Clone(s.Batches), maps.Clone(s.Refused)
		out.Results, out.Events = maps.Clone(s.Results), maps.Clone(s.Events)
	})
	out.Inside = map[Lane]int{}
	for _, lane := range Lanes() {
		out.Inside[lane] = x.gate.Inside(lane)
	}
	out.Waiting, out.PerSecond = x.gate.Reported()
	return out
}

// EventsWithin is how far back the console counts security events.
const EventsWithin = 30 * 24 * time.Hour

// Events counts the security events of these terminals, which the caller may see, of the
// last EventsWithin. Terminals without any are absent.
func (x *Intake) Events(ctx context.Context, who actor.Staff, _ audit.Purpose, terminals []string) (map[string]map[EventKind]int, error) {
	if !who.Has(actor.TerminalManager) {
		return nil, fault.New(fault.Forbidden, "the officer does not manage terminals")
	}
	return x.Rows.CountEvents(ctx, terminals, x.Now().Add(-EventsWithin))
}
