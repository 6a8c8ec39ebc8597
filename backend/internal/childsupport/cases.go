package childsupport

import (
	"context"
	"slices"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

var errRole = fault.At(fault.Forbidden, "role", "child support is for its officers and approvers")

// reader lets officers and approvers of child support look at cases.
func (x *Desk) reader(who actor.Staff, purpose audit.Purpose) error {
	if !who.Has(actor.ChildOfficer) && !who.Has(actor.ChildApprover) || who.Municipality == "" {
		return errRole
	}
	return x.register.purposeOf(purpose)
}

// Cases lists the open cases of the officer's municipality, at most MaxCases: first those
// that wait for an officer, then the others, each oldest first. It names nobody and shows
// no item.
func (x *Desk) Cases(ctx context.Context, who actor.Staff, purpose audit.Purpose, limit int) ([]Case, error) {
	if err := x.reader(who, purpose); err != nil {
		return nil, err
	}
	if limit <= 0 || limit > MaxCases {
		limit = MaxCases
	}
	var out []Case
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		found, err := x.queue(ctx, t, who.Municipality, limit)
		if err != nil {
			return err
		}
		out = make([]Case, len(found))
		for n, c := range found {
			out[n] = x.line(c)
			if c.State != Assessed {
				continue
			}
			acts, err := x.Rows.Acts(ctx, t, c)
			if err != nil {
				return err
			}
			out[n].Own = slices.Contains(doers(acts, Assessed), who.ID)
		}
		return x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: "case.list", Municipality: who.Municipality})
	})
	return out, err
}

// queue gives open cases in the order of Cases: offers that nobody answers may be many, and
// must not hide a flag until it lapses.
func (x *Desk) queue(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, limit int) ([]Stored, error) {
	found, err := x.Rows.Open(ctx, t, m, waiting, limit)
	if err != nil || len(found) == limit {
		return found, err
	}
	rest, err := x.Rows.Open(ctx, t, m, resting, limit-len(found))
	return append(found, rest...), err
}

// line gives what a queue may show of a case.
func (x *Desk) line(c Stored) Case {
	i, _ := x.register.Indicator(c.Indicator)
	out := Case{ID: c.ID, Municipality: c.Municipality, Indicator: i, State: c.State, FlaggedAt: c.FlaggedAt,
		Notice: c.Notice, Outcome: c.Outcome, ClosedAt: c.ClosedAt}
	switch c.State {
	case Flagged:
		out.Due = c.LapsesOn
	case Assessed:
		out.Due = c.DecideBy
	}
	return out
}

// doers gives the officers who did such an act, each once.
func doers(acts []Act, what State) []string {
	var out []string
	for _, a := range acts {
		if a.What == what && !slices.Contains(out, a.By) {
			out = append(out, a.By)
		}
	}
	return out
}

// Case shows one case of the officer's municipality with its reasons in words, and records
// that the officer looked. Another municipality's case is NotFound. A child who has moved
// away is shown as nobody.
func (x *Desk) Case(ctx context.Context, who actor.Staff, purpose audit.Purpose, id string) (Case, error) {
	if err := x.reader(who, purpose); err != nil {
		return Case{}, err
	}
	var out Case
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		c, err := x.get(ctx, t, who, id)
		if err != nil {
			return err
		}
		if out, err = x.show(ctx, t, who, purpose, c); err != nil {
			return err
		}
		return x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: "case.read", CitizenID: c.Child,
			Municipality: c.Municipality, Object: c.ID, Items: []string{c.Indicator, "name", "birth_date", "guardian"}})
	})
	return out, err
}

func (x *Desk) get(ctx context.Context, t tx.Tx, who actor.Staff, id string) (Stored, error) {
	c, ok, err := x.Rows.Get(ctx, t, who.Municipality, id)
	if err == nil && !ok {
		err = errNoCase
	}
	return c, err
}

func (x *Desk) show(ctx context.Context, t tx.Tx, who actor.Staff, purpose audit.Purpose, c Stored) (Case, error) {
	out := x.line(c)
	home, err := x.home(ctx, t, c.Child)
	if err != nil {
		return out, err
	}
	out.Child = home.Child
	if len(home.Guardians) > 0 {
		out.Guardian = home.Guardians[0]
	}
	known, err := x.known(ctx, t, who, purpose, c.Municipality, out.Indicator, []identity.CitizenID{c.Child})
	if err != nil {
		return out, err
	}
	out.Reasons = x.register.reasons(c.Refs, known[c.Child])
	if out.Child.ID != "" {
		_, out.Holds = x.register.evaluate(out.Indicator, known[c.Child], out.Child.BirthDate.Date, x.today())
	}
	if s, ok := x.register.Support(c.Support); ok {
		out.Support = &s
	}
	if out.History, err = x.Rows.Acts(ctx, t, c); err != nil {
		return out, err
	}
	out.Own = slices.Contains(doers(out.History, Assessed), who.ID)
	return out, nil
}

// home gives the child's home, and an empty one where the child lives there no longer.
func (x *Desk) home(ctx context.Context, t tx.Tx, child identity.CitizenID) (citizen.Home, error) {
	home, err := x.People.HomeOf(ctx, t, child)
	if fault.CodeOf(err) == fault.NotFound {
		return citizen.Home{}, nil
	}
	return home, err
}

// Evaluate counts, by indicator, how far the cases of the officer's municipality came, erased
// ones included. It reads no child's data.
func (x *Desk) Evaluate(ctx context.Context, who actor.Staff, purpose audit.Purpose) ([]Evaluation, error) {
	if !who.Has(actor.Auditor) {
		if err := x.reader(who, purpose); err != nil {
			return nil, err
		}
	}
	out := make([]Evaluation, len(x.register.Indicators))
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		found, err := x.Rows.Evaluate(ctx, t, who.Municipality)
		if err != nil {
			return err
		}
		for n, i := range x.register.Indicators {
			out[n].Indicator = i.ID
			for _, e := range found {
				if e.Indicator == i.ID {
					out[n].add(e)
				}
			}
		}
		return x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: "case.evaluate", Municipality: who.Municipality})
	})
	return out, err
}

func (e *Evaluation) add(o Evaluation) {
	e.Flagged += o.Flagged
	e.Reviewed += o.Reviewed
	e.Contacted += o.Contacted
	e.Accepted += o.Accepted
	e.Declined += o.Declined
	e.Wrong += o.Wrong
}
