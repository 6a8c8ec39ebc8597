// Package inspect promises one verdict on a file as a person brings it: a picture of a QR
// code, QR text, a card file or a document. It is what `madoguchi-agent verify` and the
// desk's certificate page run on, with no network on the way.
package inspect

import (
	"bytes"
	"time"

	"madoguchi.example/agent/internal/scanner"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/verify"
	"madoguchi.example/shared/trust"
)

// MaxInput bounds a file, in bytes. Texts are bounded further by verify.MaxInput.
const MaxInput = scanner.MaxPicture

// ClockLeeway is how far the terminal's own clock may be behind an issuer's: a card issued
// seconds ago is good at a counter whose clock is some minutes slow (RFC 7519, section
// 4.1.5 allows such a leeway for nbf). It holds for the clock alone: a time that a person
// names with --at is exact.
const ClockLeeway = 5 * time.Minute

// ClockSlow is the finding of a card that is good only by ClockLeeway.
const ClockSlow cert.Finding = "clock_slow"

// Now is Bytes by the terminal's own clock, with ClockLeeway.
func Now(content []byte, snap trust.Snapshot, now time.Time) cert.Verdict {
	v := Bytes(content, snap, now)
	if v.Outcome != cert.NotYetValid || v.Certificate == nil || v.Certificate.IssuedAt.Sub(now) > ClockLeeway {
		return v
	}
	v = Bytes(content, snap, v.Certificate.IssuedAt)
	v.Findings = append(v.Findings, ClockSlow)
	return v
}

// Bytes gives the verdict on a file's content at the given time. A picture in which no code can be read is
// malformed.
func Bytes(content []byte, snap trust.Snapshot, at time.Time) cert.Verdict {
	if !scanner.IsPicture(content) {
		return verify.Verify(bytes.TrimPrefix(content, []byte("\ufeff")), snap, at)
	}
	code, err := scanner.Decode(content)
	if err != nil {
		return cert.Verdict{Outcome: cert.Malformed, Findings: []cert.Finding{}, Reason: "picture: " + err.Error()}
	}
	v := verify.Verify([]byte(code.Text), snap, at)
	v.Findings = append(v.Findings, code.Findings...)
	return v
}
