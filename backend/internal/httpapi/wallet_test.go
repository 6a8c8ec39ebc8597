package httpapi

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/authn"
	"madoguchi.example/backend/internal/consent"
	"madoguchi.example/backend/internal/idempotency"
	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/backend/internal/store"
	auditrows "madoguchi.example/backend/internal/store/audit"
	authnrows "madoguchi.example/backend/internal/store/authn"
	idempotencyrows "madoguchi.example/backend/internal/store/idempotency"
	"madoguchi.example/backend/internal/store/storetest"
	walletrows "madoguchi.example/backend/internal/store/wallet"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/backend/internal/wallet"
	"madoguchi.example/mobile-api/apiv1"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/sdjwtvc"
	"madoguchi.example/shared/cert/verify"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/trust"
)

const (
	walletMother = identity.CitizenID("ctz_06gzza6qrhz4h2xx8gec9n31dr")
	walletCard   = "crt_06gzza6qrhz4h2xx8gec9n31d1"
	walletHome   = "https://wallet.example/cb"
	walletID     = "https://wallet.example"
	walletCode   = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)

// walletCards stand in for the office that issues certificates.
type walletCards struct{ places int64 }

func (*walletCards) Held(context.Context, actor.Citizen, audit.Purpose) ([]wallet.Held, error) {
	return []wallet.Held{{ID: walletCard, Person: walletMother, Name: "山田 花子", Doses: 2, IssuedAt: storetest.Now(), Good: true}}, nil
}

func (c *walletCards) ForWallet(_ context.Context, _ tx.Tx, who actor.Citizen, _ audit.Purpose, id string) (cert.Certificate, int64, error) {
	if who.ID != walletMother || id != walletCard {
		return cert.Certificate{}, 0, fault.New(fault.NotFound, "none")
	}
	c.places++
	dose := cert.Dose{Number: 1, Code: "208", Product: "コミナティ筋注", Manufacturer: "ファイザー", Lot: "PX0001", On: civil.Date{Year: 2021, Month: 7, Day: 1}}
	return cert.Certificate{
		Holder:    identity.PersonName{FamilyKanji: "山田", GivenKanji: "花子", FamilyLatin: "YAMADA", GivenLatin: "HANAKO"},
		BirthDate: civil.Date{Year: 1985, Month: 4, Day: 1}, Doses: []cert.Dose{dose},
	}, c.places, nil
}

func (*walletCards) AddWalletCopy(context.Context, tx.Tx, identity.CitizenID, string, string, int64) error {
	return nil
}

type walletRing struct{ key *ecdsa.PrivateKey }

func (r walletRing) Signer(context.Context, keyring.Use, time.Time) (keyring.Key, crypto.Signer, error) {
	id, err := trust.KeyID(&r.key.PublicKey)
	return keyring.Key{ID: id, Public: &r.key.PublicKey}, r.key, err
}

// walletProvider is a small OpenID provider: any code signs in its subject.
type walletProvider struct {
	*httptest.Server
	key       *ecdsa.PrivateKey
	now       func() time.Time
	nonce     string
	challenge string
}

func newWalletProvider(t *testing.T, now func() time.Time) *walletProvider {
	p := &walletProvider{key: walletKey(t), now: now}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		p.json(w, map[string]any{"issuer": p.URL, "authorization_endpoint": p.URL + "/auth", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"ES256"}})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		p.json(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &p.key.PublicKey, KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		if base64.RawURLEncoding.EncodeToString(sum[:]) != p.challenge {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		id := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"iss": p.URL, "aud": "client", "sub": r.FormValue("code"), "nonce": p.nonce,
			"iat": p.now().Unix(), "exp": p.now().Add(time.Minute).Unix()})
		id.Header["kid"] = "k"
		signed, _ := id.SignedString(p.key)
		p.json(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": signed, "expires_in": 60})
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (*walletProvider) json(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// visited is what the person's browser does at the provider, and gives the state.
func (p *walletProvider) visited(t *testing.T, location string) string {
	t.Helper()
	u, err := url.Parse(location)
	if err != nil || !strings.HasPrefix(location, p.URL+"/auth?") {
		t.Fatalf("the browser is led to %q", location)
	}
	p.nonce, p.challenge = u.Query().Get("nonce"), u.Query().Get("code_challenge")
	return u.Query().Get("state")
}

// walletLinker knows one subject.
type walletLinker struct{}

func (walletLinker) Link(_ context.Context, c authn.Claims) (actor.Citizen, error) {
	if c.Subject != "mother" {
		return actor.Citizen{}, WithCounter(fault.New(fault.IdentityUnlinked, "nobody"), apiv1.Counter{Municipality: "みなと市", Name: "市民課", Phone: "03-0000-0001"})
	}
	return actor.Citizen{ID: walletMother, Municipality: "990019"}, nil
}

// walletHall is everything that wallets and their holders meet, on a real listener.
type walletHall struct {
	*running
	t        *testing.T
	log      *lockedLog
	now      time.Time
	key      *ecdsa.PrivateKey
	provider *walletProvider
}

func walletKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func openWalletHall(t *testing.T, db *store.DB) *walletHall {
	t.Helper()
	h := &walletHall{t: t, log: &lockedLog{}, now: storetest.Now(), key: walletKey(t)}
	clock := func() time.Time { return h.now }
	h.provider = newWalletProvider(t, clock)
	record := audit.New(auditrows.New(db.Reads()), audit.Register(), clock, rand.Reader)
	login, err := authn.NewProvider(authn.Client{Issuer: h.provider.URL, ID: "client", RedirectURL: publicURL + wallet.CallbackPath, Key: walletKey(t)},
		&http.Client{Timeout: 5 * time.Second}, clock, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	desk, err := wallet.New(wallet.Deps{
		Runner: db.Runner(), Rows: walletrows.New(db.Reads()), Certificates: &walletCards{}, Signers: walletRing{h.key},
		Place: func(i int64) (string, int64) { return publicURL + "/.well-known/status/0", i },
		SignIn: authn.NewOnce("wallet", authn.Parts{
			Run: db.Runner(), Rows: authnrows.New(db.Reads()), Audit: record, Secret: make([]byte, 32), Now: clock, Rand: rand.Reader,
		}, login, walletLinker{}),
		Keeper: idempotency.New(idempotencyrows.New(db.Reads()), clock), Record: record,
		Clients: []wallet.Client{{ID: walletID, Name: "見本<ウォレット>", RedirectURIs: []string{walletHome}}},
		Issuer:  publicURL, Secret: bytes.Repeat([]byte{9}, 32), IDs: handle.Source{Now: clock, Rand: rand.Reader}, Now: clock, Rand: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := consent.New(desk, true)
	if err != nil {
		t.Fatal(err)
	}
	routes, err := WalletRoutes(WalletDeps{Desk: desk, Pages: pages, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	h.running = serve(t, h.log, func(c *Config) { c.Gate = byID{} }, routes...)
	return h
}

// answered is an answer with its body.
type answered struct {
	*http.Response
	body []byte
}

func (a answered) json(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(a.body, &m); err != nil {
		t.Fatalf("status %d, %q is no object", a.StatusCode, a.body)
	}
	return m
}

func (h *walletHall) send(method, path string, header http.Header, body string) answered {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.base+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	maps.Copy(r.Header, header)
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answered{resp, raw}
}

func (h *walletHall) form(path string, pairs ...string) answered {
	h.t.Helper()
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return h.send(http.MethodPost, path, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, v.Encode())
}

// local gives the path of an endpoint that the metadata name.
func (h *walletHall) local(endpoint any) string {
	h.t.Helper()
	path, ok := strings.CutPrefix(fmt.Sprint(endpoint), publicURL)
	if !ok {
		h.t.Fatalf("the endpoint %v is not below the issuer", endpoint)
	}
	return path
}

// describe reads the two metadata documents as a wallet does.
func (h *walletHall) describe() (issuer, server map[string]any) {
	h.t.Helper()
	a := h.send(http.MethodGet, "/.well-known/openid-credential-issuer", http.Header{"Accept": {"application/json"}}, "")
	if a.Header.Get("Content-Type") != "application/json" || a.Header.Get("Access-Control-Allow-Origin") != "*" {
		h.t.Errorf("the metadata come as %v", a.Header)
	}
	return a.json(h.t), h.send(http.MethodGet, "/.well-known/oauth-authorization-server", nil, "").json(h.t)
}

// fetch gets a copy with an access token, as a wallet of another make does.
func (h *walletHall) fetch(token, clientID string) (credential string, holder *ecdsa.PrivateKey) {
	h.t.Helper()
	issuer, _ := h.describe()
	nonce := h.send(http.MethodPost, h.local(issuer["nonce_endpoint"]), nil, "")
	if nonce.Header.Get("Cache-Control") != "no-store" {
		h.t.Error("a nonce may be kept by a cache")
	}
	holder = walletKey(h.t)
	claims := map[string]any{"aud": issuer["credential_issuer"], "iat": h.now.Unix(), "nonce": nonce.json(h.t)["c_nonce"]}
	if clientID != "" {
		claims["iss"] = clientID
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: holder},
		(&jose.SignerOptions{EmbedJWK: true}).WithType("openid4vci-proof+jwt"))
	if err != nil {
		h.t.Fatal(err)
	}
	body, _ := json.Marshal(claims)
	signed, err := signer.Sign(body)
	if err != nil {
		h.t.Fatal(err)
	}
	proof, _ := signed.CompactSerialize()
	request, _ := json.Marshal(map[string]any{"credential_configuration_id": "VaccinationCertificate", "proofs": map[string]any{"jwt": []string{proof}}})
	a := h.send(http.MethodPost, h.local(issuer["credential_endpoint"]),
		http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}}, string(request))
	if a.StatusCode != http.StatusOK || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Content-Type") != "application/json" {
		h.t.Fatalf("status %d, %s", a.StatusCode, a.body)
	}
	list, _ := a.json(h.t)["credentials"].([]any)
	if len(list) != 1 {
		h.t.Fatalf("%d credentials", len(list))
	}
	credential, _ = list[0].(map[string]any)["credential"].(string)
	return credential, holder
}

// check reads the credential by hand and by the project's verifier.
func (h *walletHall) check(credential string, holder *ecdsa.PrivateKey) {
	h.t.Helper()
	parts := strings.Split(credential, "~")
	if len(parts) < 3 || parts[len(parts)-1] != "" {
		h.t.Fatal("it is no SD-JWT without key binding")
	}
	signed, err := jose.ParseSignedCompact(parts[0], []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		h.t.Fatal(err)
	}
	raw, err := signed.Verify(&h.key.PublicKey)
	if err != nil {
		h.t.Fatalf("another signature: %v", err)
	}
	var claims struct {
		ISS string `json:"iss"`
		VCT string `json:"vct"`
		CNF struct {
			JWK jose.JSONWebKey `json:"jwk"`
		} `json:"cnf"`
		Status struct {
			List struct {
				URI string `json:"uri"`
				IDX *int64 `json:"idx"`
			} `json:"status_list"`
		} `json:"status"`
		Digests []string `json:"_sd"`
	}
	if err := json.Unmarshal(raw, &claims); err != nil {
		h.t.Fatal(err)
	}
	bound, ok := claims.CNF.JWK.Key.(*ecdsa.PublicKey)
	if signed.Signatures[0].Protected.ExtraHeaders["typ"] != "dc+sd-jwt" || claims.ISS != publicURL || !ok || !bound.Equal(&holder.PublicKey) ||
		claims.Status.List.URI != publicURL+"/.well-known/status/0" || claims.Status.List.IDX == nil {
		h.t.Errorf("the credential states %s", raw)
	}
	birth := false
	for _, d := range parts[1 : len(parts)-1] {
		sum := sha256.Sum256([]byte(d))
		text, err := base64.RawURLEncoding.DecodeString(d)
		if err != nil {
			h.t.Fatal(err)
		}
		if strings.Contains(string(text), `"1985-04-01"`) {
			birth = slices.Contains(claims.Digests, base64.RawURLEncoding.EncodeToString(sum[:]))
		}
	}
	if !birth {
		h.t.Error("the birth date has no digest")
	}
	if kind := h.send(http.MethodGet, h.local(claims.VCT), nil, ""); kind.json(h.t)["vct"] != claims.VCT {
		h.t.Error("the type is not described at its address")
	}
	h.verify(credential, holder, nil, cert.Valid)
	h.verify(credential, holder, []int64{*claims.Status.List.IDX}, cert.Revoked)
}

func (h *walletHall) verify(credential string, holder *ecdsa.PrivateKey, revoked []int64, want cert.Outcome) {
	h.t.Helper()
	kid, err := trust.KeyID(&h.key.PublicKey)
	if err != nil {
		h.t.Fatal(err)
	}
	list, err := sdjwtvc.IssueStatusList(h.key, kid, sdjwtvc.Statuses{Issuer: publicURL, URI: publicURL + "/.well-known/status/0",
		IssuedAt: h.now, ExpiresAt: h.now.Add(time.Hour), Size: 1 << 10, Revoked: revoked})
	if err != nil {
		h.t.Fatal(err)
	}
	jwks, err := trust.WriteJWKS(trust.PublishedKey{Public: &h.key.PublicKey})
	if err != nil {
		h.t.Fatal(err)
	}
	name, text, err := sdjwtvc.TrustFile(publicURL, jwks, list)
	if err != nil {
		h.t.Fatal(err)
	}
	snap, err := verify.LoadTrust(fstest.MapFS{"sdjwt/" + strings.TrimPrefix(name, "sdjwt/"): {Data: text}})
	if err != nil {
		h.t.Fatal(err)
	}
	shown, err := sdjwtvc.Present(credential, func(sdjwtvc.Disclosure) bool { return true }, holder, "n-1", "verifier", h.now)
	if err != nil {
		h.t.Fatal(err)
	}
	v := sdjwtvc.VerifyPresentation([]byte(shown), snap, h.now, sdjwtvc.Expect{Nonce: "n-1", Audience: "verifier"})
	if v.Outcome != want || !v.Certificate.HolderBound || v.Certificate.Holder.Latin() != "HANAKO YAMADA" || len(v.Certificate.Doses) != 1 {
		h.t.Errorf("outcome %s, %s, findings %v", v.Outcome, v.Reason, v.Findings)
	}
}

func TestWalletByPreAuthorizedCode(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := openWalletHall(t, db)
		path := "/v1/certificates/" + walletCard + "/wallet-offer"
		if a := h.send(http.MethodPost, path, http.Header{"Idempotency-Key": {"key-0000000000000000"}}, ""); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("nobody was given an offer: %d", a.StatusCode)
		}
		a := h.send(http.MethodPost, path, http.Header{"Authorization": {"Bearer " + string(walletMother)}, "Idempotency-Key": {"key-0000000000000000"}}, "")
		if a.StatusCode != http.StatusCreated || a.Header.Get("Cache-Control") != privately {
			t.Fatalf("status %d: %s", a.StatusCode, a.body)
		}
		shown := a.json(t)
		u, err := url.Parse(fmt.Sprint(shown["offer_uri"]))
		if err != nil {
			t.Fatal(err)
		}
		var offer struct {
			Issuer string                    `json:"credential_issuer"`
			Grants map[string]map[string]any `json:"grants"`
		}
		if err := json.Unmarshal([]byte(u.Query().Get("credential_offer")), &offer); err != nil || offer.Issuer != publicURL {
			t.Fatalf("the offer is %+v, %v", offer, err)
		}
		const grant = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
		_, server := h.describe()
		token := h.form(h.local(server["token_endpoint"]), "grant_type", grant,
			"pre-authorized_code", fmt.Sprint(offer.Grants[grant]["pre-authorized_code"]), "tx_code", fmt.Sprint(shown["tx_code"]))
		if token.StatusCode != http.StatusOK || token.Header.Get("Cache-Control") != "no-store" || token.json(t)["token_type"] != "Bearer" {
			t.Fatalf("status %d: %s", token.StatusCode, token.body)
		}
		credential, holder := h.fetch(fmt.Sprint(token.json(t)["access_token"]), "")
		h.check(credential, holder)
		if strings.Contains(h.log.String(), fmt.Sprint(shown["tx_code"])) || strings.Contains(h.log.String(), "花子") {
			t.Error("the log holds what it must not")
		}
	})
}

// browser walks the pages with its one cookie.
type browser struct {
	*walletHall
	cookie string
}

func (b *browser) open(method, path string, form url.Values, header http.Header) answered {
	b.t.Helper()
	if header == nil {
		header = http.Header{}
	}
	if b.cookie != "" {
		header.Set("Cookie", b.cookie)
	}
	body := ""
	if form != nil {
		header.Set("Content-Type", "application/x-www-form-urlencoded")
		body = form.Encode()
	}
	a := b.send(method, path, header, body)
	for _, c := range a.Cookies() {
		if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || !strings.HasPrefix(c.Name, "__Host-") || c.Path != "/" {
			b.t.Errorf("the cookie is %s", c)
		}
		b.cookie = c.Name + "=" + c.Value
	}
	return a
}

var sameOrigin = http.Header{"Sec-Fetch-Site": {"same-origin"}}

var formMark = regexp.MustCompile(`name="form" value="([A-Za-z0-9_-]+)"`)

func walletRequest(state string) url.Values {
	sum := sha256.Sum256([]byte(walletCode))
	return url.Values{"response_type": {"code"}, "client_id": {walletID}, "redirect_uri": {walletHome}, "state": {state}, "scope": {wallet.Scope},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}}
}

// asked walks to the consent page and gives it.
func (b *browser) asked(q url.Values, subject string) answered {
	b.t.Helper()
	a := b.open(http.MethodGet, "/wallet/authorize?"+q.Encode(), nil, nil)
	if a.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("status %d: %s", a.StatusCode, a.body)
	}
	state := b.provider.visited(b.t, a.Header.Get("Location"))
	a = b.open(http.MethodGet, "/wallet/callback?"+url.Values{"code": {subject}, "state": {state}}.Encode(), nil, nil)
	if a.StatusCode != http.StatusSeeOther {
		return a
	}
	return b.open(http.MethodGet, a.Header.Get("Location"), nil, nil)
}

func TestWalletByAuthorizationCode(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := openWalletHall(t, db)
		pushed := h.form("/wallet/par", flat(walletRequest("st 1"))...)
		if pushed.StatusCode != http.StatusCreated || pushed.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("status %d: %s", pushed.StatusCode, pushed.body)
		}
		for name, q := range map[string]url.Values{
			"directly": walletRequest("st 1"),
			"pushed":   {"client_id": {walletID}, "request_uri": {fmt.Sprint(pushed.json(t)["request_uri"])}},
		} {
			b := &browser{walletHall: h}
			page := b.asked(q, "mother")
			text := string(page.body)
			policy := page.Header.Get("Content-Security-Policy")
			if page.StatusCode != http.StatusOK || !strings.Contains(text, "見本&lt;ウォレット&gt;") || !strings.Contains(text, "山田 花子") || strings.Contains(text, "⟦") ||
				!strings.Contains(policy, "frame-ancestors 'none'") || !strings.HasSuffix(policy, "form-action 'self' https://wallet.example") {
				t.Fatalf("%s: status %d, policy %q: %s", name, page.StatusCode, policy, text)
			}
			mark := formMark.FindStringSubmatch(text)
			yes := url.Values{"form": {mark[1]}, "answer": {"yes"}, "certificate": {walletCard}}
			for site, header := range map[string]http.Header{"none": nil, "another": {"Sec-Fetch-Site": {"cross-site"}}} {
				if a := b.open(http.MethodPost, "/wallet/consent", yes, header.Clone()); a.StatusCode != http.StatusForbidden || a.Header.Get("Location") != "" {
					t.Errorf("%s: a form of %s site was taken: %d", name, site, a.StatusCode)
				}
			}
			a := b.open(http.MethodPost, "/wallet/consent", yes, sameOrigin.Clone())
			to, err := url.Parse(a.Header.Get("Location"))
			if err != nil || a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to.String(), walletHome+"?") ||
				to.Query().Get("iss") != publicURL || to.Query().Get("state") != "st 1" {
				t.Fatalf("%s: status %d to %q", name, a.StatusCode, a.Header.Get("Location"))
			}
			token := h.form("/wallet/token", "grant_type", "authorization_code", "code", to.Query().Get("code"), "redirect_uri", walletHome,
				"client_id", walletID, "code_verifier", walletCode)
			if token.StatusCode != http.StatusOK {
				t.Fatalf("%s: status %d: %s", name, token.StatusCode, token.body)
			}
			credential, holder := h.fetch(fmt.Sprint(token.json(t)["access_token"]), walletID)
			h.check(credential, holder)
		}
	})
}

func flat(v url.Values) (pairs []string) {
	for name, values := range v {
		pairs = append(pairs, name, values[0])
	}
	return pairs
}

func TestWalletPagesThatLeadNowhere(t *testing.T) {
	h := openWalletHall(t, storetest.Open(t, store.SQLite))
	b := &browser{walletHall: h}
	evil := walletRequest("x")
	evil.Set("redirect_uri", "https://evil.example/cb")
	a := b.open(http.MethodGet, "/wallet/authorize?"+evil.Encode(), nil, nil)
	if a.StatusCode != http.StatusUnprocessableEntity || a.Header.Get("Location") != "" || bytes.Contains(a.body, []byte("evil")) || b.cookie != "" ||
		!strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
		t.Errorf("status %d to %q: %s", a.StatusCode, a.Header.Get("Location"), a.body)
	}
	if a := b.open(http.MethodGet, "/wallet/consent", nil, http.Header{"Accept-Language": {"en-GB"}}); a.StatusCode != http.StatusUnauthorized || !bytes.Contains(a.body, []byte(`lang="en"`)) {
		t.Errorf("status %d: %s", a.StatusCode, a.body)
	}
	page := b.asked(walletRequest("x"), "stranger")
	text := string(page.body)
	if page.StatusCode != http.StatusForbidden || !strings.Contains(text, "市民課") || !strings.Contains(text, "03-0000-0001") || strings.Contains(text, "⟦") {
		t.Fatalf("status %d: %s", page.StatusCode, text)
	}
	mark := formMark.FindStringSubmatch(text)
	a = b.open(http.MethodPost, "/wallet/consent", url.Values{"form": {mark[1]}, "answer": {"no"}}, sameOrigin.Clone())
	if to := a.Header.Get("Location"); !strings.HasPrefix(to, walletHome+"?error=access_denied") {
		t.Errorf("a no led to %q", to)
	}
}

// What wallets are told, byte for byte: a name of the standard and nothing that they sent.
func TestWalletErrorsOnTheWire(t *testing.T) {
	h := openWalletHall(t, storetest.Open(t, store.SQLite))
	const sent = "VALUE-OF-THE-WALLET"
	jsonType := http.Header{"Content-Type": {"application/json"}}
	for name, c := range map[string]struct {
		a            answered
		status       int
		body, scheme string
	}{
		"no form":       {h.send(http.MethodPost, "/wallet/token", jsonType, `{"grant_type":"`+sent+`"}`), 400, `{"error":"invalid_request"}`, ""},
		"a bad form":    {h.form("/wallet/token", "grant_type", sent), 400, `{"error":"unsupported_grant_type"}`, ""},
		"a bad code":    {h.form("/wallet/token", "grant_type", "urn:ietf:params:oauth:grant-type:pre-authorized_code", "pre-authorized_code", sent, "tx_code", "1"), 400, `{"error":"invalid_grant"}`, ""},
		"no token":      {h.send(http.MethodPost, "/wallet/credential", jsonType, `{}`), 401, `{}`, "Bearer"},
		"a bad token":   {h.send(http.MethodPost, "/wallet/credential", http.Header{"Authorization": {"Bearer " + sent}}, `{}`), 401, `{"error":"invalid_token"}`, `Bearer error="invalid_token"`},
		"a bad request": {h.form("/wallet/par", "client_id", sent), 400, `{"error":"invalid_client"}`, ""},
	} {
		if c.a.StatusCode != c.status || string(c.a.body) != c.body || c.a.Header.Get("WWW-Authenticate") != c.scheme ||
			c.a.Header.Get("Content-Type") != "application/json" || c.a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: status %d, %q, %v", name, c.a.StatusCode, c.a.body, c.a.Header)
		}
	}
	if a := h.send(http.MethodPost, "/wallet/credential", jsonType, strings.Repeat(" ", wallet.MaxRequest+1)); a.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a large request: %d", a.StatusCode)
	}
	if strings.Contains(h.log.String(), sent) {
		t.Error("the log holds what a wallet sent")
	}
}

// What a wallet sent stays as it was while the server uses its buffers again.
func TestWalletRequestsKeepTheirValues(t *testing.T) {
	h := openWalletHall(t, storetest.Open(t, store.SQLite))
	var open []*browser
	for i := range 20 {
		b := &browser{walletHall: h}
		b.open(http.MethodGet, "/wallet/authorize?"+walletRequest(fmt.Sprintf("state-%03d", i)).Encode(), nil, nil)
		open = append(open, b)
	}
	for i, b := range open {
		page := b.open(http.MethodGet, "/wallet/consent", nil, nil)
		mark := formMark.FindStringSubmatch(string(page.body))
		if mark == nil {
			t.Fatalf("status %d: %s", page.StatusCode, page.body)
		}
		a := b.open(http.MethodPost, "/wallet/consent", url.Values{"form": {mark[1]}, "answer": {"no"}}, sameOrigin.Clone())
		to, err := url.Parse(a.Header.Get("Location"))
		if err != nil || to.Query().Get("state") != fmt.Sprintf("state-%03d", i) {
			t.Errorf("browser %d is led to %q", i, a.Header.Get("Location"))
		}
	}
}

// Whoever floods one endpoint leaves the others to everybody else.
func TestWalletFloods(t *testing.T) {
	h := openWalletHall(t, storetest.Open(t, store.SQLite))
	b := &browser{walletHall: h}
	status := map[string]func() int{
		"nonce":     func() int { return h.send(http.MethodPost, "/wallet/nonce", nil, "").StatusCode },
		"token":     func() int { return h.form("/wallet/token", "grant_type", "x").StatusCode },
		"push":      func() int { return h.form("/wallet/par", "client_id", "x").StatusCode },
		"copy":      func() int { return h.send(http.MethodPost, "/wallet/credential", nil, "").StatusCode },
		"authorize": func() int { return b.open(http.MethodGet, "/wallet/authorize", nil, nil).StatusCode },
		"callback":  func() int { return b.open(http.MethodGet, "/wallet/callback", nil, nil).StatusCode },
		"consent":   func() int { return b.open(http.MethodGet, "/wallet/consent", nil, nil).StatusCode },
	}
	for name, ask := range status {
		if s := ask(); s == http.StatusTooManyRequests {
			t.Fatalf("%s is flooded before anybody came", name)
		}
		for range walletBurst {
			ask()
		}
		if s := ask(); s != http.StatusTooManyRequests {
			t.Errorf("%s answers a flood with %d", name, s)
		}
	}
}

// The consent page's policy names where its answer leads in words that a policy has.
func TestConsentPolicySource(t *testing.T) {
	for address, want := range map[string]string{
		"https://wallet.example:8443/cb?x=1": "https://wallet.example:8443", "example.other.wallet:/cb": "example.other.wallet:",
		"http://127.0.0.1:51004/cb": "http://127.0.0.1:51004", "http://[::1]:51004/cb": "http:", "": "", "/cb": "",
	} {
		if got := sourceOf(address); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}
