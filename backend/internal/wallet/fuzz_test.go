package wallet

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// FuzzReadSigned: whatever a wallet sends as a proof, what is taken is signed by the key
// that it names.
func FuzzReadSigned(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		f.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"aud": "https://madoguchi.example", "iat": 1, "nonce": "n"})
	token.Header["typ"] = proofType
	token.Header["jwk"] = map[string]string{"kty": "EC", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])}
	good, err := token.SignedString(key)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{good, "..", good + ".", strings.Replace(good, ".", "..", 1), ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		p, err := readSigned(raw, proofType)
		if err != nil {
			return
		}
		parts := strings.Split(raw, ".")
		signature, err := base64.RawURLEncoding.DecodeString(parts[2])
		if err != nil || jwt.SigningMethodES256.Verify(parts[0]+"."+parts[1], signature, p.key) != nil || p.thumbprint == "" {
			t.Error("a proof was taken that its key did not sign")
		}
	})
}

// FuzzMembers: what is read as an object is one in every reader's eyes: written again and
// read again it has the same members.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{
		`{"credential_configuration_id":"VaccinationCertificate","proofs":{"jwt":["a.b.c"]}}`,
		`{"a":1,"a":2}`, `{"a":{"b":1,"b":2}}`, `[{"type":"openid_credential"}]`, `{}{}`, "{\"\xff\":1}", `null`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := members(raw)
		if err != nil {
			return
		}
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := members(again)
		if err != nil || len(twice) != len(m) || !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
			t.Errorf("%d members, then %d: %v", len(m), len(twice), err)
		}
	})
}
