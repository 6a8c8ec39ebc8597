// Package card is how this terminal talks to chip cards: what a reader and a connected card
// are, the commands of ISO 7816-4 that a My Number Card needs, and a guard that lets no
// other command through.
//
// It promises three things of every card, whichever program asks: the file that holds the
// 12-digit number is never selected, a PIN is never tried when one try is left, and what
// stands in a VERIFY never reaches a log, an error or a trace. The guard keeps the first two
// even where a package above is wrong.
//
// A failure is a *fault.Error whose Place is one of "pin", "card", "reader" and "pcscd" and
// whose Message is one Word, which a face translates.
package card

import "context"

// Transport is one connected card. It is for one goroutine at a time.
type Transport interface {
	// Transmit sends one command and gives the answer with its status word. It does not
	// keep apdu. An error is a fault of this package; afterwards only End and Close are
	// useful, except after CardReset, where the next Begin takes the card up again.
	Transmit(ctx context.Context, apdu []byte) ([]byte, error)
	// Begin keeps other programs from the card until End. It waits while another has it.
	Begin(ctx context.Context) error
	// End gives the card free. It is harmless without Begin.
	End(ctx context.Context) error
	// Close lets go of the card and leaves it as it is. It may be called more than once.
	Close() error
}

// Readers is the machine's card readers. It is safe for concurrent use.
type Readers interface {
	// Watch calls report with all readers, at once and after each change, until ctx ends,
	// which is no error, or the service that knows the readers is gone, which is a fault
	// of place "pcscd". It may be called again at once.
	Watch(ctx context.Context, report func([]Reader)) error
	// Connect takes up the card in the reader, shared with other programs.
	Connect(ctx context.Context, reader string) (Transport, error)
}

// ReaderState is what is known of a reader without talking to its card.
type ReaderState string

// The states.
const (
	Empty   ReaderState = "empty"
	Present ReaderState = "present"
	Mute    ReaderState = "mute"   // a card that does not answer, or lies the wrong way up
	InUse   ReaderState = "in_use" // another program keeps the card to itself
	Gone    ReaderState = "gone"   // known a moment ago, and unplugged or out of order
)

// Reader is one card reader.
type Reader struct {
	Name   string
	State  ReaderState
	ATR    []byte // the card's answer to reset; empty without a card
	Events uint32 // counts insertions and removals: another value is another card, or the same one anew
}
