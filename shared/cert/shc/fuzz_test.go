package shc_test

import (
	"strings"
	"testing"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
)

// check wants a verdict with its words, and valid never for what our key did not sign.
func check(t *testing.T, v cert.Verdict, original bool) {
	t.Helper()
	if v.Findings == nil || v.Format != shc.Format || v.Outcome == "" || (v.Outcome != cert.Valid && v.Reason == "") {
		t.Errorf("a verdict without its words: %+v", v)
	}
	if v.Outcome == cert.Valid && !original {
		t.Error("valid, though nobody signed it")
	}
}

func FuzzVerifyQR(f *testing.F) {
	snap := believe(f, testKey(f, 7))
	text, err := shc.QRText(issue(f, claims(1), shc.Options{}))
	if err != nil {
		f.Fatal(err)
	}
	half := len("shc:/") + len(text)/4*2
	f.Add([]byte(text))
	f.Add([]byte("shc:/2/2/" + text[half:] + "\nshc:/1/2/" + text[len("shc:/"):half]))
	f.Fuzz(func(t *testing.T, input []byte) {
		v := shc.VerifyQR(input, snap, at)
		check(t, v, v.Outcome == cert.Valid && v.Certificate.ID == claims(1).ID)
	})
}

func FuzzVerifyJWS(f *testing.F) {
	snap := believe(f, testKey(f, 7))
	good := issue(f, claims(2), shc.Options{Name: shc.NameLatin})
	f.Add([]byte(good))
	f.Fuzz(func(t *testing.T, input []byte) { check(t, shc.VerifyJWS(input, snap, at), string(input) == good) })
}

func FuzzVerifyFile(f *testing.F) {
	snap := believe(f, testKey(f, 7))
	good := issue(f, claims(1), shc.Options{})
	file, err := shc.File(good, good)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Fuzz(func(t *testing.T, input []byte) {
		v := shc.VerifyFile(input, snap, at)
		cards, _ := shc.ReadFile(input)
		original := len(cards) > 0
		for _, card := range cards {
			original = original && card == good
		}
		check(t, v, original)
	})
}

func FuzzCheckPayload(f *testing.F) {
	for _, c := range payloadCases {
		f.Add([]byte(strings.Replace(goodPayload, c.old, c.new, 1)))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if c := shc.CheckPayload(text, at); c.Findings == nil || c.Outcome == "" || (c.Outcome != cert.Valid && c.Reason == "") {
			t.Errorf("a check without its words: %+v", c)
		}
		if c := shc.CheckBundle(text); c.Findings == nil {
			t.Error("findings are nil")
		}
	})
}

// FuzzInflate gives any bytes as the compressed payload of a card that our key signed.
func FuzzInflate(f *testing.F) {
	compressed := shc.Deflate([]byte(goodPayload))
	f.Add(compressed)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, compressed []byte) {
		text, err := shc.Inflate(compressed, shc.MaxPayload)
		if err == nil && len(text) > shc.MaxPayload {
			t.Error("larger than its bound")
		}
	})
}
