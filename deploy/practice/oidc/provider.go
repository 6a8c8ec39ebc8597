// Package oidc is a strict stand-in for デジタル認証アプリ, the OpenID provider with which
// people in Japan sign in by My Number Card. It is for practice and for tests: whoever
// asks may sign in as any synthetic person, and nothing about a card is checked.
//
// What it promises: it refuses what the real provider refuses (reference/mobile-backend.md
// section 5; OpenID Connect Core 1.0; RFC 7636; RFC 7523; OWASP ASVS 5.0 V10): only the
// code flow, only PKCE with S256, state and nonce required, redirect URIs compared as
// strings, clients known by private_key_jwt alone with single-use assertions, codes that
// live a minute and work once, and a code used twice takes its access token with it.
// Claims about the person come from the userinfo endpoint, never in the ID token.
//
// For programs: the query parameter login_hint=<sub> of the authorization endpoint answers
// with the redirect at once, and practice_cancel=1 answers as a person who gave up. The
// real provider has neither.
//
// It was written from the published facts and shares no code with the programs it tests.
package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"madoguchi.example/deploy/practice/people"
)

// Path is where the provider lives below the server's root, shaped as the real one is.
const Path = "/api/realms/main"

// Lifetimes and limits.
const (
	CodeLifetime      = time.Minute
	TokenLifetime     = 5 * time.Minute
	AssertionLifetime = 10 * time.Minute // the longest exp - now that is accepted
	MaxQueryBytes     = 8 << 10
	MaxFormBytes      = 16 << 10
	MaxLiveGrants     = 10_000 // codes and tokens together; beyond it sign-in answers 503
)

// Client is one relying party: its id, which people may sign in there, its redirect URIs
// and its public keys (EC P-256) for private_key_jwt.
type Client struct {
	ID           string
	Kind         people.Client
	RedirectURIs []string
	Keys         jose.JSONWebKeySet
}

// Config is what a Provider is made of. Issuer is the full URL that ends with Path.
type Config struct {
	Issuer  string
	Clients []Client
	People  []people.Person
	Now     func() time.Time
	Rand    io.Reader
}

// Provider is a running practice provider. Its state is in memory. It is safe for
// concurrent use.
type Provider struct {
	cfg     Config
	clients map[string]Client
	people  map[string]people.Person
	signer  jose.Signer
	keys    jose.JSONWebKeySet
	grants  *grants
}

// New makes a provider with a fresh signing key.
func New(cfg Config) (*Provider, error) {
	if err := checkConfig(cfg); err != nil {
		return nil, err
	}
	p := &Provider{
		cfg: cfg, clients: map[string]Client{}, people: map[string]people.Person{},
		grants: newGrants(cfg.Now, cfg.Rand),
	}
	for _, c := range cfg.Clients {
		p.clients[c.ID] = c
	}
	for _, one := range cfg.People {
		p.people[one.Sub] = one
	}
	return p, p.makeKey()
}

func checkConfig(cfg Config) error {
	var faults []error
	u, err := url.Parse(cfg.Issuer)
	if err != nil || u.Host == "" || !strings.HasSuffix(cfg.Issuer, Path) {
		faults = append(faults, fmt.Errorf("issuer: it must be a URL that ends with %s", Path))
	}
	if cfg.Now == nil || cfg.Rand == nil {
		faults = append(faults, errors.New("a clock and a random source are needed"))
	}
	seen := map[string]bool{}
	for i, c := range cfg.Clients {
		if fault := c.fault(); fault != "" || seen[c.ID] {
			faults = append(faults, fmt.Errorf("client %d: %s", i+1, cmpOr(fault, "the id stands there twice")))
		}
		seen[c.ID] = true
	}
	return errors.Join(faults...)
}

func (c Client) fault() string {
	switch {
	case c.ID == "" || len(c.ID) > 255:
		return "id is missing or too long"
	case c.Kind != people.Citizen && c.Kind != people.Staff:
		return "kind must be citizen or staff"
	case len(c.RedirectURIs) == 0:
		return "at least one redirect URI is needed"
	case len(c.Keys.Keys) == 0:
		return "at least one public key is needed"
	}
	for _, r := range c.RedirectURIs {
		if u, err := url.Parse(r); err != nil || u.Host == "" || u.Fragment != "" {
			return "a redirect URI must be absolute and without a fragment"
		}
	}
	for _, k := range c.Keys.Keys {
		key, ok := k.Key.(*ecdsa.PublicKey)
		if !ok || key.Curve != elliptic.P256() {
			return "every key must be a public EC key on P-256"
		}
	}
	return ""
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (p *Provider) makeKey() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), p.cfg.Rand)
	if err != nil {
		return fmt.Errorf("cannot make the provider's key: %w", err)
	}
	public := jose.JSONWebKey{Key: key.Public(), Algorithm: string(jose.ES256), Use: "sig"}
	print, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return fmt.Errorf("cannot name the provider's key: %w", err)
	}
	public.KeyID = base64.RawURLEncoding.EncodeToString(print)
	p.keys = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}}
	p.signer, err = jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: public.KeyID}},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return fmt.Errorf("cannot use the provider's key: %w", err)
	}
	return nil
}

// Handler serves the provider's endpoints below Path.
func (p *Provider) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path+"/.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET "+Path+endpointKeys, p.jwks)
	mux.HandleFunc(Path+endpointAuthorize, p.authorize)
	mux.HandleFunc("POST "+Path+endpointToken, p.token)
	mux.HandleFunc(Path+endpointUserinfo, p.userinfo)
	return mux
}
