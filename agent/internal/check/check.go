// Package check is the receptionist's act: from what is typed or scanned to a recorded
// result, and from a late answer to a task on the patient's row.
//
// It promises that a check is durable before anything is sent, that the numbers leave it
// only sealed to the payer, and that nothing without an answer ever reads as invalid.
package check

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/uplink"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/charge"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// Queue is the offline queue, as far as the desk needs it.
type Queue interface {
	NewID() (string, error)
	Fates(ctx context.Context, ids []string) (map[string]queue.Fate, error)
	AppendWith(ctx context.Context, d queue.Draft, build func(wire.Record) (json.RawMessage, []vault.Put, error)) (wire.Record, error)
	SaveAnswers(ctx context.Context, cursor uint64, puts []vault.Put) error
	Stats() queue.Stats
}

// Bookings know what the evening's check said. precheck.Precheck is one.
type Bookings interface {
	// Known gives the last known word about a booked patient; nil where there is none, or it
	// has expired.
	Known(ctx context.Context, who Booked) (*casebook.Known, error)
}

// Booked is by what a booked patient is found: the birth date and the kana, or the numbers.
type Booked struct {
	VisitDay  civil.Date
	BirthDate civil.Date
	Kana      string
	Insurer   string
	Number    string
}

// LogValue masks all of it.
func (Booked) LogValue() slog.Value { return slog.StringValue("***") }

// Config is what a Desk is made of. What is not said to have a default must be set.
type Config struct {
	Queue   Queue
	Book    *casebook.Book
	Profile func() profile.Profile                               // the newest profile that the terminal has
	Line    func() uplink.Line                                   // how the line is now
	Kick    func()                                               // tells the uplink that there is work
	Seal    func(recipient string, plain []byte) ([]byte, error) // age, to a payer
	Open    func(sealed []byte) ([]byte, error)                  // age, with the terminal's identity
	Now     func() time.Time
	// Online is the clinic's own 資格確認端末; nil where the office has none.
	Online Asker
	// Route says who is asked; nil: the clinic's own terminal where there is one, else the payer.
	Route func() eligibility.Route
	// Open hours of the clinic's own terminal; nil: always.
	Hours func(time.Time) bool
	// Charges are the shares to charge while nothing can be checked; zero: charge.Shipped.
	Charges charge.Table
	// Bookings know the last word about booked patients; nil: none is known.
	Bookings Bookings
	// Shelf gives the vault's shelf of a name, for what is put aside; nil: it is kept in memory.
	Shelf func(name string) casebook.Shelf
	// CopyOrder is the receipt computer's order of fields; empty: CopyFields.
	CopyOrder []string
	// Rejected is told about answers that could not be opened or read; it gets the
	// record's handle and the cause, never the content.
	Rejected func(recordID string, cause error)
}

// Desk is one terminal's reception desk. It is safe for concurrent use.
type Desk struct {
	Config
	mu       sync.RWMutex // held shared while a case is born, exclusively while cases change
	watchers map[chan struct{}]struct{}
	watch    sync.Mutex
}

// New makes a Desk.
func New(c Config) *Desk { return &Desk{Config: c, watchers: map[chan struct{}]struct{}{}} }

// Record checks what was typed, seals it to the payer and stores it with its row in one
// durable commit, then wakes the uplink. It never waits for the network.
//
// Doubts come back, and nothing is stored, unless the entry overrides them. Errors are
// faults whose Place is the field: InvalidArgument, MyNumberRefused, Forbidden (the
// terminal's class), QueueFull, and Unavailable with the Place PlaceClock or PlacePayer.
func (d *Desk) Record(ctx context.Context, e Entry) (casebook.Case, []Doubt, error) {
	p := d.Profile()
	if !p.Class.MayCheckInsurance() {
		return casebook.Case{}, nil, fault.New(fault.Forbidden, "terminals of this class may not ask for insurance numbers")
	}
	if len(p.Payers) == 0 {
		return casebook.Case{}, nil, fault.At(fault.Unavailable, PlacePayer, "this terminal's profile names no payer yet: connect it once")
	}
	now := d.Now()
	if now.Year() < firstYear {
		return casebook.Case{}, nil, fault.At(fault.Unavailable, PlaceClock, "the terminal's clock is years behind: set it first")
	}
	c, doubts, err := e.read(civil.In(now))
	if err != nil || (len(doubts) > 0 && !e.Override) {
		return casebook.Case{}, doubts, err
	}
	c.RecordedAt, c.State, c.Cause = now.UTC(), eligibility.Queued, causeOf(d.Line())
	payer := p.Payers[0]
	draft := queue.Draft{Kind: wire.KindEligibilityCheck, At: now}
	if err := d.append(ctx, draft, &c, func(r wire.Record) (json.RawMessage, []vault.Put, error) {
		return d.compose(&c, e.OperatorID, payer, r)
	}); err != nil {
		return casebook.Case{}, nil, err
	}
	d.Kick()
	d.changed()
	time.AfterFunc(d.answerTimeout(), d.changed) // the row then says that the answer is late
	return c, nil, nil
}

// firstYear is before any check can have been made; an older clock has lost its battery.
const firstYear = 2020

// The places of faults that lie with the terminal and not with a field.
const (
	PlaceClock = "clock"
	PlacePayer = "payer"
)

// append stores the record with its row. The backend's word on it may come before this
// returns; Settled and Take then wait until the book knows the case. A caller that leaves
// does not stop a write under way: the record would be there and its row unknown. An
// outcome that is not known is asked for once more, under the same ID.
func (d *Desk) append(ctx context.Context, draft queue.Draft, c *casebook.Case, build func(wire.Record) (json.RawMessage, []vault.Put, error)) error {
	if err := ctx.Err(); err != nil {
		return fault.Wrap(fault.Unavailable, err, "gave up before anything was stored")
	}
	ctx = context.WithoutCancel(ctx)
	var err error
	if draft.ID, err = d.Queue.NewID(); err != nil {
		return fault.Wrap(fault.Unavailable, err, "cannot make an id")
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	_, err = d.Queue.AppendWith(ctx, draft, build)
	if fault.CodeOf(err) == fault.Unknown {
		_, err = d.Queue.AppendWith(ctx, draft, build)
		d.Book.Unsure()
	}
	if err != nil {
		return err
	}
	d.Book.Written(*c)
	return nil
}

// compose builds the record's body and the row that rides in its commit.
func (d *Desk) compose(c *casebook.Case, operator string, payer profile.Payer, r wire.Record) (json.RawMessage, []vault.Put, error) {
	c.RecordID, c.Inquiry.RecordID = r.ID, r.ID
	plain, err := c.Inquiry.Encode()
	if err != nil {
		return nil, nil, err
	}
	sealed, err := d.Seal(payer.Recipient, plain)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot seal the inquiry to the payer: %w", err)
	}
	body, err := json.Marshal(wire.EligibilityCheck{
		Payer: payer.ID, VisitDay: c.VisitDay, Cause: string(c.Cause), Evidence: string(c.Evidence),
		Operator: operator, Sealed: sealed,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("cannot encode the check: %w", err)
	}
	row, err := casebook.Encode(*c)
	return body, []vault.Put{{Shelf: casebook.ShelfName, Key: c.RecordID, Value: row}}, err
}

// RecordVerification queues the fact that a certificate was verified: format, outcome and
// day, and nothing of its holder.
func (d *Desk) RecordVerification(ctx context.Context, format, outcome string) error {
	now := d.Now()
	body, err := json.Marshal(wire.CertificateVerification{Format: format, Outcome: outcome, Day: civil.In(now)})
	if err != nil {
		return fmt.Errorf("cannot encode the verification: %w", err)
	}
	_, err = d.Queue.AppendWith(ctx, queue.Draft{Kind: wire.KindCertificateVerification, At: now},
		func(wire.Record) (json.RawMessage, []vault.Put, error) { return body, nil, nil })
	if err == nil {
		d.Kick()
		d.changed()
	}
	return err
}

func causeOf(l uplink.Line) eligibility.Cause {
	switch {
	case l.Up:
		return eligibility.CauseNone
	case l.Since.IsZero():
		return eligibility.CauseOursBefore
	default:
		return eligibility.CauseLineBefore
	}
}

// Settled takes the backend's word on a batch: accepted checks are now on their way to an
// answer, refused ones become tasks. All rows change in one commit.
func (d *Desk) Settled(ctx context.Context, r wire.Receipt) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var told []casebook.Case
	for _, res := range r.Results {
		c, ok, err := d.Book.Get(ctx, res.ID)
		if err != nil {
			return err
		}
		if ok && d.told(&c, res.Status, res.Code) {
			told = append(told, c)
		}
	}
	if err := d.Book.Put(ctx, told...); err != nil {
		return err
	}
	d.changed()
	return nil
}

// told changes a case by the backend's word on its record, and tells whether it did. The
// first word counts, but for a refusal: a record that the backend forgot and then refuses
// will never be answered.
func (d *Desk) told(c *casebook.Case, status wire.Status, code string) bool {
	now := d.Now().UTC()
	switch status {
	case wire.Accepted, wire.Duplicate:
		if c.State != eligibility.Queued {
			return false
		}
		c.State, c.SentAt = eligibility.Sent, now
	case wire.Rejected, wire.Conflict:
		if c.State != eligibility.Queued && c.State != eligibility.Sent {
			return false
		}
		c.State, c.Refusal = eligibility.Refused, code
		c.Task = &casebook.Task{Kind: casebook.TaskRefused, RaisedAt: now}
	default:
		return false
	}
	return true
}

// RefusalDamaged is the Refusal of a case whose record can not be read any more and so was
// never sent.
const RefusalDamaged = "damaged"

// Reconcile brings rows up to what the queue knows of their records: a row that waits for
// a record which was settled, or lost to a damaged disk, would wait for ever.
func (d *Desk) Reconcile(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	ids, err := d.Book.IDs(ctx, func(c *casebook.Case) bool {
		return c.State == eligibility.Queued || c.State == eligibility.Sent
	})
	if err != nil || len(ids) == 0 {
		return err
	}
	fates, err := d.Queue.Fates(ctx, ids)
	if err != nil {
		return err
	}
	var told []casebook.Case
	for id, f := range fates {
		switch {
		case f.Waiting:
			continue
		case f.Damaged:
			f.Status, f.Code = wire.Rejected, RefusalDamaged
		case f.Gone():
			f.Status = wire.Accepted
		}
		c, ok, err := d.Book.Get(ctx, id)
		if err != nil {
			return err
		}
		if ok && d.told(&c, f.Status, f.Code) {
			told = append(told, c)
		}
	}
	if len(told) == 0 {
		return nil
	}
	if err := d.Book.Put(ctx, told...); err != nil {
		return err
	}
	d.changed()
	return nil
}

// Take opens sealed answers, puts each on its case and saves the cursor in the same
// commit, so that an answer is neither lost nor taken twice. An answer that cannot be
// opened or is for another record is told to Rejected and passed over.
func (d *Desk) Take(ctx context.Context, answers []wire.Answer, cursor uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var puts []vault.Put
	var taken []casebook.Case
	for _, a := range answers {
		c, err := d.answered(ctx, a)
		if err != nil {
			d.Rejected(a.RecordID, err)
			continue
		}
		row, err := casebook.Encode(c)
		if err != nil {
			return err
		}
		puts = append(puts, vault.Put{Shelf: casebook.ShelfName, Key: c.RecordID, Value: row})
		taken = append(taken, c)
	}
	if err := d.Queue.SaveAnswers(ctx, cursor, puts); err != nil {
		d.Book.Unsure()
		return err
	}
	d.Book.Written(taken...)
	d.changed()
	return nil
}

func (d *Desk) answered(ctx context.Context, sealed wire.Answer) (casebook.Case, error) {
	c, ok, err := d.Book.Get(ctx, sealed.RecordID)
	if err != nil {
		return c, err
	}
	if !ok {
		return c, fault.New(fault.NotFound, "there is no case for this answer")
	}
	if sealed.Code != "" { // the payer could not read the inquiry: no word, a person looks
		c.State, c.Refusal = eligibility.Refused, sealed.Code
		c.Task = &casebook.Task{Kind: casebook.TaskRefused, RaisedAt: d.Now().UTC()}
		return c, nil
	}
	plain, err := d.Open(sealed.Sealed)
	if err != nil {
		return c, fmt.Errorf("cannot open the answer: %w", err)
	}
	answer, err := eligibility.ParseAnswer(plain)
	if err != nil {
		return c, err
	}
	if answer.RecordID != c.RecordID || answer.VisitDay != c.VisitDay {
		return c, fault.New(fault.Conflict, "the answer is for another record or another day")
	}
	c.State, c.Answer, c.AnsweredAt = eligibility.Answered, &answer, d.Now().UTC()
	if diff := eligibility.Compare(c.Assumed, answer); len(diff) > 0 && !c.Task.Open() {
		c.Task = &casebook.Task{Kind: casebook.TaskDiffers, Differences: diff, RaisedAt: d.Now().UTC()}
	}
	return c, nil
}

// CloseTask notes that the operator has looked at the case's task. Closing twice changes
// nothing.
func (d *Desk) CloseTask(ctx context.Context, recordID, operator string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok, err := d.Book.Get(ctx, recordID)
	if err != nil {
		return err
	}
	if !ok {
		return fault.New(fault.NotFound, "there is no such case")
	}
	if !c.Task.Open() {
		return nil
	}
	c.Task.ClosedAt, c.Task.ClosedBy = d.Now().UTC(), operator
	if err := d.Book.Put(ctx, c); err != nil {
		return err
	}
	d.changed()
	return nil
}

// Case gives one case as the desk shows it now.
func (d *Desk) Case(ctx context.Context, recordID string) (View, error) {
	c, ok, err := d.Book.Get(ctx, recordID)
	if err != nil {
		return View{}, err
	}
	if !ok {
		return View{}, fault.New(fault.NotFound, "there is no such case")
	}
	return d.view(c), nil
}

// Today lists the cases recorded or visited today, those that wait for an answer or a
// person, however old, and those of days to come, which a clock set back leaves: tasks first, then newest first, at most MaxRows. more tells how
// many there are beside these.
func (d *Desk) Today(ctx context.Context) (rows []View, more int, err error) {
	today := civil.In(d.Now())
	cases, _, err := d.Book.Select(ctx, func(c casebook.Case) bool {
		return !c.Closed() || !c.VisitDay.Before(today) || !civil.In(c.RecordedAt).Before(today)
	})
	if err != nil {
		return nil, 0, err
	}
	slices.SortStableFunc(cases, func(a, b casebook.Case) int {
		switch {
		case a.Task.Open() == b.Task.Open():
			return 0
		case a.Task.Open():
			return -1
		default:
			return 1
		}
	})
	shown := cases[:min(len(cases), MaxRows)]
	for _, c := range shown {
		rows = append(rows, d.view(c))
	}
	return rows, len(cases) - len(shown), nil
}

// MaxRows is how many rows the list shows at once. A day at a clinic has fewer.
const MaxRows = 200

// Watch gives a channel that receives after changes. Call the second result when done.
// Changes that come while one is waiting are folded into it.
func (d *Desk) Watch() (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	d.watch.Lock()
	d.watchers[ch] = struct{}{}
	d.watch.Unlock()
	return ch, func() {
		d.watch.Lock()
		delete(d.watchers, ch)
		d.watch.Unlock()
	}
}

// Changed tells the watchers that something outside the desk changed, such as the line.
func (d *Desk) Changed() { d.changed() }

func (d *Desk) changed() {
	d.watch.Lock()
	defer d.watch.Unlock()
	for ch := range d.watchers {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}
