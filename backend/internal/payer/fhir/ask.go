package fhir

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/insurance"
)

// Systems of identifiers and the extensions of JP Core 1.2 and CLINS.
const (
	SystemMember      = "http://jpfhir.jp/fhir/clins/Idsystem/JP_Insurance_memberID"
	SystemInsurer     = "http://jpfhir.jp/fhir/core/mhlw/IdSystem/InsurerNumber"
	SystemRecord      = "urn:ietf:rfc:3986" // the record's id as urn:uuid:…
	extensionSymbol   = "http://jpfhir.jp/fhir/core/Extension/StructureDefinition/JP_Coverage_InsuredPersonSymbol"
	extensionNumber   = "http://jpfhir.jp/fhir/core/Extension/StructureDefinition/JP_Coverage_InsuredPersonNumber"
	extensionBranch   = "http://jpfhir.jp/fhir/core/Extension/StructureDefinition/JP_Coverage_InsuredPersonSubNumber"
	focalCoverage     = "#coverage"
	recordURN         = "urn:uuid:"
	purposeValidation = "validation" // is the coverage in force
	purposeBenefits   = "benefits"   // and which share is the patient's
)

// ask makes the request for an inquiry. servicedDate is the visit day; created is when the
// terminal recorded the check, which its id tells, so that the same check asked again is
// the same request, byte for byte.
func ask(q eligibility.Inquiry) (CoverageEligibilityRequest, error) {
	member, err := memberOf(q)
	if err != nil {
		return CoverageEligibilityRequest{}, err
	}
	created, err := recorded(q.RecordID)
	if err != nil {
		return CoverageEligibilityRequest{}, err
	}
	inside, err := resources(q, member)
	if err != nil {
		return CoverageEligibilityRequest{}, err
	}
	focal := true
	return CoverageEligibilityRequest{
		ResourceType: "CoverageEligibilityRequest", Contained: inside,
		Identifier: []Identifier{{System: SystemRecord, Value: recordURN + q.RecordID}},
		Status:     "active", Purpose: []string{purposeValidation, purposeBenefits},
		Patient: &Reference{Reference: "#patient"}, ServicedDate: q.VisitDay.String(), Created: created,
		Insurer:   &Reference{Reference: "#insurer"},
		Insurance: []RequestInsurance{{Focal: &focal, Coverage: &Reference{Reference: focalCoverage}}},
	}, nil
}

func memberOf(q eligibility.Inquiry) (string, error) {
	id := insurance.MemberID{
		Insurer: insurance.InsurerNumber(q.InsurerNumber), Symbol: insurance.Symbol(q.Symbol),
		Number: insurance.MemberNumber(q.Number), Branch: insurance.Branch(q.Branch),
	}
	return id.FHIR()
}

// recorded gives the time in a UUID version 7, in Japan's.
func recorded(id string) (string, error) {
	u, err := uuid.Parse(id)
	if err != nil || u.Version() != 7 {
		return "", fault.At(fault.InvalidArgument, "record_id", "must be a UUID version 7")
	}
	ms := int64(0)
	for _, b := range u[:6] {
		ms = ms<<8 | int64(b)
	}
	return time.UnixMilli(ms).In(civil.Japan).Format(time.RFC3339), nil
}

// resources are the person, the insurer and the coverage, inside the request.
func resources(q eligibility.Inquiry, member string) ([]json.RawMessage, error) {
	parts := strings.Split(member, ":") // insurer, symbol, number, branch; none holds a colon
	patient := Patient{ResourceType: "Patient", ID: "patient", BirthDate: q.BirthDate.String()}
	insurer := Organization{ResourceType: "Organization", ID: "insurer", Identifier: []Identifier{{System: SystemInsurer, Value: parts[0]}}}
	coverage := Coverage{
		ResourceType: "Coverage", ID: "coverage", Status: "active",
		Identifier:  []Identifier{{System: SystemMember, Value: member}},
		Dependent:   parts[3],
		Beneficiary: &Reference{Reference: "#patient"}, Payor: []Reference{{Reference: "#insurer"}},
	}
	for i, url := range []string{extensionSymbol, extensionNumber, extensionBranch} {
		if parts[i+1] != "" {
			coverage.Extension = append(coverage.Extension, Extension{URL: url, ValueString: parts[i+1]})
		}
	}
	out := make([]json.RawMessage, 0, 3)
	for _, r := range []any{patient, insurer, coverage} {
		raw, err := json.Marshal(r)
		if err != nil {
			return nil, fmt.Errorf("cannot write a resource: %w", err)
		}
		out = append(out, raw)
	}
	return out, nil
}
