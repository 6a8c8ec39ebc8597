package base64url_test

import (
	"bytes"
	"testing"

	"madoguchi.example/shared/internal/base64url"
)

func TestDecodeRefusesOtherSpellings(t *testing.T) {
	for _, text := range []string{"AA==", "A", "A+8", "A/8", "AB", "AA\n", "A A", "AAB="} {
		if got, err := base64url.Decode([]byte(text)); err == nil {
			t.Errorf("%q gave %x", text, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("AQID"))
	f.Add([]byte("AA"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := base64url.Decode(text)
		if err == nil && !bytes.Equal([]byte(base64url.Encode(got)), text) {
			t.Error("two texts for the same bytes")
		}
	})
}
