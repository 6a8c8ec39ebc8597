// Package audit keeps the record of who did what to whose data, and for which purpose.
//
// It promises: an entry is stored in the transaction of the act it tells of, so neither
// exists without the other; a purpose that is not in the register is refused; an entry
// holds handles and names of items, never values; and what a citizen sees of the record
// is the same, byte for byte, whether a withheld entry exists or not.
package audit

import (
	"context"
	"io"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/auditlog"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/identity"
)

// Limits of one entry and of one page.
const (
	MaxField = 200 // bytes of an action, an object or an item's name
	MaxItems = 500 // items of one entry: a batch names each notice, not each field
	MaxPage  = 100 // entries of one page
)

// Event is what the caller says about the act. CitizenID is empty where the act is about
// nobody's data; then nobody sees it in the app.
type Event struct {
	Purpose      Purpose
	Action       string // "certificate.issue"
	CitizenID    identity.CitizenID
	Municipality identity.MunicipalityCode
	Object       string   // handle of the thing touched
	Items        []string // names of the items seen or changed, never their values
}

// Stored is one entry as it is kept.
type Stored struct {
	auditlog.Entry
	// VisibleFrom is when the citizen may first see the entry; the zero time means never.
	VisibleFrom time.Time
}

// Position is a place in a citizen's list, newest first: the last entry already shown.
// The zero Position is the start.
type Position struct {
	At time.Time
	ID string
}

// Rows is the storage that Log needs. store/audit implements it.
type Rows interface {
	// Insert stores the entry in t.
	Insert(ctx context.Context, t tx.Tx, e Stored) error
	// InsertAll stores the entries in t, or fails.
	InsertAll(ctx context.Context, t tx.Tx, entries []Stored) error
	// Visible lists a citizen's entries whose VisibleFrom is set and not after now, newest
	// first (At, then ID, descending), those strictly after the position, at most limit.
	// With a nil t it reads what is committed.
	Visible(ctx context.Context, t tx.Tx, citizen identity.CitizenID, now time.Time, after Position, limit int) ([]auditlog.Entry, error)
}

// Log appends to the record and reads it. It is safe for concurrent use.
type Log struct {
	rows     Rows
	purposes Purposes
	now      func() time.Time
	ids      handle.Source
}

// New makes a Log over rows with this register of purposes.
func New(rows Rows, purposes Purposes, now func() time.Time, rand io.Reader) *Log {
	return &Log{rows: rows, purposes: purposes, now: now, ids: handle.Source{Now: now, Rand: rand}}
}

// Purposes gives the register in use.
func (l *Log) Purposes() Purposes { return l.purposes }

// Append stores the entry in the caller's transaction, with its id and time.
func (l *Log) Append(ctx context.Context, t tx.Tx, a actor.Actor, e Event) error {
	stored, err := l.stored(a, e, l.now().UTC())
	if err != nil {
		return err
	}
	return l.rows.Insert(ctx, t, stored)
}

// AppendAll stores many entries of one act in the caller's transaction, all with the same
// time. An error stores none of them.
func (l *Log) AppendAll(ctx context.Context, t tx.Tx, a actor.Actor, entries []Event) error {
	if len(entries) == 0 {
		return nil
	}
	all, at := make([]Stored, len(entries)), l.now().UTC()
	for i, e := range entries {
		var err error
		if all[i], err = l.stored(a, e, at); err != nil {
			return err
		}
	}
	return l.rows.InsertAll(ctx, t, all)
}

// stored checks an event and makes the entry of it.
func (l *Log) stored(a actor.Actor, e Event, at time.Time) (Stored, error) {
	rule, ok := l.purposes[e.Purpose]
	if !ok {
		return Stored{}, fault.At(fault.Internal, "purpose", "the purpose is not in the register")
	}
	if err := e.check(); err != nil {
		return Stored{}, err
	}
	id, err := l.ids.New("aud")
	if err != nil {
		return Stored{}, err
	}
	return Stored{
		Entry: auditlog.Entry{
			ID: id, At: at, Actor: a.AuditActor(), Purpose: string(e.Purpose), Action: e.Action,
			CitizenID: string(e.CitizenID), Municipality: string(e.Municipality), Object: e.Object, Items: e.Items,
		},
		VisibleFrom: rule.visibleFrom(at),
	}, nil
}

func (r Rule) visibleFrom(at time.Time) time.Time {
	switch r.Visibility {
	case auditlog.VisibleAtOnce:
		return at
	case auditlog.VisibleLater:
		return at.Add(r.After)
	}
	return time.Time{}
}

func (e Event) check() error {
	if e.Action == "" {
		return fault.At(fault.Internal, "action", "an entry names its action")
	}
	if len(e.Items) > MaxItems {
		return fault.At(fault.Internal, "items", "an entry names at most %d items", MaxItems)
	}
	for _, s := range append([]string{e.Action, e.Object}, e.Items...) {
		if len(s) > MaxField {
			return fault.At(fault.Internal, "items", "a name in an entry has at most %d bytes", MaxField)
		}
	}
	return nil
}

// Page is a part of a citizen's list, newest first.
type Page struct {
	Entries []auditlog.Entry
	Next    string // opaque cursor of the next page; "" at the end
}

// VisibleTo lists what the citizen may see of the record about them. cursor is the Next of
// the page before, or "". limit is taken down to MaxPage; 0 means MaxPage. An entry that is
// withheld changes nothing in the answer: not the order, the length or the cursors.
func (l *Log) VisibleTo(ctx context.Context, citizen identity.CitizenID, cursor string, limit int) (Page, error) {
	return l.VisibleIn(ctx, nil, citizen, cursor, limit)
}

// VisibleIn is VisibleTo inside the caller's transaction, so that the look itself can be
// recorded with it.
func (l *Log) VisibleIn(ctx context.Context, t tx.Tx, citizen identity.CitizenID, cursor string, limit int) (Page, error) {
	if citizen == "" {
		return Page{}, fault.At(fault.InvalidArgument, "citizen_id", "the list belongs to one citizen")
	}
	after, err := parseCursor(cursor)
	if err != nil {
		return Page{}, err
	}
	if limit <= 0 || limit > MaxPage {
		limit = MaxPage
	}
	found, err := l.rows.Visible(ctx, t, citizen, l.now().UTC(), after, limit+1)
	if err != nil {
		return Page{}, err
	}
	if len(found) <= limit {
		return Page{Entries: found}, nil
	}
	return Page{Entries: found[:limit], Next: cursorAfter(found[limit-1])}, nil
}
