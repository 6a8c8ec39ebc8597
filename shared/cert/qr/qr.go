// Package qr promises one way to draw a QR code as PNG: error correction level L and the
// full quiet zone of four modules, as SMART Health Cards want it.
package qr

import (
	"fmt"

	"github.com/skip2/go-qrcode"

	"madoguchi.example/shared/fault"
)

// Limits.
const (
	MaxText   = 7089 // characters: what version 40 holds in digits at level L
	MinModule = 1    // pixels of a module
	MaxModule = 20
)

// PNG draws text with modules of the given number of pixels. Text is split into segments
// where that is shorter, so "shc:/" and digits become a byte and a numeric segment.
func PNG(text string, module int) ([]byte, error) {
	code, err := encode(text)
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

// Version gives the version (1 to 40) that text needs.
func Version(text string) (int, error) {
	code, err := encode(text)
	if err != nil {
		return 0, err
	}
	return code.VersionNumber, nil
}

func encode(text string) (*qrcode.QRCode, error) {
	if text == "" || len(text) > MaxText {
		return nil, fault.At(fault.TooLarge, "text", "a QR code holds 1 to %d characters", MaxText)
	}
	code, err := qrcode.New(text, qrcode.Low)
	if err != nil {
		return nil, fault.At(fault.TooLarge, "text", "it does not fit a QR code")
	}
	return code, nil
}
