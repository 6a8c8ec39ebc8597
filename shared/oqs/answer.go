package oqs

import (
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
)

// The error codes of this side, for answers that carry no word: none of them says anything
// of the coverage.
const (
	ErrorNoWord   = "no_word"   // nothing was told, or a code that is not known here
	ErrorOtherDay = "other_day" // the document is for another day than the one asked for
	ErrorAbnormal = "abnormal"  // an abnormal end without a code
)

// medicalAid is the card class of 医療扶助, which stands beside a coverage.
const medicalAid = "A1"

// Answer gives what was told as the answer to a record, for day: never Invalid where the
// document did not say so. It holds what the document tells and no more.
func (i Item) Answer(recordID string, day civil.Date) eligibility.Answer {
	a := eligibility.Answer{RecordID: recordID, VisitDay: day, Validity: i.Validity, Reference: i.Reference}
	if i.Code != "" || i.Message != "" {
		a.Notes = []eligibility.Note{{Code: i.Code, Text: i.Message}}
	}
	if a.Validity == "" {
		a.Validity, a.ErrorCode = eligibility.CheckFailed, i.Code
		if a.ErrorCode == "" {
			a.ErrorCode = ErrorNoWord
		}
	}
	if i.Coverage == nil || a.Validity == eligibility.SeveralFound {
		return a
	}
	i.Coverage.tell(&a)
	return a
}

// tell adds the coverage to an answer.
func (c *Coverage) tell(a *eligibility.Answer) {
	a.InsurerNumber, a.InsurerName = string(c.Insurer), c.InsurerName
	a.Symbol, a.Number, a.Branch = c.Symbol, c.Number, c.Branch
	a.HolderKanji, a.HolderKana, a.BirthDate = c.Name, c.NameKana, c.BirthDate
	a.CopaymentPercent = percent(c.Share)
	if c.Elderly != nil {
		a.Elderly = c.Elderly.Share
		if p := percent(c.Elderly.Share); p != 0 {
			a.CopaymentPercent = p
		}
	}
	if c.Ceiling != nil {
		a.Ceiling = c.Ceiling.Class
	}
	for _, d := range c.Diseases {
		a.Diseases = append(a.Diseases, d.Category)
	}
	a.Consents = c.Consents
	a.ValidFrom, a.ValidTo = c.span(a.VisitDay, a.Validity == eligibility.Valid)
}

// span gives the first and the last day of the coverage. 資格喪失日 is the first day without
// it. The card's own dates stand in where the coverage's are not told; a card that ran out
// does not end a coverage that is said to be valid.
func (c *Coverage) span(day civil.Date, valid bool) (from, to civil.Date) {
	from = c.From
	if from.IsZero() {
		from = c.CardFrom
	}
	switch {
	case !c.Lost.IsZero():
		to = c.Lost.AddDays(-1)
	case !valid || !c.CardTo.Before(day):
		to = c.CardTo
	}
	if !from.IsZero() && !to.IsZero() && to.Before(from) { // lost on the day it began
		to = from
	}
	return from, to
}

// Answer gives the answer of a single check. It is false while the check is in progress:
// then there is none yet. An abnormal end is an error of the check. Of several coverages
// the first that holds on the day counts, insurance before medical aid.
func (r Result) Answer(recordID string, day civil.Date) (eligibility.Answer, bool) {
	failed := func(code, text string) eligibility.Answer {
		a := eligibility.Answer{RecordID: recordID, VisitDay: day, Validity: eligibility.CheckFailed, ErrorCode: code}
		if text != "" {
			a.Notes = []eligibility.Note{{Code: code, Text: text}}
		}
		return a
	}
	switch {
	case r.Segment == InProgress:
		return eligibility.Answer{}, false
	case r.Segment != Done && r.ErrorCode == "":
		return failed(ErrorAbnormal, r.ErrorMessage), true
	case r.Segment != Done:
		return failed(r.ErrorCode, r.ErrorMessage), true
	case !r.ForDay.IsZero() && r.ForDay != day:
		return failed(ErrorOtherDay, ""), true
	case len(r.Items) == 0:
		return failed(ErrorNoWord, ""), true
	}
	best, bestRank := eligibility.Answer{}, -1
	for _, i := range r.Items {
		a := i.Answer(recordID, day)
		rank := 0
		if i.Coverage != nil && i.Coverage.CardClass != medicalAid {
			rank += 2
		}
		if a.Covers(day) {
			rank++
		}
		if rank > bestRank {
			best, bestRank = a, rank
		}
	}
	return best, true
}
