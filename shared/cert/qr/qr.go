// Package qr promises one way to draw a QR code as PNG: the full quiet zone of four modules,
// segments chosen so that the code is small, and the error correction that the text's format
// wants. A SMART Health Card gets level L, which its limit of 1195 characters in version 22
// is made for; an HC1 text level Q in alphanumeric mode, as its specification recommends; a
// SMART Health Link level M. A VDS-NC document, which is long, gets M where the code stays
// coarse enough for a plain camera and L where it does not; any other text likewise.
package qr

import (
	"fmt"
	"strings"

	"github.com/skip2/go-qrcode"

	"madoguchi.example/shared/fault"
)

// Limits.
const (
	MaxText   = 7089 // characters: what version 40 holds in digits at level L
	MinModule = 1    // pixels of a module
	MaxModule = 20
	// coarse is the largest version that a better level than the weakest is worth: 117
	// modules a side.
	coarse = 25
)

// Level is how much of a code may be lost and it still reads.
type Level string

// The levels in use.
const (
	L Level = "L" // 7 %
	M Level = "M" // 15 %
	Q Level = "Q" // 25 %
)

// recovery gives the library's names: its High is Q.
var recovery = map[Level]qrcode.RecoveryLevel{L: qrcode.Low, M: qrcode.Medium, Q: qrcode.High}

// forms are the beginnings of texts with the levels that are tried in turn: each but the
// last only up to its version.
var forms = []struct {
	prefix string
	tries  []try
}{
	{"shc:/", []try{{L, 40}}},
	{"HC1:", []try{{Q, coarse}, {M, 40}, {L, 40}}},
	{"shlink:/", []try{{M, 40}, {L, 40}}},
	{"", []try{{M, coarse}, {L, 40}}},
}

type try struct {
	level Level
	upTo  int
}

// PNG draws text with modules of the given number of pixels.
func PNG(text string, module int) ([]byte, error) {
	code, _, err := encode(text)
	if err != nil {
		return nil, err
	}
	if module < MinModule || module > MaxModule {
		return nil, fault.At(fault.InvalidArgument, "module", "a module has %d to %d pixels", MinModule, MaxModule)
	}
	picture, err := code.PNG(-module)
	if err != nil {
		return nil, fmt.Errorf("cannot draw the QR code: %w", err)
	}
	return picture, nil
}

// Shape gives the version (1 to 40) and the level that text is drawn in.
func Shape(text string) (version int, level Level, err error) {
	code, level, err := encode(text)
	if err != nil {
		return 0, "", err
	}
	return code.VersionNumber, level, nil
}

func encode(text string) (*qrcode.QRCode, Level, error) {
	if text == "" || len(text) > MaxText {
		return nil, "", fault.At(fault.TooLarge, "text", "a QR code holds 1 to %d characters", MaxText)
	}
	for _, form := range forms {
		if !strings.HasPrefix(text, form.prefix) {
			continue
		}
		for _, try := range form.tries {
			if code, err := qrcode.New(text, recovery[try.level]); err == nil && code.VersionNumber <= try.upTo {
				return code, try.level, nil
			}
		}
		break
	}
	return nil, "", fault.At(fault.TooLarge, "text", "it does not fit a QR code")
}
