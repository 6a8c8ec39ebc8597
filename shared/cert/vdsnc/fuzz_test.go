package vdsnc_test

import (
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/internal/jcs"
	"madoguchi.example/shared/cert/vdsnc"
)

// words wants a verdict with its words.
func words(t *testing.T, v cert.Verdict) {
	t.Helper()
	if v.Findings == nil || v.Format != vdsnc.Format || v.Outcome == "" || (v.Outcome != cert.Valid) != (v.Reason != "") {
		t.Errorf("a verdict without its words: %+v", v)
	}
	if (v.Certificate == nil) != (v.Outcome == cert.Malformed || v.Outcome == cert.Unsupported) && v.Outcome != cert.Unsupported {
		t.Errorf("%s with certificate %v", v.Outcome, v.Certificate != nil)
	}
}

// FuzzVerify: whatever stands around it, only what our key signed is valid.
func FuzzVerify(f *testing.F) {
	w := newWorld(f)
	snap := w.snapshot()
	good := w.issue(claims(2))
	var document struct{ Data json.RawMessage }
	if err := json.Unmarshal([]byte(good), &document); err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{good, "[" + good + "," + good + "]", w.sign(vaccination, w.bsc), w.sign(testing2, w.bsc)} {
		f.Add([]byte(seed))
	}
	signed := []string{string(document.Data), canonical(f, vaccination), canonical(f, testing2)}
	f.Fuzz(func(t *testing.T, input []byte) {
		v := vdsnc.Verify(input, snap, at)
		words(t, v)
		if v.Outcome != cert.Valid {
			return
		}
		list := input
		if strings.TrimSpace(string(input))[0] != '[' {
			list = []byte("[" + string(input) + "]")
		}
		var all []map[string]json.RawMessage
		if err := json.Unmarshal(list, &all); err != nil {
			t.Fatal(err)
		}
		for _, d := range all {
			if !slices.Contains(signed, canonical(t, string(d["data"]))) {
				t.Error("valid, though nobody signed it")
			}
		}
	})
}

func canonical(t testing.TB, text string) string {
	t.Helper()
	out, err := jcs.Transform(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// FuzzContent gives any data as content that a trusted signer signed.
func FuzzContent(f *testing.F) {
	w := newWorld(f)
	snap := w.snapshot()
	f.Add(vaccination)
	f.Add(testing2)
	f.Fuzz(func(t *testing.T, data string) {
		text, err := jcs.Transform(data)
		if err != nil || len(data) > 1<<16 {
			return
		}
		v := vdsnc.Verify([]byte(w.in(t).signRaw(data, text, w.bsc)), snap, at)
		words(t, v)
		if v.Outcome == cert.Valid && (v.Certificate.ID == "" || v.Certificate.HolderRaw == "" || len(v.Certificate.Doses)+len(v.Certificate.Tests) == 0) {
			t.Errorf("valid, though it says nothing: %s", data)
		}
	})
}

// FuzzCertificate: no certificate brings the reader down, as signer or as anchor.
func FuzzCertificate(f *testing.F) {
	w := newWorld(f)
	f.Add(w.csca)
	f.Add(w.bsc)
	f.Fuzz(func(t *testing.T, der []byte) {
		if len(der) > 1<<16 {
			return
		}
		err := vdsnc.ReadCertificate(der)
		if _, readErr := vdsnc.ReadBSC(der); readErr == nil && err != nil {
			t.Error("a signer that is no certificate")
		}
		w := w.in(t)
		w.put("more.der", der)
		snap := w.snapshot()
		if v := vdsnc.Verify([]byte(w.sign(vaccination, der)), snap, at); v.Outcome == cert.Valid && err != nil {
			t.Error("signed by no certificate")
		}
	})
}

// FuzzList: only a list that the authority signed counts.
func FuzzList(f *testing.F) {
	w := newWorld(f)
	text := []byte(w.sign(vaccination, w.bsc))
	f.Add(w.crl(at.Add(-time.Hour), at.Add(time.Hour), w.serial(), big.NewInt(-5)))
	f.Fuzz(func(t *testing.T, der []byte) {
		if len(der) > 1<<16 {
			return
		}
		w := w.in(t)
		w.put("list.crl", der)
		snap, err := loadErr(w)
		if err != nil {
			return
		}
		v := vdsnc.Verify(text, snap, at)
		if taken := len(snap.Notes()) == 0; taken != (v.Outcome == cert.Revoked) {
			t.Errorf("notes %v, but %s", snap.Notes(), v.Outcome)
		}
	})
}
