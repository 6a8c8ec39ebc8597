// Package hcert promises health certificates in the HC1 envelope: the EU Digital COVID
// Certificate (DCC, schema 1.x up to 1.3.3) and WHO's digital vaccination certificate (DVC),
// issued and verified. What it verifies gets a reason, never only yes or no.
//
// The envelope is, from the outside: "HC1:", base45 (RFC 9285), zlib (RFC 1950), COSE_Sign1
// (RFC 9052), CBOR Web Token (RFC 8392), and in claim -260 the content: subclaim 1 a DCC,
// -6 a DVC.
//
// Reading is strict where another reader could see something else (base45, repeated keys,
// unstated lengths, bytes behind an item, two contents) and where the DCC schema says what
// must be there; what real issuers write otherwise without harm becomes a finding. Every
// size is bounded before the step that it would burden.
//
// Sources: eHealth Network, "Electronic Health Certificate Specification" 1.0.5 (hcert_spec)
// and "DCC schema" 1.3.3; WHO SMART Trust, hcert_spec 1.1.1, and SMART ICVP, DVC payload.
package hcert

import (
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/trust"
)

// Format names this format.
const Format cert.Format = "hcert"

// Section is this format's part of a trust layout: the folder hcert with signer certificates
// (*.pem, *.der) and a revocation list (revocation.json).
var Section = trust.Section{Name: "hcert", Load: func(f *trust.Folder) (any, error) { return loadAnchors(f) }}

// Prefix stands before every text; its digit is the version of the envelope.
const Prefix = "HC1:"

// Limits. Each is checked before the text is decoded.
const (
	MaxText        = 4296     // characters: what one QR code of version 40 holds at level L
	MaxIssued      = 1460     // characters of a text that is issued: version 22 at level L
	MaxPayload     = 16 << 10 // bytes of an inflated message
	MaxSignerFile  = 1 << 20  // bytes of one file of signer certificates
	MaxSigners     = 20_000   // signer certificates of one trust layout
	MaxRevocations = 48 << 20 // bytes of revocation.json
	MaxRevoked     = 1 << 20  // hashes in revocation.json
	maxMember      = 80       // characters of a text of the DCC schema
	maxDoses       = 16       // vaccinations of one DVC
)

// Findings that this format gives.
const (
	HeaderUnprotected  cert.Finding = "header_unprotected"       // algorithm or key id outside of what is signed; the key decides
	CoseUntagged       cert.Finding = "cose_untagged"            // neither tag 18 nor 61
	NoExpiry           cert.Finding = "no_expiry"                // no exp: nothing says when it ends
	NoIssueTime        cert.Finding = "no_issue_time"            // no iat
	TimeInMilliseconds cert.Finding = "time_in_milliseconds"     // iat, nbf or exp looks like milliseconds
	SignerDated        cert.Finding = "signer_certificate_dated" // the signer's certificate is not of this time; being listed is what counts
	NullGroup          cert.Finding = "null_group"               // another of v, t, r is there and empty (schema: absent)
	NullMember         cert.Finding = "null_member"              // an optional member is null (schema: absent)
	UnknownMember      cert.Finding = "unknown_member"           // a member that the schema does not have
	DateWithTime       cert.Finding = "date_with_time"           // a day that carries a time (schema: the day alone)
	DateTagged         cert.Finding = "date_tagged"              // a CBOR tag 0 around a date or time
	DateTimeForm       cert.Finding = "date_time_form"           // a time in a form other than RFC 3339
	NoSuchBirthDate    cert.Finding = "no_such_birth_date"       // a birth date that no calendar has
	OutsidePeriod      cert.Finding = "outside_stated_period"    // outside of the days that the content itself states
	MissingMember      cert.Finding = "missing_member"           // a member that the DVC model wants
)
