package vdsnc_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"maps"
	"math/big"
	"testing"
	"testing/fstest"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/internal/ecsig"
	"madoguchi.example/shared/cert/internal/jcs"
	"madoguchi.example/shared/cert/vdsnc"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/trust"
)

var (
	at   = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	term = vdsnc.Term{From: at.AddDate(0, -1, 0), UsageUntil: at.AddDate(0, 14, 0), Until: at.AddDate(10, 0, 0)}
)

// testKey gives the key with the private scalar n: fixed, so that documents are too.
func testKey(t testing.TB, curve elliptic.Curve, n int64) *ecdsa.PrivateKey {
	t.Helper()
	raw := make([]byte, (curve.Params().BitSize+7)/8)
	big.NewInt(n).FillBytes(raw)
	key, err := ecdsa.ParseRawPrivateKey(curve, raw)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// world is a state's authority, its signer and a terminal's trust layout.
type world struct {
	t         testing.TB
	authority *ecdsa.PrivateKey
	csca      []byte
	key       *ecdsa.PrivateKey
	bsc       []byte
	state     string
	files     fstest.MapFS
}

func newWorld(t testing.TB) *world { return newWorldOf(t, elliptic.P256(), "JP", "JPN") }

func newWorldOf(t testing.TB, curve elliptic.Curve, country, state string) *world {
	t.Helper()
	w := &world{t: t, authority: testKey(t, elliptic.P384(), 11), key: testKey(t, curve, 7), state: state, files: fstest.MapFS{}}
	var err error
	if w.csca, err = vdsnc.NewCSCA(w.authority, vdsnc.Name{Country: country, Common: "Test CSCA"}, term); err != nil {
		t.Fatal(err)
	}
	if w.bsc, err = vdsnc.NewBSC(w.csca, w.authority, w.key.Public(), vdsnc.Name{Country: country, Common: "Test Health"}, term); err != nil {
		t.Fatal(err)
	}
	w.put("csca.der", w.csca)
	return w
}

func (w *world) put(name string, text []byte) { w.files["vdsnc/"+name] = &fstest.MapFile{Data: text} }

func (w *world) snapshot() trust.Snapshot {
	w.t.Helper()
	snap, err := trust.Load(w.files, []trust.Section{vdsnc.Section})
	if err != nil {
		w.t.Fatal(err)
	}
	return snap
}

func claims(doses int) cert.Certificate {
	c := cert.Certificate{
		ID:             "6A5RSWMBASG2",
		Holder:         identity.PersonName{FamilyLatin: "Mihon", GivenLatin: "Hanako"},
		BirthDate:      civil.Date{Year: 1990, Month: 4, Day: 1},
		TravelDocument: "TK0000000", Sex: "F",
	}
	for i := range doses {
		c.Doses = append(c.Doses, cert.Dose{
			Number: i + 1, Code: "208", CodeSystem: cert.CVX, Lot: fmt.Sprintf("EW%04d", i+1),
			On: civil.Date{Year: 2021 + i, Month: 7, Day: 1 + i}, Performer: "みなと市", Country: "JPN",
		})
	}
	return c
}

func (w *world) issue(c cert.Certificate) string {
	w.t.Helper()
	text, err := vdsnc.Issue(w.key, w.bsc, at, c, vdsnc.Options{Issuer: w.state, Centre: "Minato City"})
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// sign signs any data as an issuer would, with any certificate.
func (w *world) sign(data string, bsc []byte) string {
	w.t.Helper()
	canonical, err := jcs.Transform(data)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.signRaw(data, canonical, bsc)
}

func (w *world) signRaw(data string, canonical, bsc []byte) string {
	w.t.Helper()
	hash, alg := crypto.SHA256, "ES256"
	switch w.key.Curve {
	case elliptic.P384():
		hash, alg = crypto.SHA384, "ES384"
	case elliptic.P521():
		hash, alg = crypto.SHA512, "ES512"
	}
	h := hash.New()
	h.Write(canonical)
	signature, err := ecsig.Sign(w.key, hash, h.Sum(nil))
	if err != nil {
		w.t.Fatal(err)
	}
	return fmt.Sprintf(`{"data":%s,"sig":{"alg":%q,"cer":%q,"sigvl":%q}}`, data, alg, b64(bsc), b64(signature))
}

// forge makes a signer's certificate that change made other than it should be.
func (w *world) forge(change func(*x509.Certificate)) []byte {
	w.t.Helper()
	parent, err := x509.ParseCertificate(w.csca)
	if err != nil {
		w.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(77), Subject: pkix.Name{Country: []string{"JP"}, CommonName: "Forged"},
		NotBefore: term.From, NotAfter: term.Until, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{signerUsage("2.23.136.1.1.14.2"), documentTypes(w.t, "NV")},
	}
	change(template)
	der, err := x509.CreateCertificate(nil, template, parent, w.key.Public(), w.authority)
	if err != nil {
		w.t.Fatal(err)
	}
	return der
}

func signerUsage(oid string) pkix.Extension {
	var id asn1.ObjectIdentifier
	for _, part := range splitInts(oid) {
		id = append(id, part)
	}
	der, err := asn1.Marshal([]asn1.ObjectIdentifier{id})
	if err != nil {
		panic(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: der}
}

func splitInts(oid string) []int {
	var out []int
	n := 0
	for _, c := range oid + "." {
		if c == '.' {
			out, n = append(out, n), 0
			continue
		}
		n = 10*n + int(c-'0')
	}
	return out
}

func documentTypes(t testing.TB, names ...string) pkix.Extension {
	t.Helper()
	der, err := asn1.Marshal(struct {
		Version int
		Types   []string `asn1:"set"`
	}{0, names})
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 23, 136, 1, 1, 6, 2}, Value: der}
}

// crl makes a revocation list of the world's authority.
func (w *world) crl(from, until time.Time, serials ...*big.Int) []byte {
	w.t.Helper()
	parent, err := x509.ParseCertificate(w.csca)
	if err != nil {
		w.t.Fatal(err)
	}
	list := &x509.RevocationList{Number: big.NewInt(from.Unix()), ThisUpdate: from, NextUpdate: until}
	for _, serial := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: serial, RevocationTime: from})
	}
	der, err := x509.CreateRevocationList(nil, list, parent, w.authority)
	if err != nil {
		w.t.Fatal(err)
	}
	return der
}

func (w *world) serial() *big.Int {
	w.t.Helper()
	c, err := x509.ParseCertificate(w.bsc)
	if err != nil {
		w.t.Fatal(err)
	}
	return c.SerialNumber
}

func loadErr(w *world) (trust.Snapshot, error) {
	return trust.Load(w.files, []trust.Section{vdsnc.Section})
}

// in gives the world for another test, with files of its own.
func (w *world) in(t testing.TB) *world {
	out := *w
	out.t, out.files = t, maps.Clone(w.files)
	return &out
}
