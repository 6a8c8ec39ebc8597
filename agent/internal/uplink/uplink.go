// Package uplink carries the queue to the backend and the answers back.
//
// It promises: records go in the queue's order; none is settled without the backend's
// word on that very record; what fails is tried again, with full jitter between a base
// and a cap, or at once when there is new work, but never before the time that the backend
// gave; an answer is asked for again until the handler has stored it together with the
// cursor. A receipt whose countersignature is wrong is no answer. Where the backend's store
// was restored, what it forgot is sent again. After an outage one small call goes first,
// and a backlog of more than one batch begins at a random time, so that a region does not
// come back at once. It never says that all is synced while anything waits.
package uplink

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// Defaults of Config.
const (
	DefaultBase     = time.Second
	DefaultCap      = 5 * time.Minute
	DefaultLongPoll = 25 * time.Second
	DefaultTrim     = 6 * time.Hour
	DefaultBeat     = 10 * time.Minute
	DefaultOutage   = 10 * time.Minute
	DefaultOpen     = 5 * time.Second
)

// MaxSpread bounds what a profile can ask for.
const MaxSpread = profile.MaxSpreadMS * time.Millisecond

// tripAfter is how many calls in a row do not reach the backend before all calls rest.
const tripAfter = 5

// Reasons of a Line beside the codes of the backend's own answers.
const (
	// ClockWrong: the line is there, but our clock does not let us trust the backend's
	// certificate.
	ClockWrong fault.Code = "clock_wrong"
	// ReceiptUntrusted: a receipt's countersignature is not the backend's.
	ReceiptUntrusted fault.Code = "receipt_untrusted"
)

// Backend is the other end. An error with fault.Unavailable means that it could not be
// reached or cannot work now; any other code means that it spoke.
type Backend interface {
	// Send delivers a batch and gives the backend's word on each of its records. Version,
	// Terminal and SentAt are the Backend's to fill in.
	Send(ctx context.Context, b wire.Batch) (wire.Receipt, error)
	// Answers gives the answers after cursor, waiting up to wait for one to come.
	Answers(ctx context.Context, after uint64, wait time.Duration) (wire.Answers, error)
}

// Queue is what the uplink needs of the offline queue; *queue.Queue is one.
type Queue interface {
	Epoch() string
	Pending() int
	Peek(ctx context.Context, maxRecords, maxBytes int) ([]wire.Record, error)
	// Settle keeps the backend's word, and of a verified receipt the server epoch and marks.
	Settle(ctx context.Context, receipt wire.Receipt) error
	// Confirmed is what the backend last countersigned.
	Confirmed() queue.Confirmed
	// Reopen lets records wait again that a restored backend forgot.
	Reopen(ctx context.Context, serverEpoch string, marks []wire.Mark) (again int, err error)
	MarkAnswered(ctx context.Context, ids ...string) error
	Cursor() uint64
	// Maintain removes what was kept long enough and gives room back.
	Maintain(ctx context.Context) (queue.Maintained, error)
}

// Handler is the desk's part. Both calls may come again for the same thing.
type Handler interface {
	// Settled is told the backend's word before the queue is; when it fails, the records
	// are sent again and the word comes again (as Duplicate).
	Settled(ctx context.Context, receipt wire.Receipt) error
	// Take stores answers and, in the same commit, the cursor (queue.SaveAnswers). When it
	// fails, the same answers come again.
	Take(ctx context.Context, answers []wire.Answer, cursor uint64) error
}

// Line is how the line to the backend is.
type Line struct {
	Up          bool
	Since       time.Time  // when Up last changed; zero while nothing was tried since the start
	LastContact time.Time  // when the backend last answered anything
	Reason      fault.Code // why it is not up, or why it is up and yet refuses; "" when all is well
	ClockBehind bool       // of ClockWrong: our clock is behind the backend's, else ahead of it
	// Until is when records go on that wait for their turn, after an outage of many terminals
	// or where the backend asked for it; zero where they wait for nothing.
	Until time.Time
	// Cloned: the backend has a history under this terminal's name that is not of this machine.
	// A copy of its disk is in use, or this is the copy. It goes away with the next beat after
	// the queue began another epoch.
	Cloned bool
}

// Config is what an Uplink is made of. Queue, Backend, Handler, Now, Rand and Log are
// required.
type Config struct {
	Queue   Queue
	Backend Backend
	Handler Handler
	Now     func() time.Time
	Rand    io.Reader
	Log     *slog.Logger
	OnLine  func(Line) // told of each change of Up or Reason; may be nil; must not block

	// Clock tells the run of the operating system and for how long it has been (Boot and
	// MonotonicMS); nil: unknown.
	Clock func() wire.Clock
	// Health gives the signed summary that rides in each batch; nil: none.
	Health func(wire.Clock) (string, error)
	// Spread is the time within which a backlog begins after an outage; nil or 0: at once.
	Spread func() time.Duration
	// Terminal and ReceiptKeys verify marks; without keys none is proven.
	Terminal    string
	ReceiptKeys func() []profile.ReceiptKey
	// UnknownKey is told, at most once in a Beat, that marks name a key that ReceiptKeys does
	// not know: a newer profile does. It may be nil and must not block.
	UnknownKey func()

	Base, Cap time.Duration // of the wait after failures
	Beat      time.Duration // of quiet until a batch without records goes
	Outage    time.Duration // without contact, after which a backlog begins at a random time
	Open      time.Duration // how long all calls rest after tripAfter failures in a row
	LongPoll  time.Duration // how long the backend may hold a question for answers
	TrimEvery time.Duration // how often the queue does what is due
}

// Uplink is the sync loop. Its methods are safe for concurrent use.
type Uplink struct {
	Config
	send    wake // new work, or the line came back
	poll    wake // the line came back
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	turn    turn // the send loop's own

	mu       sync.Mutex // guards what follows
	line     Line
	said     [2]fault.Code // why the backend refused each loop's last call
	contact  time.Time     // the last one, that of an earlier run included
	returned bool          // contact came back after an outage, and the send loop does not know yet
	greet    bool          // the other loop found the line up again, and no beat went since
	measured measure
}

// New makes an Uplink. It does nothing until Run.
func New(c Config) *Uplink {
	c.Base = or(c.Base, DefaultBase)
	c.Cap = or(c.Cap, DefaultCap)
	c.LongPoll = or(c.LongPoll, DefaultLongPoll)
	c.TrimEvery = or(c.TrimEvery, DefaultTrim)
	c.Beat = or(c.Beat, DefaultBeat)
	c.Outage = or(c.Outage, DefaultOutage)
	c.Open = or(c.Open, DefaultOpen)
	return &Uplink{
		Config: c, send: make(wake, 1), poll: make(wake, 1), turn: turn{most: wire.MaxBatchRecords},
		breaker: gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
			Name: "backend", MaxRequests: 1, Timeout: c.Open,
			ReadyToTrip:  func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= tripAfter },
			IsSuccessful: func(err error) bool { return fault.CodeOf(err) != fault.Unavailable },
		}),
		contact: c.Queue.Confirmed().LastAck,
	}
}

func or(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

// Kick tells that there is new work. It never blocks; kicks that come together are one.
func (u *Uplink) Kick() { u.send.kick() }

// Line tells how the line is.
func (u *Uplink) Line() Line {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.line
}

// Run works until ctx ends, and returns when both its loops have. It returns nil.
func (u *Uplink) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { u.sendLoop(ctx) })
	wg.Go(func() { u.pollLoop(ctx) })
	wg.Go(func() { u.upkeepLoop(ctx) })
	wg.Wait()
	return nil
}

// The loops that call the backend, as heard knows them.
const (
	sending = iota
	polling
)

// heard notes what a loop's call says about the line, and wakes the loop that waits when the
// line comes back.
func (u *Uplink) heard(ctx context.Context, loop int, err error) {
	if ctx.Err() != nil {
		return // the program ends; that says nothing about the line
	}
	now := u.Now()
	u.mu.Lock()
	was, is := u.line, u.judge(loop, err)
	if is.Up {
		is.LastContact = now
		u.returned = u.returned || (!was.Up && now.Sub(u.contact) >= u.Outage)
		u.greet = loop == polling && (u.greet || (!was.Up && !was.Since.IsZero()))
		u.contact = now
	}
	if is.Up != was.Up || was.Since.IsZero() {
		is.Since = now
	}
	u.line = is
	u.mu.Unlock()
	if is.Up == was.Up && is.Reason == was.Reason && is.ClockBehind == was.ClockBehind && !was.Since.IsZero() {
		return
	}
	u.Log.InfoContext(ctx, "line changed", "up", is.Up, "reason", string(is.Reason))
	if is.Up && !was.Up {
		u.send.kick()
		u.poll.kick()
	}
	u.tell(is)
}

// judge gives the line as it is after a loop's call. What the backend refused one loop stays
// in sight while the other goes well. The caller holds mu.
func (u *Uplink) judge(loop int, err error) Line {
	is, code := u.line, reason(err)
	is.Up = fault.CodeOf(err) != fault.Unavailable
	is.Reason, is.ClockBehind = code, code == ClockWrong && behind(err)
	u.said[loop] = ""
	if is.Up {
		u.said[loop] = code
		if code == "" {
			is.Reason = u.said[1-loop]
		}
	}
	return is
}

func (u *Uplink) tell(l Line) {
	if u.OnLine != nil {
		u.OnLine(l)
	}
}

// reason gives the word for an error: its code, but for the two that name a place of their own.
func reason(err error) fault.Code {
	switch fault.PlaceOf(err) {
	case "clock":
		return ClockWrong
	case placeReceipt:
		return ReceiptUntrusted
	}
	return fault.CodeOf(err)
}

// cloned notes whether another machine goes under this terminal's name.
func (u *Uplink) cloned(is bool) {
	u.mu.Lock()
	was := u.line.Cloned
	u.line.Cloned = is
	now := u.line
	u.mu.Unlock()
	if is == was {
		return
	}
	if is {
		u.Log.Error("another machine goes under this terminal's name: a copy of its disk is in use")
	}
	u.tell(now)
}

// until says until when records wait for their turn; zero: they do not.
func (u *Uplink) until(t time.Time) {
	u.mu.Lock()
	was := u.line.Until
	u.line.Until = t
	is := u.line
	u.mu.Unlock()
	if !t.Equal(was) {
		u.tell(is)
	}
}

// outage tells whether contact came back after an outage since it was last asked, and
// whether there is an outage now; greet, that the line is up again and a beat shall go.
func (u *Uplink) outage(now time.Time) (over, on, greet bool) {
	on = u.away(now)
	u.mu.Lock()
	defer u.mu.Unlock()
	over, u.returned = u.returned, false
	return over, on, u.greet
}

// away tells whether there is an outage now.
func (u *Uplink) away(now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return !u.line.Up && now.Sub(u.contact) >= u.Outage
}

// call makes a call unless all calls rest.
func (u *Uplink) call(ask func() error) error {
	done, err := u.breaker.Allow()
	if err != nil {
		return errResting
	}
	err = ask()
	done(err)
	return err
}

func (u *Uplink) complain(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		u.Log.ErrorContext(ctx, what, "error", err)
	}
}
