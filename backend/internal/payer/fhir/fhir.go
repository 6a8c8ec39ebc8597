// Package fhir is a payer that is asked over FHIR R4: one CoverageEligibilityRequest for
// each check, by the operation $submit, with what the payer needs inside it.
//
// It promises: servicedDate is the visit day, and the same check asked again is the same
// request; only a payer's own inforce=false is invalid, everything that it cannot say is
// "not yet", or an error that says nothing of the coverage; a busy or broken payer is left
// alone for as long as it says and its checks stay open. Numbers are in memory alone: no
// log, error or access entry holds more than a record's handle and a code. No citizen is
// looked up here, so that there is no access entry to write.
package fhir

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"filippo.io/age"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/payer"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/fault"
)

// Limits of one run.
const (
	DefaultTimeout = 10 * time.Second // of one request
	Budget         = time.Minute      // of all requests of one run; the rest stays open
	AtOnce         = 4                // requests
	longestPause   = time.Hour        // that a payer's Retry-After is believed
	shortPause     = 10 * time.Second // after a payer that broke without saying how long
)

// Config says whom to ask and how.
type Config struct {
	ID   string // in profiles and checks
	Name string // shown at terminals
	// BaseURL is the server's FHIR base, https; http on this machine alone.
	BaseURL string
	Key     *age.X25519Identity // inquiries are sealed to it
	Timeout time.Duration       // of one request; 0 is DefaultTimeout
	Roots   *x509.CertPool      // nil: those of the machine
	// Token gives the bearer token; nil: none is sent. Bearer and Credentials make one.
	Token TokenSource
	// NoneFound and SeveralFound are the payer's error codes that say so; all others are errors.
	NoneFound    []string
	SeveralFound []string
	Now          func() time.Time
	Log          *slog.Logger
}

// Payer implements payer.Payer. It is safe for concurrent use.
type Payer struct {
	Config
	submit string
	http   *http.Client

	mu    sync.Mutex
	until time.Time // not asked before
}

var _ payer.Payer = (*Payer)(nil)

var idForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`)

// New makes a Payer; it does not call anybody. Faults name the setting.
func New(c Config) (*Payer, error) {
	switch {
	case !idForm.MatchString(c.ID) || c.ID == payer.RegistryID:
		return nil, errors.New("cannot set up a FHIR payer: id: must be a short name in lower case, and not registry")
	case c.Name == "":
		return nil, errors.New("cannot set up a FHIR payer: name: must be given")
	case c.Key == nil || c.Now == nil || c.Log == nil:
		return nil, errors.New("cannot set up a FHIR payer: key, clock and log are needed")
	case c.Timeout < 0 || c.Timeout > Budget:
		return nil, fmt.Errorf("cannot set up a FHIR payer: timeout: must be at most %v", Budget)
	}
	base, err := CheckURL(c.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("cannot set up a FHIR payer: base_url: %w", err)
	}
	c.Timeout = cmp.Or(c.Timeout, DefaultTimeout)
	return &Payer{Config: c, submit: strings.TrimRight(base.String(), "/") + "/CoverageEligibilityRequest/$submit", http: Client(c.Roots, c.Timeout)}, nil
}

// CheckURL tells whether an address may be sent numbers: https, or http to this machine.
func CheckURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("must be an address without name, query and fragment")
	}
	host := u.Hostname()
	ip := net.ParseIP(host)
	if u.Scheme != "https" && !(u.Scheme == "http" && (host == "localhost" || ip != nil && ip.IsLoopback())) {
		return nil, errors.New("must be https; http goes to this machine alone")
	}
	return u, nil
}

// Client makes a client that trusts these roots (nil: those of the machine), ends each call
// in time and follows no redirect: what is asked goes to the configured server alone.
func Client(roots *x509.CertPool, timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    AtOnce,
			MaxResponseHeaderBytes: 64 << 10,
			IdleConnTimeout:        time.Minute,
			TLSHandshakeTimeout:    timeout,
		},
	}
}

// ID implements payer.Payer.
func (p *Payer) ID() string { return p.Config.ID }

// Published is how the payer stands in terminals' profiles.
func (p *Payer) Published() profile.Payer {
	return profile.Payer{ID: p.Config.ID, Name: p.Name, Recipient: p.Key.Recipient().String()}
}

// Answer implements payer.Payer. Checks that could not be asked, or have no word yet, are
// told as waiting; it is an error only where no check at all has a word and the payer broke.
func (p *Payer) Answer(ctx context.Context, _ actor.System, _ audit.Purpose, checks []payer.Check) ([]payer.Finding, error) {
	if wait := p.paused(); wait > 0 {
		return waiting(len(checks), wait), nil
	}
	ctx, cancel := context.WithTimeout(ctx, Budget)
	defer cancel()
	r := &run{payer: p, checks: checks, findings: waiting(len(checks), 0)}
	r.all(ctx)
	p.report(ctx, r)
	if r.broke != nil && r.words == 0 {
		return nil, r.broke
	}
	if wait := p.paused(); wait > 0 {
		for i := range r.findings {
			if r.findings[i].Waiting {
				r.findings[i].Again = max(r.findings[i].Again, wait)
			}
		}
	}
	return r.findings, nil
}

func waiting(n int, again time.Duration) []payer.Finding {
	out := make([]payer.Finding, n)
	for i := range out {
		out[i] = payer.Finding{Waiting: true, Again: again}
	}
	return out
}

// paused tells for how long the payer is to be left alone.
func (p *Payer) paused() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.until.Sub(p.Now())
}

func (p *Payer) pause(d time.Duration) {
	until := p.Now().Add(min(d, longestPause))
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.After(p.until) {
		p.until = until
	}
}

// run is one call of Answer. After a check that broke the line no more are asked.
type run struct {
	payer    *Payer
	checks   []payer.Check
	findings []payer.Finding

	mu    sync.Mutex
	broke error
	words int // answered or refused
}

func (r *run) all(ctx context.Context) {
	next := make(chan int)
	var all sync.WaitGroup
	for range min(AtOnce, len(r.checks)) {
		all.Go(func() {
			for i := range next {
				if ctx.Err() == nil && !r.isBroken() {
					r.one(ctx, i)
				}
			}
		})
	}
	for i := range r.checks {
		next <- i
	}
	close(next)
	all.Wait()
}

func (r *run) isBroken() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broke != nil
}

// one asks about one check and keeps what came of it.
func (r *run) one(ctx context.Context, i int) {
	f, err := r.payer.one(ctx, r.checks[i])
	r.mu.Lock()
	defer r.mu.Unlock()
	if broken, ok := errors.AsType[*brokenError](err); ok {
		if r.broke == nil {
			r.broke = broken
		}
		return
	}
	if err != nil {
		r.payer.Log.LogAttrs(ctx, slog.LevelWarn, "a payer's answer was not taken", slog.String("payer", r.payer.Config.ID),
			slog.String("record", r.checks[i].RecordID), slog.String("reason", err.Error()))
		return // it stays open
	}
	r.findings[i] = f
	if !f.Waiting {
		r.words++
	}
}

func (p *Payer) one(ctx context.Context, c payer.Check) (payer.Finding, error) {
	q, err := payer.Unseal(p.Key, c)
	if err != nil {
		return payer.Finding{Refused: fault.CodeOf(err)}, nil
	}
	request, err := ask(q)
	if err != nil {
		return payer.Finding{Refused: fault.CodeOf(err)}, nil
	}
	reply, err := p.call(ctx, request)
	switch {
	case err != nil:
		return payer.Finding{}, err
	case reply.later:
		return payer.Finding{Waiting: true, Again: reply.again}, nil
	case reply.refused != "":
		return payer.Finding{Refused: reply.refused}, nil
	}
	f, err := p.word(q, reply.response)
	if f.Waiting {
		f.Again = reply.again
	}
	return f, err
}

// report tells counts, never what was asked.
func (p *Payer) report(ctx context.Context, r *run) {
	level, reason := slog.LevelInfo, ""
	if r.broke != nil {
		level, reason = slog.LevelWarn, r.broke.Error()
	}
	p.Log.LogAttrs(ctx, level, "a payer was asked", slog.String("payer", p.Config.ID), slog.Int("checks", len(r.checks)),
		slog.Int("words", r.words), slog.String("reason", reason))
}
