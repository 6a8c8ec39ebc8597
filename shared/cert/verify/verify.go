// Package verify promises one verdict for anything a person may present: it recognises
// the format of an input by its first characters and has that format's package judge it.
//
// A format is one row of the table below; adding one touches nothing else. Formats that
// are recognised but not read yet get Unsupported with their name. Verify is pure: the
// same input, snapshot and time give the same verdict.
package verify

import (
	"bytes"
	"fmt"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/trust"
)

// MaxInput bounds what is looked at, in bytes.
const MaxInput = shc.MaxInput

// row is one form in which a format arrives.
type row struct {
	format    cert.Format
	recognise func(trimmed []byte) bool
	verify    func(input []byte, snap trust.Snapshot, at time.Time) cert.Verdict // nil: not read yet
}

// table is searched from the top; the first row that recognises the input judges it.
var table = [...]row{
	{cert.SHC, starts("shc:"), shc.VerifyQR},
	{cert.SHC, jsonWith("verifiableCredential"), shc.VerifyFile},
	{cert.SHLink, isSHLink, nil},
	{cert.HCERT, starts("HC1:"), nil},
	{cert.VDSNC, jsonWith("data", "sig"), nil},
	{cert.SDJWTVC, isSDJWT, nil},
	{cert.SHC, isJWS, shc.VerifyJWS},
}

// Verify gives the verdict on QR text (the parts of a split code one a line), a card file
// or a document. Pictures are decoded before. Findings is never nil.
func Verify(input []byte, snap trust.Snapshot, at time.Time) cert.Verdict {
	if len(input) > MaxInput {
		return verdict("", cert.Malformed, fmt.Sprintf("larger than %d bytes", MaxInput))
	}
	trimmed := bytes.TrimSpace(input)
	if len(trimmed) == 0 {
		return verdict("", cert.Malformed, "there is nothing in it")
	}
	for _, r := range table {
		if !r.recognise(trimmed) {
			continue
		}
		if r.verify == nil {
			return verdict(r.format, cert.Unsupported, "this format is not read yet")
		}
		return r.verify(trimmed, snap, at)
	}
	return verdict("", cert.Unsupported, "not the form of any certificate that is read here")
}

func verdict(format cert.Format, outcome cert.Outcome, reason string) cert.Verdict {
	return cert.Verdict{Format: format, Outcome: outcome, Findings: []cert.Finding{}, Reason: reason}
}
