package verify_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/hcert"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/cert/shlink"
	"madoguchi.example/shared/cert/vdsnc"
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

// TestBrokenDocumentsAreOfTheirFormat breaks documents before the members by which they are
// told: what two readers could understand differently is malformed, not another's format.
func TestBrokenDocumentsAreOfTheirFormat(t *testing.T) {
	for input, format := range map[string]cert.Format{
		`{"a":1,"a":2,"verifiableCredential":["ey"]}`:                                  shc.Format,
		`{"a":,"verifiableCredential":["ey"]}`:                                         shc.Format,
		"{\"a\":\"\xff\",\"verifiableCredential\":[\"ey\"]}":                           shc.Format,
		`{"data":{"hdr":{"t":"icao.vacc","t":"icao.vacc"}},"sig":{}}`:                  vdsnc.Format,
		`{"data":{"hdr":{"t":"icao.vacc"}},"data":{"hdr":{"t":"icao.test"}},"sig":{}}`: vdsnc.Format,
		`[{"data":{"hdr":{"t":"\ud800"}},"sig":{}}]`:                                   vdsnc.Format,
	} {
		if v := verify.Verify([]byte(input), trust.Snapshot{}, time.Time{}); v.Format != format || v.Outcome != cert.Malformed {
			t.Errorf("%s: %s %s", input, v.Format, v.Outcome)
		}
	}
	for _, input := range []string{`{"database":1,"design":2}`, `{"database":1,"design":`, `{"data":1}`} {
		if v := verify.Verify([]byte(input), trust.Snapshot{}, time.Time{}); v.Format != "" || v.Outcome != cert.Unsupported {
			t.Errorf("%s: %s %s", input, v.Format, v.Outcome)
		}
	}
}

// TestOutputObeysNobody has an issuer whose name would command a terminal or turn a line.
func TestOutputObeysNobody(t *testing.T) {
	const hostile = "A\x1b]0;x\x07\u009b2J\u202eB\nC\U000e0041"
	v := cert.Verdict{Outcome: cert.BadSignature, Findings: []cert.Finding{}, Certificate: &cert.Certificate{Issuer: hostile, HolderRaw: hostile + "見本"}}
	line, err := verify.JSON(v)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{verify.Sentence(v), strings.TrimSuffix(string(line), "\n")} {
		for _, c := range text {
			if unicode.In(c, unicode.Cc, unicode.Cf) {
				t.Errorf("%q holds %U", text, c)
			}
		}
	}
	var back cert.Verdict
	if err := json.Unmarshal(line, &back); err != nil || back.Certificate.Issuer != hostile || back.Certificate.HolderRaw != hostile+"見本" {
		t.Errorf("%+v %v", back.Certificate, err)
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

// seeds gives one document of every format, as our own encoders write them, and the terminal's
// snapshot that believes them.
func seeds(t testing.TB, w *world) ([]string, trust.Snapshot) {
	t.Helper()
	must := func(text string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	jws := w.issue(threeDoses())
	term := vdsnc.Term{From: w.at.AddDate(0, -1, 0), UsageUntil: w.at.AddDate(1, 0, 0), Until: w.at.AddDate(10, 0, 0)}
	authority, signer := testKey(t, 11), testKey(t, 12)
	csca := must(text(vdsnc.NewCSCA(authority, vdsnc.Name{Country: "JP", Common: "CSCA"}, term)))
	bsc := must(text(vdsnc.NewBSC([]byte(csca), authority, signer.Public(), vdsnc.Name{Country: "JP", Common: "Health"}, term)))
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: term.From, NotAfter: term.Until, Subject: pkix.Name{Country: []string{"JP"}}}
	dsc := must(text(x509.CreateCertificate(nil, &template, &template, signer.Public(), signer))) // without randomness: the same each time
	c := threeDoses()
	c.TravelDocument = "TZ0000001"
	for i := range c.Doses {
		c.Doses[i].Country = "JPN"
	}
	seal, eu := c, c
	seal.ID, eu.ID = "6U5RSWMBASG2", must(hcert.NewUVCI("JP", "MADOGUCHI/A1B2C3D4E5"))
	half := len("shc:/") + len(w.qr(jws))/4*2
	link, err := shlink.New(shlink.Link{URL: "https://links.example/m", Passcode: true}, shlink.Key{1})
	if err != nil {
		t.Fatal(err)
	}
	all := []string{
		jws, w.qr(jws), "shc:/2/2/" + w.qr(jws)[half:] + "\nshc:/1/2/" + w.qr(jws)[len("shc:/"):half],
		`{"verifiableCredential":["` + jws + `"]}`,
		must(hcert.Issue(signer, []byte(dsc), w.at, w.at.AddDate(0, 6, 0), eu, hcert.Options{})),
		must(hcert.Issue(signer, []byte(dsc), w.at, w.at.AddDate(0, 6, 0), eu, hcert.Options{Kind: hcert.DVC})),
		must(vdsnc.Issue(signer, []byte(bsc), w.at, seal, vdsnc.Options{Issuer: "JPN", Centre: "MINATO"})),
		link.Text(), "https://viewer.example/#" + link.Text(), jws + "~", "{}", "[{}]",
	}
	w.snapshot()
	w.bundle.Files["hcert/signer.der"], w.bundle.Files["vdsnc/csca.der"] = []byte(dsc), []byte(csca)
	fsys, err := w.bundle.FS()
	if err != nil {
		t.Fatal(err)
	}
	snap, err := verify.LoadTrust(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return all, snap
}

func text(b []byte, err error) (string, error) { return string(b), err }

// The documents that fuzzing begins with are good ones, each of its format.
func TestSeedsAreGood(t *testing.T) {
	w := newWorld(t)
	all, snap := seeds(t, w)
	valid := map[cert.Format]bool{}
	for _, seed := range all {
		v := verify.Verify([]byte(seed), snap, w.at)
		valid[v.Format] = valid[v.Format] || v.Outcome == cert.Valid
	}
	for _, f := range []cert.Format{shc.Format, hcert.Format, vdsnc.Format} {
		if !valid[f] {
			t.Errorf("no good %s among them", f)
		}
	}
}

// FuzzVerify gives anything to the whole of it: a verdict with its words, twice the same.
func FuzzVerify(f *testing.F) {
	w := newWorld(f)
	all, snap := seeds(f, w)
	for _, seed := range all {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		v := verify.Verify(input, snap, w.at)
		if v.Findings == nil || v.Outcome == "" || (v.Outcome != cert.Valid && v.Reason == "") || (v.Outcome == cert.Valid && v.Certificate == nil) {
			t.Errorf("a verdict without its words: %+v", v)
		}
		out, err := verify.JSON(v)
		if err != nil || !json.Valid(out) || verify.Sentence(v) == "" {
			t.Errorf("%s %v", out, err)
		}
		if again := verify.Verify(input, snap, w.at); !reflect.DeepEqual(again, v) {
			t.Errorf("%+v, then %+v", v, again)
		}
	})
}
