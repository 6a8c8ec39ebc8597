package fleet

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"

	"madoguchi.example/shared/fault"
)

// MaxKeyBytes is the largest JWK that is looked at; it is checked before decoding.
const MaxKeyBytes = 1 << 10

// PublicKey is a terminal's key for private_key_jwt: P-256, on the curve.
type PublicKey struct{ key *ecdsa.PublicKey }

// ParseKey reads a JWK (RFC 7517, 7518 section 6.2.1) strictly: one flat object of
// strings, kty "EC", crv "P-256", x and y of 32 bytes, a point of the curve, and beside
// those only kid, use "sig" and alg "ES256". A private member refuses the whole key.
func ParseKey(b []byte) (PublicKey, error) {
	if len(b) > MaxKeyBytes {
		return PublicKey{}, fault.At(fault.TooLarge, "public_key", "must have at most %d bytes", MaxKeyBytes)
	}
	m, err := members(b)
	if err != nil || m["kty"] != "EC" || m["crv"] != "P-256" || !allows(m["use"], "sig") || !allows(m["alg"], "ES256") {
		return PublicKey{}, badKey()
	}
	point := []byte{4} // uncompressed, SEC 1 section 2.3.3
	for _, name := range []string{"x", "y"} {
		coordinate, err := base64.RawURLEncoding.Strict().DecodeString(m[name])
		if err != nil || len(coordinate) != 32 {
			return PublicKey{}, badKey()
		}
		point = append(point, coordinate...)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return PublicKey{}, badKey()
	}
	return PublicKey{key}, nil
}

func badKey() error {
	return fault.At(fault.InvalidArgument, "public_key", "must be a public P-256 key as a JWK")
}

func allows(value, only string) bool { return value == "" || value == only }

var keyMembers = map[string]bool{"kty": true, "crv": true, "x": true, "y": true, "kid": true, "use": true, "alg": true}

// members reads a flat JSON object of strings, each name known and at most once.
func members(b []byte) (map[string]string, error) {
	bad := errors.New("not a flat object of known strings")
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, bad
	}
	m := map[string]string{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, bad
		}
		value, err := d.Token()
		n, isName := name.(string)
		v, isText := value.(string)
		if _, twice := m[n]; err != nil || !isName || !isText || !keyMembers[n] || twice {
			return nil, bad
		}
		m[n] = v
	}
	if _, err := d.Token(); err != nil {
		return nil, bad
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, bad
	}
	return m, nil
}

// ECDSA gives the key for verifying.
func (k PublicKey) ECDSA() *ecdsa.PublicKey { return k.key }

// String gives the canonical JWK (the members of RFC 7638, in their order). A public key
// is no secret.
func (k PublicKey) String() string {
	point, err := k.key.Bytes()
	if err != nil {
		return ""
	}
	encode := base64.RawURLEncoding.EncodeToString
	return `{"crv":"P-256","kty":"EC","x":"` + encode(point[1:33]) + `","y":"` + encode(point[33:]) + `"}`
}
