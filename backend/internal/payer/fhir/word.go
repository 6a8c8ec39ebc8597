package fhir

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"madoguchi.example/backend/internal/payer"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/insurance"
	"madoguchi.example/shared/jptext"
)

// Outcomes of a response (R4 value set remittance-outcome).
const (
	outcomeQueued   = "queued"
	outcomeComplete = "complete"
	outcomePartial  = "partial"
	outcomeError    = "error"
)

// Error codes of ours, for answers that end without a word on the coverage.
const (
	codeNoWord  = "fhir_no_inforce"   // complete, but whether it is in force is not said
	codeNoCover = "fhir_no_insurance" // complete, but about no coverage
	codeOther   = "fhir_other_cover"  // about another coverage alone
	codeError   = "fhir_error"        // an error without a code
	codePartial = "fhir_partial"      // a note: some of it could not be done
	noteWords   = "fhir_disposition"  // a note: the payer's own sentence
	maxNote     = eligibility.MaxNameText
	maxCode     = 64
)

// errNotOurs is an answer that cannot be the one to this question.
var errNotOurs = errors.New("the answer is for another day or request")

// word turns the response into a finding. The table of R4's outcome and inforce:
//
//	queued                                   | waiting: not yet, the check stays open
//	error                                    | none_found or several_found by the configured codes, else error
//	complete, partial: inforce true          | valid
//	  false, and another coverage is         | newer_coverage
//	  false                                  | invalid
//	  not said                               | error
//
// Nothing but inforce=false on the coverage that was asked about becomes invalid.
func (p *Payer) word(q eligibility.Inquiry, r CoverageEligibilityResponse) (payer.Finding, error) {
	if err := ours(q, r); err != nil {
		return payer.Finding{}, err
	}
	a := eligibility.Answer{RecordID: q.RecordID, VisitDay: q.VisitDay}
	switch r.Outcome {
	case outcomeQueued:
		return payer.Finding{Waiting: true}, nil
	case outcomeError:
		p.failed(&a, r)
	case outcomeComplete, outcomePartial:
		p.decided(&a, q, r)
	default:
		return payer.Finding{}, errors.New("the answer has an unknown outcome")
	}
	if text := note(r.Disposition); text != "" {
		a.Notes = append(a.Notes, eligibility.Note{Code: noteWords, Text: text})
	}
	if err := a.Validate(); err != nil {
		return payer.Finding{}, err
	}
	return payer.Finding{Answer: a}, nil
}

// ours checks that the response is active and, where it says so, for our day and request.
func ours(q eligibility.Inquiry, r CoverageEligibilityResponse) error {
	if r.Status != "active" {
		return errors.New("the answer is not active")
	}
	if r.ServicedDate != "" && r.ServicedDate != q.VisitDay.String() {
		return errNotOurs
	}
	if r.Request != nil && r.Request.Identifier != nil {
		id := r.Request.Identifier
		if id.System == SystemRecord && id.Value != recordURN+q.RecordID {
			return errNotOurs
		}
	}
	return nil
}

func (p *Payer) failed(a *eligibility.Answer, r CoverageEligibilityResponse) {
	for _, e := range r.Error {
		switch {
		case e.Code.has(p.NoneFound):
			a.Validity = eligibility.NoneFound
			return
		case e.Code.has(p.SeveralFound):
			a.Validity = eligibility.SeveralFound
			return
		}
	}
	a.Validity, a.ErrorCode = eligibility.CheckFailed, codeError
	if len(r.Error) > 0 {
		if c := r.Error[0].Code.code(); isCode(c) {
			a.ErrorCode = c
		}
	}
}

// isCode tells whether a code is short and plain enough to be shown and logged.
func isCode(c string) bool {
	return c != "" && len(c) <= maxCode && !strings.ContainsFunc(c, func(r rune) bool { return r <= ' ' || r > '~' })
}

func (p *Payer) decided(a *eligibility.Answer, q eligibility.Inquiry, r CoverageEligibilityResponse) {
	asked, others := split(q, r)
	switch {
	case len(r.Insurance) == 0 && r.Outcome == outcomePartial && len(r.Error) > 0:
		p.failed(a, r)
		return
	case len(r.Insurance) == 0:
		a.Validity, a.ErrorCode = eligibility.CheckFailed, codeNoCover
		return
	case len(asked) == 0:
		a.Validity, a.ErrorCode = eligibility.CheckFailed, codeOther
		return
	case len(asked) > 1:
		a.Validity = eligibility.SeveralFound
		return
	case asked[0].Inforce == nil:
		a.Validity, a.ErrorCode = eligibility.CheckFailed, codeNoWord
		return
	}
	one := asked[0]
	switch {
	case *one.Inforce:
		a.Validity = eligibility.Valid
		holder(a, r)
	case anyInforce(others):
		a.Validity = eligibility.NewerCoverage
	default:
		a.Validity = eligibility.Invalid
	}
	tell(a, q, r, one)
	if r.Outcome == outcomePartial {
		a.Notes = append(a.Notes, eligibility.Note{Code: codePartial, Text: "一部の項目は確認できませんでした"})
	}
}

func anyInforce(all []ResponseInsurance) bool {
	for _, i := range all {
		if i.Inforce != nil && *i.Inforce {
			return true
		}
	}
	return false
}

// split tells the coverages that were asked about from others. One that cannot be told
// from its reference counts as asked about where it is the only one.
func split(q eligibility.Inquiry, r CoverageEligibilityResponse) (asked, others []ResponseInsurance) {
	for _, i := range r.Insurance {
		same, known := isAsked(q, r, i.Coverage)
		if same || !known && len(r.Insurance) == 1 {
			asked = append(asked, i)
		} else {
			others = append(others, i)
		}
	}
	return asked, others
}

func isAsked(q eligibility.Inquiry, r CoverageEligibilityResponse, to *Reference) (same, known bool) {
	if to == nil {
		return false, false
	}
	if to.Identifier != nil && to.Identifier.System == SystemMember {
		return sameMember(q, to.Identifier.Value), true
	}
	if c, ok := contained[Coverage](r.Contained, to); ok {
		for _, id := range c.Identifier {
			if id.System == SystemMember {
				return sameMember(q, id.Value), true
			}
		}
		return false, false
	}
	return to.Reference == focalCoverage, to.Reference == focalCoverage
}

// sameMember compares as people write numbers; a branch that one side lacks is no difference.
func sameMember(q eligibility.Inquiry, told string) bool {
	m, _, err := insurance.ParseMemberID(told)
	if err != nil {
		return false
	}
	same := func(a, b string) bool { return strings.EqualFold(jptext.Bare(a), jptext.Bare(b)) }
	return string(m.Insurer) == canonical(q.InsurerNumber) && same(string(m.Symbol), q.Symbol) && same(string(m.Number), q.Number) &&
		(m.Branch == "" || q.Branch == "" || string(m.Branch) == q.Branch)
}

func canonical(insurer string) string {
	if n, _, err := insurance.ParseInsurerNumber(insurer); err == nil {
		return string(n)
	}
	return insurer
}

// tell writes what the payer says of the coverage: its numbers as it has them, else as they
// were asked, its period, the patient's share, the insurer's name.
func tell(a *eligibility.Answer, q eligibility.Inquiry, r CoverageEligibilityResponse, one ResponseInsurance) {
	a.InsurerNumber, a.Symbol, a.Number, a.Branch = q.InsurerNumber, q.Symbol, q.Number, q.Branch
	c, _ := contained[Coverage](r.Contained, one.Coverage)
	for _, id := range c.Identifier {
		if m, _, err := insurance.ParseMemberID(id.Value); id.System == SystemMember && err == nil {
			a.InsurerNumber, a.Symbol, a.Number, a.Branch = string(m.Insurer), string(m.Symbol), string(m.Number), string(m.Branch)
		}
	}
	for _, p := range []*Period{c.Period, one.BenefitPeriod} { // the later one is the more precise
		if p == nil {
			continue
		}
		from, errFrom := day(p.Start)
		to, errTo := day(p.End)
		if errFrom == nil && errTo == nil && (to.IsZero() || !to.Before(from)) {
			a.ValidFrom, a.ValidTo = from, to
		}
	}
	for _, payor := range c.Payor {
		if o, ok := contained[Organization](r.Contained, &payor); ok {
			a.InsurerName = note(o.Name)
		} else if payor.Display != "" {
			a.InsurerName = note(payor.Display)
		}
	}
	if a.Validity == eligibility.Valid {
		a.CopaymentPercent = share(one)
	}
}

// day reads the day of a FHIR date or time; empty is the zero day. A month or a year alone
// tells no day.
func day(s string) (civil.Date, error) {
	if s == "" {
		return civil.Date{}, nil
	}
	return civil.Parse(s[:min(len(s), len("2006-01-02"))])
}

// share gives the patient's share in percent, where one benefit of the kind says one.
func share(one ResponseInsurance) int {
	for _, item := range one.Item {
		for _, b := range item.Benefit {
			if b.Type.has([]string{"copay-percent"}) && b.AllowedUnsignedInt != nil && *b.AllowedUnsignedInt <= 100 && *b.AllowedUnsignedInt >= 0 {
				return *b.AllowedUnsignedInt
			}
		}
	}
	return 0
}

// holder tells the name of a contained patient, in kanji and in kana
// (iso21090-EN-representation IDE and SYL, as JP Core has it).
func holder(a *eligibility.Answer, r CoverageEligibilityResponse) {
	p, ok := contained[Patient](r.Contained, r.Patient)
	if !ok {
		return
	}
	for _, n := range p.Name {
		text := note(n.Text)
		if text == "" {
			text = note(strings.TrimSpace(n.Family + " " + strings.Join(n.Given, " ")))
		}
		kana := false
		for _, e := range n.Extension {
			kana = kana || e.ValueCode == "SYL"
		}
		if kana {
			a.HolderKana = text
		} else {
			a.HolderKanji = text
		}
	}
}

// note bounds a text of the payer's to what may be shown.
func note(s string) string {
	if !utf8.ValidString(s) {
		return ""
	}
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s))
	if runes := []rune(s); len(runes) > maxNote {
		return string(runes[:maxNote])
	}
	return s
}
