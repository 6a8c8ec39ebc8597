// Package cert holds what every certificate format has in common: neutral claims, the
// name of a format, and a verifier's word. It holds types only; each format's package
// issues and verifies.
package cert

import (
	"log/slog"
	"slices"
	"time"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

// Format names a way to write a certificate. Each format's package has its name as the
// constant Format; verify's table lists those that are read.
type Format string

// Outcome is a verifier's word. Of several faults the first in the order of the
// constants from Malformed on is told.
type Outcome string

// The outcomes.
const (
	Valid            Outcome = "valid"
	Malformed        Outcome = "malformed"
	Unsupported      Outcome = "unsupported"
	UnknownKey       Outcome = "unknown_key"
	UntrustedIssuer  Outcome = "untrusted_issuer"
	BadSignature     Outcome = "bad_signature"
	KeyUsageMismatch Outcome = "key_usage_mismatch"
	Revoked          Outcome = "revoked"
	NotYetValid      Outcome = "not_yet_valid"
	Expired          Outcome = "expired"
	StaleTrust       Outcome = "stale_trust"
	StaleRevocation  Outcome = "stale_revocation"
)

// told is the order in which the outcomes are told.
var told = [...]Outcome{
	Malformed, Unsupported, UnknownKey, UntrustedIssuer, BadSignature, KeyUsageMismatch,
	Revoked, NotYetValid, Expired, StaleTrust, StaleRevocation, Valid,
}

// Before tells whether o is told rather than other where both hold. An outcome that is not
// of the list comes first.
func (o Outcome) Before(other Outcome) bool {
	return slices.Index(told[:], o) < slices.Index(told[:], other)
}

// Finding is a remark that does not change the outcome, in snake case ("needs_network").
type Finding string

// Findings that more than one format gives. The others stand in their format's package.
const (
	ClockBeforeSnapshot Finding = "clock_before_snapshot"  // the clock is earlier than the trust list
	HoldersDiffer       Finding = "holders_differ"         // several certificates, and not of one person
	NeedsNetwork        Finding = "needs_network"          // only a link: what it leads to is elsewhere
	NoHolderName        Finding = "no_holder_name"         // nothing to compare with a person's document
	NoRevocationList    Finding = "revocation_list_absent" // the issuer keeps a list that the trust list has not
	NoVaccination       Finding = "no_vaccination"         // of other content: a test, a recovery, something else
	PartialDate         Finding = "partial_date"           // a date without day or month
	SeveralCertificates Finding = "several_certificates"   // the input holds more than one; the verdict is of the worst
	Specimen            Finding = "specimen"               // issued to show what one looks like; proves nothing
)

// Content says what a certificate is about.
type Content string

// The contents.
const (
	Vaccination  Content = "vaccination"
	Test         Content = "test"
	Recovery     Content = "recovery"
	OtherContent Content = "other"
)

// CodeSystem says of which list a vaccine's code is.
type CodeSystem string

// The lists.
const (
	CVX      CodeSystem = "cvx"    // http://hl7.org/fhir/sid/cvx
	ICD11    CodeSystem = "icd11"  // http://id.who.int/icd11/mms
	SNOMED   CodeSystem = "snomed" // http://snomed.info/sct
	EU       CodeSystem = "eu"     // medicinal products of the EU value sets
	ATC      CodeSystem = "atc"    // http://www.whocc.no/atc
	Unlisted CodeSystem = "other"
)

// Dose is one vaccination.
type Dose struct {
	Number       int        `json:"number"`
	Of           int        `json:"of,omitzero"` // doses of the series, where the format says
	Code         string     `json:"code"`        // of CodeSystem
	CodeSystem   CodeSystem `json:"code_system,omitzero"`
	Disease      string     `json:"disease,omitzero"` // code of the format's own list: ICD-11 or SNOMED CT
	Product      string     `json:"product,omitzero"` // brand, for people
	Manufacturer string     `json:"manufacturer,omitzero"`
	Lot          string     `json:"lot,omitzero"`
	On           civil.Date `json:"on"`
	Performer    string     `json:"performer,omitzero"`
	Country      string     `json:"country,omitzero"` // ISO 3166 alpha-3, or alpha-2 where the format has that
}

// TestResult is one test, in the codes of the format's own lists.
type TestResult struct {
	Disease  string    `json:"disease"`
	Kind     string    `json:"kind"`
	Sampled  time.Time `json:"sampled"`
	Detected bool      `json:"detected"`
	Centre   string    `json:"centre,omitzero"`
	Country  string    `json:"country,omitzero"`
}

// Recovered is one recovery from a disease.
type Recovered struct {
	Disease       string     `json:"disease"`
	FirstPositive civil.Date `json:"first_positive"`
	From          civil.Date `json:"from"`
	Until         civil.Date `json:"until"`
	Country       string     `json:"country,omitzero"`
}

// Certificate is what a certificate claims, whatever its format.
type Certificate struct {
	Format         Format              `json:"format"`
	Content        Content             `json:"content"`
	Issuer         string              `json:"issuer"`
	ID             string              `json:"id,omitzero"` // rid, uvci, ci
	Holder         identity.PersonName `json:"holder"`
	HolderRaw      string              `json:"holder_text,omitzero"` // where the format does not say which script
	BirthDate      civil.Date          `json:"birth_date,omitzero"`
	BirthText      string              `json:"birth_text,omitzero"`      // where the format has only a year, or a year and a month
	Sex            string              `json:"sex,omitzero"`             // M, F, X
	TravelDocument string              `json:"travel_document,omitzero"` // passport number
	IssuedAt       time.Time           `json:"issued_at,omitzero"`
	ExpiresAt      time.Time           `json:"expires_at,omitzero"`
	Doses          []Dose              `json:"doses,omitempty"`
	Tests          []TestResult        `json:"tests,omitempty"`
	Recoveries     []Recovered         `json:"recoveries,omitempty"`
	HolderBound    bool                `json:"holder_bound,omitzero"` // whoever showed it proved to hold the key that it names
}

// LogValue masks all but format and issuer.
func (c Certificate) LogValue() slog.Value {
	return slog.GroupValue(slog.String("format", string(c.Format)), slog.String("issuer", c.Issuer))
}

// Verdict is a verifier's word with its reasons. Certificate is nil where the input could
// not be read, and is not to be believed unless Outcome is Valid, StaleTrust or
// StaleRevocation.
type Verdict struct {
	Format      Format       `json:"format"`
	Outcome     Outcome      `json:"outcome"`
	Findings    []Finding    `json:"findings"`         // never nil
	Reason      string       `json:"reason,omitempty"` // English, for people and logs; no personal data
	Certificate *Certificate `json:"certificate,omitempty"`
	TrustAsOf   time.Time    `json:"trust_as_of,omitzero"` // when the trust list was made; zero where it does not say
	TrustAge    string       `json:"trust_age,omitempty"`  // how old it is then, a Go duration in whole seconds
}
