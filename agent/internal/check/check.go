// Package check is the receptionist's act: from what is typed or scanned to a recorded
// result, and from a late answer to a task on the patient's row.
//
// It promises that a check is durable, with its row, before anything is asked; that the
// numbers leave it only for the clinic's own 資格確認端末 or sealed to the payer; that what
// is taken back or corrected stays, pointing to what stands in its place, here and at the
// backend; and that nothing without an answer ever reads as invalid.
package check

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
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
	MarkAnswered(ctx context.Context, ids ...string) error
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
	Branch    string
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
	// Reader tells what is wrong with the card readers, in a word; "" or nil: nothing.
	Reader func() string
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
	chasing  sync.Mutex   // one Chase at a time
	spoke    atomic.Int64 // when the clinic's own terminal last answered, in microseconds
	asking   string       // the record whose question is being written; mu
	newest   newest
	watchers map[chan struct{}]struct{}
	watch    sync.Mutex
}

// New makes a Desk.
func New(c Config) *Desk {
	if c.Shelf == nil {
		c.Shelf = inMemory()
	}
	if c.Rejected == nil {
		c.Rejected = func(string, error) {}
	}
	return &Desk{Config: c, watchers: map[chan struct{}]struct{}{}}
}

// inMemory gives shelves that forget everything with the process.
func inMemory() func(string) casebook.Shelf {
	var mu sync.Mutex
	shelves := map[string]*casebook.Memory{}
	return func(name string) casebook.Shelf {
		mu.Lock()
		defer mu.Unlock()
		if shelves[name] == nil {
			shelves[name] = &casebook.Memory{}
		}
		return shelves[name]
	}
}

// Record checks what was typed and stores it with its row in one durable commit, then wakes
// whoever asks. It never waits for the network. Numbers that a payer is to read are sealed
// to it; where the clinic's own terminal is asked they do not leave the clinic. Evidence
// without numbers is recorded too: View.Need then says what to ask the patient for. With
// Face it records what the face reader told; with Amends it is Amend.
//
// Doubts come back, and nothing is stored, unless the entry overrides them. Errors are
// faults whose Place is the field: InvalidArgument, MyNumberRefused, Forbidden (the
// terminal's class), QueueFull, and Unavailable with the Place PlaceClock or PlacePayer.
func (d *Desk) Record(ctx context.Context, e Entry) (casebook.Case, []Doubt, error) {
	switch {
	case e.Amends != "":
		return d.Amend(ctx, e.Amends, e)
	case e.Face != "":
		c, err := d.recordFace(ctx, e)
		return c, nil, err
	}
	c, doubts, err := d.prepare(ctx, e)
	if err != nil || (len(doubts) > 0 && !e.Override) {
		return casebook.Case{}, doubts, err
	}
	d.mu.RLock()
	err = d.store(ctx, wire.KindEligibilityCheck, c.RecordedAt, func(r wire.Record) (json.RawMessage, []*casebook.Case, error) {
		body, err := d.compose(&c, r)
		return body, []*casebook.Case{&c}, err
	})
	d.mu.RUnlock()
	if err != nil {
		return casebook.Case{}, nil, err
	}
	d.recorded(&c)
	return c, nil, nil
}

// recorded wakes whoever asks and whoever shows.
func (d *Desk) recorded(c *casebook.Case) {
	d.newest.note(c)
	d.Kick()
	d.changed()
	time.AfterFunc(d.answerTimeout(), d.changed) // the row then says that the answer is late
}

// prepare turns an entry into a case that can be stored.
func (d *Desk) prepare(ctx context.Context, e Entry) (casebook.Case, []Doubt, error) {
	if err := d.ready(); err != nil {
		return casebook.Case{}, nil, err
	}
	now := d.Now()
	c, doubts, err := e.read(civil.In(now))
	if err != nil {
		return casebook.Case{}, nil, err
	}
	c.RecordedAt, c.State, c.Route = now.UTC(), eligibility.Recorded, d.route()
	if c.HasNumbers() {
		c.State = eligibility.Queued
		if c.Route == eligibility.RoutePayer && len(d.Profile().Payers) == 0 {
			return casebook.Case{}, nil, fault.At(fault.Unavailable, PlacePayer, "this terminal's profile names no payer yet: connect it once")
		}
	}
	if c.Cause == "" {
		c.Cause = d.cause(&c)
	}
	if err := d.charge(&c, e.Copayment); err != nil {
		return casebook.Case{}, nil, err
	}
	if c.Known, err = d.known(ctx, c); err != nil {
		d.Rejected("", err) // what was known is a help, never a condition
	}
	return c, doubts, nil
}

// ready tells whether this terminal may and can record a check now.
func (d *Desk) ready() error {
	switch {
	case !d.Profile().Class.MayCheckInsurance():
		return fault.New(fault.Forbidden, "terminals of this class may not ask for insurance numbers")
	case d.Now().Year() < firstYear:
		return fault.At(fault.Unavailable, PlaceClock, "the terminal's clock is years behind: set it first")
	}
	return nil
}

// firstYear is before any check can have been made; an older clock has lost its battery.
const firstYear = 2020

// The places of faults that lie with the terminal and not with a field.
const (
	PlaceClock = "clock"
	PlacePayer = "payer"
)

func (d *Desk) route() eligibility.Route {
	switch {
	case d.Route != nil:
		return d.Route()
	case d.Online != nil:
		return eligibility.RouteTerminal
	}
	return eligibility.RoutePayer
}

// charge sets what the patient pays for now: by the table, or what the receptionist chose;
// the rule is named where it says the same.
func (d *Desk) charge(c *casebook.Case, chosen int) error {
	stated := chosen
	if stated == 0 && c.Declared != nil {
		stated = c.Declared.SharePercent
	}
	by, ok := d.table().Choose(charge.Facts{
		VisitDay: c.VisitDay, BirthDate: c.Inquiry.BirthDate, Evidence: c.Evidence, Stated: stated,
	})
	switch {
	case !ok && chosen == 0:
		return fault.At(fault.InvalidArgument, FieldCopayment, "required")
	case !ok || (chosen != 0 && chosen != by.Percent):
		c.Charge = casebook.Charge{Percent: chosen}
	default:
		c.Charge = casebook.Charge{Percent: by.Percent, Rule: by.Rule.ID, Title: by.Rule.Title.JA, Since: by.Rule.ValidFrom, Asked: by.Asked}
	}
	c.Assumed.CopaymentPercent = c.Charge.Percent
	return nil
}

func (d *Desk) table() charge.Table {
	if len(d.Charges.Rules) == 0 {
		return charge.Shipped()
	}
	return d.Charges
}

// Propose gives the share that the table says for what is typed so far, and its rule; ok is
// false while birth date or visit day cannot be read.
func (d *Desk) Propose(e Entry) (c charge.Charge, ok bool) {
	today := civil.In(d.Now())
	r := reader{today: today}
	declared := r.declaration(&e)
	if e.Person != nil && e.BirthDate == "" {
		e.BirthDate = e.Person.BirthDate.String()
	}
	f := charge.Facts{BirthDate: r.birth(e.BirthDate), Evidence: e.Evidence}
	f.VisitDay = r.visit(e.VisitDay, f.BirthDate)
	if declared != nil {
		f.Stated = declared.SharePercent
	}
	if f.BirthDate.IsZero() || f.VisitDay.IsZero() {
		return charge.Charge{}, false
	}
	return d.table().Choose(f)
}

func (d *Desk) known(ctx context.Context, c casebook.Case) (*casebook.Known, error) {
	if d.Bookings == nil {
		return nil, nil
	}
	return d.Bookings.Known(ctx, Booked{
		VisitDay: c.VisitDay, BirthDate: c.Inquiry.BirthDate, Kana: c.Label, Insurer: c.Inquiry.InsurerNumber, Number: c.Inquiry.Number,
		Branch: c.Inquiry.Branch,
	})
}

// store puts one wire record and the rows that go with it on disk in one commit, and tells
// the book. The word on the record may come before this returns: the caller holds mu. A
// caller that leaves does not stop a write under way: the record would be there and its row
// unknown. An outcome that is not known is asked for once more, under the same ID.
func (d *Desk) store(ctx context.Context, kind wire.Kind, at time.Time, build func(wire.Record) (json.RawMessage, []*casebook.Case, error)) error {
	id, err := d.Queue.NewID()
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "cannot make an id")
	}
	return d.storeAs(ctx, queue.Draft{ID: id, Kind: kind, At: at}, nil, build)
}

// storeAs is store for a record whose ID is given, with other puts in the same commit.
func (d *Desk) storeAs(ctx context.Context, draft queue.Draft, also []vault.Put, build func(wire.Record) (json.RawMessage, []*casebook.Case, error)) error {
	if err := ctx.Err(); err != nil {
		return fault.Wrap(fault.Unavailable, err, "gave up before anything was stored")
	}
	ctx = context.WithoutCancel(ctx)
	var rows []*casebook.Case
	with := func(r wire.Record) (json.RawMessage, []vault.Put, error) {
		body, changed, err := build(r)
		if err != nil {
			return nil, nil, err
		}
		rows = changed
		puts, err := encode(rows)
		return body, append(puts, also...), err
	}
	_, err := d.Queue.AppendWith(ctx, draft, with)
	if fault.CodeOf(err) == fault.Unknown {
		if _, again := d.Queue.AppendWith(ctx, draft, with); again == nil {
			err = nil // else it stays unknown, whatever the second attempt says of itself
		}
		for _, c := range rows {
			d.Book.Unsure(c.RecordID)
		}
	}
	if err != nil {
		return err
	}
	for _, c := range rows {
		d.Book.Written(*c)
	}
	return nil
}

func encode(rows []*casebook.Case) ([]vault.Put, error) {
	puts := make([]vault.Put, 0, len(rows)+1)
	for _, c := range rows {
		value, err := casebook.Encode(*c)
		if err != nil {
			return nil, err
		}
		puts = append(puts, vault.Put{Shelf: casebook.ShelfName, Key: c.RecordID, Value: value})
	}
	return puts, nil
}

// compose gives the case the record's ID and builds the record's body. Without numbers
// nobody is asked, so nothing is sealed, whichever way the office asks.
func (d *Desk) compose(c *casebook.Case, r wire.Record) (json.RawMessage, error) {
	c.RecordID, c.Inquiry.RecordID = r.ID, r.ID
	body := wire.EligibilityCheck{
		Route: wire.RouteTerminal, VisitDay: c.VisitDay, Cause: string(c.Cause), Evidence: string(c.Evidence),
		Operator: c.OperatorID, Amends: c.Amends,
	}
	if asksPayer(c) {
		payer := d.Profile().Payers[0]
		plain, err := c.Inquiry.Encode()
		if err != nil {
			return nil, err
		}
		if body.Sealed, err = d.Seal(payer.Recipient, plain); err != nil {
			return nil, fmt.Errorf("cannot seal the inquiry to the payer: %w", err)
		}
		body.Route, body.Payer = "", payer.ID
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the check: %w", err)
	}
	return raw, nil
}

func asksPayer(c *casebook.Case) bool {
	return c.Route == eligibility.RoutePayer && c.HasNumbers()
}

// FormatUnknown is told of what was read and has the form of no certificate.
const FormatUnknown = "unknown"

// RecordVerification queues the fact that a certificate was verified: format, outcome and
// day, and nothing of its holder. An empty format is FormatUnknown.
func (d *Desk) RecordVerification(ctx context.Context, format, outcome string) error {
	now := d.Now()
	body, err := json.Marshal(wire.CertificateVerification{Format: cmp.Or(format, FormatUnknown), Outcome: outcome, Day: civil.In(now)})
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
