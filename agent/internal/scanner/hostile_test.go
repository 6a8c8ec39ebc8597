package scanner_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"

	qrcode "github.com/skip2/go-qrcode"

	"madoguchi.example/agent/internal/scanner"
	"madoguchi.example/shared/fault"
)

// TestPictureFullOfCorners has a small file in which thousands of places look like a code's
// corner: a decoder that tries any three of them would not end today.
func TestPictureFullOfCorners(t *testing.T) {
	const side, module, period = 1200, 2, 8
	img := image.NewGray(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			a, b := x/module%period, y/module%period
			ring := a < 7 && b < 7 && (a == 0 || a == 6 || b == 0 || b == 6)
			if core := a >= 2 && a <= 4 && b >= 2 && b <= 4; !ring && !core {
				img.SetGray(x, y, color.Gray{Y: 255})
			}
		}
	}
	var file bytes.Buffer
	if err := png.Encode(&file, img); err != nil {
		t.Fatal(err)
	}
	if _, err := scanner.Decode(file.Bytes()); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("%v", err)
	}
}

// TestPictureOfManyPasses has a JPEG that goes over its pixels again and again.
func TestPictureOfManyPasses(t *testing.T) {
	var file bytes.Buffer
	if err := jpeg.Encode(&file, image.NewGray(image.Rect(0, 0, 64, 64)), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := scanner.Decode(file.Bytes()); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("one pass: %v", err)
	}
	many := append(file.Bytes(), bytes.Repeat([]byte{0xff, 0xda}, 64)...)
	if _, err := scanner.Decode(many); fault.CodeOf(err) != fault.TooLarge {
		t.Errorf("65 passes: %v", err)
	}
}

// TestLightOnDark has a code whose colours are exchanged.
func TestLightOnDark(t *testing.T) {
	const text = "shc:/567629"
	code, err := qrcode.New(text, qrcode.Low)
	if err != nil {
		t.Fatal(err)
	}
	code.ForegroundColor, code.BackgroundColor = color.White, color.Black
	file, err := code.PNG(256)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := scanner.Decode(file); err != nil || got.Text != text {
		t.Errorf("%q %v", got.Text, err)
	}
}

// TestDeepPicture has a picture of 16 bits a channel: its head alone is refused.
func TestDeepPicture(t *testing.T) {
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewNRGBA64(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	const head, width = 12, 16 // where the first chunk's name and its width stand
	text := file.Bytes()
	binary.BigEndian.PutUint32(text[width:], 4000)
	binary.BigEndian.PutUint32(text[width+4:], 3000)
	binary.BigEndian.PutUint32(text[width+13:], crc32.ChecksumIEEE(text[head:width+13]))
	if _, err := scanner.Decode(text); fault.CodeOf(err) != fault.TooLarge {
		t.Errorf("%v", err)
	}
}
