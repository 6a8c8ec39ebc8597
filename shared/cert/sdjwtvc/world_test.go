package sdjwtvc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/internal/jws"
	"madoguchi.example/shared/cert/sdjwtvc"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/trust"
)

const (
	iss       = "https://madoguchi.example"
	statusURI = "https://madoguchi.example/.well-known/status/1"
	nonce     = "n-0S6_WzA2Mj"
	audience  = "https://clinic.example"
)

var at = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

// The keys of issuer, holder and somebody else.
const (
	issuerKey = 7
	walletKey = 8
	otherKey  = 9
)

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

func keyID(t testing.TB, key *ecdsa.PrivateKey) string {
	t.Helper()
	kid, err := trust.KeyID(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return kid
}

// salts gives bytes that never repeat, the same in each test.
type salts struct{ n byte }

func (s *salts) Read(p []byte) (int, error) {
	for i := range p {
		s.n++
		p[i] = s.n * 167
	}
	return len(p), nil
}

func claims(doses int) cert.Certificate {
	c := cert.Certificate{
		ID: "K-1", Sex: "F", TravelDocument: "XS1234567",
		Holder: identity.PersonName{
			FamilyKanji: "見本", GivenKanji: "花子", FamilyKana: "ミホン", GivenKana: "ハナコ",
			FamilyLatin: "MIHON", GivenLatin: "HANAKO",
		},
		BirthDate: civil.Date{Year: 1990, Month: 4, Day: 1},
	}
	for i := range doses {
		c.Doses = append(c.Doses, cert.Dose{
			Number: i + 1, Code: "208", CodeSystem: cert.CVX, Lot: "EW000" + string(rune('0'+i%10)), Performer: "みなと市", Manufacturer: "PFR",
			Product: "コミナティ", Disease: "RA01.0", Country: "JPN", On: civil.Date{Year: 2021, Month: time.Month(1 + i%12), Day: 1 + i%28},
		})
	}
	return c
}

func issue(t testing.TB, c cert.Certificate, change func(*sdjwtvc.Options)) string {
	t.Helper()
	key := testKey(t, issuerKey)
	opts := sdjwtvc.Options{Salt: &salts{}, Holder: &testKey(t, walletKey).PublicKey}
	if change != nil {
		change(&opts)
	}
	text, err := sdjwtvc.Issue(key, keyID(t, key), iss, at, c, opts)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// present shows the named claims and array entries by their place in the credential.
func present(t testing.TB, credential string, show func(sdjwtvc.Disclosure) bool) string {
	t.Helper()
	out, err := sdjwtvc.Present(credential, show, testKey(t, walletKey), nonce, audience, at)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func all(sdjwtvc.Disclosure) bool { return true }

// layout is a trust folder of one issuer.
type layout struct {
	asOf   time.Time // zero: undated
	maxAge time.Duration
	status []string
	keys   []*ecdsa.PrivateKey // none: the issuer's
}

func (l layout) load(t testing.TB) trust.Snapshot {
	t.Helper()
	keys := l.keys
	if keys == nil {
		keys = []*ecdsa.PrivateKey{testKey(t, issuerKey)}
	}
	var published []trust.PublishedKey
	for _, key := range keys {
		published = append(published, trust.PublishedKey{Public: &key.PublicKey})
	}
	jwks, err := trust.WriteJWKS(published...)
	if err != nil {
		t.Fatal(err)
	}
	name, text, err := sdjwtvc.TrustFile(iss, jwks, l.status...)
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{name: {Data: text}}
	if !l.asOf.IsZero() {
		age, err := json.Marshal(map[string]string{"as_of": l.asOf.Format(time.RFC3339), "max_age": l.maxAge.String()})
		if err != nil {
			t.Fatal(err)
		}
		files["snapshot.json"] = &fstest.MapFile{Data: age}
	}
	snap, err := trust.Load(files, []trust.Section{sdjwtvc.Section})
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func believe(t testing.TB) trust.Snapshot { return layout{}.load(t) }

// sign makes a token of any header and payload by the issuer's key. KID stands for its id.
func sign(t testing.TB, header, payload string, key int64) string {
	t.Helper()
	signer := testKey(t, key)
	token, err := jws.SignES256(signer, []byte(strings.ReplaceAll(header, "KID", keyID(t, signer))), []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// digest gives what stands for a disclosure.
func digest(disclosure string) string {
	sum := sha256.Sum256([]byte(disclosure))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func sameFindings(got []cert.Finding, want ...cert.Finding) bool {
	if len(got) != len(want) || got == nil {
		return false
	}
	for i := range got {
		if got[i] != want[i] {
			return false
		}
	}
	return true
}

func vectorsDir(t testing.TB) (string, bool) {
	t.Helper()
	dir := os.Getenv("MADOGUCHI_VECTORS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "vectors")
	}
	dir = filepath.Join(dir, "sdjwt")
	if _, err := os.Stat(filepath.Join(dir, "cases.json")); err != nil {
		t.Log("vectors: folder absent, 0 cases ran")
		return "", false
	}
	return dir, true
}
