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
	// BacklogRate is how many records of the backlog a second are reckoned with until a rate
	// was measured.
	BacklogRate int
	// LongestSlot bounds how far away a slot may be.
	LongestSlot time.Duration
}

// The defaults of Limits.
const (
	DefaultLiveRecords   = wire.LiveRecords
	DefaultLiveAtOnce    = 64
	DefaultBacklogAtOnce = 4
	DefaultBacklogRate   = 2_000
	DefaultLongestSlot   = 6 * time.Hour
)

const (
	shortestSlot = time.Second
	liveSlot     = 5 * time.Second // within it a refused live batch comes again
	rateWindow   = 30 * time.Second
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
	} {
		if *value <= 0 {
			*value = otherwise
		}
	}
	if l.LongestSlot <= 0 {
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
	rate     rate
	reported map[string]*list.Element // by terminal
	order    *list.List               // of report, those told longest ago first
	waiting  int                      // records of all reports
}

type report struct {
	terminal string
	records  int
	at       time.Time
}

// NewAdmission makes an Admission by the clock now.
func NewAdmission(l Limits, now func() time.Time) *Admission {
	return &Admission{limits: l.complete(), now: now, inside: map[Lane]int{}, reported: map[string]*list.Element{}, order: list.New()}
}

// Lane tells which lane a batch belongs to.
func (a *Admission) Lane(b wire.Batch) Lane {
	if b.Behind == 0 && len(b.Records) <= a.limits.LiveRecords {
		return Live
	}
	return Backlog
}

// Enter lets a batch in or answers *Busy. total is how many records wait at the terminal,
// those of the batch too. The caller calls leave once, with how many records were taken and
// how many wait still.
func (a *Admission) Enter(lane Lane, terminal string, total int) (leave func(taken, left int), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	limit := a.limits.LiveAtOnce
	if lane == Backlog {
		limit = a.limits.BacklogAtOnce
		a.report(terminal, total, now)
	}
	if a.inside[lane] >= limit {
		return nil, &Busy{Lane: lane, After: a.slot(lane, terminal, now)}
	}
	a.inside[lane]++
	return func(taken, left int) { a.leave(lane, terminal, taken, left) }, nil
}

func (a *Admission) leave(lane Lane, terminal string, taken, left int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.inside[lane]--
	if lane == Backlog && taken > 0 {
		now := a.now()
		a.rate.add(now, taken)
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
	return shortestSlot + time.Duration(fraction(terminal)*float64(window))
}

func (a *Admission) perSecond(now time.Time) float64 {
	if r := a.rate.perSecond(now); r > 0 {
		return r
	}
	return float64(a.limits.BacklogRate)
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
	if records > 0 {
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

// rate measures how many records a second came in lately: a count that halves in about
// two thirds of rateWindow, over the time that stands behind it. The zero rate knows nothing.
type rate struct {
	began, last time.Time
	count       float64
}

func (r *rate) add(now time.Time, n int) {
	if r.began.IsZero() || now.Sub(r.last) > 4*rateWindow {
		*r = rate{began: now, last: now}
	}
	r.decay(now)
	r.count += float64(n)
}

func (r *rate) decay(now time.Time) {
	if d := now.Sub(r.last); d > 0 {
		r.count *= math.Exp(-float64(d) / float64(rateWindow))
		r.last = now
	}
}

// perSecond is 0 until a second was measured, and when nothing came for long.
func (r *rate) perSecond(now time.Time) float64 {
	span := now.Sub(r.began)
	if r.began.IsZero() || span < time.Second || now.Sub(r.last) > 4*rateWindow {
		return 0
	}
	r.decay(now)
	return r.count / (rateWindow.Seconds() * (1 - math.Exp(-float64(span)/float64(rateWindow))))
}
