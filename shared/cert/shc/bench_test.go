package shc_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"

	"madoguchi.example/shared/cert/shc"
)

// BenchmarkIssue sets writing and signing one card of three doses against the one raw P-256
// signature that it cannot do without. The ratio takes turns, so that a machine that slows
// down slows both.
func BenchmarkIssue(b *testing.B) {
	key, c := testKey(b, 7), claims(3)
	hash := sha256.Sum256([]byte("a signed text"))
	raw := func() {
		if _, err := ecdsa.SignASN1(rand.Reader, key, hash[:]); err != nil {
			b.Fatal(err)
		}
	}
	full := func() {
		if _, err := shc.Issue(key, iss, at, c, shc.Options{}); err != nil {
			b.Fatal(err)
		}
	}
	for _, part := range []struct {
		name string
		do   func()
	}{{"raw", raw}, {"full", full}} {
		b.Run(part.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				part.do()
			}
		})
	}
	b.Run("ratio", func(b *testing.B) {
		var signing, issuing time.Duration
		for b.Loop() {
			began := time.Now()
			raw()
			signed := time.Now()
			full()
			signing += signed.Sub(began)
			issuing += time.Since(signed)
		}
		b.ReportMetric(issuing.Seconds()/signing.Seconds(), "full/raw")
	})
}
