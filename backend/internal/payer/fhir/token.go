package fhir

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"madoguchi.example/shared/handle"
)

// TokenSource gives a bearer token; fresh wants another one than the last, which was refused.
type TokenSource func(ctx context.Context, fresh bool) (string, error)

// Sizes in bytes.
const (
	maxToken      = 16 << 10
	maxTokenReply = 64 << 10
)

const (
	assertionLife = 2 * time.Minute
	tokenMargin   = 30 * time.Second // a token is not used so shortly before its end
	unsaidLife    = time.Minute      // of a token whose life is not told
)

// tokenError is why there is no token; it names no secret.
type tokenError struct{ reason string }

// Error tells the reason.
func (e *tokenError) Error() string { return e.reason }

// Bearer reads the token from a file each time, so that it can be changed while we run.
func Bearer(file string) TokenSource {
	return func(context.Context, bool) (string, error) {
		f, err := os.Open(file)
		if err != nil {
			return "", &tokenError{"the token's file cannot be read"}
		}
		defer f.Close()
		raw, err := io.ReadAll(io.LimitReader(f, maxToken+1))
		token := strings.TrimSpace(string(raw))
		if err != nil || !isToken(token) {
			return "", &tokenError{"the token's file holds no token"}
		}
		return token, nil
	}
}

// isToken tells whether s can stand in a header (RFC 6750 section 2.1).
func isToken(s string) bool {
	return s != "" && len(s) <= maxToken && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// Credentials gets tokens by private_key_jwt (SMART Backend Services): a client proves
// itself with its ES256 key at the token address.
type Credentials struct {
	TokenURL string
	ClientID string
	KeyID    string // named in the assertion; may be empty
	Scope    string
	Key      *ecdsa.PrivateKey
	HTTP     *http.Client // see Client; nil: one with the machine's roots
	Now      func() time.Time
	Rand     io.Reader
}

// Source gives tokens, each used until shortly before its end.
func (c Credentials) Source() (TokenSource, error) {
	if _, err := CheckURL(c.TokenURL); err != nil {
		return nil, fmt.Errorf("cannot set up a FHIR payer: token_url: %w", err)
	}
	if c.ClientID == "" || c.Key == nil || c.Now == nil || c.Rand == nil {
		return nil, errors.New("cannot set up a FHIR payer: client_id and client_key_file are needed")
	}
	if c.HTTP == nil {
		c.HTTP = Client(nil, DefaultTimeout)
	}
	s := &tokens{Credentials: c, ids: handle.Source{Now: c.Now, Rand: c.Rand}}
	return s.token, nil
}

type tokens struct {
	Credentials
	ids handle.Source

	mu    sync.Mutex
	value string
	until time.Time
}

func (s *tokens) token(ctx context.Context, fresh bool) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !fresh && s.value != "" && s.Now().Before(s.until) {
		return s.value, nil
	}
	s.value = ""
	assertion, err := s.assertion()
	if err != nil {
		return "", err
	}
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
	if s.Scope != "" {
		form.Set("scope", s.Scope)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return "", &tokenError{"the token address is malformed"}
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	answer, err := s.HTTP.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	return s.keep(answer)
}

func (s *tokens) keep(answer *http.Response) (string, error) {
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxTokenReply+1))
	if err != nil {
		return "", err
	}
	if answer.StatusCode != http.StatusOK {
		return "", &tokenError{fmt.Sprintf("the token address answers status %d", answer.StatusCode)}
	}
	var told struct {
		Token     string `json:"access_token"`
		Type      string `json:"token_type"`
		ExpiresIn int64  `json:"expires_in"`
	}
	if len(raw) > maxTokenReply || json.Unmarshal(raw, &told) != nil || !isToken(told.Token) || !strings.EqualFold(told.Type, "bearer") {
		return "", &tokenError{"the token address gives no bearer token"}
	}
	life := unsaidLife
	if told.ExpiresIn > 0 {
		life = time.Duration(min(told.ExpiresIn, 24*60*60))*time.Second - tokenMargin
	}
	s.value, s.until = told.Token, s.Now().Add(life)
	return s.value, nil
}

func (s *tokens) assertion() (string, error) {
	id, err := s.ids.UUID()
	if err != nil {
		return "", err
	}
	now := s.Now()
	t := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.RegisteredClaims{
		Issuer: s.ClientID, Subject: s.ClientID, Audience: jwt.ClaimStrings{s.TokenURL}, ID: id.String(),
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(assertionLife)),
	})
	if s.KeyID != "" {
		t.Header["kid"] = s.KeyID
	}
	signed, err := t.SignedString(s.Key)
	if err != nil {
		return "", &tokenError{"the client's key cannot sign"}
	}
	return signed, nil
}
