package intake

import (
	"bytes"
	"slices"
	"unicode"
	"unicode/utf8"

	"filippo.io/age"

	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// maxOperatorDigits is fewer than any insurance number has: "受付12" may stand in clear.
const maxOperatorDigits = 4

// isOperator tells whether s can only be what a desk calls its operator. wire bounds its
// length.
func isOperator(s string) bool {
	digits := 0
	for _, r := range s {
		if unicode.IsDigit(r) {
			digits++
		}
		if unicode.IsControl(r) {
			return false
		}
	}
	return utf8.ValidString(s) && digits <= maxOperatorDigits
}

// checkClear looks at the parts of a check that are not sealed: each must be a word of the
// vocabulary or a short name, so that no number can stand there, and what is called sealed
// must begin as an age file does.
func checkClear(r wire.Record, c wire.EligibilityCheck) error {
	switch {
	case !eligibility.Cause(c.Cause).Known():
		return fault.At(fault.InvalidArgument, "body.cause", "must be a cause of the vocabulary")
	case !slices.Contains(eligibility.Evidences(), eligibility.Evidence(c.Evidence)):
		return fault.At(fault.InvalidArgument, "body.evidence", "must be an evidence of the vocabulary")
	case !isOperator(c.Operator):
		return fault.At(fault.InvalidArgument, "body.operator", "must be a handle or a short name")
	case c.ElapsedMS < 0:
		return fault.At(fault.InvalidArgument, "body.elapsed_ms", "must not be negative")
	case c.Amends == r.ID:
		return fault.At(fault.InvalidArgument, "body.amends", "must be another record")
	case c.Route == wire.RouteTerminal:
		return nil // nothing is sealed
	}
	if _, err := age.ExtractHeader(bytes.NewReader(c.Sealed)); err != nil {
		return fault.At(fault.InvalidArgument, "body.sealed", "must be an age file")
	}
	return nil
}

// outcomes are the words that the clinic's own terminal can have answered.
var outcomes = []eligibility.Validity{
	eligibility.Valid, eligibility.Invalid, eligibility.NewerCoverage, eligibility.NoneFound,
	eligibility.SeveralFound, eligibility.CheckFailed,
}

// checkOutcome holds an outcome to the vocabulary, as checkClear does.
func checkOutcome(r wire.Record, o wire.EligibilityOutcome) error {
	switch {
	case o.Of == r.ID:
		return fault.At(fault.InvalidArgument, "body.of", "must be another record")
	case !slices.Contains(outcomes, eligibility.Validity(o.Validity)):
		return fault.At(fault.InvalidArgument, "body.validity", "must be a word of the vocabulary")
	case !eligibility.Cause(o.Cause).Known():
		return fault.At(fault.InvalidArgument, "body.cause", "must be a cause of the vocabulary")
	}
	return nil
}

// checkAmendment holds an amendment to the vocabulary, as checkClear does.
func checkAmendment(r wire.Record, a wire.EligibilityAmendment) error {
	switch {
	case a.Of == r.ID, a.By == r.ID:
		return fault.At(fault.InvalidArgument, "body.of", "must be another record")
	case !eligibility.AmendReason(a.Reason).Known():
		return fault.At(fault.InvalidArgument, "body.reason", "must be a reason of the vocabulary")
	case !isOperator(a.Operator):
		return fault.At(fault.InvalidArgument, "body.operator", "must be a handle or a short name")
	}
	return nil
}
