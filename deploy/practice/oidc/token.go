package oidc

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// assertionType is the one value of client_assertion_type (RFC 7523 section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

var verifierPattern = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)

// tokenError is an answer of RFC 6749 section 5.2.
type tokenError struct {
	status      int
	code        string
	description string
}

func (e *tokenError) Error() string { return e.code + ": " + e.description }

func badRequest(code, description string) error {
	return &tokenError{http.StatusBadRequest, code, description}
}

func badClient(description string) error {
	return &tokenError{http.StatusUnauthorized, "invalid_client", description}
}

// token is the token endpoint (OpenID Connect Core section 3.1.3).
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	answer, err := p.exchange(w, r)
	if err == nil {
		writeJSON(w, http.StatusOK, answer)
		return
	}
	var no *tokenError
	if !errors.As(err, &no) {
		no = &tokenError{http.StatusInternalServerError, "server_error", "the practice provider failed"}
	}
	writeJSON(w, no.status, map[string]string{"error": no.code, "error_description": no.description})
}

func (p *Provider) exchange(w http.ResponseWriter, r *http.Request) (map[string]any, error) {
	form, err := tokenForm(w, r)
	if err != nil {
		return nil, err
	}
	client, err := p.authenticate(form)
	if err != nil {
		return nil, err
	}
	if form.Get("grant_type") != "authorization_code" {
		return nil, badRequest("unsupported_grant_type", "only authorization_code is supported")
	}
	verifier := form.Get("code_verifier")
	g, access, err := p.grants.redeem(form.Get("code"), func(g grant) bool {
		return g.client == client.ID && g.redirectURI == form.Get("redirect_uri") && fitsChallenge(verifier, g.challenge)
	})
	if errors.Is(err, errNoGrant) {
		return nil, badRequest("invalid_grant", "the code is unknown, old, used or not for this request")
	}
	if err != nil {
		return nil, err
	}
	id, err := p.idToken(g)
	if err != nil {
		return nil, err
	}
	return map[string]any{"access_token": access, "token_type": "Bearer",
		"expires_in": int(TokenLifetime / time.Second), "id_token": id}, nil
}

func tokenForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if r.Header.Get("Authorization") != "" {
		return nil, badClient("only private_key_jwt is supported")
	}
	if r.URL.RawQuery != "" {
		return nil, badRequest("invalid_request", "parameters belong in the body")
	}
	body, err := readForm(w, r)
	if err != nil {
		return nil, badRequest("invalid_request", "the body must be a form of at most 16 KiB")
	}
	form, err := url.ParseQuery(body)
	if err != nil {
		return nil, badRequest("invalid_request", "the form is malformed")
	}
	for _, vs := range form {
		if len(vs) > 1 {
			return nil, badRequest("invalid_request", "a parameter stands there twice")
		}
	}
	if form.Has("client_secret") {
		return nil, badClient("only private_key_jwt is supported")
	}
	return form, nil
}

func readForm(w http.ResponseWriter, r *http.Request) (string, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return "", errors.New("not a form")
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxFormBytes))
	return string(raw), err
}

func fitsChallenge(verifier, challenge string) bool {
	if !verifierPattern.MatchString(verifier) {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	got := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(got), []byte(challenge)) == 1
}

// authenticate checks private_key_jwt (OpenID Connect Core section 9, RFC 7523 section 3).
func (p *Provider) authenticate(form url.Values) (Client, error) {
	if form.Get("client_assertion_type") != assertionType {
		return Client{}, badClient("client_assertion_type is missing or wrong")
	}
	client, claims, err := VerifyAssertion(form.Get("client_assertion"), p.clients)
	if err != nil {
		return Client{}, badClient(err.Error())
	}
	if id := form.Get("client_id"); form.Has("client_id") && id != client.ID {
		return Client{}, badClient("client_id is not the assertion's")
	}
	if err := p.checkClaims(claims); err != nil {
		return Client{}, badClient(err.Error())
	}
	if err := p.grants.spend(client.ID, claims.ID, claims.Expiry.Time()); err != nil {
		return Client{}, badClient(err.Error())
	}
	return client, nil
}

// VerifyAssertion finds the client whose key signed the assertion. It checks the
// signature and that issuer and subject are the client's id; times, audience and single
// use are the caller's.
func VerifyAssertion(compact string, clients map[string]Client) (Client, jwt.Claims, error) {
	var no jwt.Claims
	if compact == "" || len(compact) > MaxFormBytes {
		return Client{}, no, errors.New("client_assertion is missing or too long")
	}
	token, err := jwt.ParseSigned(compact, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return Client{}, no, errors.New("client_assertion is not a JWT signed with ES256")
	}
	var claimed jwt.Claims
	if err := token.UnsafeClaimsWithoutVerification(&claimed); err != nil {
		return Client{}, no, errors.New("client_assertion has malformed claims")
	}
	client, ok := clients[claimed.Issuer]
	if !ok || claimed.Subject != claimed.Issuer {
		return Client{}, no, errors.New("client_assertion must have iss = sub = client_id")
	}
	for _, key := range keysFor(client, token.Headers) {
		var claims jwt.Claims
		if token.Claims(key, &claims) == nil {
			return client, claims, nil
		}
	}
	return Client{}, no, errors.New("client_assertion is not signed by a key of this client")
}

// keysFor gives the keys that the assertion's kid names, or all where it names none.
func keysFor(c Client, headers []jose.Header) []jose.JSONWebKey {
	if len(headers) == 1 && headers[0].KeyID != "" {
		return c.Keys.Key(headers[0].KeyID)
	}
	return c.Keys.Keys
}

func (p *Provider) checkClaims(c jwt.Claims) error {
	now := p.cfg.Now()
	switch {
	case !c.Audience.Contains(p.cfg.Issuer) && !c.Audience.Contains(p.cfg.Issuer+endpointToken):
		return errors.New("aud must be the issuer or the token endpoint")
	case c.Expiry == nil:
		return errors.New("exp is missing")
	case !now.Before(c.Expiry.Time()):
		return errors.New("the assertion has expired")
	case c.Expiry.Time().Sub(now) > AssertionLifetime:
		return errors.New("exp is too far away")
	case c.IssuedAt != nil && c.IssuedAt.Time().After(now.Add(time.Minute)):
		return errors.New("iat is in the future")
	case c.NotBefore != nil && c.NotBefore.Time().After(now.Add(time.Minute)):
		return errors.New("nbf is in the future")
	case c.ID == "" || len(c.ID) > 256:
		return errors.New("jti is missing or too long")
	}
	return nil
}

// idToken makes the ID token (OpenID Connect Core section 2).
func (p *Provider) idToken(g grant) (string, error) {
	now := p.cfg.Now()
	return jwt.Signed(p.signer).Claims(map[string]any{
		"iss": p.cfg.Issuer, "sub": g.sub, "aud": g.client, "nonce": g.nonce,
		"iat": now.Unix(), "exp": now.Add(TokenLifetime).Unix(), "auth_time": g.authTime.Unix(), "acr": "aal3",
	}).Serialize()
}

// userinfo answers the claims of the scopes (OpenID Connect Core section 5.3).
func (p *Provider) userinfo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		writeJSON(w, http.StatusMethodNotAllowed, map[string]string{"error": "invalid_request"})
		return
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	g, ok := p.grants.byToken(token)
	if !strings.EqualFold(scheme, "Bearer") || !ok {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "invalid_token"})
		return
	}
	writeJSON(w, http.StatusOK, p.claims(g))
}

func (p *Provider) claims(g grant) map[string]any {
	person := p.people[g.sub]
	out := map[string]any{"sub": g.sub}
	all := map[string]any{"name": person.Name, "address": map[string]string{"formatted": person.Address},
		"birthdate": person.BirthDate, "gender": person.Gender}
	for scope, value := range all {
		if g.scopes[scope] {
			out[scope] = value
		}
	}
	return out
}
