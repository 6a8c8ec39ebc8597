package award

import (
	"context"
	"slices"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/approval"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

var (
	errNotApprover = fault.New(fault.Forbidden, "only approvers decide lists")
	errNotWaiting  = fault.At(fault.Conflict, "state", "the list does not wait for approval")
	errRefusedOne  = fault.At(fault.Conflict, "list", "somebody on the list refused or may still refuse: return it and make a new one")
	errGone        = fault.At(fault.Conflict, "list", "somebody on the list died or moved out: return it and make a new one")
	errUnbalanced  = fault.At(fault.Conflict, "total", "the list does not balance: return it and make a new one")
)

// listOf reads a list of the officer's municipality, with its request and verdict.
func (x *Office) listOf(ctx context.Context, t tx.Tx, who actor.Staff, id string) (List, error) {
	l, ok, err := x.Rows.ListByID(ctx, t, id)
	if err != nil {
		return l, err
	}
	if !ok || l.Municipality != who.Municipality {
		return l, errNoList
	}
	r, ok, err := x.Rows.RunByID(ctx, t, l.Run)
	if err != nil {
		return l, err
	}
	if !ok {
		return l, errNoRun
	}
	x.nameList(&l, r)
	l.Request, l.Verdict, _, err = x.Approvals.Of(ctx, t, ListKind, l.ID)
	return l, err
}

// List gives one list with its first MaxListed lines. Protected people are left out of the
// lines for officers who do not work for them; count and total keep them.
func (x *Office) List(ctx context.Context, who actor.Staff, purpose audit.Purpose, list string) (l List, lines []ListLine, err error) {
	if err := mayLook(who); err != nil {
		return List{}, nil, err
	}
	err = x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		if l, err = x.listOf(ctx, t, who, list); err != nil {
			return err
		}
		if err := x.balance(ctx, t, &l); err != nil {
			return err
		}
		if lines, err = x.Rows.Lines(ctx, t, list, "", MaxListed); err != nil {
			return err
		}
		return x.nameLines(ctx, t, who, purpose, l, &lines)
	})
	return l, lines, err
}

// balance tells whether the list's numbers, its lines, the awards that they name and, once
// approved, the ledger agree. Before approval the ledger holds nothing of it.
func (x *Office) balance(ctx context.Context, t tx.Tx, l *List) error {
	lines, total, awards, err := x.Rows.Summed(ctx, t, l.ID)
	if err != nil {
		return err
	}
	sum, payable, entries, err := x.Rows.Booked(ctx, t, l.ID)
	booked := sum == 0 && entries == 0
	if l.State == Passed {
		booked = sum == 0 && payable == l.Total && entries == l.Count
	}
	l.Balanced = booked && lines == l.Count && total == l.Total && awards == l.Total
	return err
}

func (x *Office) nameLines(ctx context.Context, t tx.Tx, who actor.Staff, purpose audit.Purpose, l List, lines *[]ListLine) error {
	var ids []string
	for _, line := range *lines {
		ids = append(ids, line.Award)
	}
	awards, err := x.Rows.ByIDs(ctx, t, ids, x.today())
	if err != nil {
		return err
	}
	if awards, err = x.visible(ctx, t, who, awards); err != nil {
		return err
	}
	seen := map[string]bool{}
	payees := make([]identity.CitizenID, len(awards))
	for i, a := range awards {
		seen[a.ID], payees[i] = true, a.Payee
	}
	named, err := x.People.Named(ctx, t, payees)
	if err != nil {
		return err
	}
	*lines = slices.DeleteFunc(*lines, func(line ListLine) bool { return !seen[line.Award] })
	for i := range *lines {
		line := &(*lines)[i]
		line.Ref, line.Name = named[line.Payee].Resident.Ref.Resident, named[line.Payee].Resident.Name
	}
	return x.lookedAt(ctx, t, who, purpose, "benefit.show_list", l.Municipality, l.ID, awards)
}

// Approve approves the list: every award on it ends as approved, and the ledger gets its
// entries, or nothing is done. The approver types the count and the total; both, the lines
// and the ledger must agree. A refusal that came in between, a payee who is gone, and
// another approval at the same moment are Conflicts.
func (x *Office) Approve(ctx context.Context, who actor.Staff, purpose audit.Purpose, list string, count int, total int64, reason string) error {
	return x.decide(ctx, who, purpose, list, approval.Approved, reason, func(ctx context.Context, t tx.Tx, l List) error {
		switch {
		case count != l.Count:
			return fault.At(fault.Conflict, "count", "the count typed is not the list's")
		case total != l.Total:
			return fault.At(fault.Conflict, "total", "the total typed is not the list's")
		}
		ended, err := x.Rows.SettleList(ctx, t, l, who.ID, x.now())
		if err != nil {
			return err
		}
		if ended != l.Count {
			return errRefusedOne
		}
		if err := x.Rows.Book(ctx, t, l, x.now()); err != nil {
			return err
		}
		l.State = Passed
		if err := x.balance(ctx, t, &l); err != nil {
			return err
		}
		if !l.Balanced {
			return errUnbalanced
		}
		return x.approved(ctx, t, who, purpose, l)
	})
}

// approved records the approval for every payee, all of whom still live here.
func (x *Office) approved(ctx context.Context, t tx.Tx, who actor.Staff, purpose audit.Purpose, l List) error {
	lines, err := x.Rows.Lines(ctx, t, l.ID, "", MaxList)
	if err != nil {
		return err
	}
	payees := make([]identity.CitizenID, len(lines))
	for i, line := range lines {
		payees[i] = line.Payee
	}
	standing, err := x.People.Named(ctx, t, payees)
	if err != nil {
		return err
	}
	events := make([]audit.Event, len(lines))
	for i, line := range lines {
		if !standing[line.Payee].Lives(x.today()) {
			return errGone
		}
		events[i] = audit.Event{Purpose: hiding(purpose, line.Withheld), Action: "benefit.approve", CitizenID: line.Payee,
			Municipality: l.Municipality, Object: line.Award, Items: []string{"benefit"}}
	}
	return x.Record.AppendAll(ctx, t, who, events)
}

// Return sends the list back: its awards are free for the next one.
func (x *Office) Return(ctx context.Context, who actor.Staff, purpose audit.Purpose, list, reason string) error {
	return x.decide(ctx, who, purpose, list, approval.Returned, reason, func(context.Context, tx.Tx, List) error { return nil })
}

// decide takes the second person's word on a list that waits, and does what follows from it.
func (x *Office) decide(ctx context.Context, who actor.Staff, purpose audit.Purpose, list string, verdict approval.Verdict, reason string, do func(ctx context.Context, t tx.Tx, l List) error) error {
	if !who.Has(actor.Approver) {
		return errNotApprover
	}
	to, action := Passed, "benefit.approve_list"
	if verdict == approval.Returned {
		to, action = Returned, "benefit.return_list"
	}
	return x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		l, err := x.listOf(ctx, t, who, list)
		if err != nil {
			return err
		}
		if l.State != Waiting {
			return errNotWaiting
		}
		if _, err := x.Approvals.Decide(ctx, t, who, purpose, l.Request.ID, verdict, reason); err != nil {
			return err
		}
		mine, err := x.Rows.TurnList(ctx, t, l.ID, Waiting, to, x.now())
		if err != nil {
			return err
		}
		if !mine {
			return errNotWaiting
		}
		if err := do(ctx, t, l); err != nil {
			return err
		}
		return x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: action, Municipality: l.Municipality, Object: l.ID})
	})
}
