// Package casebook is what the desk knows besides the queue: the checks of the last days
// with their answers and tasks. It keeps them encrypted on a shelf of the vault and never
// in clear; it decides nothing.
package casebook

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/wire"
)

// ShelfName is the shelf of the vault that holds the cases.
const ShelfName = "case"

// Shelf is encrypted storage by opaque key. The vault's shelves are one.
type Shelf interface {
	// Each calls visit for every key in order of keys until it returns an error.
	Each(ctx context.Context, visit func(key string, value []byte) error) error
	// PutAll stores all values under their keys in one commit, durable on return.
	PutAll(ctx context.Context, values map[string][]byte) error
	Delete(ctx context.Context, key string) error
}

// Case is one check as the desk knows it. It holds personal data and masks itself in logs.
type Case struct {
	RecordID     string                   `json:"record_id"` // UUID version 7: sorts by time
	RecordedAt   time.Time                `json:"recorded_at"`
	VisitDay     civil.Date               `json:"visit_day"`
	Operator     string                   `json:"operator"`
	OperatorID   string                   `json:"operator_id,omitempty"`
	Label        string                   `json:"label,omitempty"`   // the patient's kana, as typed
	Patient      string                   `json:"patient,omitempty"` // the clinic's own reference, at most 50 characters (照会番号)
	Inquiry      eligibility.Inquiry      `json:"inquiry"`           // without InsurerNumber and Number: nothing can be asked yet
	Typed        Typed                    `json:"typed,omitzero"`
	Evidence     eligibility.Evidence     `json:"evidence"`
	Person       *eligibility.Person      `json:"person,omitempty"` // who the card named
	Declared     *eligibility.Declaration `json:"declared,omitempty"`
	Cause        eligibility.Cause        `json:"cause"`
	Assumed      eligibility.Assumption   `json:"assumed"`
	Charge       Charge                   `json:"charge,omitzero"`
	Known        *Known                   `json:"known,omitempty"` // the last known word when it was recorded
	State        eligibility.State        `json:"state"`
	Route        eligibility.Route        `json:"route,omitempty"`
	AskedAt      time.Time                `json:"asked_at,omitzero"` // when the clinic's own terminal was last asked
	Asked        int                      `json:"asked,omitempty"`   // how often
	SentAt       time.Time                `json:"sent_at,omitzero"`
	Answer       *eligibility.Answer      `json:"answer,omitempty"`
	AnsweredAt   time.Time                `json:"answered_at,omitzero"`
	Refusal      string                   `json:"refusal,omitempty"`       // a fault code or a word of the exchange, in state Refused
	RefusedField string                   `json:"refused_field,omitempty"` // the field that it lies in, where one is known
	Unsendable   string                   `json:"unsendable,omitempty"`    // the characters that cannot be sent, where it is those
	Task         *Task                    `json:"task,omitempty"`
	Amends       string                   `json:"amends,omitempty"`     // the record that this one stands in place of
	AmendedBy    string                   `json:"amended_by,omitempty"` // the record that stands in place of this one
	VoidedAt     time.Time                `json:"voided_at,omitzero"`
	VoidedBy     string                   `json:"voided_by,omitempty"` // the operator
	VoidReason   eligibility.AmendReason  `json:"void_reason,omitempty"`
	Family       string                   `json:"family,omitempty"` // the record of the same family's first member
	Face         string                   `json:"face,omitempty"`   // the face reader's file that the answer came from
	Owed         []Owed                   `json:"owed,omitempty"`   // wire records decided with this row and not in the queue yet
}

// Owed is a wire record that was decided in the same commit as its row, under its own ID,
// and is yet to be put into the queue. It holds no numbers and no names.
type Owed struct {
	ID   string          `json:"id"` // of the wire record to be
	Kind wire.Kind       `json:"kind"`
	At   time.Time       `json:"at"`
	Body json.RawMessage `json:"body"`
}

// Typed is what the receptionist typed, before it was folded.
type Typed struct {
	Insurer string `json:"insurer,omitempty"`
	Symbol  string `json:"symbol,omitempty"`
	Number  string `json:"number,omitempty"`
	Branch  string `json:"branch,omitempty"`
	Birth   string `json:"birth,omitempty"`
	// Copayment is the share that the receptionist chose, in percent; 0: left to the table.
	Copayment int `json:"copayment,omitempty"`
}

// LogValue masks all of it.
func (Typed) LogValue() slog.Value { return slog.StringValue("***") }

// Charge is what the patient paid for now, and by which rule.
type Charge struct {
	Percent int        `json:"percent"`         // 10, 20 or 30
	Rule    string     `json:"rule,omitempty"`  // the rule's id in the table
	Title   string     `json:"title,omitempty"` // its Japanese name as it was then
	Since   civil.Date `json:"since,omitzero"`  // the day from which the rule holds
	Asked   bool       `json:"asked,omitempty"` // the patient's word on the share would count and was not given
}

// Known is the last known word about a patient's coverage: never an answer for today.
type Known struct {
	AsOf     time.Time            `json:"as_of"`
	ForDay   civil.Date           `json:"for_day"`
	Validity eligibility.Validity `json:"validity"`
	Answer   eligibility.Answer   `json:"answer"`
	Expires  time.Time            `json:"expires"`
}

// LogValue masks all of it.
func (Known) LogValue() slog.Value { return slog.StringValue("***") }

// LogValue masks everything but the record's handle and state.
func (c Case) LogValue() slog.Value {
	return slog.GroupValue(slog.String("record_id", c.RecordID), slog.String("state", string(c.State)))
}

// Waits tells that nobody has said a word on the case yet.
func (c *Case) Waits() bool {
	return c.State == eligibility.Recorded || c.State == eligibility.Queued || c.State == eligibility.Sent
}

// HasNumbers tells that there is something in the case that can be asked.
func (c *Case) HasNumbers() bool { return c.Inquiry.InsurerNumber != "" && c.Inquiry.Number != "" }

// modern reads a case as terminals of before 2026-11-22 wrote it: every one went to a payer,
// and "recorded" meant what is "queued" now.
func (c *Case) modern() {
	if c.Route != "" {
		return
	}
	c.Route = eligibility.RoutePayer
	if c.State == eligibility.Recorded {
		c.State = eligibility.Queued
	}
}

// Closed tells that nobody waits for anything: the case is answered, or refused and looked
// at, or taken back, its task, if it has one, is closed, and nothing of it is owed to the
// queue.
func (c *Case) Closed() bool {
	if len(c.Owed) > 0 {
		return false
	}
	switch c.State {
	case eligibility.Answered, eligibility.Reviewed, eligibility.Refused, eligibility.Voided:
		return !c.Task.Open()
	}
	return false
}

// Task is something that a person must look at.
type Task struct {
	Kind        TaskKind                 `json:"kind"`
	Differences []eligibility.Difference `json:"differences,omitempty"`
	RaisedAt    time.Time                `json:"raised_at"`
	ClosedAt    time.Time                `json:"closed_at,omitzero"`
	ClosedBy    string                   `json:"closed_by,omitempty"`
}

// Open tells whether the task still waits for a person.
func (t *Task) Open() bool { return t != nil && t.ClosedAt.IsZero() }

// TaskKind says why a person must look.
type TaskKind string

// The kinds of task.
const (
	TaskDiffers     TaskKind = "differs"      // the answer differs from what was assumed
	TaskRefused     TaskKind = "refused"      // the backend refused the record
	TaskOtherPerson TaskKind = "other_person" // 別人の可能性: birth date or name of the answer contradict the row
	TaskFailed      TaskKind = "failed"       // the check ended with an error that asking again does not mend
)

// Book reads and writes cases. It reads the shelf once, at the first use, and keeps what it
// read: a desk asks for its list after every change. It is safe for concurrent use; two
// writers of one case are ordered by the caller.
type Book struct {
	shelf Shelf

	mu         sync.Mutex
	cases      map[string]*Case // nil before the first use; a case is replaced, never changed in place
	unreadable int
}

// New makes a Book on a shelf.
func New(shelf Shelf) *Book { return &Book{shelf: shelf} }

// Encode gives the bytes of c as they lie on the shelf, for a write that rides in the
// commit of another. After that commit the writer calls Written.
func Encode(c Case) ([]byte, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("cannot encode a case: %w", err)
	}
	return b, nil
}

// Written tells the book of cases that the commit of another has stored on the shelf.
func (b *Book) Written(cases ...Case) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cases == nil {
		return // the first use reads them from the shelf
	}
	for _, c := range cases {
		b.cases[c.RecordID] = &c
	}
}

// load reads the shelf at the first use. A case that cannot be read is left out and
// counted, so that one bad value never hides the list. The caller holds mu.
func (b *Book) load(ctx context.Context) error {
	if b.cases != nil {
		return nil
	}
	cases, unreadable := map[string]*Case{}, 0
	err := b.shelf.Each(ctx, func(_ string, raw []byte) error {
		var c Case
		if json.Unmarshal(raw, &c) != nil {
			unreadable++
			return nil
		}
		c.modern()
		cases[c.RecordID] = &c
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot read the cases: %w", err)
	}
	b.cases, b.unreadable = cases, unreadable
	return nil
}

// Get gives one case; ok is false where there is none.
func (b *Book) Get(ctx context.Context, recordID string) (c Case, ok bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.load(ctx); err != nil {
		return Case{}, false, err
	}
	if found := b.cases[recordID]; found != nil {
		return *found, true, nil
	}
	return Case{}, false, nil
}

// Put stores the cases in one commit, or none of them.
func (b *Book) Put(ctx context.Context, cases ...Case) error {
	values := make(map[string][]byte, len(cases))
	for _, c := range cases {
		raw, err := Encode(c)
		if err != nil {
			return err
		}
		values[c.RecordID] = raw
	}
	if err := b.shelf.PutAll(ctx, values); err != nil {
		b.Unsure()
		return err
	}
	b.Written(cases...)
	return nil
}

// Unsure tells the book that a write may or may not have reached the shelf: the next use
// reads it anew.
func (b *Book) Unsure() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cases = nil
}

// Unreadable is how many cases on the shelf could not be read; none before the first use.
func (b *Book) Unreadable() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.unreadable
}

// Select gives the cases that keep accepts, newest first, and how many on the shelf could
// not be read.
func (b *Book) Select(ctx context.Context, keep func(Case) bool) (cases []Case, unreadable int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.load(ctx); err != nil {
		return nil, 0, err
	}
	found := b.kept(func(c *Case) bool { return keep(*c) })
	slices.SortFunc(found, newestFirst)
	cases = make([]Case, 0, len(found)) // of its size at once: a case is large, and a list may be long
	for _, c := range found {
		cases = append(cases, *c)
	}
	return cases, b.unreadable, nil
}

// Top gives the first limit of the cases that rank places at 0 or above, the lowest rank
// first and newest first within it, and how many there are beside these. It copies no other
// case; rank must not change the case it looks at.
func (b *Book) Top(ctx context.Context, limit int, rank func(*Case) int) (cases []Case, more int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.load(ctx); err != nil {
		return nil, 0, err
	}
	t := top{limit: max(limit, 1)}
	for _, c := range b.cases {
		if r := rank(c); r >= 0 {
			t.add(placed{c, r})
		}
	}
	found := t.sorted()
	cases = make([]Case, 0, len(found))
	for _, p := range found {
		cases = append(cases, *p.Case)
	}
	return cases, t.seen - len(found), nil
}

// placed is a case with its rank.
type placed struct {
	*Case
	rank int
}

// top keeps the first limit of what is added, without sorting all of it.
type top struct {
	limit int
	seen  int
	found []placed // at most twice the limit; the first limit are sorted once last is set
	last  *placed  // the worst of a full set: what does not come before it is passed over
}

func (t *top) add(p placed) {
	t.seen++
	if t.last != nil && before(p, *t.last) >= 0 {
		return
	}
	if t.found = append(t.found, p); len(t.found) >= 2*t.limit {
		t.found = t.sorted()
		worst := t.found[len(t.found)-1]
		t.last = &worst
	}
}

func (t *top) sorted() []placed {
	slices.SortFunc(t.found, before)
	return t.found[:min(len(t.found), t.limit)]
}

func before(x, y placed) int {
	return cmp.Or(cmp.Compare(x.rank, y.rank), newestFirst(x.Case, y.Case))
}

func newestFirst(x, y *Case) int { return cmp.Compare(y.RecordID, x.RecordID) }

// IDs gives the record IDs of the cases that keep accepts, in no order. It copies no case.
// keep must not change the case it looks at.
func (b *Book) IDs(ctx context.Context, keep func(*Case) bool) ([]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.load(ctx); err != nil {
		return nil, err
	}
	var ids []string
	for _, c := range b.kept(keep) {
		ids = append(ids, c.RecordID)
	}
	return ids, nil
}

// kept gives the cases that keep accepts, in no order. The caller holds mu.
func (b *Book) kept(keep func(*Case) bool) []*Case {
	var found []*Case
	for _, c := range b.cases {
		if keep(c) {
			found = append(found, c)
		}
	}
	return found
}

// Trim removes closed cases whose visit day is before day, and says how many. One that was
// recorded or answered later, for a visit long past, stays as long as any other of that day;
// cases that wait for an answer or for a person stay, however old.
func (b *Book) Trim(ctx context.Context, day civil.Date) (int, error) {
	old, _, err := b.Select(ctx, func(c Case) bool {
		return c.VisitDay.Before(day) && civil.In(c.RecordedAt).Before(day) && civil.In(c.AnsweredAt).Before(day) && c.Closed()
	})
	if err != nil {
		return 0, err
	}
	for i, c := range old {
		if err := b.shelf.Delete(ctx, c.RecordID); err != nil {
			return i, err
		}
		b.forget(c.RecordID)
	}
	return len(old), nil
}

func (b *Book) forget(recordID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.cases, recordID)
}
