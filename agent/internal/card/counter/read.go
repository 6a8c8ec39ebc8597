package counter

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/agent/internal/card/jpki"
	"madoguchi.example/agent/internal/card/textap"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	roots "madoguchi.example/shared/trust/jpki"
)

// CertificateState is what is known of the card's certificate, offline: its chain and its
// dates, never whether it was revoked.
type CertificateState string

// The states.
const (
	Good        CertificateState = "good"
	Expired     CertificateState = "expired"
	NotYetValid CertificateState = "not_yet_valid" // most likely this machine's clock
	Untrusted   CertificateState = "untrusted"     // no root that holds now vouches for it
	NotRead     CertificateState = "not_read"
)

// Proof says what the card shall sign. The zero value is a challenge of the counter's own.
type Proof struct {
	Challenge []byte // of a server; at most jpki.MaxChallenge bytes
	Skip      bool   // no signature: the second PIN is left alone, and nothing is proven
}

// Unproven says why Person.Proven is false; empty where it is true.
type Unproven string

// The reasons.
const (
	ProofSkipped   Unproven = "skipped"
	ProofAbsent    Unproven = "no_certificate"        // the card's holder took none
	ProofDiffers   Unproven = "pin_differs"           // the PIN of the key is another one
	ProofPINLow    Unproven = "pin_left_low"          // not all tries of it are left to try the same digits
	ProofExpired   Unproven = "certificate_expired"   // signed, but the certificate has ended
	ProofNotYet    Unproven = "certificate_not_yet"   // signed, but the certificate has not begun
	ProofUntrusted Unproven = "certificate_untrusted" // signed, but no root that holds vouches for the certificate
)

// Reading is what was read from a card. It holds personal data and masks itself in logs.
type Reading struct {
	Person      eligibility.Person
	PINLeft     int // the fewer tries of both PINs; -1 unknown
	Certificate CertificateState
	ExpiresAt   time.Time // of the certificate
	Unproven    Unproven
	Reader      string

	// For a server that asked for the signature; empty where there is none.
	Challenge, Signature []byte // RSA PKCS #1 v1.5 with SHA-256
	CertificateDER       []byte // carries no name
}

// LogValue masks all of it.
func (Reading) LogValue() slog.Value { return slog.StringValue("***") }

// String masks all of it.
func (Reading) String() string { return "***" }

const (
	readWait      = 40 * time.Second // for a whole reading
	challengeSize = 32               // bytes of a challenge of our own
	readTwice     = 2                // readings in all where another program resets the card
)

// Read reads the card that lies in a reader, in one transaction: the four attributes, the
// certificate and a signature over a challenge. It wipes pin, whatever comes out. A card
// that another program reset in between is read anew, once.
//
// Its faults have the places and words of package card. PINLeft of the Reading is told with
// pin_wrong, pin_last_try and pin_blocked, too. A certificate that has expired or that nobody
// vouches for is no fault: the attributes were read, and Person.Proven is false.
func (c *Counter) Read(ctx context.Context, pin []byte, proof Proof) (Reading, error) {
	defer clear(pin)
	none := Reading{PINLeft: -1, Certificate: NotRead}
	challenge, err := c.challenge(proof)
	if err != nil {
		return none, err
	}
	if !card.IsPIN(pin) {
		return none, card.PINForm.Fault(nil)
	}
	ctx, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	if err := c.acquire(ctx); err != nil {
		return none, err
	}
	defer c.release()
	reader, err := c.meant()
	if err != nil {
		return none, err
	}
	t, err := c.Readers.Connect(ctx, reader)
	if err != nil {
		return none, err
	}
	defer func() { _ = t.Close() }()
	for n := 0; n < readTwice; n++ {
		r := reading{Reading: none, c: c, pin: pin, challenge: challenge}
		r.Reader = reader
		if err = card.With(ctx, t, func(s *card.Session) error { return r.run(ctx, s) }); err == nil {
			c.learn(reader, r.PINLeft)
			return r.Reading, nil
		}
		none.PINLeft = r.PINLeft
		if card.WordOf(err) != card.CardReset {
			break
		}
	}
	c.learn(reader, none.PINLeft)
	return none, err
}

// challenge gives what the card shall sign, nothing where it shall not.
func (c *Counter) challenge(p Proof) ([]byte, error) {
	switch {
	case p.Skip, len(p.Challenge) == 0 && c.Rand == nil:
		return nil, nil
	case len(p.Challenge) > jpki.MaxChallenge:
		return nil, fault.At(fault.TooLarge, "challenge", "must be at most %d bytes", jpki.MaxChallenge)
	case len(p.Challenge) > 0:
		return p.Challenge, nil
	}
	own := make([]byte, challengeSize)
	if _, err := io.ReadFull(c.Rand, own); err != nil {
		return nil, fmt.Errorf("cannot make a challenge: %w", err)
	}
	return own, nil
}

// meant gives the reader whose card is meant.
func (c *Counter) meant() (string, error) {
	switch s := c.Status(); {
	case s.Fault != "":
		return "", s.Fault.Fault(nil)
	case s.Card == None:
		return "", card.NoCard.Fault(nil)
	case s.Card == Mute:
		return "", card.MuteCard.Fault(nil)
	default:
		return s.Reader, nil
	}
}

// learn keeps the tries left for Status.
func (c *Counter) learn(reader string, left int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, seen := c.seen[reader]
	if !seen || left < 0 {
		return
	}
	found.left = left
	c.seen[reader] = found
	c.judge(c.status.Reachable, c.status.Readers, c.status.Fault)
}

// reading is one go at reading a card.
type reading struct {
	Reading
	c         *Counter
	pin       []byte
	challenge []byte
}

func (r *reading) run(ctx context.Context, s *card.Session) error {
	kind, left, text, err := survey(ctx, s)
	if err != nil {
		return err
	}
	switch kind {
	case Other:
		return card.UnknownCard.Fault(nil)
	case MyNumberPhone:
		return card.PhoneCard.Fault(nil)
	case MyNumberNoPIN:
		return card.NoPINCard.Fault(nil)
	}
	r.PINLeft = left
	if err := card.Triable(left); err != nil {
		return err
	}
	if err := r.attributes(ctx, text); err != nil {
		return err
	}
	return r.prove(ctx, s)
}

// attributes reads the text applet.
func (r *reading) attributes(ctx context.Context, text textap.Applet) error {
	left, err := text.Verify(ctx, r.pin)
	if r.PINLeft = left; err != nil {
		return err
	}
	r.Person, err = text.Attributes(ctx)
	return err
}

// prove reads the certificate, judges it, and has its key sign the challenge.
func (r *reading) prove(ctx context.Context, s *card.Session) error {
	key, has, err := jpki.Select(ctx, s)
	if err != nil {
		return err
	}
	if !has {
		return card.CardMalformed.Fault(errors.New("an applet that was there is not"))
	}
	if r.CertificateDER, has, err = key.Certificate(ctx); err != nil {
		return err
	}
	if !has {
		r.Unproven = ProofAbsent
		return nil
	}
	v := roots.From(r.c.Trust()).Judge(r.CertificateDER, r.c.Now())
	if v.Outcome == roots.Malformed {
		return card.CardMalformed.Fault(fmt.Errorf("the certificate: %s", v.Reason))
	}
	r.ExpiresAt = v.Expiry
	r.Certificate, r.Unproven = stateOf(v.Outcome)
	if r.challenge == nil {
		r.Unproven = ProofSkipped
		return nil
	}
	return r.sign(ctx, key, v.Public)
}

func stateOf(o roots.Outcome) (CertificateState, Unproven) {
	switch o {
	case roots.Good:
		return Good, ""
	case roots.Expired:
		return Expired, ProofExpired
	case roots.NotYetValid:
		return NotYetValid, ProofNotYet
	}
	return Untrusted, ProofUntrusted
}

// sign asks for the signature where the second PIN may be tried, and checks it.
func (r *reading) sign(ctx context.Context, key jpki.Applet, public *rsa.PublicKey) error {
	left, has, err := key.Tries(ctx)
	switch {
	case err != nil:
		return err
	case !has:
		r.Unproven = ProofAbsent
		return nil
	case left < card.FullTries:
		r.PINLeft, r.Unproven = min(r.PINLeft, left), ProofPINLow
		return nil
	}
	switch left, err := key.Verify(ctx, r.pin); {
	case card.WordOf(err) == card.PINWrong:
		r.PINLeft, r.Unproven = min(r.PINLeft, left), ProofDiffers
		return nil
	case err != nil:
		return err
	}
	if r.Signature, err = key.Sign(ctx, r.challenge); err != nil {
		return err
	}
	sum := sha256.Sum256(r.challenge)
	if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], r.Signature); err != nil {
		return card.NotGenuine.Fault(err)
	}
	r.Challenge = r.challenge
	r.Person.Proven = r.Unproven == ""
	return nil
}
