package jws_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"testing"

	"madoguchi.example/shared/cert/internal/jws"
	"madoguchi.example/shared/internal/base64url"
)

func newKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t testing.TB, key *ecdsa.PrivateKey) string {
	t.Helper()
	compact, err := jws.SignES256(key, []byte(`{"alg":"ES256"}`), []byte("payload"))
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

func TestSignedTokenVerifies(t *testing.T) {
	// Many keys, so that scalars with leading zeros and high bits both occur.
	for range 64 {
		key := newKey(t, elliptic.P256())
		compact := sign(t, key)
		token, err := jws.Parse([]byte(compact))
		if err != nil {
			t.Fatal(err)
		}
		if string(token.Payload) != "payload" || !token.VerifyES256(&key.PublicKey) {
			t.Error("own token refused")
		}
		if token.VerifyES256(&newKey(t, elliptic.P256()).PublicKey) {
			t.Error("another key verifies it")
		}
		if again := sign(t, key); again != compact {
			t.Error("the same text signed twice differs")
		}
	}
}

func TestZeroSignatureIsRefused(t *testing.T) {
	key := newKey(t, elliptic.P256())
	token, err := jws.Parse([]byte("e30.e30." + base64url.Encode(make([]byte, jws.SignatureSize))))
	if err != nil {
		t.Fatal(err)
	}
	if token.VerifyES256(&key.PublicKey) {
		t.Error("r = s = 0 verifies")
	}
}

func TestSignRefusesOtherCurves(t *testing.T) {
	if _, err := jws.SignES256(newKey(t, elliptic.P384()), nil, nil); err == nil {
		t.Error("a P-384 key signed as ES256")
	}
	if _, err := jws.SignES256(nil, nil, nil); err == nil {
		t.Error("no key signed")
	}
}

func TestParseRefuses(t *testing.T) {
	key := newKey(t, elliptic.P256())
	good := sign(t, key)
	signed := good[:strings.LastIndexByte(good, '.')]
	hash := sha256.Sum256([]byte(signed))
	der, err := ecdsa.SignASN1(rand.Reader, key, hash[:])
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty":           "",
		"two parts":       signed,
		"four parts":      good + ".e30",
		"DER signature":   signed + "." + base64url.Encode(der),
		"cut signature":   good[:len(good)-1],
		"padding":         good + "==",
		"blank":           " " + good,
		"line end inside": strings.Replace(good, ".", ".\n", 1),
		"line end behind": good + "\n",
	} {
		if _, err := jws.Parse([]byte(text)); err == nil {
			t.Errorf("%s: parsed", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	key := newKey(f, elliptic.P256())
	f.Add([]byte(sign(f, key)))
	f.Add([]byte("e30.e30.e30"))
	f.Fuzz(func(t *testing.T, compact []byte) {
		token, err := jws.Parse(compact)
		if err != nil {
			return
		}
		again := base64url.Encode(token.Header) + "." + base64url.Encode(token.Payload) + "." + base64url.Encode(token.Signature[:])
		if again != string(compact) {
			t.Error("two texts for one token")
		}
		token.VerifyES256(&key.PublicKey)
	})
}
