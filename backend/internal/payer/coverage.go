package payer

import (
	"log/slog"
	"strings"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/insurance"
	"madoguchi.example/shared/jptext"
)

// Coverage is one line of the registry: one person insured under one number for some
// time. ValidTo is the last day that counts; the zero day means that no end is known.
type Coverage struct {
	Citizen          identity.CitizenID
	Municipality     identity.MunicipalityCode
	InsurerNumber    insurance.InsurerNumber
	InsurerName      string
	Symbol           insurance.Symbol // as the insurer writes it
	Number           insurance.MemberNumber
	Branch           insurance.Branch
	ValidFrom        civil.Date
	ValidTo          civil.Date
	CopaymentPercent int
	Kind             string // "insured" or "dependant"
}

// LogValue masks everything but the handle.
func (c Coverage) LogValue() slog.Value { return slog.StringValue(string(c.Citizen)) }

// String masks everything but the handle.
func (c Coverage) String() string { return string(c.Citizen) }

// ValidOn tells whether the coverage counts on the day.
func (c Coverage) ValidOn(day civil.Date) bool {
	return !day.Before(c.ValidFrom) && (c.ValidTo.IsZero() || !day.After(c.ValidTo))
}

// Key is the form in which numbers are compared: width folded, no blanks, no hyphens, one
// case.
type Key struct{ Insurer, Symbol, Number string }

// Key gives the coverage's key.
func (c Coverage) Key() Key {
	return keyOf(string(c.InsurerNumber), string(c.Symbol), string(c.Number))
}

func keyOf(insurer, symbol, number string) Key {
	if n, _, err := insurance.ParseInsurerNumber(insurer); err == nil {
		insurer = string(n)
	}
	return Key{jptext.Bare(insurer), bareUpper(symbol), bareUpper(number)}
}

func bareUpper(s string) string { return strings.ToUpper(jptext.Bare(s)) }

// sameBranch forgives a branch that one side does not have: old cards carry none.
func sameBranch(asked string, c Coverage) bool {
	return asked == "" || c.Branch == "" || asked == string(c.Branch)
}

// decide gives the word for the visit day. matched are the coverages under the asked
// number whose holder was born on the asked day; others gives all coverages of the one
// citizen, and is called only where it matters.
//
//	matched persons | on the visit day                  | word
//	none            |                                   | none_found
//	several         |                                   | several_found
//	one             | the asked coverage counts         | valid
//	one             | only another of theirs counts     | newer_coverage
//	one             | none counts                       | invalid
//
// The coverage that the word is about is the latest of the matched ones, and the zero
// Coverage where nobody or several matched.
func decide(day civil.Date, matched []Coverage, others func(identity.CitizenID) ([]Coverage, error)) (eligibility.Validity, Coverage, error) {
	if len(matched) == 0 {
		return eligibility.NoneFound, Coverage{}, nil
	}
	about := matched[0]
	for _, c := range matched {
		if c.Citizen != about.Citizen {
			return eligibility.SeveralFound, Coverage{}, nil
		}
		if better(day, c, about) {
			about = c
		}
	}
	if about.ValidOn(day) {
		return eligibility.Valid, about, nil
	}
	all, err := others(about.Citizen)
	if err != nil {
		return "", Coverage{}, err
	}
	for _, c := range all {
		if c.ValidOn(day) {
			return eligibility.NewerCoverage, about, nil
		}
	}
	return eligibility.Invalid, about, nil
}

// better prefers what counts on the day, then what began later.
func better(day civil.Date, a, b Coverage) bool {
	if a.ValidOn(day) != b.ValidOn(day) {
		return a.ValidOn(day)
	}
	return a.ValidFrom.After(b.ValidFrom)
}
