// Package counter is how a counter uses cards: it watches the readers, tells what lies in
// them, and reads a My Number Card when it is asked to.
//
// It is what reception, check and doctor use; they know nothing of readers and applets.
package counter

import (
	"context"
	"io"
	"log/slog"
	"time"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/trust"
)

// Kind is what lies in a reader.
type Kind string

// The kinds.
const (
	None          Kind = "none"
	MyNumber      Kind = "my_number"
	MyNumberPhone Kind = "my_number_phone"  // carried by a phone
	MyNumberNoPIN Kind = "my_number_no_pin" // 顔認証マイナンバーカード
	Other         Kind = "other"
	Mute          Kind = "mute"
)

// Status is what the counter sees of its readers. Fault is a card.Word, "" for none; a card
// that lies there and cannot be read by PIN is a Kind, not a fault.
type Status struct {
	Reachable bool          // the service that knows the readers answers
	Readers   []card.Reader // all of them
	Card      Kind
	Reader    string    // where the card lies, or the only reader
	PINLeft   int       // the fewer tries of both PINs; -1 unknown
	Since     time.Time // when it came to be so
	Fault     card.Word
}

// CertificateState is what is known of the card's certificate, offline: its chain and its
// dates, never whether it was revoked.
type CertificateState string

// The states.
const (
	Good        CertificateState = "good"
	Expired     CertificateState = "expired"
	NotYetValid CertificateState = "not_yet_valid" // most likely this machine's clock
	Untrusted   CertificateState = "untrusted"     // no root that holds today vouches for it
	NotRead     CertificateState = "not_read"
)

// Proof says what the card shall sign. The zero value is a challenge of the counter's own.
type Proof struct {
	Challenge []byte // of a server; at most jpki.MaxChallenge bytes
	Skip      bool   // no signature: the second PIN is left alone, and nothing is proven
}

// Unproven says why Person.Proven is false; "" where it is true.
type Unproven string

// The reasons.
const (
	Proven          Unproven = ""
	ProofSkipped    Unproven = "skipped"
	ProofPINDiffers Unproven = "pin_differs"           // the PIN of the certificate's key is another
	ProofPINLow     Unproven = "pin_left_low"          // too few tries of it are left to try the same digits
	ProofExpired    Unproven = "certificate_expired"   // signed, with a certificate that has ended
	ProofNotYet     Unproven = "certificate_not_yet"   // signed, with a certificate that has not begun
	ProofUntrusted  Unproven = "certificate_untrusted" // signed, with a certificate that no root vouches for
)

// Reading is what was read from a card. It holds personal data and masks itself in logs.
type Reading struct {
	Person      eligibility.Person
	PINLeft     int // the fewer tries of both PINs; -1 unknown
	Certificate CertificateState
	ExpiresAt   time.Time // of the certificate
	Unproven    Unproven
	Reader      string

	// For a server that asked for the signature.
	Challenge      []byte
	Signature      []byte // RSA PKCS #1 v1.5 with SHA-256
	CertificateDER []byte // without name or address
}

// LogValue masks all of it.
func (Reading) LogValue() slog.Value { return slog.StringValue("***") }

// String masks all of it.
func (Reading) String() string { return "***" }

// Config is what a Counter needs.
type Config struct {
	Readers card.Readers
	Trust   func() trust.Snapshot // the roots, asked for at each reading; nil trusts nobody
	Reader  string                // the only reader to use; empty: any
	Now     func() time.Time
	Rand    io.Reader
	Log     *slog.Logger
}

// Counter is the use of cards at one counter. It is safe for concurrent use.
type Counter struct{ c Config }

// New makes a Counter, which sees nothing until Run runs.
func New(c Config) *Counter { return &Counter{c: c} }

// Status gives what the counter sees now.
func (c *Counter) Status() Status { return Status{Card: None, PINLeft: -1, Fault: card.NoPCSCD} }

// Watch gives a channel on which something comes after each change of Status, and what ends
// it.
func (c *Counter) Watch() (<-chan struct{}, func()) { return make(chan struct{}), func() {} }

// Run watches the readers until ctx ends.
func (c *Counter) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Read reads the card that lies in a reader and wipes pin, whatever comes out.
func (c *Counter) Read(_ context.Context, pin []byte, _ Proof) (Reading, error) {
	clear(pin)
	return Reading{PINLeft: -1, Certificate: NotRead}, card.NoPCSCD.Fault(nil)
}
