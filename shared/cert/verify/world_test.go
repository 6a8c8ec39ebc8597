package verify_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/json"
	"math/big"
	"testing"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/cert/verify"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/trust"
)

const testIssuer = "https://madoguchi.example"

// world is an issuer, its key and a terminal's snapshot.
type world struct {
	t       testing.TB
	key     *ecdsa.PrivateKey
	at      time.Time
	version int64
	revoked []string
	bundle  trust.Bundle
	cached  *trust.Snapshot
}

func newWorld(t testing.TB) *world {
	return &world{t: t, key: testKey(t, 7), at: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)}
}

// testKey gives the key with the private scalar n: fixed, so that cards are too.
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

func (w *world) kid() string {
	kid, err := shc.KeyID(&w.key.PublicKey)
	if err != nil {
		w.t.Fatal(err)
	}
	return kid
}

// snapshot gives what the terminal believes, by way of the layout.
func (w *world) snapshot() trust.Snapshot {
	if w.cached != nil {
		return *w.cached
	}
	jwks, err := trust.WriteJWKS(trust.PublishedKey{Public: &w.key.PublicKey, CRLVersion: w.version})
	if err != nil {
		w.t.Fatal(err)
	}
	var crls []json.RawMessage
	if w.revoked != nil {
		crl, err := trust.WriteCRL(w.kid(), w.version, w.revoked)
		if err != nil {
			w.t.Fatal(err)
		}
		crls = append(crls, crl)
	}
	name, text, err := trust.IssuerFile("shc", testIssuer, jwks, crls...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.bundle.Files, w.bundle.Sections = map[string][]byte{name: text}, verify.Sections()
	fsys, err := w.bundle.FS()
	if err != nil {
		w.t.Fatal(err)
	}
	snap, err := verify.LoadTrust(fsys)
	if err != nil {
		w.t.Fatal(err)
	}
	w.cached = &snap
	return snap
}

func (w *world) issue(c cert.Certificate) string {
	w.t.Helper()
	jws, err := shc.Issue(w.key, testIssuer, w.at, c, shc.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	return jws
}

func (w *world) qr(jws string) string {
	w.t.Helper()
	text, err := shc.QRText(jws)
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

func threeDoses() cert.Certificate {
	c := cert.Certificate{
		Holder: identity.PersonName{
			FamilyKanji: "見本", GivenKanji: "花子", FamilyKana: "ミホン", GivenKana: "ハナコ",
			FamilyLatin: "MIHON", GivenLatin: "HANAKO",
		},
		BirthDate: civil.Date{Year: 1990, Month: 4, Day: 1},
	}
	for i, lot := range []string{"EW0001", "EW0002", "FA0003"} {
		c.Doses = append(c.Doses, cert.Dose{
			Number: i + 1, Code: "208", Lot: lot, Performer: "みなと市",
			On: civil.Date{Year: 2021 + i, Month: 7, Day: 1 + i},
		})
	}
	return c
}
