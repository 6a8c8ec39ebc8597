package verify_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/verify"
)

// BenchmarkVerify sets one full verification of a card of three doses, from QR text to
// verdict, against the one raw P-256 verification that it cannot do without.
func BenchmarkVerify(b *testing.B) {
	b.Run("raw", func(b *testing.B) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		hash := sha256.Sum256([]byte("a signed text"))
		signature, err := ecdsa.SignASN1(rand.Reader, key, hash[:])
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if !ecdsa.VerifyASN1(&key.PublicKey, hash[:], signature) {
				b.Fatal("not verified")
			}
		}
	})
	b.Run("full", func(b *testing.B) {
		w := newWorld(b)
		text := []byte(w.qr(w.issue(threeDoses())))
		b.ReportAllocs()
		for b.Loop() {
			if v := verify.Verify(text, w.snapshot(), w.at); v.Outcome != cert.Valid {
				b.Fatal(v.Outcome, v.Reason)
			}
		}
	})
	b.Run("ratio", func(b *testing.B) { ratio(b, newWorld(b)) })
}

// ratio takes turns, so that a machine that slows down slows both.
func ratio(b *testing.B, w *world) {
	text := []byte(w.qr(w.issue(threeDoses())))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	hash := sha256.Sum256([]byte("a signed text"))
	signature, err := ecdsa.SignASN1(rand.Reader, key, hash[:])
	if err != nil {
		b.Fatal(err)
	}
	var raw, full time.Duration
	for b.Loop() {
		began := time.Now()
		if !ecdsa.VerifyASN1(&key.PublicKey, hash[:], signature) {
			b.Fatal("not verified")
		}
		raw += time.Since(began)
		began = time.Now()
		if v := verify.Verify(text, w.snapshot(), w.at); v.Outcome != cert.Valid {
			b.Fatal(v.Outcome, v.Reason)
		}
		full += time.Since(began)
	}
	b.ReportMetric(full.Seconds()/raw.Seconds(), "full/raw")
}
