// Package verify promises one verdict for anything a person may present: it recognises
// the format of an input by its form and has that format's package judge it.
//
// A format is one row of the table below; adding one touches nothing else. Formats that
// are recognised but not read yet get Unsupported with their name. Verify is pure: the
// same input, snapshot and time give the same verdict.
package verify

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/hcert"
	"madoguchi.example/shared/cert/sdjwtvc"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/cert/shlink"
	"madoguchi.example/shared/cert/vdsnc"
	"madoguchi.example/shared/trust"
	"madoguchi.example/shared/trust/jpki"
)

// MaxInput bounds what is looked at, in bytes.
const MaxInput = shc.MaxInput

// row is one form in which a format arrives.
type row struct {
	format    cert.Format
	title     string // the format's name for people
	recognise func(trimmed []byte) bool
	verify    func(input []byte, snap trust.Snapshot, at time.Time) cert.Verdict // nil: not read yet
	section   trust.Section                                                      // its part of the trust layout; zero: it has none, or another row names it
}

// table is searched from the top; the first row that recognises the input judges it.
var table = []row{
	{shc.Format, "SMART Health Card", starts("shc:"), shc.VerifyQR, shc.Section},
	{shc.Format, "SMART Health Card", jsonWith("verifiableCredential"), shc.VerifyFile, trust.Section{}},
	{shlink.Format, "SMART Health Link", isSHLink, shlink.Verify, trust.Section{}},
	{hcert.Format, "health certificate (HC1)", starts(hcert.Prefix), hcert.Verify, hcert.Section},
	{vdsnc.Format, "ICAO VDS-NC document", jsonOrListWith("data", "sig"), vdsnc.Verify, vdsnc.Section},
	{sdjwtvc.Format, "SD-JWT credential", isSDJWT, sdjwtvc.Verify, sdjwtvc.Section},
	{shc.Format, "SMART Health Card", isJWS, shc.VerifyJWS, trust.Section{}},
}

// beside are the parts of the trust layout that other verifiers than those of the table read.
var beside = []trust.Section{jpki.Section}

// Sections gives the parts of the trust layout that the formats and other verifiers read.
func Sections() []trust.Section {
	out := slices.Clone(beside)
	for _, r := range table {
		if r.section.Load != nil {
			out = append(out, r.section)
		}
	}
	return out
}

// LoadTrust reads a trust layout for all formats. See trust.Load.
func LoadTrust(fsys fs.FS) (trust.Snapshot, error) { return trust.Load(fsys, Sections()) }

// Title gives a format's name for people, "input" for none.
func Title(f cert.Format) string {
	for _, r := range table {
		if r.format == f {
			return r.title
		}
	}
	return "input"
}

// Verify gives the verdict on QR text (the parts of a split code one a line), a card file
// or a document. Pictures are decoded before. Findings is never nil.
func Verify(input []byte, snap trust.Snapshot, at time.Time) cert.Verdict {
	v := judge(input, snap, at)
	if asOf := snap.AsOf(); !asOf.IsZero() {
		v.TrustAsOf, v.TrustAge = asOf, snap.Age(at).Truncate(time.Second).String()
	}
	return v
}

func judge(input []byte, snap trust.Snapshot, at time.Time) cert.Verdict {
	if len(input) > MaxInput {
		return verdict("", cert.Malformed, fmt.Sprintf("larger than %d bytes", MaxInput))
	}
	// A base45 text may hold blanks but cannot end in one (its last character stands for a
	// small number), so the blanks around any input mean nothing.
	trimmed := bytes.TrimSpace(bytes.TrimPrefix(input, byteOrderMark))
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

// byteOrderMark is what editors put before a text in UTF-8.
var byteOrderMark = []byte("\ufeff")

func verdict(format cert.Format, outcome cert.Outcome, reason string) cert.Verdict {
	return cert.Verdict{Format: format, Outcome: outcome, Findings: []cert.Finding{}, Reason: reason}
}
