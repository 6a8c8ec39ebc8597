// Package cert holds what every certificate format has in common: neutral claims, the
// name of a format, and a verifier's word. It holds types only; each format's package
// issues and verifies.
package cert

import (
	"log/slog"
	"time"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

// Format names a way to write a certificate.
type Format string

// The formats. A format lives in its own package and has one row in verify's table.
const (
	SHC     Format = "shc"
	HCERT   Format = "hcert"
	VDSNC   Format = "vdsnc"
	SDJWTVC Format = "sdjwtvc"
	SHLink  Format = "shlink"
)

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

// Finding is a remark that does not change the outcome, in snake case ("needs_network").
type Finding string

// Dose is one vaccination.
type Dose struct {
	Number       int        `json:"number"`
	Code         string     `json:"code"`             // CVX
	Product      string     `json:"product,omitzero"` // brand, for people
	Manufacturer string     `json:"manufacturer,omitzero"`
	Lot          string     `json:"lot,omitzero"`
	On           civil.Date `json:"on"`
	Performer    string     `json:"performer,omitzero"`
	Country      string     `json:"country,omitzero"` // ISO 3166 alpha-3
}

// Certificate is what a certificate claims, whatever its format.
type Certificate struct {
	Format    Format              `json:"format"`
	Issuer    string              `json:"issuer"`
	ID        string              `json:"id,omitzero"` // rid, uvci, ci
	Holder    identity.PersonName `json:"holder"`
	HolderRaw string              `json:"holder_text,omitzero"` // where the format does not say which script
	BirthDate civil.Date          `json:"birth_date,omitzero"`
	IssuedAt  time.Time           `json:"issued_at,omitzero"`
	ExpiresAt time.Time           `json:"expires_at,omitzero"`
	Doses     []Dose              `json:"doses,omitempty"`
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
}
