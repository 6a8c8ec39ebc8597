package terminal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/wire"
)

// Limits of what is read from the backend, in bytes.
const (
	maxToken   = 16 << 10
	maxProfile = 256 << 10
	maxProblem = 16 << 10
	maxTrust   = 32 << 20
)

const (
	tokenPath      = "/terminal/v1/token"
	noncePath      = "/terminal/v1/nonce"
	assertionType  = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	assertionLife  = time.Minute
	tokenLeeway    = 30 * time.Second // a token is not used in its last moments
	maxRedirects   = 3
	maxRetryAfter  = wire.MaxSlot
	skewNoticeable = 5 * time.Second
)

// call is one request. A GET has no body.
type call struct {
	method, path string
	query        url.Values
	contentType  string
	body         []byte
	etag         string // sent as If-None-Match
	limit        int64
	timeout      time.Duration
	bearer       string
	waiting      int // said in wire.WaitingHeader
}

// reply is a whole answer within its limit. NotModified replies have no body.
type reply struct {
	status int
	etag   string
	body   []byte
}

// refusal is a fault with the time after which to ask again, which uplink.RetryAfter reads.
type refusal struct {
	fault *fault.Error
	after time.Duration
}

func (r *refusal) Error() string             { return r.fault.Error() }
func (r *refusal) Unwrap() error             { return r.fault }
func (r *refusal) RetryAfter() time.Duration { return r.after }

func backendURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fault.At(fault.InvalidArgument, "backend", "must be an address like https://madoguchi.example")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return nil, fault.At(fault.InvalidArgument, "backend", "must be https, or http on this machine alone")
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// sameHost lets a few redirects of a GET stay where they are, and stops at all others.
func sameHost(req *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) > maxRedirects || first.Method != http.MethodGet || req.URL.Host != first.URL.Host || req.URL.Scheme != first.URL.Scheme {
		return http.ErrUseLastResponse
	}
	return nil
}

// authorised makes the call with an access token; a token that the backend no longer
// takes is replaced once.
func (t *Terminal) authorised(ctx context.Context, c call) (reply, error) {
	for again := false; ; again = true {
		bearer, err := t.bearer(ctx)
		if err != nil {
			return reply{}, err
		}
		c.bearer = bearer
		r, err := t.do(ctx, c)
		if again || fault.CodeOf(err) != fault.Unauthenticated {
			return r, err
		}
		t.forget(bearer)
	}
}

func (t *Terminal) do(ctx context.Context, c call) (reply, error) {
	if c.timeout <= 0 {
		c.timeout = t.opts.Timeout
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	resp, err := t.ask(ctx, c)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	at, told := t.noteClock(resp.Header.Get("Date"))
	r, err := read(resp, c.limit)
	if err == nil && told {
		t.hear(at) // only a whole answer of the backend's own is its word
	}
	return r, err
}

// ask makes the request by our clock and, where that is behind a time that the backend itself
// named and its certificate is not valid yet by it, by that time.
func (t *Terminal) ask(ctx context.Context, c call) (*http.Response, error) {
	req, err := t.request(ctx, c)
	if err != nil {
		return nil, err
	}
	resp, err := t.client.Do(req)
	if err != nil && t.later != nil && t.validLater(err) {
		if req, err = t.request(ctx, c); err != nil {
			return nil, err
		}
		resp, err = t.later.Do(req)
	}
	if err != nil {
		return nil, t.unreachable(err)
	}
	return resp, nil
}

func (t *Terminal) request(ctx context.Context, c call) (*http.Request, error) {
	u := *t.base
	u.Path += c.path
	u.RawQuery = c.query.Encode()
	req, err := http.NewRequestWithContext(ctx, c.method, u.String(), bytes.NewReader(c.body))
	if err != nil {
		return nil, fmt.Errorf("cannot make a request: %w", err)
	}
	set := func(name, value string) {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	set("Content-Type", c.contentType)
	set("If-None-Match", c.etag)
	set("User-Agent", "madoguchi-agent")
	if c.waiting > 0 {
		req.Header.Set(wire.WaitingHeader, strconv.Itoa(c.waiting))
	}
	if c.bearer != "" {
		set("Authorization", "Bearer "+c.bearer)
	}
	return req, nil
}

func (t *Terminal) unreachable(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // the address may hold a cursor; it is no use in a log line
	}
	if wrong := t.datesWrong(err); wrong != nil {
		return wrong
	}
	return cutOff(err)
}

func cutOff(err error) error {
	return fault.Wrap(fault.Unavailable, err, "the backend cannot be reached")
}

func read(resp *http.Response, limit int64) (reply, error) {
	r := reply{status: resp.StatusCode, etag: resp.Header.Get("ETag")}
	switch {
	case isPage(resp):
		return reply{}, &refusal{
			fault: fault.New(fault.Unavailable, "a web page answered in the backend's place"),
			after: retryAfter(resp.Header.Get("Retry-After")),
		}
	case resp.StatusCode == http.StatusNotModified:
		return r, nil
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return reply{}, problem(resp)
	case resp.ContentLength > limit:
		return reply{}, tooLarge(limit)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return reply{}, cutOff(err)
	}
	if int64(len(b)) > limit {
		return reply{}, tooLarge(limit)
	}
	r.body = b
	return r, nil
}

// isPage tells an answer that a person should read: the backend sends none to terminals, so
// it is a captive portal's or a proxy's, and the backend was not reached. That a proxy finds
// a batch too large is worth knowing all the same.
func isPage(resp *http.Response) bool {
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return err == nil && kind == "text/html" && resp.StatusCode != http.StatusRequestEntityTooLarge
}

func tooLarge(limit int64) error {
	return fault.At(fault.TooLarge, "answer", "the backend's answer is over %d bytes", limit)
}

var codeForm = regexp.MustCompile(`^[a-z_]{1,40}$`)

// problem turns an answer that is no success into a fault. Nothing of its text is kept
// but the code.
func problem(resp *http.Response) error {
	var p struct {
		Code fault.Code `json:"code"`
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	if err != nil || json.Unmarshal(b, &p) != nil || !codeForm.MatchString(string(p.Code)) {
		p.Code = ""
	}
	code := statusCode(resp.StatusCode)
	if code == fault.InvalidArgument && p.Code != "" {
		code = p.Code
	}
	message := "the backend answered with status " + strconv.Itoa(resp.StatusCode)
	return &refusal{fault: fault.New(code, message), after: retryAfter(resp.Header.Get("Retry-After"))}
}

func statusCode(status int) fault.Code {
	switch {
	case status == http.StatusUnauthorized:
		return fault.Unauthenticated
	case status == http.StatusForbidden:
		return fault.Forbidden
	case status == http.StatusNotFound:
		return fault.NotFound
	case status == http.StatusConflict:
		return fault.Conflict
	case status == http.StatusRequestEntityTooLarge:
		return fault.TooLarge
	case status == http.StatusTooManyRequests:
		return fault.RateLimited
	case status == http.StatusInternalServerError:
		return fault.Internal
	case status >= 500, status < 400: // a redirect elsewhere is a captive portal or the like
		return fault.Unavailable
	}
	return fault.InvalidArgument
}

// retryAfter reads seconds; a date is not used between these two programs.
func retryAfter(s string) time.Duration {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(min(n, int(maxRetryAfter/time.Second))) * time.Second
}

// noteClock keeps how far our clock is from the backend's, so that a terminal whose clock
// is wrong still gets a token, and gives the time that the answer told.
func (t *Terminal) noteClock(date string) (at time.Time, told bool) {
	at, err := http.ParseTime(date)
	if err != nil {
		return time.Time{}, false
	}
	skew := at.Sub(t.opts.Now())
	if skew.Abs() < skewNoticeable {
		skew = 0
	}
	t.mu.Lock()
	t.skew = skew
	t.mu.Unlock()
	return at, true
}

// ClockSkew is the backend's clock less this terminal's, as the last answer told it; zero
// below five seconds.
func (t *Terminal) ClockSkew() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.skew
}

// token is an access token in memory.
type token struct {
	text  string
	until time.Time
}

func (t *Terminal) forget(bearer string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token.text == bearer {
		t.token = token{}
	}
}

// bearer gives the token in hand or asks for one.
func (t *Terminal) bearer(ctx context.Context) (string, error) {
	t.mu.Lock()
	have := t.token
	t.mu.Unlock()
	if have.text != "" && t.opts.Now().Before(have.until) {
		return have.text, nil
	}
	fresh, err := t.grant(ctx)
	if err != nil {
		return "", err
	}
	t.mu.Lock()
	t.token = fresh
	t.mu.Unlock()
	return fresh.text, nil
}

// grant asks for a token by our clock, as far as it is known to be right. Where it is not, or
// the assertion is refused, a nonce of the backend stands in place of a time.
func (t *Terminal) grant(ctx context.Context) (token, error) {
	if skew := t.ClockSkew(); skew.Abs() < assertionLife {
		fresh, err := t.askToken(ctx, skew, "")
		if fault.CodeOf(err) != fault.Unauthenticated {
			return fresh, err
		}
	}
	nonce, err := t.nonce(ctx)
	switch fault.CodeOf(err) {
	case "":
		return t.askToken(ctx, t.ClockSkew(), nonce)
	case fault.Unavailable, fault.RateLimited, fault.Internal:
		return token{}, err
	}
	return t.grantBySkew(ctx) // a backend of before nonces
}

func (t *Terminal) nonce(ctx context.Context) (string, error) {
	r, err := t.do(ctx, call{method: http.MethodGet, path: noncePath, limit: wire.MaxNonceBytes})
	if err != nil {
		return "", err
	}
	n, err := wire.DecodeNonce(r.body)
	return n.Nonce, err
}

// grantBySkew asks for a token by the backend's clock as its answers told it, where that is
// refused by what the refusal told, and last by our own clock, since it may be a proxy on the
// way that tells a wrong time.
func (t *Terminal) grantBySkew(ctx context.Context) (fresh token, err error) {
	var tried []time.Duration
	for _, skewNow := range []func() time.Duration{t.ClockSkew, t.ClockSkew, func() time.Duration { return 0 }} {
		skew := skewNow()
		if slices.Contains(tried, skew) {
			continue
		}
		tried = append(tried, skew)
		if fresh, err = t.askToken(ctx, skew, ""); fault.CodeOf(err) != fault.Unauthenticated {
			break
		}
	}
	return fresh, err
}

func (t *Terminal) askToken(ctx context.Context, skew time.Duration, nonce string) (token, error) {
	assertion, err := t.assertion(skew, nonce)
	if err != nil {
		return token{}, err
	}
	now := t.opts.Now()
	r, err := t.do(ctx, call{
		method: http.MethodPost, path: tokenPath, contentType: "application/x-www-form-urlencoded", limit: maxToken,
		body: []byte(url.Values{
			"grant_type":            {"client_credentials"},
			"client_assertion_type": {assertionType},
			"client_assertion":      {assertion},
		}.Encode()),
	})
	if err != nil {
		return token{}, err
	}
	var granted struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int64  `json:"expires_in"`
	}
	if json.Unmarshal(r.body, &granted) != nil || granted.AccessToken == "" || !strings.EqualFold(granted.TokenType, "Bearer") {
		return token{}, fault.New(fault.Internal, "the backend's token answer cannot be read")
	}
	life := time.Duration(min(max(granted.ExpiresIn, 0), 86400)) * time.Second
	return token{granted.AccessToken, now.Add(max(life-tokenLeeway, life/2))}, nil
}

// claims are those of RFC 7523 and a nonce of the backend in place of a time.
type claims struct {
	jwt.RegisteredClaims
	Nonce string `json:"nonce,omitempty"`
}

// assertion is a private_key_jwt (RFC 7523 section 2.2), by a clock that differs from ours.
func (t *Terminal) assertion(skew time.Duration, nonce string) (string, error) {
	id, err := handle.Source{Now: t.opts.Now, Rand: t.opts.Rand}.New("ast")
	if err != nil {
		return "", err
	}
	audience := t.state.TokenAudience
	if audience == "" {
		audience = t.base.String() + tokenPath
	}
	j := jwt.NewWithClaims(jwt.SigningMethodES256, claims{jwt.RegisteredClaims{
		Issuer: t.state.Terminal, Subject: t.state.Terminal, Audience: jwt.ClaimStrings{audience},
		ID: id, ExpiresAt: jwt.NewNumericDate(t.opts.Now().Add(skew + assertionLife)),
	}, nonce})
	s, err := j.SignedString(t.sign)
	if err != nil {
		return "", fmt.Errorf("cannot sign the terminal's assertion: %w", err)
	}
	return s, nil
}
