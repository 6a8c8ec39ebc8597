package intake

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"sync"
	"time"

	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// Lane says who waits for a batch: a person at a counter, or nobody any more.
type Lane string

// The lanes. What terminals gathered during an outage is Backlog.
const (
	Live    Lane = "live"
	Backlog Lane = "backlog"
)

// Limits bound what is taken in at once. A zero field is its default.
type Limits struct {
	// LiveRecords is how many records a batch of the live lane has at most; one with more, or
	// with others waiting behind it at the terminal, belongs to the backlog.
	LiveRecords int
	// LiveAtOnce and BacklogAtOnce are how many batches of each lane are taken in at a time.
	// The backlog never takes the live lane's room, and it is small: a live batch waits for no
	// more than BacklogAtOnce batches of the backlog, which hold the store's writer.
	LiveAtOnce    int
	BacklogAtOnce int
	// PerTerminal is how many batches of one terminal are taken in at a time in each lane, so
	// that none fills a lane: one, and the same again where the answer was lost.
	PerTerminal int
	// BacklogRate is how many records of the backlog a second are reckoned with until a rate
	// was measured.
	BacklogRate int
	// LongestSlot bounds how far away a slot may be, at most wire.MaxSlot: terminals honour no
	// more.
	LongestSlot time.Duration
}

// The defaults of Limits.
const (
	DefaultLiveRecords   = wire.LiveRecords
	DefaultLiveAtOnce    = 64
	DefaultBacklogAtOnce = 4
	DefaultPerTerminal   = 2
	DefaultBacklogRate   = 2_000
	DefaultLongestSlot   = wire.MaxSlot
)

const (
	shortestSlot = time.Second
	liveSlot     = 5 * time.Second // within it a refused live batch comes again
	rateWindow   = 30 * time.Second
	rateLeast    = time.Second // of work that a measured rate stands on
	// slowest is the part of BacklogRate that is reckoned with at least: a store that stood
	// still for a while does not send everybody away for hours.
	slowest = 0.1
	// maxReport is how many records one terminal's report counts for, more than a queue
	// holds by its defaults: one that tells a fable does not send the others away for hours.
	maxReport = 50_000
	// maxReported is how many terminals' backlogs are kept in sight; those reported longest
	// ago are forgotten first, and count again when they come.
	maxReported = 250_000
	// forgetAfter is how long a reported backlog counts though its terminal says nothing more.
	forgetAfter = 2 * DefaultLongestSlot
)

func (l Limits) complete() Limits {
	for value, otherwise := range map[*int]int{
		&l.LiveRecords: DefaultLiveRecords, &l.LiveAtOnce: DefaultLiveAtOnce,
		&l.BacklogAtOnce: DefaultBacklogAtOnce, &l.BacklogRate: DefaultBacklogRate,
		&l.PerTerminal: DefaultPerTerminal,
	} {
		if *value <= 0 {
			*value = otherwise
		}
	}
	if l.LongestSlot <= 0 || l.LongestSlot > wire.MaxSlot {
		l.LongestSlot = DefaultLongestSlot
	}
	return l
}

// Busy refuses a batch for now: nothing of it is stored, and the terminal comes again After.
type Busy struct {
	Lane  Lane
	After time.Duration
}

// Error implements error.
func (b *Busy) Error() string { return b.Unwrap().Error() }

// Unwrap gives the coded fault.
func (b *Busy) Unwrap() error {
	return fault.New(fault.RateLimited, "the backend takes in what others gathered: come again at the time given")
}

// RetryAfter is when to come again.
func (b *Busy) RetryAfter() time.Duration { return b.After }

// Admission lets batches in, each lane up to its limit, and gives the others a slot: the
// terminals' slots are spread by a hash of their names over the time that the reported
// backlog needs at the rate at which it was taken in lately. So terminals that all come back
// at once are not told to come back at once again, and none has to be remembered for its
// slot. It is safe for concurrent use.
type Admission struct {
	limits Limits
	now    func() time.Time

	mu       sync.Mutex
	inside   map[Lane]int
	of       map[seat]int // batches inside, by lane and terminal
	rate     rate
	reported map[string]*list.Element // by terminal
	order    *list.List               // of report, those told longest ago first
	waiting  int                      // records of all reports
}

type seat struct {
	lane     Lane
	terminal string
}

type report struct {
	terminal string
	records  int
	at       time.Time
}

// NewAdmission makes an Admission by the clock now.
func NewAdmission(l Limits, now func() time.Time) *Admission {
	return &Admission{limits: l.complete(), now: now, inside: map[Lane]int{}, of: map[seat]int{}, reported: map[string]*list.Element{}, order: list.New()}
}

// Lane tells which lane a batch belongs to.
func (a *Admission) Lane(b wire.Batch) Lane {
	if b.Behind == 0 && len(b.Records) <= a.limits.LiveRecords {
		return Live
	}
	return Backlog
}

// Ask answers *Busy where there is no room for a batch of a terminal that says how many
// records wait at it, those of the batch included. Nothing is kept free for it.
func (a *Admission) Ask(terminal string, total int) error {
	if total <= a.limits.LiveRecords {
		return nil // it may be of the live lane, and what is not is seen when it was read
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.room(Backlog, terminal, total)
}

// room tells whether a batch may come in now. The caller holds mu.
func (a *Admission) room(lane Lane, terminal string, total int) error {
	now := a.now()
	limit := a.limits.LiveAtOnce
	if lane == Backlog {
		limit = a.limits.BacklogAtOnce
		a.report(terminal, total, now)
	}
	if a.of[seat{lane, terminal}] >= a.limits.PerTerminal {
		return &Busy{Lane: lane, After: a.slot(Live, terminal, now)} // its own batches are inside
	}
	if a.inside[lane] >= limit {
		return &Busy{Lane: lane, After: a.slot(lane, terminal, now)}
	}
	return nil
}

// Enter lets a batch in or answers *Busy. total is how many records wait at the terminal,
// those of the batch too. The caller calls leave once, with how many records were taken and
// how many wait still.
func (a *Admission) Enter(lane Lane, terminal string, total int) (leave func(taken, left int), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.room(lane, terminal, total); err != nil {
		return nil, err
	}
	a.inside[lane]++
	a.of[seat{lane, terminal}]++
	if lane == Backlog {
		a.rate.pass(a.now(), a.inside[lane] > 1)
	}
	return func(taken, left int) { a.leave(lane, terminal, taken, left) }, nil
}

func (a *Admission) leave(lane Lane, terminal string, taken, left int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.inside[lane]--
	if at := (seat{lane, terminal}); a.of[at] > 1 {
		a.of[at]--
	} else {
		delete(a.of, at)
	}
	if lane != Backlog {
		return
	}
	now := a.now()
	a.rate.pass(now, true)
	a.rate.count += float64(taken)
	if taken > 0 {
		a.report(terminal, left, now)
	}
}

// slot is when the terminal comes again: a fraction of the window that is its own.
func (a *Admission) slot(lane Lane, terminal string, now time.Time) time.Duration {
	window := liveSlot
	if lane == Backlog {
		window = time.Duration(float64(a.waiting) / a.perSecond(now) * float64(time.Second))
		window = min(window, a.limits.LongestSlot)
	}
	return min(shortestSlot+time.Duration(fraction(terminal)*float64(window)), a.limits.LongestSlot)
}

func (a *Admission) perSecond(now time.Time) float64 {
	reckoned := float64(a.limits.BacklogRate)
	a.rate.pass(now, a.inside[Backlog] > 0)
	if r, ok := a.rate.perSecond(); ok {
		return max(r, slowest*reckoned)
	}
	return reckoned
}

// fraction gives each terminal its place between 0 and 1.
func fraction(terminal string) float64 {
	sum := sha256.Sum256([]byte("madoguchi slot " + terminal))
	return float64(binary.BigEndian.Uint64(sum[:8])>>11) / (1 << 53)
}

// report notes how many records wait at the terminal, and forgets reports that are old or
// too many.
func (a *Admission) report(terminal string, records int, now time.Time) {
	if e, ok := a.reported[terminal]; ok {
		a.drop(e)
	}
	if records = min(records, maxReport); records > 0 {
		a.reported[terminal] = a.order.PushBack(report{terminal, records, now})
		a.waiting += records
	}
	for e := a.order.Front(); e != nil; e = a.order.Front() {
		if r := e.Value.(report); a.order.Len() <= maxReported && now.Sub(r.at) < forgetAfter {
			return
		}
		a.drop(e)
	}
}

func (a *Admission) drop(e *list.Element) {
	r := a.order.Remove(e).(report)
	delete(a.reported, r.terminal)
	a.waiting -= r.records
}

// Inside tells how many batches of the lane are being taken in.
func (a *Admission) Inside(lane Lane) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.inside[lane]
}

// Reported tells how many records wait at terminals that were told to come again, or said
// that more follow, and at what rate the backlog is taken in.
func (a *Admission) Reported() (records int, perSecond float64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.waiting, a.perSecond(a.now())
}

// rate measures how many records a second are taken in while the backlog is worked on: what
// comes in slowly because little is sent says nothing of how fast it could. Work and records
// fade with the time that passes, in rateWindow to a third. The zero rate knows nothing.
type rate struct {
	last  time.Time
	work  float64 // seconds with a batch inside
	count float64 // records taken in them
}

// pass lets the time until now fade; working tells whether a batch was inside meanwhile.
func (r *rate) pass(now time.Time, working bool) {
	d := now.Sub(r.last)
	first := r.last.IsZero()
	if d <= 0 && !first {
		return
	}
	r.last = now
	if first {
		return
	}
	keep := math.Exp(-float64(d) / float64(rateWindow))
	r.work *= keep
	r.count *= keep
	if working {
		r.work += d.Seconds() // whole, as what was taken in it counts whole
	}
}

// perSecond is false until rateLeast of work was seen lately.
func (r *rate) perSecond() (float64, bool) {
	if r.work < rateLeast.Seconds() {
		return 0, false
	}
	return r.count / r.work, true
}
