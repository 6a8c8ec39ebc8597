package wallet_test

import (
	"bytes"
	"compress/zlib"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"madoguchi.example/deploy/practice/wallet"
)

const (
	issuer = "https://issuer.example"
	kind   = "Card"
	home   = "example.wallet:/return"
)

// object is a JSON object of an answer, which a case changes.
type object = map[string]any

// stranger is an issuer that a test makes wrong in one place.
type stranger struct {
	t       *testing.T
	key     *ecdsa.PrivateKey
	meta    object // of the issuer
	server  object // of the authorization server
	keys    object
	payload object // of the credential
	typ     string
	types   map[string]string // content types by path
	cache   string
	tamper  func(credential string) string
	status  byte
	asked   []string
	holder  any    // the key of the proof
	list0   string // the subject of the status list
	twice   bool   // the metadata names a member twice
	again   bool   // a digest stands in two places
	swapped bool   // an element stands where a claim belongs
}

func newStranger(t *testing.T) *stranger {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x := &stranger{t: t, key: key, typ: "dc+sd-jwt", list0: issuer + "/status/0", types: map[string]string{}, cache: "no-store"}
	x.meta = object{"credential_issuer": issuer, "credential_endpoint": issuer + "/credential", "nonce_endpoint": issuer + "/nonce",
		"credential_configurations_supported": object{kind: object{"format": "dc+sd-jwt", "vct": issuer + "/kind", "scope": "card",
			"cryptographic_binding_methods_supported": []string{"jwk"}, "credential_signing_alg_values_supported": []string{"ES256"},
			"proof_types_supported": object{"jwt": object{"proof_signing_alg_values_supported": []string{"ES256"}}}}}}
	x.server = object{"issuer": issuer, "authorization_endpoint": issuer + "/authorize", "token_endpoint": issuer + "/token",
		"response_types_supported": []string{"code"}, "code_challenge_methods_supported": []string{"S256"},
		"grant_types_supported":                          []string{"authorization_code", "urn:ietf:params:oauth:grant-type:pre-authorized_code"},
		"authorization_response_iss_parameter_supported": true}
	x.keys = object{"issuer": issuer, "jwks": jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "ES256"}}}}
	x.payload = object{"iss": issuer, "vct": issuer + "/kind", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(), "_sd_alg": "sha-256",
		"status": object{"status_list": object{"idx": 11, "uri": issuer + "/status/0"}}}
	return x
}

func (x *stranger) sign(typ string, payload any) string {
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: x.key, KeyID: "k"}},
		(&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		x.t.Fatal(err)
	}
	raw, err := json.Marshal(payload)
	if err != nil {
		x.t.Fatal(err)
	}
	signed, err := s.Sign(raw)
	if err != nil {
		x.t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		x.t.Fatal(err)
	}
	return text
}

func encode(v any) string {
	raw, _ := json.Marshal(v) // texts and lists of texts cannot fail
	return base64.RawURLEncoding.EncodeToString(raw)
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

const salt = "abcdefghijklmnopqrstuv"

func (x *stranger) credential() string {
	name, dose := encode([]any{salt, "family_name", "SATO"}), encode([]any{salt, object{"n": 1}})
	p := maps.Clone(x.payload)
	if _, there := p["cnf"]; !there {
		p["cnf"] = object{"jwk": x.holder}
	}
	p["_sd"] = []string{digest(name), digest("a decoy")}
	p["doses"] = []any{object{"...": digest(dose)}, object{"...": digest("another decoy")}}
	if x.again {
		p["more"] = []any{object{"...": digest(dose)}}
	}
	if x.swapped {
		p["_sd"], p["doses"] = []string{digest(dose)}, []any{object{"...": digest(name)}}
	}
	text := x.sign(x.typ, p) + "~" + name + "~" + dose + "~"
	if x.tamper != nil {
		text = x.tamper(text)
	}
	return text
}

func (x *stranger) list() string {
	states := make([]byte, 4)
	states[1] = x.status << 3 // place 11, one bit each
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write(states) // into memory
	_ = z.Close()
	return x.sign("statuslist+jwt", object{"sub": x.list0, "iat": time.Now().Unix(),
		"status_list": object{"bits": 1, "lst": base64.RawURLEncoding.EncodeToString(b.Bytes())}})
}

func (x *stranger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.asked = append(x.asked, r.Method+" "+r.URL.Path)
	contentType := "application/json"
	var body any
	switch r.URL.Path {
	case "/.well-known/openid-credential-issuer":
		body = x.meta
	case "/.well-known/oauth-authorization-server":
		body = x.server
	case "/.well-known/jwt-vc-issuer":
		body = x.keys
	case "/kind":
		body = object{"vct": issuer + "/kind"}
	case "/token":
		body = object{"access_token": "t", "token_type": "Bearer", "expires_in": 60}
	case "/nonce":
		body = object{"c_nonce": "n"}
	case "/credential":
		var asked struct{ Proofs struct{ JWT []string } }
		if json.NewDecoder(r.Body).Decode(&asked) != nil || len(asked.Proofs.JWT) != 1 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		proof, err := jose.ParseSignedCompact(asked.Proofs.JWT[0], []jose.SignatureAlgorithm{jose.ES256})
		if err != nil || proof.Signatures[0].Protected.ExtraHeaders["typ"] != "openid4vci-proof+jwt" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		x.holder = proof.Signatures[0].Protected.JSONWebKey
		body = object{"credentials": []any{object{"credential": x.credential()}}}
	case "/status/0":
		w.Header().Set("Content-Type", "application/statuslist+jwt")
		_, _ = w.Write([]byte(x.list())) // the wallet tells of an answer that did not come
		return
	}
	if t := x.types[r.URL.Path]; t != "" {
		contentType = t
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", x.cache)
	if x.twice {
		_, _ = w.Write([]byte(`{"credential_issuer":"https://other.example",`)) // as above
		raw, _ := json.Marshal(body)                                            // maps of texts cannot fail
		_, _ = w.Write(raw[1:])
		return
	}
	_ = json.NewEncoder(w).Encode(body) // the wallet tells of an answer that did not come
}

func (x *stranger) wallet() *wallet.Wallet {
	x.t.Helper()
	server := httptest.NewServer(x)
	x.t.Cleanup(server.Close)
	to, err := wallet.Through(issuer, server.URL)
	if err != nil {
		x.t.Fatal(err)
	}
	return wallet.New(wallet.Config{ClientID: "w", RedirectURI: home, Transport: to, Now: time.Now, Rand: rand.Reader})
}

func offer(change func(o, grant object)) string {
	grant := object{"pre-authorized_code": "c", "tx_code": object{"input_mode": "numeric", "length": 6}}
	o := object{"credential_issuer": issuer, "credential_configuration_ids": []string{kind},
		"grants": object{"urn:ietf:params:oauth:grant-type:pre-authorized_code": grant}}
	if change != nil {
		change(o, grant)
	}
	raw, _ := json.Marshal(o) // maps of texts cannot fail
	return "openid-credential-offer://?credential_offer=" + url.QueryEscape(string(raw))
}

func TestAGoodIssuer(t *testing.T) {
	x := newStranger(t)
	w := x.wallet()
	k, err := w.Take(t.Context(), offer(nil), "123456")
	if err != nil {
		t.Fatal(err)
	}
	doses, _ := k.Claims["doses"].([]any)
	if k.Claims["family_name"] != "SATO" || len(doses) != 1 || !slices.Equal(k.Withheld, []string{"family_name"}) {
		t.Errorf("the wallet reads %v", k.Claims)
	}
	for _, want := range []byte{0, 1} {
		x.status = want
		if got, err := w.Status(t.Context(), k); err != nil || got != int(want) {
			t.Errorf("the status is %d, want %d: %v", got, want, err)
		}
	}
	shown, err := w.Present(k, "https://counter.example", "n")
	if err != nil || strings.Contains(shown, encode([]any{salt, "family_name", "SATO"})) || strings.Count(shown, "~") != 2 {
		t.Errorf("a claim that was to be withheld is shown: %v", err)
	}
	i := slices.Index(x.asked, "POST /nonce")
	if i < 0 || slices.Index(x.asked, "POST /credential") < i {
		t.Errorf("the wallet asked %v", x.asked)
	}
}

// TestWhatACarefulWalletDoesNotTake makes an issuer wrong in one place each.
func TestWhatACarefulWalletDoesNotTake(t *testing.T) {
	first := func(x *stranger) object {
		return x.meta["credential_configurations_supported"].(object)[kind].(object)
	}
	for name, spoil := range map[string]func(x *stranger){
		"another issuer":                 func(x *stranger) { x.meta["credential_issuer"] = "https://other.example" },
		"no nonce endpoint":              func(x *stranger) { delete(x.meta, "nonce_endpoint") },
		"a nonce endpoint without https": func(x *stranger) { x.meta["nonce_endpoint"] = "http://issuer.example/nonce" },
		"an endpoint elsewhere":          func(x *stranger) { x.meta["credential_endpoint"] = "https://other.example/credential" },
		"another format":                 func(x *stranger) { first(x)["format"] = "jwt_vc_json" },
		"bound without a proof":          func(x *stranger) { delete(first(x), "proof_types_supported") },
		"another server":                 func(x *stranger) { x.server["issuer"] = "https://other.example" },
		"no PKCE":                        func(x *stranger) { delete(x.server, "code_challenge_methods_supported") },
		"no name in the redirect":        func(x *stranger) { delete(x.server, "authorization_response_iss_parameter_supported") },
		"no pre-authorized code":         func(x *stranger) { x.server["grant_types_supported"] = []string{"authorization_code"} },
		"metadata as a page":             func(x *stranger) { x.types["/.well-known/openid-credential-issuer"] = "text/html" },
		"a token as text":                func(x *stranger) { x.types["/token"] = "text/plain" },
		"a credential as text":           func(x *stranger) { x.types["/credential"] = "application/jwt" },
		"answers that may be stored":     func(x *stranger) { x.cache = "max-age=60" },
		"keys of another":                func(x *stranger) { x.keys["issuer"] = "https://other.example" },
		"a credential of another type":   func(x *stranger) { x.payload["vct"] = issuer + "/other" },
		"a credential of another issuer": func(x *stranger) { x.payload["iss"] = "https://other.example" },
		"a token that is none":           func(x *stranger) { x.typ = "JWT" },
		"expired":                        func(x *stranger) { x.payload["exp"] = time.Now().Add(-time.Hour).Unix() },
		"from tomorrow":                  func(x *stranger) { x.payload["iat"] = time.Now().Add(24 * time.Hour).Unix() },
		"unknown digests":                func(x *stranger) { x.payload["_sd_alg"] = "md5" },
		"bound to nobody":                func(x *stranger) { x.payload["cnf"] = object{} },
		"bound to somebody else":         func(x *stranger) { x.payload["cnf"] = object{"jwk": jose.JSONWebKey{Key: x.key.Public()}} },
		"a changed signature":            func(x *stranger) { x.tamper = changed },
		"a disclosure that belongs nowhere": func(x *stranger) {
			x.tamper = func(s string) string { return s + encode([]any{salt, "sex", "x"}) + "~" }
		},
		"a place that stands twice":      func(x *stranger) { x.again = true },
		"an element as a claim":          func(x *stranger) { x.swapped = true },
		"a claim that stands already":    func(x *stranger) { x.payload["family_name"] = "OTHER" },
		"a disclosure that stands twice": func(x *stranger) { x.tamper = func(s string) string { return s + strings.Split(s, "~")[1] + "~" } },
		"bound to a verifier already":    func(x *stranger) { x.tamper = func(s string) string { return s + "e30.e30.e30" } },
	} {
		t.Run(name, func(t *testing.T) {
			x := newStranger(t)
			spoil(x)
			if _, err := x.wallet().Take(t.Context(), offer(nil), "123456"); err == nil {
				t.Error("was taken")
			}
		})
	}
}

func changed(credential string) string {
	token, rest, _ := strings.Cut(credential, "~")
	at := len(token) - 20
	other := "A"
	if token[at:at+1] == other {
		other = "B"
	}
	return token[:at] + other + token[at+1:] + "~" + rest
}

func TestAStatusListOfAnother(t *testing.T) {
	x := newStranger(t)
	w := x.wallet()
	k, err := w.Take(t.Context(), offer(nil), "123456")
	if err != nil {
		t.Fatal(err)
	}
	x.list0 = issuer + "/status/1"
	if _, err := w.Status(t.Context(), k); err == nil {
		t.Error("another list was taken")
	}
}

// TestNoFaultBeforeItsTime looks at the metadata alone: what is wrong there is found before
// a code is spent.
func TestNoFaultBeforeItsTime(t *testing.T) {
	for name, spoil := range map[string]func(x *stranger){
		"another issuer":    func(x *stranger) { x.meta["credential_issuer"] = "https://other.example" },
		"no nonce endpoint": func(x *stranger) { delete(x.meta, "nonce_endpoint") },
		"a member twice":    func(x *stranger) { x.twice = true },
	} {
		x := newStranger(t)
		spoil(x)
		if _, err := x.wallet().Discover(t.Context(), issuer); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestOffers(t *testing.T) {
	if _, err := wallet.ParseOffer(offer(nil)); err != nil {
		t.Fatal(err)
	}
	for name, uri := range map[string]string{
		"another scheme":  strings.Replace(offer(nil), "openid-credential-offer", "https", 1),
		"two offers":      offer(nil) + "&credential_offer=%7B%7D",
		"no code":         offer(func(_, g object) { delete(g, "pre-authorized_code") }),
		"no owner's code": offer(func(_, g object) { delete(g, "tx_code") }),
		"no https":        offer(func(o, _ object) { o["credential_issuer"] = "http://issuer.example" }),
		"two credentials": offer(func(o, _ object) { o["credential_configuration_ids"] = []string{"a", "b"} }),
		"a name twice":    "openid-credential-offer://?credential_offer=" + url.QueryEscape(`{"credential_issuer":"https://a.example","credential_issuer":"https://b.example"}`),
	} {
		if _, err := wallet.ParseOffer(uri); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestRedirects(t *testing.T) {
	x := newStranger(t)
	w := x.wallet()
	i, err := w.Discover(t.Context(), issuer)
	if err != nil {
		t.Fatal(err)
	}
	v, err := w.Visit(t.Context(), i, kind)
	if err != nil {
		t.Fatal(err)
	}
	begun, err := url.Parse(v.URL)
	if err != nil {
		t.Fatal(err)
	}
	state := begun.Query().Get("state")
	good := url.Values{"code": {"c"}, "state": {state}, "iss": {issuer}}
	for name, c := range map[string]struct {
		to     string
		change func(q url.Values)
	}{
		"another place":  {"example.other:/return", nil},
		"another state":  {home, func(q url.Values) { q.Set("state", "x") }},
		"another issuer": {home, func(q url.Values) { q.Set("iss", "https://other.example") }},
		"no issuer":      {home, func(q url.Values) { q.Del("iss") }},
		"no code":        {home, func(q url.Values) { q.Del("code") }},
		"two codes":      {home, func(q url.Values) { q.Add("code", "d") }},
		"a no":           {home, func(q url.Values) { q.Set("error", "access_denied") }},
	} {
		q := maps.Clone(good)
		if c.change != nil {
			c.change(q)
		}
		to, err := url.Parse(c.to + "?" + q.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Return(t.Context(), i, v, to); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	to, err := url.Parse(home + "?" + good.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Return(t.Context(), i, v, to); err != nil {
		t.Error(err)
	}
}

// TestAnAssuredWallet takes neither a token that is bound to nothing nor a server without
// pushed requests.
func TestAnAssuredWallet(t *testing.T) {
	x := newStranger(t)
	w := x.wallet()
	w.Assured = true
	if _, err := w.Take(t.Context(), offer(nil), "123456"); err == nil {
		t.Error("a bearer token was taken")
	}
	i, err := w.Discover(t.Context(), issuer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Visit(t.Context(), i, kind); err == nil {
		t.Error("a request went by way of the browser")
	}
}
