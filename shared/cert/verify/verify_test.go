package verify_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/cert/verify"
	"madoguchi.example/shared/trust"
)

func TestFormatsAreRecognised(t *testing.T) {
	w := newWorld(t)
	jws := w.issue(threeDoses())
	file, err := shc.File(jws)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		input   string
		format  cert.Format
		outcome cert.Outcome // "": its format's own word, but never valid
	}{
		"QR text":              {w.qr(jws), shc.Format, cert.Valid},
		"with line ends":       {"\r\n " + w.qr(jws) + "\r\n", shc.Format, cert.Valid},
		"JWS":                  {jws + "\n", shc.Format, cert.Valid},
		"file":                 {string(file), shc.Format, cert.Valid},
		"broken QR text":       {"shc:5676", shc.Format, cert.Malformed},
		"broken file":          {`{"verifiableCredential":["e`, shc.Format, cert.Malformed},
		"other token":          {"eyJhbGciOiJIUzI1NiJ9.e30.aaaa", shc.Format, cert.Malformed},
		"HC1":                  {"HC1:6BF+70790T9WJWG", "hcert", ""},
		"VDS-NC":               {`{"data":{"hdr":{}},"sig":{}}`, "vdsnc", ""},
		"SD-JWT":               {jws + "~WyJhIiwiYiIsImMiXQ~", "sdjwtvc", ""},
		"link":                 {"shlink:/eyJ1cmwiOiJ", "shlink", ""},
		"link in address":      {"https://viewer.example/#shlink:/eyJ1cmwiOiJ", "shlink", ""},
		"VDS-NC in a list":     {"\ufeff [ {\n \"sig\": {}, \"data\": {} } ]", "vdsnc", ""},
		"VDS-NC cut":           {`{"data":{},"sig":{"alg":"ES`, "vdsnc", ""},
		"a list of a list":     {`[[{"data":{},"sig":{}}]]`, "", cert.Unsupported},
		"a list of cards":      {`[{"verifiableCredential":["` + jws + `"]}]`, "", cert.Unsupported},
		"names within":         {`{"a":{"data":1,"sig":2}}`, "", cert.Unsupported},
		"SD-JWT with spaces":   {"ewogImFsZyI6IkVTMjU2In0.e30.aaaa~", "sdjwtvc", ""},
		"SD-JWT with a key":    {jws + "~WyJhIiwiYiIsImMiXQ~" + jws, "sdjwtvc", ""},
		"byte order mark":      {"\ufeff" + w.qr(jws), shc.Format, cert.Valid},
		"file, pretty":         {"{\n \"verifiableCredential\": [\n \"" + jws + "\"\n ]\n}\n", shc.Format, cert.Valid},
		"card of link's words": {`{"verifiableCredential":["shlink:/x"]}`, shc.Format, cert.Malformed},
		"nothing":              {" \n", "", cert.Malformed},
		"an address":           {"https://a.example", "", cert.Unsupported},
		"other JSON":           {`{"a":1}`, "", cert.Unsupported},
		"too large":            {strings.Repeat("shc:/56\n", verify.MaxInput), "", cert.Malformed},
	} {
		v := verify.Verify([]byte(c.input), w.snapshot(), w.at)
		if v.Format != c.format || (v.Outcome != c.outcome && (c.outcome != "" || v.Outcome == cert.Valid)) || v.Findings == nil {
			t.Errorf("%s: %q %s %s", name, v.Format, v.Outcome, v.Reason)
		}
	}
}

// TestPrecedence adds one fault at a time, the weakest first: each takes the word from
// those below it.
func TestPrecedence(t *testing.T) {
	w := newWorld(t)
	w.version, w.revoked = 2, []string{"other"}
	w.bundle.AsOf, w.bundle.MaxAge = w.at.Add(-time.Hour), 2*time.Hour
	c := threeDoses()
	c.ID, c.ExpiresAt = "rid", w.at.Add(24*time.Hour)
	jws := w.issue(c)
	steps := []struct {
		outcome cert.Outcome
		worsen  func()
	}{
		{cert.Valid, func() {}},
		{cert.StaleTrust, func() { w.bundle.MaxAge = time.Minute }},
		{cert.Expired, func() { w.at = c.ExpiresAt }},
		{cert.Revoked, func() { w.revoked = []string{"rid"} }},
		{cert.BadSignature, func() { jws = jws[:len(jws)-10] + "AAAAAAAAAA" }},
		{cert.UnknownKey, func() { w.key, w.revoked = testKey(t, 8), nil }},
	}
	for _, step := range steps {
		step.worsen()
		w.cached = nil
		v := verify.Verify([]byte(jws), w.snapshot(), w.at)
		if v.Outcome != step.outcome {
			t.Fatalf("%s, want %s (%s)", v.Outcome, step.outcome, v.Reason)
		}
		if (v.Outcome == cert.Valid) != (v.Reason == "") || v.Certificate == nil {
			t.Errorf("%s: reason %q, certificate %v", v.Outcome, v.Reason, v.Certificate)
		}
	}
	if v := verify.Verify([]byte(jws), trust.Snapshot{}, w.at); v.Outcome != cert.UntrustedIssuer {
		t.Errorf("without anchors: %s", v.Outcome)
	}
}

func TestRevocationListThatIsNotHere(t *testing.T) {
	w := newWorld(t)
	w.version = 3
	c := threeDoses()
	if v := verify.Verify([]byte(w.issue(c)), w.snapshot(), w.at); v.Outcome != cert.Valid {
		t.Errorf("a card that no list can name: %s", v.Outcome)
	}
	c.ID = "rid"
	for _, snapshot := range []struct {
		of   time.Time // zero: made by hand, never stale
		want cert.Outcome
	}{{time.Time{}, cert.Valid}, {w.at, cert.StaleRevocation}} {
		w := newWorld(t)
		w.version, w.bundle.AsOf, w.bundle.MaxAge = 3, snapshot.of, time.Hour
		v := verify.Verify([]byte(w.issue(c)), w.snapshot(), w.at)
		if v.Outcome != snapshot.want || len(v.Findings) != 1 || v.Findings[0] != cert.NoRevocationList {
			t.Errorf("snapshot of %v: %s %v", snapshot.of, v.Outcome, v.Findings)
		}
	}
}

func TestKeyOfAnotherIssuer(t *testing.T) {
	w := newWorld(t)
	jws, err := shc.Issue(w.key, "https://other.example", w.at, threeDoses(), shc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if v := verify.Verify([]byte(jws), w.snapshot(), w.at); v.Outcome != cert.UntrustedIssuer {
		t.Errorf("%s", v.Outcome)
	}
}

func TestNotYetValidAndEarlyClock(t *testing.T) {
	w := newWorld(t)
	w.bundle.AsOf = w.at
	jws := w.issue(threeDoses())
	v := verify.Verify([]byte(jws), w.snapshot(), w.at.Add(-time.Second))
	if v.Outcome != cert.NotYetValid || len(v.Findings) != 1 || v.Findings[0] != cert.ClockBeforeSnapshot {
		t.Errorf("%s %v", v.Outcome, v.Findings)
	}
}

func TestJSONShape(t *testing.T) {
	w := newWorld(t)
	out, err := verify.JSON(verify.Verify([]byte(w.issue(threeDoses())), w.snapshot(), w.at))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"format":"shc","outcome":"valid","findings":[],"certificate":{"format":"shc","content":"vaccination","issuer":"https://madoguchi.example",` +
		`"holder":{"family_kanji":"見本","given_kanji":"花子"},"holder_text":"見本 花子","birth_date":"1990-04-01","issued_at":"2026-11-21T10:00:00Z",` +
		`"doses":[{"number":1,"code":"208","lot":"EW0001","on":"2021-07-01","performer":"みなと市"},` +
		`{"number":2,"code":"208","lot":"EW0002","on":"2022-07-02","performer":"みなと市"},` +
		`{"number":3,"code":"208","lot":"FA0003","on":"2023-07-03","performer":"みなと市"}]}}` + "\n"
	if string(out) != want {
		t.Errorf("\n got %s\nwant %s", out, want)
	}
	out, err = verify.JSON(verify.Verify(nil, trust.Snapshot{}, w.at))
	if want := `{"format":"","outcome":"malformed","findings":[],"reason":"there is nothing in it"}` + "\n"; err != nil || string(out) != want {
		t.Errorf("got %s, %v", out, err)
	}
}

func FuzzVerify(f *testing.F) {
	w := newWorld(f)
	jws := w.issue(threeDoses())
	for _, seed := range []string{jws, w.qr(jws), "HC1:A", `{"data":{},"sig":{}}`, "shlink:/x", jws + "~", `{"verifiableCredential":["` + jws + `"]}`} {
		f.Add([]byte(seed))
	}
	snap := w.snapshot()
	f.Fuzz(func(t *testing.T, input []byte) {
		v := verify.Verify(input, snap, w.at)
		if v.Findings == nil || v.Outcome == "" {
			t.Errorf("a verdict without its words: %+v", v)
		}
		out, err := verify.JSON(v)
		if err != nil || !json.Valid(out) {
			t.Errorf("%s %v", out, err)
		}
	})
}
