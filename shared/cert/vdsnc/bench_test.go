package vdsnc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/vdsnc"
	"madoguchi.example/shared/cert/verify"
	"madoguchi.example/shared/trust"
)

// BenchmarkVerify sets one full verification of a document of three doses, from text to
// verdict, against the one raw P-256 verification that it cannot do without. The signer's
// chain is remembered, except in cold, where it is built each time under a P-384 authority.
func BenchmarkVerify(b *testing.B) {
	w := newWorld(b)
	w.put("csca.crl", w.crl(at.Add(-time.Hour), at.Add(time.Hour)))
	snap, text := w.snapshot(), []byte(w.issue(claims(3)))
	good := func(v cert.Verdict) {
		if v.Outcome != cert.Valid {
			b.Fatal(v.Outcome, v.Reason)
		}
	}
	raw := rawVerify(b)
	b.Run("raw", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			raw()
		}
	})
	b.Run("full", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			good(vdsnc.Verify(text, snap, at))
		}
	})
	b.Run("ratio", func(b *testing.B) {
		ratio(b, raw, func() { good(vdsnc.Verify(text, snap, at)) })
	})
	b.Run("ratio-through-table", func(b *testing.B) {
		ratio(b, raw, func() { good(verify.Verify(text, snap, at)) })
	})
	b.Run("ratio-cold", func(b *testing.B) {
		ratio(b, raw, func() { good(cold(text, snap)) })
	})
}

// TestAllocations bounds what one document costs, ten of them within the signature.
func TestAllocations(t *testing.T) {
	const most = 25
	w := newWorld(t)
	snap, text := w.snapshot(), []byte(w.issue(claims(3)))
	if n := testing.AllocsPerRun(100, func() { verify.Verify(text, snap, at) }); n > most {
		t.Errorf("%v allocations, at most %d", n, most)
	}
}

func cold(text []byte, snap trust.Snapshot) cert.Verdict {
	vdsnc.Forget(snap.Section("vdsnc"))
	return vdsnc.Verify(text, snap, at)
}

func rawVerify(b *testing.B) func() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	hash := sha256.Sum256([]byte("a signed text"))
	signature, err := ecdsa.SignASN1(rand.Reader, key, hash[:])
	if err != nil {
		b.Fatal(err)
	}
	return func() {
		if !ecdsa.VerifyASN1(&key.PublicKey, hash[:], signature) {
			b.Fatal("not verified")
		}
	}
}

// ratio takes turns, so that a machine that slows down slows both.
func ratio(b *testing.B, raw, full func()) {
	var one, other time.Duration
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		raw()
		one += time.Since(began)
		began = time.Now()
		full()
		other += time.Since(began)
	}
	b.ReportMetric(other.Seconds()/one.Seconds(), "full/raw")
}

// BenchmarkIssue measures one document of three doses against nothing but itself.
func BenchmarkIssue(b *testing.B) {
	w := newWorld(b)
	b.ReportAllocs()
	for b.Loop() {
		w.issue(claims(3))
	}
}
