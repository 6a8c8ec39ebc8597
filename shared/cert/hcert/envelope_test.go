package hcert_test

import (
	"bytes"
	"compress/zlib"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"testing"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/hcert"
	"madoguchi.example/shared/cert/internal/base45"
	"madoguchi.example/shared/cert/internal/cborpull"
	"madoguchi.example/shared/cert/internal/cose"
)

func i(n int64) []byte     { return cborpull.AppendInt(nil, n) }
func text(s string) []byte { return cborpull.AppendText(nil, s) }
func bstr(b []byte) []byte { return cborpull.AppendBytes(nil, b) }
func tag(n uint64) []byte  { return cborpull.AppendTag(nil, n) }
func array(of ...[]byte) []byte {
	return append(cborpull.AppendArray(nil, len(of)), bytes.Join(of, nil)...)
}

// dict writes a map of keys and values in turn, as they come.
func dict(items ...[]byte) []byte {
	return append([]byte{0xa0 + byte(len(items)/2)}, bytes.Join(items, nil)...)
}

// wrap writes a message as text.
func wrap(message []byte) []byte {
	var out bytes.Buffer
	z := zlib.NewWriter(&out)
	if _, err := z.Write(message); err != nil {
		panic(err)
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return base45.AppendEncode([]byte(hcert.Prefix), out.Bytes())
}

// unwrap gives the message of a text.
func unwrap(t testing.TB, hc1 string) []byte {
	t.Helper()
	compressed, err := base45.AppendDecode(nil, []byte(hc1)[len(hcert.Prefix):])
	if err != nil {
		t.Fatal(err)
	}
	z, err := zlib.NewReader(bytes.NewReader(compressed))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := out.ReadFrom(z); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func payloadOf(t testing.TB, hc1 string) []byte {
	t.Helper()
	m, err := cose.Parse(string(unwrap(t, hc1)))
	if err != nil {
		t.Fatal(err)
	}
	return []byte(m.Payload)
}

func keyID(t testing.TB, dsc []byte) []byte {
	t.Helper()
	return keyIDBytes(t, hcert.KeyID(dsc))
}

func keyIDBytes(t testing.TB, kid string) []byte {
	t.Helper()
	id, err := base64.StdEncoding.DecodeString(kid)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// seal signs a payload, whatever it is, with the key of the signer 7.
func seal(t testing.TB, dsc, payload []byte) []byte {
	t.Helper()
	message, err := cose.SignES256(testKey(t, 7), keyID(t, dsc), payload)
	if err != nil {
		t.Fatal(err)
	}
	return wrap(message)
}

func newRSADSC(t testing.TB, key *rsa.PrivateKey) []byte {
	t.Helper()
	c := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{Country: []string{"JP"}}, NotBefore: at, NotAfter: at.AddDate(2, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// sealRSA signs the certificate that we issue for c with PS256.
func sealRSA(t testing.TB, key *rsa.PrivateKey, dsc []byte, c cert.Certificate) []byte {
	t.Helper()
	payload := payloadOf(t, issue(t, testKey(t, 7), newDSC(t, testKey(t, 7)), c, hcert.Options{}))
	protected := dict(i(1), i(cose.PS256), i(4), bstr(keyID(t, dsc)))
	digest := sha256.Sum256(array(text("Signature1"), bstr(protected), bstr(nil), bstr(payload)))
	signature, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	if err != nil {
		t.Fatal(err)
	}
	return wrap(append(tag(18), array(bstr(protected), dict(), bstr(payload), bstr(signature))...))
}
