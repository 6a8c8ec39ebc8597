// Package terminal is this terminal's own identity and its talk with the backend:
// enrolment, keys, profile, trust snapshot, and the calls of /terminal/v1.
//
// It promises: private keys never leave the state directory and only their owner may read
// them; a token is asked for with the terminal's key and kept in memory alone; every
// answer is bounded before it is read; no redirect leads to another host; a profile or
// trust bundle that cannot be used leaves the one in use as it is. Errors are faults:
// Unavailable means that the backend could not be reached or cannot work now; with the place
// "clock", that it is our own clock that does not let us trust its certificate (ClockFault).
// A clock that is wrong but lets the certificate pass costs nothing: a nonce of the backend
// then stands in place of a time.
package terminal

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"filippo.io/age"

	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/trust"
)

// The files below the state directory, beside the vault's.
const (
	stateFile   = "terminal.json"
	signKeyFile = "terminal.key" // PKCS #8 PEM, EC P-256: proves the terminal to the backend
	openKeyFile = "answers.key"  // age identity: opens answers
	profileFile = "profile.json"
	trustFolder = "trust"
)

// ErrNotEnrolled is in the chain of Load's error when the state directory has no enrolment.
var ErrNotEnrolled = errors.New("this terminal is not enrolled: run madoguchi-agent enroll")

// ErrNoTrust is in the chain of Trust's error when no trust bundle was ever fetched.
var ErrNoTrust = errors.New("this terminal has no trust bundle yet: connect it once")

// DefaultTimeout bounds one call other than a long poll.
const DefaultTimeout = 15 * time.Second

// Options say how a terminal works. StateDir, Now and Rand are required.
type Options struct {
	StateDir string
	HTTP     http.RoundTripper // nil: http.DefaultTransport
	Now      func() time.Time
	Rand     io.Reader
	Timeout  time.Duration // of one call; 0: DefaultTimeout
	Backend  string        // overrides the address that the terminal enrolled at
	Log      *slog.Logger  // nil: none
	// Heard is told of the time that an answer of the backend names. It may be nil.
	Heard func(time.Time)
	// Known is the newest time that the backend ever named, as it was kept; zero where none
	// was. It may be nil.
	Known func() time.Time
}

// State is what enrolment settled.
type State struct {
	Terminal      string    `json:"terminal"`
	Office        string    `json:"office"`
	Backend       string    `json:"backend"`
	TokenAudience string    `json:"token_audience"`
	EnrolledAt    time.Time `json:"enrolled_at"`
}

// Terminal is an enrolled terminal. Its methods are safe for concurrent use.
type Terminal struct {
	opts    Options
	state   State
	base    *url.URL
	client  *http.Client
	later   *http.Client // the same by a time that the backend named; nil where HTTP is not our own
	sign    *ecdsa.PrivateKey
	opening *age.X25519Identity

	mu      sync.Mutex // guards what follows
	token   token
	skew    time.Duration // the backend's clock less ours, where its answers told it
	heard   time.Time     // the newest time that an answer named
	profile storedProfile
	bundle  bundle
}

// Load reads an enrolled terminal. It does not use the network.
func Load(o Options) (*Terminal, error) {
	t, err := load(o)
	if err != nil {
		return nil, fmt.Errorf("cannot load the terminal: %w", err)
	}
	return t, nil
}

func load(o Options) (*Terminal, error) {
	var s State
	err := readJSON(filepath.Join(o.StateDir, stateFile), &s)
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNotEnrolled
	}
	if err != nil {
		return nil, err
	}
	if o.Backend == "" {
		o.Backend = s.Backend
	}
	t, err := connect(o)
	if err != nil {
		return nil, err
	}
	if t.sign, err = readSignKey(filepath.Join(o.StateDir, signKeyFile)); err != nil {
		return nil, err
	}
	if t.opening, err = readOpenKey(filepath.Join(o.StateDir, openKeyFile)); err != nil {
		return nil, err
	}
	t.state = s
	if err := t.readProfile(); err != nil {
		t.log().Warn("the stored profile cannot be read; it will be fetched", "error", err)
	}
	if err := t.readCurrentTrust(); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.log().Warn("the stored trust bundle cannot be read; it will be fetched", "error", err)
	}
	return t, nil
}

// connect makes a Terminal that can call the backend and knows nothing else.
func connect(o Options) (*Terminal, error) {
	if o.StateDir == "" || o.Now == nil || o.Rand == nil {
		return nil, errors.New("state directory, clock and randomness must be given")
	}
	base, err := backendURL(o.Backend)
	if err != nil {
		return nil, err
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.HTTP == nil {
		o.HTTP = http.DefaultTransport
	}
	t := &Terminal{opts: o, base: base, client: &http.Client{Transport: o.HTTP, CheckRedirect: sameHost}}
	if own, ok := o.HTTP.(*http.Transport); ok {
		t.later = &http.Client{Transport: byTime(own, t.known), CheckRedirect: sameHost}
	}
	return t, nil
}

// ID is the terminal's handle.
func (t *Terminal) ID() string { return t.state.Terminal }

// State is what enrolment settled.
func (t *Terminal) State() State { return t.state }

// Class is what the terminal may do, from its profile; empty before the first one came.
func (t *Terminal) Class() profile.Class { return t.Profile().Class }

// Profile is the newest profile that the terminal has; zero before the first one came.
func (t *Terminal) Profile() profile.Profile {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.profile.Profile
}

// Recipient is the age recipient that answers are sealed to.
func (t *Terminal) Recipient() string { return t.opening.Recipient().String() }

// Open opens what was sealed to the terminal: at most MaxSealed bytes, sealed.
func (t *Terminal) Open(sealed []byte) ([]byte, error) {
	plain, err := open(t.opening, sealed)
	if err != nil {
		return nil, fault.Wrap(fault.InvalidArgument, err, "this was not sealed to the terminal, or is damaged")
	}
	return plain, nil
}

// Trust is the snapshot that certificates are verified against.
func (t *Terminal) Trust(context.Context) (trust.Snapshot, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bundle.Folder == "" {
		return trust.Snapshot{}, fault.Wrap(fault.NotFound, ErrNoTrust, "no trust bundle")
	}
	return t.bundle.snapshot, nil
}

// TrustDir is the folder that Trust reads, in the --trust layout; "" when there is none.
func (t *Terminal) TrustDir() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bundle.Folder == "" {
		return ""
	}
	return filepath.Join(t.opts.StateDir, trustFolder, t.bundle.Folder)
}

func (t *Terminal) log() *slog.Logger {
	if t.opts.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return t.opts.Log
}
