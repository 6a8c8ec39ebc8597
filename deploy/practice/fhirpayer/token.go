package fhirpayer

import (
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// TokenPath is where a registered client gets its tokens.
const TokenPath = Path + "/token"

// Client is a registered client. Audience is what its assertions must be for: the token
// address as the client knows it.
type Client struct {
	ID       string
	Audience string
	Keys     jose.JSONWebKeySet
}

const (
	tokenLife    = 5 * time.Minute
	longestProof = 5 * time.Minute
	assertion    = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// token takes private_key_jwt alone, each assertion once.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxControl)
	if s.Client == nil || r.ParseForm() != nil || len(r.URL.RawQuery) > 0 || r.PostForm.Get("grant_type") != "client_credentials" ||
		r.PostForm.Get("client_assertion_type") != assertion || !s.proven(r.PostForm.Get("client_assertion")) {
		reply(w, http.StatusBadRequest, "application/json", map[string]string{"error": "invalid_client"})
		return
	}
	raw := make([]byte, 16)
	if _, err := io.ReadFull(s.Rand, raw); err != nil {
		http.Error(w, "no randomness", http.StatusInternalServerError)
		return
	}
	token := hex.EncodeToString(raw)
	s.mu.Lock()
	s.tokens[token] = s.Now().Add(tokenLife)
	s.state.Tokens++
	s.mu.Unlock()
	reply(w, http.StatusOK, "application/json", object{"access_token": token, "token_type": "bearer", "expires_in": int(tokenLife / time.Second)})
}

func (s *Server) proven(raw string) bool {
	t, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return false
	}
	now := s.Now()
	for _, key := range s.Client.Keys.Keys {
		var c jwt.Claims
		if t.Claims(key.Key, &c) != nil {
			continue
		}
		err := c.ValidateWithLeeway(jwt.Expected{Issuer: s.Client.ID, Subject: s.Client.ID, AnyAudience: jwt.Audience{s.Client.Audience}, Time: now}, 0)
		if err != nil || c.Expiry == nil || c.Expiry.Time().Sub(now) > longestProof || c.ID == "" {
			return false
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.jtis[c.ID] {
			return false
		}
		s.jtis[c.ID] = true
		return true
	}
	return false
}

// allowed tells whether the request bears a token that is good now, where one is needed.
func (s *Server) allowed(r *http.Request) bool {
	if s.Client == nil {
		return true
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	defer s.mu.Unlock()
	until, known := s.tokens[token]
	return ok && known && s.Now().Before(until)
}
