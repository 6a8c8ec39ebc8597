package vdsnc_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/vdsnc"
	"madoguchi.example/shared/civil"
)

const vaccination = `{"hdr":{"t":"icao.vacc","v":1,"is":"JPN"},"msg":{"uvci":"6A5RSWMBASG2",` +
	`"pid":{"n":"MIHON  HANAKO","dob":"1990-04-01","i":"TK0000000","sex":"F"},` +
	`"ve":[{"des":"XM0GQ8","nam":"COMIRNATY","dis":"RA01.0","vd":[` +
	`{"dvc":"2021-07-01","seq":1,"ctr":"JPN","adm":"Minato City","lot":"EW0001"}]}]}}`

const testing2 = `{"hdr":{"t":"icao.test","v":1,"is":"JPN"},"msg":{"utci":"T1","pid":{"n":"MIHON  HANAKO","dob":"1990-04-01","dt":"P","dn":"TK0000000"},` +
	`"sp":{"spn":"Minato Lab","ctr":"JPN","cd":{"p":"+81","e":"a@example","a":"1-1"}},` +
	`"dat":{"sc":"2026-11-20T09:00:00+09:00","ri":"2026-11-21T09:00:00+09:00"},"tr":{"tc":"molecular(PCR)","r":"negative","m":"saliva"}}}`

func TestIssuedVerifies(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		w := newWorldOf(t, curve, "JP", "JPN")
		text := w.issue(claims(3))
		v := vdsnc.Verify([]byte(text), w.snapshot(), at)
		if v.Outcome != cert.Valid || !slices.Equal(v.Findings, []cert.Finding{cert.NoRevocationList}) {
			t.Fatalf("%s: %s %v %s", curve.Params().Name, v.Outcome, v.Findings, v.Reason)
		}
		want := cert.Certificate{
			Format: vdsnc.Format, Content: cert.Vaccination, Issuer: "JPN", ID: "6A5RSWMBASG2",
			HolderRaw: "MIHON  HANAKO", BirthDate: civil.Date{Year: 1990, Month: 4, Day: 1}, Sex: "F", TravelDocument: "TK0000000",
		}
		want.Holder.FamilyLatin, want.Holder.GivenLatin = "MIHON", "HANAKO"
		for i := range 3 {
			want.Doses = append(want.Doses, cert.Dose{
				Number: i + 1, Code: "XM0GQ8", CodeSystem: cert.ICD11, Disease: "RA01.0", Product: "COMIRNATY", Lot: fmt.Sprintf("EW%04d", i+1),
				On: civil.Date{Year: 2021 + i, Month: 7, Day: 1 + i}, Performer: "Minato City", Country: "JPN",
			})
		}
		if got, want := mustJSON(t, v.Certificate), mustJSON(t, want); got != want {
			t.Errorf("%s\nwant\n%s", got, want)
		}
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func joined(findings []cert.Finding) string {
	var words []string
	for _, f := range findings {
		words = append(words, string(f))
	}
	return strings.Join(words, ",")
}

// TestTexts: one document in many writings, and what no document is.
func TestTexts(t *testing.T) {
	w := newWorld(t)
	snap := w.snapshot()
	good := w.sign(vaccination, w.bsc)
	var indented any
	if err := json.Unmarshal([]byte(good), &indented); err != nil {
		t.Fatal(err)
	}
	pretty, err := json.MarshalIndent(indented, " ", "\t")
	if err != nil {
		t.Fatal(err)
	}
	signature := good[strings.Index(good, `"sigvl":"`)+len(`"sigvl":"`):]
	signature = strings.TrimSuffix(signature, `"}}`)
	swap := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for _, c := range []struct {
		name, text string
		outcome    cert.Outcome
		findings   string
	}{
		{"as signed", good, cert.Valid, "revocation_list_absent"},
		{"pretty", string(pretty), cert.Valid, "revocation_list_absent"},
		{"array", "[" + good + "]", cert.Valid, "revocation_list_absent"},
		{"array of two", "[" + good + ",\n" + good + "]", cert.Valid, "revocation_list_absent,several_certificates"},
		{"escapes", swap(`HANAKO`, `\u0048ANAKO`), cert.Valid, "revocation_list_absent"},
		{"padded", swap(signature, signature+"=="), cert.Valid, "revocation_list_absent"},
		{"unsigned member", swap(`"sig":{`, `"sig":{"kid":"x",`), cert.Valid, "unknown_member,revocation_list_absent"},
		{"changed", swap("HANAKO", "HANAKA"), cert.BadSignature, ""},
		{"array, one changed", "[" + good + "," + swap("HANAKO", "HANAKA") + "]", cert.BadSignature, "several_certificates,holders_differ"},
		{"half padded", swap(signature, signature+"="), cert.Malformed, ""},
		{"loose bits", swap(signature, loosen(signature)), cert.Malformed, ""},
		{"standard base64", swap(signature, "+/"+signature[2:]), cert.Malformed, ""},
		{"short signature", swap(signature, signature[:80]), cert.Malformed, ""},
		{"signature of another algorithm", swap("ES256", "ES384"), cert.Malformed, ""},
		{"algorithm unknown", swap("ES256", "PS256"), cert.Unsupported, ""},
		{"name twice", swap(`"t":"icao.vacc"`, `"t":"icao.vacc","t":"icao.vacc"`), cert.Malformed, ""},
		{"name twice outside", swap(`"sig":`, `"sig":{},"sig":`), cert.Malformed, ""},
		{"fraction", swap(`"v":1`, `"v":1.0`), cert.Malformed, ""},
		{"behind", good + "x", cert.Malformed, ""},
		{"no certificate", swap(`"cer":"`+b64(w.bsc)+`"`, `"cer":""`), cert.Malformed, ""},
		{"certificate cut", swap(b64(w.bsc), b64(w.bsc[:100])), cert.Malformed, ""},
		{"certificate with more", swap(b64(w.bsc), b64(append(slices.Clone(w.bsc), 0))), cert.Malformed, ""},
		{"no data", `{"sig":{}}`, cert.Malformed, ""},
		{"empty array", `[]`, cert.Malformed, ""},
		{"many", "[" + strings.Repeat(good+",", vdsnc.MaxDocuments) + good + "]", cert.Malformed, ""},
		{"large", strings.Repeat(" ", vdsnc.MaxInput) + good, cert.Malformed, ""},
	} {
		v := vdsnc.Verify([]byte(c.text), snap, at)
		if v.Outcome != c.outcome || joined(v.Findings) != c.findings {
			t.Errorf("%s: %s %v %s", c.name, v.Outcome, v.Findings, v.Reason)
		}
		if v.Findings == nil || (v.Outcome != cert.Valid) != (v.Reason != "") || v.Format != vdsnc.Format {
			t.Errorf("%s: a verdict without its words: %+v", c.name, v)
		}
		if strings.Contains(v.Reason, "HANAK") {
			t.Errorf("%s: the reason names a person", c.name)
		}
	}
}

// loosen changes bits of the last character that no byte holds.
func loosen(signature string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, signature[len(signature)-1])
	return signature[:len(signature)-1] + string(alphabet[last|1])
}

// TestContents: what the profile wants of a signed content.
func TestContents(t *testing.T) {
	w := newWorld(t)
	snap := w.snapshot()
	const absent = "revocation_list_absent"
	for _, c := range []struct {
		name, old, new string
		outcome        cert.Outcome
		findings       string
	}{
		{"as it is", "", "", cert.Valid, absent},
		{"sequence as text", `"seq":1`, `"seq":"1"`, cert.Malformed, ""},
		{"sequence 0", `"seq":1`, `"seq":0`, cert.Malformed, ""},
		{"sequence 100", `"seq":1`, `"seq":100`, cert.Malformed, ""},
		{"no sequence", `"seq":1,`, ``, cert.Malformed, ""},
		{"no day", `"dvc":"2021-07-01",`, ``, cert.Malformed, ""},
		{"impossible day", `"2021-07-01"`, `"2021-07-32"`, cert.Malformed, ""},
		{"next dose's day", `"seq":1`, `"seq":1,"dvn":"soon"`, cert.Malformed, ""},
		{"next dose", `"seq":1`, `"seq":1,"dvn":"2021-08-01"`, cert.Valid, absent},
		{"no vaccine", `"des":"XM0GQ8",`, ``, cert.Malformed, ""},
		{"no doses", `"vd":[{"dvc":"2021-07-01","seq":1,"ctr":"JPN","adm":"Minato City","lot":"EW0001"}]`, `"vd":[]`, cert.Malformed, ""},
		{"no id", `"uvci":"6A5RSWMBASG2",`, ``, cert.Malformed, ""},
		{"no name", `"n":"MIHON  HANAKO",`, ``, cert.Malformed, ""},
		{"neither passport nor birth", `"dob":"1990-04-01","i":"TK0000000",`, ``, cert.Malformed, ""},
		{"no passport", `"i":"TK0000000",`, ``, cert.Valid, absent},
		{"birth year", `"1990-04-01"`, `"1990"`, cert.Valid, "partial_date," + absent},
		{"birth month 13", `"1990-04-01"`, `"1990-13"`, cert.Malformed, ""},
		{"other sex", `"sex":"F"`, `"sex":"W"`, cert.Valid, "sex_code," + absent},
		{"no lot", `,"lot":"EW0001"`, ``, cert.Valid, "missing_member," + absent},
		{"more", `"hdr":{`, `"hdr":{"x":[1],`, cert.Valid, "unknown_member," + absent},
		{"Utopia", `"is":"JPN"`, `"is":"UTO"`, cert.Valid, "specimen," + absent},
		{"another state", `"is":"JPN"`, `"is":"AUS"`, cert.UntrustedIssuer, ""},
		{"no such state", `"is":"JPN"`, `"is":"QQQ"`, cert.UntrustedIssuer, ""},
		{"no state", `,"is":"JPN"`, ``, cert.Malformed, ""},
		{"other version", `"v":1`, `"v":2`, cert.Unsupported, ""},
		{"other seal", `icao.vacc`, `icao.visa`, cert.Unsupported, ""},
		{"other seal, other content", `"t":"icao.vacc","v":1,"is":"JPN"},"msg":{`, `"t":"icao.visa","v":1,"is":"JPN"},"msg":{"ve2":1,`, cert.Unsupported, ""},
	} {
		data := vaccination
		if c.old != "" {
			data = strings.Replace(vaccination, c.old, c.new, 1)
			if data == vaccination {
				t.Fatalf("%s: nothing replaced", c.name)
			}
		}
		v := vdsnc.Verify([]byte(w.sign(data, w.bsc)), snap, at)
		if v.Outcome != c.outcome || joined(v.Findings) != c.findings {
			t.Errorf("%s: %s %v %s", c.name, v.Outcome, v.Findings, v.Reason)
		}
	}
}

func TestProofOfTesting(t *testing.T) {
	w := newWorld(t)
	v := vdsnc.Verify([]byte(w.sign(testing2, w.bsc)), w.snapshot(), at)
	if v.Outcome != cert.Valid || !slices.Contains(v.Findings, cert.NoVaccination) {
		t.Fatalf("%s %v %s", v.Outcome, v.Findings, v.Reason)
	}
	c := v.Certificate
	if c.Content != cert.Test || len(c.Doses) != 0 || len(c.Tests) != 1 || c.Tests[0].Detected || c.TravelDocument != "TK0000000" || c.Tests[0].Centre != "Minato Lab" {
		t.Errorf("%+v", mustJSON(t, c))
	}
	positive := strings.Replace(testing2, `"negative"`, `"abnormal"`, 1)
	v = vdsnc.Verify([]byte(w.sign(positive, w.bsc)), w.snapshot(), at)
	if !v.Certificate.Tests[0].Detected || !slices.Contains(v.Findings, vdsnc.TestResultOther) {
		t.Errorf("a result that is not negative: %v", v.Findings)
	}
	for _, cut := range []string{`"utci":"T1",`, `"dn":"TK0000000"`, `"tc":"molecular(PCR)",`, `"sc":"2026-11-20T09:00:00+09:00",`} {
		data := strings.Replace(strings.Replace(testing2, cut, "", 1), `"P",}`, `"P"}`, 1)
		if v := vdsnc.Verify([]byte(w.sign(data, w.bsc)), w.snapshot(), at); v.Outcome != cert.Malformed {
			t.Errorf("without %s: %s", cut, v.Outcome)
		}
	}
}

// TestSigners: what a signer's certificate must say, under an authority that signed it.
func TestSigners(t *testing.T) {
	w := newWorld(t)
	snap := w.snapshot()
	nt := func(c *x509.Certificate) { c.ExtraExtensions[1] = documentTypes(t, "NT") }
	for _, c := range []struct {
		name    string
		data    string
		change  func(*x509.Certificate)
		outcome cert.Outcome
	}{
		{"good", vaccination, func(*x509.Certificate) {}, cert.Valid},
		{"two types", vaccination, func(c *x509.Certificate) { c.ExtraExtensions[1] = documentTypes(t, "NT", "NV") }, cert.Valid},
		{"tests' signer, a test", testing2, nt, cert.Valid},
		{"tests' signer, a vaccination", vaccination, nt, cert.KeyUsageMismatch},
		{"no types", vaccination, func(c *x509.Certificate) { c.ExtraExtensions = c.ExtraExtensions[:1] }, cert.KeyUsageMismatch},
		{"no purpose", vaccination, func(c *x509.Certificate) { c.ExtraExtensions = c.ExtraExtensions[1:] }, cert.KeyUsageMismatch},
		{"passports' signer", vaccination, func(c *x509.Certificate) { c.ExtraExtensions = nil }, cert.KeyUsageMismatch},
		{"other purpose", vaccination, func(c *x509.Certificate) { c.ExtraExtensions[0] = signerUsage("2.23.136.1.1.14.3") }, cert.KeyUsageMismatch},
		{"key for agreement", vaccination, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement }, cert.KeyUsageMismatch},
		{"an authority", vaccination, func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }, cert.KeyUsageMismatch},
		{"over", vaccination, func(c *x509.Certificate) { c.NotAfter = at.Add(-time.Second) }, cert.Expired},
		{"to come", vaccination, func(c *x509.Certificate) { c.NotBefore = at.Add(time.Second) }, cert.NotYetValid},
		{"critical", vaccination, func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 99}, Critical: true, Value: []byte{5, 0}})
		}, cert.Unsupported},
		{"usage period over", vaccination, func(c *x509.Certificate) {
			der, err := asn1.Marshal(struct {
				From  time.Time `asn1:"generalized,tag:0"`
				Until time.Time `asn1:"generalized,tag:1"`
			}{term.From, at.Add(-time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 16}, Value: der})
		}, cert.Valid},
	} {
		if v := vdsnc.Verify([]byte(w.sign(c.data, w.forge(c.change))), snap, at); v.Outcome != c.outcome {
			t.Errorf("%s: %s %s", c.name, v.Outcome, v.Reason)
		}
	}
}

// TestTrust: what the layout must hold.
func TestTrust(t *testing.T) {
	w := newWorld(t)
	text := w.sign(vaccination, w.bsc)
	other := newWorld(t)
	other.authority = testKey(t, elliptic.P384(), 12)
	foreign := newWorldOf(t, elliptic.P256(), "AU", "AUS")
	var err error
	if other.csca, err = vdsnc.NewCSCA(other.authority, vdsnc.Name{Country: "JP", Common: "Other"}, term); err != nil {
		t.Fatal(err)
	}
	foreignAuthority := testKey(t, elliptic.P384(), 13)
	if foreign.csca, err = vdsnc.NewCSCA(foreignAuthority, vdsnc.Name{Country: "AU", Common: "Test CSCA"}, term); err != nil {
		t.Fatal(err)
	}
	old := vdsnc.Term{From: term.From, Until: at.Add(-time.Minute)}
	ended, err := vdsnc.NewCSCA(w.authority, vdsnc.Name{Country: "JP", Common: "Test CSCA"}, old)
	if err != nil {
		t.Fatal(err)
	}
	text2 := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: foreign.csca})) + "and\n" +
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.csca}))
	for _, c := range []struct {
		name    string
		files   map[string][]byte
		outcome cert.Outcome
	}{
		{"none", nil, cert.UntrustedIssuer},
		{"another state's", map[string][]byte{"a.der": foreign.csca}, cert.UntrustedIssuer},
		{"another key of the state", map[string][]byte{"a.der": other.csca}, cert.UnknownKey},
		{"among others", map[string][]byte{"a.der": foreign.csca, "b.cer": other.csca, "c.crt": w.csca}, cert.Valid},
		{"PEM of several", map[string][]byte{"all.pem": []byte(text2)}, cert.Valid},
		{"ended", map[string][]byte{"a.der": ended}, cert.Expired},
		{"ended, and another certificate of its key", map[string][]byte{"a.der": ended, "b.der": w.csca}, cert.Valid},
		{"the signer itself", map[string][]byte{"a.der": w.bsc}, cert.Valid},
	} {
		w.files = fstest.MapFS{}
		for name, file := range c.files {
			w.put(name, file)
		}
		snap := w.snapshot()
		v := vdsnc.Verify([]byte(text), snap, at)
		if v.Outcome != c.outcome || len(snap.Notes()) != 0 {
			t.Errorf("%s: %s %s, notes %v", c.name, v.Outcome, v.Reason, snap.Notes())
		}
		if again := vdsnc.Verify([]byte(text), snap, at); again.Outcome != v.Outcome || joined(again.Findings) != joined(v.Findings) {
			t.Errorf("%s: another verdict the second time: %s %v", c.name, again.Outcome, again.Findings)
		}
	}
}

// TestForgedAuthority: a signer that names an authority's key is not signed by it.
func TestForgedAuthority(t *testing.T) {
	w := newWorld(t)
	forger := testKey(t, elliptic.P384(), 666)
	parent, err := x509.ParseCertificate(w.csca)
	if err != nil {
		t.Fatal(err)
	}
	parent.PublicKey = forger.Public()
	w.authority = forger
	template := &x509.Certificate{
		SerialNumber: w.serial(), Subject: pkix.Name{Country: []string{"JP"}}, NotBefore: term.From, NotAfter: term.Until,
		ExtraExtensions: []pkix.Extension{signerUsage("2.23.136.1.1.14.2"), documentTypes(t, "NV")},
	}
	der, err := x509.CreateCertificate(nil, template, parent, w.key.Public(), forger)
	if err != nil {
		t.Fatal(err)
	}
	snap := w.snapshot()
	if v := vdsnc.Verify([]byte(w.sign(vaccination, der)), snap, at); v.Outcome != cert.UntrustedIssuer {
		t.Errorf("%s %s", v.Outcome, v.Reason)
	}
	if n := vdsnc.Chains(snap.Section("vdsnc")); n != 0 {
		t.Errorf("%d chains of a forger are remembered", n)
	}
}

// TestSpecimenAuthority: Utopia's authority signs for Utopia alone.
func TestSpecimenAuthority(t *testing.T) {
	w := newWorldOf(t, elliptic.P256(), vdsnc.SpecimenCountry, "UTO")
	v := vdsnc.Verify([]byte(w.issue(claims(1))), w.snapshot(), at)
	if v.Outcome != cert.Valid || !slices.Contains(v.Findings, cert.Specimen) {
		t.Errorf("%s %v %s", v.Outcome, v.Findings, v.Reason)
	}
	if v := vdsnc.Verify([]byte(w.sign(vaccination, w.bsc)), w.snapshot(), at); v.Outcome != cert.UntrustedIssuer {
		t.Errorf("Utopia signs for Japan: %s", v.Outcome)
	}
}

// TestRevocation: the newest list of the authority's key counts.
func TestRevocation(t *testing.T) {
	w := newWorld(t)
	text := []byte(w.sign(vaccination, w.bsc))
	day := 24 * time.Hour
	clean, lists := w.crl(at.Add(-2*day), at.Add(day)), w.crl(at.Add(-day), at.Add(day), w.serial())
	freed := w.crl(at.Add(-day/2), at.Add(day))
	forger := w.in(t) // who names the authority and its key
	forger.authority = testKey(t, elliptic.P384(), 12)
	forged := forger.crl(at.Add(-time.Hour), at.Add(day), w.serial())
	for _, c := range []struct {
		name     string
		lists    [][]byte
		at       time.Time
		outcome  cert.Outcome
		findings string
		notes    int
	}{
		{"none", nil, at, cert.Valid, "revocation_list_absent", 0},
		{"clean", [][]byte{clean}, at, cert.Valid, "", 0},
		{"as PEM", [][]byte{pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: clean})}, at, cert.Valid, "", 0},
		{"listed", [][]byte{lists}, at, cert.Revoked, "", 0},
		{"listed, an older one clean", [][]byte{lists, clean}, at, cert.Revoked, "", 0},
		{"listed, no longer", [][]byte{freed, lists}, at, cert.Valid, "", 0},
		{"its last second", [][]byte{clean}, at.Add(day), cert.Valid, "", 0},
		{"past", [][]byte{clean}, at.Add(day + time.Second), cert.StaleRevocation, "", 0},
		{"past and listed", [][]byte{lists}, at.Add(2 * day), cert.Revoked, "", 0},
		{"of a forger", [][]byte{forged}, at, cert.Valid, "revocation_list_absent", 1},
		{"listed, the signer pinned", [][]byte{lists, w.bsc}, at, cert.Revoked, "", 0},
		{"clean, the signer pinned", [][]byte{clean, w.bsc}, at, cert.Valid, "", 0},
		{"no list", [][]byte{[]byte("text")}, at, cert.Valid, "revocation_list_absent", 1},
	} {
		w.files = fstest.MapFS{}
		w.put("csca.der", w.csca)
		for i, list := range c.lists {
			suffix := "crl"
			if bytes.Equal(list, w.bsc) {
				suffix = "der"
			}
			w.put(fmt.Sprintf("%d.%s", i, suffix), list)
		}
		snap := w.snapshot()
		v := vdsnc.Verify(text, snap, c.at)
		if v.Outcome != c.outcome || joined(v.Findings) != c.findings || len(snap.Notes()) != c.notes {
			t.Errorf("%s: %s %v %s, notes %v", c.name, v.Outcome, v.Findings, v.Reason, snap.Notes())
		}
	}
}

// TestAge: an old layout and a clock that goes wrong are said.
func TestAge(t *testing.T) {
	w := newWorld(t)
	w.files["snapshot.json"] = &fstest.MapFile{Data: []byte(`{"as_of":"2026-11-22T09:00:00Z","max_age":"24h"}`)}
	snap := w.snapshot()
	text := []byte(w.sign(vaccination, w.bsc))
	for _, c := range []struct {
		at       time.Time
		outcome  cert.Outcome
		findings string
	}{
		{at, cert.Valid, "revocation_list_absent"},
		{at.Add(25 * time.Hour), cert.StaleTrust, ""},
		{at.Add(-2 * time.Hour), cert.Valid, "clock_before_snapshot,revocation_list_absent"},
	} {
		if v := vdsnc.Verify(text, snap, c.at); v.Outcome != c.outcome || joined(v.Findings) != c.findings {
			t.Errorf("%s: %s %v", c.at, v.Outcome, v.Findings)
		}
	}
}

// TestLayout: what cannot be an anchor is told; a file that is none fails.
func TestLayout(t *testing.T) {
	w := newWorld(t)
	w.put("broken.der", w.csca[:50])
	if snap := w.snapshot(); len(snap.Notes()) != 1 || snap.Notes()[0].Place != "vdsnc/broken.der" {
		t.Errorf("notes %v", snap.Notes())
	}
	w.put("list.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}}))
	if _, err := loadErr(w); err == nil || !strings.Contains(err.Error(), "vdsnc/list.pem") {
		t.Errorf("a private key in the layout: %v", err)
	}
}

// TestRemembered: chains are remembered, not without bound, and from many at once.
func TestRemembered(t *testing.T) {
	w := newWorld(t)
	w.authority = testKey(t, elliptic.P256(), 11) // the quickest curve
	var err error
	if w.csca, err = vdsnc.NewCSCA(w.authority, vdsnc.Name{Country: "JP", Common: "Test CSCA"}, term); err != nil {
		t.Fatal(err)
	}
	w.put("csca.der", w.csca)
	snap := w.snapshot()
	var texts [][]byte
	for i := range vdsnc.MaxChains + 10 {
		bsc := w.forge(func(c *x509.Certificate) { c.SerialNumber.SetInt64(int64(1000 + i)) })
		texts = append(texts, []byte(w.sign(vaccination, bsc)))
	}
	var wait sync.WaitGroup
	for part := range 2 {
		wait.Go(func() {
			for i, text := range texts {
				if i%2 == part || i < 10 {
					if v := vdsnc.Verify(text, snap, at); v.Outcome != cert.Valid {
						t.Errorf("%s %s", v.Outcome, v.Reason)
					}
				}
			}
		})
	}
	wait.Wait()
	if n := vdsnc.Chains(snap.Section("vdsnc")); n != vdsnc.MaxChains {
		t.Errorf("%d chains are remembered, want %d", n, vdsnc.MaxChains)
	}
}

// TestCountries: the state that a document names and the country of its authority.
func TestCountries(t *testing.T) {
	for _, c := range []struct {
		state, country string
		same           bool
	}{
		{"JPN", "JP", true}, {"JPN", "jp", true}, {"JPN", "JPN", true}, {"D", "DE", true}, {"D<<", "DE", true}, {"DEU", "DE", true},
		{"EUE", "EU", true}, {"UNO", "UN", true}, {"RKS", "KS", true}, {"ZWE", "ZW", true}, {"AFG", "AF", true}, {"UTO", "FR", true},
		{"JPN", "AU", false}, {"JPN", "", false}, {"", "", false}, {"JP", "JP", true}, {"JP", "JPN", false}, {"QQQ", "QQ", false},
		{"<", "AF", false}, {"D ", "DE", false}, {"JPNX", "JP", false}, {"PNK", "JP", false},
	} {
		if got := vdsnc.SameCountry(c.state, c.country); got != c.same {
			t.Errorf("%q, %q: %v", c.state, c.country, got)
		}
	}
	if n := vdsnc.Countries(); n != 249+6 {
		t.Errorf("%d rows, want ISO 3166's 249 and 6 more", n)
	}
}
