package vdsnc_test

import (
	"crypto"
	"crypto/elliptic"
	"strings"
	"testing"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/internal/jcs"
	"madoguchi.example/shared/cert/qr"
	"madoguchi.example/shared/cert/vdsnc"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
)

// TestIssuedText: the whole text is in canonical form, the same twice, and fits a code.
func TestIssuedText(t *testing.T) {
	w := newWorld(t)
	text := w.issue(claims(3))
	if text != w.issue(claims(3)) {
		t.Error("the same call gave another text")
	}
	canonical, err := jcs.Transform(text)
	if err != nil || string(canonical) != text {
		t.Errorf("not canonical: %v", err)
	}
	version, level, err := qr.Shape(text)
	if err != nil || version > 33 {
		t.Errorf("version %d, %v", version, err)
	}
	t.Logf("3 doses: %d bytes, QR version %d at level %s", len(text), version, level)
	if strings.Count(text, `"des"`) != 1 || strings.Count(text, `"dvc"`) != 3 {
		t.Error("one product's doses are not one event")
	}
	if !strings.Contains(text, `"n":"MIHON  HANAKO"`) || strings.Contains(text, "みなと") {
		t.Error("the name or the centre is not as asked")
	}
}

func TestTwoProducts(t *testing.T) {
	w := newWorld(t)
	c := claims(2)
	c.Doses[1].Code = "207"
	c.Doses = append(c.Doses, cert.Dose{
		Number: 3, Code: "XM68M6", CodeSystem: cert.ICD11, Disease: "RA01.0", Product: "Comirnaty bivalent", Lot: "X1",
		On: civil.Date{Year: 2023, Month: 1, Day: 2},
	})
	v := vdsnc.Verify([]byte(w.issue(c)), w.snapshot(), at)
	if v.Outcome != cert.Valid || len(v.Certificate.Doses) != 3 {
		t.Fatalf("%s %s", v.Outcome, v.Reason)
	}
	for i, want := range []string{"COMIRNATY", "SPIKEVAX", "Comirnaty bivalent"} {
		if d := v.Certificate.Doses[i]; d.Product != want || d.Number != i+1 || d.Country != "JPN" {
			t.Errorf("dose %d: %+v", i+1, d)
		}
	}
}

func TestIssueRefuses(t *testing.T) {
	w := newWorld(t)
	good := vdsnc.Options{Issuer: "JPN", Centre: "Minato City"}
	for _, c := range []struct {
		name   string
		code   fault.Code
		place  string
		change func(*cert.Certificate)
	}{
		{"no dose", fault.NoRecord, "", func(c *cert.Certificate) { c.Doses = nil }},
		{"no id", fault.InvalidArgument, vdsnc.PlaceID, func(c *cert.Certificate) { c.ID = "" }},
		{"id in other letters", fault.InvalidArgument, vdsnc.PlaceID, func(c *cert.Certificate) { c.ID = "a-b" }},
		{"kanji alone", fault.InvalidArgument, vdsnc.PlaceHolder, func(c *cert.Certificate) { c.Holder.FamilyLatin, c.Holder.GivenLatin = "", "" }},
		{"kanji as Latin", fault.InvalidArgument, vdsnc.PlaceHolder, func(c *cert.Certificate) { c.Holder.FamilyLatin = "見本" }},
		{"no birth date", fault.InvalidArgument, vdsnc.PlaceBirthDate, func(c *cert.Certificate) { c.BirthDate = civil.Date{} }},
		{"no passport", fault.InvalidArgument, vdsnc.PlaceTravelDocument, func(c *cert.Certificate) { c.TravelDocument = "" }},
		{"passport with blanks", fault.InvalidArgument, vdsnc.PlaceTravelDocument, func(c *cert.Certificate) { c.TravelDocument = "TK 1" }},
		{"sex", fault.InvalidArgument, vdsnc.PlaceSex, func(c *cert.Certificate) { c.Sex = "W" }},
		{"unknown product", fault.InvalidArgument, vdsnc.PlaceDoses, func(c *cert.Certificate) { c.Doses[0].Code = "999" }},
		{"other list", fault.InvalidArgument, vdsnc.PlaceDoses, func(c *cert.Certificate) { c.Doses[0].CodeSystem = cert.SNOMED }},
		{"no lot", fault.InvalidArgument, vdsnc.PlaceDoses, func(c *cert.Certificate) { c.Doses[0].Lot = "" }},
		{"no day", fault.InvalidArgument, vdsnc.PlaceDoses, func(c *cert.Certificate) { c.Doses[0].On = civil.Date{} }},
		{"number", fault.InvalidArgument, vdsnc.PlaceDoses, func(c *cert.Certificate) { c.Doses[0].Number = 0 }},
		{"country", fault.InvalidArgument, vdsnc.PlaceDoses, func(c *cert.Certificate) { c.Doses[0].Country = "JP" }},
		{"too many", fault.TooLarge, vdsnc.PlaceDoses, func(c *cert.Certificate) {
			for len(c.Doses) < 30 {
				c.Doses = append(c.Doses, c.Doses[0])
			}
		}},
	} {
		claims := claims(1)
		c.change(&claims)
		text, err := vdsnc.Issue(w.key, w.bsc, at, claims, good)
		if fault.CodeOf(err) != c.code || fault.PlaceOf(err) != c.place || text != "" {
			t.Errorf("%s: %q, %v", c.name, text, err)
		}
	}
}

// TestIssueSigner: key, certificate, state and time belong together.
func TestIssueSigner(t *testing.T) {
	w := newWorld(t)
	other := testKey(t, elliptic.P256(), 8)
	good := vdsnc.Options{Issuer: "JPN"}
	for _, c := range []struct {
		name string
		key  crypto.Signer
		bsc  []byte
		at   time.Time
		opts vdsnc.Options
		code fault.Code
	}{
		{"within", w.key, w.bsc, at, good, ""},
		{"first second", w.key, w.bsc, term.From, good, ""},
		{"last second", w.key, w.bsc, term.UsageUntil, good, ""},
		{"before the usage period", w.key, w.bsc, term.From.Add(-time.Second), good, fault.Unavailable},
		{"after the usage period", w.key, w.bsc, term.UsageUntil.Add(time.Second), good, fault.Unavailable},
		{"another key", other, w.bsc, at, good, fault.Internal},
		{"no key", nil, w.bsc, at, good, fault.Internal},
		{"no certificate", w.key, nil, at, good, fault.Internal},
		{"the authority's certificate", w.authority, w.csca, at, good, fault.Internal},
		{"another state", w.key, w.bsc, at, vdsnc.Options{Issuer: "AUS"}, fault.Internal},
		{"no state", w.key, w.bsc, at, vdsnc.Options{}, fault.Internal},
		{"a specimen", w.key, w.bsc, at, vdsnc.Options{Issuer: "UTO"}, ""},
	} {
		_, err := vdsnc.Issue(c.key, c.bsc, c.at, claims(1), c.opts)
		if fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.code != "" && !strings.HasPrefix(fault.PlaceOf(err), vdsnc.PlaceSigner) && fault.PlaceOf(err) != vdsnc.PlaceIssuer {
			t.Errorf("%s: place %q", c.name, fault.PlaceOf(err))
		}
	}
}
