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
	"time"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
)

// ShelfName is the shelf of the vault that holds the cases.
const ShelfName = "case"

// Shelf is encrypted storage by opaque key. The vault's shelves are one.
type Shelf interface {
	// Get gives the value of key; ok is false where there is none.
	Get(ctx context.Context, key string) (value []byte, ok bool, err error)
	// Each calls visit for every key in order of keys until it returns an error.
	Each(ctx context.Context, visit func(key string, value []byte) error) error
	// Put stores value, durable on return.
	Put(ctx context.Context, key string, value []byte) error
	Delete(ctx context.Context, key string) error
}

// Case is one check as the desk knows it. It holds personal data and masks itself in logs.
type Case struct {
	RecordID   string                 `json:"record_id"` // UUID version 7: sorts by time
	RecordedAt time.Time              `json:"recorded_at"`
	VisitDay   civil.Date             `json:"visit_day"`
	Operator   string                 `json:"operator"`
	Label      string                 `json:"label,omitempty"` // the patient's kana, as typed
	Inquiry    eligibility.Inquiry    `json:"inquiry"`
	Evidence   eligibility.Evidence   `json:"evidence"`
	Cause      eligibility.Cause      `json:"cause"`
	Assumed    eligibility.Assumption `json:"assumed"`
	State      eligibility.State      `json:"state"`
	SentAt     time.Time              `json:"sent_at,omitzero"`
	Answer     *eligibility.Answer    `json:"answer,omitempty"`
	AnsweredAt time.Time              `json:"answered_at,omitzero"`
	Refusal    string                 `json:"refusal,omitempty"` // a fault code, in state Refused
	Task       *Task                  `json:"task,omitempty"`
}

// LogValue masks everything but the record's handle and state.
func (c Case) LogValue() slog.Value {
	return slog.GroupValue(slog.String("record_id", c.RecordID), slog.String("state", string(c.State)))
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
	TaskDiffers TaskKind = "differs" // the answer differs from what was assumed
	TaskRefused TaskKind = "refused" // the backend refused the record
)

// Book reads and writes cases. It is safe for concurrent use; two writers of one case are
// ordered by the caller.
type Book struct{ shelf Shelf }

// New makes a Book on a shelf.
func New(shelf Shelf) *Book { return &Book{shelf: shelf} }

// Encode gives the bytes of c as they lie on the shelf, for a write that rides in the
// commit of another.
func Encode(c Case) ([]byte, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("cannot encode a case: %w", err)
	}
	return b, nil
}

// Get gives one case; ok is false where there is none.
func (b *Book) Get(ctx context.Context, recordID string) (c Case, ok bool, err error) {
	raw, ok, err := b.shelf.Get(ctx, recordID)
	if err != nil || !ok {
		return Case{}, false, err
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return Case{}, false, fmt.Errorf("cannot read case %s: %w", recordID, err)
	}
	return c, true, nil
}

// Put stores one case.
func (b *Book) Put(ctx context.Context, c Case) error {
	raw, err := Encode(c)
	if err != nil {
		return err
	}
	return b.shelf.Put(ctx, c.RecordID, raw)
}

// Select gives the cases that keep accepts, newest first. A case that cannot be read is
// left out and counted, so that one bad value never hides the list.
func (b *Book) Select(ctx context.Context, keep func(Case) bool) (cases []Case, unreadable int, err error) {
	err = b.shelf.Each(ctx, func(_ string, raw []byte) error {
		var c Case
		if json.Unmarshal(raw, &c) != nil {
			unreadable++
			return nil
		}
		if keep(c) {
			cases = append(cases, c)
		}
		return nil
	})
	slices.SortFunc(cases, func(a, b Case) int { return cmp.Compare(b.RecordID, a.RecordID) })
	return cases, unreadable, err
}

// Trim removes closed and answered cases whose visit day is before day, and says how many.
// Cases that wait for an answer or for a person stay, however old.
func (b *Book) Trim(ctx context.Context, day civil.Date) (int, error) {
	old, _, err := b.Select(ctx, func(c Case) bool {
		return c.VisitDay.Before(day) && c.State == eligibility.Answered && !c.Task.Open()
	})
	if err != nil {
		return 0, err
	}
	for i, c := range old {
		if err := b.shelf.Delete(ctx, c.RecordID); err != nil {
			return i, err
		}
	}
	return len(old), nil
}
