package scanner_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"madoguchi.example/agent/internal/scanner"
	"madoguchi.example/shared/cert/qr"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/fault"
)

// cardText is QR text of the longest card that fits one code.
func cardText(t testing.TB) string {
	t.Helper()
	text, err := shc.QRText(strings.Repeat("eyJ0.-_z", shc.MaxSingleQR/8))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func picture(t testing.TB, text string) []byte {
	t.Helper()
	out, err := qr.PNG(text, 4)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func asJPEG(t testing.TB, pngFile []byte) []byte {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(pngFile))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 80}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestDecodeReadsWhatWeDraw(t *testing.T) {
	text := cardText(t)
	file := picture(t, text)
	for name, file := range map[string][]byte{"png": file, "jpeg": asJPEG(t, file)} {
		code, err := scanner.Decode(file)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if code.Text != text || len(code.Findings) != 0 || code.Findings == nil {
			t.Errorf("%s: %d characters, findings %v", name, len(code.Text), code.Findings)
		}
	}
}

// onPhone is what a camera sees of a code on a phone's screen, as wide as the screen: a
// module is no whole number of pixels.
func onPhone(t testing.TB, text string) []byte {
	t.Helper()
	drawn, err := png.Decode(bytes.NewReader(picture(t, text)))
	if err != nil {
		t.Fatal(err)
	}
	const width, height, top, size = 1170, 2532, 1010, 1140
	screen := image.NewGray(image.Rect(0, 0, width, height))
	for i := range screen.Pix {
		screen.Pix[i] = 0xff
	}
	side := drawn.Bounds().Dx()
	for y := range size {
		for x := range size {
			screen.Set((width-size)/2+x, top+y, drawn.At(x*side/size, y*side/size))
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, screen); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Codes of several densities, as they stand on a phone's screen.
func TestDecodeReadsDenseCodes(t *testing.T) {
	for n := range 8 {
		var card strings.Builder
		for i := 0; card.Len() < shc.MaxSingleQR; i++ {
			sum := sha256.Sum256(fmt.Appendf(nil, "%d %d", n, i))
			card.WriteString(base64.RawURLEncoding.EncodeToString(sum[:]))
		}
		text, err := shc.QRText(card.String()[:shc.MaxSingleQR/2+70*n])
		if err != nil {
			t.Fatal(err)
		}
		if code, err := scanner.Decode(onPhone(t, text)); err != nil || code.Text != text {
			t.Errorf("code %d: %v", n, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	blank := image.NewGray(image.Rect(0, 0, 100, 100))
	blank.Set(3, 3, color.White)
	var empty bytes.Buffer
	if err := png.Encode(&empty, blank); err != nil {
		t.Fatal(err)
	}
	huge := append([]byte(nil), picture(t, "x")...)
	copy(huge[16:24], []byte{0, 0, 0x3f, 0xff, 0, 0, 0x3f, 0xff}) // width and height in IHDR; its checksum is wrong now too
	var wide bytes.Buffer
	if err := png.Encode(&wide, image.NewGray(image.Rect(0, 0, scanner.MaxSide+1, 1))); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file []byte
		code fault.Code
	}{
		"no code":        {empty.Bytes(), fault.NotFound},
		"not a picture":  {[]byte("shc:/56"), fault.InvalidArgument},
		"nothing":        {nil, fault.InvalidArgument},
		"gif":            {[]byte("GIF89a"), fault.InvalidArgument},
		"cut":            {picture(t, "x")[:60], fault.InvalidArgument},
		"wrong checksum": {huge, fault.InvalidArgument},
		"wide":           {wide.Bytes(), fault.TooLarge},
		"large file":     {append(picture(t, "x"), make([]byte, scanner.MaxPicture)...), fault.TooLarge},
	} {
		if _, err := scanner.Decode(c.file); fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPixelsAreCountedBeforeDecoding uses a small file that would fill memory.
func TestPixelsAreCountedBeforeDecoding(t *testing.T) {
	var out bytes.Buffer
	side := image.Rect(0, 0, 4000, scanner.MaxPixels/4000+1)
	if err := png.Encode(&out, image.NewPaletted(side, color.Palette{color.White})); err != nil {
		t.Fatal(err)
	}
	if _, err := scanner.Decode(out.Bytes()); fault.CodeOf(err) != fault.TooLarge {
		t.Errorf("%d bytes of file: %v", out.Len(), err)
	}
}

func TestAssembly(t *testing.T) {
	var a scanner.Assembly
	add := func(text string, read, total int, missing ...int) scanner.State {
		t.Helper()
		s, err := a.Add(text)
		if err != nil || s.Read != read || s.Total != total || len(s.Missing) != len(missing) {
			t.Fatalf("%+v %v", s, err)
		}
		for i := range missing {
			if s.Missing[i] != missing[i] {
				t.Fatalf("missing %v", s.Missing)
			}
		}
		return s
	}
	add("shc:/3/3/5676", 1, 3, 1, 2)
	add(" shc:/3/3/5676\n", 1, 3, 1, 2)
	add("shc:/1/3/2909", 2, 3, 2)
	for _, other := range []string{"shc:/1/3/0000", "shc:/1/2/5676"} {
		if s, err := a.Add(other); fault.CodeOf(err) != fault.Conflict || s.Read != 2 {
			t.Errorf("%s: %+v %v", other, s, err)
		}
	}
	for _, broken := range []string{"shc:/4/3/5676", "shc:/2/3/567", "shc:/2/3/"} {
		if _, err := a.Add(broken); fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("%s: %v", broken, err)
		}
	}
	s := add("shc:/2/3/5243", 3, 3)
	if !s.Complete() || s.Text != "shc:/1/3/2909\nshc:/2/3/5243\nshc:/3/3/5676" {
		t.Errorf("%+v", s)
	}
	if s := add("HC1:ABC/DEF/", 1, 1); !s.Complete() || s.Text != "HC1:ABC/DEF/" {
		t.Errorf("%+v", s)
	}
	if s := a.State(); s.Complete() || s.Total != 0 {
		t.Errorf("after a whole code: %+v", s)
	}
	if s := add("shc:/5676", 1, 1); s.Text != "shc:/5676" {
		t.Errorf("%+v", s)
	}
}

func FuzzDecode(f *testing.F) {
	small := picture(f, "shc:/5676290952")
	f.Add(small)
	f.Add(asJPEG(f, small))
	f.Fuzz(func(t *testing.T, file []byte) {
		code, err := scanner.Decode(file)
		if err == nil && code.Findings == nil {
			t.Error("findings are nil")
		}
		if err != nil && fault.CodeOf(err) == fault.Internal {
			t.Errorf("a fault without code: %v", err)
		}
	})
}

func FuzzAssembly(f *testing.F) {
	f.Add("shc:/1/2/56", "shc:/2/2/76")
	f.Fuzz(func(t *testing.T, first, second string) {
		var a scanner.Assembly
		_, _ = a.Add(first)
		s, err := a.Add(second)
		if err == nil && (s.Read < 1 || s.Read > s.Total || s.Complete() != (s.Text != "")) && strings.TrimSpace(second) != "" {
			t.Errorf("%+v", s)
		}
	})
}
