package check

import (
	"context"
	"slices"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/jptext"
)

// MaxPast is how many own records Past gives.
const MaxPast = 10

// Family starts the entry of the same family's next member: insurer, symbol, number and
// address are kept; name, birth date and branch are empty.
func (d *Desk) Family(ctx context.Context, recordID string) (Entry, error) {
	c, ok, err := d.Book.Get(ctx, recordID)
	if err != nil {
		return Entry{}, err
	}
	if !ok {
		return Entry{}, fault.New(fault.NotFound, "there is no such case")
	}
	e := Entry{
		Insurer: c.Inquiry.InsurerNumber, Symbol: c.Inquiry.Symbol, Number: c.Inquiry.Number,
		VisitDay: c.VisitDay.String(), Evidence: c.Evidence, Family: c.Family,
	}
	if e.Family == "" {
		e.Family = c.RecordID
	}
	if e.Evidence == eligibility.EvidenceFaceReader || e.Evidence == eligibility.EvidenceCardPIN {
		e.Evidence = eligibility.EvidenceCertificate // the next member's card is another
	}
	if f := c.Declared; f != nil {
		e.DeclaredTyped = eligibility.DeclarationForm{
			Address: f.Address, Phone: f.Phone, InsuranceKind: f.InsuranceKind, InsurerName: f.InsurerName, Employer: f.Employer,
		}
	}
	return e, nil
}

// Past lists own records of this person that hold numbers and were not taken back, newest
// first: the same birth date and the same kana, at most MaxPast. Without kana there are
// none.
func (d *Desk) Past(ctx context.Context, birth civil.Date, label string) ([]View, error) {
	person := casebook.PersonMark(birth, label)
	if person == 0 {
		return nil, nil
	}
	found, _, err := d.Book.Top(ctx, MaxPast, func(r *casebook.Row) int {
		if r.State() == eligibility.Voided || !r.HasNumbers() || r.Person() != person {
			return -1
		}
		return 0
	})
	if err != nil {
		return nil, err
	}
	return d.views(ofPerson(found, birth, label)), nil
}

// ofPerson leaves out the cases of others whose rows have the same mark.
func ofPerson(cases []casebook.Case, birth civil.Date, kana string) []casebook.Case {
	key := jptext.KanaKey(kana)
	return slices.DeleteFunc(cases, func(c casebook.Case) bool {
		return c.Inquiry.BirthDate != birth || jptext.KanaKey(c.Kana()) != key
	})
}
