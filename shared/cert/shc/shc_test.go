package shc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/trust"
)

const iss = "https://madoguchi.example"

var at = time.Date(2026, 11, 21, 10, 0, 0, 123456789, time.UTC)

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

// believe gives a snapshot that pins the keys for iss.
func believe(t testing.TB, keys ...*ecdsa.PrivateKey) trust.Snapshot {
	t.Helper()
	var published []trust.PublishedKey
	for _, key := range keys {
		published = append(published, shc.Published(&key.PublicKey))
	}
	jwks, err := shc.JWKS(published...)
	if err != nil {
		t.Fatal(err)
	}
	_, text, err := trust.IssuerFile("shc", iss, jwks)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := trust.Load(fstest.MapFS{"shc/a.json": {Data: text}}, []trust.Section{shc.Section})
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func claims(doses int) cert.Certificate {
	c := cert.Certificate{
		ID: "AQPCRrid",
		Holder: identity.PersonName{
			FamilyKanji: "見本", GivenKanji: "花子", FamilyKana: "ミホン", GivenKana: "ハナコ",
			FamilyLatin: "MIHON", GivenLatin: "HANAKO",
		},
		BirthDate: civil.Date{Year: 1990, Month: 4, Day: 1},
	}
	for i := range doses {
		c.Doses = append(c.Doses, cert.Dose{
			Number: i + 1, Code: "208", Lot: "EW000" + string(rune('0'+i%10)), Performer: "みなと市", Manufacturer: "PFR",
			On: civil.Date{Year: 2021, Month: time.Month(1 + i%12), Day: 1 + i%28},
		})
	}
	return c
}

func issue(t testing.TB, c cert.Certificate, opts shc.Options) string {
	t.Helper()
	jws, err := shc.Issue(testKey(t, 7), iss, at, c, opts)
	if err != nil {
		t.Fatal(err)
	}
	return jws
}

func TestIssuedCardVerifies(t *testing.T) {
	for name, c := range map[string]struct {
		form   shc.NameForm
		holder identity.PersonName
	}{
		"domestic": {shc.NameKanji, identity.PersonName{FamilyKanji: "見本", GivenKanji: "花子"}},
		"overseas": {shc.NameLatin, identity.PersonName{FamilyLatin: "MIHON", GivenLatin: "HANAKO"}},
	} {
		want := claims(3)
		want.ExpiresAt = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		jws := issue(t, want, shc.Options{Name: c.form})
		if again := issue(t, want, shc.Options{Name: c.form}); again != jws {
			t.Errorf("%s: the same call gives another card", name)
		}
		want.Format, want.Content, want.Issuer, want.IssuedAt = shc.Format, cert.Vaccination, iss, at.Truncate(time.Second)
		want.Holder = c.holder
		want.HolderRaw = strings.TrimSpace(c.holder.FamilyKanji + c.holder.FamilyLatin + " " + c.holder.GivenKanji + c.holder.GivenLatin)
		text, err := shc.QRText(jws)
		if err != nil {
			t.Fatal(err)
		}
		got := shc.VerifyQR([]byte(text), believe(t, testKey(t, 7)), at)
		if got.Outcome != cert.Valid || len(got.Findings) != 0 || got.Findings == nil {
			t.Fatalf("%s: %s %v %s", name, got.Outcome, got.Findings, got.Reason)
		}
		if !reflect.DeepEqual(*got.Certificate, want) {
			t.Errorf("%s:\n got %#v\nwant %#v", name, *got.Certificate, want)
		}
		t.Logf("%s: %d characters", name, len(jws))
	}
}

func TestIssueRefuses(t *testing.T) {
	change := func(f func(*cert.Certificate)) cert.Certificate {
		c := claims(2)
		f(&c)
		return c
	}
	for name, c := range map[string]struct {
		c     cert.Certificate
		code  fault.Code
		place string
	}{
		"no dose":       {claims(0), fault.NoRecord, ""},
		"too many":      {claims(30), fault.TooLarge, shc.PlaceDoses},
		"no name":       {change(func(c *cert.Certificate) { c.Holder = identity.PersonName{FamilyLatin: "MIHON"} }), fault.InvalidArgument, shc.PlaceHolder},
		"no birth date": {change(func(c *cert.Certificate) { c.BirthDate = civil.Date{} }), fault.InvalidArgument, shc.PlaceBirthDate},
		"no code":       {change(func(c *cert.Certificate) { c.Doses[1].Code = "" }), fault.InvalidArgument, shc.PlaceDoses},
		"no day":        {change(func(c *cert.Certificate) { c.Doses[1].On = civil.Date{} }), fault.InvalidArgument, shc.PlaceDoses},
		"bad rid":       {change(func(c *cert.Certificate) { c.ID = "not a rid" }), fault.InvalidArgument, shc.PlaceID},
		"expired":       {change(func(c *cert.Certificate) { c.ExpiresAt = at }), fault.InvalidArgument, shc.PlaceDoses},
	} {
		jws, err := shc.Issue(testKey(t, 7), iss, at, c.c, shc.Options{})
		if jws != "" || fault.CodeOf(err) != c.code || fault.PlaceOf(err) != c.place {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), "見本") || strings.Contains(err.Error(), "1990")) {
			t.Errorf("%s: the fault tells a personal value: %v", name, err)
		}
	}
	if _, err := shc.Issue(nil, iss, at, claims(1), shc.Options{}); err == nil {
		t.Error("issued without key")
	}
	if _, err := shc.Issue(testKey(t, 7), iss+"/", at, claims(1), shc.Options{}); err == nil {
		t.Error("issued with a trailing slash")
	}
}

func TestManyDosesStillFitOneCode(t *testing.T) {
	fits := 0
	for n := 1; n < 30; n++ {
		if _, err := shc.Issue(testKey(t, 7), iss, at, claims(n), shc.Options{}); err == nil {
			fits = n
		}
	}
	t.Logf("%d doses fit one code", fits)
	if fits < 6 {
		t.Errorf("only %d doses fit one code", fits)
	}
}

// TestEveryFlippedByteIsRefused tampers with each byte of a short card, in each form.
func TestEveryFlippedByteIsRefused(t *testing.T) {
	snap := believe(t, testKey(t, 7))
	jws := issue(t, claims(1), shc.Options{})
	qr, err := shc.QRText(jws)
	if err != nil {
		t.Fatal(err)
	}
	file, err := shc.File(jws)
	if err != nil {
		t.Fatal(err)
	}
	for name, form := range map[string]struct {
		text   []byte
		verify func([]byte, trust.Snapshot, time.Time) cert.Verdict
	}{"jws": {[]byte(jws), shc.VerifyJWS}, "qr": {[]byte(qr), shc.VerifyQR}, "file": {file, shc.VerifyFile}} {
		if v := form.verify(form.text, snap, at); v.Outcome != cert.Valid {
			t.Fatalf("%s: the card itself is %s %s", name, v.Outcome, v.Reason)
		}
		for i := range form.text {
			for bit := range 8 {
				text := append([]byte(nil), form.text...)
				text[i] ^= 1 << bit
				if v := form.verify(text, snap, at); v.Outcome == cert.Valid {
					t.Errorf("%s: valid with bit %d of byte %d flipped", name, bit, i)
				}
			}
		}
		for i := range form.text {
			if v := form.verify(form.text[:i], snap, at); v.Outcome == cert.Valid {
				t.Errorf("%s: valid when cut at %d", name, i)
			}
		}
	}
}

func TestFileTellsItsWorstCard(t *testing.T) {
	snap := believe(t, testKey(t, 7))
	good := issue(t, claims(1), shc.Options{})
	other, err := shc.Issue(testKey(t, 8), iss, at, claims(1), shc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	somebody := claims(1)
	somebody.Holder.GivenKanji = "太郎"
	for name, c := range map[string]struct {
		cards    []string
		outcome  cert.Outcome
		findings []cert.Finding
	}{
		"one":        {[]string{good}, cert.Valid, []cert.Finding{}},
		"two":        {[]string{good, good}, cert.Valid, []cert.Finding{cert.SeveralCertificates}},
		"two people": {[]string{good, issue(t, somebody, shc.Options{})}, cert.Valid, []cert.Finding{cert.SeveralCertificates, cert.HoldersDiffer}},
		"one bad":    {[]string{good, other}, cert.UnknownKey, []cert.Finding{cert.SeveralCertificates}},
		"broken":     {[]string{good, other, "x"}, cert.Malformed, []cert.Finding{cert.SeveralCertificates}},
	} {
		file, err := shc.File(c.cards...)
		if err != nil {
			t.Fatal(err)
		}
		v := shc.VerifyFile(file, snap, at)
		if v.Outcome != c.outcome || !reflect.DeepEqual(v.Findings, c.findings) {
			t.Errorf("%s: %s %v", name, v.Outcome, v.Findings)
		}
	}
	if _, err := shc.File(); err == nil {
		t.Error("a file without card")
	}
}

func TestRevocationID(t *testing.T) {
	rid := shc.RevocationID([]byte("secret"), "kid", "ctz_1")
	if len(rid) != 11 || !trust.ValidRID(rid) || rid == shc.RevocationID([]byte("secret"), "kid", "ctz_2") {
		t.Errorf("rid %q", rid)
	}
}

func TestQRTextRefuses(t *testing.T) {
	if _, err := shc.QRText(strings.Repeat("e", shc.MaxSingleQR+1)); fault.CodeOf(err) != fault.TooLarge {
		t.Errorf("too long: %v", err)
	}
	for _, text := range []string{"e e", "é", "{", ","} {
		if _, err := shc.QRText(text); err == nil {
			t.Errorf("%q: written", text)
		}
	}
}

func TestParsePart(t *testing.T) {
	if p, err := shc.ParsePart("shc:/2/3/5676"); err != nil || p != (shc.Part{Index: 2, Total: 3, Digits: "5676"}) {
		t.Errorf("%+v %v", p, err)
	}
	for _, text := range []string{"shc:/0/3/56", "shc:/4/3/56", "shc:/1/33/56", "shc:/1/256/56", "shc:/-1/3/56", "shc:/1/56", "shc:/1/2/3/56",
		"shc:/", "shc:/567", "shc:56", "http://x", "shc:/1/1/" + strings.Repeat("56", shc.MaxPart)} {
		p, err := shc.ParsePart(text)
		if err == nil {
			if v := shc.VerifyQR([]byte(text), trust.Snapshot{}, at); v.Outcome != cert.Malformed {
				t.Errorf("%.20q: %+v, %s", text, p, v.Outcome)
			}
		}
	}
}

func TestSizesAreBounded(t *testing.T) {
	for name, v := range map[string]cert.Verdict{
		"qr":    shc.VerifyQR([]byte("shc:/"+strings.Repeat("56", shc.MaxInput)), trust.Snapshot{}, at),
		"part":  shc.VerifyQR([]byte("shc:/"+strings.Repeat("56", shc.MaxPart)), trust.Snapshot{}, at),
		"lines": shc.VerifyQR([]byte(strings.Repeat("shc:/1/2/56\n", shc.MaxParts+1)), trust.Snapshot{}, at),
		"jws":   shc.VerifyJWS([]byte("ey."+strings.Repeat("a", shc.MaxJWS)+".a"), trust.Snapshot{}, at),
		"file":  shc.VerifyFile([]byte(`{"verifiableCredential":["`+strings.Repeat("a", shc.MaxFile)+`"]}`), trust.Snapshot{}, at),
		"cards": shc.VerifyFile([]byte(`{"verifiableCredential":[`+strings.Repeat(`"a",`, shc.MaxCards)+`"a"]}`), trust.Snapshot{}, at),
	} {
		if v.Outcome != cert.Malformed || v.Findings == nil || v.Certificate != nil {
			t.Errorf("%s: %s", name, v.Outcome)
		}
	}
	if c := shc.CheckPayload(make([]byte, shc.MaxPayload+1), at); c.Outcome != cert.Malformed || c.Findings == nil {
		t.Errorf("payload: %+v", c)
	}
	if c := shc.CheckBundle(make([]byte, shc.MaxPayload+1)); c.Outcome != cert.Malformed || c.Findings == nil {
		t.Errorf("bundle: %+v", c)
	}
}
