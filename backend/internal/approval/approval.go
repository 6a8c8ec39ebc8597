// Package approval keeps the rule of two persons: what one officer prepared takes effect
// only when another one, of the role that is asked, has allowed it with a reason.
//
// It promises: nobody decides what they asked for or worked on, whatever roles they hold;
// a request is decided once, also when two decide at the same moment; a thing has one open
// request at most; a request is seen and decided in its own municipality alone; every look
// at the queue and every decision is recorded in its transaction.
package approval

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/auditlog"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/identity"
)

// Limits.
const (
	MinReason   = 4    // code points
	MaxReason   = 1000 // code points
	MaxInvolved = 100  // officers of one request
	MaxWaiting  = 200  // requests of one queue
	maxName     = 200  // bytes of a kind and of an object
)

// Request asks a second person.
type Request struct {
	ID           string // "apr_…", made by Ask
	Municipality identity.MunicipalityCode
	Kind         string     // what is asked: "benefit_list", "child_contact"
	Object       string     // handle of what it is asked for
	Role         actor.Role // who may decide
	AskedBy      string     // the officer's handle; Ask takes it from an officer that asks
	AskedAt      time.Time
	Due          civil.Date // zero: none
	Involved     []string   // handles of the officers who worked on it
}

// Own tells whether the officer asked for this or worked on it.
func (r Request) Own(officer string) bool {
	return officer == r.AskedBy || slices.Contains(r.Involved, officer)
}

// LogValue shows the handle alone.
func (r Request) LogValue() slog.Value { return slog.StringValue(r.ID) }

// String shows the handle alone.
func (r Request) String() string { return r.ID }

// Verdict is how a request ended.
type Verdict string

// The verdicts. Withdrawn is the first person's, the others the second's.
const (
	Approved  Verdict = "approved"
	Returned  Verdict = "returned"
	Withdrawn Verdict = "withdrawn"
)

// Decision ends a request. The zero Decision is none.
type Decision struct {
	Request string
	Verdict Verdict
	By      string // the officer's handle
	Reason  string // "" for Withdrawn
	At      time.Time
}

// LogValue shows the verdict alone.
func (d Decision) LogValue() slog.Value { return slog.StringValue(string(d.Verdict)) }

// String shows the verdict alone.
func (d Decision) String() string { return string(d.Verdict) }

// Officer is somebody who could decide.
type Officer struct{ ID, Name string }

// Rows is the storage that Desk needs. store/approval implements it.
type Rows interface {
	// Insert stores the request as the round of its kind and object, unless that round is
	// there, and tells whether it did.
	Insert(ctx context.Context, t tx.Tx, r Request, round int) (bool, error)
	// Latest gives the newest round of a kind and object, 0 where there is none, with its
	// decision.
	Latest(ctx context.Context, t tx.Tx, kind, object string) (r Request, d Decision, round int, err error)
	ByID(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, id string) (Request, bool, error)
	// Decide stores the decision unless the request has one, and tells whether it did.
	Decide(ctx context.Context, t tx.Tx, d Decision) (bool, error)
	// Open lists requests without a decision for the roles, oldest first.
	Open(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, roles []actor.Role, limit int) ([]Request, error)
	// Holders lists the municipality's officers with the role, by name.
	Holders(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, role actor.Role) ([]Officer, error)
}

// Record is the access record. *audit.Log implements it.
type Record interface {
	Append(ctx context.Context, t tx.Tx, a actor.Actor, e audit.Event) error
}

// Deps are what a Desk needs; all are required.
type Deps struct {
	Runner tx.Runner
	Rows   Rows
	Record Record
	IDs    handle.Source
	Now    func() time.Time
}

// Desk asks and decides. It is safe for concurrent use.
type Desk struct{ Deps }

// New makes a Desk.
func New(d Deps) *Desk { return &Desk{d} }

var (
	errOpen     = fault.At(fault.Conflict, "object", "a second person has been asked about this already")
	errApproved = fault.At(fault.Conflict, "object", "this was approved already")
	errElse     = fault.New(fault.Forbidden, "a request is made in the officer's own municipality")
)

// Ask asks a second person, in the caller's transaction, and gives the request as it is
// stored. An officer who asks is its AskedBy; a job names the officer for whom it asks. A
// thing that waits for a decision or was approved is a Conflict; one that was returned or
// withdrawn may be asked for again.
func (x *Desk) Ask(ctx context.Context, t tx.Tx, who actor.Actor, purpose audit.Purpose, r Request) (Request, error) {
	if s, ok := who.(actor.Staff); ok {
		r.AskedBy = s.ID
		if r.Municipality != s.Municipality {
			return Request{}, errElse
		}
	}
	if err := r.check(); err != nil {
		return Request{}, err
	}
	_, before, round, err := x.Rows.Latest(ctx, t, r.Kind, r.Object)
	switch {
	case err != nil:
		return Request{}, err
	case before.Verdict == Approved:
		return Request{}, errApproved
	case round > 0 && before.Verdict == "":
		return Request{}, errOpen
	}
	if r.ID, err = x.IDs.New("apr"); err != nil {
		return Request{}, err
	}
	r.AskedAt = x.Now().UTC().Truncate(time.Microsecond)
	r.Involved = slices.Compact(slices.Sorted(slices.Values(r.Involved)))
	stored, err := x.Rows.Insert(ctx, t, r, round+1)
	if err != nil {
		return Request{}, err
	}
	if !stored {
		return Request{}, errOpen
	}
	return r, x.note(ctx, t, who, purpose, "approval.ask", r)
}

func (r Request) check() error {
	switch {
	case r.Municipality == "" || r.Kind == "" || r.Object == "" || r.Role == "":
		return fault.At(fault.Internal, "request", "a request names its municipality, kind, object and role")
	case r.AskedBy == "":
		return fault.At(fault.Internal, "asked_by", "a request names the officer who asks")
	case len(r.Kind) > maxName || len(r.Object) > maxName:
		return fault.At(fault.TooLarge, "object", "a name in a request has at most %d bytes", maxName)
	case len(r.Involved) > MaxInvolved:
		return fault.At(fault.TooLarge, "involved", "at most %d officers work on one thing", MaxInvolved)
	}
	return nil
}

// Of gives the newest request of a kind for an object with its decision, which is zero
// while it waits. It is part of another use case's transaction and records nothing.
func (x *Desk) Of(ctx context.Context, t tx.Tx, kind, object string) (Request, Decision, bool, error) {
	r, d, round, err := x.Rows.Latest(ctx, t, kind, object)
	return r, d, round > 0, err
}

func (x *Desk) note(ctx context.Context, t tx.Tx, who actor.Actor, purpose audit.Purpose, action string, r Request) error {
	return x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: action, Municipality: r.Municipality,
		Object: r.ID, Items: []string{r.Kind, r.Object}})
}

// isStaff tells whether an actor is an officer.
func isStaff(who actor.Actor) bool { return who.AuditActor().Kind == auditlog.ActorStaff }
