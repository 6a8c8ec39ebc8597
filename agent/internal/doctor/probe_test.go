package doctor_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"syscall"
	"testing"
	"time"

	"madoguchi.example/agent/internal/doctor"
	"madoguchi.example/shared/fault"
)

// authority signs certificates of servers.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Practice authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.AddDate(-10, 0, 0), NotAfter: now.AddDate(10, 0, 0), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{key, cert}
}

func (a authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// serve starts a server of 127.0.0.1 with a certificate for so long.
func (a authority) serve(t *testing.T, from, until time.Time, names []net.IP, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "backend"}, NotBefore: from, NotAfter: until, IPAddresses: names}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = nil
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// unauthorised is how the backend answers a stranger.
func unauthorised(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Date", now.Add(7*time.Minute).Format(http.TimeFormat))
	if r.URL.Path != "/terminal/v1/profile" || r.Header.Get("Authorization") != "" {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	w.WriteHeader(http.StatusUnauthorized)
}

func answer(status int, kind, location string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		if location != "" {
			w.Header().Set("Location", location)
		}
		w.WriteHeader(status)
	}
}

// TestTheBackendsCertificate has real servers and real handshakes, at the time that the
// terminal's clock says.
func TestTheBackendsCertificate(t *testing.T) {
	ours, others := newAuthority(t), newAuthority(t)
	here, elsewhere := []net.IP{net.IPv4(127, 0, 0, 1)}, []net.IP{net.IPv4(192, 0, 2, 1)}
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		by          authority
		from, until time.Duration
		names       []net.IP
		want        string
		args        []string
	}{
		"good":          {ours, -day, day, here, "ok", nil},
		"not yet valid": {ours, 48 * time.Hour, 900 * day, here, doctor.TLSNotYetValid, []string{"2026-11-24"}},
		"ended":         {ours, -90 * day, -day, here, doctor.TLSExpired, []string{"2026-11-21"}},
		"another's":     {ours, -day, day, elsewhere, doctor.TLSName, nil},
		"wrong CA":      {others, -day, day, here, doctor.TLSAuthority, nil},
	} {
		s := c.by.serve(t, now.Add(c.from), now.Add(c.until), c.names, unauthorised)
		p := &doctor.Probe{URL: s.URL + "/", Now: clock, Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: ours.pool(), Time: clock}, DisableKeepAlives: true,
		}}
		all := doctor.Examine(t.Context(), doctor.Parts{Now: clock, Backend: p.Reach, Clock: func(context.Context) doctor.Time { return doctor.Time{} }})
		f := all[1]
		if f.Part != doctor.Backend || told(f) != c.want || !slices.Equal(f.Args, c.args) {
			t.Errorf("%s: %s %v", name, told(f), f.Args)
		}
		if blamed := told(all[0]) == "before_certificate"; blamed != (c.want == doctor.TLSNotYetValid) {
			t.Errorf("%s: the clock is %s", name, told(all[0]))
		}
		if name == "not yet valid" && doctor.ExitCode(all) != doctor.Clock.ExitCode() {
			t.Errorf("exit %d: the clock is to be mended first", doctor.ExitCode(all))
		}
		if name == "good" && p.Skew() != 7*time.Minute {
			t.Errorf("the backend's clock is %v off", p.Skew())
		}
	}
}

func TestTheBackendsAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		h    http.HandlerFunc
		want string
	}{
		"it knows no stranger":        {unauthorised, "ok"},
		"a captive page":              {answer(200, "text/html; charset=utf-8", ""), doctor.Captive},
		"led elsewhere":               {answer(302, "text/plain", "http://login.example/"), doctor.Captive},
		"sign in to the network":      {answer(511, "text/plain", ""), doctor.Captive},
		"down":                        {answer(503, "application/problem+json", ""), doctor.Out},
		"a proxy whose backend's out": {answer(502, "text/html", ""), doctor.Out},
		"another server":              {answer(404, "text/plain", ""), doctor.NotOurs},
		"it hangs up":                 {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, doctor.Other},
	} {
		s := httptest.NewServer(c.h)
		p := &doctor.Probe{URL: s.URL, Now: clock, Transport: &http.Transport{DisableKeepAlives: true}}
		if f := only(t, doctor.Parts{Backend: p.Reach}); told(f) != c.want {
			t.Errorf("%s: %s", name, told(f))
		}
		s.Close()
	}
}

func TestTheWayToTheBackend(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + ln.Addr().String()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if f := only(t, doctor.Parts{Backend: (&doctor.Probe{URL: nobody, Now: clock, Transport: &http.Transport{}}).Reach}); told(f) != doctor.RefusedConnection {
		t.Errorf("a closed port: %s", told(f))
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{&net.DNSError{Err: "no such host", IsNotFound: true}, doctor.NoName},
		{&net.DNSError{Err: "server misbehaving", IsTemporary: true}, doctor.NoNetwork},
		{&net.OpError{Op: "dial", Err: syscall.ENETUNREACH}, doctor.NoNetwork},
		{&net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}, doctor.NoNetwork},
		{&net.OpError{Op: "dial", Err: context.DeadlineExceeded}, doctor.TimedOut},
		{fault.Wrap(fault.Unavailable, tls.RecordHeaderError{Msg: "tls: first record does not look like a TLS handshake"}, "x"), doctor.TLSOther},
		{syscall.EPIPE, doctor.Other},
	} {
		p := &doctor.Probe{URL: "http://backend.example", Now: clock, Transport: &http.Transport{
			DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, c.err },
		}}
		if f := only(t, doctor.Parts{Backend: p.Reach}); told(f) != c.want {
			t.Errorf("%v: %s", c.err, told(f))
		}
	}
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer silent.Close()
	p := &doctor.Probe{URL: silent.URL, Now: clock, Transport: &http.Transport{}, Timeout: 50 * time.Millisecond}
	if f := only(t, doctor.Parts{Backend: p.Reach}); told(f) != doctor.TimedOut {
		t.Errorf("no answer: %s", told(f))
	}
}
