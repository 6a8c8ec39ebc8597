package terminal

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"time"

	"madoguchi.example/shared/fault"
)

// Places of errors about the dates of the backend's certificate.
const (
	PlaceClock       = "clock"       // our clock is wrong
	PlaceCertificate = "certificate" // the certificate is over, or not valid yet
)

// recent is for how long after the backend's last word our own clock is still believed when
// it says that time passed.
const recent = 72 * time.Hour

// ClockFault is in the chain of an error that our own clock causes: by it the backend's
// certificate is not valid yet, or not any more.
type ClockFault struct {
	fault  *fault.Error
	behind bool
}

// Error gives words for logs.
func (c *ClockFault) Error() string { return c.fault.Error() }

// Unwrap gives the fault, with the code Unavailable and the place "clock".
func (c *ClockFault) Unwrap() error { return c.fault }

// ClockBehind tells that our clock is behind; otherwise it is ahead.
func (c *ClockFault) ClockBehind() bool { return c.behind }

// hear keeps the time that an answer named.
func (t *Terminal) hear(at time.Time) {
	t.mu.Lock()
	if at.After(t.heard) {
		t.heard = at
	}
	t.mu.Unlock()
	if t.opts.Heard != nil {
		t.opts.Heard(at)
	}
}

// known is the newest time that the backend named; it is at least that late.
func (t *Terminal) known() time.Time {
	t.mu.Lock()
	at := t.heard
	t.mu.Unlock()
	if t.opts.Known != nil {
		if kept := t.opts.Known(); kept.After(at) {
			at = kept
		}
	}
	return at
}

// byTime is the transport with another clock for certificates.
func byTime(own *http.Transport, now func() time.Time) *http.Transport {
	later := own.Clone()
	if later.TLSClientConfig == nil {
		later.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	later.TLSClientConfig.Time = now
	return later
}

// outOfDate gives the certificate that is refused for its dates, where that is the error.
func outOfDate(err error) *x509.Certificate {
	invalid, ok := errors.AsType[x509.CertificateInvalidError](err)
	if !ok || invalid.Reason != x509.Expired {
		return nil
	}
	return invalid.Cert
}

// validLater tells whether the certificate is refused because our clock is behind a time
// that the backend named, and is valid at that time.
func (t *Terminal) validLater(err error) bool {
	c, known := outOfDate(err), t.known()
	return c != nil && t.opts.Now().Before(c.NotBefore) && !known.Before(c.NotBefore) && !known.After(c.NotAfter)
}

// datesWrong says whose fault it is that a certificate's dates do not fit; nil for any other
// error. Our clock is believed against the certificate where it moved on by little since the
// backend's last word, and the certificate is over where that word came after its end.
func (t *Terminal) datesWrong(err error) error {
	c := outOfDate(err)
	if c == nil {
		return nil
	}
	now, known := t.opts.Now(), t.known()
	agrees := !known.IsZero() && !now.Before(known) && now.Sub(known) <= recent
	behind, ahead := now.Before(c.NotBefore), now.After(c.NotAfter)
	if agrees || (!behind && !ahead) || known.After(c.NotAfter) {
		return &fault.Error{
			Code: fault.Unavailable, Place: PlaceCertificate, Cause: err,
			Message: "the backend's certificate is not valid at this time: the backend has to be mended",
		}
	}
	say := "this terminal's clock is ahead, or the backend's certificate ended on " + c.NotAfter.UTC().Format(time.DateOnly) + ": look at the clock"
	if behind {
		say = "this terminal's clock is behind: the backend's certificate begins on " + c.NotBefore.UTC().Format(time.DateOnly) + ": set the clock"
	}
	return &ClockFault{&fault.Error{Code: fault.Unavailable, Place: PlaceClock, Message: say, Cause: err}, behind}
}
