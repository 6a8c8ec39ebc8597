// Package precheck is the evening's check of tomorrow's booked patients: from a list of
// bookings to a "last known valid, as of" that a check without a line may show.
//
// It promises that what it knows lies encrypted on the vault's shelves, expires at the end
// of the day after the visit, and is never an answer for the day itself: it is handed out
// as casebook.Known alone, with the time at which it was told.
package precheck

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/check"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/jptext"
	"madoguchi.example/shared/oqs"
)

// Shelf names.
const (
	ShelfBookings = "booking"
	ShelfBatches  = "booking_batch"
	ShelfKnown    = "known"
)

// Asker asks the clinic's own terminal for many at once. oqsfolder.Exchange is one.
type Asker interface {
	AskMany(ctx context.Context, batch string, qs []eligibility.Inquiry) error
	Collect(ctx context.Context, batch, reception string) error
}

// Config is what a Precheck is made of. Every field but Online must be set.
type Config struct {
	Shelf  func(name string) casebook.Shelf // the vault's
	Online Asker                            // nil: bookings are kept and nothing is asked
	Now    func() time.Time
	NewID  func() (string, error) // UUID version 7
}

// Precheck is safe for concurrent use.
type Precheck struct {
	Config
	mu      sync.Mutex
	asking  sync.Mutex // one Run at a time
	loaded  bool
	booked  map[string]Booking // by ID
	batches map[string]batch   // by ID
	known   map[string]casebook.Known
}

// New makes a Precheck.
func New(c Config) *Precheck { return &Precheck{Config: c} }

// Booking is one booked patient. It masks itself in logs.
type Booking struct {
	ID        string              `json:"id"` // by which its answer is found: Inquiry.RecordID
	Time      string              `json:"time"`
	Patient   string              `json:"patient,omitempty"` // the clinic's own reference
	Kana      string              `json:"kana"`
	Inquiry   eligibility.Inquiry `json:"inquiry"`
	Cancelled bool                `json:"cancelled,omitempty"`
}

// LogValue masks all but the handle.
func (b Booking) LogValue() slog.Value { return slog.GroupValue(slog.String("booking", b.ID)) }

// Standing is a booking with what is known about it.
type Standing struct {
	Booking
	Known *casebook.Known // nil: nothing yet
}

// batch is one bulk question.
type batch struct {
	ID        string     `json:"id"`
	Day       civil.Date `json:"day"`
	AskedAt   time.Time  `json:"asked_at"`
	Asked     int        `json:"asked,omitempty"`     // how often it was tried to ask
	Replaced  bool       `json:"replaced,omitempty"`  // a later batch asks for the same day
	Reception string     `json:"reception,omitempty"` // the terminal's number, once it took the batch
	CollectAt time.Time  `json:"collect_at,omitzero"` // when its answers were last asked for
	Collected int        `json:"collected,omitempty"` // how often they were
	Done      bool       `json:"done,omitempty"`      // answered, or asked for anew by another
	ErrorCode string     `json:"error_code,omitempty"`
}

// load reads the shelves at the first use. The caller holds mu.
func (p *Precheck) load(ctx context.Context) error {
	if p.loaded {
		return nil
	}
	p.booked, p.batches, p.known = map[string]Booking{}, map[string]batch{}, map[string]casebook.Known{}
	err := errors.Join(
		read(ctx, p.Shelf(ShelfBookings), p.booked), read(ctx, p.Shelf(ShelfBatches), p.batches), read(ctx, p.Shelf(ShelfKnown), p.known),
	)
	if err != nil {
		return fmt.Errorf("cannot read the bookings: %w", err)
	}
	p.loaded = true
	return nil
}

// Keep stores anew what is in memory: for shelves that were replaced by what could be
// salvaged of them.
func (p *Precheck) Keep(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.loaded {
		return nil // the next use reads what there is
	}
	return errors.Join(
		keep(ctx, p.Shelf(ShelfBookings), p.booked, p.booked), keep(ctx, p.Shelf(ShelfBatches), p.batches, p.batches), keep(ctx, p.Shelf(ShelfKnown), p.known, p.known),
	)
}

// read leaves out what cannot be read: the evening's check is a help, not a record.
func read[T any](ctx context.Context, s casebook.Shelf, into map[string]T) error {
	return s.Each(ctx, func(key string, value []byte) error {
		var v T
		if json.Unmarshal(value, &v) == nil {
			into[key] = v
		}
		return nil
	})
}

// keep stores values and puts them into the map once they are on disk.
func keep[T any](ctx context.Context, s casebook.Shelf, into, values map[string]T) error {
	raw := make(map[string][]byte, len(values))
	for key, v := range values {
		b, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("cannot encode a booking: %w", err)
		}
		raw[key] = b
	}
	if err := s.PutAll(ctx, raw); err != nil {
		return err
	}
	for key, v := range values {
		into[key] = v
	}
	return nil
}

// remove deletes the keys from shelf and map.
func remove[T any](ctx context.Context, s casebook.Shelf, from map[string]T, keys ...string) error {
	for _, key := range keys {
		if _, there := from[key]; !there {
			continue
		}
		if err := s.Delete(ctx, key); err != nil {
			return err
		}
		delete(from, key)
	}
	return nil
}

// Load reads a list of bookings (see Parse) in place of all for today and later: a booking
// that is no longer in the list is gone with what was known about it, one that is there
// again keeps it. It gives how many there are. With any fault in the list nothing changes.
func (p *Precheck) Load(ctx context.Context, csv []byte) (int, error) {
	list, err := Parse(csv, civil.In(p.Now()))
	if err != nil {
		return 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.load(ctx); err != nil {
		return 0, err
	}
	earlier := map[identity]Booking{}
	for _, b := range p.booked {
		earlier[identityOf(b)] = b
	}
	fresh := make(map[string]Booking, len(list))
	for _, b := range list {
		if was, again := earlier[identityOf(b)]; again {
			b.ID = was.ID
		} else if b.ID, err = p.NewID(); err != nil {
			return 0, fault.Wrap(fault.Unavailable, err, "cannot make an id")
		}
		b.Inquiry.RecordID = b.ID
		fresh[b.ID] = b
	}
	if err := keep(ctx, p.Shelf(ShelfBookings), p.booked, fresh); err != nil {
		return 0, err
	}
	today := civil.In(p.Now())
	for id, b := range p.booked {
		if _, stays := fresh[id]; !stays && !b.Inquiry.VisitDay.Before(today) {
			if err := p.drop(ctx, id); err != nil {
				return 0, err
			}
		}
	}
	return len(fresh), nil
}

// identity tells bookings of the same person for the same day apart from others.
type identity struct {
	day, birth      civil.Date
	insurer, number string
	symbol, branch  string
	kana            string
}

func identityOf(b Booking) identity {
	q := b.Inquiry
	return identity{q.VisitDay, q.BirthDate, q.InsurerNumber, q.Number, q.Symbol, q.Branch, jptext.KanaKey(b.Kana)}
}

// drop removes a booking and what is known about it. The caller holds mu.
func (p *Precheck) drop(ctx context.Context, id string) error {
	return errors.Join(remove(ctx, p.Shelf(ShelfKnown), p.known, id), remove(ctx, p.Shelf(ShelfBookings), p.booked, id))
}

// Bookings lists the booked patients of a day, in order of time, with what is known.
func (p *Precheck) Bookings(ctx context.Context, day civil.Date) ([]Standing, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.load(ctx); err != nil {
		return nil, err
	}
	var list []Standing
	for id, b := range p.booked {
		if b.Inquiry.VisitDay == day {
			list = append(list, Standing{Booking: b, Known: p.current(id)})
		}
	}
	slices.SortFunc(list, func(x, y Standing) int {
		return cmp.Or(cmp.Compare(x.Time, y.Time), cmp.Compare(x.ID, y.ID))
	})
	return list, nil
}

// current gives what is known and has not expired. The caller holds mu.
func (p *Precheck) current(id string) *casebook.Known {
	k, ok := p.known[id]
	if !ok || !p.Now().Before(k.Expires) {
		return nil
	}
	return &k
}

// Cancel notes that the patient does not come: nothing more is asked or kept about them.
func (p *Precheck) Cancel(ctx context.Context, id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.load(ctx); err != nil {
		return err
	}
	b, ok := p.booked[id]
	if !ok {
		return fault.New(fault.NotFound, "there is no such booking")
	}
	b.Cancelled = true
	return errors.Join(
		remove(ctx, p.Shelf(ShelfKnown), p.known, id),
		keep(ctx, p.Shelf(ShelfBookings), p.booked, map[string]Booking{id: b}),
	)
}

// Known gives the last known word about a booked patient for that visit day: found by birth
// date with the kana, or with the numbers, where nothing speaks for another person or another
// coverage; nil where there is none, where it has expired, or where two bookings fit and say
// different things.
func (p *Precheck) Known(ctx context.Context, who check.Booked) (*casebook.Known, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.load(ctx); err != nil {
		return nil, err
	}
	var found *casebook.Known
	for id, b := range p.booked {
		if b.Cancelled || !b.isOf(who) {
			continue
		}
		k := p.current(id)
		if k == nil {
			continue
		}
		if found != nil && found.Validity != k.Validity {
			return nil, nil
		}
		found = k
	}
	return found, nil
}

// isOf tells whether the booking is of who. Twins have the birth date and the numbers in
// common but for the branch; a name with other numbers is another coverage or person.
func (b Booking) isOf(who check.Booked) bool {
	q := b.Inquiry
	if q.VisitDay != who.VisitDay || q.BirthDate != who.BirthDate || who.BirthDate.IsZero() {
		return false
	}
	own, kana := jptext.KanaKey(b.Kana), jptext.KanaKey(who.Kana)
	if who.Number == "" {
		return kana != "" && own == kana
	}
	branched := who.Branch != "" && q.Branch != ""
	return q.Number == who.Number && q.InsurerNumber == who.Insurer &&
		(!branched || q.Branch == who.Branch) && (branched || !otherName(own, kana))
}

// otherName tells names that are both in kana, of which neither is the beginning of the other.
func otherName(x, y string) bool {
	return isKana(x) && isKana(y) && !strings.HasPrefix(x, y) && !strings.HasPrefix(y, x)
}

func isKana(key string) bool {
	return key != "" && !strings.ContainsFunc(key, func(r rune) bool { return (r < 'ァ' || r > 'ヺ') && r != 'ー' && r != '・' })
}

// Trim removes what has expired and says how many bookings that were: bookings, batches and
// what is known go at the end of the day after the visit.
func (p *Precheck) Trim(ctx context.Context) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.load(ctx); err != nil {
		return 0, err
	}
	now, n := p.Now(), 0
	for id, b := range p.booked {
		if now.Before(expiry(b.Inquiry.VisitDay)) {
			continue
		}
		if err := p.drop(ctx, id); err != nil {
			return n, err
		}
		n++
	}
	for id, k := range p.known { // of bookings that are gone
		if !now.Before(k.Expires) {
			if err := remove(ctx, p.Shelf(ShelfKnown), p.known, id); err != nil {
				return n, err
			}
		}
	}
	for id, b := range p.batches {
		if !now.Before(expiry(b.Day)) {
			if err := remove(ctx, p.Shelf(ShelfBatches), p.batches, id); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// expiry is the end of the day after the visit.
func expiry(visit civil.Date) time.Time { return visit.AddDays(2).Midnight() }

// Run asks for the booked patients of tomorrow and, where tomorrow has none, of the next day
// that has some. Running again asks again, and the newer word replaces the older. Without
// bookings, and without a terminal, it does nothing. What cannot be asked now is tried again
// by Chase until the day comes.
func (p *Precheck) Run(ctx context.Context) error {
	if p.Online == nil {
		return nil
	}
	p.asking.Lock()
	defer p.asking.Unlock()
	day, err := p.next(ctx)
	if err != nil || day.IsZero() {
		return err
	}
	id, err := p.NewID()
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "cannot make an id")
	}
	b := batch{ID: id, Day: day}
	if err := p.begin(ctx, b); err != nil {
		return err
	}
	return p.ask(ctx, b)
}

// begin notes a batch before it is asked, since an answer can come before that returns, and
// lets go of earlier ones for the same day.
func (p *Precheck) begin(ctx context.Context, b batch) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := map[string]batch{b.ID: b}
	for id, other := range p.batches {
		if other.Day == b.Day && !other.Replaced {
			other.Done, other.Replaced = true, true
			changed[id] = other
		}
	}
	return keep(ctx, p.Shelf(ShelfBatches), p.batches, changed)
}

// ask asks for a batch's patients and notes that it was tried. The file is written without
// mu: the folder may hang.
func (p *Precheck) ask(ctx context.Context, b batch) error {
	questions := p.questions(b.Day)
	if len(questions) == 0 {
		return nil
	}
	failed := p.Online.AskMany(ctx, b.ID, questions)
	p.mu.Lock()
	defer p.mu.Unlock()
	b, there := p.batches[b.ID]
	if !there { // its time ended meanwhile
		return failed
	}
	b.AskedAt, b.Asked = p.Now().UTC(), b.Asked+1
	return errors.Join(failed, keep(ctx, p.Shelf(ShelfBatches), p.batches, map[string]batch{b.ID: b}))
}

// questions asks for everybody who is booked for the day and comes.
func (p *Precheck) questions(day civil.Date) []eligibility.Inquiry {
	p.mu.Lock()
	defer p.mu.Unlock()
	var questions []eligibility.Inquiry
	for _, b := range p.booked {
		if b.Inquiry.VisitDay == day && !b.Cancelled {
			questions = append(questions, b.Inquiry)
		}
	}
	slices.SortFunc(questions, func(x, y eligibility.Inquiry) int { return cmp.Compare(x.RecordID, y.RecordID) })
	return questions
}

// next gives the day to ask for; zero where nobody is booked.
func (p *Precheck) next(ctx context.Context) (civil.Date, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.load(ctx); err != nil {
		return civil.Date{}, err
	}
	today := civil.In(p.Now())
	var day civil.Date
	for _, b := range p.booked {
		v := b.Inquiry.VisitDay
		if v.After(today) && !b.Cancelled && (day.IsZero() || v.Before(day)) {
			day = v
		}
	}
	return day, nil
}

// gaps are how long an answer is awaited before it is asked for again.
var gaps = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}

// Chase asks again where no answer came, or where it was not ready. Call it on a tick.
func (p *Precheck) Chase(ctx context.Context) error {
	if p.Online == nil {
		return nil
	}
	p.asking.Lock()
	defer p.asking.Unlock()
	ask, collect, err := p.due(ctx)
	if err != nil {
		return err
	}
	for _, b := range ask {
		if err := p.ask(ctx, b); err != nil {
			return err
		}
	}
	for _, b := range collect {
		if err := p.collect(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// due gives the batches that are to be asked again, until their day comes, and those whose
// answers are to be asked for.
func (p *Precheck) due(ctx context.Context) (ask, collect []batch, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.load(ctx); err != nil {
		return nil, nil, err
	}
	now := p.Now()
	gap := func(times int) time.Duration { return gaps[min(max(times, 1), len(gaps))-1] }
	for _, b := range p.batches {
		switch {
		case b.Done || !now.Before(expiry(b.Day)):
		case b.Reception != "":
			if b.Collected == 0 || !now.Before(b.CollectAt.Add(gap(b.Collected))) {
				collect = append(collect, b)
			}
		case now.Before(b.Day.Midnight()) && !now.Before(b.AskedAt.Add(gap(b.Asked))):
			ask = append(ask, b)
		}
	}
	return ask, collect, nil
}

// collect asks for a batch's answers and notes that it did. The file is written without mu.
func (p *Precheck) collect(ctx context.Context, b batch) error {
	if err := p.Online.Collect(ctx, b.ID, b.Reception); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	b, there := p.batches[b.ID]
	if !there { // its time ended meanwhile
		return nil
	}
	b.CollectAt, b.Collected = p.Now().UTC(), b.Collected+1
	return keep(ctx, p.Shelf(ShelfBatches), p.batches, map[string]batch{b.ID: b})
}

// TakeReception notes that the terminal took a batch, or did not: then Chase asks again. The
// answers are asked for by the next Chase. NotFound: the batch is not ours.
func (p *Precheck) TakeReception(ctx context.Context, r oqs.Reception) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	b, err := p.batch(ctx, r.Identifier)
	if err != nil || b.Done {
		return err
	}
	switch {
	case r.ReceptionNumber != "":
		b.Reception = r.ReceptionNumber
	case r.Segment == oqs.InProgress:
		return nil
	default:
		b.ErrorCode = r.ErrorCode // the line may be cut now and back in ten minutes: it is asked again
	}
	return keep(ctx, p.Shelf(ShelfBatches), p.batches, map[string]batch{b.ID: b})
}

func (p *Precheck) batch(ctx context.Context, id string) (batch, error) {
	if err := p.load(ctx); err != nil {
		return batch{}, err
	}
	b, ok := p.batches[id]
	if !ok {
		return batch{}, fault.New(fault.NotFound, "no batch of this desk has that identifier")
	}
	return b, nil
}

// TakeBulk notes what was told about a batch's patients, each by its own identifier. What
// ended in an error says nothing and leaves what was known. In progress leaves the batch to
// be asked for again. NotFound: the batch is not ours.
func (p *Precheck) TakeBulk(ctx context.Context, r oqs.Result) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	b, err := p.batch(ctx, r.Identifier)
	if err != nil || r.Segment == oqs.InProgress || b.Replaced {
		return err
	}
	if r.Segment != oqs.Done {
		return p.unanswered(ctx, b, r)
	}
	b.Done, b.ErrorCode = true, r.ErrorCode
	told := map[string]casebook.Known{}
	for id, items := range byPerson(r) {
		booking, ok := p.booked[id]
		if !ok || booking.Cancelled || booking.Inquiry.VisitDay != b.Day {
			continue
		}
		one := r
		one.Items = items
		answer, ok := one.Answer(id, b.Day)
		if !ok || answer.Validity == eligibility.CheckFailed || answer.Validate() != nil {
			continue
		}
		told[id] = casebook.Known{AsOf: p.Now().UTC(), ForDay: b.Day, Validity: answer.Validity, Answer: answer, Expires: expiry(b.Day)}
	}
	return errors.Join(
		keep(ctx, p.Shelf(ShelfKnown), p.known, told),
		keep(ctx, p.Shelf(ShelfBatches), p.batches, map[string]batch{b.ID: b}),
	)
}

// unanswered has a batch that ended without a word asked anew. An end that names another
// reception is of an earlier question.
func (p *Precheck) unanswered(ctx context.Context, b batch, r oqs.Result) error {
	if b.Done || r.ReceptionNumber != "" && r.ReceptionNumber != b.Reception {
		return nil
	}
	b.ErrorCode, b.Reception, b.Collected = r.ErrorCode, "", 0
	return keep(ctx, p.Shelf(ShelfBatches), p.batches, map[string]batch{b.ID: b})
}

func byPerson(r oqs.Result) map[string][]oqs.Item {
	people := map[string][]oqs.Item{}
	if r.Segment != oqs.Done {
		return people
	}
	for _, i := range r.Items {
		people[i.Identifier] = append(people[i.Identifier], i)
	}
	return people
}
