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

// Bytes gives the verdict on a file's content. A picture in which no code can be read is
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
