package card

import (
	"bytes"
	"context"
	"fmt"
	"slices"
)

// AID names an applet.
type AID string

// The applets that are ever selected. There are others on the card, among them one with its
// printed side and one of the municipalities; nothing here needs them.
const (
	JPKI    AID = "\xD3\x92\xF0\x00\x26\x01\x00\x00\x00\x01" // 公的個人認証
	TextAID AID = "\xD3\x92\x10\x00\x31\x00\x01\x01\x04\x08" // 券面事項入力補助
)

// FileID names a file within an applet.
type FileID uint16

// The files that are ever selected. 0001 is absent on purpose: in the text applet it is the
// 12-digit number, in JPKI the certificate for signatures with its holder's name.
const (
	JPKIToken       FileID = 0x0006 // what carries the card
	JPKICertificate FileID = 0x000A // 利用者証明用電子証明書
	JPKIKey         FileID = 0x0017
	JPKIPIN         FileID = 0x0018
	TextAttributes  FileID = 0x0002 // name, address, birth date, sex
	TextPIN         FileID = 0x0011
)

var allowed = map[AID][]FileID{
	JPKI:    {JPKIToken, JPKICertificate, JPKIKey, JPKIPIN},
	TextAID: {TextAttributes, TextPIN},
}

// MinTries is the fewest tries that must be left for a PIN to be tried.
const MinTries = 2

// Commands that the guard tells apart.
const (
	insVerify      = 0x20
	insSign        = 0x2A
	insSelect      = 0xA4
	insRead        = 0xB0
	insGetResponse = 0xC0
)

// Guard keeps from a card every command that reception has no business to send. What it
// lets through is a list, not what it refuses: the two applets, their files above, reading
// the file that is selected, asking for the tries left, a four-digit PIN after the card has
// said on this very selection that MinTries are left, and a signature of JPKI's key for
// authentication.
//
// Every Transport that this program talks through is one that Guard made.
func Guard(t Transport) Transport {
	if g, ok := t.(*guard); ok {
		return g
	}
	return &guard{Transport: t}
}

type guard struct {
	Transport
	applet AID
	file   FileID
	tries  int // left of the PIN that is selected, as just told; 0 unknown
}

// Transmit refuses with the word command_refused what is not on the list.
func (g *guard) Transmit(ctx context.Context, apdu []byte) ([]byte, error) {
	if err := g.permit(apdu); err != nil {
		return nil, Guarded.Fault(err)
	}
	answer, err := g.Transport.Transmit(ctx, apdu)
	g.learn(apdu, answer, err)
	return answer, err
}

// Begin forgets what was selected: another program may have selected since.
func (g *guard) Begin(ctx context.Context) error {
	g.applet, g.file, g.tries = "", 0, 0
	return g.Transport.Begin(ctx)
}

// permit never repeats a body in its error.
func (g *guard) permit(apdu []byte) error {
	if len(apdu) < 4 || apdu[0] != 0 && apdu[0] != 0x80 {
		return fmt.Errorf("a command of class and length that is not on the list")
	}
	body := apdu[4:]
	ok := false
	switch head := [4]byte(apdu[:4]); {
	case head == [4]byte{0, insSelect, 4, 0x0C}:
		ok = g.permitApplet(body)
	case head == [4]byte{0, insSelect, 2, 0x0C}:
		ok = g.permitFile(body)
	case head == [4]byte{0, insVerify, 0, 0x80}:
		ok = g.permitVerify(body)
	case head == [4]byte{0x80, insSign, 0, 0x80}:
		ok = g.applet == JPKI && g.file == JPKIKey
	case apdu[0] == 0 && apdu[1] == insRead && apdu[2] < 0x80: // above, P1 names a file
		ok = g.file != 0 && len(body) == 1
	case head == [4]byte{0, insGetResponse, 0, 0}:
		ok = len(body) == 1
	}
	if !ok {
		return fmt.Errorf("%02X %02X %02X %02X with %d bytes is not on the list", apdu[0], apdu[1], apdu[2], apdu[3], len(body))
	}
	return nil
}

func (g *guard) permitApplet(body []byte) bool {
	for aid := range allowed {
		if len(body) == 1+len(aid) && int(body[0]) == len(aid) && string(body[1:]) == string(aid) {
			return true
		}
	}
	return false
}

func (g *guard) permitFile(body []byte) bool {
	return len(body) == 3 && body[0] == 2 && slices.Contains(allowed[g.applet], FileID(body[1])<<8|FileID(body[2]))
}

func (g *guard) permitVerify(body []byte) bool {
	pin := g.file == JPKIPIN && g.applet == JPKI || g.file == TextPIN && g.applet == TextAID
	if len(body) == 0 {
		return pin
	}
	return pin && len(body) == 1+PINLength && body[0] == PINLength && g.tries >= MinTries
}

// learn follows what the card has selected. Where that is not certain, nothing is.
func (g *guard) learn(apdu, answer []byte, err error) {
	status := Status(0)
	if n := len(answer); err == nil && n >= 2 {
		status = Status(answer[n-2])<<8 | Status(answer[n-1])
	}
	switch {
	case apdu[1] == insSelect && apdu[2] == 4:
		g.applet, g.file, g.tries = "", 0, 0
		if status == OK {
			g.applet = AID(bytes.Clone(apdu[5:]))
		}
	case apdu[1] == insSelect:
		g.file, g.tries = 0, 0
		if status == OK {
			g.file = FileID(apdu[5])<<8 | FileID(apdu[6])
		}
	case apdu[1] == insVerify:
		g.tries = 0
		if n, told := status.Tries(); told && len(apdu) == 4 {
			g.tries = n
		}
	case err != nil:
		g.applet, g.file, g.tries = "", 0, 0
	}
}
