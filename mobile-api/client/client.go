// Package client speaks the mobile API as a phone does: for the tour, for tests and for
// load. It promises that
//
//   - every answer is bounded (MaxAnswer) before it is decoded,
//   - every refusal is a *Problem that fault.CodeOf understands,
//   - an access token that has run out is replaced once and the call repeated, and callers
//     in parallel share that one replacement,
//   - nothing is repeated after a lost answer; whoever asks for a certificate again passes
//     the same Ask with the same Key, which the server answers with the first result.
//
// It holds no clock and no random source of its own.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"madoguchi.example/mobile-api/apiv1"
)

// MaxAnswer is the most bytes of one answer that the client reads. A list of 200
// certificates with their pictures stays below it.
const MaxAnswer = 16 << 20

// Client is one phone: one session at a time. It is safe for concurrent use.
type Client struct {
	base *url.URL
	http *http.Client
	rand io.Reader

	refreshing sync.Mutex // held while a pair is replaced, so that a refresh token is used once
	mu         sync.Mutex
	pair       apiv1.TokenPair
}

// New makes a client of the server at base ("http://127.0.0.1:8080"). A nil hc means
// http.DefaultClient; rand gives sign-in secrets and idempotency keys and must be safe for
// concurrent use when the client is used so (crypto/rand.Reader is).
func New(base string, hc *http.Client, rand io.Reader) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, errors.New("cannot use the base address: it must be http:// or https:// with a host")
	}
	if rand == nil {
		return nil, errors.New("cannot make a client without a random source")
	}
	if hc == nil {
		hc = http.DefaultClient
	}
	return &Client{base: u, http: hc, rand: rand}, nil
}

// Tokens gives the session's present pair; empty before sign-in and after sign-out.
func (c *Client) Tokens() apiv1.TokenPair {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pair
}

// Resume continues a session whose pair was kept elsewhere.
func (c *Client) Resume(pair apiv1.TokenPair) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pair = pair
}

// call is one request of the contract.
type call struct {
	method, path string
	query        url.Values
	header       map[string]string
	body         any // nil: no body
	public       bool
}

// answer is what came back below 400.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends the call, replaces a spent access token once, and decodes into out (nil: ignore).
func (c *Client) do(ctx context.Context, k call, out any) (answer, error) {
	spent := c.Tokens().AccessToken
	a, err := c.once(ctx, k, spent)
	if p, ok := errors.AsType[*Problem](err); ok && p.Status == http.StatusUnauthorized && !k.public {
		if err := c.refresh(ctx, spent); err != nil {
			return answer{}, err
		}
		a, err = c.once(ctx, k, c.Tokens().AccessToken)
	}
	if err != nil || out == nil || a.status == http.StatusNotModified {
		return a, err
	}
	if err := json.Unmarshal(a.body, out); err != nil {
		return a, fmt.Errorf("cannot decode the answer to %s %s: %w", k.method, k.path, err)
	}
	return a, nil
}

func (c *Client) once(ctx context.Context, k call, token string) (answer, error) {
	req, err := c.request(ctx, k, token)
	if err != nil {
		return answer{}, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("cannot reach the server: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxAnswer+1))
	if err != nil {
		return answer{}, fmt.Errorf("cannot read the answer to %s %s: %w", k.method, k.path, err)
	}
	if len(body) > MaxAnswer {
		return answer{}, fmt.Errorf("cannot accept the answer to %s %s: more than %d bytes", k.method, k.path, MaxAnswer)
	}
	if resp.StatusCode >= 300 && resp.StatusCode != http.StatusNotModified {
		return answer{}, problemOf(resp, body)
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: body}, nil
}

func (c *Client) request(ctx context.Context, k call, token string) (*http.Request, error) {
	var body io.Reader
	if k.body != nil {
		b, err := json.Marshal(k.body)
		if err != nil {
			return nil, fmt.Errorf("cannot encode the request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	u := c.base.JoinPath(k.path)
	u.RawQuery = k.query.Encode()
	req, err := http.NewRequestWithContext(ctx, k.method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("cannot build the request: %w", err)
	}
	req.Header.Set("Accept", "application/json, application/problem+json")
	if k.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range k.header {
		req.Header.Set(name, value)
	}
	if !k.public && token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req, nil
}

// refresh replaces the pair, unless another caller already replaced the one that was spent.
func (c *Client) refresh(ctx context.Context, spent string) error {
	c.refreshing.Lock()
	defer c.refreshing.Unlock()
	now := c.Tokens()
	if now.AccessToken != spent {
		return nil
	}
	if now.RefreshToken == "" {
		return notSignedIn()
	}
	in := apiv1.Refresh{}
	in.Body.RefreshToken = now.RefreshToken
	var pair apiv1.TokenPair
	_, err := c.do(ctx, call{method: http.MethodPost, path: apiv1.RefreshToken.Path, body: in.Body, public: true}, &pair)
	if err != nil {
		return fmt.Errorf("cannot replace the access token: %w", err)
	}
	c.Resume(pair)
	return nil
}

// Me gives the caller and the people they act for.
func (c *Client) Me(ctx context.Context) (Me, error) {
	var out Me
	_, err := c.do(ctx, call{method: http.MethodGet, path: apiv1.GetMe.Path}, &out)
	return out, err
}

// Me is the body of apiv1.Me.
type Me struct {
	Municipality string         `json:"municipality"`
	Counter      apiv1.Counter  `json:"counter"`
	People       []apiv1.Person `json:"people"`
}

// NoticePage is one page of notices; Next is empty on the last.
type NoticePage struct {
	Notices []apiv1.Notice `json:"notices"`
	Next    string         `json:"next"`
}

// Notices gives one page of the caller's notices, newest first. An empty cursor begins.
func (c *Client) Notices(ctx context.Context, cursor string) (NoticePage, error) {
	var out NoticePage
	_, err := c.do(ctx, call{method: http.MethodGet, path: apiv1.ListNotice.Path, query: cursorQuery(cursor)}, &out)
	return out, err
}

// Notice gives one notice.
func (c *Client) Notice(ctx context.Context, id string) (apiv1.Notice, error) {
	var out apiv1.Notice
	_, err := c.do(ctx, call{method: http.MethodGet, path: fill(apiv1.GetNotice.Path, id)}, &out)
	return out, err
}

// ReadNotice tells that the notice was opened. It may be repeated.
func (c *Client) ReadNotice(ctx context.Context, id string) error {
	_, err := c.do(ctx, call{method: http.MethodPost, path: fill(apiv1.ReadNotice.Path, id)}, nil)
	return err
}

// ResolvePush gives the notice that the handle of a push names.
func (c *Client) ResolvePush(ctx context.Context, handle string) (apiv1.Notice, error) {
	var out apiv1.Notice
	_, err := c.do(ctx, call{method: http.MethodGet, path: fill(apiv1.ResolvePush.Path, handle)}, &out)
	return out, err
}

// Device is where pushes for one app go.
type Device struct {
	ID       string // 22 to 64 characters of base64url, made by the app
	Token    string // the push service's registration token
	Language string
}

// RegisterDevice tells where pushes go. It may be repeated.
func (c *Client) RegisterDevice(ctx context.Context, d Device) error {
	in := apiv1.RegisterDevice{}
	in.Body.Transport, in.Body.Token, in.Body.Language = "fcm", d.Token, d.Language
	_, err := c.do(ctx, call{method: http.MethodPut, path: fill(apiv1.PutDevice.Path, d.ID), body: in.Body}, nil)
	return err
}

// RemoveDevice ends pushes to the device. It may be repeated.
func (c *Client) RemoveDevice(ctx context.Context, device string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: fill(apiv1.DeleteDevice.Path, device)}, nil)
	return err
}

// AccessPage is one page of who looked; Next is empty on the last.
type AccessPage struct {
	Entries []apiv1.Access `json:"entries"`
	Next    string         `json:"next"`
}

// AccessLog gives one page of who looked at the caller's data, newest first.
func (c *Client) AccessLog(ctx context.Context, cursor string) (AccessPage, error) {
	var out AccessPage
	_, err := c.do(ctx, call{method: http.MethodGet, path: apiv1.ListAccesses.Path, query: cursorQuery(cursor)}, &out)
	return out, err
}

// Expiry tells how long a fresh pair's access token lasts.
func Expiry(p apiv1.TokenPair) time.Duration { return time.Duration(p.ExpiresIn) * time.Second }

func cursorQuery(cursor string) url.Values {
	if cursor == "" {
		return nil
	}
	return url.Values{"cursor": {cursor}}
}

// fill puts value in the place of the path's only parameter.
func fill(path, value string) string {
	before, rest, _ := strings.Cut(path, "{")
	_, after, _ := strings.Cut(rest, "}")
	return before + url.PathEscape(value) + after
}
