package hcert_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/hcert"
	"madoguchi.example/shared/cert/internal/base45"
	"madoguchi.example/shared/cert/internal/cose"
	"madoguchi.example/shared/trust"
)

// TestPrecedence adds one fault at a time, the weakest first: each takes the word from
// those below it.
func TestPrecedence(t *testing.T) {
	key := testKey(t, 7)
	dsc := newDSC(t, key)
	hc1 := issue(t, key, dsc, claims(), hcert.Options{})
	files := fstest.MapFS{"hcert/a.der": {Data: dsc}, "snapshot.json": {Data: []byte(`{"as_of":"2026-11-20T00:00:00Z","max_age":"8760h"}`)}}
	now := at
	revoke, err := hcert.WriteRevocations([]hcert.RevocationList{{KeyID: hcert.KeyID(dsc), Type: hcert.ByUCI, Hashes: []string{hcert.UCIRevocation(testUVCI).String()}}})
	if err != nil {
		t.Fatal(err)
	}
	tests := newDSC(t, key, forUsage(true, 1))
	for _, step := range []struct {
		want   cert.Outcome
		worsen func()
	}{
		{cert.Valid, func() {}},
		{cert.StaleRevocation, func() { files["hcert/revocation.json"] = &fstest.MapFile{Data: []byte("{")} }},
		{cert.StaleTrust, func() { files["snapshot.json"].Data = []byte(`{"as_of":"2026-11-20T00:00:00Z","max_age":"1h"}`) }},
		{cert.StaleTrust, func() { now = expires }},
		{cert.Expired, func() { now = expires.Add(time.Second) }},
		{cert.Revoked, func() { files["hcert/revocation.json"].Data = revoke }},
		{cert.KeyUsageMismatch, func() {
			files["hcert/a.der"].Data = tests
			hc1 = string(seal(t, tests, payloadOf(t, hc1)))
		}},
		{cert.BadSignature, func() { hc1 = string(wrap(flipLast(unwrap(t, hc1)))) }},
		{cert.UnknownKey, func() { files["hcert/a.der"].Data = newDSC(t, testKey(t, 8)) }},
		{cert.UntrustedIssuer, func() { delete(files, "hcert/a.der") }},
		{cert.Malformed, func() { hc1 = hc1[:len(hc1)-1] }},
	} {
		step.worsen()
		v := hcert.Verify([]byte(hc1), list(t, files), now)
		if v.Outcome != step.want {
			t.Fatalf("%s, want %s (%s)", v.Outcome, step.want, v.Reason)
		}
		if (v.Outcome == cert.Valid) != (v.Reason == "") || v.Findings == nil || (v.Outcome != cert.Malformed) != (v.Certificate != nil) {
			t.Errorf("%s: reason %q, findings %v, certificate %v", v.Outcome, v.Reason, v.Findings, v.Certificate)
		}
	}
	if v := hcert.Verify([]byte(issue(t, key, dsc, claims(), hcert.Options{})), trust.Snapshot{}, at); v.Outcome != cert.UntrustedIssuer {
		t.Errorf("without anchors: %s", v.Outcome)
	}
}

func flipLast(b []byte) []byte {
	b[len(b)-1] ^= 1
	return b
}

func TestTimes(t *testing.T) {
	key := testKey(t, 7)
	dsc := newDSC(t, key)
	snap := believe(t, dsc)
	dcc := contentBytes(t)
	float := func(bits ...byte) []byte { return append([]byte{0xfb}, bits...) }
	for name, c := range map[string]struct {
		claims   []byte
		now      time.Time
		want     cert.Outcome
		findings []cert.Finding
	}{
		"at its issue":          {dict(i(6), i(at.Unix()), i(4), i(at.Unix()+10), i(-260), dcc), at.Truncate(time.Second), cert.Valid, nil},
		"before":                {dict(i(6), i(at.Unix()), i(4), i(at.Unix()+10), i(-260), dcc), at.Truncate(time.Second).Add(-1), cert.NotYetValid, nil},
		"at its end":            {dict(i(6), i(at.Unix()), i(4), i(at.Unix()+10), i(-260), dcc), at.Truncate(time.Second).Add(10 * time.Second), cert.Valid, nil},
		"just after its end":    {dict(i(6), i(at.Unix()), i(4), i(at.Unix()+10), i(-260), dcc), at.Truncate(time.Second).Add(10*time.Second + 1), cert.Expired, nil},
		"before nbf":            {dict(i(6), i(1), i(5), i(at.Unix()+1), i(4), i(at.Unix()+10), i(-260), dcc), at, cert.NotYetValid, nil},
		"as a float":            {dict(i(6), float(0x41, 0xd2, 0x65, 0x80, 0, 0, 0, 0), i(4), i(expires.Unix()), i(-260), dcc), at, cert.Valid, nil}, // 1234567168
		"in milliseconds":       {dict(i(6), i(at.UnixMilli()), i(4), i(expires.UnixMilli()), i(-260), dcc), at, cert.NotYetValid, []cert.Finding{hcert.TimeInMilliseconds}},
		"without":               {dict(i(-260), dcc), at, cert.Valid, []cert.Finding{hcert.NoExpiry, hcert.NoIssueTime}},
		"before 1970":           {dict(i(6), i(-1), i(-260), dcc), at, cert.Malformed, nil},
		"not a number":          {dict(i(6), []byte{0xf9, 0x7e, 0}, i(-260), dcc), at, cert.Malformed, nil},
		"without end of time":   {dict(i(4), []byte{0xf9, 0x7c, 0}, i(-260), dcc), at, cert.Malformed, nil},
		"as a text":             {dict(i(4), text("x"), i(-260), dcc), at, cert.Malformed, nil},
		"tagged (RFC 8392 2)":   {dict(i(4), append([]byte{0xc1}, i(expires.Unix())...), i(-260), dcc), at, cert.Malformed, nil},
		"an issuer of no text":  {dict(i(1), i(1), i(-260), dcc), at, cert.Malformed, nil},
		"no health certificate": {dict(i(6), i(1)), at, cert.Malformed, nil},
		"claims not a map":      {array(i(1)), at, cert.Malformed, nil},
		"other claims":          {dict(i(4), i(expires.Unix()), i(6), i(1), i(2), text("sub"), text("x"), dict(), i(-260), dcc), at, cert.Valid, nil},
	} {
		v := hcert.Verify(seal(t, dsc, c.claims), snap, c.now)
		if v.Outcome != c.want || (c.want != cert.Malformed && !slices.Equal(without(v.Findings, hcert.SignerDated), c.findings)) {
			t.Errorf("%s: %s %v %s", name, v.Outcome, v.Findings, v.Reason)
		}
	}
}

func without(findings []cert.Finding, one cert.Finding) []cert.Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f cert.Finding) bool { return f == one })
}

func TestSigners(t *testing.T) {
	key := testKey(t, 7)
	dsc := newDSC(t, key)
	hc1 := []byte(issue(t, key, dsc, claims(), hcert.Options{}))
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "x"}, NotBefore: at, NotAfter: expires}
	other, err := x509.CreateCertificate(rand.Reader, template, template, &p384.PublicKey, p384)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	snap := list(t, fstest.MapFS{
		"hcert/a.pem":      {Data: slices.Concat(block("CERTIFICATE", other), []byte("words between\n"), block("PUBLIC KEY", dsc), block("CERTIFICATE", dsc))},
		"hcert/again.der":  {Data: dsc},
		"hcert/broken.der": {Data: dsc[:50]},
		"hcert/empty.pem":  {Data: []byte("none")},
		"hcert/large.pem":  {Data: bytes.Repeat([]byte("a"), hcert.MaxSignerFile+1)},
		"hcert/readme.txt": {Data: []byte("not read")},
	})
	if v := hcert.Verify(hc1, snap, at); v.Outcome != cert.Valid {
		t.Errorf("%s: one bad certificate locks the others out", v.Outcome)
	}
	var places []string
	for _, n := range snap.Notes() {
		places = append(places, n.Place)
	}
	if want := []string{"hcert/a.pem certificate 1", "hcert/broken.der certificate 1", "hcert/empty.pem certificate 1", "hcert/large.pem"}; !slices.Equal(places, want) {
		t.Errorf("left out: %v", snap.Notes())
	}
}

func TestPS256(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	plain := newRSADSC(t, key)
	// The same certificate, its key marked as one for PSS alone.
	anyRSA, pssAlone := []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1}, []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10}
	pss := bytes.Replace(plain, anyRSA, pssAlone, 1)
	for name, dsc := range map[string][]byte{"any RSA": plain, "PSS alone": pss} {
		hc1 := sealRSA(t, key, dsc, claims())
		if v := hcert.Verify(hc1, believe(t, dsc), at); v.Outcome != cert.Valid {
			t.Errorf("%s: %s", name, v.Outcome)
		}
		if v := hcert.Verify(wrap(flipLast(unwrap(t, string(hc1)))), believe(t, dsc), at); v.Outcome != cert.BadSignature {
			t.Errorf("%s: %s", name, v.Outcome)
		}
		of, err := hcert.RevocationEntries(hc1)
		if err != nil {
			t.Fatal(err)
		}
		list, err := hcert.WriteRevocations([]hcert.RevocationList{{KeyID: of.KeyID, Type: hcert.BySignature, Hashes: []string{of.Signature.String()}}})
		if err != nil {
			t.Fatal(err)
		}
		m, err := cose.Parse(string(unwrap(t, string(hc1))))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256([]byte(m.Signature)); !bytes.Equal(sum[:16], of.Signature[:]) {
			t.Errorf("%s: the entry is not of the whole signature", name)
		}
		if v := hcert.Verify(hc1, withList(t, dsc, string(list)), at); v.Outcome != cert.Revoked {
			t.Errorf("%s: %s", name, v.Outcome)
		}
	}
}

func TestSafeForConcurrentUse(t *testing.T) {
	key := testKey(t, 7)
	dsc := newDSC(t, key)
	snap := believe(t, dsc)
	inputs := map[cert.Outcome][]byte{cert.Valid: []byte(issue(t, key, dsc, claims(), hcert.Options{})), cert.Malformed: []byte("HC1:BB8")}
	var all sync.WaitGroup
	for want, input := range inputs {
		for range 4 {
			all.Go(func() {
				for range 50 {
					v := hcert.Verify(input, snap, at)
					if v.Outcome != want || (want == cert.Valid && v.Certificate.ID != testUVCI) {
						t.Errorf("%s, want %s", v.Outcome, want)
					}
				}
			})
		}
	}
	all.Wait()
}

func TestKeyUsage(t *testing.T) {
	key := testKey(t, 7)
	tests, vaccinations, recoveries := 1, 2, 3
	for _, zero := range []bool{false, true} {
		for usage, want := range map[int]cert.Outcome{tests: cert.KeyUsageMismatch, vaccinations: cert.Valid, recoveries: cert.KeyUsageMismatch, 4: cert.Valid} {
			dsc := newDSC(t, key, forUsage(zero, usage))
			payload := payloadOf(t, issue(t, key, newDSC(t, key), claims(), hcert.Options{}))
			if v := hcert.Verify(seal(t, dsc, payload), believe(t, dsc), at); v.Outcome != want {
				t.Errorf("usage %d (long: %v): %s", usage, zero, v.Outcome)
			}
		}
	}
}

// TestOtherKeyUsage has signers that name only usages of other kinds: where the extension
// is critical they sign nothing here.
func TestOtherKeyUsage(t *testing.T) {
	key := testKey(t, 7)
	payload := payloadOf(t, issue(t, key, newDSC(t, key), claims(), hcert.Options{}))
	barcodes := asn1.ObjectIdentifier{2, 23, 136, 1, 1, 14, 2}
	anything := asn1.ObjectIdentifier{2, 5, 29, 37, 0}
	vaccinations := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 1847, 2021, 1, 2}
	for _, c := range []struct {
		critical bool
		usages   []asn1.ObjectIdentifier
		want     cert.Outcome
	}{
		{true, []asn1.ObjectIdentifier{barcodes}, cert.KeyUsageMismatch},
		{false, []asn1.ObjectIdentifier{barcodes}, cert.Valid},
		{true, []asn1.ObjectIdentifier{anything}, cert.Valid},
		{true, []asn1.ObjectIdentifier{barcodes, vaccinations}, cert.Valid},
	} {
		value, err := asn1.Marshal(c.usages)
		if err != nil {
			t.Fatal(err)
		}
		dsc := newDSC(t, key, func(x *x509.Certificate) {
			x.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: c.critical, Value: value}}
		})
		if v := hcert.Verify(seal(t, dsc, payload), believe(t, dsc), at); v.Outcome != c.want {
			t.Errorf("critical %v, %v: %s", c.critical, c.usages, v.Outcome)
		}
	}
}

// TestSignerFiles has the same two signers in every form in which an operator may put them.
func TestSignerFiles(t *testing.T) {
	key, other := testKey(t, 7), testKey(t, 8)
	one, two := newDSC(t, key), newDSC(t, other)
	block := func(der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	both := append(block(one), block(two)...)
	crlf := bytes.ReplaceAll(both, []byte("\n"), []byte("\r\n"))
	cut := bytes.Replace(both, []byte("-----END CERTIFICATE-----"), []byte("-----END"), 1)
	for name, c := range map[string]struct {
		files fstest.MapFS
		notes int
		both  bool
	}{
		"PEM":             {fstest.MapFS{"hcert/a.pem": {Data: both}}, 0, true},
		"lines of CR LF":  {fstest.MapFS{"hcert/a.pem": {Data: crlf}}, 0, true},
		"byte order mark": {fstest.MapFS{"hcert/a.pem": {Data: append([]byte("\ufeff"), both...)}}, 0, true},
		"both at once":    {fstest.MapFS{"hcert/a.pem": {Data: append([]byte("\ufeff"), crlf...)}}, 0, true},
		"words before":    {fstest.MapFS{"hcert/a.pem": {Data: append([]byte("subject=C=UT\n"), both...)}}, 0, true},
		"DER":             {fstest.MapFS{"hcert/a.der": {Data: one}, "hcert/b.der": {Data: two}}, 0, true},
		"other endings":   {fstest.MapFS{"hcert/a.crt": {Data: one}, "hcert/b.cer": {Data: block(two)}}, 0, true},
		"misnamed":        {fstest.MapFS{"hcert/a.pem": {Data: one}, "hcert/b.der": {Data: block(two)}}, 0, true},
		"one is cut":      {fstest.MapFS{"hcert/a.pem": {Data: cut}}, 1, false},
		"not one":         {fstest.MapFS{"hcert/a.pem": {Data: []byte("-----BEGIN NOTHING-----\n")}}, 1, false},
	} {
		snap, err := trust.Load(c.files, []trust.Section{hcert.Section})
		if err != nil {
			t.Fatal(err)
		}
		if len(snap.Notes()) != c.notes {
			t.Errorf("%s: %v", name, snap.Notes())
		}
		first := hcert.Verify([]byte(issue(t, key, one, claims(), hcert.Options{})), snap, at).Outcome
		second := hcert.Verify([]byte(issue(t, other, two, claims(), hcert.Options{})), snap, at).Outcome
		if c.both && (first != cert.Valid || second != cert.Valid) {
			t.Errorf("%s: %s, %s", name, first, second)
		}
	}
}

// TestEveryFlippedBitIsRefused tampers with each bit of a certificate's text and with each
// byte of the message inside, and cuts both everywhere. Compression is outside of what is
// signed: another text of the very same message is the same certificate.
func TestEveryFlippedBitIsRefused(t *testing.T) {
	key := testKey(t, 7)
	dsc := newDSC(t, key)
	snap := believe(t, dsc)
	hc1 := issue(t, key, dsc, claims(), hcert.Options{})
	message := unwrap(t, hc1)
	try := func(name string, input []byte, place int) {
		if v := hcert.Verify(input, snap, at); v.Outcome == cert.Valid && !bytes.Equal(unwrap(t, string(input)), message) {
			t.Errorf("%s: valid when changed at %d", name, place)
		}
	}
	for place := range hc1 {
		for bit := range 8 {
			b := []byte(hc1)
			b[place] ^= 1 << bit
			try("text", b, place)
		}
		try("text cut", []byte(hc1[:place]), place)
	}
	for place := range message {
		b := bytes.Clone(message)
		b[place] ^= 1 << (place % 8)
		try("message", wrap(b), place)
		try("message cut", wrap(message[:place]), place)
	}
}

func TestClockBeforeTheSnapshot(t *testing.T) {
	key := testKey(t, 7)
	dsc := newDSC(t, key)
	snap := listClean(t, fstest.MapFS{"hcert/a.der": {Data: dsc}, "snapshot.json": {Data: []byte(`{"as_of":"2026-11-22T00:00:00Z","max_age":"1h"}`)}})
	v := hcert.Verify([]byte(issue(t, key, dsc, claims(), hcert.Options{})), snap, at)
	if v.Outcome != cert.Valid || !slices.Equal(v.Findings, []cert.Finding{cert.ClockBeforeSnapshot}) {
		t.Errorf("%s %v", v.Outcome, v.Findings)
	}
}

// TestEnvelopeOfAGoodMessage spoils what is around a message that is good.
func TestEnvelopeOfAGoodMessage(t *testing.T) {
	key := testKey(t, 7)
	dsc := newDSC(t, key)
	snap := believe(t, dsc)
	hc1 := issue(t, key, dsc, claims(), hcert.Options{})
	compressed, err := base45.AppendDecode(nil, []byte(hc1[len(hcert.Prefix):]))
	if err != nil {
		t.Fatal(err)
	}
	m, err := cose.Parse(string(unwrap(t, hc1)))
	if err != nil {
		t.Fatal(err)
	}
	nameless := wrap(append(tag(18), array(bstr(dict(i(1), i(cose.ES256))), dict(), bstr([]byte(m.Payload)), bstr([]byte(m.Signature)))...))
	untagged := wrap(unwrap(t, hc1)[1:])
	for name, c := range map[string]struct {
		input []byte
		want  cert.Outcome
	}{
		"as it is":         {[]byte(hc1), cert.Valid},
		"more behind zlib": {base45.AppendEncode([]byte(hcert.Prefix), append(compressed, 0)), cert.Malformed},
		"checksum wrong":   {base45.AppendEncode([]byte(hcert.Prefix), flipLast(slices.Clone(compressed))), cert.Malformed},
		"no key id":        {nameless, cert.Malformed},
		"untagged":         {untagged, cert.Valid},
		"in a CWT tag":     {wrap(append(tag(61), unwrap(t, hc1)...)), cert.Valid},
		"a blank before":   {[]byte(" " + hc1), cert.Unsupported},
		"a line end":       {[]byte(hc1 + "\n"), cert.Malformed},
	} {
		v := hcert.Verify(c.input, snap, at)
		if v.Outcome != c.want || (name == "untagged") != slices.Contains(v.Findings, hcert.CoseUntagged) {
			t.Errorf("%s: %s %v %s", name, v.Outcome, v.Findings, v.Reason)
		}
	}
}

func TestBounds(t *testing.T) {
	for name, input := range map[string][]byte{
		"long text": []byte(hcert.Prefix + strings.Repeat("0", hcert.MaxText)),
		"bomb":      wrap(make([]byte, hcert.MaxPayload+1)),
		"behind":    append(wrap([]byte{0}), "BB8"...),
		"nothing":   []byte(hcert.Prefix), "zlib alone": wrap(nil),
	} {
		if v := hcert.Verify(input, trust.Snapshot{}, at); v.Outcome != cert.Malformed || v.Certificate != nil || v.Findings == nil {
			t.Errorf("%s: %s %s", name, v.Outcome, v.Reason)
		}
	}
	if v := hcert.Verify([]byte(hcert.Prefix+strings.Repeat("0", hcert.MaxText)), trust.Snapshot{}, at); !strings.Contains(v.Reason, "longer than 4296") {
		t.Errorf("a long text is read: %s", v.Reason)
	}
	if v := hcert.Verify(wrap(make([]byte, hcert.MaxPayload+1)), trust.Snapshot{}, at); !strings.Contains(v.Reason, "larger than 16384") {
		t.Errorf("a large message is read: %s", v.Reason)
	}
	for _, input := range []string{"", "HC1", "hc1:", "HC2:NCF", "HL0:NCF", "NCF", " HC1:"} {
		if v := hcert.Verify([]byte(input), trust.Snapshot{}, at); v.Outcome != cert.Unsupported {
			t.Errorf("%q: %s", input, v.Outcome)
		}
	}
}
