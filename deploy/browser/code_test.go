package browser_test

import (
	"bytes"
	"image"
	_ "image/png" // what a browser's screen is kept as
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	zxing "github.com/makiuchi-d/gozxing/qrcode"
	"github.com/skip2/go-qrcode"
)

// scan reads a code from a picture as a hand-held scanner does.
func scan(t *testing.T, picture []byte) string {
	t.Helper()
	img, _, err := image.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	source := gozxing.NewLuminanceSourceFromImage(img)
	for range 4 { // a hand turns the scanner when it does not read
		var text string
		if text, err = decode(source); err == nil {
			return text
		}
		source, _ = source.RotateCounterClockwise() // pictures in memory can be turned
	}
	t.Fatalf("no code can be read from the screen: %v", err)
	return ""
}

func decode(source gozxing.LuminanceSource) (string, error) {
	bitmap, err := gozxing.NewBinaryBitmap(gozxing.NewHybridBinarizer(source))
	if err != nil {
		return "", err
	}
	found, err := zxing.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true})
	if err != nil {
		return "", err
	}
	return found.GetText(), nil
}

// changeSignature changes one character in the middle of the signature. In a numeric
// SMART Health Card each two digits are a character's code minus 45.
func changeSignature(t *testing.T, qr string) string {
	t.Helper()
	digits, ok := strings.CutPrefix(qr, "shc:/")
	if !ok || len(digits)%2 != 0 || len(digits) < 100 {
		t.Fatalf("the code is not one SMART Health Card of %d characters", len(qr))
	}
	at := len(digits) - 40
	other := "52" // 'a'
	if digits[at:at+2] == other {
		other = "53"
	}
	return "shc:/" + digits[:at] + other + digits[at+2:]
}

// forge makes a picture of a code with other content.
func forge(t *testing.T, text string) []byte {
	t.Helper()
	png, err := qrcode.Encode(text, qrcode.Low, -4)
	if err != nil {
		t.Fatal(err)
	}
	return png
}
