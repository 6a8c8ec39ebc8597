package office

import (
	"context"
	"net/url"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/shared/fault"
)

const (
	erasuresPath = "/office/children/erasures"
	// casesShown is how many cases the queue shows; the oldest come first.
	casesShown = 500
)

func casePath(id string) string { return "/office/children/cases/" + url.PathEscape(id) }

// CaseList shows the queue of child support and what came of the cases.
func (o *Office) CaseList(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	cases, err := o.Children.Cases(ctx, who, casesShown)
	if err != nil {
		return Page{}, err
	}
	counts, err := o.Children.Evaluation(ctx, who)
	if err != nil {
		return Page{}, err
	}
	return o.render(ctx, r, &who, "cases", struct {
		Cases      []Case
		More       bool
		Evaluation []Evaluation
		Erasures   bool
	}{cases, len(cases) >= casesShown, counts, mayReadErasures(who)})
}

func mayReadErasures(who actor.Staff) bool {
	return who.Has(actor.ChildApprover) || who.Has(actor.Auditor)
}

// assessing is one case's page.
type assessing struct {
	sheet
	CaseDetail
	Decide bool
	Done   string
}

// CasePage shows one case.
func (o *Office) CasePage(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	return o.casePage(ctx, who, r, newSheet("", url.Values{}))
}

func (o *Office) casePage(ctx context.Context, who actor.Staff, r Request, s sheet) (Page, error) {
	d, err := o.Children.Case(ctx, who, r.Param["id"])
	if err != nil {
		return Page{}, err
	}
	body := assessing{sheet: s, CaseDetail: d, Done: doneOf(r)}
	body.CanAssess = d.CanAssess && who.Has(actor.ChildOfficer)
	body.CanClose = d.CanClose && who.Has(actor.ChildOfficer)
	body.Decide = d.CanApprove && who.Has(actor.ChildApprover) && d.Approval != nil && !d.Approval.Own
	return o.sheetPage(ctx, who, r, "case", s, body)
}

// AssessCase takes the officer's word: an offer of a support, or no contact.
func (o *Office) AssessCase(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	s := newSheet("assess", r.Form)
	word := s.oneOf("contact", "yes", "no", "wrong")
	a := Assessment{Contact: word == "yes", Wrong: word == "wrong"}
	if a.Contact {
		a.Support = s.chosen("support")
	}
	a.Reason = s.reason("reason")
	return o.actOnCase(ctx, who, r, s, "assessed", []string{"contact", "support", "reason"}, func() error {
		return o.Children.Assess(ctx, who, r.Param["id"], a)
	})
}

// ApproveContact is the second role's yes.
func (o *Office) ApproveContact(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	s := newSheet("contact", r.Form)
	reason := s.reason("reason")
	return o.actOnCase(ctx, who, r, s, "approved", []string{"reason"}, func() error {
		if err := o.sameAssessment(ctx, who, r); err != nil {
			return err
		}
		return o.Children.Approve(ctx, who, r.Param["id"], reason)
	})
}

// ReturnCase sends a case back to its officer.
func (o *Office) ReturnCase(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	s := newSheet("return", r.Form)
	reason := s.reason("reason")
	return o.actOnCase(ctx, who, r, s, "returned", []string{"reason"}, func() error {
		if err := o.sameAssessment(ctx, who, r); err != nil {
			return err
		}
		return o.Children.Return(ctx, who, r.Param["id"], reason)
	})
}

// sameAssessment refuses a form that was opened before the case was returned and assessed
// anew: nobody allows an offer that they have not seen.
func (o *Office) sameAssessment(ctx context.Context, who actor.Staff, r Request) error {
	seen := r.Form.Get("seen")
	if seen == "" {
		return nil
	}
	d, err := o.Children.Case(ctx, who, r.Param["id"])
	if err == nil && (d.Assessed == nil || d.Assessed.Stamp() != seen) {
		err = fault.At(fault.Conflict, "state", "the case was assessed anew since the page was opened")
	}
	return err
}

// CloseCase ends a case with what came of it.
func (o *Office) CloseCase(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	s := newSheet("close", r.Form)
	outcome := s.chosen("outcome")
	note := s.words("note", 0, MaxReason)
	return o.actOnCase(ctx, who, r, s, "closed", []string{"outcome", "note"}, func() error {
		return o.Children.Close(ctx, who, r.Param["id"], outcome, note)
	})
}

func (o *Office) actOnCase(ctx context.Context, who actor.Staff, r Request, s sheet, done string, fields []string, act func() error) (Page, error) {
	if s.ok() {
		err := act()
		if err == nil {
			return Page{Location: casePath(r.Param["id"]) + "?done=" + done}, nil
		}
		if err := s.take(err, fields...); err != nil {
			return Page{}, err
		}
	}
	return o.casePage(ctx, who, r, s)
}

// ErasureList shows the proofs that items past their retention are gone.
func (o *Office) ErasureList(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	all, err := o.Children.Erasures(ctx, who)
	if err != nil {
		return Page{}, err
	}
	return o.render(ctx, r, &who, "erasures", struct{ Erasures []Erasure }{all})
}
