// Package uplink carries the queue to the backend and the answers back.
//
// It promises: records go in the queue's order; none is settled without the backend's
// word on that very record; what fails is tried again, with full jitter between a base
// and a cap, or at once when there is new work; an answer is asked for again until the
// handler has stored it together with the cursor. It never says that all is synced while
// anything waits.
package uplink

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"math/bits"
	"sync"
	"time"

	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// Defaults of Config.
const (
	DefaultBase     = time.Second
	DefaultCap      = 5 * time.Minute
	DefaultLongPoll = 25 * time.Second
	DefaultTrim     = 6 * time.Hour
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

// Queue is what the uplink needs of the offline queue.
type Queue interface {
	Peek(ctx context.Context, maxRecords, maxBytes int) ([]wire.Record, error)
	Settle(ctx context.Context, receipt wire.Receipt) error
	MarkAnswered(ctx context.Context, ids ...string) error
	Cursor() uint64
	Trim(ctx context.Context) (removed int, err error)
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

	Base, Cap time.Duration // of the wait after failures
	LongPoll  time.Duration // how long the backend may hold a question for answers
	TrimEvery time.Duration // how often old accepted records are removed
}

// Uplink is the sync loop. Its methods are safe for concurrent use.
type Uplink struct {
	Config
	send wake // new work, or the line came back
	poll wake // the line came back
	most int  // records of the next batch, at most; the send loop's own

	mu   sync.Mutex
	line Line
}

// New makes an Uplink. It does nothing until Run.
func New(c Config) *Uplink {
	c.Base = or(c.Base, DefaultBase)
	c.Cap = or(c.Cap, DefaultCap)
	c.LongPoll = or(c.LongPoll, DefaultLongPoll)
	c.TrimEvery = or(c.TrimEvery, DefaultTrim)
	return &Uplink{Config: c, send: make(wake, 1), poll: make(wake, 1), most: wire.MaxBatchRecords}
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
	wg.Go(func() { u.trimLoop(ctx) })
	wg.Wait()
	return nil
}

// sendLoop sends batches while anything waits, then sleeps until it is kicked.
func (u *Uplink) sendLoop(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		more, after, err := u.sendOnce(ctx)
		switch {
		case err != nil || (more && after > 0):
			u.send.wait(ctx, max(u.backoff(failures), after), u.Base)
			failures++
		case more:
			failures = 0
		default:
			failures = 0
			u.send.wait(ctx, 0, 0)
		}
	}
}

// sendOnce sends one batch. more tells that records still wait; after, that the backend
// wants to be left alone for so long (at least, whenever it kept nothing of the batch).
func (u *Uplink) sendOnce(ctx context.Context) (more bool, after time.Duration, err error) {
	records, err := u.Queue.Peek(ctx, u.most, wire.BatchBudget)
	if err != nil {
		u.complain(ctx, "the queue cannot be read", err)
		return true, 0, err
	}
	if len(records) == 0 {
		return false, 0, nil
	}
	receipt, err := u.Backend.Send(ctx, wire.Batch{Records: records})
	u.heard(ctx, err)
	u.size(len(records), err)
	if err != nil {
		return true, retryAfter(err), err
	}
	receipt, settled := matching(records, receipt)
	if err := u.Handler.Settled(ctx, receipt); err != nil {
		u.complain(ctx, "the desk could not store the backend's word", err)
		return true, 0, err
	}
	if err := u.Queue.Settle(ctx, receipt); err != nil {
		u.complain(ctx, "the queue could not store the backend's word", err)
		return true, 0, err
	}
	if settled == 0 {
		return true, max(time.Duration(receipt.RetryAfterMS)*time.Millisecond, time.Millisecond), nil
	}
	return true, time.Duration(receipt.RetryAfterMS) * time.Millisecond, nil
}

// size halves the next batch after one that was refused as a whole for what is in it, so
// that one record, or a proxy's limit, does not hold up all others for ever.
func (u *Uplink) size(sent int, err error) {
	switch fault.CodeOf(err) {
	case fault.TooLarge, fault.InvalidArgument:
		u.most = max(sent/2, 1)
	case "":
		u.most = min(u.most*2, wire.MaxBatchRecords)
	}
}

// matching keeps the results that are about the records sent, and counts the final ones.
// A record that the receipt does not name counts as Retry.
func matching(records []wire.Record, receipt wire.Receipt) (wire.Receipt, int) {
	sent := make(map[string]bool, len(records))
	for _, r := range records {
		sent[r.ID] = true
	}
	settled := 0
	kept := make([]wire.Result, 0, len(receipt.Results))
	for _, res := range receipt.Results {
		if !sent[res.ID] {
			continue
		}
		delete(sent, res.ID) // a second word on the same record is not listened to
		kept = append(kept, res)
		if res.Status != wire.Retry {
			settled++
		}
	}
	receipt.Results = kept
	return receipt, settled
}

// pollLoop asks for answers, one question after the other.
func (u *Uplink) pollLoop(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		err := u.pollOnce(ctx)
		if err == nil {
			failures = 0
			continue
		}
		u.poll.wait(ctx, max(u.backoff(failures), retryAfter(err)), u.Base)
		failures++
	}
}

func (u *Uplink) pollOnce(ctx context.Context) error {
	after := u.Queue.Cursor()
	asked := u.Now()
	wait := u.LongPoll
	if !u.Line().Up {
		wait = 0 // a held question would leave the desk in doubt about the line for as long
	}
	page, err := u.Backend.Answers(ctx, after, wait)
	u.heard(ctx, err)
	if err != nil {
		return err
	}
	fresh, ids := page.Answers[:0:0], []string(nil)
	for _, a := range page.Answers {
		if a.Cursor > after {
			fresh, ids = append(fresh, a), append(ids, a.RecordID)
		}
	}
	if len(fresh) == 0 {
		if u.Now().Sub(asked) < u.LongPoll/2 {
			u.poll.wait(ctx, u.Base, u.Base) // a backend that does not hold the question is not asked in a circle
		}
		return nil
	}
	if err := u.Queue.MarkAnswered(ctx, ids...); err != nil {
		u.complain(ctx, "the queue could not note answers", err)
		return err
	}
	if err := u.Handler.Take(ctx, fresh, max(page.Cursor, fresh[len(fresh)-1].Cursor)); err != nil {
		u.complain(ctx, "the desk could not store answers", err)
		return err
	}
	return nil
}

func (u *Uplink) trimLoop(ctx context.Context) {
	never := make(wake)
	for ctx.Err() == nil {
		if n, err := u.Queue.Trim(ctx); err != nil {
			u.complain(ctx, "old records could not be removed", err)
		} else if n > 0 {
			u.Log.InfoContext(ctx, "old accepted records removed", "records", n)
		}
		never.wait(ctx, u.TrimEvery, u.TrimEvery)
	}
}

// heard notes what a call says about the line, and wakes the loop that waits when the
// line comes back.
func (u *Uplink) heard(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // the program ends; that says nothing about the line
	}
	now, code := u.Now(), fault.CodeOf(err)
	u.mu.Lock()
	was := u.line
	u.line.Reason = code
	u.line.Up = code != fault.Unavailable
	if u.line.Up {
		u.line.LastContact = now
	}
	if u.line.Up != was.Up || was.Since.IsZero() {
		u.line.Since = now
	}
	is := u.line
	u.mu.Unlock()
	if is.Up == was.Up && is.Reason == was.Reason && !was.Since.IsZero() {
		return
	}
	u.Log.InfoContext(ctx, "line changed", "up", is.Up, "reason", string(is.Reason))
	if is.Up && !was.Up {
		u.send.kick()
		u.poll.kick()
	}
	if u.OnLine != nil {
		u.OnLine(is)
	}
}

func (u *Uplink) complain(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		u.Log.ErrorContext(ctx, what, "error", err)
	}
}

// backoff is full jitter: anything from nothing to the base doubled with each failure, up
// to the cap.
func (u *Uplink) backoff(failures int) time.Duration {
	ceiling := u.Cap
	if failures < 32 {
		ceiling = min(u.Cap, u.Base<<failures)
	}
	if ceiling <= 0 {
		ceiling = u.Cap
	}
	var b [8]byte
	if _, err := io.ReadFull(u.Rand, b[:]); err != nil {
		return ceiling
	}
	share, _ := bits.Mul64(binary.BigEndian.Uint64(b[:]), uint64(ceiling)) // a fair share of ceiling
	return time.Duration(share) + 1
}

// RetryAfter is in the chain of an error whose sender asked to be left alone for a while.
type RetryAfter interface{ RetryAfter() time.Duration }

// MaxRetryAfter bounds what a backend can ask for.
const MaxRetryAfter = time.Hour

func retryAfter(err error) time.Duration {
	var r interface {
		error
		RetryAfter
	}
	if errors.As(err, &r) {
		return min(max(r.RetryAfter(), 0), MaxRetryAfter)
	}
	return 0
}

// wake is a signal that is remembered once.
type wake chan struct{}

func (w wake) kick() {
	select {
	case w <- struct{}{}:
	default:
	}
}

// wait returns after d (never, if d is 0), when ctx ends, or when it is kicked, but then
// not before atLeast has passed, so that kicks cannot make a storm of failing calls.
func (w wake) wait(ctx context.Context, d, atLeast time.Duration) {
	var timer <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		timer = t.C
	}
	var floor <-chan time.Time
	if atLeast > 0 {
		t := time.NewTimer(atLeast)
		defer t.Stop()
		floor = t.C
	}
	select {
	case <-ctx.Done():
		return
	case <-timer:
		return
	case <-w:
	}
	if floor == nil {
		return
	}
	select {
	case <-ctx.Done():
	case <-timer:
	case <-floor:
	}
}
