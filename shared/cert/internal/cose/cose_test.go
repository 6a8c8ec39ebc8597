package cose_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"math/big"
	"testing"

	"madoguchi.example/shared/cert/internal/cborpull"
	"madoguchi.example/shared/cert/internal/cose"
)

func testKey(t testing.TB, curve elliptic.Curve, n int64) *ecdsa.PrivateKey {
	t.Helper()
	raw := make([]byte, (curve.Params().BitSize+7)/8)
	big.NewInt(n).FillBytes(raw)
	key, err := ecdsa.ParseRawPrivateKey(curve, raw)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func num(n int64) []byte   { return cborpull.AppendInt(nil, n) }
func bstr(b []byte) []byte { return cborpull.AppendBytes(nil, b) }
func dict(items ...[]byte) []byte {
	return append([]byte{0xa0 + byte(len(items)/2)}, bytes.Join(items, nil)...)
}

// message puts parts together, with tags around.
func message(tags []uint64, parts ...[]byte) string {
	var out []byte
	for _, n := range tags {
		out = cborpull.AppendTag(out, n)
	}
	out = cborpull.AppendArray(out, len(parts))
	return string(append(out, bytes.Join(parts, nil)...))
}

// signed signs payload with what the two buckets say.
func signed(t testing.TB, key *ecdsa.PrivateKey, tags []uint64, protected, unprotected []byte) string {
	t.Helper()
	m, err := cose.Parse(message([]uint64{18}, bstr(protected), dict(num(1), num(cose.ES256)), bstr([]byte("payload")), bstr(nil)))
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(m.AppendSigned(nil))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return message(tags, bstr(protected), unprotected, bstr([]byte("payload")), bstr(signature))
}

func verify(m cose.Message, key crypto.PublicKey) bool {
	digest := sha256.Sum256(m.AppendSigned(nil))
	return m.Verify(key, digest[:], nil)
}

var id = []byte("key id 1")

func TestHeaders(t *testing.T) {
	key := testKey(t, elliptic.P256(), 7)
	both := dict(num(1), num(cose.ES256), num(4), bstr(id))
	sign1 := []uint64{18}
	for name, c := range map[string]struct {
		tags                   []uint64
		protected, unprotected []byte
		want                   cose.Message
	}{
		"all protected":       {sign1, both, dict(), cose.Message{Algorithm: cose.ES256, KeyID: string(id), Named: true}},
		"in a CWT tag":        {[]uint64{61, 18}, both, dict(), cose.Message{Algorithm: cose.ES256, KeyID: string(id), Named: true}},
		"untagged":            {nil, both, dict(), cose.Message{Algorithm: cose.ES256, KeyID: string(id), Named: true, Untagged: true}},
		"all unprotected":     {sign1, nil, both, cose.Message{Algorithm: cose.ES256, KeyID: string(id), Named: true, Unprotected: true}},
		"empty map protected": {sign1, dict(), both, cose.Message{Algorithm: cose.ES256, KeyID: string(id), Named: true, Unprotected: true}},
		"protected wins": {sign1, both, dict(num(1), num(-35), num(4), bstr([]byte("other"))),
			cose.Message{Algorithm: cose.ES256, KeyID: string(id), Named: true}},
		"one in each": {sign1, dict(num(1), num(cose.ES256)), dict(num(4), bstr(id)),
			cose.Message{Algorithm: cose.ES256, KeyID: string(id), Named: true, Unprotected: true}},
		"no key id":    {sign1, dict(num(1), num(cose.ES256)), dict(), cose.Message{Algorithm: cose.ES256}},
		"empty key id": {sign1, dict(num(1), num(cose.ES256), num(4), bstr(nil)), dict(), cose.Message{Algorithm: cose.ES256, Named: true}},
		"more headers": {sign1, dict(num(3), num(0), num(1), num(cose.ES256), cborpull.AppendText(nil, "x"), dict()), dict(num(-70001), bstr(nil)),
			cose.Message{Algorithm: cose.ES256}},
	} {
		m, err := cose.Parse(signed(t, key, c.tags, c.protected, c.unprotected))
		if err != nil || m.Supported() != nil {
			t.Errorf("%s: %v %v", name, err, m.Supported())
			continue
		}
		if m.Algorithm != c.want.Algorithm || m.KeyID != c.want.KeyID || m.Named != c.want.Named || m.Untagged != c.want.Untagged || m.Unprotected != c.want.Unprotected {
			t.Errorf("%s: %+v", name, m)
		}
		if !verify(m, &key.PublicKey) {
			t.Errorf("%s: its own signature does not verify", name)
		}
		if verify(m, &testKey(t, elliptic.P256(), 8).PublicKey) {
			t.Errorf("%s: another key verifies it", name)
		}
	}
}

func TestRefusesForms(t *testing.T) {
	good := dict(num(1), num(cose.ES256))
	payload, sig := bstr([]byte("payload")), bstr(make([]byte, 64))
	for name, text := range map[string]string{
		"nothing": "", "no array": "\x00", "three parts": message([]uint64{18}, bstr(good), dict(), payload), "no parts": message([]uint64{18}),
		"five parts":             message([]uint64{18}, bstr(good), dict(), payload, sig, sig),
		"other tag":              message([]uint64{17}, bstr(good), dict(), payload, sig),
		"CWT tag alone":          message([]uint64{61}, bstr(good), dict(), payload, sig),
		"tags in the wrong turn": message([]uint64{18, 61}, bstr(good), dict(), payload, sig),
		"twice in a CWT":         message([]uint64{61, 61, 18}, bstr(good), dict(), payload, sig),
		"detached payload":       message([]uint64{18}, bstr(good), dict(), []byte{0xf6}, sig),
		"protected as a map":     message([]uint64{18}, good, dict(), payload, sig),
		"protected is no map":    message([]uint64{18}, bstr(num(1)), dict(), payload, sig),
		"more behind protected":  message([]uint64{18}, bstr(append(good[:3:3], 0)), dict(), payload, sig),
		"algorithm twice":        message([]uint64{18}, bstr(dict(num(1), num(-7), num(1), num(-7))), dict(), payload, sig),
		"algorithm twice, long":  message([]uint64{18}, bstr(dict(num(1), num(-7), []byte{0x18, 1}, num(-7))), dict(), payload, sig),
		"no algorithm":           message([]uint64{18}, bstr(nil), dict(), payload, sig),
		"key id as text":         message([]uint64{18}, bstr(good), dict(num(4), cborpull.AppendText(nil, "x")), payload, sig),
		"signature as text":      message([]uint64{18}, bstr(good), dict(), payload, cborpull.AppendText(nil, "x")),
		"more behind":            message([]uint64{18}, bstr(good), dict(), payload, sig) + "\x00",
		"indefinite":             "\xd2\x9f\x40\xa0\x40\x40\xff",
	} {
		if m, err := cose.Parse(text); err == nil {
			t.Errorf("%s: read as %+v", name, m)
		}
	}
}

func TestSupported(t *testing.T) {
	for name, c := range map[string]struct {
		protected []byte
		want      error
	}{
		"ES256": {dict(num(1), num(cose.ES256)), nil}, "PS256": {dict(num(1), num(cose.PS256)), nil},
		"ES384": {dict(num(1), num(-35)), cose.ErrAlgorithm}, "EdDSA": {dict(num(1), num(-8)), cose.ErrAlgorithm},
		"named": {dict(num(1), cborpull.AppendText(nil, "ES256")), cose.ErrAlgorithm}, "none": {dict(num(1), num(0)), cose.ErrAlgorithm},
		"critical": {dict(num(1), num(cose.ES256), num(2), append(cborpull.AppendArray(nil, 1), num(9)...)), cose.ErrCritical},
	} {
		m, err := cose.Parse(message([]uint64{18}, bstr(c.protected), dict(), bstr(nil), bstr(nil)))
		if err != nil || !errors.Is(m.Supported(), c.want) {
			t.Errorf("%s: %v, %v", name, err, m.Supported())
		}
	}
}

// TestKeyDecides has a message name the algorithm of another key.
func TestKeyDecides(t *testing.T) {
	ec := testKey(t, elliptic.P256(), 7)
	text := signed(t, ec, []uint64{18}, nil, dict(num(1), num(cose.PS256)))
	m, err := cose.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.PublicKey{"ES256's": &ec.PublicKey, "RSA": &weak.PublicKey, "P-384": &testKey(t, elliptic.P384(), 7).PublicKey, "none": nil} {
		if verify(m, key) {
			t.Errorf("%s key verifies it", name)
		}
	}
}

func TestUsable(t *testing.T) {
	rsaOf := func(bits int) *rsa.PublicKey {
		return &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), uint(bits-1)), E: 65537}
	}
	for name, c := range map[string]struct {
		key  crypto.PublicKey
		want bool
	}{
		"P-256": {&testKey(t, elliptic.P256(), 7).PublicKey, true}, "P-384": {&testKey(t, elliptic.P384(), 7).PublicKey, false},
		"RSA 2048": {rsaOf(2048), true}, "RSA 8192": {rsaOf(8192), true}, "RSA 2047": {rsaOf(2047), false}, "RSA 8193": {rsaOf(8193), false}, "none": {nil, false},
	} {
		if cose.Usable(c.key) != c.want {
			t.Errorf("%s: usable is not %v", name, c.want)
		}
	}
}

func TestSign(t *testing.T) {
	key := testKey(t, elliptic.P256(), 7)
	one, err := cose.SignES256(key, id, []byte("payload"))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := cose.SignES256(key, id, []byte("payload")); err != nil || !bytes.Equal(one, again) {
		t.Errorf("the same call gives another message, %v", err)
	}
	m, err := cose.Parse(string(one))
	if err != nil || m.Untagged || m.Unprotected || m.KeyID != string(id) || m.Payload != "payload" || !verify(m, &key.PublicKey) {
		t.Errorf("%+v %v", m, err)
	}
	for name, signer := range map[string]crypto.Signer{"none": nil, "P-384": testKey(t, elliptic.P384(), 7)} {
		if _, err := cose.SignES256(signer, id, nil); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	key := testKey(f, elliptic.P256(), 7)
	text, err := cose.SignES256(key, id, []byte("payload"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add(signed(f, key, []uint64{61, 18}, dict(num(1), num(cose.ES256)), dict(num(4), bstr(id))))
	f.Fuzz(func(t *testing.T, data string) {
		m, err := cose.Parse(data)
		if err != nil || m.Supported() != nil {
			return
		}
		if verify(m, &key.PublicKey) && m.Payload != "payload" {
			t.Error("a payload that nobody signed")
		}
	})
}
