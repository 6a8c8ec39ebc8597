package hcert_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/hcert"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/trust"
)

var (
	at      = time.Date(2026, 11, 21, 10, 0, 0, 123456789, time.UTC)
	expires = time.Date(2027, 11, 21, 0, 0, 0, 0, time.UTC)
)

// testKey gives the key with the private scalar n: fixed, so that certificates are too.
func testKey(t testing.TB, n int64) *ecdsa.PrivateKey {
	t.Helper()
	raw := make([]byte, 32)
	big.NewInt(n).FillBytes(raw)
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newDSC gives a signer certificate for the key. Without a source of randomness keys sign
// deterministically, so that it is the same each time.
func newDSC(t testing.TB, key *ecdsa.PrivateKey, change ...func(*x509.Certificate)) []byte {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Country: []string{"JP"}, CommonName: "Specimen signer"},
		NotBefore: at.Add(-time.Hour), NotAfter: at.AddDate(2, 0, 0), SignatureAlgorithm: x509.ECDSAWithSHA256,
	}
	for _, f := range change {
		f(c)
	}
	der, err := x509.CreateCertificate(nil, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// forUsage sets the extended key usage, in one of its two spellings.
func forUsage(zero bool, n int) func(*x509.Certificate) {
	oid := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 1847, 2021, 1, n}
	if zero {
		oid = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 0, 1847, 2021, 1, n}
	}
	return func(c *x509.Certificate) { c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{oid} }
}

// believe gives a snapshot that lists the signers, one file for all.
func believe(t testing.TB, dscs ...[]byte) trust.Snapshot {
	t.Helper()
	var text []byte
	for _, der := range dscs {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return listClean(t, fstest.MapFS{"hcert/signers.pem": {Data: text}})
}

const testUVCI = "URN:UVCI:01:JP:0123456789ABCDEF#D"

func claims() cert.Certificate {
	return cert.Certificate{
		ID: testUVCI,
		Holder: identity.PersonName{
			FamilyKanji: "見本", GivenKanji: "花子", FamilyLatin: "MIHON", GivenLatin: "HANAKO",
		},
		BirthDate: civil.Date{Year: 1990, Month: 4, Day: 1},
		Doses: []cert.Dose{
			{Number: 2, Code: "208", Lot: "EW0002", On: civil.Date{Year: 2021, Month: 8, Day: 22}, Country: "JPN", Manufacturer: "PFR"},
			{Number: 1, Code: "208", Lot: "EW0001", On: civil.Date{Year: 2021, Month: 8, Day: 1}, Country: "JPN", Manufacturer: "PFR"},
		},
	}
}

func change(f func(*cert.Certificate)) cert.Certificate {
	c := claims()
	f(&c)
	return c
}

func issue(t testing.TB, key *ecdsa.PrivateKey, dsc []byte, c cert.Certificate, o hcert.Options) string {
	t.Helper()
	text, err := hcert.Issue(key, dsc, at, expires, c, o)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestIssuedDCCVerifies(t *testing.T) {
	key := testKey(t, 7)
	dsc := newDSC(t, key, forUsage(false, 2))
	text := issue(t, key, dsc, claims(), hcert.Options{})
	if again := issue(t, key, dsc, claims(), hcert.Options{}); again != text {
		t.Error("the same call gives another certificate")
	}
	v := hcert.Verify([]byte(text), believe(t, dsc), at)
	if v.Outcome != cert.Valid || len(v.Findings) != 0 || v.Findings == nil {
		t.Fatalf("%s %v %s", v.Outcome, v.Findings, v.Reason)
	}
	want := cert.Certificate{
		Format: hcert.Format, Content: cert.Vaccination, Issuer: "MHLW_Gov_of_JAPAN (JP)", ID: testUVCI,
		Holder: identity.PersonName{FamilyLatin: "MIHON", GivenLatin: "HANAKO"}, HolderRaw: "MIHON HANAKO",
		BirthDate: claims().BirthDate, IssuedAt: at.Truncate(time.Second), ExpiresAt: expires,
		Doses: []cert.Dose{{
			Number: 2, Of: 2, Code: "EU/1/20/1528", CodeSystem: cert.EU, Disease: "840539006", Product: "COMIRNATY",
			Manufacturer: "ORG-100030215", On: claims().Doses[0].On, Country: "JP",
		}},
	}
	if !reflect.DeepEqual(*v.Certificate, want) {
		t.Errorf("\n got %#v\nwant %#v", *v.Certificate, want)
	}
	t.Logf("%d characters", len(text))
}

func TestIssuedDVCVerifies(t *testing.T) {
	key := testKey(t, 7)
	dsc := newDSC(t, key, forUsage(true, 2))
	c := claims()
	c.TravelDocument, c.Sex = "TK0000000", "F"
	c.Doses = append(c.Doses, cert.Dose{Code: "04", Lot: "MR01", On: civil.Date{Year: 2022, Month: 5, Day: 1}, Number: 1})
	for name, doses := range map[string][]cert.Dose{"one": c.Doses[:1], "several": c.Doses} {
		one := c
		one.Doses = doses
		text, err := hcert.Issue(key, dsc, at, time.Time{}, one, hcert.Options{Kind: hcert.DVC, Authority: "Specimen authority"})
		if err != nil {
			t.Fatal(err)
		}
		v := hcert.Verify([]byte(text), believe(t, dsc), at)
		if v.Outcome != cert.Valid || !reflect.DeepEqual(v.Findings, []cert.Finding{hcert.NoExpiry}) {
			t.Fatalf("%s: %s %v %s", name, v.Outcome, v.Findings, v.Reason)
		}
		want := cert.Certificate{
			Format: hcert.Format, Content: cert.Vaccination, Issuer: "Specimen authority (JP)", ID: testUVCI, HolderRaw: "HANAKO MIHON",
			BirthDate: c.BirthDate, Sex: "F", TravelDocument: "TK0000000", IssuedAt: at.Truncate(time.Second),
			Doses: []cert.Dose{
				{Number: 2, Code: "XM0GQ8", CodeSystem: cert.ICD11, Disease: "RA01.0", Manufacturer: "PFR", Lot: "EW0002", On: c.Doses[0].On},
				{Number: 1, Code: "XM0GQ8", CodeSystem: cert.ICD11, Disease: "RA01.0", Manufacturer: "PFR", Lot: "EW0001", On: c.Doses[1].On},
				{Number: 1, Code: "XM21H2", CodeSystem: cert.ICD11, Lot: "MR01", On: c.Doses[2].On},
			}[:len(doses)],
		}
		if !reflect.DeepEqual(*v.Certificate, want) {
			t.Errorf("%s:\n got %#v\nwant %#v", name, *v.Certificate, want)
		}
		t.Logf("%s: %d characters", name, len(text))
	}
}

func TestIssueRefuses(t *testing.T) {
	key := testKey(t, 7)
	dsc := newDSC(t, key)
	dcc, dvc := hcert.Options{}, hcert.Options{Kind: hcert.DVC}
	dose := func(f func(*cert.Dose)) cert.Certificate { return change(func(c *cert.Certificate) { f(&c.Doses[0]) }) }
	for name, c := range map[string]struct {
		c     cert.Certificate
		o     hcert.Options
		code  fault.Code
		place string
	}{
		"no dose":            {change(func(c *cert.Certificate) { c.Doses = nil }), dcc, fault.NoRecord, ""},
		"no id":              {change(func(c *cert.Certificate) { c.ID = "" }), dcc, fault.InvalidArgument, hcert.PlaceID},
		"bad id":             {change(func(c *cert.Certificate) { c.ID = strings.ToLower(c.ID) }), dvc, fault.InvalidArgument, hcert.PlaceID},
		"wrong check":        {change(func(c *cert.Certificate) { c.ID = c.ID[:len(c.ID)-1] + "8" }), dcc, fault.InvalidArgument, hcert.PlaceID},
		"no birth date":      {change(func(c *cert.Certificate) { c.BirthDate = civil.Date{} }), dvc, fault.InvalidArgument, hcert.PlaceBirthDate},
		"no Latin name":      {change(func(c *cert.Certificate) { c.Holder.FamilyLatin, c.Holder.GivenLatin = "", "" }), dcc, fault.InvalidArgument, hcert.PlaceHolder},
		"no name, DVC":       {change(func(c *cert.Certificate) { c.Holder.FamilyLatin, c.Holder.GivenLatin = "", "" }), dvc, fault.InvalidArgument, hcert.PlaceHolder},
		"kanji for Latin":    {change(func(c *cert.Certificate) { c.Holder.FamilyLatin = "見本" }), dcc, fault.InvalidArgument, hcert.PlaceHolder},
		"long name":          {change(func(c *cert.Certificate) { c.Holder.FamilyLatin = strings.Repeat("A", 81) }), dcc, fault.InvalidArgument, hcert.PlaceHolder},
		"not of the EU":      {dose(func(d *cert.Dose) { d.Code = "03" }), dcc, fault.InvalidArgument, hcert.PlaceDoses},
		"product not stated": {dose(func(d *cert.Dose) { d.Code = "213" }), dcc, fault.InvalidArgument, hcert.PlaceDoses},
		"unknown code":       {dose(func(d *cert.Dose) { d.Code = "999" }), dvc, fault.InvalidArgument, hcert.PlaceDoses},
		"other list":         {dose(func(d *cert.Dose) { d.CodeSystem = cert.SNOMED }), dcc, fault.InvalidArgument, hcert.PlaceDoses},
		"no number":          {dose(func(d *cert.Dose) { d.Number = 0 }), dcc, fault.InvalidArgument, hcert.PlaceDoses},
		"no day":             {dose(func(d *cert.Dose) { d.On = civil.Date{} }), dvc, fault.InvalidArgument, hcert.PlaceDoses},
		"no lot":             {dose(func(d *cert.Dose) { d.Lot = "" }), dvc, fault.InvalidArgument, hcert.PlaceDoses},
		"no country":         {dose(func(d *cert.Dose) { d.Country = "J" }), dcc, fault.InvalidArgument, hcert.PlaceDoses},
		"long authority":     {claims(), hcert.Options{Authority: strings.Repeat("あ", 81)}, fault.Internal, hcert.PlaceSigner},
		"bad issuer":         {claims(), hcert.Options{Country: "jpn"}, fault.Internal, hcert.PlaceSigner},
		"too many":           {change(func(c *cert.Certificate) { c.Doses = make([]cert.Dose, 17) }), dvc, fault.TooLarge, hcert.PlaceDoses},
	} {
		text, err := hcert.Issue(key, dsc, at, expires, c.c, c.o)
		if text != "" || fault.CodeOf(err) != c.code || fault.PlaceOf(err) != c.place {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), "MIHON") || strings.Contains(err.Error(), "1990")) {
			t.Errorf("%s: the fault tells a personal value: %v", name, err)
		}
	}
}

func TestIssueHoldsKeyCertificateAndTimesTogether(t *testing.T) {
	key, other := testKey(t, 7), testKey(t, 8)
	good := newDSC(t, key)
	for name, c := range map[string]struct {
		key     *ecdsa.PrivateKey
		dsc     []byte
		expires time.Time
		code    fault.Code
	}{
		"no certificate":     {key, nil, expires, fault.Internal},
		"other key":          {other, good, expires, fault.Internal},
		"for tests":          {key, newDSC(t, key, forUsage(false, 1)), expires, fault.Internal},
		"over":               {key, newDSC(t, key, func(c *x509.Certificate) { c.NotAfter = at.Add(-time.Minute) }), expires, fault.Internal},
		"not yet":            {key, newDSC(t, key, func(c *x509.Certificate) { c.NotBefore = at.Add(time.Minute) }), expires, fault.Internal},
		"outlives it":        {key, good, at.AddDate(2, 0, 1), fault.InvalidArgument},
		"ends as it begins":  {key, good, at, fault.InvalidArgument},
		"an end for the DCC": {key, good, time.Time{}, fault.InvalidArgument},
	} {
		if text, err := hcert.Issue(c.key, c.dsc, at, c.expires, claims(), hcert.Options{}); text != "" || fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := hcert.Issue(nil, good, at, expires, claims(), hcert.Options{}); fault.CodeOf(err) != fault.Internal {
		t.Errorf("no key: %v", err)
	}
}

func TestWhichDoseAndSeries(t *testing.T) {
	key := testKey(t, 7)
	dsc := newDSC(t, key)
	snap := believe(t, dsc)
	day := claims().Doses[0].On
	for name, c := range map[string]struct {
		doses      []cert.Dose
		number, of int
	}{
		"the latest":              {[]cert.Dose{{Number: 1, Code: "208", On: day}, {Number: 2, Code: "208", On: day.AddDays(21)}, {Number: 9, Code: "208", On: day.AddDays(1)}}, 2, 2},
		"a third":                 {[]cert.Dose{{Number: 3, Code: "208", On: day}}, 3, 3},
		"the first of one":        {[]cert.Dose{{Number: 1, Code: "212", On: day}}, 1, 1},
		"as the record says":      {[]cert.Dose{{Number: 1, Of: 3, Code: "208", On: day}}, 1, 3},
		"two on a day":            {[]cert.Dose{{Number: 1, Code: "208", On: day}, {Number: 2, Code: "208", On: day}}, 2, 2},
		"two on a day, the other": {[]cert.Dose{{Number: 2, Code: "208", On: day}, {Number: 1, Code: "208", On: day}}, 2, 2},
	} {
		v := hcert.Verify([]byte(issue(t, key, dsc, change(func(x *cert.Certificate) { x.Doses = c.doses }), hcert.Options{})), snap, at)
		if d := v.Certificate.Doses[0]; d.Number != c.number || d.Of != c.of {
			t.Errorf("%s: %d of %d", name, d.Number, d.Of)
		}
	}
}

func TestTooLargeForOneCode(t *testing.T) {
	key := testKey(t, 7)
	dsc := newDSC(t, key)
	c := claims()
	c.Doses = nil
	for n := range 16 {
		sum := sha256.Sum256([]byte{byte(n)})
		c.Doses = append(c.Doses, cert.Dose{Number: 1 + n, Code: "208", Lot: hex.EncodeToString(sum[:]), On: claims().Doses[0].On.AddDays(n)})
	}
	fits := 0
	for n := 1; n <= len(c.Doses); n++ {
		some := c
		some.Doses = c.Doses[:n]
		text, err := hcert.Issue(key, dsc, at, expires, some, hcert.Options{Kind: hcert.DVC})
		switch {
		case err == nil:
			fits = n
		case fault.CodeOf(err) != fault.TooLarge || text != "":
			t.Errorf("%d doses: %v", n, err)
		}
	}
	if fits < 3 || fits == len(c.Doses) {
		t.Errorf("%d doses fit", fits)
	}
}

// TestNames holds the spelling of names against Doc 9303-3 section 6.
func TestNames(t *testing.T) {
	key := testKey(t, 7)
	dsc := newDSC(t, key)
	for plain, want := range map[string]string{
		"Musterfrau-Gößinger": "MUSTERFRAU<GOESSINGER", "d'Arsøns - van Halen": "DARSOENS<VAN<HALEN",
		"Červenková Panklová": "CERVENKOVA<PANKLOVA", "François-Joan": "FRANCOIS<JOAN", "O’Neill Jr.": "ONEILL<JR",
		"Łukasz": "LUKASZ", "Þór": "THOR", "ŌNO": "ONO", "大野": "", " A  B ": "A<B", "O\u0304no": "ONO",
	} {
		c := change(func(c *cert.Certificate) { c.Holder.FamilyLatin = plain })
		text, err := hcert.Issue(key, dsc, at, expires, c, hcert.Options{})
		if want == "" {
			if fault.CodeOf(err) != fault.InvalidArgument {
				t.Errorf("%s: %v", plain, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", plain, err)
			continue
		}
		v := hcert.Verify([]byte(text), believe(t, dsc), at)
		if got := v.Certificate.Holder.FamilyLatin; got != strings.ReplaceAll(want, "<", " ") {
			t.Errorf("%s: %s", plain, got)
		}
	}
}

func TestUVCI(t *testing.T) {
	for id, want := range map[string]bool{
		// Published ones, of two issuers' own making.
		"URN:UVCI:01:AT:10807843F94AEE0EE5093FBC254BD813#B": true,
		"URN:UVCI:01:AT:10807843F94AEE0EE5093FBC254BD813#C": false,
		"URN:UVCI:01:AT:10807843F94AEE0EE5093FBC254BD831#B": false,
		testUVCI:                          true,
		"URN:UVCI:01:JP:0123456789ABCDEF": false, "URN:UVCI:01:JP:0123#": false, "urn:uvci:01:jp:0#A": false, "": false,
	} {
		if hcert.ValidUVCI(id) != want {
			t.Errorf("%s: valid is not %v", id, want)
		}
	}
	id, err := hcert.NewUVCI("JP", "0123456789ABCDEF")
	if err != nil || id != testUVCI {
		t.Errorf("%s %v", id, err)
	}
	for _, bad := range [][2]string{{"JPN", "A"}, {"jp", "A"}, {"JP", ""}, {"JP", "a"}, {"JP", "A:B"}, {"JP", strings.Repeat("A", 70)}} {
		if _, err := hcert.NewUVCI(bad[0], bad[1]); fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func TestKeyIDIsOfTheCertificate(t *testing.T) {
	dsc := newDSC(t, testKey(t, 7))
	sum := sha256.Sum256(dsc)
	if id := hcert.KeyID(dsc); len(id) != 12 || hex.EncodeToString(sum[:8]) == id {
		t.Errorf("%s", id)
	}
}
