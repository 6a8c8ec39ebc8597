package authn_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/authn"
	"madoguchi.example/backend/internal/store"
	auditrows "madoguchi.example/backend/internal/store/audit"
	rows "madoguchi.example/backend/internal/store/authn"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
)

func TestConformance(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		storetest.Conformance(t, db, storetest.Table{
			Name: "sign_in_flow", Keys: []string{"state_hash"},
			Columns: []string{"state_hash", "face", "binding_hash", "expires_at"},
			Values:  func(n int) []any { return []any{fmt.Appendf(nil, "h%d", n), "citizen", []byte{1}, int64(1)} },
		}, storetest.Table{
			Name: "citizen_session", Keys: []string{"citizen_id", "session_id"},
			Columns: []string{"citizen_id", "session_id", "municipality_code", "refresh_hash", "created_at", "expires_at"},
			Values: func(n int) []any {
				return []any{"ctz_1", fmt.Sprint("ses_", n), "990019", []byte{1}, int64(1), int64(2)}
			},
		}, storetest.Table{
			Name: "staff", Keys: []string{"staff_id"},
			Columns: []string{"staff_id", "subject", "name", "municipality_code", "roles"},
			Values:  func(n int) []any { return []any{fmt.Sprint("stf_", n), fmt.Sprint("s-", n), "name", "990019", "clerk"} },
		}, storetest.Table{
			Name: "staff_session", Keys: []string{"session_hash"},
			Columns: []string{"session_hash", "staff_id", "created_at", "seen_at", "expires_at"},
			Values: func(n int) []any {
				return []any{fmt.Appendf(nil, "h%d", n), "stf_1", int64(1), int64(1), int64(2)}
			},
		}, storetest.Table{
			Name: "terminal_assertion", Keys: []string{"terminal_id", "assertion_hash"},
			Columns: []string{"terminal_id", "assertion_hash", "expires_at"},
			Values:  func(n int) []any { return []any{"trm_1", fmt.Appendf(nil, "h%d", n), int64(1)} },
		})
	})
}

// provider is a small OpenID provider: it signs in the subject "sub-1" under any code,
// once, and checks what a provider must of PKCE and the client's assertion.
type provider struct {
	*httptest.Server
	key       *ecdsa.PrivateKey
	client    *ecdsa.PublicKey
	now       func() time.Time
	challenge string
	nonce     string
	down      bool
	spoilID   func(claims map[string]any)
}

func newProvider(t *testing.T, client *ecdsa.PublicKey, now func() time.Time) *provider {
	t.Helper()
	p := &provider{key: newKey(t), client: client, now: now}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		p.json(w, map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/auth", "token_endpoint": p.URL + "/token",
			"jwks_uri": p.URL + "/keys", "userinfo_endpoint": p.URL + "/me", "id_token_signing_alg_values_supported": []string{"ES256"},
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		point, _ := p.key.PublicKey.Bytes()
		b64 := base64.RawURLEncoding.EncodeToString
		p.json(w, map[string]any{"keys": []any{map[string]string{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "k", "x": b64(point[1:33]), "y": b64(point[33:])}}})
	})
	mux.HandleFunc("/token", p.token)
	mux.HandleFunc("/me", func(w http.ResponseWriter, _ *http.Request) {
		p.json(w, map[string]any{"sub": "sub-1", "name": "窓口 花子", "birthdate": "1990-01-01", "gender": "female", "address": map[string]string{"formatted": "みなと市一丁目"}})
	})
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.down {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) json(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	sum := sha256.Sum256([]byte(r.Form.Get("code_verifier")))
	var c jwt.RegisteredClaims
	_, err := jwt.NewParser(jwt.WithAudience(p.URL+"/token"), jwt.WithTimeFunc(p.now), jwt.WithExpirationRequired()).
		ParseWithClaims(r.Form.Get("client_assertion"), &c, func(*jwt.Token) (any, error) { return p.client, nil })
	if err != nil || c.Issuer != "client" || base64.RawURLEncoding.EncodeToString(sum[:]) != p.challenge || r.Form.Get("code") != "code-1" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
		return
	}
	claims := map[string]any{"iss": p.URL, "aud": "client", "sub": "sub-1", "nonce": p.nonce, "iat": p.now().Unix(), "exp": p.now().Add(time.Minute).Unix()}
	if p.spoilID != nil {
		p.spoilID(claims)
	}
	id := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims(claims))
	id.Header["kid"] = "k"
	signed, _ := id.SignedString(p.key)
	p.json(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": signed, "expires_in": 60})
}

// visit does what the person's browser does at the provider, and gives the state.
func (p *provider) visit(t *testing.T, authorizationURL string) string {
	t.Helper()
	u, err := url.Parse(authorizationURL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if q.Get("code_challenge_method") != "S256" || q.Get("response_type") != "code" {
		t.Errorf("the authorization request is %s", u.RawQuery)
	}
	p.challenge, p.nonce = q.Get("code_challenge"), q.Get("nonce")
	return q.Get("state")
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), storetest.Rand(t.Name()))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

type linker struct{ claims authn.Claims }

func (l *linker) Link(_ context.Context, c authn.Claims) (actor.Citizen, error) {
	l.claims = c
	return actor.Citizen{ID: "ctz_06gzza6qrhz4h2xx8gec9n31dr", Municipality: "990019"}, nil
}

type world struct {
	now      time.Time
	provider *provider
	linker   *linker
	citizens *authn.Citizens
	staff    *authn.Staff
	parts    authn.Parts
}

func newWorld(t *testing.T, db *store.DB) *world {
	t.Helper()
	w := &world{now: storetest.Now(), linker: &linker{}}
	clock := func() time.Time { return w.now }
	client := newKey(t)
	w.provider = newProvider(t, &client.PublicKey, clock)
	random := storetest.Rand(t.Name())
	at := func(scopes ...string) *authn.Provider {
		p, err := authn.NewProvider(authn.Client{Issuer: w.provider.URL, ID: "client", RedirectURL: "https://x.example/cb", Scopes: scopes, Key: client},
			&http.Client{Timeout: 5 * time.Second}, clock, random)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	tokens, err := authn.NewTokens("https://x.example", newKey(t), nil, clock, random)
	if err != nil {
		t.Fatal(err)
	}
	w.parts = authn.Parts{
		Run: db.Runner(), Rows: rows.New(db.Reads()), Audit: audit.New(auditrows.New(db.Reads()), audit.Register(), clock, random),
		Secret: make([]byte, 32), Now: clock, Rand: random,
	}
	w.citizens = authn.NewCitizens(w.parts, at("name", "address", "birthdate", "gender"), tokens, w.linker)
	w.staff = authn.NewStaff(w.parts, at())
	return w
}

const secret = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

func binding() string {
	sum := sha256.Sum256([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (w *world) begin(t *testing.T) (state string) {
	t.Helper()
	to, err := w.citizens.Start(t.Context(), binding())
	if err != nil {
		t.Fatal(err)
	}
	return w.provider.visit(t, to)
}

func wants(t *testing.T, what string, err error, code fault.Code) {
	t.Helper()
	if fault.CodeOf(err) != code {
		t.Errorf("%s: answered %v, want %s", what, err, code)
	}
}

func TestCitizenSignIn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		ctx := t.Context()
		state := w.begin(t)
		pair, err := w.citizens.Finish(ctx, "code-1", state, secret)
		if err != nil {
			t.Fatal(err)
		}
		if c := w.linker.claims; c.Name != "窓口 花子" || c.Address != "みなと市一丁目" || c.BirthDate != "1990-01-01" || c.Subject != "sub-1" {
			t.Error("the linker got other claims than the provider gave")
		}
		if strings.Contains(fmt.Sprint(w.linker.claims, pair), "花子") {
			t.Error("claims do not mask themselves")
		}
		_, err = w.citizens.Finish(ctx, "code-1", state, secret)
		wants(t, "the same answer again", err, fault.Unauthenticated)

		who, err := w.citizens.Prove(pair.Access)
		if err != nil || who.Municipality != "990019" || who.Session == "" {
			t.Fatalf("the token is of %+v, %v", who, err)
		}
		second, err := w.citizens.Refresh(ctx, pair.Refresh)
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.citizens.Refresh(ctx, second.Refresh[:len(second.Refresh)-1]+"A")
		wants(t, "a made-up refresh token", err, fault.Unauthenticated)
		third, err := w.citizens.Refresh(ctx, second.Refresh)
		if err != nil {
			t.Fatalf("a made-up token ended the session: %v", err)
		}
		_, err = w.citizens.Refresh(ctx, pair.Refresh)
		wants(t, "a refresh token used twice", err, fault.Unauthenticated)
		_, err = w.citizens.Refresh(ctx, third.Refresh)
		wants(t, "the family after a reuse", err, fault.Unauthenticated)
		_, err = w.citizens.Prove(third.Access)
		wants(t, "the access token after a reuse", err, fault.Unauthenticated)
	})
}

// An app that lost the answer brings its token again and stays signed in; whoever brings a
// token that was replaced for good ends the session.
func TestRefreshAgain(t *testing.T) {
	type step struct {
		token int // 0 is the sign-in's; each success makes the next number
		wait  time.Duration
		ends  bool
	}
	for name, steps := range map[string][]step{
		"the answer was lost":                 {{0, 0, false}, {0, time.Minute, false}, {2, 0, false}},
		"lost twice":                          {{0, 0, false}, {0, time.Minute, false}, {0, 59 * time.Second, false}, {3, 0, false}},
		"the time runs from the first answer": {{0, 0, false}, {0, time.Minute, false}, {0, time.Minute, true}, {2, 0, true}},
		"too late":                            {{0, 0, false}, {0, authn.RefreshAgain, true}, {1, 0, true}},
		"the successor was used":              {{0, 0, false}, {1, 0, false}, {0, 0, true}, {2, 0, true}},
		"the void successor":                  {{0, 0, false}, {0, 0, false}, {1, 0, true}, {2, 0, true}},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				w := newWorld(t, db)
				pair, err := w.citizens.Finish(t.Context(), "code-1", w.begin(t), secret)
				if err != nil {
					t.Fatal(err)
				}
				tokens := []string{pair.Refresh}
				for i, s := range steps {
					w.now = w.now.Add(s.wait)
					next, err := w.citizens.Refresh(t.Context(), tokens[s.token])
					if s.ends {
						wants(t, fmt.Sprint("step ", i), err, fault.Unauthenticated)
						continue
					}
					if err != nil {
						t.Fatalf("step %d: %v", i, err)
					}
					tokens = append(tokens, next.Refresh)
				}
			})
		})
	}
}

// Two tabs that refresh at once with one token do not end the session, and only one of the
// two new tokens lives.
func TestRefreshAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		pair, err := w.citizens.Finish(t.Context(), "code-1", w.begin(t), secret)
		if err != nil {
			t.Fatal(err)
		}
		type answer struct {
			pair authn.Pair
			err  error
		}
		answers := make(chan answer, 2)
		for range 2 {
			go func() {
				p, err := w.citizens.Refresh(context.WithoutCancel(t.Context()), pair.Refresh)
				answers <- answer{p, err}
			}()
		}
		for range 2 {
			if a := <-answers; a.err != nil {
				t.Errorf("a tab was signed out: %v", a.err)
			}
		}
	})
}

// However many sign-ins were begun and left, one sweep removes those that expired.
func TestSweepKeepsUp(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	w := newWorld(t, db)
	const begun = 1_203
	err := db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error {
		for i := range begun {
			f := authn.Flow{StateHash: fmt.Appendf(nil, "h%d", i), Face: "citizen", BindingHash: []byte{1}, ExpiresAt: w.now.Add(authn.FlowLifetime)}
			if err := w.parts.Rows.InsertFlow(ctx, x, f); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	left := func() (n int) {
		if err := authn.Sweep(t.Context(), w.parts); err != nil {
			t.Fatal(err)
		}
		if err := db.Reads().Each(t.Context(), `SELECT count(*) FROM sign_in_flow`, nil, func(scan func(...any) error) error { return scan(&n) }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := left(); n != begun {
		t.Errorf("%d left of %d that live", n, begun)
	}
	w.now = w.now.Add(authn.FlowLifetime)
	if n := left(); n != 0 {
		t.Errorf("%d expired ones are left", n)
	}
}

func TestSessionEnds(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		ctx := t.Context()
		pair, err := w.citizens.Finish(ctx, "code-1", w.begin(t), secret)
		if err != nil {
			t.Fatal(err)
		}
		who, err := w.citizens.Prove(pair.Access)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.citizens.SignOut(ctx, who); err != nil {
			t.Fatal(err)
		}
		_, err = w.citizens.Prove(pair.Access)
		wants(t, "the access token after signing out", err, fault.Unauthenticated)
		_, err = w.citizens.Refresh(ctx, pair.Refresh)
		wants(t, "the refresh token after signing out", err, fault.Unauthenticated)

		pair, err = w.citizens.Finish(ctx, "code-1", w.begin(t), secret)
		if err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(authn.SessionLifetime)
		_, err = w.citizens.Refresh(ctx, pair.Refresh)
		wants(t, "a session past its life", err, fault.Unauthenticated)
		if err := authn.Sweep(ctx, w.parts); err != nil {
			t.Error(err)
		}
	})
}

func TestRefusedSignIns(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	w := newWorld(t, db)
	ctx := t.Context()
	_, err := w.citizens.Start(ctx, "short")
	wants(t, "a bad binding", err, fault.InvalidArgument)
	_, err = w.citizens.Finish(ctx, "code-1", "unknown", secret)
	wants(t, "an unknown state", err, fault.Unauthenticated)
	_, err = w.citizens.Finish(ctx, "code-1", w.begin(t), "another secret")
	wants(t, "another browser", err, fault.Unauthenticated)
	_, err = w.citizens.Finish(ctx, "code-2", w.begin(t), secret)
	wants(t, "a code that the provider refuses", err, fault.Unauthenticated)
	state := w.begin(t)
	w.now = w.now.Add(authn.FlowLifetime)
	_, err = w.citizens.Finish(ctx, "code-1", state, secret)
	wants(t, "too late", err, fault.Unauthenticated)
	to, _, err := w.staff.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.citizens.Finish(ctx, "code-1", w.provider.visit(t, to), secret)
	wants(t, "the staff's state", err, fault.Unauthenticated)
	for name, spoil := range map[string]func(map[string]any){
		"other nonce": func(c map[string]any) { c["nonce"] = "x" },
		"no nonce":    func(c map[string]any) { delete(c, "nonce") },
		"other aud":   func(c map[string]any) { c["aud"] = "x" },
		"two auds":    func(c map[string]any) { c["aud"] = []string{"client", "x"} },
		"other iss":   func(c map[string]any) { c["iss"] = "https://evil.example" },
		"expired":     func(c map[string]any) { c["exp"] = w.now.Add(-time.Hour).Unix() },
		"other sub":   func(c map[string]any) { c["sub"] = "sub-2" },
	} {
		w.provider.spoilID = spoil
		_, err = w.citizens.Finish(ctx, "code-1", w.begin(t), secret)
		wants(t, "ID token with "+name, err, fault.Unauthenticated)
	}
	w.provider.spoilID = nil
	state = w.begin(t)
	w.provider.down = true
	_, err = w.citizens.Finish(ctx, "code-1", state, secret)
	wants(t, "the provider is down", err, fault.Unavailable)
}

func TestStartsWhileTheProviderIsDown(t *testing.T) {
	w := newWorld(t, storetest.Open(t, store.SQLite))
	w.provider.down = true
	_, err := w.citizens.Start(t.Context(), binding())
	wants(t, "down", err, fault.Unavailable)
	w.provider.down = false
	w.now = w.now.Add(time.Minute)
	if _, err := w.citizens.Start(t.Context(), binding()); err != nil {
		t.Errorf("up again: %v", err)
	}
}

func TestStaffSignIn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		ctx := t.Context()
		signIn := func() (string, error) {
			to, own, err := w.staff.Start(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return w.staff.Finish(ctx, "code-1", w.provider.visit(t, to), own)
		}
		_, err := signIn()
		wants(t, "not listed", err, fault.Forbidden)
		list := func(roles ...actor.Role) (changed bool) {
			err := db.Runner().Do(ctx, func(ctx context.Context, tr tx.Tx) (err error) {
				changed, err = rows.New(db.Reads()).UpsertStaff(ctx, tr, authn.StaffMember{
					ID: fmt.Sprintf("stf_%d", w.now.Unix()), Subject: "sub-1", Name: "窓口 文香", Municipality: "990019", Roles: roles,
				})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return changed
		}
		if !list(actor.Clerk) || list(actor.Clerk) {
			t.Error("the same officer twice is a change, or the first time is none")
		}
		session, err := signIn()
		if err != nil {
			t.Fatal(err)
		}
		who, err := w.staff.Prove(ctx, session)
		if err != nil || !who.Has(actor.Clerk) || who.Municipality != "990019" {
			t.Fatalf("the session is of %+v, %v", who, err)
		}
		if name, err := rows.New(db.Reads()).StaffName(ctx, who.ID); err != nil || name != "窓口 文香" {
			t.Errorf("the officer is called %q, %v", name, err)
		}
		if name, err := rows.New(db.Reads()).StaffName(ctx, "stf_nobody"); err != nil || name != "" {
			t.Errorf("nobody is called %q, %v", name, err)
		}
		w.now = w.now.Add(authn.StaffIdle - time.Second)
		if _, err := w.staff.Prove(ctx, session); err != nil {
			t.Errorf("just before the idle limit: %v", err)
		}
		list(actor.Auditor)
		if who, err = w.staff.Prove(ctx, session); err != nil || who.Has(actor.Clerk) || !who.Has(actor.Auditor) {
			t.Errorf("a changed role does not count at once: %+v, %v", who, err)
		}
		w.now = w.now.Add(authn.StaffIdle)
		_, err = w.staff.Prove(ctx, session)
		wants(t, "idle too long", err, fault.Unauthenticated)
		if session, err = signIn(); err != nil {
			t.Fatal(err)
		}
		if err := w.staff.SignOut(ctx, who, session); err != nil {
			t.Fatal(err)
		}
		_, err = w.staff.Prove(ctx, session)
		wants(t, "signed out", err, fault.Unauthenticated)
		_, err = w.staff.Prove(ctx, "made up")
		wants(t, "made up", err, fault.Unauthenticated)
	})
}

func TestAssertionsAreSpentOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := rows.New(db.Reads())
		for _, want := range []bool{true, false} {
			err := db.Runner().Do(t.Context(), func(ctx context.Context, tr tx.Tx) error {
				got, err := r.SpendAssertion(ctx, tr, "trm_1", []byte("jti"), storetest.Now())
				if got != want {
					t.Errorf("fresh: %v, want %v", got, want)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}
