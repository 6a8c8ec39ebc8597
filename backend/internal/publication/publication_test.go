package publication_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/config"
	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/backend/internal/publication"
	"madoguchi.example/backend/internal/store"
	storeaudit "madoguchi.example/backend/internal/store/audit"
	storekeyring "madoguchi.example/backend/internal/store/keyring"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/hcert"
	"madoguchi.example/shared/cert/sdjwtvc"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/cert/vdsnc"
	"madoguchi.example/shared/cert/verify"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/trust"
)

const (
	issuer   = "https://madoguchi.example"
	lifetime = 24 * time.Hour
)

var operator = actor.System{Name: "test"}

// lists is what was revoked, by key.
type lists struct {
	by    map[string][]string
	asked int
	err   error
}

func (l *lists) List(_ context.Context, use keyring.Use, keyID string) ([]publication.Revoked, int64, error) {
	l.asked++
	var out []publication.Revoked
	for _, token := range l.by[string(use)+keyID] {
		out = append(out, publication.Revoked{Use: use, KeyID: keyID, Token: token})
	}
	return out, int64(1 + len(out)), l.err
}

func (l *lists) ListVersion(_ context.Context, use keyring.Use, keyID string) (int64, error) {
	return int64(1 + len(l.by[string(use)+keyID])), l.err
}

func (l *lists) revoke(k keyring.Key, token string) {
	l.by[string(k.Use)+k.ID] = append(l.by[string(k.Use)+k.ID], token)
}

// works is a ring with a press, over a clock.
type works struct {
	t       *testing.T
	db      *store.DB
	dir     string // of keys
	trust   string // the operator's folder, or ""
	life    time.Duration
	ring    *keyring.Ring
	press   *publication.Press
	revoked *lists
	now     time.Time
	log     bytes.Buffer
}

func newWorks(t *testing.T, e store.Engine) *works { return newWorksFor(t, e, lifetime) }

func newWorksFor(t *testing.T, e store.Engine, life time.Duration) *works {
	w := &works{t: t, life: life, db: storetest.Open(t, e), dir: t.TempDir(), revoked: &lists{by: map[string][]string{}}, now: storetest.Now().Add(publication.Staleness + publication.Skew)}
	var err error
	w.ring, err = keyring.Open(t.Context(), keyring.Deps{
		Runner: w.db.Runner(), Rows: storekeyring.New(w.db.Reads()), Dir: w.dir, Issuer: issuer, CacheLifetime: life,
		Record: audit.New(storeaudit.New(w.db.Reads()), audit.Register(), w.clock, rand.Reader), Now: w.clock, Rand: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.press, err = w.open(); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *works) clock() time.Time { return w.now }

func (w *works) open() (*publication.Press, error) {
	return publication.New(publication.Deps{
		Keys: w.ring, Revocations: w.revoked, Issuer: issuer, CacheLifetime: w.life, TrustDir: w.trust, Now: w.clock, Log: slog.New(slog.NewJSONHandler(&w.log, nil)),
	})
}

func (w *works) signer(use keyring.Use) keyring.Key {
	w.t.Helper()
	k, _, err := w.ring.Signer(w.t.Context(), use, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

func (w *works) rotate(use keyring.Use) keyring.Key {
	w.t.Helper()
	k, err := w.ring.Rotate(w.t.Context(), operator, audit.SigningKeys, keyring.Rotation{Use: use})
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

var person = cert.Certificate{
	Holder:    identity.PersonName{FamilyKanji: "見本", GivenKanji: "花子", FamilyLatin: "MIHON", GivenLatin: "HANAKO"},
	BirthDate: civil.Date{Year: 1990, Month: 4, Day: 1},
	Doses:     []cert.Dose{{Number: 1, Of: 2, Code: "208", CodeSystem: cert.CVX, Manufacturer: "PFR", Lot: "EW0001", On: civil.Date{Year: 2021, Month: 6, Day: 1}, Performer: "みなと市", Country: "JPN"}},
}

// issue signs a certificate with the key in force, and gives what revokes it.
func (w *works) issue(use keyring.Use, id string) (text, token string) {
	w.t.Helper()
	k, s, err := w.ring.Signer(w.t.Context(), use, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	c := person
	switch use {
	case keyring.SHC:
		c.ID, token = id, id
		text, err = shc.Issue(s, issuer, w.now, c, shc.Options{})
	case keyring.HCERT:
		if c.ID, err = hcert.NewUVCI("JP", strings.ToUpper(id)); err != nil {
			w.t.Fatal(err)
		}
		token = hcert.UCIRevocation(c.ID).String()
		text, err = hcert.Issue(s, k.Certificate, w.now, w.now.Add(365*24*time.Hour), c, hcert.Options{})
	case keyring.SDJWT:
		index, parsed := strconv.ParseInt(id, 10, 64)
		if parsed != nil {
			index = 0
		}
		uri, place := w.press.Place(index)
		token = strconv.FormatInt(index, 10)
		text, err = sdjwtvc.Issue(s, k.ID, issuer, w.now, c, sdjwtvc.Options{StatusURI: uri, StatusIndex: place, Salt: rand.Reader})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return text, token
}

// bundle gives the trust bundle as a terminal loads it.
func (w *works) bundle(p *publication.Press) (trust.Snapshot, string) {
	w.t.Helper()
	tar, version, err := p.TrustBundle(w.t.Context(), actor.Terminal{}, audit.TerminalOperation)
	if err != nil {
		w.t.Fatal(err)
	}
	fsys, err := trust.ReadTar(bytes.NewReader(tar))
	if err != nil {
		w.t.Fatal(err)
	}
	snap, err := verify.LoadTrust(fsys)
	if err != nil || len(snap.Notes()) > 0 {
		w.t.Fatalf("%v %v", err, snap.Notes())
	}
	return snap, version
}

var signed = []keyring.Use{keyring.SHC, keyring.HCERT, keyring.SDJWT}

// numbers are ids that each format takes.
var numbers = map[keyring.Use][2]string{keyring.SHC: {"AQPCRrid111", "AQPCRrid222"}, keyring.HCERT: {"ABC111", "ABC222"}, keyring.SDJWT: {"111", "222"}}

// A terminal finds our certificates good, and those that were revoked revoked, with
// nothing but the bundle.
func TestTrustBundle(t *testing.T) {
	for _, e := range storetest.Engines {
		t.Run(string(e), func(t *testing.T) {
			w := newWorks(t, e)
			good, bad := map[keyring.Use]string{}, map[keyring.Use]string{}
			for _, use := range signed {
				var token string
				good[use], _ = w.issue(use, numbers[use][0])
				bad[use], token = w.issue(use, numbers[use][1])
				w.revoked.revoke(w.signer(use), token)
			}
			w.now = w.now.Add(publication.Staleness)
			snap, _ := w.bundle(w.press)
			for _, use := range signed {
				if v := verify.Verify([]byte(good[use]), snap, w.now); v.Outcome != cert.Valid {
					t.Errorf("%s: %s %s", use, v.Outcome, v.Reason)
				}
				if v := verify.Verify([]byte(bad[use]), snap, w.now); v.Outcome != cert.Revoked {
					t.Errorf("%s: %s %s", use, v.Outcome, v.Reason)
				}
				// also on the last day on which the bundle is not stale
				if v := verify.Verify([]byte(good[use]), snap, w.now.Add(publication.TrustMaxAge-publication.TrustRenewal)); v.Outcome != cert.Valid {
					t.Errorf("%s a week later: %s %s", use, v.Outcome, v.Reason)
				}
			}
		})
	}
}

// The version moves with the hour and with the content, and with nothing else; another
// process gives the same bytes.
func TestTrustBundleVersion(t *testing.T) {
	w := newWorks(t, store.SQLite)
	_, first := w.bundle(w.press)
	other, err := w.open()
	if err != nil {
		t.Fatal(err)
	}
	if _, v := w.bundle(other); v != first {
		t.Error("two processes give two bundles")
	}
	w.now = w.now.Add(time.Minute)
	if _, v := w.bundle(w.press); v != first {
		t.Error("it changed within the hour with no change")
	}
	seen := map[string]string{first: "at first"}
	for what, change := range map[string]func(){
		"a card":     func() { w.revoked.revoke(w.signer(keyring.SHC), "AQPCRrid333") },
		"HC1":        func() { w.revoked.revoke(w.signer(keyring.HCERT), strings.Repeat("ab", 16)) },
		"credential": func() { w.revoked.revoke(w.signer(keyring.SDJWT), "7") },
		"rotation":   func() { w.rotate(keyring.HCERT) },
		"time":       func() { w.now = w.now.Add(time.Hour) },
	} {
		change()
		w.now = w.now.Add(publication.Staleness)
		_, v := w.bundle(w.press)
		if before, twice := seen[v]; twice {
			t.Errorf("%s: the same version as %s", what, before)
		}
		seen[v] = what
	}
}

func TestKeySetAndLists(t *testing.T) {
	w := newWorks(t, store.SQLite)
	old := w.signer(keyring.SHC)
	w.revoked.revoke(old, "zzz")
	w.revoked.revoke(old, "aaa")
	next := w.rotate(keyring.SHC)
	text, version, err := w.press.JWKS(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := trust.ParseJWKS(text, issuer)
	if err != nil || len(keys) != 2 || keys[0].ID != next.ID || keys[0].CRLVersion != 1 || keys[1].ID != old.ID || keys[1].CRLVersion != 3 {
		t.Fatalf("%+v, %v", keys, err)
	}
	for _, k := range keys {
		text, _, err := w.press.CRL(t.Context(), k.ID)
		if err != nil {
			t.Fatal(err)
		}
		crl, err := trust.ParseCRL(text)
		if err != nil || crl.Version != k.CRLVersion || crl.KeyID != k.ID {
			t.Errorf("%+v, %v", crl, err)
		}
	}
	if text, _, _ := w.press.CRL(t.Context(), old.ID); !strings.Contains(string(text), `["aaa","zzz"]`) {
		t.Errorf("the order tells who was revoked first: %s", text)
	}
	if _, _, err := w.press.CRL(t.Context(), w.signer(keyring.SDJWT).ID); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("a list of a key that signs no cards: %v", err)
	}
	asked := w.revoked.asked
	if _, same, _ := w.press.JWKS(t.Context()); same != version || w.revoked.asked != asked {
		t.Error("it was made again within its time")
	}
	w.revoked.revoke(old, "bbb")
	w.now = w.now.Add(publication.Staleness)
	if _, other, _ := w.press.JWKS(t.Context()); other == version {
		t.Error("a revocation is not seen after its time")
	}
	if err := w.ring.Withdraw(t.Context(), operator, audit.SigningKeys, old.ID); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(publication.Staleness)
	if text, _, _ := w.press.JWKS(t.Context()); strings.Contains(string(text), old.ID) {
		t.Error("a withdrawn key is published")
	}
	if _, _, err := w.press.CRL(t.Context(), old.ID); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("the list of a withdrawn key: %v", err)
	}
}

// What cannot be read is not answered from memory beyond its time.
func TestNothingStaleIsServed(t *testing.T) {
	w := newWorks(t, store.SQLite)
	if _, _, err := w.press.JWKS(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.revoked.err = errors.New("out")
	if _, _, err := w.press.JWKS(t.Context()); err != nil {
		t.Errorf("within its time: %v", err)
	}
	w.now = w.now.Add(publication.Staleness)
	if _, _, err := w.press.JWKS(t.Context()); err == nil {
		t.Error("an old key set was served")
	}
	w.revoked.err = nil
	if _, _, err := w.press.JWKS(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOtherDocuments(t *testing.T) {
	w := newWorks(t, store.SQLite)
	text, _, err := w.press.VCIssuer(t.Context())
	var meta struct {
		Issuer string
		JWKS   json.RawMessage
	}
	if err != nil || json.Unmarshal(text, &meta) != nil || meta.Issuer != issuer {
		t.Fatalf("%s %v", text, err)
	}
	keys, err := trust.ParseJWKS(meta.JWKS, issuer)
	if err != nil || len(keys) != 1 || keys[0].ID != w.signer(keyring.SDJWT).ID {
		t.Errorf("%+v %v", keys, err)
	}
	text, _, err = w.press.Signers(t.Context(), keyring.HCERT)
	if block, rest := pem.Decode(text); err != nil || block == nil || len(rest) > 0 || !bytes.Equal(block.Bytes, w.signer(keyring.HCERT).Certificate) {
		t.Errorf("%s %v", text, err)
	}
	if text, _, err = w.press.Signers(t.Context(), keyring.VDSNC); err != nil || len(text) > 0 {
		t.Errorf("a specimen is published: %s %v", text, err)
	}
	if _, _, err = w.press.Signers(t.Context(), keyring.SHC); fault.CodeOf(err) != fault.NotFound {
		t.Error(err)
	}
	if text, _, err = w.press.Revocations(t.Context()); err != nil || string(text) != "[]" {
		t.Errorf("%s %v", text, err)
	}
}

func TestStatusLists(t *testing.T) {
	w := newWorks(t, store.SQLite)
	k := w.signer(keyring.SDJWT)
	for _, index := range []int64{5, publication.StatusSize, 2*publication.StatusSize + 9, publication.StatusSize * publication.StatusLists} {
		w.revoked.revoke(k, strconv.FormatInt(index, 10))
	}
	w.revoked.revoke(k, "garbage")
	key := trust.Key{ID: k.ID, Public: k.Public}
	for n, revoked := range map[int64]int64{0: 5, 1: 0, 2: 9, 3: -1} {
		text, _, err := w.press.StatusList(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		list, err := sdjwtvc.ReadStatusList(text, issuer, key)
		if err != nil || list.URI != publication.StatusURI(issuer, n) || list.Len() != publication.StatusSize || len(text) > 1000 {
			t.Fatalf("%+v, %d characters, %v", list.URI, len(text), err)
		}
		for i := range int64(20) {
			if state, _ := list.Status(i); (state == 1) != (i == revoked) {
				t.Errorf("list %d place %d: %d", n, i, state)
			}
		}
	}
	for _, n := range []int64{-1, publication.StatusLists} {
		if _, _, err := w.press.StatusList(t.Context(), n); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("list %d: %v", n, err)
		}
	}
}

// While nobody can sign, terminals still get everything else, and the lists that were signed
// before as long as they say the same.
func TestWithoutASigner(t *testing.T) {
	w := newWorks(t, store.SQLite)
	card, _ := w.issue(keyring.SHC, "AQPCRrid111")
	credential, _ := w.issue(keyring.SDJWT, "111")
	k := w.signer(keyring.SDJWT)
	if err := os.Remove(filepath.Join(w.dir, "certificates", "sdjwt", k.ID+".pem")); err != nil {
		t.Fatal(err)
	}
	judge := func(want cert.Outcome) {
		t.Helper()
		snap, _ := w.bundle(w.press)
		if v := verify.Verify([]byte(card), snap, w.now); v.Outcome != cert.Valid {
			t.Errorf("the card: %s %s", v.Outcome, v.Reason)
		}
		if v := verify.Verify([]byte(credential), snap, w.now); v.Outcome != want {
			t.Errorf("the credential: %s %s, want %s", v.Outcome, v.Reason, want)
		}
	}
	judge(cert.Valid) // its signer is in memory still
	restarted, err := keyring.Open(t.Context(), w.ring.Deps)
	if err != nil {
		t.Fatal(err)
	}
	w.press.Keys = restarted
	w.now = w.now.Add(2 * publication.TrustRenewal)
	judge(cert.Valid)
	w.revoked.revoke(k, "222")
	w.now = w.now.Add(publication.Staleness)
	judge(cert.StaleRevocation)
	if !strings.Contains(w.log.String(), "terminals get no status lists") {
		t.Error("nobody is told")
	}
}

// No document that the world reads holds a private part.
func TestNothingPrivate(t *testing.T) {
	w := newWorks(t, store.SQLite)
	kid := w.signer(keyring.SHC).ID
	for name, read := range map[string]func() ([]byte, string, error){
		"jwks": func() ([]byte, string, error) { return w.press.JWKS(t.Context()) },
		"crl":  func() ([]byte, string, error) { return w.press.CRL(t.Context(), kid) },
		"vc":   func() ([]byte, string, error) { return w.press.VCIssuer(t.Context()) },
		"pem":  func() ([]byte, string, error) { return w.press.Signers(t.Context(), keyring.HCERT) },
		"bundle": func() ([]byte, string, error) {
			return w.press.TrustBundle(t.Context(), actor.Terminal{}, audit.TerminalOperation)
		},
	} {
		text, _, err := read()
		if err != nil || bytes.Contains(text, []byte(`"d"`)) || bytes.Contains(text, []byte("PRIVATE")) || bytes.Contains(text, []byte(keyring.SpecimenAuthority)) {
			t.Errorf("%s: %v %s", name, err, text)
		}
	}
}

// theirs makes an operator's folder with another issuer's keys and lists, a signer of
// another state and an authority, and gives a card of that issuer.
func (w *works) theirs() (card string) {
	w.t.Helper()
	w.trust = w.t.TempDir()
	other := newWorks(w.t, store.SQLite)
	k, s, err := other.ring.Signer(w.t.Context(), keyring.SHC, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	const theirIssuer = "https://other.example"
	c := person
	c.ID = "AQPCRrid999"
	if card, err = shc.Issue(s, theirIssuer, w.now, c, shc.Options{}); err != nil {
		w.t.Fatal(err)
	}
	jwks, err := trust.WriteJWKS(trust.PublishedKey{Public: k.Public, CRLVersion: 2})
	if err != nil {
		w.t.Fatal(err)
	}
	crl, err := trust.WriteCRL(k.ID, 2, []string{"AQPCRrid999"})
	if err != nil {
		w.t.Fatal(err)
	}
	_, text, err := trust.IssuerFile("shc", theirIssuer, jwks, crl)
	if err != nil {
		w.t.Fatal(err)
	}
	dsc := other.signer(keyring.HCERT)
	list, err := hcert.WriteRevocations([]hcert.RevocationList{{KeyID: dsc.ID, Type: hcert.ByUCI, Hashes: []string{strings.Repeat("cd", 16)}}})
	if err != nil {
		w.t.Fatal(err)
	}
	above, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	csca, err := vdsnc.NewCSCA(above, vdsnc.Name{Country: "JP", Common: "test authority"}, vdsnc.Term{From: w.now, Until: w.now.AddDate(10, 0, 0)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.put("shc/other.json", text)
	w.put("hcert/other.der", dsc.Certificate)
	w.put("hcert/revocation.json", list)
	w.put("vdsnc/authority.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: csca}))
	w.put("snapshot.json", []byte(`{"as_of":"2001-01-01T00:00:00Z","max_age":"1s"}`))
	w.put("notes/readme.txt", []byte("x"))
	return card
}

func (w *works) put(name string, text []byte) {
	w.t.Helper()
	path := filepath.Join(w.trust, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// Terminals get what the operator trusts beside what is ours; the age is the bundle's.
func TestOperatorsFolder(t *testing.T) {
	w := newWorks(t, store.SQLite)
	card := w.theirs()
	own, token := w.issue(keyring.HCERT, "ABC555")
	w.revoked.revoke(w.signer(keyring.HCERT), token)
	press, err := w.open()
	if err != nil {
		t.Fatal(err)
	}
	snap, first := w.bundle(press)
	if v := verify.Verify([]byte(card), snap, w.now); v.Outcome != cert.Revoked {
		t.Errorf("their revoked card: %s %s", v.Outcome, v.Reason)
	}
	if v := verify.Verify([]byte(own), snap, w.now); v.Outcome != cert.Revoked {
		t.Errorf("our revoked certificate beside their list: %s %s", v.Outcome, v.Reason)
	}
	tar, _, err := press.TrustBundle(t.Context(), actor.Terminal{}, audit.TerminalOperation)
	if err != nil || !bytes.Contains(tar, []byte("vdsnc/authority.pem")) || bytes.Contains(tar, []byte("readme")) || bytes.Contains(tar, []byte("2001")) {
		t.Errorf("what the bundle holds is not what a terminal reads, %v", err)
	}
	// a file that goes bad keeps what was there, and is told; mended, it counts
	w.put("shc/other.json", []byte(`{"iss":1}`))
	w.now = w.now.Add(time.Minute)
	if _, v := w.bundle(press); v != first || !strings.Contains(w.log.String(), "shc/other.json") {
		t.Errorf("a bad file changed the bundle, or is not told: %s", w.log.String())
	}
	if err := os.Remove(filepath.Join(w.trust, "shc", "other.json")); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Minute)
	snap, v := w.bundle(press)
	if outcome := verify.Verify([]byte(card), snap, w.now).Outcome; v == first || outcome != cert.UntrustedIssuer {
		t.Errorf("a file that was taken away still counts: %s", outcome)
	}
}

func TestOperatorsFolderWithFaults(t *testing.T) {
	w := newWorks(t, store.SQLite)
	specimen := w.signer(keyring.VDSNC).Certificate
	_, ours, err := trust.IssuerFile("shc", issuer, json.RawMessage(`{"keys":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"shc/broken.json": []byte("{"), "shc/nobody.json": []byte(`{"iss":"x","jwks":{"keys":[]}}`), "shc/badkey.json": []byte(`{"iss":"https://a.example","jwks":{"keys":[{"kty":"RSA"}]}}`),
		"shc/ours.json": ours, "hcert/no.pem": []byte("x"), "vdsnc/specimen.der": specimen,
		"vdsnc/specimen.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: specimen}),
	} {
		w.theirs()
		w.put(name, text)
		if _, err := w.open(); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "certificates.trust_dir") {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.trust = filepath.Join(w.trust, "absent")
	if _, err := w.open(); err == nil {
		t.Error("a folder that is not there was read")
	}
}

// cache is a verifier that keeps what it read for one cache lifetime, and not longer.
type cache struct {
	read  time.Time
	keys  map[keyring.Use][]string
	press *publication.Press
}

// knows gives the keys that the verifier knows now.
func (c *cache) knows(w *works) map[keyring.Use][]string {
	w.t.Helper()
	if c.keys != nil && w.now.Sub(c.read) < c.press.KeyAge() {
		return c.keys
	}
	c.read, c.keys = w.now, map[keyring.Use][]string{}
	jwks, _, err := c.press.JWKS(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	meta, _, err := c.press.VCIssuer(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	signers, _, err := c.press.Signers(w.t.Context(), keyring.HCERT)
	if err != nil {
		w.t.Fatal(err)
	}
	c.keys[keyring.SHC] = []string{string(jwks)}
	c.keys[keyring.SDJWT] = []string{string(meta)}
	for block, rest := pem.Decode(signers); block != nil; block, rest = pem.Decode(rest) {
		c.keys[keyring.HCERT] = append(c.keys[keyring.HCERT], hcert.KeyID(block.Bytes))
	}
	return c.keys
}

// A verifier that keeps what it read for one cache lifetime never meets a signature by a
// key that it does not know, whenever it read, through two rotations of every format; and
// it knows the keys of all earlier signatures.
func TestVerifiersThatKeepKeysKnowEverySigner(t *testing.T) {
	w := newWorks(t, store.SQLite)
	const every = 2 * time.Second // verifiers begin at all phases around the rotation
	var verifiers []*cache
	for range 12 { // they share a process, so that what one reads may be what another had made before
		verifiers = append(verifiers, &cache{press: w.press})
	}
	met, used := map[keyring.Use][]string{}, map[string]bool{}
	look := func(verifiers []*cache) {
		t.Helper()
		for _, use := range signed {
			k := w.signer(use)
			if !slices.Contains(met[use], k.ID) {
				met[use] = append(met[use], k.ID)
			}
			for i, v := range verifiers {
				for _, id := range met[use] {
					if !slices.ContainsFunc(v.knows(w)[use], func(s string) bool { return strings.Contains(s, id) }) {
						t.Fatalf("verifier %d met a %s key at %s that it does not know; it read at %s", i, use, w.now, v.read)
					}
				}
			}
			used[k.ID] = true
		}
	}
	for range 2 {
		for i, v := range verifiers { // some read before the rotation, some after it what was made before it
			v.keys = nil
			if i == 7 {
				for _, use := range signed {
					w.rotate(use)
				}
			}
			v.knows(w)
			w.now = w.now.Add(every)
		}
		w.now = w.now.Add(lifetime - time.Duration(len(verifiers))*every)
		for range 2 * len(verifiers) { // around the moment when the next keys begin to sign
			look(verifiers)
			w.now = w.now.Add(every / 2)
		}
		w.now = w.now.Add(lifetime)
		look(verifiers)
	}
	if want := 3 * len(signed); len(used) != want {
		t.Errorf("%d keys signed, want %d", len(used), want)
	}
}

// A terminal without a line knows every signer for as long as what it trusts is not stale,
// when nothing else is set.
func TestTerminalsKnowEverySignerWhileTheirTrustIsNotStale(t *testing.T) {
	w := newWorksFor(t, store.SQLite, config.Default().Certificates.CacheLifetime)
	w.now = w.now.Truncate(time.Hour).Add(time.Hour - 12*time.Second) // the bundle's time moves on meanwhile
	before := map[keyring.Use]string{}
	for _, use := range signed {
		before[use], _ = w.issue(use, numbers[use][0])
	}
	var terminals []trust.Snapshot
	var begins time.Time
	for i := range 24 {
		if i == 15 {
			for _, use := range signed {
				begins = w.rotate(use).UseFrom
			}
		}
		snap, _ := w.bundle(w.press)
		terminals = append(terminals, snap)
		w.now = w.now.Add(time.Second)
	}
	met := 0
	for w.now = begins; w.now.Before(begins.Add(30 * time.Second)); w.now = w.now.Add(5 * time.Second) {
		for _, use := range signed {
			card, _ := w.issue(use, numbers[use][1])
			for i, snap := range terminals {
				if v := verify.Verify([]byte(before[use]), snap, w.now); v.Outcome != cert.Valid {
					continue
				}
				met++
				if v := verify.Verify([]byte(card), snap, w.now); v.Outcome != cert.Valid {
					t.Errorf("%s, terminal %d, %s: %s %s", use, i, w.now.Sub(begins), v.Outcome, v.Reason)
				}
			}
		}
	}
	t.Logf("%d cards were met by terminals whose trust was not stale", met)
}

// Web caches keep keys for a day at most, however long before its use a key is published.
func TestKeyAge(t *testing.T) {
	for life, want := range map[time.Duration]time.Duration{
		time.Minute: time.Minute - publication.Staleness - publication.Skew, 12 * time.Hour: 12*time.Hour - publication.Staleness - publication.Skew,
		168 * time.Hour: 24 * time.Hour, time.Second: 0,
	} {
		p := publication.Press{Deps: publication.Deps{CacheLifetime: life}}
		if got := p.KeyAge(); got != want {
			t.Errorf("%s: %s, want %s", life, got, want)
		}
	}
	if life := config.Default().Certificates.CacheLifetime; life != publication.TrustMaxAge {
		t.Errorf("a key is published %s before it signs, a terminal trusts what it knows for %s", life, publication.TrustMaxAge)
	}
}

// A hundred thousand revocations under each key reach a terminal whole, and are not read
// again from the store while nothing changes.
func TestManyRevocations(t *testing.T) {
	const many = 100_000
	w := newWorks(t, store.SQLite)
	card, token := w.issue(keyring.SHC, "AQPCRrid111")
	hc1, uci := w.issue(keyring.HCERT, "ABC111")
	credential, place := w.issue(keyring.SDJWT, "111")
	keys := map[keyring.Use]keyring.Key{}
	for _, use := range signed {
		keys[use] = w.signer(use)
	}
	for i := range many {
		w.revoked.revoke(keys[keyring.SHC], fmt.Sprintf("%011d", i))
		w.revoked.revoke(keys[keyring.HCERT], fmt.Sprintf("%032x", i))
		w.revoked.revoke(keys[keyring.SDJWT], strconv.Itoa(1000+i))
	}
	began := time.Now()
	w.now = w.now.Add(publication.Staleness)
	snap, _ := w.bundle(w.press)
	t.Logf("bundle and snapshot: %s", time.Since(began))
	for _, text := range []string{card, hc1, credential} {
		if v := verify.Verify([]byte(text), snap, w.now); v.Outcome != cert.Valid {
			t.Errorf("%s %s", v.Outcome, v.Reason)
		}
	}
	w.revoked.revoke(keys[keyring.SHC], token)
	w.revoked.revoke(keys[keyring.HCERT], uci)
	w.revoked.revoke(keys[keyring.SDJWT], place)
	w.now = w.now.Add(publication.Staleness)
	snap, _ = w.bundle(w.press)
	for _, text := range []string{card, hc1, credential} {
		if v := verify.Verify([]byte(text), snap, w.now); v.Outcome != cert.Revoked {
			t.Errorf("%s %s", v.Outcome, v.Reason)
		}
	}
	crl, _, err := w.press.CRL(t.Context(), keys[keyring.SHC].ID)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the list of cards has %d bytes", len(crl))
	asked := w.revoked.asked
	began = time.Now()
	for range 50 {
		if _, _, err := w.press.StatusList(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	each := time.Since(began) / 50
	t.Logf("a status list that did not change: %s", each)
	if each > 20*time.Millisecond {
		t.Errorf("a status list that did not change costs %s", each)
	}
	w.now = w.now.Add(publication.Staleness)
	if _, _, err := w.press.JWKS(t.Context()); err != nil || w.revoked.asked != asked {
		t.Errorf("%d lists were read again, though none changed: %v", w.revoked.asked-asked, err)
	}
}
