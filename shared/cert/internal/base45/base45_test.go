package base45_test

import (
	"bytes"
	"errors"
	"testing"

	"madoguchi.example/shared/cert/internal/base45"
)

// The examples of RFC 9285 sections 4.3 and 4.4.
func TestExamplesOfTheStandard(t *testing.T) {
	for data, text := range map[string]string{
		"AB": "BB8", "Hello!!": "%69 VD92EX0", "base-45": "UJCLQE7W581", "ietf!": "QED8WEX0", "": "",
	} {
		if got := base45.AppendEncode(nil, []byte(data)); string(got) != text || len(got) != base45.EncodedLen(len(data)) {
			t.Errorf("%q gave %q, want %q", data, got, text)
		}
		got, err := base45.AppendDecode(nil, []byte(text))
		if err != nil || string(got) != data || len(got) != base45.DecodedLen(len(text)) {
			t.Errorf("%q gave %q, %v", text, got, err)
		}
	}
}

func TestRefuses(t *testing.T) {
	for text, want := range map[string]error{
		"A": base45.ErrLength, "BB8A": base45.ErrLength,
		"bb8": base45.ErrAlphabet, "BB=": base45.ErrAlphabet, "B\n": base45.ErrAlphabet, "BB8=A": base45.ErrAlphabet, "BB8A\x00": base45.ErrAlphabet,
		"GGW": base45.ErrRange, ":::": base45.ErrRange, "::": base45.ErrRange, "V5": base45.ErrRange, "BB8V5": base45.ErrRange,
	} {
		if got, err := base45.AppendDecode(nil, []byte(text)); !errors.Is(err, want) {
			t.Errorf("%q gave %x, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{"FGW": "\xff\xff", "U5": "\xff", "0 0": "\x06\x54"} {
		if got, err := base45.AppendDecode(nil, []byte(text)); err != nil || string(got) != want {
			t.Errorf("%q gave %x, %v", text, got, err)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	text := base45.AppendEncode(nil, bytes.Repeat([]byte{1, 2, 3}, 99))
	room := make([]byte, 0, base45.DecodedLen(len(text)))
	if n := testing.AllocsPerRun(10, func() { _, _ = base45.AppendDecode(room, text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzDecode(f *testing.F) {
	for _, data := range []string{"", "a", "ab", "Hello!!", "\xff\xff\xff"} {
		f.Add(base45.AppendEncode(nil, []byte(data)))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		data, err := base45.AppendDecode(nil, text)
		if err == nil && !bytes.Equal(base45.AppendEncode(nil, data), text) {
			t.Error("two texts for the same bytes")
		}
	})
}

func FuzzEncode(f *testing.F) {
	f.Add([]byte("ietf!"))
	f.Fuzz(func(t *testing.T, data []byte) {
		back, err := base45.AppendDecode(nil, base45.AppendEncode(nil, data))
		if err != nil || !bytes.Equal(back, data) {
			t.Errorf("%x came back as %x, %v", data, back, err)
		}
	})
}
