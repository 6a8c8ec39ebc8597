// Package fhirpayer stands in for an insurer's FHIR R4 server: it answers
// CoverageEligibilityRequest/$submit from synthetic people.
//
// It is written from FHIR R4 and JP Core and shares no code with the programs that it is
// practised on. It promises to be strict: unknown members, missing ones, wrong systems,
// days and member ids are refused by an OperationOutcome; the same identifier gives the
// same answer, and with another content a conflict; where a client is registered, only its
// tokens are taken. It is slow, silent, busy or broken on request: see Behaviour.
package fhirpayer

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"madoguchi.example/deploy/practice/coverage"
)

// Paths of the server: the FHIR base, and the control beside it.
const (
	Path = "/practice/fhir"
	Base = Path + "/r4"
)

// Sizes and counts.
const (
	maxBody     = 256 << 10
	maxRequests = 100_000
	maxControl  = 64 << 10
)

// Config is what a Server works with. Register and Now are needed.
type Config struct {
	Register *coverage.Register
	Now      func() time.Time
	Client   *Client // nil: no token is asked for
	Rand     io.Reader
}

// Server is safe for concurrent use.
type Server struct {
	Config

	mu        sync.Mutex
	behaviour Behaviour
	used      int
	seen      map[string]*asked // by identifier
	tokens    map[string]time.Time
	jtis      map[string]bool
	state     State
}

type asked struct {
	digest [32]byte
	queued int // how often it was answered "queued"
}

// State is what happened so far.
type State struct {
	Requests  int    `json:"requests"`
	Answers   int    `json:"answers"`
	Queued    int    `json:"queued"`
	Refused   int    `json:"refused"`
	Tokens    int    `json:"tokens"`
	LastError string `json:"last_error,omitempty"` // the place that was refused, never its value
}

// Behaviour is how the server answers from now on. The zero value answers at once and well.
type Behaviour struct {
	DelayMS    int    `json:"delay_ms,omitempty" toml:"delay_ms"`
	Silent     bool   `json:"silent,omitempty" toml:"silent"`           // holds the request until its sender goes
	Queued     int    `json:"queued,omitempty" toml:"queued"`           // how often each request is answered "queued" first
	Status     int    `json:"status,omitempty" toml:"status"`           // answers with this status and no FHIR
	RetryAfter int    `json:"retry_after,omitempty" toml:"retry_after"` // seconds, with Status or Queued
	Issue      string `json:"issue,omitempty" toml:"issue"`             // answers 422 with an OperationOutcome of this code
	Error      string `json:"error,omitempty" toml:"error"`             // outcome "error" with this code
	Partial    bool   `json:"partial,omitempty" toml:"partial"`
	Broken     string `json:"broken,omitempty" toml:"broken"` // large, cut, html, other_type, other_day, no_inforce
	Times      int    `json:"times,omitempty" toml:"times"`   // for how many requests; 0 until changed
}

var breaks = map[string]bool{"": true, "large": true, "cut": true, "html": true, "other_type": true, "other_day": true, "no_inforce": true}

func (b Behaviour) validate() error {
	switch {
	case b.DelayMS < 0 || b.DelayMS > 600_000, b.Queued < 0, b.RetryAfter < 0, b.Times < 0:
		return errors.New("numbers must not be negative, delays at most 600000 ms")
	case b.Status != 0 && (b.Status < 300 || b.Status > 599):
		return errors.New("status must be between 300 and 599")
	case !breaks[b.Broken]:
		return errors.New("there is no such way of being broken")
	}
	return nil
}

// New makes a Server.
func New(c Config) (*Server, error) {
	if c.Register == nil || c.Now == nil || c.Client != nil && c.Rand == nil {
		return nil, errors.New("cannot start the practice FHIR payer: people and a clock are needed, and randomness where a client is registered")
	}
	return &Server{Config: c, seen: map[string]*asked{}, tokens: map[string]time.Time{}, jtis: map[string]bool{}}, nil
}

// Set changes the behaviour.
func (s *Server) Set(b Behaviour) error {
	if err := b.validate(); err != nil {
		return fmt.Errorf("cannot take the behaviour: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behaviour, s.used = b, 0
	return nil
}

// State tells what happened so far.
func (s *Server) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// Handler serves the FHIR base, the token address and the control. Serve it on loopback alone.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+Base+"/CoverageEligibilityRequest/$submit", s.submit)
	mux.HandleFunc("POST "+TokenPath, s.token)
	mux.HandleFunc("GET "+Path+"/state", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, "application/json", s.State()) })
	mux.HandleFunc("PUT "+Path+"/behaviour", func(w http.ResponseWriter, r *http.Request) {
		var b Behaviour
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxControl))
		d.DisallowUnknownFields()
		if err := d.Decode(&b); err != nil {
			http.Error(w, "the body is not JSON with the known keys", http.StatusBadRequest)
			return
		}
		if err := s.Set(b); err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		reply(w, http.StatusOK, "application/json", b)
	})
	return mux
}

// next gives the behaviour for one more request.
func (s *Server) next() Behaviour {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.behaviour
	s.state.Requests++
	s.used++
	if b.Times > 0 && s.used >= b.Times {
		s.behaviour, s.used = Behaviour{}, 0
	}
	return b
}

func (s *Server) submit(w http.ResponseWriter, r *http.Request) {
	b := s.next()
	if !s.waited(r, b) {
		return
	}
	if b.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(b.RetryAfter))
	}
	if b.Status != 0 {
		http.Error(w, "practice", b.Status)
		return
	}
	if !s.allowed(r) {
		s.refuse(w, http.StatusUnauthorized, "login", "Authorization")
		return
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/fhir+json" {
		s.refuse(w, http.StatusUnsupportedMediaType, "not-supported", "Content-Type")
		return
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		s.refuse(w, http.StatusRequestEntityTooLarge, "too-long", "body")
		return
	}
	q, place := parse(raw)
	if place != "" {
		s.refuse(w, http.StatusUnprocessableEntity, "invalid", place)
		return
	}
	if b.Issue != "" {
		s.refuse(w, http.StatusUnprocessableEntity, b.Issue, "practice")
		return
	}
	s.answer(w, q, sha256.Sum256(raw), b)
}

// waited delays as the behaviour says; false means that the sender went away.
func (s *Server) waited(r *http.Request, b Behaviour) bool {
	if b.Silent {
		<-r.Context().Done()
		return false
	}
	if b.DelayMS == 0 {
		return true
	}
	timer := time.NewTimer(time.Duration(b.DelayMS) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-r.Context().Done():
		return false
	case <-timer.C:
		return true
	}
}

// once remembers the request and tells whether it is to be answered "queued", and false
// where the same identifier came with another content.
func (s *Server) once(q question, digest [32]byte, b Behaviour) (queued, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.seen[q.identifier]
	if a == nil {
		if len(s.seen) >= maxRequests {
			clear(s.seen)
		}
		a = &asked{digest: digest}
		s.seen[q.identifier] = a
	}
	if a.digest != digest {
		return false, false
	}
	if a.queued < b.Queued {
		a.queued++
		s.state.Queued++
		return true, true
	}
	s.state.Answers++
	return false, true
}

func (s *Server) answer(w http.ResponseWriter, q question, digest [32]byte, b Behaviour) {
	queued, ok := s.once(q, digest, b)
	if !ok {
		s.refuse(w, http.StatusConflict, "duplicate", "CoverageEligibilityRequest.identifier")
		return
	}
	doc := s.response(q, b, queued)
	switch b.Broken {
	case "large":
		doc["disposition"] = strings.Repeat("あ", 200_000)
	case "other_type":
		doc["resourceType"] = "Coverage"
	case "html":
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html>welcome</html>")
		return
	case "cut":
		w.Header().Set("Content-Type", "application/fhir+json")
		fmt.Fprint(w, `{"resourceType":"CoverageEligibilityResponse","outcome":"comp`)
		return
	}
	reply(w, http.StatusOK, "application/fhir+json", doc)
}

// refuse answers with an OperationOutcome that names the place.
func (s *Server) refuse(w http.ResponseWriter, status int, code, place string) {
	s.mu.Lock()
	s.state.Refused++
	s.state.LastError = place
	s.mu.Unlock()
	reply(w, status, "application/fhir+json", object{"resourceType": "OperationOutcome", "issue": []object{
		{"severity": "error", "code": code, "expression": []string{place}},
	}})
}

type object = map[string]any

func reply(w http.ResponseWriter, status int, kind string, v any) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that went away needs no answer
}
