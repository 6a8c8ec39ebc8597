package oqs

import (
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
)

// Answer gives what was told as the answer to a record, for day.
func (i Item) Answer(recordID string, day civil.Date) eligibility.Answer {
	return eligibility.Answer{RecordID: recordID, VisitDay: day, Validity: eligibility.CheckFailed}
}

// Answer gives the answer of a single check. It is false while the check is in progress.
func (r Result) Answer(recordID string, day civil.Date) (eligibility.Answer, bool) {
	return eligibility.Answer{}, false
}
