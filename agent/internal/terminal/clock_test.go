package terminal_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"madoguchi.example/agent/internal/terminal"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

var (
	begins = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	ends   = time.Date(2026, 12, 30, 0, 0, 0, 0, time.UTC)
	today  = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
)

// house is a TLS server whose certificate is valid from begins to ends.
func house(t *testing.T, now func() time.Time) (address string, own *http.Transport) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "madoguchi.example"}, NotBefore: begins, NotAfter: ends,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Date"] = nil
		_, _ = io.WriteString(w, `{"terminal":"trm_1","office":"ofc_1"}`)
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL, &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, Time: now}, DisableKeepAlives: true}
}

// A certificate that our own clock refuses is told as our clock's fault, with the direction;
// one that is really over is not.
func TestWhoseFaultTheDatesAre(t *testing.T) {
	for name, c := range map[string]struct {
		now, known time.Time
		place      string // empty: it works
		behind     bool
	}{
		"a right clock":                          {now: today},
		"the battery is dead, nothing known":     {now: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), place: "clock", behind: true},
		"the battery is dead, an old time known": {now: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), known: begins.AddDate(0, -1, 0), place: "clock", behind: true},
		// The backend named a time at which its certificate is valid: by that it is believed.
		"the battery is dead, a good time known": {now: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), known: today},
		"years ahead, nothing known":             {now: today.AddDate(7, 0, 0), place: "clock"},
		"years ahead, today known":               {now: today.AddDate(7, 0, 0), known: today, place: "clock"},
		"over since yesterday":                   {now: ends.Add(24 * time.Hour), known: ends.Add(-24 * time.Hour), place: "certificate"},
		"over, and the backend said a later day": {now: ends.Add(240 * time.Hour), known: ends.Add(time.Hour), place: "certificate"},
		"not valid yet, by a clock that agrees":  {now: begins.Add(-2 * time.Hour), known: begins.Add(-3 * time.Hour), place: "certificate"},
		// A wrong time that the backend once named does not shut the line for good.
		"a time known that is years ahead": {now: today, known: today.AddDate(7, 0, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			now := func() time.Time { return c.now }
			address, own := house(t, now)
			_, err := terminal.Enrol(t.Context(), address, "ABCD-EFGH", terminal.Options{
				StateDir: filepath.Join(t.TempDir(), "state"), HTTP: own, Now: now, Rand: rand.Reader, Known: func() time.Time { return c.known },
			})
			if c.place == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			var wrong *terminal.ClockFault
			isClock := errors.As(err, &wrong)
			if fault.CodeOf(err) != fault.Unavailable || fault.PlaceOf(err) != c.place || isClock != (c.place == "clock") {
				t.Fatalf("got %v at %q", err, fault.PlaceOf(err))
			}
			if isClock && wrong.ClockBehind() != c.behind {
				t.Errorf("behind: %v; %v", wrong.ClockBehind(), err)
			}
		})
	}
}

// An authority that nobody knows is no matter of clocks.
func TestOtherFaultsOfCertificatesAreNotTheClocks(t *testing.T) {
	now := func() time.Time { return today }
	address, own := house(t, now)
	own.TLSClientConfig.RootCAs = x509.NewCertPool()
	_, err := terminal.Enrol(t.Context(), address, "ABCD-EFGH", terminal.Options{StateDir: t.TempDir(), HTTP: own, Now: now, Rand: rand.Reader})
	if fault.CodeOf(err) != fault.Unavailable || fault.PlaceOf(err) != "" {
		t.Errorf("got %v", err)
	}
}

// nonces makes the backend take an assertion with its nonce at any time, and nothing else.
func (b *backend) nonces(asked *int) {
	live := map[string]bool{}
	b.handle["/terminal/v1/nonce"] = func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		*asked++
		n := fmt.Sprintf("nonce-%d", *asked)
		live[n] = true
		fmt.Fprintf(w, `{"nonce":%q,"server_time":"2026-11-21T00:00:00Z","more":1}`, n)
	}
	b.takes = func(assertion string) bool {
		var c struct {
			jwt.RegisteredClaims
			Nonce string `json:"nonce"`
		}
		_, err := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithoutClaimsValidation()).
			ParseWithClaims(assertion, &c, func(*jwt.Token) (any, error) { return b.key, nil })
		ok := err == nil && live[c.Nonce]
		delete(live, c.Nonce)
		return ok
	}
}

// With a nonce a terminal gets its token whatever its clock says, and whatever a proxy on the
// way says of the time.
func TestNonces(t *testing.T) {
	b, _, dir := enrolled(t)
	asked := 0
	b.nonces(&asked)
	b.handle["/terminal/v1/answers"] = func(w http.ResponseWriter, _ *http.Request, _ []byte) { fmt.Fprint(w, `{"cursor":0}`) }
	term, err := terminal.Load(b.options(dir))
	if err != nil {
		t.Fatal(err)
	}
	b.ahead, b.told = 6*365*24*time.Hour, -300*24*time.Hour
	for i := range 3 {
		if _, err := term.Answers(t.Context(), 0, 0); err != nil {
			t.Fatal(err)
		}
		b.valid = "another"
		if asked != i+1 {
			t.Errorf("%d nonces for %d tokens", asked, i+1)
		}
	}
	posts := 0
	for _, r := range b.seen {
		if r.URL.Path == "/terminal/v1/token" {
			posts++
		}
	}
	if posts != 4 { // the first by the clock; then it is known to be wrong
		t.Errorf("%d assertions", posts)
	}
	for name, h := range map[string]func(http.ResponseWriter, *http.Request, []byte){
		"busy": func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
		},
		"out": func(w http.ResponseWriter, _ *http.Request, _ []byte) { w.WriteHeader(http.StatusServiceUnavailable) },
	} {
		b.handle["/terminal/v1/nonce"] = h
		b.valid = "yet another"
		want := map[string]fault.Code{"busy": fault.RateLimited, "out": fault.Unavailable}[name]
		if _, err := term.Answers(t.Context(), 0, 0); fault.CodeOf(err) != want {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestSignHealth(t *testing.T) {
	b, term, _ := enrolled(t)
	signed, err := term.SignHealth(wire.Health{At: b.now, Version: "1.2.3", KeyClass: "key_file", Pending: 3})
	if err != nil || len(signed) > wire.MaxHealthBytes {
		t.Fatalf("%d bytes, %v", len(signed), err)
	}
	part := strings.Split(signed, ".")
	payload, err := base64.RawURLEncoding.DecodeString(part[1])
	if err != nil {
		t.Fatal(err)
	}
	h, err := wire.DecodeHealth(payload)
	if err != nil || h.Terminal != "trm_1" || h.Pending != 3 {
		t.Errorf("got %+v, %v", h, err)
	}
	var claims jwt.MapClaims
	token, err := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithoutClaimsValidation()).
		ParseWithClaims(signed, &claims, func(*jwt.Token) (any, error) { return b.key, nil })
	if err != nil || token.Header["typ"] != wire.HealthType {
		t.Errorf("got %v, %v", token, err)
	}
	b.handle["/terminal/v1/batches"] = func(w http.ResponseWriter, _ *http.Request, body []byte) {
		if batch, err := wire.DecodeBatch(body); err != nil || batch.Health != signed || batch.Version != wire.Version || len(batch.Records) != 0 {
			t.Errorf("got %+v, %v", batch, err)
		}
		_ = json.NewEncoder(w).Encode(wire.Receipt{Version: wire.Version, ServerEpoch: "epo_1", ServerTime: b.now})
	}
	if r, err := term.Send(t.Context(), wire.Batch{Health: signed}); err != nil || r.ServerEpoch != "epo_1" {
		t.Errorf("a beat: %+v, %v", r, err)
	}
	if _, err := term.SignHealth(wire.Health{}); err == nil {
		t.Error("a summary without a time is signed")
	}
}
