package oidc

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// grant is one sign-in: who, at which client, for what.
type grant struct {
	client      string
	redirectURI string
	challenge   string
	nonce       string
	sub         string
	scopes      map[string]bool
	authTime    time.Time
}

type codeState struct {
	grant
	expires time.Time
	used    bool
	token   string // what the code was exchanged for
}

type tokenState struct {
	grant
	expires time.Time
}

// grants remembers codes, access tokens and spent assertion ids while they could still
// matter, and forgets them after.
type grants struct {
	now  func() time.Time
	rand io.Reader

	mu     sync.Mutex
	codes  map[string]*codeState
	tokens map[string]*tokenState
	spent  map[string]time.Time // client and jti of assertions, until their exp
}

var (
	errFull     = errors.New("too many sign-ins at once")
	errNoGrant  = errors.New("the code is unknown, old or used")
	errReplayed = errors.New("the assertion was used before")
)

func newGrants(now func() time.Time, rand io.Reader) *grants {
	return &grants{now: now, rand: rand, codes: map[string]*codeState{},
		tokens: map[string]*tokenState{}, spent: map[string]time.Time{}}
}

// newCode remembers g under a fresh code.
func (s *grants) newCode(g grant) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
	if len(s.codes)+len(s.tokens) >= MaxLiveGrants {
		return "", errFull
	}
	code, err := s.secret()
	if err != nil {
		return "", err
	}
	s.codes[code] = &codeState{grant: g, expires: s.now().Add(CodeLifetime)}
	return code, nil
}

// redeem spends the code for an access token when fits says that the request is the one
// the code was made for. Whatever fits says, the code is spent; a second use takes the
// first one's token with it (ASVS 10.4.2).
func (s *grants) redeem(code string, fits func(grant) bool) (grant, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
	c, ok := s.codes[code]
	if !ok {
		return grant{}, "", errNoGrant
	}
	if c.used {
		delete(s.tokens, c.token)
		return grant{}, "", errNoGrant
	}
	c.used = true
	if !fits(c.grant) {
		return grant{}, "", errNoGrant
	}
	token, err := s.secret()
	if err != nil {
		return grant{}, "", err
	}
	c.token = token
	c.expires = s.now().Add(TokenLifetime) // remembered as long as its token, to see a reuse
	s.tokens[token] = &tokenState{grant: c.grant, expires: s.now().Add(TokenLifetime)}
	return c.grant, token, nil
}

// byToken gives the grant of a living access token.
func (s *grants) byToken(token string) (grant, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
	t, ok := s.tokens[token]
	if !ok {
		return grant{}, false
	}
	return t.grant, true
}

// spend marks an assertion id as used until the assertion itself is too old.
func (s *grants) spend(client, jti string, until time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
	key := client + "\x00" + jti
	if _, ok := s.spent[key]; ok {
		return errReplayed
	}
	if len(s.spent) >= MaxLiveGrants {
		return errFull
	}
	s.spent[key] = until
	return nil
}

// forget drops what can no longer matter. The caller holds the lock.
func (s *grants) forget() {
	now := s.now()
	for k, c := range s.codes {
		if !now.Before(c.expires) {
			delete(s.codes, k)
		}
	}
	for k, t := range s.tokens {
		if !now.Before(t.expires) {
			delete(s.tokens, k)
		}
	}
	for k, until := range s.spent {
		if now.After(until) {
			delete(s.spent, k)
		}
	}
}

func (s *grants) secret() (string, error) {
	var b [32]byte
	if _, err := io.ReadFull(s.rand, b[:]); err != nil {
		return "", fmt.Errorf("cannot read random bytes: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}
