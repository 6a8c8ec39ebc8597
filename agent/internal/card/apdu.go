package card

import (
	"fmt"
	"log/slog"
)

// Limits of ISO 7816-4.
const (
	MaxShortData = 255   // bytes of a command's body in the short form
	MaxData      = 65535 // bytes of a command's body
	MaxAnswer    = 65538 // bytes of an answer with its status word
)

// NoLe is the Le of a command that expects no bytes but the status word.
const NoLe = -1

// Command is one command of ISO 7816-4. It shows its header alone when it is printed or
// logged, as its body may be a PIN.
type Command struct {
	CLA, INS, P1, P2 byte
	Data             []byte
	Le               int // NoLe, or 0 to 65535; 0 in the short form asks for up to 256 bytes
}

// Encode writes the command in the short form where that can say it, else in the extended
// one (ISO 7816-4 section 5.1). It fails beyond MaxData and for an Le outside of its range.
func (c Command) Encode() ([]byte, error) {
	if len(c.Data) > MaxData || c.Le < NoLe || c.Le > MaxData {
		return nil, fmt.Errorf("cannot encode a command of %d bytes that expects %d", len(c.Data), c.Le)
	}
	out := make([]byte, 0, 4+3+len(c.Data)+2)
	out = append(out, c.CLA, c.INS, c.P1, c.P2)
	extended := len(c.Data) > MaxShortData || c.Le > MaxShortData
	if extended {
		out = append(out, 0)
	}
	number := func(n int) {
		if extended {
			out = append(out, byte(n>>8))
		}
		out = append(out, byte(n))
	}
	if len(c.Data) > 0 {
		number(len(c.Data))
		out = append(out, c.Data...)
	}
	if c.Le != NoLe {
		number(c.Le)
	}
	return out, nil
}

// String shows the header and how long the body is.
func (c Command) String() string {
	return fmt.Sprintf("%02X %02X %02X %02X with %d bytes", c.CLA, c.INS, c.P1, c.P2, len(c.Data))
}

// GoString is String.
func (c Command) GoString() string { return c.String() }

// LogValue is String.
func (c Command) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Status is the status word behind an answer.
type Status uint16

// The status words that mean something here.
const (
	OK            Status = 0x9000
	EndOfFile     Status = 0x6282 // fewer bytes than asked for; those that there are came
	PINNeeded     Status = 0x6982
	Blocked       Status = 0x6983
	Blocked2      Status = 0x6984 // what this card says of a blocked PIN
	NotFound      Status = 0x6A82
	DataNotFound  Status = 0x6A88
	WrongOffset   Status = 0x6B00
	UnknownINS    Status = 0x6D00
	triesLeft     Status = 0x63C0 // 63Cx
	moreToFetch   Status = 0x6100 // 61xx
	wrongLe       Status = 0x6C00 // 6Cxx
	highByte      Status = 0xFF00
	maxTriesKnown        = 0x0F
)

// Tries gives the tries left that the status word tells, if it tells any.
func (s Status) Tries() (int, bool) {
	switch {
	case s&0xFFF0 == triesLeft:
		return int(s & maxTriesKnown), true
	case s == Blocked, s == Blocked2:
		return 0, true
	}
	return 0, false
}

// Answer is what a card said.
type Answer struct {
	Data   []byte
	Status Status
}

// ParseAnswer takes the status word off the end. It fails below two bytes and beyond
// MaxAnswer.
func ParseAnswer(b []byte) (Answer, error) {
	if len(b) < 2 || len(b) > MaxAnswer {
		return Answer{}, CardMalformed.Fault(fmt.Errorf("an answer of %d bytes", len(b)))
	}
	n := len(b) - 2
	return Answer{Data: b[:n:n], Status: Status(b[n])<<8 | Status(b[n+1])}, nil
}
