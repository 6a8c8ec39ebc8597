package verify_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/verify"
	"madoguchi.example/shared/trust"
)

// A fifth format is one row: with its own name, title, folder of anchors and verifier it is
// recognised, told by its title and believed by its own anchors, and all others stay.
func TestAFormatIsOneRow(t *testing.T) {
	w := newWorld(t)
	jws := w.issue(threeDoses())
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	stamp := []byte("STAMP:1 dose\n" + hex.EncodeToString(ed25519.Sign(private, []byte("1 dose"))))
	before := verify.Verify(stamp, w.snapshot(), w.at)
	if before.Outcome != cert.Unsupported || before.Format != "" {
		t.Fatalf("before: %+v", before)
	}
	section := trust.Section{Name: "stamps", Load: func(f *trust.Folder) (any, error) {
		var keys []ed25519.PublicKey
		for _, name := range f.Names(".key") {
			key, err := f.Read(name, ed25519.PublicKeySize)
			if err != nil {
				return nil, err
			}
			keys = append(keys, key)
		}
		return keys, nil
	}}
	judge := func(input []byte, snap trust.Snapshot, _ time.Time) cert.Verdict {
		text, written, _ := bytes.Cut(bytes.TrimPrefix(input, []byte("STAMP:")), []byte("\n"))
		signature, _ := hex.DecodeString(string(written))
		v := cert.Verdict{Format: "stamp", Outcome: cert.UntrustedIssuer, Findings: []cert.Finding{}, Reason: "nobody known"}
		keys, _ := snap.Section("stamps").([]ed25519.PublicKey)
		for _, key := range keys {
			if ed25519.Verify(key, text, signature) {
				v.Outcome, v.Reason = cert.Valid, ""
			}
		}
		return v
	}
	verify.AddRow(t, "stamp", "rubber stamp", func(in []byte) bool { return bytes.HasPrefix(in, []byte("STAMP:")) }, judge, section)

	snap, err := verify.LoadTrust(fstest.MapFS{"stamps/town.key": {Data: public}})
	if err != nil {
		t.Fatal(err)
	}
	if v := verify.Verify(stamp, snap, w.at); v.Outcome != cert.Valid || verify.Sentence(v) != "valid: rubber stamp" {
		t.Errorf("%+v, %s", v, verify.Sentence(v))
	}
	if v := verify.Verify(stamp, w.snapshot(), w.at); v.Outcome != cert.UntrustedIssuer {
		t.Errorf("with another's anchors: %+v", v)
	}
	if v := verify.Verify([]byte(jws), w.snapshot(), w.at); v.Outcome != cert.Valid {
		t.Errorf("a card beside it: %+v", v)
	}
	if v := verify.Verify([]byte(jws), snap, w.at); v.Outcome != cert.UntrustedIssuer {
		t.Errorf("a card by the stamp's anchors: %+v", v)
	}
	w.bundle.Files, w.bundle.Sections = map[string][]byte{"stamps/town.key": public}, verify.Sections()
	if _, err := w.bundle.FS(); err != nil {
		t.Errorf("a bundle with its folder: %v", err)
	}
}

// Every format has a title of its own, and no two read the same folder.
func TestFormatsAreTold(t *testing.T) {
	formats, sections := verify.Formats()
	titles := map[string]bool{}
	for _, f := range formats {
		title := verify.Title(f)
		if title == "input" || titles[title] {
			t.Errorf("%s is called %q", f, title)
		}
		titles[title] = true
	}
	if slices.Sort(sections); len(slices.Compact(sections)) != len(verify.Sections()) {
		t.Errorf("sections %v", sections)
	}
}

func TestSentenceSaysWhatWhenAndWhy(t *testing.T) {
	w := newWorld(t)
	c := threeDoses()
	c.ExpiresAt = w.at.AddDate(1, 0, 0)
	dated := w.issue(c)
	open := w.issue(threeDoses())
	for _, step := range []struct {
		name, input, want string
		change            func()
	}{
		{"valid", open, "valid: SMART Health Card of https://madoguchi.example, issued 2026-11-21, 3 vaccinations, the last on 2023-07-03, without an end date", func() {}},
		{"until", dated, "valid: SMART Health Card of https://madoguchi.example, issued 2026-11-21, 3 vaccinations, the last on 2023-07-03, good until 2027-11-21", func() {}},
		{"stale", open, "stale_trust: SMART Health Card of https://madoguchi.example, issued 2026-11-21, 3 vaccinations, the last on 2023-07-03, without an end date: " +
			"the trust list is older than it may be; the trust list is 9 days and 1 hour old, made 2026-11-21T10:00:00Z", func() {
			w.bundle.AsOf, w.bundle.MaxAge = w.at, 7*24*time.Hour
			w.at = w.at.Add(9*24*time.Hour + 90*time.Minute)
		}},
		{"expired", dated, "expired: SMART Health Card of https://madoguchi.example, issued 2026-11-21, 3 vaccinations, the last on 2023-07-03, good until 2027-11-21: expired at 2027-11-21T10:00:00Z", func() {
			w.at = c.ExpiresAt
		}},
	} {
		step.change()
		w.cached = nil
		if got := verify.Sentence(verify.Verify([]byte(step.input), w.snapshot(), w.at)); got != step.want {
			t.Errorf("%s:\n got %s\nwant %s", step.name, got, step.want)
		}
	}
	v := verify.Verify([]byte(open), trust.Snapshot{}, w.at)
	if got, want := verify.Sentence(v), "untrusted_issuer: SMART Health Card that names https://madoguchi.example: the issuer is not on the trust list"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, name := range []string{"見本", "花子", "1990"} {
		if strings.Contains(verify.Sentence(v), name) {
			t.Errorf("the sentence names %s", name)
		}
	}
}

func TestSentenceTellsWhatIsNoVaccination(t *testing.T) {
	for want, c := range map[string]cert.Certificate{
		"valid: input of AT, 1 test and no vaccination, without an end date":            {Issuer: "AT", Tests: make([]cert.TestResult, 1)},
		"valid: input of AT, a recovery and no vaccination, without an end date":        {Issuer: "AT", Recoveries: make([]cert.Recovered, 1)},
		"valid: input of an issuer without a name, no vaccination, without an end date": {},
		"valid: input of AT, 1 vaccination, without an end date; remarks: a, b":         {Issuer: "AT", Doses: make([]cert.Dose, 1)},
	} {
		v := cert.Verdict{Outcome: cert.Valid, Certificate: &c}
		if len(c.Doses) > 0 {
			v.Findings = []cert.Finding{"a", "b"}
		}
		if got := verify.Sentence(v); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got, want := verify.Sentence(cert.Verdict{Outcome: cert.StaleTrust, Reason: "old"}), "stale_trust: input: old; the trust list does not say how old it is"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
