// Package inspect promises one verdict on a file as a person brings it: a picture of a QR
// code, QR text, a card file or a document. It is what `madoguchi-agent verify` and the
// desk's certificate page run on. Nothing in it opens a connection: what a SMART Health Link
// leads to is loaded by a Fetcher that the caller hands in, when a person asks for it.
package inspect

import (
	"bytes"
	"time"

	"madoguchi.example/agent/internal/clockfloor"
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
const ClockLeeway = clockfloor.Leeway

// Findings about the terminal's clock.
const (
	ClockSlow    cert.Finding = "clock_slow"     // good only by ClockLeeway
	ClockSetBack cert.Finding = "clock_set_back" // judged at the last trusted time: the clock is behind it
)

// Now is Bytes by the terminal's own clock, with ClockLeeway. Where the clock was set back,
// the time is the last trusted one.
func Now(content []byte, snap trust.Snapshot, clock clockfloor.Reading) cert.Verdict {
	return timed(clock, func(at time.Time) cert.Verdict { return Bytes(content, snap, at) })
}

// timed judges at what the clock says, and once more where the leeway makes the difference.
func timed(clock clockfloor.Reading, judge func(at time.Time) cert.Verdict) cert.Verdict {
	v := judge(clock.At)
	if v.Outcome == cert.NotYetValid && v.Certificate != nil && v.Certificate.IssuedAt.Sub(clock.At) <= ClockLeeway {
		v = judge(v.Certificate.IssuedAt)
		v.Findings = append(v.Findings, ClockSlow)
	}
	if clock.SetBack > 0 {
		v.Findings = append(v.Findings, ClockSetBack)
	}
	return v
}

// Bytes gives the verdict on a file's content at the given time. A picture in which no code
// can be read is malformed.
func Bytes(content []byte, snap trust.Snapshot, at time.Time) cert.Verdict {
	if !scanner.IsPicture(content) {
		return verify.Verify(content, snap, at)
	}
	code, err := scanner.Decode(content)
	if err != nil {
		return noCode(err)
	}
	return codeAt(code, snap, at)
}

// codeAt gives the verdict on a code that was read from a picture.
func codeAt(code scanner.Code, snap trust.Snapshot, at time.Time) cert.Verdict {
	v := verify.Verify([]byte(code.Text), snap, at)
	v.Findings = append(v.Findings, code.Findings...)
	return v
}

func noCode(err error) cert.Verdict {
	return cert.Verdict{Outcome: cert.Malformed, Findings: []cert.Finding{}, Reason: "picture: " + err.Error()}
}

// Text gives the text of a picture, or the content as it is.
func Text(content []byte) []byte {
	if scanner.IsPicture(content) {
		if code, err := scanner.Decode(content); err == nil {
			return []byte(code.Text)
		}
	}
	return bytes.TrimSpace(content)
}
