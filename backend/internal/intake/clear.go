package intake

import (
	"regexp"
	"slices"

	"filippo.io/age"

	"bytes"

	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

var (
	causes = []eligibility.Cause{
		eligibility.CauseNone, eligibility.CauseLineDown, eligibility.CauseNoAnswer,
		eligibility.CauseUnavailable, eligibility.CauseTerminalStarted,
	}
	evidences = []eligibility.Evidence{
		eligibility.EvidenceCertificate, eligibility.EvidenceNotice, eligibility.EvidencePortalScreen,
		eligibility.EvidencePastRecord, eligibility.EvidenceSelfDeclaration,
	}
	operator = regexp.MustCompile(`^([a-z][a-z0-9_-]{0,63})?$`)
)

// checkClear looks at the parts of a check that are not sealed: each must be a word of the
// vocabulary or a handle, so that no number can stand there, and what is called sealed
// must begin as an age file does.
func checkClear(c wire.EligibilityCheck) error {
	switch {
	case !slices.Contains(causes, eligibility.Cause(c.Cause)):
		return fault.At(fault.InvalidArgument, "body.cause", "must be a cause of the vocabulary")
	case !slices.Contains(evidences, eligibility.Evidence(c.Evidence)):
		return fault.At(fault.InvalidArgument, "body.evidence", "must be an evidence of the vocabulary")
	case !operator.MatchString(c.Operator):
		return fault.At(fault.InvalidArgument, "body.operator", "must be a handle")
	case c.ElapsedMS < 0:
		return fault.At(fault.InvalidArgument, "body.elapsed_ms", "must not be negative")
	}
	if _, err := age.ExtractHeader(bytes.NewReader(c.Sealed)); err != nil {
		return fault.At(fault.InvalidArgument, "body.sealed", "must be an age file")
	}
	return nil
}
