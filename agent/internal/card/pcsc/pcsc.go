// Package pcsc reaches card readers through the machine's PC/SC service: on Linux and the
// BSDs pcscd, by its own client of pcscd's socket, and on Windows the Smart Card service.
// It needs neither cgo nor a library.
//
// It promises what card.Readers says: readers come and go while it watches, a card is
// shared with other programs outside of transactions, a card that another program reset is
// taken up again by the next Begin, and nothing survives a restart of the service but the
// Client itself, whose next call reaches the new one.
//
// What crosses the socket is never logged; a frame that holds a command is wiped after it
// was written, as it may hold a PIN.
package pcsc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"madoguchi.example/agent/internal/card"
)

// DefaultSocket is where Debian's pcscd listens.
const DefaultSocket = "/run/pcscd/pcscd.comm"

// SocketVariable names the socket in the environment, as pcscd's own library has it.
const SocketVariable = "PCSCLITE_CSOCK_NAME"

// Bounds of waiting.
const (
	handshakeWait = 5 * time.Second       // for the service to greet
	cardWait      = 15 * time.Second      // for one command; a signature takes a second at most
	beginWait     = 5 * time.Second       // for another program's transaction to end
	beginPause    = 50 * time.Millisecond // between two tries of that
	closeWait     = 2 * time.Second
	pullWait      = 1500 * time.Millisecond // for the service to see that a card was pulled
	pullPause     = 50 * time.Millisecond   // between two looks for that
	maxResets     = 3                       // times that another program may reset a card while a transaction begins
)

// Options is how the service is reached.
type Options struct {
	// Socket is pcscd's socket; empty: DefaultSocket. Windows has none.
	Socket string
	// Dial connects to Socket; nil: the machine's.
	Dial func(ctx context.Context, socket string) (net.Conn, error)
}

// Socket gives the socket to use: the one asked for, else the environment's, else
// DefaultSocket.
func Socket(asked string, getenv func(string) string) string {
	if asked == "" {
		asked = getenv(SocketVariable)
	}
	if asked == "" {
		asked = DefaultSocket
	}
	return asked
}

// result is a return code of PC/SC, the same on all systems.
type result uint32

// The return codes that mean something here.
const (
	success           result = 0
	internalError     result = 0x80100001
	invalidHandle     result = 0x80100003
	unknownReader     result = 0x80100009
	timedOut          result = 0x8010000A
	sharingViolation  result = 0x8010000B
	noSmartcard       result = 0x8010000C
	protocolMismatch  result = 0x8010000F
	unknownError      result = 0x80100014
	notTransacted     result = 0x80100016
	readerUnavailable result = 0x80100017
	noService         result = 0x8010001D
	serviceStopped    result = 0x8010001E
	noReaders         result = 0x8010002E
	dataLost          result = 0x8010002F
	unsupportedCard   result = 0x80100065
	unresponsiveCard  result = 0x80100066
	unpoweredCard     result = 0x80100067
	resetCard         result = 0x80100068
	removedCard       result = 0x80100069
	refused           result = 0x8010006A
)

// Error gives the code as PC/SC's own tools print it.
func (r result) Error() string { return fmt.Sprintf("PC/SC result 0x%08X", uint32(r)) }

var wordsOf = map[result]card.Word{
	unknownReader:     card.ReaderGone,
	timedOut:          card.CardSlow,
	sharingViolation:  card.ReaderInUse,
	noSmartcard:       card.NoCard,
	protocolMismatch:  card.MuteCard,
	readerUnavailable: card.ReaderGone,
	noService:         card.PCSCDGone,
	serviceStopped:    card.PCSCDGone,
	noReaders:         card.NoReader,
	unsupportedCard:   card.MuteCard,
	unresponsiveCard:  card.MuteCard,
	unpoweredCard:     card.MuteCard,
	resetCard:         card.CardReset,
	removedCard:       card.CardRemoved,
	refused:           card.PCSCDRefused,
}

// fault gives what r means, nil for success. vague tells that r says only that something
// broke: what did, the reader's state tells.
func (r result) fault() (err error, vague bool) {
	switch r {
	case success:
		return nil, false
	case internalError, invalidHandle, unknownError, notTransacted, dataLost:
		return card.CardSlow.Fault(r), true
	}
	if word, known := wordsOf[r]; known {
		return word.Fault(r), false
	}
	return card.PCSCDOther.Fault(r), false
}

// because makes the vague fault of a card exact with what is known of the readers now. The
// card was taken up when its reader had counted so many events. It gives vague back where the
// card still seems to be there.
func because(vague error, name string, events uint32, readers []card.Reader) error {
	for _, r := range readers {
		switch {
		case r.Name != name:
			continue
		case r.State == card.Mute:
			return card.MuteCard.Fault(vague)
		case r.State == card.Gone:
			return card.ReaderGone.Fault(vague)
		case r.State == card.Empty, r.Events != events:
			return card.CardRemoved.Fault(vague)
		}
		return vague
	}
	return card.ReaderGone.Fault(vague)
}

// explain looks at the readers until it is known why a card does not answer. The service
// looks into its readers only a few times a second, so a card that was just pulled still
// seems to be there for a while.
func explain(ctx context.Context, vague error, name string, events uint32, look func(context.Context) ([]card.Reader, error)) error {
	enough := time.NewTimer(pullWait)
	defer enough.Stop()
	for {
		readers, err := look(ctx)
		if err != nil {
			return err
		}
		if err := because(vague, name, events, readers); err != vague {
			return err
		}
		select {
		case <-ctx.Done():
			return vague
		case <-enough.C:
			return vague
		case <-time.After(pullPause):
		}
	}
}

// eventsOf gives the events that a reader has counted.
func eventsOf(name string, readers []card.Reader) uint32 {
	for _, r := range readers {
		if r.Name == name {
			return r.Events
		}
	}
	return 0
}

// minAnswer is the status word alone. Readers whose card was just pulled tell less than that
// as if it were an answer.
const minAnswer = 2

var errNoAnswer = errors.New("an answer without a status word")

// Reader states and sharing, the same on all systems.
const (
	stateUnknown = 0x0001 // of a reader in pcscd's table
	statePresent = 0x0004
	stateMuted   = 0x0008 // pcscd: swallowed, it could not be powered
)

// Sharing and protocols.
const (
	shareShared  = 2
	protocolT0   = 1
	protocolT1   = 2
	protocolsAny = protocolT0 | protocolT1
	leaveCard    = 0
	scopeSystem  = 2
)
