package trust_test

import (
	"bytes"
	"crypto/elliptic"
	"testing"
	"testing/fstest"
	"time"

	"madoguchi.example/shared/trust"
)

func FuzzParseJWKS(f *testing.F) {
	key := newKey(f, elliptic.P256())
	f.Add(jwks(f, trust.PublishedKey{Public: &key.PublicKey, CRLVersion: 1}))
	f.Add(jwks(f, trust.PublishedKey{Public: &key.PublicKey, X5C: [][]byte{leaf(f, key, iss)}}))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := trust.ParseJWKS(text, iss)
		for _, key := range keys {
			if id, idErr := trust.KeyID(key.Public); idErr != nil || id != key.ID {
				t.Errorf("a key without its own name: %v, %v", idErr, err)
			}
		}
	})
}

func FuzzParseCRL(f *testing.F) {
	text, err := trust.WriteCRL("k", 2, []string{"abc", "def.1638311286"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		if crl, err := trust.ParseCRL(text); err == nil && crl.Version < 1 {
			t.Error("a list without version")
		}
	})
}

func FuzzLoad(f *testing.F) {
	for _, text := range bundle(f, newKey(f, elliptic.P256())).Files {
		f.Add(text, []byte(`{"as_of":"2026-11-01T00:00:00Z","max_age":"168h"}`))
	}
	f.Fuzz(func(t *testing.T, issuer, snapshot []byte) {
		snap, err := load(fstest.MapFS{"shc/a.json": {Data: issuer}, "snapshot.json": {Data: snapshot}})
		if err != nil {
			return
		}
		snap.Stale(time.Unix(1.8e9, 0))
	})
}

func FuzzReadTar(f *testing.F) {
	var out bytes.Buffer
	if err := bundle(f, newKey(f, elliptic.P256())).WriteTar(&out); err != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes())
	f.Fuzz(func(_ *testing.T, text []byte) {
		if fsys, err := trust.ReadTar(bytes.NewReader(text)); err == nil {
			_, _ = load(fsys)
		}
	})
}
