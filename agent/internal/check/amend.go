package check

import (
	"context"
	"encoding/json"
	"strings"
	"sync"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// By is who does something at the desk.
type By struct{ Operator, OperatorID string }

// Messages of fault.Conflict, for faces to translate.
const (
	AlreadyAsked    = "already_asked"    // Undo: the question is out
	NothingToUndo   = "nothing_to_undo"  // Undo: no entry of this operator today
	IsCorrection    = "is_correction"    // Undo: a correction is corrected by another
	AlreadyVoided   = "already_voided"   // Amend, Void: the record was taken back before
	AlreadyAnswered = "already_answered" // AssignFace: the row waits for nothing
	AnotherDay      = "another_day"      // AssignFace: the result is for another day than the row
	TooManyParked   = "too_many_parked"  // Park: MaxParked wait
)

// Amend records e in place of an earlier record, with e.Reason. The new record points to
// the old and the old to the new, on the terminal and at the backend, and one commit makes
// both durable. With the reasons completed and typo, what e leaves empty is taken from the
// old record: who the patient is, and the day. Errors are Record's, NotFound, Conflict
// (AlreadyVoided) and InvalidArgument for a reason that is none.
func (d *Desk) Amend(ctx context.Context, recordID string, e Entry) (casebook.Case, []Doubt, error) {
	if e.Reason == eligibility.Undone || !e.Reason.Known() {
		return casebook.Case{}, nil, fault.At(fault.InvalidArgument, FieldReason, "required")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	old, err := d.standing(ctx, recordID)
	if err != nil {
		return casebook.Case{}, nil, err
	}
	if e.Reason == eligibility.Completed || e.Reason == eligibility.Typo {
		e = inherit(e, &old)
	}
	c, doubts, err := d.prepare(ctx, e)
	if err != nil || (len(doubts) > 0 && !e.Override) {
		return casebook.Case{}, doubts, err
	}
	c.Amends = old.RecordID
	taken := old
	err = d.store(ctx, wire.KindEligibilityCheck, c.RecordedAt, func(r wire.Record) (json.RawMessage, []*casebook.Case, error) {
		body, err := d.compose(&c, r)
		if err != nil {
			return nil, nil, err
		}
		taken = old
		d.void(&taken, e.Reason, By{e.Operator, e.OperatorID})
		taken.AmendedBy = c.RecordID
		return body, []*casebook.Case{&c, &taken}, d.owe(&taken, wire.KindEligibilityAmendment, amendment(&taken, e.OperatorID))
	})
	if err != nil {
		return casebook.Case{}, nil, err
	}
	if err := d.pay(ctx, &taken); err != nil {
		d.Rejected(taken.RecordID, err) // it is owed: Chase and Reconcile try again
	}
	d.forget(ctx, &taken)
	d.recorded(&c)
	return c, nil, nil
}

// standing gives a case that was not taken back.
func (d *Desk) standing(ctx context.Context, recordID string) (casebook.Case, error) {
	c, ok, err := d.Book.Get(ctx, recordID)
	switch {
	case err != nil:
		return c, err
	case !ok:
		return c, fault.New(fault.NotFound, "there is no such case")
	case c.State == eligibility.Voided:
		return c, fault.New(fault.Conflict, AlreadyVoided)
	}
	return c, nil
}

// inherit fills what an entry leaves empty from the record that it completes or corrects.
func inherit(e Entry, old *casebook.Case) Entry {
	for _, f := range []struct {
		to   *string
		from string
	}{
		{&e.BirthDate, old.Inquiry.BirthDate.String()}, {&e.VisitDay, old.VisitDay.String()}, {&e.Label, old.Label},
		{&e.Patient, old.Patient}, {&e.Family, old.Family},
	} {
		if strings.TrimSpace(*f.to) == "" {
			*f.to = f.from
		}
	}
	if e.Person == nil {
		e.Person = old.Person
	}
	if e.Declared == nil && e.DeclaredTyped.Empty() {
		e.Declared = old.Declared
	}
	return e
}

// void takes a case back. Its task, if one is open, is closed with it.
func (d *Desk) void(c *casebook.Case, reason eligibility.AmendReason, by By) {
	now := d.Now().UTC()
	c.State, c.VoidedAt, c.VoidedBy, c.VoidReason = eligibility.Voided, now, by.Operator, reason
	closeTask(c, now, by.Operator)
}

func amendment(c *casebook.Case, operatorID string) wire.EligibilityAmendment {
	return wire.EligibilityAmendment{Of: c.RecordID, By: c.AmendedBy, Reason: string(c.VoidReason), Operator: operatorID}
}

// Void takes a record back: the wrong patient, a visit that did not take place. The record
// stays, with the reason, and a wire record tells the backend; one commit makes both
// durable. Errors: NotFound, Conflict (AlreadyVoided), QueueFull, and InvalidArgument for a
// reason that is none.
func (d *Desk) Void(ctx context.Context, recordID string, reason eligibility.AmendReason, by By) error {
	if !reason.Known() {
		return fault.At(fault.InvalidArgument, FieldReason, "required")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	c, err := d.standing(ctx, recordID)
	if err != nil {
		return err
	}
	return d.withdraw(ctx, c, reason, by)
}

// withdraw stores a voided case with its amendment. The caller holds mu.
func (d *Desk) withdraw(ctx context.Context, c casebook.Case, reason eligibility.AmendReason, by By) error {
	if err := d.pay(ctx, &c); err != nil { // what was owed comes before it
		return err
	}
	d.void(&c, reason, by)
	err := d.store(ctx, wire.KindEligibilityAmendment, c.VoidedAt, func(wire.Record) (json.RawMessage, []*casebook.Case, error) {
		body, err := json.Marshal(amendment(&c, by.OperatorID))
		return body, []*casebook.Case{&c}, err
	})
	if err != nil {
		return err
	}
	d.forget(ctx, &c)
	d.Kick()
	d.changed()
	return nil
}

// forget tells the queue that no answer to a voided case's question is awaited.
func (d *Desk) forget(ctx context.Context, c *casebook.Case) {
	if !asksPayer(c) || c.Answer != nil {
		return
	}
	if err := d.Queue.MarkAnswered(ctx, c.RecordID); err != nil {
		d.Rejected(c.RecordID, err) // it counts as unanswered until the queue lets go of it
	}
}

// Undo takes the operator's last entry of today back, while it is not asked, with the reason
// undone, and gives it back to the form. Otherwise the fault is Conflict: AlreadyAsked,
// NothingToUndo, or IsCorrection for an entry that stands in another's place.
func (d *Desk) Undo(ctx context.Context, by By) (Entry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	midnight := civil.In(d.Now()).Midnight()
	own, newest := casebook.OperatorMark(by.OperatorID, by.Operator), d.newest.by(by)
	last, _, err := d.Book.Top(ctx, 1, func(r *casebook.Row) int {
		switch {
		case r.Operator() != own || r.State() == eligibility.Voided || r.RecordedAt().Before(midnight):
			return -1
		case newest != "" && r.RecordID() == newest:
			return 0 // though the clock was set back since the one before
		}
		return 1
	})
	switch {
	case err != nil:
		return Entry{}, err
	case len(last) == 0:
		return Entry{}, fault.New(fault.Conflict, NothingToUndo)
	}
	c := last[0]
	switch {
	case c.RecordID == d.asking, c.State != eligibility.Recorded && (c.State != eligibility.Queued || c.Asked > 0):
		return Entry{}, fault.New(fault.Conflict, AlreadyAsked)
	case c.Amends != "":
		return Entry{}, fault.New(fault.Conflict, IsCorrection)
	}
	if err := d.withdraw(ctx, c, eligibility.Undone, by); err != nil {
		return Entry{}, err
	}
	return entryOf(&c), nil
}

// newest knows each operator's last entry. It is safe for concurrent use.
type newest struct {
	mu sync.Mutex
	of map[By]string
}

// alone is the operator by the ID, or by the name where there is none.
func (b By) alone() By {
	if b.OperatorID != "" {
		return By{OperatorID: b.OperatorID}
	}
	return b
}

func (n *newest) note(c *casebook.Case) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.of == nil {
		n.of = map[By]string{}
	}
	n.of[By{c.Operator, c.OperatorID}.alone()] = c.RecordID
}

// by gives the record ID of the operator's last entry; "" where none is known.
func (n *newest) by(b By) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.of[b.alone()]
}

// entryOf gives a case back as it was typed.
func entryOf(c *casebook.Case) Entry {
	e := Entry{
		Insurer: c.Typed.Insurer, Symbol: c.Typed.Symbol, Number: c.Typed.Number, Branch: c.Typed.Branch, BirthDate: c.Typed.Birth,
		VisitDay: c.VisitDay.String(), Label: c.Label, Evidence: c.Evidence, Operator: c.Operator, OperatorID: c.OperatorID,
		Copayment: c.Typed.Copayment, Patient: c.Patient, Person: c.Person, Family: c.Family,
	}
	if c.Declared != nil {
		e.DeclaredTyped = c.Declared.Form()
	}
	return e
}
