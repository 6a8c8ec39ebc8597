// Package vdsnc promises visible digital seals for non-constrained environments (ICAO
// VDS-NC) of proofs of vaccination and testing: documents it verifies get a reason, never
// only yes or no, and documents it issues keep the profile, fit one QR code, and are signed
// only while the signer certificate's key may sign.
//
// Trust is a chain of exactly two: a state's signing authority (CSCA), pinned in the trust
// layout, and the barcode signer certificate (BSC) that the document carries. A signer may
// also be pinned itself. Authorities whose curve is written out as domain parameters are
// read, as Doc 9303-12 demands them and Japan's are: the parameters are compared in full
// with a known curve, whose arithmetic is then used.
//
// Reading is strict where another reader could see something else (repeated names, numbers
// that are not integers, loose base64url) and forgiving where issuers differ without harm:
// those become findings. Every size is bounded before the step that it would burden.
//
// Sources: ICAO Technical Report VDS-NC 1.1 as far as the WHO core data set, the published
// readers and the published documents show it; Doc 9303-3, -12 and -13; RFC 8785; RFC 5280.
package vdsnc

import (
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/trust"
)

// Format names this format.
const Format cert.Format = "vdsnc"

// Section is this format's part of a trust layout: the folder vdsnc of authorities' and
// signers' certificates (*.der, *.pem, *.cer, *.crt) and authorities' revocation lists
// (*.crl, DER or PEM).
var Section = trust.Section{Name: "vdsnc", Load: func(f *trust.Folder) (any, error) { return loadAnchors(f) }}

// Limits. Each is checked before the text is decoded.
const (
	MaxInput       = 256 << 10 // bytes of anything handed to Verify
	MaxDocuments   = 4         // documents of one array
	MaxQR          = 2331      // bytes of an issued document: one byte-mode QR code of version 40 at level M, so also at L
	MaxCertificate = 8 << 10   // bytes of one certificate
	MaxTrustFile   = 1 << 20   // bytes of one file of certificates
	MaxCRL         = 16 << 20  // bytes of one revocation list
	maxChains      = 256       // signers whose chain is remembered
	maxEvents      = 64        // vaccination events of one document
	maxDoses       = 64        // vaccinations of one document
	maxSequence    = 99        // of a dose within its series
	maxName        = 100       // characters of an issued name
)

// What a document may be.
const (
	typeVaccination = "icao.vacc"
	typeTest        = "icao.test"
	version         = 1
)

// Findings that this format gives.
const (
	UnknownMember   cert.Finding = "unknown_member"          // a member outside the profile
	MissingMember   cert.Finding = "missing_member"          // a member that the profile wants and nobody needs for the verdict
	SexCode         cert.Finding = "sex_code"                // not M, F or X
	TestResultOther cert.Finding = "test_result_unclear"     // neither positive nor negative
	SignerPinned    cert.Finding = "signer_pinned"           // the signer itself is on the trust list: no authority vouches for it
	SignerPurpose   cert.Finding = "signer_purpose_unstated" // a pinned signer's certificate does not say what it may sign
)
