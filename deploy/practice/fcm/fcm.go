// Package fcm is a strict stand-in for FCM HTTP v1 messages:send, for practice and tests.
//
// It promises to take exactly one call, POST /v1/projects/{project}/messages:send, to
// validate the message as the published reference of projects.messages says (unknown
// fields, data values that are no strings, reserved keys, more than 4,096 bytes and
// targets that are no token are INVALID_ARGUMENT), to remember what it took, and to fail
// as it was told to per token, with the answers that Firebase gives (UNREGISTERED,
// QUOTA_EXCEEDED, UNAVAILABLE and so on). It sends nothing anywhere.
//
// Topics and conditions are refused: the name of a topic says who its members are, and
// no program of ours may use one.
//
// Beside it, for tests: GET /practice/fcm/messages?token=… lists what was taken, and
// PUT /practice/fcm/faults scripts the next faults of a token.
package fcm

import (
	"encoding/hex"
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
)

// Limits.
const (
	MaxBodyBytes    = 32 << 10 // the whole request
	MaxPayloadBytes = 4096     // data and notification, as FCM counts them
	MaxRemembered   = 10_000   // messages kept; older ones are forgotten first
	MaxFaultTokens  = 10_000
)

// Config is what a Server is made of. RequireBearer refuses calls without credentials.
type Config struct {
	Project       string
	RequireBearer bool
	Now           func() time.Time
	Rand          io.Reader
}

// Taken is one message that was taken.
type Taken struct {
	Name    string          `json:"name"`
	At      time.Time       `json:"at"`
	Token   string          `json:"token"`
	DryRun  bool            `json:"dry_run"`
	Message json.RawMessage `json:"message"` // as it came, byte for byte
}

// Fault is one scripted failure of a token: an error code of FCM, how often (0 means
// from now on), and, for those that ask to wait, for how many seconds.
type Fault struct {
	Code       string `json:"code"`
	Times      int    `json:"times"`
	RetryAfter int    `json:"retry_after"`
}

// Server is a practice FCM. Its state is in memory. It is safe for concurrent use.
type Server struct {
	cfg Config

	mu     sync.Mutex
	taken  []Taken
	faults map[string][]Fault
}

// New makes a server.
func New(cfg Config) (*Server, error) {
	if cfg.Project == "" || cfg.Now == nil || cfg.Rand == nil {
		return nil, errors.New("cannot make the practice FCM: a project, a clock and a random source are needed")
	}
	return &Server{cfg: cfg, faults: map[string][]Fault{}}, nil
}

// Handler serves FCM below /v1 and the practice views below /practice/fcm.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/projects/{project}/messages:send", s.send)
	mux.HandleFunc("GET /practice/fcm/messages", s.list)
	mux.HandleFunc("PUT /practice/fcm/faults", s.script)
	return mux
}

// Messages lists what was taken for the token, oldest first; all with an empty token.
func (s *Server) Messages(token string) []Taken {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Taken{}
	for _, t := range s.taken {
		if token == "" || t.Token == token {
			out = append(out, t)
		}
	}
	return out
}

// Script replaces the faults of the token; they come in order.
func (s *Server) Script(token string, faults ...Fault) error {
	for _, f := range faults {
		if _, ok := errorTable[f.Code]; !ok || f.Times < 0 || f.RetryAfter < 0 || f.RetryAfter > 3600 {
			return errors.New("cannot script a fault: unknown code or numbers out of range")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(faults) == 0 {
		delete(s.faults, token)
		return nil
	}
	if len(s.faults) >= MaxFaultTokens {
		return errors.New("cannot script a fault: too many tokens have one")
	}
	s.faults[token] = append([]Fault(nil), faults...)
	return nil
}

func (s *Server) send(w http.ResponseWriter, r *http.Request) {
	if fault := s.callFault(r); fault != nil {
		fault.write(w)
		return
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBodyBytes))
	if err != nil {
		invalid("request", "the request is too large").write(w)
		return
	}
	req, fault := Decode(raw)
	if fault != nil {
		fault.write(w)
		return
	}
	if f, ok := s.nextFault(req.Token); ok {
		scripted(f).write(w)
		return
	}
	name, err := s.remember(req)
	if err != nil {
		scripted(Fault{Code: "INTERNAL"}).write(w)
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"name": name})
}

// callFault checks what stands around the message.
func (s *Server) callFault(r *http.Request) *Error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	auth := r.Header.Get("Authorization")
	switch {
	case auth == "" && s.cfg.RequireBearer, auth != "" && !bearer(auth):
		return &Error{Status: http.StatusUnauthorized, Name: "UNAUTHENTICATED",
			Message: "Request had invalid authentication credentials."}
	case r.PathValue("project") != s.cfg.Project:
		return &Error{Status: http.StatusForbidden, Name: "PERMISSION_DENIED", Message: "The project is not known here."}
	case err != nil || kind != "application/json":
		return invalid("Content-Type", "it must be application/json")
	}
	return nil
}

func bearer(auth string) bool {
	scheme, token, _ := strings.Cut(auth, " ")
	return strings.EqualFold(scheme, "Bearer") && token != "" && !strings.ContainsAny(token, " ,")
}

func (s *Server) nextFault(token string) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	queue := s.faults[token]
	if len(queue) == 0 {
		return Fault{}, false
	}
	f := queue[0]
	if f.Times == 1 {
		queue = queue[1:]
	} else if f.Times > 1 {
		queue[0].Times--
	}
	if len(queue) == 0 {
		delete(s.faults, token)
	} else {
		s.faults[token] = queue
	}
	return f, true
}

func (s *Server) remember(req Send) (string, error) {
	var b [12]byte
	if _, err := io.ReadFull(s.cfg.Rand, b[:]); err != nil {
		return "", fmt.Errorf("cannot name the message: %w", err)
	}
	name := "projects/" + s.cfg.Project + "/messages/" + hex.EncodeToString(b[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.taken) >= MaxRemembered {
		s.taken = append(s.taken[:0], s.taken[1:]...)
	}
	s.taken = append(s.taken, Taken{Name: name, At: s.cfg.Now().UTC(), Token: req.Token,
		DryRun: req.ValidateOnly, Message: req.Raw})
	return name, nil
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"messages": s.Messages(r.URL.Query().Get("token"))})
}

func (s *Server) script(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBodyBytes))
	if err != nil {
		invalid("request", "the request is too large").write(w)
		return
	}
	var in struct {
		Token  string  `json:"token"`
		Faults []Fault `json:"faults"`
	}
	if err := strict(raw, &in); err != nil || in.Token == "" {
		invalid("request", "it must be {token, faults: [{code, times, retry_after}]}").write(w)
		return
	}
	if err := s.Script(in.Token, in.Faults...); err != nil {
		invalid("faults", err.Error()).write(w)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// Error is an answer of Google's shape (google.rpc.Status with FcmError).
type Error struct {
	Status     int    // HTTP
	Name       string // canonical status
	Code       string // FcmError.errorCode, may be empty
	Message    string
	Place      string // the field at fault, for INVALID_ARGUMENT
	RetryAfter int    // seconds
}

// Error gives the status, the place and the message.
func (e *Error) Error() string { return strings.TrimSpace(e.Name + " " + e.Place + " " + e.Message) }

// errorTable is the published table of ErrorCode.
var errorTable = map[string]Error{
	"UNREGISTERED":           {Status: 404, Name: "NOT_FOUND", Message: "Requested entity was not found."},
	"SENDER_ID_MISMATCH":     {Status: 403, Name: "PERMISSION_DENIED", Message: "SenderId mismatch"},
	"QUOTA_EXCEEDED":         {Status: 429, Name: "RESOURCE_EXHAUSTED", Message: "Quota exceeded."},
	"UNAVAILABLE":            {Status: 503, Name: "UNAVAILABLE", Message: "The service is currently unavailable."},
	"INTERNAL":               {Status: 500, Name: "INTERNAL", Message: "Internal error encountered."},
	"THIRD_PARTY_AUTH_ERROR": {Status: 401, Name: "UNAUTHENTICATED", Message: "Auth error from APNS or Web Push Service"},
	"INVALID_ARGUMENT":       {Status: 400, Name: "INVALID_ARGUMENT", Message: "The registration token is not a valid FCM registration token"},
}

func scripted(f Fault) *Error {
	e := errorTable[f.Code]
	e.Code, e.RetryAfter = f.Code, f.RetryAfter
	return &e
}

func invalid(place, message string) *Error {
	return &Error{Status: http.StatusBadRequest, Name: "INVALID_ARGUMENT", Code: "INVALID_ARGUMENT",
		Message: "Invalid value at '" + place + "': " + message, Place: place}
}

func (e *Error) write(w http.ResponseWriter) {
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.RetryAfter))
	}
	var details []any
	if e.Code != "" {
		details = append(details, map[string]string{
			"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": e.Code})
	}
	if e.Place != "" {
		details = append(details, map[string]any{"@type": "type.googleapis.com/google.rpc.BadRequest",
			"fieldViolations": []map[string]string{{"field": e.Place, "description": e.Message}}})
	}
	writeJSON(w, e.Status, map[string]any{"error": map[string]any{
		"code": e.Status, "message": e.Message, "status": e.Name, "details": details}})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	// The status is out: a failed write means that the caller has gone.
	_ = json.NewEncoder(w).Encode(v)
}
