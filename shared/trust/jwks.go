package trust

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"madoguchi.example/shared/internal/base64url"
	"madoguchi.example/shared/internal/jsonpull"
)

// Limits of a key set.
const (
	MaxJWKS         = 256 << 10 // bytes of one key set
	MaxKeys         = 64        // keys of one issuer
	MaxChain        = 8         // certificates in one x5c
	maxKeyID        = 512       // characters of a kid that the issuer chose
	coordinateSize  = 32        // bytes of x and of y on P-256
	uncompressedTag = 4         // SEC 1 section 2.3.3
)

// Key is one public key of an issuer.
type Key struct {
	ID          string // kid; for SMART Health Cards the RFC 7638 thumbprint, checked
	Public      *ecdsa.PublicKey
	CRLVersion  int64     // 0: the issuer publishes no revocation list for it
	NotBefore   time.Time // of the x5c leaf; zero without x5c. A remark at most: keys are pinned
	NotAfter    time.Time
	Certificate bool // it came with x5c, whose leaf was checked against key and issuer
}

// KeyID gives the RFC 7638 thumbprint of a key on P-256, which is its kid.
func KeyID(key *ecdsa.PublicKey) (string, error) {
	x, y, err := coordinates(key)
	if err != nil {
		return "", err
	}
	return thumbprint(x, y), nil
}

func thumbprint(x, y string) string {
	sum := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + x + `","y":"` + y + `"}`))
	return base64url.Encode(sum[:])
}

func coordinates(key *ecdsa.PublicKey) (x, y string, err error) {
	if key == nil || key.Curve != elliptic.P256() {
		return "", "", errors.New("cannot name the key: it is not on P-256")
	}
	point, err := key.Bytes()
	if err != nil {
		return "", "", fmt.Errorf("cannot name the key: %w", err)
	}
	return base64url.Encode(point[1 : 1+coordinateSize]), base64url.Encode(point[1+coordinateSize:]), nil
}

// ParseJWKS reads the key set of the issuer iss by the rules of the SMART Health Cards
// specification: kty EC, crv P-256, use sig and alg ES256 (each may be absent: real
// issuers leave them out), kid the RFC 7638 thumbprint, never d; with x5c the leaf must
// hold the same key and name iss as its URI. An empty iss leaves that name unchecked but
// still wants one. Keys that keep the rules are returned beside the faults of the others.
func ParseJWKS(text []byte, iss string) ([]Key, error) { return parseJWKS(text, iss, false) }

// ParseLooseJWKS is ParseJWKS for formats that leave a key's id to the issuer (RFC 7517
// section 4.5): kid is any text, and where it is absent the key's ID is its thumbprint. The
// leaf of x5c need not name the issuer.
func ParseLooseJWKS(text []byte, iss string) ([]Key, error) { return parseJWKS(text, iss, true) }

func parseJWKS(text []byte, iss string, loose bool) ([]Key, error) {
	if len(text) > MaxJWKS {
		return nil, fmt.Errorf("cannot read the key set: larger than %d bytes", MaxJWKS)
	}
	raws, err := readKeys(string(text))
	if err != nil {
		return nil, fmt.Errorf("cannot read the key set: %w", err)
	}
	var keys []Key
	var faults []error
	seen := map[string]bool{}
	for i, raw := range raws {
		key, err := raw.key(iss, loose)
		if err == nil && seen[key.ID] {
			err = errors.New("kid stands twice")
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("cannot use key %d: %w", i, err))
			continue
		}
		seen[key.ID] = true
		keys = append(keys, key)
	}
	return keys, errors.Join(faults...)
}

// rawKey is a JWK before its rules are checked.
type rawKey struct {
	kty, crv, use, alg, kid, x, y string
	x5c                           []string
	crlVersion                    int64
	private                       bool
}

func readKeys(text string) ([]rawKey, error) {
	r := jsonpull.New(text)
	var raws []rawKey
	found := false
	for m := r.Object(); m.Next(); {
		if m.Name != "keys" {
			continue
		}
		found = true
		for a := r.Array(); a.Next(); {
			if a.Index >= MaxKeys {
				r.Fault("more than %d keys", MaxKeys)
				continue
			}
			raws = append(raws, readKey(r))
		}
	}
	if !found {
		r.Fault("no keys")
	}
	return raws, r.End()
}

func readKey(r *jsonpull.Reader) rawKey {
	var k rawKey
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "kty":
			k.kty = r.Text()
		case "crv":
			k.crv = r.Text()
		case "use":
			k.use = r.Text()
		case "alg":
			k.alg = r.Text()
		case "kid":
			k.kid = r.Text()
		case "x":
			k.x = r.Text()
		case "y":
			k.y = r.Text()
		case "d":
			k.private = true
		case "crlVersion":
			if k.crlVersion = r.Int(); k.crlVersion < 1 {
				r.Fault("crlVersion is below 1")
			}
		case "x5c":
			for a := r.Array(); a.Next(); {
				if a.Index >= MaxChain {
					r.Fault("more than %d certificates", MaxChain)
					continue
				}
				k.x5c = append(k.x5c, r.Text())
			}
		}
	}
	return k
}

func (k rawKey) key(iss string, loose bool) (Key, error) {
	switch {
	case k.private:
		return Key{}, errors.New("it holds a private key")
	case k.kty != "EC":
		return Key{}, errors.New("kty is not EC")
	case k.crv != "P-256":
		return Key{}, errors.New("crv is not P-256")
	case k.use != "" && k.use != "sig":
		return Key{}, errors.New("use is not sig")
	case k.alg != "" && k.alg != "ES256":
		return Key{}, errors.New("alg is not ES256")
	}
	public, err := point(k.x, k.y)
	if err != nil {
		return Key{}, err
	}
	id := thumbprint(k.x, k.y)
	switch {
	case loose && len(k.kid) > maxKeyID:
		return Key{}, errors.New("kid is too long")
	case loose && k.kid != "":
		id = k.kid
	case !loose && k.kid != id:
		return Key{}, errors.New("kid is not the thumbprint of the key")
	}
	key := Key{ID: id, Public: public, CRLVersion: k.crlVersion}
	if len(k.x5c) == 0 {
		return key, nil
	}
	return key, key.checkChain(k.x5c, iss, loose)
}

func point(x, y string) (*ecdsa.PublicKey, error) {
	raw := make([]byte, 1+2*coordinateSize)
	raw[0] = uncompressedTag
	if base64url.DecodeInto(raw[1:1+coordinateSize], []byte(x)) != nil ||
		base64url.DecodeInto(raw[1+coordinateSize:], []byte(y)) != nil {
		return nil, errors.New("x or y is not 32 bytes of base64url")
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), raw)
	if err != nil {
		return nil, errors.New("x and y are no point of P-256")
	}
	return public, nil
}

// checkChain holds the leaf of x5c against the key and the issuer's name. The chain
// above it is read but trusted for nothing: the key is what is pinned.
func (k *Key) checkChain(chain []string, iss string, loose bool) error {
	var leaf *x509.Certificate
	for i, text := range chain {
		der, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil {
			return fmt.Errorf("certificate %d of x5c is not base64", i)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("certificate %d of x5c cannot be read", i)
		}
		if i == 0 {
			leaf = certificate
		}
	}
	public, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	if !ok || !k.Public.Equal(public) {
		return errors.New("the leaf of x5c holds another key")
	}
	if !loose && !names(leaf, iss) {
		return errors.New("the leaf of x5c does not name the issuer as URI")
	}
	k.NotBefore, k.NotAfter, k.Certificate = leaf.NotBefore, leaf.NotAfter, true
	return nil
}

func names(leaf *x509.Certificate, iss string) bool {
	for _, uri := range leaf.URIs {
		if text := uri.String(); text == iss || (iss == "" && ValidIssuer(text)) {
			return true
		}
	}
	return false
}

// ValidIssuer tells whether iss can be an issuer's name: an https address without query,
// fragment or trailing slash.
func ValidIssuer(iss string) bool {
	rest, https := strings.CutPrefix(iss, "https://")
	if !https || rest == "" || len(iss) > MaxIssuer || strings.HasSuffix(iss, "/") || strings.HasPrefix(rest, "/") {
		return false
	}
	for _, c := range []byte(iss) {
		if c <= ' ' || c >= 0x7f || bytes.IndexByte([]byte(`"<>\^{|}?#`+"`"), c) >= 0 {
			return false
		}
	}
	return true
}
