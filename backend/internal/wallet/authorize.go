package wallet

import (
	"context"
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
)

const methodS256 = "S256"

// Asked is an authorization request that was found good.
type Asked struct {
	Client      string `json:"client"`
	RedirectURI string `json:"redirect_uri"`
	State       string `json:"state,omitempty"`
	Challenge   string `json:"challenge"`
	Detailed    bool   `json:"detailed,omitempty"`
	Key         string `json:"key,omitempty"` // dpop_jkt (RFC 9449 section 10)
}

// Step says where the browser goes next.
type Step struct {
	Location string
	// Secret, when set, is what the browser keeps from now on.
	Secret string
}

// denied is an error of the authorization endpoint that the wallet is told by a redirect
// (RFC 6749 section 4.1.2.1).
type denied string

// Error names the error.
func (e denied) Error() string { return "the wallet's request was refused: " + string(e) }

// errShown is what the person sees where there is no address to lead them to: an answer to
// an unknown address could help who forged the request.
var errShown = fault.At(fault.InvalidArgument, "query", "the wallet's request cannot be used")

// Authorize takes a wallet's request and leads the browser on: to the provider where the
// citizen signs in, or back to the wallet with an error. A fault is to be shown.
func (d *Desk) Authorize(ctx context.Context, query url.Values) (Step, error) {
	f := Form{Values: query}
	id, ok := f.one("client_id", MaxValue)
	client := d.clients[id]
	if !ok || client.ID == "" {
		return Step{}, errShown
	}
	var asked Asked
	var err error
	if _, pushed := query["request_uri"]; pushed {
		asked, err = d.pushed(ctx, f, client)
	} else {
		if asked.RedirectURI, err = redirectOf(f, client); err != nil {
			return Step{}, errShown
		}
		asked, err = read(f, client, asked.RedirectURI)
	}
	if refusal, ok := err.(denied); ok {
		return d.back(asked, url.Values{"error": {string(refusal)}})
	}
	if err != nil {
		return Step{}, err
	}
	return d.visit(ctx, asked)
}

// redirectOf gives the redirect URI, which must be one of the client's to the character,
// but for the port of an app on this machine.
func redirectOf(f Form, c Client) (string, error) {
	to, ok := f.one("redirect_uri", MaxValue)
	if !ok || !slices.ContainsFunc(c.RedirectURIs, func(known string) bool { return to == known || listensHere(known, to) }) {
		return "", errShown
	}
	return to, nil
}

// here are the addresses on which an app on this machine listens for its answer. The name
// localhost is not among them: it may lead elsewhere (RFC 8252 section 8.3).
var here = []string{"http://127.0.0.1", "http://[::1]"}

// listensHere tells whether two redirect URIs of this machine differ by their port alone:
// an app listens on the one that was free (RFC 8252 section 7.3).
func listensHere(known, asked string) bool {
	for _, host := range here {
		a, isKnown := strings.CutPrefix(known, host)
		b, isAsked := strings.CutPrefix(asked, host)
		if isKnown && isAsked {
			a, b = withoutPort(a), withoutPort(b)
			return a != "" && a == b
		}
	}
	return false
}

// withoutPort gives the path and the query of what stands behind a host; "" where the port
// is none, or there is no path.
func withoutPort(s string) string {
	i := strings.IndexByte(s, '/')
	if i < 0 {
		return ""
	}
	if port, ok := strings.CutPrefix(s[:i], ":"); ok {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return ""
		}
	} else if i > 0 {
		return ""
	}
	return s[i:]
}

// read reads a request (section 5.1) whose client and redirect URI are known. What it gives
// beside an error is enough to answer the wallet.
func read(f Form, c Client, redirect string) (Asked, error) {
	a := Asked{Client: c.ID, RedirectURI: redirect}
	state, ok := f.one("state", MaxValue)
	if !ok || !visible(strings.ReplaceAll(state, " ", "")) {
		return a, denied("invalid_request")
	}
	a.State = state
	v, ok := f.values("response_type", "response_mode", "code_challenge", "code_challenge_method", "scope", "issuer_state", "dpop_jkt", "request")
	switch {
	case !ok, v["response_type"] == "":
		return a, denied("invalid_request")
	case v["request"] != "":
		return a, denied("request_not_supported")
	case v["response_type"] != "code":
		return a, denied("unsupported_response_type")
	case v["response_mode"] != "" && v["response_mode"] != "query":
		return a, denied("invalid_request")
	case v["code_challenge_method"] != methodS256, !digest(v["code_challenge"]):
		return a, denied("invalid_request") // without a method it would be plain (RFC 7636 section 4.3)
	case v["dpop_jkt"] != "" && !digest(v["dpop_jkt"]):
		return a, denied("invalid_request")
	}
	a.Challenge, a.Key = v["code_challenge"], v["dpop_jkt"]
	var err error
	if a.Detailed, err = details(f); err != nil {
		return a, denied(err.(*Refusal).Code)
	}
	if !a.Detailed && !slices.Contains(strings.Fields(v["scope"]), Scope) {
		return a, denied("invalid_scope")
	}
	return a, nil
}

// digest tells whether s is a SHA-256 in base64url.
func digest(s string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && len(b) == 32
}

// back leads the browser to the wallet, with our name in the answer (RFC 9207).
func (d *Desk) back(a Asked, answer url.Values) (Step, error) {
	to, err := url.Parse(a.RedirectURI)
	if err != nil {
		return Step{}, errShown
	}
	q := to.RawQuery
	answer.Set("iss", d.Issuer)
	if a.State != "" {
		answer.Set("state", a.State)
	}
	if q != "" {
		q += "&"
	}
	to.RawQuery = q + answer.Encode()
	return Step{Location: to.String()}, nil
}

// visit keeps the request and sends the browser to sign in.
func (d *Desk) visit(ctx context.Context, a Asked) (Step, error) {
	secret, err := d.secret()
	if err != nil {
		return Step{}, err
	}
	to, err := d.SignIn.Start(ctx, secret)
	if err != nil {
		return Step{}, err
	}
	err = d.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		return d.Rows.InsertVisit(ctx, t, Visit{Hash: hashOf(secret), Asked: a, ExpiresAt: d.Now().Add(VisitLifetime)})
	})
	return Step{Location: to, Secret: secret}, err
}

// Pushed is the answer to a pushed authorization request (RFC 9126 section 2.2).
type Pushed struct {
	RequestURI string `json:"request_uri"`
	ExpiresIn  int    `json:"expires_in"`
}

const requestURIPrefix = "urn:ietf:params:oauth:request_uri:"

// Push keeps an authorization request that the wallet sends before the browser comes.
func (d *Desk) Push(ctx context.Context, f Form) (Pushed, error) {
	if err := noSecret(f); err != nil {
		return Pushed{}, err
	}
	id, ok := f.one("client_id", MaxValue)
	if _, twice := f.Values["request_uri"]; !ok || id == "" || twice {
		return Pushed{}, errInvalidRequest
	}
	client := d.clients[id]
	if client.ID == "" {
		return Pushed{}, errInvalidClient
	}
	redirect, err := redirectOf(f, client)
	if err != nil {
		return Pushed{}, errInvalidRequest
	}
	asked, err := read(f, client, redirect)
	if refusal, ok := err.(denied); ok {
		return Pushed{}, refuse(string(refusal))
	}
	proof, err := d.bound(f, &asked)
	if err != nil {
		return Pushed{}, err
	}
	name, err := d.secret()
	if err != nil {
		return Pushed{}, err
	}
	err = d.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		if proof.key != nil {
			if err := d.spendPossession(ctx, t, proof); err != nil {
				return err
			}
		}
		return d.Rows.InsertPushed(ctx, t, hashOf(name), asked, d.Now().Add(PushedLifetime))
	})
	return Pushed{RequestURI: requestURIPrefix + name, ExpiresIn: int(PushedLifetime / time.Second)}, err
}

// bound binds a pushed request to the key of the proof that came with it, as dpop_jkt does
// (RFC 9449 section 10.1).
func (d *Desk) bound(f Form, a *Asked) (signedHere, error) {
	if len(f.Proofs) == 0 {
		return signedHere{}, nil
	}
	p, err := d.possession(f.Proofs[0], PushPath, "")
	if err != nil || len(f.Proofs) > 1 || a.Key != "" && a.Key != p.thumbprint {
		return signedHere{}, errInvalidDPoP
	}
	a.Key = p.thumbprint
	return p, nil
}

// pushed finds the request that the client pushed. Parameters beside it do not count (RFC
// 9126 section 4).
func (d *Desk) pushed(ctx context.Context, f Form, c Client) (Asked, error) {
	uri, ok := f.one("request_uri", MaxValue)
	name, ours := strings.CutPrefix(uri, requestURIPrefix)
	if !ok || !ours {
		return Asked{}, errShown
	}
	var asked Asked
	var found bool
	err := d.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
		asked, found, err = d.Rows.TakePushed(ctx, t, hashOf(name), d.Now())
		return err
	})
	if err == nil && (!found || asked.Client != c.ID) {
		err = errShown
	}
	return asked, err
}
