// Package jpki talks to the applet 公的個人認証 of a My Number Card: what carries it, its
// certificate for authentication (利用者証明用電子証明書), the tries left of that key's PIN,
// and a signature over a challenge, which proves that the card is there.
//
// The certificate carries no name. The other certificate and key of the applet, those for
// signatures, are left alone: they are not for a counter, and their certificate carries a
// name and an address.
package jpki

import (
	"context"
	"crypto/sha256"
	"strings"

	"madoguchi.example/agent/internal/card"
)

// Limits.
const (
	MaxCertificate = 4 << 10 // bytes of the certificate
	MaxChallenge   = 4 << 10 // bytes of a challenge
	tokenLength    = 32
)

// Carrier is what the applet runs on.
type Carrier string

// The carriers, as the applet's token text tells them.
const (
	Plastic      Carrier = "plastic"
	Phone        Carrier = "phone"
	OtherCarrier Carrier = "other" // a token text that is not known here
)

// digestInfo stands before a SHA-256 digest in what a PKCS #1 v1.5 signature is made over
// (RFC 8017 section 9.2, note 1).
const digestInfo = "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"

// Applet is the applet, selected. It is for the transaction of its session.
type Applet struct{ s *card.Session }

// Select selects the applet. It tells false where the card has none: it is no My Number Card.
func Select(ctx context.Context, s *card.Session) (Applet, bool, error) {
	has, err := s.Select(ctx, card.JPKI)
	return Applet{s}, has, err
}

// Carrier reads what the applet runs on.
func (a Applet) Carrier(ctx context.Context) (Carrier, error) {
	has, err := a.s.SelectFile(ctx, card.JPKIToken)
	if err != nil || !has {
		return OtherCarrier, err
	}
	text, err := a.s.Read(ctx, tokenLength)
	if err != nil {
		return OtherCarrier, err
	}
	return carrierOf(strings.TrimRight(string(text), " \x00")), nil
}

func carrierOf(token string) Carrier {
	switch {
	case strings.HasPrefix(token, "JPKIAPICCTOKEN"): // also …TOKEN2
		return Plastic
	case strings.HasPrefix(token, "JPKIAPGPSETOKEN"):
		return Phone
	}
	return OtherCarrier
}

// Tries gives the tries left of the PIN; false where the card has no such PIN.
func (a Applet) Tries(ctx context.Context) (left int, has bool, err error) {
	return a.s.Tries(ctx, card.JPKIPIN)
}

// Verify tries the PIN: see card.Session.Verify.
func (a Applet) Verify(ctx context.Context, pin []byte) (left int, err error) {
	return a.s.Verify(ctx, card.JPKIPIN, pin)
}

// Certificate reads the certificate for authentication, as DER. A plastic card gives it
// without a PIN. It tells false where the card's holder took none.
func (a Applet) Certificate(ctx context.Context) (der []byte, has bool, err error) {
	const head = 4 // 30 82 and two bytes of length
	return a.s.ReadObject(ctx, card.JPKICertificate, head, MaxCertificate)
}

// Sign has the key for authentication sign the challenge, by RSA PKCS #1 v1.5 with SHA-256.
// The PIN must have been verified.
func (a Applet) Sign(ctx context.Context, challenge []byte) ([]byte, error) {
	sum := sha256.Sum256(challenge)
	return a.s.Sign(ctx, card.JPKIKey, append([]byte(digestInfo), sum[:]...))
}
