package eligibility

import "slices"

// AmendReason says why an earlier record does not count any more.
type AmendReason string

// The reasons.
const (
	WrongPatient   AmendReason = "wrong_patient"   // recorded on another person's row
	Typo           AmendReason = "typo"            // a number or a day was mistyped
	CancelledVisit AmendReason = "cancelled_visit" // the visit did not take place
	Undone         AmendReason = "undone"          // taken back at once, before it was asked
	Completed      AmendReason = "completed"       // what was missing came later
)

// AmendReasons lists the reasons.
func AmendReasons() []AmendReason {
	return []AmendReason{WrongPatient, Typo, CancelledVisit, Undone, Completed}
}

// Known tells whether r is one of the reasons.
func (r AmendReason) Known() bool { return slices.Contains(AmendReasons(), r) }
