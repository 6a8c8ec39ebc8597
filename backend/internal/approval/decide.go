package approval

import (
	"context"
	"strings"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/remark"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
)

// OwnWork is the place of the fault that refuses the first person.
const OwnWork = "own_work"

var (
	errNoRequest = fault.New(fault.NotFound, "there is no such request")
	errRole      = fault.At(fault.Forbidden, "role", "another role decides this")
	errOwn       = fault.At(fault.Forbidden, OwnWork, "somebody who did not work on this decides it")
	errDecided   = fault.At(fault.Conflict, "decided", "this was decided already")
	errNotYours  = fault.New(fault.Forbidden, "only those who worked on a request withdraw it")
)

// Decide approves or returns a request, in the caller's transaction: what follows from it
// is stored with it or not at all. Whoever asked or worked on it is Forbidden with the
// place OwnWork; a request of another municipality is NotFound; one that has a decision,
// also one made at the same moment, is a Conflict. The reason has MinReason to MaxReason
// code points.
func (x *Desk) Decide(ctx context.Context, t tx.Tx, who actor.Staff, purpose audit.Purpose, id string, verdict Verdict, reason string) (Request, error) {
	if verdict != Approved && verdict != Returned {
		return Request{}, fault.At(fault.InvalidArgument, "verdict", "a request is approved or returned")
	}
	r, ok, err := x.Rows.ByID(ctx, t, who.Municipality, id)
	if err != nil {
		return Request{}, err
	}
	reason = strings.TrimSpace(reason)
	switch {
	case !ok:
		return Request{}, errNoRequest
	case !who.Has(r.Role):
		return Request{}, errRole
	case r.Own(who.ID):
		return Request{}, errOwn
	}
	if err := remark.Check("reason", reason, MinReason, MaxReason); err != nil {
		return Request{}, err
	}
	return r, x.end(ctx, t, who, purpose, r, Decision{Verdict: verdict, Reason: reason})
}

// Withdraw takes a request back, in the caller's transaction, so that what it asks for can
// be changed and asked for again. Officers who asked or worked on it may, and the system.
func (x *Desk) Withdraw(ctx context.Context, t tx.Tx, who actor.Actor, purpose audit.Purpose, kind, object string) error {
	r, _, round, err := x.Rows.Latest(ctx, t, kind, object)
	if err != nil {
		return err
	}
	if s, ok := who.(actor.Staff); round == 0 || ok && s.Municipality != r.Municipality {
		return errNoRequest
	}
	if isStaff(who) && !r.Own(who.AuditActor().ID) {
		return errNotYours
	}
	return x.end(ctx, t, who, purpose, r, Decision{Verdict: Withdrawn})
}

// end claims the request for this decision: its key takes one row.
func (x *Desk) end(ctx context.Context, t tx.Tx, who actor.Actor, purpose audit.Purpose, r Request, d Decision) error {
	d.Request, d.By, d.At = r.ID, who.AuditActor().ID, x.Now().UTC().Truncate(time.Microsecond)
	mine, err := x.Rows.Decide(ctx, t, d)
	if err != nil {
		return err
	}
	if !mine {
		return errDecided
	}
	return x.note(ctx, t, who, purpose, "approval."+string(d.Verdict), r)
}
