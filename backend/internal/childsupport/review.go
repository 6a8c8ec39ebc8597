package childsupport

import (
	"context"
	"slices"
	"strings"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/approval"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/remark"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
)

// ContactApproval is the kind of the approval that contact needs. Its object is the case.
const ContactApproval = "child_contact"

// reasonInCase stands at the approval in place of the reason: approvals are kept for longer
// than cases, so words about a family stay in the case's history and are erased with it.
const reasonInCase = "理由は案件の記録にあります。"

var (
	errOwn      = fault.At(fault.Forbidden, approval.OwnWork, "nobody acts in two roles in one case")
	errState    = fault.At(fault.Conflict, "state", "the case is at another step: look at it again")
	errLapsed   = fault.At(fault.Conflict, "state", "nobody reviewed the flag in its time: it has lapsed")
	errGuardian = fault.At(fault.Conflict, "contact", "there is nobody in the household to whom an offer could go")
)

// officer lets officers of child support work on cases, approver the second role.
func (x *Desk) officer(who actor.Staff, purpose audit.Purpose) error {
	if !who.Has(actor.ChildOfficer) || who.Municipality == "" {
		return fault.At(fault.Forbidden, "role", "officers of child support do this")
	}
	return x.register.purposeOf(purpose)
}

func (x *Desk) approver(who actor.Staff, purpose audit.Purpose) error {
	if !who.Has(actor.ChildApprover) || who.Municipality == "" {
		return fault.At(fault.Forbidden, "role", "approvers of child support do this")
	}
	return x.register.purposeOf(purpose)
}

// Assess keeps an officer's assessment with its reason: it proposes contact and asks the
// second role, or closes the case. Somebody who decided about the case before is Forbidden
// with the place of own work.
func (x *Desk) Assess(ctx context.Context, who actor.Staff, purpose audit.Purpose, id string, a Assessment) error {
	if err := x.officer(who, purpose); err != nil {
		return err
	}
	a.Reason = strings.TrimSpace(a.Reason)
	if err := remark.Check("reason", a.Reason, MinReason, MaxReason); err != nil {
		return err
	}
	return x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		c, err := x.get(ctx, t, who, id)
		if err != nil {
			return err
		}
		acts, err := x.Rows.Acts(ctx, t, c)
		switch {
		case err != nil:
			return err
		case c.State != Flagged && c.State != Returned:
			return errState
		case c.State == Flagged && !x.today().Before(c.LapsesOn):
			return errLapsed
		case slices.Contains(doers(acts, Returned), who.ID):
			return errOwn
		}
		if !a.Contact {
			return x.end(ctx, t, who, purpose, c, outcomeOf(a), a.Reason)
		}
		return x.propose(ctx, t, who, purpose, c, acts, a)
	})
}

func outcomeOf(a Assessment) Outcome {
	if a.Wrong {
		return NotAsSaid
	}
	return NoAction
}

// propose asks the second role to allow contact.
func (x *Desk) propose(ctx context.Context, t tx.Tx, who actor.Staff, purpose audit.Purpose, c Stored, acts []Act, a Assessment) error {
	i, _ := x.register.Indicator(c.Indicator)
	if !slices.Contains(i.Supports, a.Support) {
		return fault.At(fault.InvalidArgument, "support", "choose one of the supports for this case")
	}
	home, err := x.home(ctx, t, c.Child)
	if err != nil {
		return err
	}
	if len(home.Guardians) == 0 {
		return errGuardian
	}
	from := c.State
	c.State, c.Support, c.DecideBy = Assessed, a.Support, x.today().AddDays(DecideDays)
	if err := x.move(ctx, t, from, c); err != nil {
		return err
	}
	if err := x.act(ctx, t, who, purpose, c, Act{What: Assessed, By: who.ID, Reason: a.Reason}); err != nil {
		return err
	}
	_, err = x.Approvals.Ask(ctx, t, who, purpose, approval.Request{Municipality: c.Municipality, Kind: ContactApproval, Object: c.ID,
		Role: actor.ChildApprover, Due: c.DecideBy, Involved: append(doers(acts, Assessed), who.ID)})
	return err
}

// move stores the case unless another call moved it on first.
func (x *Desk) move(ctx context.Context, t tx.Tx, from State, c Stored) error {
	mine, err := x.Rows.Move(ctx, t, from, c)
	if err == nil && !mine {
		err = errOvertaken
	}
	return err
}

// end closes a case.
func (x *Desk) end(ctx context.Context, t tx.Tx, who actor.Actor, purpose audit.Purpose, c Stored, o Outcome, note string) error {
	from := c.State
	c.State, c.Outcome, c.ClosedAt, c.EraseOn = Closed, o, x.Now().UTC(), x.today().AddDays(CaseDays)
	if err := x.move(ctx, t, from, c); err != nil {
		return err
	}
	return x.act(ctx, t, who, purpose, c, Act{What: Closed, By: who.AuditActor().ID, Reason: note})
}

// Approve allows contact. Whoever assessed the case is Forbidden with the place of own
// work. In the same transaction the guardian gets the offer; or, where a protection of the
// child or of anybody of the household holds, nothing is sent and the case waits with a person and on
// the protectors' list.
func (x *Desk) Approve(ctx context.Context, who actor.Staff, purpose audit.Purpose, id, reason string) error {
	return x.decide(ctx, who, purpose, id, approval.Approved, reason, func(ctx context.Context, t tx.Tx, c Stored) error {
		return x.contact(ctx, t, who, purpose, c, strings.TrimSpace(reason))
	})
}

// Return gives the case back to the officers with a reason.
func (x *Desk) Return(ctx context.Context, who actor.Staff, purpose audit.Purpose, id, reason string) error {
	return x.decide(ctx, who, purpose, id, approval.Returned, reason, func(ctx context.Context, t tx.Tx, c Stored) error {
		c.State = Returned
		if err := x.move(ctx, t, Assessed, c); err != nil {
			return err
		}
		return x.act(ctx, t, who, purpose, c, Act{What: Returned, By: who.ID, Reason: strings.TrimSpace(reason)})
	})
}

func (x *Desk) decide(ctx context.Context, who actor.Staff, purpose audit.Purpose, id string, v approval.Verdict, reason string,
	then func(context.Context, tx.Tx, Stored) error) error {
	if err := x.approver(who, purpose); err != nil {
		return err
	}
	if err := remark.Check("reason", strings.TrimSpace(reason), MinReason, MaxReason); err != nil {
		return err
	}
	return x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		c, err := x.get(ctx, t, who, id)
		if err != nil {
			return err
		}
		if c.State != Assessed {
			return errState
		}
		acts, err := x.Rows.Acts(ctx, t, c)
		if err != nil {
			return err
		}
		if slices.Contains(doers(acts, Assessed), who.ID) {
			return errOwn
		}
		asked, _, ok, err := x.Approvals.Of(ctx, t, ContactApproval, c.ID)
		if err != nil {
			return err
		}
		if !ok {
			return fault.New(fault.Internal, "the case waits for an approval that was never asked for")
		}
		if _, err := x.Approvals.Decide(ctx, t, who, purpose, asked.ID, v, reasonInCase); err != nil {
			return err
		}
		return then(ctx, t, c)
	})
}

// Close ends a case that was offered or waits with a person. note may be empty.
func (x *Desk) Close(ctx context.Context, who actor.Staff, purpose audit.Purpose, id string, o Outcome, note string) error {
	if err := x.officer(who, purpose); err != nil {
		return err
	}
	note = strings.TrimSpace(note)
	if err := remark.Check("note", note, 0, MaxReason); err != nil {
		return err
	}
	if !slices.Contains(Outcomes(), o) {
		return fault.At(fault.InvalidArgument, "outcome", "choose how the case ended")
	}
	return x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		c, err := x.get(ctx, t, who, id)
		if err != nil {
			return err
		}
		if !slices.Contains([]State{Offered, WithPerson, Accepted, Declined}, c.State) {
			return errState
		}
		return x.end(ctx, t, who, purpose, c, o, note)
	})
}
