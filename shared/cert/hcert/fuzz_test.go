package hcert_test

import (
	"bytes"
	"testing"
	"testing/fstest"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/hcert"
	"madoguchi.example/shared/trust"
)

// check wants a verdict with its words.
func check(t *testing.T, v cert.Verdict) {
	t.Helper()
	if v.Findings == nil || v.Format != hcert.Format || v.Outcome == "" || (v.Outcome != cert.Valid && v.Reason == "") {
		t.Errorf("a verdict without its words: %+v", v)
	}
}

// seeds are certificates of every content that we write.
func seeds(t testing.TB, dsc []byte) []string {
	t.Helper()
	key := testKey(t, 7)
	dvc := claims()
	dvc.Doses = append(dvc.Doses, dvc.Doses[0])
	return []string{
		issue(t, key, dsc, claims(), hcert.Options{}),
		issue(t, key, dsc, dvc, hcert.Options{Kind: hcert.DVC}),
		string(seal(t, dsc, token(pairs(topItems("t", tItems)...)))),
		string(seal(t, dsc, token(pairs(topItems("r", rItems)...)))),
	}
}

func FuzzVerify(f *testing.F) {
	dsc := newDSC(f, testKey(f, 7))
	snap := believe(f, dsc)
	for _, seed := range seeds(f, dsc) {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		v := hcert.Verify(input, snap, at)
		check(t, v)
		if _, err := hcert.RevocationEntries(input); (err != nil) != (v.Certificate == nil && v.Outcome != cert.Unsupported) && v.Outcome != cert.Unsupported {
			t.Errorf("%s, and its revocation entries: %v", v.Outcome, err)
		}
	})
}

// FuzzMessage gives any bytes as the message inside the envelope.
func FuzzMessage(f *testing.F) {
	dsc := newDSC(f, testKey(f, 7))
	snap := believe(f, dsc)
	good := map[string]bool{}
	for _, seed := range seeds(f, dsc) {
		message := unwrap(f, seed)
		good[string(message)] = true
		f.Add(message)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		v := hcert.Verify(wrap(message), snap, at)
		check(t, v)
		if v.Outcome == cert.Valid && !good[string(message)] && v.Certificate.ID != testUVCI {
			t.Error("valid, though nobody signed it")
		}
	})
}

// FuzzPayload gives any bytes as a token that a listed signer signed.
func FuzzPayload(f *testing.F) {
	dsc := newDSC(f, testKey(f, 7))
	snap := believe(f, dsc)
	for _, seed := range seeds(f, dsc) {
		f.Add(payloadOf(f, seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		v := hcert.Verify(seal(t, dsc, payload), snap, at)
		check(t, v)
		if c := v.Certificate; v.Outcome == cert.Valid && len(c.Doses)+len(c.Tests)+len(c.Recoveries) == 0 {
			t.Error("valid, and about nothing")
		}
	})
}

// FuzzTrust gives any bytes as files of the trust layout.
func FuzzTrust(f *testing.F) {
	dsc := newDSC(f, testKey(f, 7))
	list, err := hcert.WriteRevocations([]hcert.RevocationList{
		{KeyID: hcert.KeyID(dsc), Type: hcert.ByUCI, Hashes: []string{hcert.UCIRevocation(testUVCI).String()}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(dsc, list)
	hc1 := []byte(seeds(f, dsc)[0])
	f.Fuzz(func(t *testing.T, signer, list []byte) {
		snap, err := trust.Load(fstest.MapFS{
			"hcert/a.der": {Data: signer}, "hcert/b.pem": {Data: signer}, "hcert/" + hcert.RevocationFile: {Data: list},
		}, []trust.Section{hcert.Section})
		if err != nil {
			t.Fatalf("a bad file locks the others out: %v", err)
		}
		v := hcert.Verify(hc1, snap, at)
		check(t, v)
		if v.Outcome == cert.Valid && !bytes.Equal(signer, dsc) {
			t.Error("valid by another certificate")
		}
	})
}
