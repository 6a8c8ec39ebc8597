package sdjwtvc

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"madoguchi.example/shared/cert/internal/jws"
	"madoguchi.example/shared/internal/base64url"
	"madoguchi.example/shared/internal/jsonpull"
	"madoguchi.example/shared/trust"
)

// header is what a JOSE header says that matters here. Keys and addresses of keys in it
// are ignored: keys are pinned.
type header struct {
	alg, typ, kid string
	leaf          *x509.Certificate // of x5c
	critical      bool
}

// jwt is a signed token that nobody has vouched for yet. Where unsupported is set its
// signature was not read.
type jwt struct {
	head        header
	payload     []byte
	token       jws.Token
	unsupported string
}

// parseJWT reads a compact JWS. An algorithm that is another's right to use is unsupported;
// none and the symmetric ones are no signature of an issuer at all.
func parseJWT(compact []byte) (jwt, error) {
	first, rest, ok := bytes.Cut(compact, []byte("."))
	if !ok {
		return jwt{}, jws.ErrParts
	}
	if len(first) > maxHeader {
		return jwt{}, fmt.Errorf("header: longer than %d characters", maxHeader)
	}
	text, err := base64url.Decode(first)
	if err != nil {
		return jwt{}, fmt.Errorf("header: %w", err)
	}
	var t jwt
	if t.head, err = readHeader(text); err != nil {
		return jwt{}, fmt.Errorf("header: %w", err)
	}
	if t.head.alg == "ES256" && !t.head.critical {
		t.token, err = jws.Parse(compact)
		t.payload = t.token.Payload
		return t, err
	}
	t.unsupported = "its signature is of a kind that is not read here"
	body, signature, ok := bytes.Cut(rest, []byte("."))
	if !ok || !base64url.Alphabet(signature) {
		return jwt{}, jws.ErrParts
	}
	if t.payload, err = base64url.Decode(body); err != nil {
		return jwt{}, fmt.Errorf("payload: %w", err)
	}
	return t, nil
}

func readHeader(text []byte) (header, error) {
	var h header
	var chain []string
	r := jsonpull.New(string(text))
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "alg":
			h.alg = r.Text()
		case "typ":
			h.typ = strings.TrimPrefix(r.Text(), "application/")
		case "kid":
			if h.kid = r.Text(); h.kid == "" {
				r.Fault("kid is empty")
			}
		case "crit":
			h.critical = true
		case "x5c":
			for a := r.Array(); a.Next(); {
				if a.Index >= maxChain {
					r.Fault("more than %d certificates", maxChain)
					continue
				}
				chain = append(chain, r.Text())
			}
			if len(chain) == 0 {
				r.Fault("x5c is empty")
			}
		}
	}
	if err := r.End(); err != nil {
		return header{}, err
	}
	if h.alg == "" || strings.EqualFold(h.alg, "none") || strings.HasPrefix(h.alg, "HS") {
		return header{}, errors.New("alg is not that of a public key's signature")
	}
	var err error
	if len(chain) > 0 {
		h.leaf, err = readLeaf(chain[0])
	}
	return h, err
}

func readLeaf(text string) (*x509.Certificate, error) {
	der, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errors.New("x5c is not base64")
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errors.New("x5c is no certificate")
	}
	return leaf, nil
}

// candidates gives the issuer's keys that may have signed: the one that the header names,
// else all; where the header has a certificate, only one that it certifies.
func (h header) candidates(issuer keyring) []trust.Key {
	keys := issuer.Keys()
	if h.kid != "" {
		key, known := issuer.Key(h.kid)
		if !known {
			return nil
		}
		keys = []trust.Key{key}
	}
	if h.leaf == nil {
		return keys
	}
	for _, key := range keys {
		if key.Public.Equal(h.leaf.PublicKey) {
			return []trust.Key{key}
		}
	}
	return nil
}

// signer gives the key that signed.
func (t *jwt) signer(keys []trust.Key) (trust.Key, bool) {
	for _, key := range keys {
		if t.token.VerifyES256(key.Public) {
			return key, true
		}
	}
	return trust.Key{}, false
}

// presentation is a well-formed presentation that nobody has vouched for yet.
type presentation struct {
	jwt
	signed      []byte // what sd_hash is over: all up to the last ~
	binding     *binding
	disclosures []disclosure
	claims      claims
}

// open reads a presentation's form and content.
func open(input []byte) (*presentation, error) {
	if len(input) > MaxInput {
		return nil, fmt.Errorf("longer than %d characters", MaxInput)
	}
	count := bytes.Count(input, []byte("~"))
	if count == 0 || count > MaxDisclosures+1 {
		return nil, fmt.Errorf("not a token and at most %d disclosures, each with ~ behind it", MaxDisclosures)
	}
	parts := bytes.Split(input, []byte("~"))
	last := parts[len(parts)-1]
	p := &presentation{signed: input[:len(input)-len(last)]}
	var err error
	if p.jwt, err = parseJWT(parts[0]); err != nil {
		return nil, err
	}
	var values store
	payload, err := values.parse(p.payload)
	if err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	if !payload.is(jsonpull.Object) {
		return nil, errors.New("payload: not an object")
	}
	p.disclosures = make([]disclosure, 0, len(parts)-2)
	for i, text := range parts[1 : len(parts)-1] {
		d, err := values.readDisclosure(text)
		if err != nil {
			return nil, fmt.Errorf("disclosure %d: %w", i+1, err)
		}
		p.disclosures = append(p.disclosures, d)
	}
	if err := p.read(payload); err != nil {
		return nil, err
	}
	if len(last) > 0 {
		p.binding, err = readBinding(last)
	}
	return p, err
}

// read puts the claims together and reads them.
func (p *presentation) read(payload *node) error {
	p.checkType()
	iss, err := issuerOf(payload)
	if err != nil {
		return err
	}
	if iss == "" {
		p.unsupported = "it names no issuer by address"
	}
	switch hash := payload.get(nameHash); {
	case hash != nil && !hash.is(jsonpull.String):
		return errors.New("_sd_alg is not a string")
	case hash != nil && hash.text != hashSHA256:
		p.unsupported = "its digests are of a kind that is not read here"
		p.claims.iss = iss
		return nil
	}
	if err := noHiddenControls(payload); err != nil {
		return err
	}
	if err := disclose(payload, p.disclosures); err != nil {
		return err
	}
	p.claims.iss = iss
	return p.claims.read(payload, p.head.typ)
}

// checkType keeps tokens of other uses that the same key may sign from passing as
// credentials (RFC 8725 section 3.11).
func (p *presentation) checkType() {
	switch typ := p.head.typ; {
	case typ == typeCredential:
	case typ == "", strings.HasSuffix(typ, "+sd-jwt"):
		p.claims.find(OtherType)
	default:
		p.unsupported = "typ is not that of an SD-JWT"
	}
}

// issuerOf gives iss, or what the W3C's form of a credential has instead. It is read
// before anything is disclosed.
func issuerOf(payload *node) (string, error) {
	iss, issuer := payload.get("iss"), payload.get("issuer")
	if issuer.is(jsonpull.Object) {
		issuer = issuer.get("id")
	}
	switch {
	case iss != nil && !iss.is(jsonpull.String):
		return "", errors.New("iss is not a string")
	case len(iss.str()) > trust.MaxIssuer, len(issuer.str()) > trust.MaxIssuer:
		return "", fmt.Errorf("iss is longer than %d characters", trust.MaxIssuer)
	case iss != nil:
		return iss.text, nil
	}
	return issuer.str(), nil
}

// noHiddenControls refuses digests inside of the claims that may not be hidden.
func noHiddenControls(payload *node) error {
	for _, name := range controls {
		if n := payload.get(name); n != nil && n.hides() {
			return errors.New("a claim that may not be hidden has hidden parts")
		}
	}
	return nil
}

func (n *node) hides() bool {
	if n.get(nameDigests) != nil || n.get(namePlace) != nil {
		return true
	}
	for _, kid := range n.kids {
		if kid.hides() {
			return true
		}
	}
	return false
}

// binding is a key binding JWT (RFC 9901 section 4.3).
type binding struct {
	jwt
	nonce, audience, hash string
	issued                time.Time
	times                 validity
}

func readBinding(compact []byte) (*binding, error) {
	if len(compact) > maxBinding {
		return nil, fmt.Errorf("key binding: longer than %d characters", maxBinding)
	}
	t, err := parseJWT(compact)
	if err != nil {
		return nil, fmt.Errorf("key binding: %w", err)
	}
	b := &binding{jwt: t}
	if b.head.typ != typeBinding {
		return nil, errors.New("key binding: typ is not kb+jwt")
	}
	payload, err := new(store).parse(b.payload)
	if err != nil {
		return nil, fmt.Errorf("key binding: %w", err)
	}
	aud := payload.get("aud")
	if aud.is(jsonpull.Array) && len(aud.kids) == 1 {
		aud = aud.kids[0]
	}
	b.nonce, b.audience, b.hash = payload.get("nonce").str(), aud.str(), payload.get("sd_hash").str()
	if b.nonce == "" || b.audience == "" || b.hash == "" {
		return nil, errors.New("key binding: it lacks nonce, sd_hash or a single aud")
	}
	if b.issued, err = readTime(payload.get("iat")); err != nil {
		return nil, fmt.Errorf("key binding: iat: %w", err)
	}
	if err := b.times.readClaims(payload); err != nil {
		return nil, fmt.Errorf("key binding: %w", err)
	}
	return b, nil
}
