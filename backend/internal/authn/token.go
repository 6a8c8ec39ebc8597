package authn

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
)

// accessClaims are all that stands in an access token.
type accessClaims struct {
	jwt.RegisteredClaims
	Session      string        `json:"sid,omitempty"`
	Municipality string        `json:"mun,omitempty"`
	Office       string        `json:"ofc,omitempty"`
	Class        string        `json:"cls,omitempty"`
	Confirmation *confirmation `json:"cnf,omitempty"`
}

// confirmation binds a token to a key (RFC 9449 section 6). Tokens that carry it are
// refused until proofs are checked.
type confirmation struct {
	Thumbprint string `json:"jkt"`
}

// Tokens mints and verifies access tokens: JWT, typ at+jwt (RFC 9068), ES256.
// It is safe for concurrent use.
type Tokens struct {
	issuer string
	kid    string
	key    *ecdsa.PrivateKey
	known  map[string]*ecdsa.PublicKey
	ids    handle.Source
	now    func() time.Time
	cache  *cache
}

// NewTokens makes tokens signed by key. Tokens of the older keys are still taken.
func NewTokens(issuer string, key *ecdsa.PrivateKey, older []*ecdsa.PublicKey, now func() time.Time, rand io.Reader) (*Tokens, error) {
	t := &Tokens{
		issuer: issuer, key: key, known: map[string]*ecdsa.PublicKey{}, now: now,
		ids: handle.Source{Now: now, Rand: rand}, cache: newCache(),
	}
	for _, k := range append([]*ecdsa.PublicKey{&key.PublicKey}, older...) {
		kid, err := thumbprint(k)
		if err != nil {
			return nil, err
		}
		t.known[kid] = k
		if k == &key.PublicKey {
			t.kid = kid
		}
	}
	return t, nil
}

// thumbprint is the key's JWK thumbprint (RFC 7638).
func thumbprint(k *ecdsa.PublicKey) (string, error) {
	if k.Curve != elliptic.P256() {
		return "", errors.New("cannot use a key that is not on the curve P-256")
	}
	point, err := k.Bytes() // 4, X, Y
	if err != nil {
		return "", fmt.Errorf("cannot read a public key: %w", err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	sum := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + b64(point[1:33]) + `","y":"` + b64(point[33:65]) + `"}`))
	return b64(sum[:]), nil
}

func (t *Tokens) mint(audience string, c accessClaims) (string, error) {
	now := t.now()
	id, err := t.ids.New("jti")
	if err != nil {
		return "", err
	}
	c.Issuer, c.Audience, c.ID = t.issuer, jwt.ClaimStrings{audience}, id
	c.IssuedAt, c.ExpiresAt = jwt.NewNumericDate(now), jwt.NewNumericDate(now.Add(AccessLifetime))
	token := jwt.NewWithClaims(jwt.SigningMethodES256, c)
	token.Header["typ"], token.Header["kid"] = "at+jwt", t.kid
	signed, err := token.SignedString(t.key)
	if err != nil {
		return "", fmt.Errorf("cannot sign an access token: %w", err)
	}
	return signed, nil
}

var errToken = fault.New(fault.Unauthenticated, "the access token cannot be used")

// verify takes a token in the one form in which mint makes it. A token that was taken
// before is found by its hash until it expires.
func (t *Tokens) verify(raw, audience string) (accessClaims, error) {
	if raw == "" || len(raw) > MaxTokenBytes {
		return accessClaims{}, errToken
	}
	key := sha256.Sum256([]byte(audience + "\x00" + raw))
	if c, ok := t.cache.get(key, t.now()); ok {
		return c, nil
	}
	c, err := t.parse(raw, audience)
	if err != nil {
		return accessClaims{}, errToken
	}
	t.cache.put(key, c)
	return c, nil
}

func (t *Tokens) parse(raw, audience string) (accessClaims, error) {
	var c accessClaims
	_, err := strictParser(t.now, t.issuer, audience).ParseWithClaims(raw, &c, func(token *jwt.Token) (any, error) {
		kid, err := onlyHeaders(token, "at+jwt")
		if err != nil {
			return nil, err
		}
		key, ok := t.known[kid]
		if !ok {
			return nil, errors.New("unknown key")
		}
		return key, nil
	})
	if err != nil {
		return c, err
	}
	return c, c.complete(t.now())
}

// complete checks what the parser leaves open: a subject, an issue time, one audience, a
// short life, and no binding that nobody checks.
func (c accessClaims) complete(now time.Time) error {
	switch {
	case c.Subject == "", c.ID == "", c.IssuedAt == nil, len(c.Audience) != 1:
		return errors.New("a claim is missing")
	case c.ExpiresAt.Sub(c.IssuedAt.Time) > time.Hour:
		return errors.New("the token lives too long")
	case c.IssuedAt.After(now):
		return errors.New("the token comes from the future")
	case c.Confirmation != nil:
		return errors.New("the token is bound to a key and no proof was checked")
	}
	return nil
}

func strictParser(now func() time.Time, issuer, audience string) *jwt.Parser {
	return jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodES256.Alg()}),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithIssuer(issuer),
		jwt.WithAudience(audience),
		jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(now),
	)
}

// onlyHeaders allows exactly alg, typ and kid, with this typ, and gives kid. So crit,
// jku, jwk, x5c and whatever comes next are refused.
func onlyHeaders(token *jwt.Token, typ string) (kid string, err error) {
	for name := range token.Header {
		if name != "alg" && name != "typ" && name != "kid" {
			return "", errors.New("unknown header")
		}
	}
	if token.Header["typ"] != typ {
		return "", errors.New("wrong type")
	}
	kid, ok := token.Header["kid"].(string)
	if !ok {
		return "", errors.New("no key id")
	}
	return kid, nil
}

// peekSubject reads the subject of a token before its signature can be checked, because
// the subject says whose key to ask for. Nothing else of the token is used.
func peekSubject(raw string) (string, bool) {
	parts := [3]string{}
	rest := raw
	for i := range parts {
		at := 0
		for at < len(rest) && rest[at] != '.' {
			at++
		}
		parts[i] = rest[:at]
		if i < 2 {
			if at == len(rest) {
				return "", false
			}
			rest = rest[at+1:]
		}
	}
	payload, err := base64.RawURLEncoding.Strict().DecodeString(parts[1])
	if err != nil {
		return "", false
	}
	var c struct {
		Subject string `json:"sub"`
	}
	if json.Unmarshal(payload, &c) != nil || c.Subject == "" {
		return "", false
	}
	return c.Subject, true
}
