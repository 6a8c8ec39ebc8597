package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The faults of the backend.
const (
	NoNetwork         = "no_network"          // this machine has no way out
	NoName            = "no_name"             // nobody knows the backend's name
	RefusedConnection = "refused"             // the machine is there, and nothing listens
	TimedOut          = "timeout"             // nothing comes back
	TLSNotYetValid    = "tls_not_yet_valid"   // its certificate begins after our clock
	TLSExpired        = "tls_expired"         // its certificate has ended, or our clock is ahead
	TLSAuthority      = "tls_wrong_authority" // nobody that we trust signed its certificate
	TLSName           = "tls_wrong_name"      // its certificate is another's
	TLSOther          = "tls_failed"
	Captive           = "captive" // a page for people answers in its place
	Out               = "out"     // it answers that it cannot work now
	NotOurs           = "not_ours"
	Other             = "failed"
)

// probePath is asked without a credential; the backend then answers 401 with JSON.
const probePath = "/terminal/v1/profile"

// maxProbed bounds what is read of the answer, in bytes.
const maxProbed = 16 << 10

// Probe asks whether the backend can be reached, without a credential: it finds out about
// the line, the name, the certificate and the clock.
type Probe struct {
	URL       string // of the backend, as the terminal knows it
	Transport http.RoundTripper
	Now       func() time.Time
	Timeout   time.Duration // 0: DefaultPatience

	mu   sync.Mutex
	skew time.Duration
}

// errAnswer is an answer that is not the backend's.
type errAnswer struct {
	word   string
	status int
}

func (e errAnswer) Error() string { return fmt.Sprintf("status %d: %s", e.status, e.word) }

// Reach asks once. Its error is one that Examine can name.
func (p *Probe) Reach(ctx context.Context) error {
	if p.Timeout <= 0 {
		p.Timeout = DefaultPatience
	}
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(p.URL, "/")+probePath, nil)
	if err != nil {
		return fmt.Errorf("cannot ask the backend: %w", err)
	}
	req.Header.Set("User-Agent", "madoguchi-agent")
	resp, err := p.Transport.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("cannot reach the backend: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxProbed)); err != nil {
		return fmt.Errorf("cannot read the backend's answer: %w", err)
	}
	if err := judgeAnswer(resp); err != nil {
		return err
	}
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		p.mu.Lock()
		p.skew = at.Sub(p.Now())
		p.mu.Unlock()
	}
	return nil
}

func judgeAnswer(resp *http.Response) error {
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	page := err == nil && kind == "text/html"
	elsewhere := resp.StatusCode >= 300 && resp.StatusCode < 400
	switch {
	case page && resp.StatusCode >= 500:
		return errAnswer{Out, resp.StatusCode} // a proxy's own page
	case page || elsewhere || resp.StatusCode == http.StatusNetworkAuthenticationRequired:
		return errAnswer{Captive, resp.StatusCode}
	case resp.StatusCode >= 500:
		return errAnswer{Out, resp.StatusCode}
	case resp.StatusCode == http.StatusNotFound:
		return errAnswer{NotOurs, resp.StatusCode}
	}
	return nil
}

// Skew is the backend's clock less ours as the last Reach found it; 0 before.
func (p *Probe) Skew() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.skew
}

// cause gives the word for why the backend was not reached.
func cause(err error) (word string, args []string) {
	if answer, ok := errors.AsType[errAnswer](err); ok {
		return answer.word, []string{strconv.Itoa(answer.status)}
	}
	if word, args = causeTLS(err); word != "" {
		return word, args
	}
	if name, ok := errors.AsType[*net.DNSError](err); ok {
		if name.IsNotFound {
			return NoName, nil
		}
		return NoNetwork, nil // whoever knows names cannot be reached either
	}
	network, isNetwork := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return RefusedConnection, nil
	case errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETDOWN):
		return NoNetwork, nil
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || (isNetwork && network.Timeout()):
		return TimedOut, nil
	}
	return Other, nil
}

func causeTLS(err error) (word string, args []string) {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return ofInvalid(invalid)
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return TLSAuthority, nil
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return TLSName, nil
	}
	if failed, ok := errors.AsType[*url.Error](err); ok && failed != err {
		return causeTLS(failed.Err)
	}
	if strings.Contains(err.Error(), "tls:") || strings.Contains(err.Error(), "x509:") {
		return TLSOther, nil
	}
	return "", nil
}

func ofInvalid(invalid x509.CertificateInvalidError) (word string, args []string) {
	if invalid.Reason != x509.Expired {
		return TLSAuthority, nil
	}
	// Detail begins "current time … is before …" or "… is after …".
	c := invalid.Cert
	if strings.Contains(invalid.Detail, " is before ") {
		return TLSNotYetValid, []string{c.NotBefore.UTC().Format(time.DateOnly)}
	}
	return TLSExpired, []string{c.NotAfter.UTC().Format(time.DateOnly)}
}
