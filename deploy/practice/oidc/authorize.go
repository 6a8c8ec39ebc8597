package oidc

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Request is an authorization request that the provider found in order.
type Request struct {
	ClientID    string
	RedirectURI string
	Scopes      []string
	State       string
	Nonce       string
	Challenge   string // S256
	Hint        string // practice only: the sub to sign in as, at once
	Cancel      bool   // practice only: the person gives up
	Search      string // practice only: what the sign-in page searches for
	raw         url.Values
}

// refusal is an error that the client is told through its redirect URI, or, while client
// and redirect URI are in doubt, the person on the provider's own page.
type refusal struct {
	code        string // RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6
	description string
	page        bool
}

func (r *refusal) Error() string { return r.code + ": " + r.description }

var challengePattern = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// parameters that may stand in a request once at most
var once = []string{"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce",
	"code_challenge", "code_challenge_method", "login_hint", "practice_cancel", "q", "prompt", "max_age",
	"acr_values", "request", "request_uri", "claims"}

// ParseRequest reads an authorization request's parameters for the given clients.
// When the returned error may be told to the client, RedirectURI and State are set.
func ParseRequest(query string, clients map[string]Client) (Request, error) {
	if len(query) > MaxQueryBytes {
		return Request{}, &refusal{"invalid_request", "the request is too long", true}
	}
	v, err := url.ParseQuery(query)
	if err != nil {
		return Request{}, &refusal{"invalid_request", "the parameters are malformed", true}
	}
	for _, name := range once {
		if len(v[name]) > 1 {
			return Request{}, &refusal{"invalid_request", name + " stands there twice", true}
		}
	}
	client, ok := clients[v.Get("client_id")]
	if !ok {
		return Request{}, &refusal{"invalid_client", "client_id is not known", true}
	}
	if !slices.Contains(client.RedirectURIs, v.Get("redirect_uri")) {
		return Request{}, &refusal{"invalid_request", "redirect_uri is not registered for this client", true}
	}
	r := Request{ClientID: client.ID, RedirectURI: v.Get("redirect_uri"), State: v.Get("state"),
		Nonce: v.Get("nonce"), Challenge: v.Get("code_challenge"), Hint: v.Get("login_hint"),
		Cancel: v.Get("practice_cancel") == "1", Search: v.Get("q"), raw: v}
	r.Scopes = strings.Fields(v.Get("scope"))
	if fault := requestFault(v, r.Scopes); fault != nil {
		return r, fault
	}
	return r, nil
}

// requestFault checks all that is told to the client through its redirect URI.
func requestFault(v url.Values, scopes []string) error {
	deny := func(code, description string) error { return &refusal{code, description, false} }
	switch {
	case v.Has("request"):
		return deny("request_not_supported", "request objects are not supported")
	case v.Has("request_uri"):
		return deny("request_uri_not_supported", "request_uri is not supported")
	case v.Get("response_type") == "":
		return deny("invalid_request", "response_type is missing")
	case v.Get("response_type") != "code":
		return deny("unsupported_response_type", "only the code flow is supported")
	case v.Has("response_mode") && v.Get("response_mode") != "query":
		return deny("invalid_request", "only response_mode query is supported")
	case !slices.Contains(scopes, "openid"):
		return deny("invalid_scope", "the scope openid is missing")
	case slices.ContainsFunc(scopes, func(s string) bool { return !slices.Contains(scopesSupported, s) }):
		return deny("invalid_scope", "a scope is not supported")
	case v.Get("state") == "" || len(v.Get("state")) > 512:
		return deny("invalid_request", "state is missing or too long")
	case v.Get("nonce") == "" || len(v.Get("nonce")) > 512:
		return deny("invalid_request", "nonce is missing or too long")
	case v.Get("code_challenge_method") != "S256":
		return deny("invalid_request", "code_challenge_method must be S256")
	case !challengePattern.MatchString(v.Get("code_challenge")):
		return deny("invalid_request", "code_challenge is missing or malformed")
	case v.Get("prompt") == "none" && !v.Has("login_hint"):
		return deny("login_required", "there is no session here")
	}
	return nil
}

// authorize is the authorization endpoint (OpenID Connect Core section 3.1.2).
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	query, ok := p.authorizeInput(w, r)
	if !ok {
		return
	}
	req, err := ParseRequest(query, p.clients)
	if err != nil {
		p.refuse(w, r, req, err)
		return
	}
	switch {
	case req.Cancel:
		p.refuse(w, r, req, &refusal{"access_denied", "the person gave up", false})
	case req.Hint != "":
		p.signIn(w, r, req)
	default:
		p.signInPage(w, req)
	}
}

// authorizeInput gives the parameters, which come in the query or as a form.
func (p *Provider) authorizeInput(w http.ResponseWriter, r *http.Request) (string, bool) {
	switch r.Method {
	case http.MethodGet:
		return r.URL.RawQuery, true
	case http.MethodPost:
		body, err := readForm(w, r)
		if err != nil {
			p.faultPage(w, http.StatusBadRequest, "invalid_request")
			return "", false
		}
		return body, true
	}
	w.Header().Set("Allow", "GET, POST")
	p.faultPage(w, http.StatusMethodNotAllowed, "invalid_request")
	return "", false
}

func (p *Provider) signIn(w http.ResponseWriter, r *http.Request, req Request) {
	person, ok := p.people[req.Hint]
	if !ok || person.Client != p.clients[req.ClientID].Kind {
		p.faultPage(w, http.StatusBadRequest, "no_such_person")
		return
	}
	scopes := map[string]bool{}
	for _, s := range req.Scopes {
		scopes[s] = true
	}
	code, err := p.grants.newCode(grant{client: req.ClientID, redirectURI: req.RedirectURI, challenge: req.Challenge,
		nonce: req.Nonce, sub: person.Sub, scopes: scopes, authTime: p.cfg.Now()})
	if err != nil {
		p.refuse(w, r, req, &refusal{"temporarily_unavailable", "try again in a minute", false})
		return
	}
	p.redirect(w, r, req, url.Values{"code": {code}})
}

func (p *Provider) refuse(w http.ResponseWriter, r *http.Request, req Request, err error) {
	var no *refusal
	if !errors.As(err, &no) || no.page {
		code := "server_error"
		if no != nil {
			code = no.code
		}
		p.faultPage(w, http.StatusBadRequest, code)
		return
	}
	p.redirect(w, r, req, url.Values{"error": {no.code}, "error_description": {no.description}})
}

// redirect answers the client, with the issuer beside the answer (RFC 9207).
func (p *Provider) redirect(w http.ResponseWriter, r *http.Request, req Request, v url.Values) {
	if req.State != "" {
		v.Set("state", req.State)
	}
	v.Set("iss", p.cfg.Issuer)
	u, err := url.Parse(req.RedirectURI)
	if err != nil {
		p.faultPage(w, http.StatusBadRequest, "invalid_request")
		return
	}
	q := u.Query()
	for k, vs := range v {
		q[k] = vs
	}
	u.RawQuery = q.Encode()
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, u.String(), http.StatusSeeOther)
}
