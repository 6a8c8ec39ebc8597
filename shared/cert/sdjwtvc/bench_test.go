package sdjwtvc_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/sdjwtvc"
)

// BenchmarkVerify sets one full verification against the raw P-256 verifications that it
// cannot do without: one for the credential, one more for the holder's proof.
func BenchmarkVerify(b *testing.B) {
	snap := believe(b)
	credential := issue(b, claims(3), func(o *sdjwtvc.Options) { o.Holder = nil })
	presentation := present(b, issue(b, claims(3), nil), all)
	for name, text := range map[string]string{"credential": credential, "presentation": presentation} {
		b.Run(name, func(b *testing.B) {
			ratio(b, func() cert.Verdict { return sdjwtvc.Verify([]byte(text), snap, at) })
		})
	}
}

// ratio takes turns, so that a machine that slows down slows both.
func ratio(b *testing.B, verify func() cert.Verdict) {
	key := testKey(b, issuerKey)
	hash := sha256.Sum256([]byte("a signed text"))
	signature, err := ecdsa.SignASN1(rand.Reader, key, hash[:])
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var raw, full time.Duration
	for b.Loop() {
		began := time.Now()
		if !ecdsa.VerifyASN1(&key.PublicKey, hash[:], signature) {
			b.Fatal("not verified")
		}
		raw += time.Since(began)
		began = time.Now()
		if v := verify(); v.Outcome != cert.Valid {
			b.Fatal(v.Outcome, v.Reason)
		}
		full += time.Since(began)
	}
	b.ReportMetric(full.Seconds()/raw.Seconds(), "full/raw")
}
