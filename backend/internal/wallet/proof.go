package wallet

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// signedHere is a JWT whose header holds the key that signed it: a key proof (section
// F.1) or a DPoP proof (RFC 9449 section 4.2).
type signedHere struct {
	key        *ecdsa.PublicKey
	thumbprint string // RFC 7638
	claims     map[string]json.RawMessage
	issuedAt   time.Time
}

var errJWT = errors.New("not a JWT in the form that is taken here")

// elsewhere are header parameters that name another key than jwk, or change what is signed.
var elsewhere = []string{"kid", "x5c", "x5u", "x5t", "x5t#S256", "jku", "trust_chain", "crit", "b64"}

// readSigned takes a compact ES256 JWT of this type, of at most MaxProof bytes, that its own jwk
// verifies. Parameters of the header that are not known are ignored, as RFC 7515 section 4 says.
func readSigned(raw, typ string) (signedHere, error) {
	var out signedHere
	if len(raw) > MaxProof || strings.Count(raw, ".") != 2 {
		return out, errJWT
	}
	parts := strings.Split(raw, ".")
	header, err := decodePart(parts[0])
	if err != nil {
		return out, err
	}
	alg, _ := text(header["alg"], 16)
	kind, _ := text(header["typ"], 64)
	if alg != jwt.SigningMethodES256.Alg() || kind != typ {
		return out, errJWT
	}
	for _, name := range elsewhere {
		if _, ok := header[name]; ok {
			return out, errJWT
		}
	}
	if out.key, out.thumbprint, err = readKey(header["jwk"]); err != nil {
		return out, err
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil || jwt.SigningMethodES256.Verify(parts[0]+"."+parts[1], signature, out.key) != nil {
		return out, errJWT
	}
	if out.claims, err = decodePart(parts[1]); err != nil {
		return out, err
	}
	out.issuedAt, err = numericDate(out.claims["iat"])
	return out, err
}

func decodePart(part string) (map[string]json.RawMessage, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, errJWT
	}
	return members(raw)
}

func numericDate(raw json.RawMessage) (time.Time, error) {
	var at jwt.NumericDate
	if len(raw) == 0 || len(raw) > 24 || raw[0] < '0' || raw[0] > '9' || json.Unmarshal(raw, &at) != nil {
		return time.Time{}, errJWT
	}
	return at.Time, nil
}

// coordinate is the length of a coordinate of P-256.
const coordinate = 32

// readKey takes a public JWK on P-256 for signatures.
func readKey(raw json.RawMessage) (*ecdsa.PublicKey, string, error) {
	m, err := members(raw)
	if err != nil {
		return nil, "", errJWT
	}
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		if _, ok := m[private]; ok {
			return nil, "", errJWT
		}
	}
	for name, want := range map[string]string{"kty": "EC", "crv": "P-256"} {
		if s, _ := text(m[name], 16); s != want {
			return nil, "", errJWT
		}
	}
	for name, want := range map[string]string{"use": "sig", "alg": "ES256"} {
		if v, ok := m[name]; ok {
			if s, _ := text(v, 16); s != want {
				return nil, "", errJWT
			}
		}
	}
	point := []byte{4}
	for _, name := range []string{"x", "y"} {
		s, _ := text(m[name], 64)
		b, err := base64.RawURLEncoding.Strict().DecodeString(s)
		if err != nil || len(b) != coordinate {
			return nil, "", errJWT
		}
		point = append(point, b...)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, "", errJWT
	}
	return key, thumbprint(point), nil
}

func thumbprint(point []byte) string {
	b64 := base64.RawURLEncoding.EncodeToString
	sum := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + b64(point[1:1+coordinate]) + `","y":"` + b64(point[1+coordinate:]) + `"}`))
	return b64(sum[:])
}

// timely tells whether a proof was made a moment ago by a clock like ours.
func (d *Desk) timely(p signedHere) bool {
	now := d.Now()
	if _, ok := p.claims["exp"]; ok {
		if exp, err := numericDate(p.claims["exp"]); err != nil || !now.Before(exp) {
			return false
		}
	}
	return p.issuedAt.After(now.Add(-ProofAge)) && !p.issuedAt.After(now.Add(ProofAhead))
}

// proofType is the typ of a key proof.
const proofType = "openid4vci-proof+jwt"

// keyProof takes a key proof made for us by the client of the token, and gives its nonce.
func (d *Desk) keyProof(raw string, k Token) (signedHere, string, error) {
	p, err := readSigned(raw, proofType)
	if err != nil || !d.timely(p) || !d.addressed(p) {
		return p, "", errProof
	}
	if iss, ok := p.claims["iss"]; ok {
		s, _ := text(iss, MaxValue)
		if k.Client == "" || s != k.Client {
			return p, "", errProof
		}
	}
	nonce, ok := text(p.claims["nonce"], MaxValue)
	if !ok {
		return p, "", errProof
	}
	return p, nonce, nil
}

// addressed tells whether a proof names us, and nobody else.
func (d *Desk) addressed(p signedHere) bool {
	aud := p.claims["aud"]
	if l, ok := list(aud); ok && len(l) == 1 {
		aud = l[0]
	}
	s, _ := text(aud, MaxValue)
	return s == d.Issuer
}
