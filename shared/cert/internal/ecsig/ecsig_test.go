package ecsig_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"testing"

	"madoguchi.example/shared/cert/internal/ecsig"
)

func TestSignAndVerify(t *testing.T) {
	for _, c := range []struct {
		curve elliptic.Curve
		hash  crypto.Hash
	}{{elliptic.P256(), crypto.SHA256}, {elliptic.P384(), crypto.SHA384}, {elliptic.P521(), crypto.SHA512}} {
		// Many keys, so that numbers with leading zeros and high bits both occur.
		for range 16 {
			key, err := ecdsa.GenerateKey(c.curve, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			h := c.hash.New()
			h.Write([]byte("text"))
			digest := h.Sum(nil)
			raw, err := ecsig.Sign(key, c.hash, digest)
			if err != nil {
				t.Fatal(err)
			}
			if len(raw) != ecsig.Size(c.curve) || !ecsig.Verify(&key.PublicKey, digest, raw) {
				t.Fatalf("%s: own signature refused", c.curve.Params().Name)
			}
			again, err := ecsig.Sign(key, c.hash, digest)
			if err != nil || string(again) != string(raw) {
				t.Errorf("the same text signed twice differs: %v", err)
			}
			raw[len(raw)-1] ^= 1
			if ecsig.Verify(&key.PublicKey, digest, raw) {
				t.Error("a changed signature verifies")
			}
		}
	}
}

func TestRefused(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	digest := make([]byte, 32)
	der, err := ecdsa.SignASN1(rand.Reader, key, digest)
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{"none": nil, "ASN.1": der, "zero": make([]byte, 64), "of another curve": make([]byte, 96)} {
		if ecsig.Verify(&key.PublicKey, digest, raw) {
			t.Errorf("%s verifies", name)
		}
	}
	if ecsig.Verify(nil, digest, make([]byte, 64)) {
		t.Error("verifies without a key")
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, signer := range map[string]crypto.Signer{"none": nil, "RSA": other} {
		if _, err := ecsig.Sign(signer, crypto.SHA256, digest); err == nil {
			t.Errorf("%s signs", name)
		}
	}
}
