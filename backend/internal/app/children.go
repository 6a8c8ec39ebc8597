package app

import (
	"context"
	"encoding/hex"
	"slices"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/approval"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/childsupport"
	"madoguchi.example/backend/internal/office"
	childrows "madoguchi.example/backend/internal/store/childsupport"
	citizenrows "madoguchi.example/backend/internal/store/citizen"
)

// furnishChildren makes child support.
func (h *house) furnishChildren(p *program) (err error) {
	reads := h.db.Reads()
	h.children, err = childsupport.New(childsupport.Deps{
		Runner: h.db.Runner(), Rows: childrows.New(reads), Residents: citizenrows.New(reads), People: h.citizens,
		Mail: h.notices, Approvals: h.approvals, Protection: h.protection, Record: h.record, Key: h.keys.children,
		Now: h.now, Rand: p.rand,
	})
	return err
}

// officeChildren lets the console work on cases of child support.
type officeChildren struct{ house *house }

// Cases implements office.Children.
func (o officeChildren) Cases(ctx context.Context, who actor.Staff, limit int) ([]office.Case, error) {
	all, err := o.house.children.Cases(ctx, who, audit.ChildSupport, limit)
	out := make([]office.Case, len(all))
	for i, c := range all {
		out[i] = caseLine(c)
	}
	return out, err
}

func caseLine(c childsupport.Case) office.Case {
	return office.Case{
		ID: c.ID, Indicator: office.Texts(c.Indicator.Name), State: office.CaseState(c.State), Since: c.FlaggedAt,
		Due: c.Due, Own: c.Own,
	}
}

// Case implements office.Children.
func (o officeChildren) Case(ctx context.Context, who actor.Staff, id string) (office.CaseDetail, error) {
	c, err := o.house.children.Case(ctx, who, audit.ChildSupport, id)
	if err != nil {
		return office.CaseDetail{}, err
	}
	reviews := c.State == childsupport.Flagged || c.State == childsupport.Returned
	out := office.CaseDetail{
		Case: caseLine(c), Rule: office.Texts(c.Indicator.Rule), Holds: c.Holds,
		Child:      office.Child{Name: c.Child.Name.Kanji(), Kana: c.Child.Name.Kana(), Birth: c.Child.BirthDate.Date, Guardian: c.Guardian.Name.Kanji()},
		CanAssess:  reviews && who.Has(actor.ChildOfficer),
		CanApprove: c.State == childsupport.Assessed && who.Has(actor.ChildApprover),
		CanClose: who.Has(actor.ChildOfficer) && slices.Contains([]childsupport.State{
			childsupport.Offered, childsupport.WithPerson, childsupport.Accepted, childsupport.Declined,
		}, c.State),
	}
	for _, r := range c.Reasons {
		out.Reasons = append(out.Reasons, office.Reason{
			Text: office.Texts(r.Text), Source: office.Texts(r.Source), Ground: office.Texts(r.Ground), AsOf: r.AsOf, Until: r.Until, Expired: r.Expired,
		})
	}
	o.choices(c, &out)
	if c.State == childsupport.Assessed && (who.Has(actor.ChildApprover) || c.Own) {
		if out.Approval, err = o.house.waitingFor(ctx, who, office.ContactApproval, c.ID); err != nil {
			return out, err
		}
	}
	return out, o.acts(ctx, c, &out)
}

// choices adds the support of the case, and what may be chosen in its state.
func (o officeChildren) choices(c childsupport.Case, out *office.CaseDetail) {
	if c.Support != nil {
		s := supportEntry(*c.Support)
		out.Support = &s
	}
	if out.CanAssess {
		for _, id := range c.Indicator.Supports {
			if s, ok := o.house.children.Register().Support(id); ok {
				out.Supports = append(out.Supports, supportEntry(s))
			}
		}
	}
	if out.CanClose {
		for _, key := range childsupport.Outcomes() {
			out.Outcomes = append(out.Outcomes, office.Choice{Key: string(key), Name: outcomes[key]})
		}
	}
	if c.State == childsupport.Closed {
		out.Outcome = outcomes[c.Outcome]
	}
}

// acts adds the case's history, with the assessment and the decision told apart.
func (o officeChildren) acts(ctx context.Context, c childsupport.Case, out *office.CaseDetail) error {
	for _, a := range c.History {
		name, err := o.house.staffName(ctx, a.By)
		if err != nil {
			return err
		}
		out.History = append(out.History, office.Event{At: a.At, What: string(a.What), By: name, Note: a.Reason})
		switch a.What {
		case childsupport.Assessed:
			out.Assessed = &office.Assessed{By: name, At: a.At, Contact: true, Reason: a.Reason}
		case childsupport.Offered, childsupport.WithPerson:
			out.Decided = office.Decided{Verdict: string(approval.Approved), By: name, At: a.At, Reason: a.Reason}
		case childsupport.Returned:
			out.Decided = office.Decided{Verdict: string(approval.Returned), By: name, At: a.At, Reason: a.Reason}
		case childsupport.Closed:
			out.Note = a.Reason
			if c.Support == nil {
				out.Assessed = &office.Assessed{By: name, At: a.At, Reason: a.Reason}
			}
		}
	}
	return nil
}

// supportEntry gives one entry of the catalogue as the console has it.
func supportEntry(s childsupport.Support) office.Support {
	return office.Support{
		Key: s.ID, Name: office.Texts(s.Name), What: office.Texts(s.What), From: office.Texts(s.From),
		How: office.Texts(s.How), Cost: office.Texts(s.Cost),
	}
}

// Assess implements office.Children.
func (o officeChildren) Assess(ctx context.Context, who actor.Staff, id string, a office.Assessment) error {
	return o.house.children.Assess(ctx, who, audit.ChildSupport, id, childsupport.Assessment{
		Contact: a.Contact, Support: a.Support, Wrong: a.Wrong, Reason: a.Reason,
	})
}

// Approve implements office.Children.
func (o officeChildren) Approve(ctx context.Context, who actor.Staff, id, reason string) error {
	return o.house.children.Approve(ctx, who, audit.ChildSupport, id, reason)
}

// Return implements office.Children.
func (o officeChildren) Return(ctx context.Context, who actor.Staff, id, reason string) error {
	return o.house.children.Return(ctx, who, audit.ChildSupport, id, reason)
}

// Close implements office.Children.
func (o officeChildren) Close(ctx context.Context, who actor.Staff, id, outcome, note string) error {
	return o.house.children.Close(ctx, who, audit.ChildSupport, id, childsupport.Outcome(outcome), note)
}

// Erasures implements office.Children.
func (o officeChildren) Erasures(ctx context.Context, who actor.Staff) ([]office.Erasure, error) {
	all, err := o.house.children.Erasures(ctx, who, audit.ChildSupport)
	out := make([]office.Erasure, len(all))
	for i, e := range all {
		source, item := o.house.erasedNames(e)
		out[i] = office.Erasure{Source: source, Item: item, Why: string(e.Why), Count: e.Count, Cutoff: e.Cutoff, Digest: hex.EncodeToString(e.Digest), At: e.At}
	}
	return out, err
}

// Evaluation implements office.Children.
func (o officeChildren) Evaluation(ctx context.Context, who actor.Staff) ([]office.Evaluation, error) {
	all, err := o.house.children.Evaluate(ctx, who, audit.ChildSupport)
	out := make([]office.Evaluation, len(all))
	for i, e := range all {
		out[i] = office.Evaluation{
			Indicator: o.house.indicatorName(e.Indicator), Flagged: e.Flagged, Reviewed: e.Reviewed,
			Contacted: e.Contacted, Accepted: e.Accepted, Declined: e.Declined, Wrong: e.Wrong,
		}
	}
	return out, err
}

func (h *house) indicatorName(id string) office.Texts {
	if i, ok := h.children.Register().Indicator(id); ok {
		return office.Texts(i.Name)
	}
	return office.SameText(id)
}

// erasedNames gives the names of what an erasure erased; of cases, their indicator.
func (h *house) erasedNames(e childsupport.Erasure) (source, item office.Texts) {
	r := h.children.Register()
	s, known := r.Source(e.Source)
	if !known {
		return caseWord, h.indicatorName(e.Item)
	}
	if i, ok := r.Item(e.Item); ok {
		return office.Texts(s.Name), office.Texts(i.Name)
	}
	return office.Texts(s.Name), office.SameText(e.Item)
}
