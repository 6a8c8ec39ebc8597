// Package wallet is a strict wallet app for practice and tests: OpenID for Verifiable
// Credential Issuance 1.0 (final), SD-JWT (RFC 9901), SD-JWT VC and Token Status List, for
// the pre-authorized code and for the authorization code.
//
// What it promises: it takes nothing from an issuer that a careful wallet would not take.
// Every document must come from the issuer's own https address with its media type, name
// the issuer to the letter, and hold no member twice; there must be a nonce endpoint where
// proofs are asked for; a redirect must bear its state and the issuer's name (RFC 9207);
// tokens and credentials must not be stored on the way. A credential is kept only when its
// signature, its digests, its type and its holder's key are right.
//
// It was written from the standards and shares no code with the programs it tests.
package wallet

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// maxAnswer bounds an issuer's answer, maxCredential one credential.
const (
	maxAnswer     = 4 << 20
	maxCredential = 256 << 10
)

const jsonType = "application/json"

// Config is what a wallet is made of; all is required.
type Config struct {
	ClientID    string // for the authorization code
	RedirectURI string
	// Assured has the wallet push its authorization requests (RFC 9126) and bind its tokens
	// to a key (RFC 9449), as the profile HAIP 1.0 asks.
	Assured bool
	// Transport carries requests to https addresses. Through makes one for an issuer that
	// listens elsewhere.
	Transport http.RoundTripper
	Now       func() time.Time
	Rand      io.Reader
}

// Wallet is one person's wallet app. It is safe for concurrent use.
type Wallet struct {
	Config
	http *http.Client
	own  sync.Mutex
	key  *ecdsa.PrivateKey // to which tokens are bound; nil until the first
}

// New makes a wallet. It follows no redirect.
func New(c Config) *Wallet {
	return &Wallet{Config: c, http: &http.Client{Transport: c.Transport, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// Through leads requests for the origin to where it listens, as a TLS proxy before the
// issuer would. What is for another origin is refused.
func Through(origin, to string) (http.RoundTripper, error) {
	from, err := url.Parse(origin)
	if err != nil || from.Scheme != "https" || from.Host == "" {
		return nil, errors.New("cannot lead to the issuer: its origin is not https")
	}
	there, err := url.Parse(to)
	if err != nil || there.Host == "" {
		return nil, errors.New("cannot lead to the issuer: its address is malformed")
	}
	return through{from, there}, nil
}

type through struct{ from, to *url.URL }

// RoundTrip implements http.RoundTripper.
func (t through) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != t.from.Scheme || r.URL.Host != t.from.Host {
		return nil, errors.New("the request leads to another origin than the issuer's")
	}
	out := r.Clone(r.Context())
	out.Host = r.URL.Host
	out.URL.Scheme, out.URL.Host = t.to.Scheme, t.to.Host
	return http.DefaultTransport.RoundTrip(out)
}

// Refusal is an issuer's refusal in the way of OAuth 2.0.
type Refusal struct {
	Status int
	Code   string
}

// Error names status and code.
func (r *Refusal) Error() string { return fmt.Sprintf("refused with %d %s", r.Status, r.Code) }

// Refused tells whether err is a refusal with this code.
func Refused(err error, code string) bool {
	r, ok := errors.AsType[*Refusal](err)
	return ok && r.Code == code
}

// secret makes a word of n random bytes.
func (w *Wallet) secret(n int) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(w.Rand, b); err != nil {
		return "", fmt.Errorf("cannot make a secret: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// document asks for a JSON document that anybody may read.
func (w *Wallet) document(ctx context.Context, address string, into any) error {
	raw, _, err := w.get(ctx, address, jsonType)
	if err != nil {
		return err
	}
	return read(raw, into)
}

func (w *Wallet) get(ctx context.Context, address, contentType string) ([]byte, http.Header, error) {
	req, err := w.request(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Accept", contentType)
	return w.send(req, contentType)
}

// form posts a form and reads the JSON answer, which must not be stored.
func (w *Wallet) form(ctx context.Context, address string, fields url.Values, into any) error {
	req, err := w.request(ctx, http.MethodPost, address, strings.NewReader(fields.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := w.bind(req, ""); err != nil {
		return err
	}
	return w.private(req, into)
}

// private sends a request whose answer holds a secret.
func (w *Wallet) private(req *http.Request, into any) error {
	raw, header, err := w.send(req, jsonType)
	if err != nil {
		return err
	}
	if !strings.Contains(header.Get("Cache-Control"), "no-store") {
		return errors.New("an answer with a secret may be stored on the way")
	}
	return read(raw, into)
}

func (w *Wallet) request(ctx context.Context, method, address string, body io.Reader) (*http.Request, error) {
	if err := secure(address); err != nil {
		return nil, err
	}
	return http.NewRequestWithContext(ctx, method, address, body)
}

func (w *Wallet) send(req *http.Request, contentType string) ([]byte, http.Header, error) {
	resp, err := w.http.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot reach the issuer: %w", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil || len(raw) > maxAnswer {
		return nil, nil, errors.Join(errors.New("an answer cannot be read whole"), err)
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		return nil, nil, refusal(resp.StatusCode, kind, raw)
	}
	if kind != contentType {
		return nil, nil, fmt.Errorf("%s was answered as %q instead of %s", req.URL.Path, kind, contentType)
	}
	return raw, resp.Header, nil
}

func refusal(status int, kind string, raw []byte) error {
	var body struct {
		Error string `json:"error"`
	}
	if status >= http.StatusBadRequest && kind == jsonType && read(raw, &body) == nil {
		return &Refusal{status, body.Error}
	}
	return fmt.Errorf("answered with the status %d and %q", status, kind)
}

// secure takes an https address without user, query and fragment.
func secure(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return errors.New("an address of the issuer is not plain https")
	}
	return nil
}

// read decodes one JSON value in which no member is named twice.
func read(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := single(d); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is more behind a JSON value")
	}
	d = json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return errors.New("a JSON value has another form than the standard says")
	}
	return nil
}

// single walks one value.
func single(d *json.Decoder) error {
	t, err := d.Token()
	if err != nil {
		return errors.New("not JSON")
	}
	open, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for d.More() {
		if open == '{' {
			name, err := d.Token()
			text, _ := name.(string)
			if err != nil || seen[text] {
				return errors.New("not JSON, or a member is named twice")
			}
			seen[text] = true
		}
		if err := single(d); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return errors.New("not JSON")
	}
	return nil
}
