package authn

import (
	"context"
	"crypto/ecdsa"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/oauth2"

	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/identity"
)

// Claims are what the provider says about the person who signed in. They mask themselves.
type Claims struct {
	Issuer    string
	Subject   string
	Name      string // family name, a space of either width, given name
	Address   string
	BirthDate string // YYYY-MM-DD
	Gender    string // male, female, other
}

// LogValue masks the claims.
func (Claims) LogValue() slog.Value { return slog.StringValue(identity.Mask) }

// String masks the claims.
func (Claims) String() string { return identity.Mask }

// Client is one relying party at an OpenID provider.
type Client struct {
	Issuer      string
	ID          string
	RedirectURL string
	Scopes      []string // besides openid
	Key         *ecdsa.PrivateKey
}

// Provider speaks to an OpenID provider as one client: code flow, PKCE S256,
// private_key_jwt. It looks the provider up at the first sign-in, so that the backend
// starts while the provider is down. It is safe for concurrent use.
type Provider struct {
	client Client
	http   *http.Client
	kid    string
	ids    handle.Source
	now    func() time.Time

	mu     sync.Mutex
	found  *oidc.Provider
	failed time.Time
}

// discoveryPause is how long a failed look-up counts for the callers that come after.
const discoveryPause = 2 * time.Second

// maxProviderBytes caps an answer of the provider.
const maxProviderBytes = 1 << 20

// NewProvider makes a Provider. hc bounds the time of each call.
func NewProvider(c Client, hc *http.Client, now func() time.Time, rand io.Reader) (*Provider, error) {
	kid, err := thumbprint(&c.Key.PublicKey)
	if err != nil {
		return nil, err
	}
	bounded := *hc
	bounded.Transport = boundedTransport{hc.Transport}
	bounded.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Provider{client: c, http: &bounded, kid: kid, ids: handle.Source{Now: now, Rand: rand}, now: now}, nil
}

// boundedTransport cuts answers that are larger than any real one.
type boundedTransport struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b boundedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	next := b.next
	if next == nil {
		next = http.DefaultTransport
	}
	resp, err := next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxProviderBytes), resp.Body}
	return resp, nil
}

// discover finds the provider, once.
func (p *Provider) discover(ctx context.Context) (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	if p.now().Sub(p.failed) < discoveryPause {
		return nil, unavailable(errors.New("the provider did not answer a moment ago"))
	}
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, p.http), p.client.Issuer)
	if err != nil {
		p.failed = p.now()
		return nil, unavailable(errors.New("the provider's description cannot be read"))
	}
	p.found = found
	return found, nil
}

// unavailable hides what the provider wrote: its texts may quote the person.
func unavailable(err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		status := 0
		if refused.Response != nil {
			status = refused.Response.StatusCode
		}
		err = fmt.Errorf("the provider answered status %d", status)
	}
	return fault.Wrap(fault.Unavailable, err, "the sign-in service does not answer: try again later")
}

func (p *Provider) oauth(found *oidc.Provider) *oauth2.Config {
	endpoint := found.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInParams
	return &oauth2.Config{
		ClientID: p.client.ID, RedirectURL: p.client.RedirectURL, Endpoint: endpoint,
		Scopes: append([]string{oidc.ScopeOpenID}, p.client.Scopes...),
	}
}

// authorizationURL gives where to send the browser.
func (p *Provider) authorizationURL(ctx context.Context, f flow) (string, error) {
	found, err := p.discover(ctx)
	if err != nil {
		return "", err
	}
	return p.oauth(found).AuthCodeURL(f.state, oidc.Nonce(f.nonce), oauth2.S256ChallengeOption(f.verifier)), nil
}

var errSignIn = fault.New(fault.Unauthenticated, "the sign-in cannot be finished: begin again")

// redeem exchanges the code and gives who signed in.
func (p *Provider) redeem(ctx context.Context, f flow, code string) (Claims, error) {
	found, err := p.discover(ctx)
	if err != nil {
		return Claims{}, err
	}
	ctx = oidc.ClientContext(ctx, p.http)
	token, err := p.exchange(ctx, found, f, code)
	if err != nil {
		return Claims{}, err
	}
	id, err := p.idToken(ctx, found, token, f)
	if err != nil {
		return Claims{}, err
	}
	claims := Claims{Issuer: id.Issuer, Subject: id.Subject}
	if len(p.client.Scopes) == 0 {
		return claims, nil
	}
	return claims, p.userInfo(ctx, found, token, &claims)
}

func (p *Provider) exchange(ctx context.Context, found *oidc.Provider, f flow, code string) (*oauth2.Token, error) {
	assertion, err := p.assertion(found.Endpoint().TokenURL)
	if err != nil {
		return nil, err
	}
	token, err := p.oauth(found).Exchange(ctx, code, oauth2.VerifierOption(f.verifier),
		oauth2.SetAuthURLParam("client_assertion_type", assertionType),
		oauth2.SetAuthURLParam("client_assertion", assertion))
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.ErrorCode == "invalid_grant" {
		return nil, errSignIn
	}
	if err != nil {
		return nil, unavailable(err)
	}
	return token, nil
}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// assertion signs who we are (RFC 7523 section 2.2), for one use.
func (p *Provider) assertion(audience string) (string, error) {
	id, err := p.ids.New("jti")
	if err != nil {
		return "", err
	}
	now := p.now()
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.RegisteredClaims{
		Issuer: p.client.ID, Subject: p.client.ID, Audience: jwt.ClaimStrings{audience}, ID: id,
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Minute)),
	})
	token.Header["kid"] = p.kid
	signed, err := token.SignedString(p.client.Key)
	if err != nil {
		return "", fmt.Errorf("cannot sign the client assertion: %w", err)
	}
	return signed, nil
}

func (p *Provider) idToken(ctx context.Context, found *oidc.Provider, token *oauth2.Token, f flow) (*oidc.IDToken, error) {
	raw, ok := token.Extra("id_token").(string)
	if !ok || len(raw) > MaxTokenBytes {
		return nil, unavailable(errors.New("the provider sent no ID token"))
	}
	id, err := found.Verifier(&oidc.Config{
		ClientID: p.client.ID, SupportedSigningAlgs: []string{oidc.ES256, oidc.RS256, oidc.PS256}, Now: p.now,
	}).Verify(ctx, raw)
	if err != nil {
		return nil, fault.Wrap(fault.Unauthenticated, errors.New("the ID token was refused"), errSignIn.Message)
	}
	if len(id.Audience) != 1 || id.Subject == "" ||
		subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(f.nonce)) != 1 {
		return nil, errSignIn
	}
	return id, nil
}

// userInfo reads the person's four attributes.
func (p *Provider) userInfo(ctx context.Context, found *oidc.Provider, token *oauth2.Token, into *Claims) error {
	info, err := found.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return fault.New(fault.Unavailable, "the sign-in service does not tell who signed in")
	}
	if info.Subject != into.Subject {
		return errSignIn
	}
	var body struct {
		Name      string          `json:"name"`
		Address   json.RawMessage `json:"address"`
		BirthDate string          `json:"birthdate"`
		Gender    string          `json:"gender"`
	}
	if err := info.Claims(&body); err != nil {
		return fault.New(fault.Unavailable, "the sign-in service answered in a form that cannot be read")
	}
	into.Name, into.BirthDate, into.Gender = body.Name, body.BirthDate, body.Gender
	into.Address = addressText(body.Address)
	return nil
}

// addressText takes the address as an object (OpenID Connect Core section 5.1.1) or,
// as some providers write it, as text.
func addressText(raw json.RawMessage) string {
	var object struct {
		Formatted string `json:"formatted"`
	}
	if json.Unmarshal(raw, &object) == nil {
		return object.Formatted
	}
	var text string
	_ = json.Unmarshal(raw, &text) // an address in neither form is no address
	return text
}
