// Package casebook is what the desk knows besides the queue: the checks of the last days
// with their answers and tasks. It keeps them encrypted on a shelf of the vault and never
// in clear; it decides nothing.
//
// In memory it holds one Row of RowBytes for each case, by which lists are ordered and
// filtered, and the MaxCached cases that were used last; every other case is read from the
// shelf when it is asked for.
package casebook

import (
	"context"
	"encoding/json"
	"log/slog"
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
	// Get gives the value under key; ok is false where there is none or it does not open.
	Get(ctx context.Context, key string) (value []byte, ok bool, err error)
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
func (c *Case) Waits() bool { return waits(c.State) }

func waits(s eligibility.State) bool {
	return s == eligibility.Recorded || s == eligibility.Queued || s == eligibility.Sent
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

// OpenTask is the kind of the task that waits for a person; "" where none does. A kind that
// is not known here reads as TaskDiffers: a person looks.
func (c *Case) OpenTask() TaskKind {
	if !c.Task.Open() {
		return ""
	}
	switch c.Task.Kind {
	case TaskRefused, TaskOtherPerson, TaskFailed:
		return c.Task.Kind
	}
	return TaskDiffers
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
