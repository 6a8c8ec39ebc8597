package trust_test

import (
	"archive/tar"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"madoguchi.example/shared/trust"
)

const iss = "https://madoguchi.example"

// section is one as a format declares it.
var section = trust.Section{Name: "shc", Load: func(f *trust.Folder) (any, error) { return trust.LoadIssuers(f) }}

func load(fsys fs.FS) (trust.Snapshot, error) { return trust.Load(fsys, []trust.Section{section}) }

func issuersOf(snap trust.Snapshot) *trust.Issuers {
	issuers, _ := snap.Section("shc").(*trust.Issuers)
	return issuers
}

func newKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func jwks(t testing.TB, keys ...trust.PublishedKey) []byte {
	t.Helper()
	text, err := trust.WriteJWKS(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func kid(t testing.TB, key *ecdsa.PrivateKey) string {
	t.Helper()
	id, err := trust.KeyID(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// leaf makes a self-signed certificate that names uri.
func leaf(t testing.TB, key *ecdsa.PrivateKey, uri string) []byte {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "issuer"}, URIs: []*url.URL{u},
		NotBefore: time.Unix(1e9, 0), NotAfter: time.Unix(2e9, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestParseJWKS(t *testing.T) {
	key, other := newKey(t, elliptic.P256()), newKey(t, elliptic.P256())
	plain := string(jwks(t, trust.PublishedKey{Public: &key.PublicKey, CRLVersion: 3}))
	chained := func(signer *ecdsa.PrivateKey, uri string) string {
		return string(jwks(t, trust.PublishedKey{Public: &key.PublicKey, X5C: [][]byte{leaf(t, signer, uri)}}))
	}
	cases := map[string]struct {
		text string
		good bool
	}{
		"plain":               {plain, true},
		"without use and alg": {strings.NewReplacer(`"use":"sig",`, "", `"alg":"ES256",`, "").Replace(plain), true},
		"x5c":                 {chained(key, iss), true},
		"x5c of another key":  {chained(other, iss), false},
		"x5c of another name": {chained(key, iss+"/other"), false},
		"private part":        {strings.Replace(plain, `"x":`, `"d":"AA","x":`, 1), false},
		"other use":           {strings.Replace(plain, `"sig"`, `"enc"`, 1), false},
		"other alg":           {strings.Replace(plain, `"ES256"`, `"ES384"`, 1), false},
		"other kid":           {strings.Replace(plain, kid(t, key), kid(t, other), 1), false},
		"crlVersion 0":        {strings.Replace(plain, `"crlVersion":3`, `"crlVersion":0`, 1), false},
		"kid twice":           {string(jwks(t, trust.PublishedKey{Public: &key.PublicKey}, trust.PublishedKey{Public: &key.PublicKey})), false},
		"no keys":             {`{}`, false},
		"not JSON":            {`{"keys":[`, false},
		"too large":           {strings.Repeat(" ", trust.MaxJWKS) + plain, false},
	}
	for name, c := range cases {
		keys, err := trust.ParseJWKS([]byte(c.text), iss)
		if (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
		if c.good && (len(keys) != 1 || keys[0].ID != kid(t, key) || !keys[0].Public.Equal(&key.PublicKey)) {
			t.Errorf("%s: another key", name)
		}
	}
}

func TestWriteJWKSRefusesOtherCurves(t *testing.T) {
	if _, err := trust.WriteJWKS(trust.PublishedKey{Public: &newKey(t, elliptic.P384()).PublicKey}); err == nil {
		t.Error("a P-384 key was published")
	}
}

func TestValidIssuer(t *testing.T) {
	for text, want := range map[string]bool{
		iss: true, "https://a.example/b/c": true, "https://a.example:8443": true,
		"http://a.example": false, "https://": false, "https://a.example/": false, "https:///x": false,
		"https://a.example?x": false, "https://a.example#x": false, "https://a b": false,
		"https://" + strings.Repeat("a", trust.MaxIssuer): false, "": false,
	} {
		if trust.ValidIssuer(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

func TestParseCRL(t *testing.T) {
	crl, err := trust.ParseCRL([]byte(`{"kid":"k","method":"rid","ctr":2,"rids":["always","dated.1000"]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		rid  string
		nbf  int64
		want bool
	}{{"always", 5000, true}, {"dated", 999, true}, {"dated", 1000, false}, {"other", 0, false}, {"", 0, false}} {
		if crl.Revokes(c.rid, time.Unix(c.nbf, 0)) != c.want {
			t.Errorf("%q at %d: not %v", c.rid, c.nbf, c.want)
		}
	}
	for name, text := range map[string]string{
		"method":        `{"kid":"k","method":"x","ctr":1,"rids":[]}`,
		"ctr":           `{"kid":"k","method":"rid","ctr":0,"rids":[]}`,
		"no kid":        `{"method":"rid","ctr":1,"rids":[]}`,
		"no rids":       `{"kid":"k","method":"rid","ctr":1}`,
		"alphabet":      `{"kid":"k","method":"rid","ctr":1,"rids":["a=="]}`,
		"length":        `{"kid":"k","method":"rid","ctr":1,"rids":["` + strings.Repeat("a", trust.MaxRID+1) + `"]}`,
		"empty":         `{"kid":"k","method":"rid","ctr":1,"rids":[""]}`,
		"repeated":      `{"kid":"k","method":"rid","ctr":1,"rids":["a","a"]}`,
		"repeated date": `{"kid":"k","method":"rid","ctr":1,"rids":["a","a.5"]}`,
		"bad date":      `{"kid":"k","method":"rid","ctr":1,"rids":["a.x"]}`,
		"zero date":     `{"kid":"k","method":"rid","ctr":1,"rids":["a.0"]}`,
		"ctr twice":     `{"kid":"k","method":"rid","ctr":1,"ctr":2,"rids":[]}`,
		"too large":     strings.Repeat(" ", trust.MaxCRL+1),
	} {
		if _, err := trust.ParseCRL([]byte(text)); err == nil {
			t.Errorf("%s: read", name)
		}
	}
}

// layout makes shc/a.json of the parts given.
func layout(jwks string, crls ...string) fstest.MapFS {
	text := fmt.Sprintf(`{"iss":%q,"jwks":%s,"crls":[%s]}`, iss, jwks, strings.Join(crls, ","))
	return fstest.MapFS{"shc/a.json": {Data: []byte(text)}}
}

func TestLoadAge(t *testing.T) {
	asOf := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		`{"as_of":"2026-11-01T00:00:00Z","max_age":"168h"}`:    168 * time.Hour,
		`{"as_of":"2026-11-01T09:00:00+09:00","max_age":3600}`: time.Hour,
		`{"as_of":"2026-11-01T00:00:00Z"}`:                     0,
	} {
		snap, err := load(fstest.MapFS{"snapshot.json": {Data: []byte(text)}})
		if err != nil || !snap.AsOf().Equal(asOf) || snap.MaxAge() != want {
			t.Errorf("%s: %v %v %v", text, snap.AsOf(), snap.MaxAge(), err)
			continue
		}
		if snap.Stale(asOf.Add(want)) || (want > 0) != snap.Stale(asOf.Add(want+time.Second)) {
			t.Errorf("%s: stale at the wrong time", text)
		}
	}
	for _, text := range []string{`{"as_of":"yesterday"}`, `{"max_age":"1h"}`, `{"as_of":"2026-11-01T00:00:00Z","max_age":"-1h"}`,
		`{"as_of":"2026-11-01T00:00:00Z","max_age":1e300}`, `[]`, ``, `{"as_of":"2026-11-01T00:00:00Z","max_age":null}`} {
		if _, err := load(fstest.MapFS{"snapshot.json": {Data: []byte(text)}}); err == nil {
			t.Errorf("%s: read", text)
		}
	}
	if snap, err := load(fstest.MapFS{}); err != nil || snap.Stale(time.Unix(1e10, 0)) {
		t.Errorf("without snapshot.json: %v", err)
	}
}

// TestByteOrderMark has what editors put before a text in every file of the layout.
func TestByteOrderMark(t *testing.T) {
	key := newKey(t, elliptic.P256())
	files := layout(string(jwks(t, trust.PublishedKey{Public: &key.PublicKey})))
	files["snapshot.json"] = &fstest.MapFile{Data: []byte(`{"as_of":"2026-01-01T00:00:00Z","max_age":"1h"}`)}
	for _, file := range files {
		file.Data = append([]byte("\ufeff"), file.Data...)
	}
	snap, err := load(files)
	if err != nil {
		t.Fatal(err)
	}
	if snap.AsOf().IsZero() || issuersOf(snap).Len() != 1 {
		t.Errorf("as of %v, %d issuers", snap.AsOf(), issuersOf(snap).Len())
	}
}

func TestSnapshotsOfOneLoadingAreTheSame(t *testing.T) {
	load := func() trust.Snapshot {
		s, err := trust.Load(fstest.MapFS{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a, b := load(), load()
	if copied := a; !a.Same(copied) || a.Same(b) || a.Same(trust.Snapshot{}) || !(trust.Snapshot{}).Same(trust.Snapshot{}) {
		t.Error("a snapshot is taken for another, or not for itself")
	}
}

func TestLoadLeavesOthersAlone(t *testing.T) {
	key := newKey(t, elliptic.P256())
	fsys := layout(string(jwks(t, trust.PublishedKey{Public: &key.PublicKey})))
	fsys["hcert/x.pem"] = &fstest.MapFile{Data: []byte("not read here")}
	fsys["shc/README"] = &fstest.MapFile{Data: []byte("not read either")}
	snap, err := load(fsys)
	if err != nil || issuersOf(snap).Len() != 1 || len(snap.Notes()) != 0 {
		t.Fatalf("%d issuers, notes %v, error %v", issuersOf(snap).Len(), snap.Notes(), err)
	}
	issuer, ok := issuersOf(snap).Find(iss)
	if !ok {
		t.Fatal("no issuer")
	}
	if _, ok := issuer.Key(kid(t, key)); !ok {
		t.Error("no key")
	}
	if _, ok := issuersOf(snap).Find(iss + "/x"); ok {
		t.Error("another issuer is trusted")
	}
}

func TestLoadRefusesBrokenFiles(t *testing.T) {
	good := string(layout(string(jwks(t)))["shc/a.json"].Data)
	for name, fsys := range map[string]fs.FS{
		"not JSON":       fstest.MapFS{"shc/a.json": {Data: []byte("{")}},
		"no jwks":        fstest.MapFS{"shc/a.json": {Data: []byte(`{"iss":"https://a.example"}`)}},
		"http":           fstest.MapFS{"shc/a.json": {Data: []byte(`{"iss":"http://a.example","jwks":{"keys":[]}}`)}},
		"iss in two":     fstest.MapFS{"shc/a.json": {Data: []byte(good)}, "shc/b.json": {Data: []byte(good)}},
		"too large":      fstest.MapFS{"shc/a.json": {Data: make([]byte, trust.MaxIssuerFile+1)}},
		"member twice":   fstest.MapFS{"shc/a.json": {Data: []byte(`{"iss":"https://a.example","iss":"https://b.example","jwks":{"keys":[]}}`)}},
		"shc not folder": fstest.MapFS{"shc": {Data: []byte("x")}},
	} {
		if _, err := load(fsys); err == nil {
			t.Errorf("%s: loaded", name)
		}
	}
}

func TestRevocation(t *testing.T) {
	key := newKey(t, elliptic.P256())
	list := func(version int64, rids ...string) string {
		text, err := trust.WriteCRL(kid(t, key), version, rids)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	bad := strings.Replace(list(2, "r"), `"rid"`, `"other"`, 1)
	for name, c := range map[string]struct {
		version int64
		lists   []string
		rid     string
		want    trust.Revocation
		notes   int
	}{
		"listed":                {2, []string{list(2, "r")}, "r", trust.IsRevoked, 0},
		"not listed":            {2, []string{list(2, "x")}, "r", trust.NotRevoked, 0},
		"no list kept":          {0, nil, "r", trust.NotRevoked, 0},
		"made without lists":    {2, nil, "r", trust.RevocationUnasked, 0},
		"no rid":                {2, nil, "", trust.NotRevoked, 0},
		"older list":            {2, []string{list(1, "x")}, "r", trust.RevocationUnknown, 1},
		"older list, listed":    {2, []string{list(1, "r")}, "r", trust.IsRevoked, 1},
		"bad list":              {2, []string{bad}, "r", trust.RevocationUnknown, 1},
		"two lists":             {2, []string{list(2, "x"), list(2, "y")}, "r", trust.RevocationUnknown, 1},
		"list of unknown key":   {0, []string{`{"kid":"k","method":"rid","ctr":1,"rids":[]}`}, "r", trust.NotRevoked, 1},
		"list without version":  {0, []string{list(1, "r")}, "r", trust.IsRevoked, 0},
		"a third list is noted": {2, []string{list(2, "x"), list(2, "y"), list(2, "z")}, "r", trust.RevocationUnknown, 2},
	} {
		published := string(jwks(t, trust.PublishedKey{Public: &key.PublicKey, CRLVersion: c.version}))
		snap, err := load(layout(published, c.lists...))
		if err != nil {
			t.Fatal(err)
		}
		issuer, _ := issuersOf(snap).Find(iss)
		held, _ := issuer.Key(kid(t, key))
		if got := issuer.Revocation(held, c.rid, time.Unix(100, 0)); got != c.want || len(snap.Notes()) != c.notes {
			t.Errorf("%s: %v, notes %v", name, got, snap.Notes())
		}
	}
}

// TestADatedSnapshotOwesTheLists: a terminal's own snapshot is dated; a folder that somebody
// put together without a date is never stale, but a list that is in it must be good.
func TestADatedSnapshotOwesTheLists(t *testing.T) {
	key := newKey(t, elliptic.P256())
	for dated, want := range map[bool]trust.Revocation{true: trust.RevocationUnknown, false: trust.RevocationUnasked} {
		fsys := layout(string(jwks(t, trust.PublishedKey{Public: &key.PublicKey, CRLVersion: 1})))
		if dated {
			fsys["snapshot.json"] = &fstest.MapFile{Data: []byte(`{"as_of":"2026-11-01T00:00:00Z"}`)}
		}
		snap, err := load(fsys)
		if err != nil {
			t.Fatal(err)
		}
		issuer, _ := issuersOf(snap).Find(iss)
		if got := issuer.Revocation(trust.Key{ID: "k", CRLVersion: 1}, "r", time.Unix(100, 0)); got != want {
			t.Errorf("dated %v: %v, want %v", dated, got, want)
		}
	}
}

func bundle(t testing.TB, key *ecdsa.PrivateKey) trust.Bundle {
	t.Helper()
	crl, err := trust.WriteCRL(kid(t, key), 1, []string{"r"})
	if err != nil {
		t.Fatal(err)
	}
	return bundleOf(t, iss, jwks(t, trust.PublishedKey{Public: &key.PublicKey, CRLVersion: 1}), crl)
}

func bundleOf(t testing.TB, iss string, published []byte, crls ...json.RawMessage) trust.Bundle {
	t.Helper()
	name, text, err := trust.IssuerFile("shc", iss, published, crls...)
	if err != nil {
		t.Fatal(err)
	}
	return trust.Bundle{
		AsOf: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), MaxAge: 168 * time.Hour,
		Files: map[string][]byte{name: text}, Sections: []trust.Section{section},
	}
}

func TestBundleRoundTrip(t *testing.T) {
	b := bundle(t, newKey(t, elliptic.P256()))
	var first, second bytes.Buffer
	if err := b.WriteTar(&first); err != nil {
		t.Fatal(err)
	}
	if err := b.WriteTar(&second); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Errorf("the same bundle differs: %v", err)
	}
	fsys, err := trust.ReadTar(&first)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := load(fsys)
	if err != nil || issuersOf(snap).Len() != 1 || snap.MaxAge() != b.MaxAge || !snap.AsOf().Equal(b.AsOf) {
		t.Errorf("%+v %v", snap, err)
	}
}

func TestBundleRefusesItsOwnFaults(t *testing.T) {
	key := newKey(t, elliptic.P256())
	good := bundle(t, key)
	published := jwks(t, trust.PublishedKey{Public: &key.PublicKey})
	twice := bundle(t, key)
	for _, text := range good.Files {
		twice.Files["shc/again.json"] = text
	}
	stray := bundle(t, key)
	stray.Files["other/x.json"] = []byte("{}")
	crl, err := trust.WriteCRL(kid(t, key), 1, []string{"r"})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]trust.Bundle{
		"issuer twice":        twice,
		"list and key differ": bundleOf(t, iss, jwks(t, trust.PublishedKey{Public: &key.PublicKey, CRLVersion: 2}), crl),
		"slash":               bundleOf(t, iss+"/", published),
		"of no known format":  stray,
	} {
		if err := b.WriteTar(io.Discard); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	if err := good.WriteTar(io.Discard); err != nil {
		t.Error(err)
	}
}

func TestReadTarRefuses(t *testing.T) {
	for name, head := range map[string]tar.Header{
		"outside":  {Name: "../x", Typeflag: tar.TypeReg},
		"absolute": {Name: "/x", Typeflag: tar.TypeReg},
		"link":     {Name: "x", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
	} {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		if err := w.WriteHeader(&head); err != nil {
			t.Fatal(err)
		}
		w.Close()
		if _, err := trust.ReadTar(&out); err == nil {
			t.Errorf("%s: unpacked", name)
		}
	}
}

// A bundle is read within its limits whatever its heads promise, and a name stands once.
func TestReadTarIsBounded(t *testing.T) {
	write := func(heads ...tar.Header) *bytes.Buffer {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		for _, h := range heads {
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(make([]byte, min(h.Size, 10))); err != nil {
				t.Fatal(err)
			}
		}
		return &out
	}
	small := tar.Header{Name: "a", Typeflag: tar.TypeReg, Size: 10}
	many := make([]tar.Header, 2*trust.MaxFiles+1)
	for i := range many {
		many[i] = tar.Header{Name: fmt.Sprint("f", i), Typeflag: tar.TypeReg}
	}
	for name, in := range map[string]*bytes.Buffer{
		"twice":    write(small, small),
		"huge":     write(tar.Header{Name: "a", Typeflag: tar.TypeReg, Size: 1 << 40}),
		"overflow": write(small, tar.Header{Name: "b", Typeflag: tar.TypeReg, Size: 1<<62 - 1, Format: tar.FormatGNU}),
		"too many": write(many...),
	} {
		if _, err := trust.ReadTar(in); err == nil {
			t.Errorf("%s: unpacked", name)
		}
	}
}
