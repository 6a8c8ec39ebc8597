package hcert_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"testing"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/hcert"
	"madoguchi.example/shared/trust"
)

// BenchmarkVerify sets one full verification, from QR text to verdict, against the one raw
// P-256 verification that it cannot do without; PS256 beside it.
func BenchmarkVerify(b *testing.B) {
	key := testKey(b, 7)
	hash := sha256.Sum256([]byte("a signed text"))
	signature, err := ecdsa.SignASN1(rand.Reader, key, hash[:])
	if err != nil {
		b.Fatal(err)
	}
	raw := func() {
		if !ecdsa.VerifyASN1(&key.PublicKey, hash[:], signature) {
			b.Fatal("not verified")
		}
	}
	dsc := newDSC(b, key)
	full := verifying(b, []byte(issue(b, key, dsc, claims(), hcert.Options{})), believe(b, dsc))
	run := func(name string, do func()) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				do()
			}
		})
	}
	run("raw", raw)
	run("full", full)
	b.Run("ratio", func(b *testing.B) { ratio(b, raw, full) })
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	rsaDSC := newRSADSC(b, rsaKey)
	run("ps256", verifying(b, sealRSA(b, rsaKey, rsaDSC, claims()), believe(b, rsaDSC)))
}

func verifying(b *testing.B, text []byte, snap trust.Snapshot) func() {
	return func() {
		if v := hcert.Verify(text, snap, at); v.Outcome != cert.Valid {
			b.Fatal(v.Outcome, v.Reason)
		}
	}
}

// ratio takes turns, so that a machine that slows down slows both.
func ratio(b *testing.B, raw, full func()) {
	var one, other time.Duration
	for b.Loop() {
		began := time.Now()
		raw()
		between := time.Now()
		full()
		one += between.Sub(began)
		other += time.Since(between)
	}
	b.ReportMetric(other.Seconds()/one.Seconds(), "full/raw")
}
