package oidc_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	relying "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"madoguchi.example/deploy/practice/oidc"
	"madoguchi.example/deploy/practice/people"
)

const (
	verifier = "0123456789abcdefghijklmnopqrstuvwxyz-._~0123456789"
	redirect = "http://127.0.0.1:8080/app/sign-in"
	jwtType  = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// bench is a provider with one citizen client, one staff client and a clock.
type bench struct {
	t      *testing.T
	server *httptest.Server
	issuer string
	key    *ecdsa.PrivateKey
	clock  atomic.Pointer[time.Time]
	serial atomic.Int64
	http   *http.Client
}

func newBench(t *testing.T) *bench {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, key: key}
	b.set(time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC))
	mux := http.NewServeMux()
	b.server = httptest.NewServer(mux)
	t.Cleanup(b.server.Close)
	b.issuer = b.server.URL + oidc.Path
	keys := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1"}}}
	p, err := oidc.New(oidc.Config{Issuer: b.issuer, Now: b.now, Rand: rand.Reader,
		Clients: []oidc.Client{
			{ID: "citizen", Kind: people.Citizen, RedirectURIs: []string{redirect}, Keys: keys},
			{ID: "staff", Kind: people.Staff, RedirectURIs: []string{redirect}, Keys: keys}},
		People: []people.Person{
			{Sub: "c-1", Label: "住民", Client: people.Citizen, Name: "佐藤 恵", Address: "架空県みなと市本町1丁目1番1号", BirthDate: "1988-10-21", Gender: "female"},
			{Sub: "s-1", Label: "職員", Client: people.Staff, Name: "窓口 <b>文香</b>", Address: "架空県みなと市", BirthDate: "1988-05-21", Gender: "female"},
		}})
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/", p.Handler())
	b.http = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return b
}

func (b *bench) now() time.Time          { return *b.clock.Load() }
func (b *bench) set(at time.Time)        { b.clock.Store(&at) }
func (b *bench) forward(d time.Duration) { b.set(b.now().Add(d)) }

func challenge() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func goodRequest() url.Values {
	return url.Values{"client_id": {"citizen"}, "redirect_uri": {redirect}, "response_type": {"code"},
		"scope": {"openid name address birthdate gender"}, "state": {"st"}, "nonce": {"no"},
		"code_challenge": {challenge()}, "code_challenge_method": {"S256"}, "login_hint": {"c-1"}}
}

// authorize sends an authorization request and gives the answer with its body.
func (b *bench) authorize(v url.Values) (*http.Response, string) {
	b.t.Helper()
	return b.get(b.issuer + "/protocol/openid-connect/auth?" + v.Encode())
}

func (b *bench) get(u string) (*http.Response, string) {
	b.t.Helper()
	resp, err := b.http.Get(u)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp, body(b.t, resp)
}

func body(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func (b *bench) code() string {
	b.t.Helper()
	resp, text := b.authorize(goodRequest())
	u, err := resp.Location()
	if err != nil {
		b.t.Fatalf("no redirect: %d %s", resp.StatusCode, text)
	}
	if u.Query().Get("state") != "st" || u.Query().Get("iss") != b.issuer {
		b.t.Fatalf("redirected to %s", u)
	}
	return u.Query().Get("code")
}

func (b *bench) claims() map[string]any {
	return map[string]any{"iss": "citizen", "sub": "citizen", "aud": b.issuer + "/protocol/openid-connect/token",
		"exp": b.now().Add(time.Minute).Unix(), "iat": b.now().Unix(), "jti": fmt.Sprintf("jti-%d", b.serial.Add(1))}
}

func (b *bench) sign(claims map[string]any, key *ecdsa.PrivateKey, kid string) string {
	b.t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	out, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

func (b *bench) form(code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect},
		"code_verifier": {verifier}, "client_assertion_type": {jwtType}, "client_assertion": {b.sign(b.claims(), b.key, "k1")}}
}

func (b *bench) exchange(form url.Values) (int, map[string]any) {
	b.t.Helper()
	resp, err := b.http.PostForm(b.issuer+"/protocol/openid-connect/token", form)
	if err != nil {
		b.t.Fatal(err)
	}
	if resp.Header.Get("Cache-Control") != "no-store" {
		b.t.Error("a token answer may be cached")
	}
	var out map[string]any
	if err := json.Unmarshal([]byte(body(b.t, resp)), &out); err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, out
}

func (b *bench) userinfo(token string) (int, map[string]any) {
	b.t.Helper()
	req, err := http.NewRequest(http.MethodGet, b.issuer+"/protocol/openid-connect/userinfo", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal([]byte(body(b.t, resp)), &out); err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, out
}

func TestSignInThroughAnIndependentRelyingParty(t *testing.T) {
	b := newBench(t)
	ctx := context.Background()
	found, err := relying.NewProvider(ctx, b.issuer)
	if err != nil {
		t.Fatal(err)
	}
	status, answer := b.exchange(b.form(b.code()))
	if status != http.StatusOK {
		t.Fatalf("%d %v", status, answer)
	}
	id, err := found.Verifier(&relying.Config{ClientID: "citizen", SupportedSigningAlgs: []string{"ES256"}, Now: b.now}).
		Verify(ctx, answer["id_token"].(string))
	if err != nil {
		t.Fatal(err)
	}
	if id.Nonce != "no" || id.Subject != "c-1" {
		t.Errorf("nonce %q, sub %q", id.Nonce, id.Subject)
	}
	var personal map[string]any
	if err := id.Claims(&personal); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"name", "address", "birthdate", "gender"} {
		if _, ok := personal[k]; ok {
			t.Errorf("the ID token carries %s", k)
		}
	}
	_, info := b.userinfo(answer["access_token"].(string))
	want := map[string]any{"sub": "c-1", "name": "佐藤 恵", "birthdate": "1988-10-21", "gender": "female",
		"address": map[string]any{"formatted": "架空県みなと市本町1丁目1番1号"}}
	if fmt.Sprint(info) != fmt.Sprint(want) {
		t.Errorf("userinfo %v", info)
	}
}

func TestScopesLimitTheClaims(t *testing.T) {
	b := newBench(t)
	v := goodRequest()
	v.Set("scope", "openid birthdate")
	resp, _ := b.authorize(v)
	u, _ := resp.Location()
	_, answer := b.exchange(b.form(u.Query().Get("code")))
	_, info := b.userinfo(answer["access_token"].(string))
	if len(info) != 2 || info["birthdate"] == nil {
		t.Errorf("userinfo has %d claims", len(info))
	}
}

func TestRequestsThatTheClientIsToldAbout(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct{ name, value, want string }{
		{"response_type", "", "invalid_request"},
		{"response_type", "token", "unsupported_response_type"},
		{"response_type", "code id_token", "unsupported_response_type"},
		{"response_mode", "fragment", "invalid_request"},
		{"scope", "name", "invalid_scope"},
		{"scope", "openid email", "invalid_scope"},
		{"state", "", "invalid_request"},
		{"nonce", "", "invalid_request"},
		{"code_challenge", "", "invalid_request"},
		{"code_challenge", verifier, "invalid_request"},
		{"code_challenge_method", "plain", "invalid_request"},
		{"code_challenge_method", "", "invalid_request"},
		{"request", "e30.e30.", "request_not_supported"},
		{"request_uri", "urn:x", "request_uri_not_supported"},
		{"practice_cancel", "1", "access_denied"},
	} {
		v := goodRequest()
		if v.Del(c.name); c.value != "" {
			v.Set(c.name, c.value)
		}
		resp, _ := b.authorize(v)
		u, err := resp.Location()
		if err != nil || u.Query().Get("error") != c.want || u.Query().Get("code") != "" {
			t.Errorf("%s=%q: redirected to %v", c.name, c.value, u)
		}
	}
}

func TestRequestsThatNeverLeaveTheProvider(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct{ name, value string }{
		{"client_id", "other"}, {"client_id", ""},
		{"redirect_uri", ""}, {"redirect_uri", redirect + "/"}, {"redirect_uri", redirect + "?x=1"},
		{"redirect_uri", "http://127.0.0.1:8081/app/sign-in"}, {"redirect_uri", "https://127.0.0.1:8080/app/sign-in"},
		{"login_hint", "c-2"}, {"login_hint", "s-1"},
	} {
		v := goodRequest()
		v.Set(c.name, c.value)
		if resp, text := b.authorize(v); resp.StatusCode != http.StatusBadRequest || resp.Header.Get("Location") != "" {
			t.Errorf("%s=%q: %d", c.name, c.value, resp.StatusCode)
		} else if c.value != "" && strings.Contains(text, c.value) {
			t.Errorf("%s=%q is repeated on the page", c.name, c.value)
		}
	}
	twice := goodRequest()
	twice.Add("state", "second")
	if resp, _ := b.authorize(twice); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a repeated parameter: %d", resp.StatusCode)
	}
	long := goodRequest()
	long.Set("state", strings.Repeat("x", oidc.MaxQueryBytes))
	if resp, _ := b.authorize(long); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a long request: %d", resp.StatusCode)
	}
}

func TestTheSignInPage(t *testing.T) {
	b := newBench(t)
	v := goodRequest()
	v.Del("login_hint")
	resp, text := b.authorize(v)
	if resp.StatusCode != http.StatusOK || !strings.Contains(text, "本物のデジタル認証アプリではありません") ||
		!strings.Contains(text, "佐藤 恵") || strings.Contains(text, "文香") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	v.Set("q", "だれでもない")
	if _, text = b.authorize(v); strings.Contains(text, "佐藤") || !strings.Contains(text, "0人") {
		t.Error("the search does not narrow the list")
	}
	v.Set("q", "1988-10 みなと市")
	if _, text = b.authorize(v); !strings.Contains(text, "login_hint=c-1") {
		t.Error("the search does not find")
	}
	v.Set("client_id", "staff")
	v.Set("q", `"><script>alert(1)</script>`)
	if _, text = b.authorize(v); strings.Contains(text, "<script>") {
		t.Error("the search is shown unescaped")
	}
	v.Del("q")
	if _, text = b.authorize(v); strings.Contains(text, "<b>") || strings.Contains(text, "佐藤") {
		t.Error("a name is shown unescaped, or to the wrong client")
	}
}

func TestACodeWorksOnceAndItsReuseTakesTheToken(t *testing.T) {
	b := newBench(t)
	code := b.code()
	_, answer := b.exchange(b.form(code))
	token := answer["access_token"].(string)
	if status, _ := b.userinfo(token); status != http.StatusOK {
		t.Fatalf("userinfo %d", status)
	}
	if status, answer := b.exchange(b.form(code)); status != http.StatusBadRequest || answer["error"] != "invalid_grant" {
		t.Errorf("second use: %d %v", status, answer)
	}
	if status, _ := b.userinfo(token); status != http.StatusUnauthorized {
		t.Errorf("after a reuse the token answers %d", status)
	}
}

func TestTimesRunOut(t *testing.T) {
	b := newBench(t)
	code := b.code()
	b.forward(oidc.CodeLifetime)
	if status, answer := b.exchange(b.form(code)); status != http.StatusBadRequest || answer["error"] != "invalid_grant" {
		t.Errorf("an old code: %d %v", status, answer)
	}
	_, answer := b.exchange(b.form(b.code()))
	b.forward(oidc.TokenLifetime)
	if status, _ := b.userinfo(answer["access_token"].(string)); status != http.StatusUnauthorized {
		t.Errorf("an old token: %d", status)
	}
}

func TestGrantsThatDoNotFitTheirCode(t *testing.T) {
	b := newBench(t)
	for name, change := range map[string]func(url.Values){
		"other verifier":    func(v url.Values) { v.Set("code_verifier", strings.Repeat("x", 43)) },
		"no verifier":       func(v url.Values) { v.Del("code_verifier") },
		"short verifier":    func(v url.Values) { v.Set("code_verifier", "x") },
		"other redirect":    func(v url.Values) { v.Set("redirect_uri", redirect+"/") },
		"no redirect":       func(v url.Values) { v.Del("redirect_uri") },
		"unknown code":      func(v url.Values) { v.Set("code", "nothing") },
		"refresh grant":     func(v url.Values) { v.Set("grant_type", "refresh_token") },
		"password grant":    func(v url.Values) { v.Set("grant_type", "password") },
		"repeated argument": func(v url.Values) { v.Add("code", "x") },
	} {
		form := b.form(b.code())
		change(form)
		if status, answer := b.exchange(form); status != http.StatusBadRequest || answer["access_token"] != nil {
			t.Errorf("%s: %d %v", name, status, answer)
		}
	}
	form := b.form(b.code())
	form.Set("code_verifier", strings.Repeat("x", 43))
	b.exchange(form)
	form = b.form(form.Get("code"))
	if status, _ := b.exchange(form); status != http.StatusBadRequest {
		t.Error("a code survived a wrong verifier")
	}
}

func TestClientAssertions(t *testing.T) {
	b := newBench(t)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	with := func(name string, value any) string {
		c := b.claims()
		if c[name] = value; value == nil {
			delete(c, name)
		}
		return b.sign(c, b.key, "k1")
	}
	spent := b.sign(b.claims(), b.key, "k1")
	first := b.form(b.code())
	first.Set("client_assertion", spent)
	if status, answer := b.exchange(first); status != http.StatusOK {
		t.Fatalf("%d %v", status, answer)
	}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + ".e30."
	for name, assertion := range map[string]string{
		"used before": spent, "other key": b.sign(b.claims(), other, "k1"), "unknown kid": b.sign(b.claims(), b.key, "k9"),
		"alg none": none, "no JWT": "x", "empty": "", "other issuer": with("iss", "staff"), "other subject": with("sub", "staff"),
		"other audience": with("aud", "http://127.0.0.1:1/"), "no audience": with("aud", nil), "no exp": with("exp", nil),
		"expired": with("exp", b.now().Unix()), "exp far away": with("exp", b.now().Add(time.Hour).Unix()),
		"iat ahead": with("iat", b.now().Add(2*time.Minute).Unix()), "nbf ahead": with("nbf", b.now().Add(2*time.Minute).Unix()),
		"no jti": with("jti", nil), "jti is a number": with("jti", 5), "long": strings.Repeat("x", oidc.MaxFormBytes),
	} {
		form := b.form(b.code())
		form.Set("client_assertion", assertion)
		if status, answer := b.exchange(form); status != http.StatusUnauthorized && status != http.StatusBadRequest || answer["access_token"] != nil {
			t.Errorf("%s: %d %v", name, status, answer)
		}
	}
	for name, change := range map[string]func(url.Values){
		"secret":         func(v url.Values) { v.Set("client_secret", "x") },
		"no type":        func(v url.Values) { v.Del("client_assertion_type") },
		"other client":   func(v url.Values) { v.Set("client_id", "staff") },
		"not this code":  func(v url.Values) { v.Set("client_assertion", b.staffAssertion()) },
		"query argument": nil,
	} {
		form := b.form(b.code())
		if change == nil {
			resp, err := b.http.PostForm(b.issuer+"/protocol/openid-connect/token?code=x", form)
			if err != nil || resp.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: %v %v", name, resp, err)
			}
			resp.Body.Close()
			continue
		}
		change(form)
		if status, answer := b.exchange(form); status == http.StatusOK {
			t.Errorf("%s: %d %v", name, status, answer)
		}
	}
}

func (b *bench) staffAssertion() string {
	c := b.claims()
	c["iss"], c["sub"] = "staff", "staff"
	return b.sign(c, b.key, "k1")
}

func TestTheTokenEndpointTakesFormsOnly(t *testing.T) {
	b := newBench(t)
	u := b.issuer + "/protocol/openid-connect/token"
	for name, do := range map[string]func() (*http.Response, error){
		"json": func() (*http.Response, error) { return b.http.Post(u, "application/json", strings.NewReader("{}")) },
		"large": func() (*http.Response, error) {
			return b.http.PostForm(u, url.Values{"x": {strings.Repeat("x", oidc.MaxFormBytes)}})
		},
		"get": func() (*http.Response, error) { return b.http.Get(u) },
		"basic": func() (*http.Response, error) {
			req, err := http.NewRequest(http.MethodPost, u, strings.NewReader("a=b"))
			if err != nil {
				return nil, err
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.SetBasicAuth("citizen", "x")
			return b.http.Do(req)
		},
	} {
		resp, err := do()
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode < 400 || resp.StatusCode >= 500 {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
	}
}

func TestConfigurationFaults(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	wrong := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public()}}}
	_, err = oidc.New(oidc.Config{Issuer: "http://127.0.0.1:1/other", Clients: []oidc.Client{
		{ID: "", Kind: people.Citizen}, {ID: "a", Kind: "x"}, {ID: "b", Kind: people.Staff, RedirectURIs: []string{"/relative"}, Keys: wrong},
		{ID: "c", Kind: people.Staff, RedirectURIs: []string{redirect}, Keys: wrong}}})
	if err == nil {
		t.Fatal("it was taken")
	}
	for _, want := range []string{"issuer", "clock", "client 1", "client 2", "client 3", "client 4"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told: %v", want, err)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add(goodRequest().Encode())
	f.Add("client_id=citizen&redirect_uri=%zz")
	clients := map[string]oidc.Client{"citizen": {ID: "citizen", RedirectURIs: []string{redirect}}}
	f.Fuzz(func(t *testing.T, query string) {
		r, err := oidc.ParseRequest(query, clients)
		if r.RedirectURI != "" && r.RedirectURI != redirect {
			t.Fatalf("redirects to %q", r.RedirectURI)
		}
		if err == nil && (r.State == "" || r.Nonce == "" || len(r.Challenge) != 43) {
			t.Fatal("an incomplete request was taken")
		}
	})
}

func FuzzVerifyAssertion(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
	if err != nil {
		f.Fatal(err)
	}
	good, err := jwt.Signed(s).Claims(map[string]any{"iss": "c", "sub": "c"}).Serialize()
	if err != nil {
		f.Fatal(err)
	}
	signed := good[:strings.LastIndex(good, ".")]
	f.Add(good)
	f.Add("e30.e30.")
	clients := map[string]oidc.Client{"c": {ID: "c", Keys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public()}}}}}
	f.Fuzz(func(t *testing.T, compact string) {
		if _, _, err := oidc.VerifyAssertion(compact, clients); err == nil && !strings.HasPrefix(compact, signed) {
			t.Fatal("something else than what was signed was taken")
		}
	})
}
