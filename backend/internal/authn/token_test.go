package authn

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
)

const issuer = "https://madoguchi.example"

var base = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newTokens(t testing.TB, key *ecdsa.PrivateKey, now func() time.Time) *Tokens {
	t.Helper()
	tokens, err := NewTokens(issuer, key, nil, now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

type part = map[string]any

// sign makes a compact JWS with any header, also one that no library would write.
func sign(t testing.TB, key *ecdsa.PrivateKey, header, claims part) string {
	t.Helper()
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	c, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	input := b64(h) + "." + b64(c)
	sig, err := jwt.SigningMethodES256.Sign(input, key)
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(sig)
}

// with copies m with one change; nil removes the key.
func with(m part, key string, value any) part {
	out := part{}
	for k, v := range m {
		out[k] = v
	}
	if value == nil {
		delete(out, key)
	} else {
		out[key] = value
	}
	return out
}

// Every token that the library takes by default, or that is altered in one place, is refused.
func TestAlteredTokensAreRefused(t *testing.T) {
	key := newKey(t)
	tokens := newTokens(t, key, func() time.Time { return base })
	header := part{"alg": "ES256", "typ": "at+jwt", "kid": tokens.kid}
	claims := part{
		"iss": issuer, "aud": []string{AudienceMobile}, "sub": "ctz_1", "jti": "jti_1", "sid": "ses_1",
		"iat": base.Unix(), "exp": base.Add(AccessLifetime).Unix(),
	}
	if _, err := tokens.verify(sign(t, key, header, claims), AudienceMobile); err != nil {
		t.Fatalf("the control was refused: %v", err)
	}
	good := sign(t, key, header, claims)
	dot := strings.LastIndexByte(good, '.')
	cases := map[string]string{
		"no exp":            sign(t, key, header, with(claims, "exp", nil)),
		"expired":           sign(t, key, header, with(claims, "exp", base.Unix())),
		"lives too long":    sign(t, key, header, with(claims, "exp", base.Add(2*time.Hour).Unix())),
		"no iat":            sign(t, key, header, with(claims, "iat", nil)),
		"iat in the future": sign(t, key, header, with(claims, "iat", base.Add(time.Minute).Unix())),
		"nbf in the future": sign(t, key, header, with(claims, "nbf", base.Add(time.Minute).Unix())),
		"no aud":            sign(t, key, header, with(claims, "aud", nil)),
		"other aud":         sign(t, key, header, with(claims, "aud", AudienceTerminal)),
		"two auds":          sign(t, key, header, with(claims, "aud", []string{AudienceMobile, AudienceTerminal})),
		"no iss":            sign(t, key, header, with(claims, "iss", nil)),
		"other iss":         sign(t, key, header, with(claims, "iss", "https://evil.example")),
		"no sub":            sign(t, key, header, with(claims, "sub", nil)),
		"no jti":            sign(t, key, header, with(claims, "jti", nil)),
		"bound to a key":    sign(t, key, header, with(claims, "cnf", part{"jkt": "x"})),
		"no typ":            sign(t, key, with(header, "typ", nil), claims),
		"typ JWT":           sign(t, key, with(header, "typ", "JWT"), claims),
		"typ dpop+jwt":      sign(t, key, with(header, "typ", "dpop+jwt"), claims),
		"unknown crit":      sign(t, key, with(header, "crit", []string{"x"}), claims),
		"jwk in the header": sign(t, key, with(header, "jwk", part{"kty": "EC"}), claims),
		"jku in the header": sign(t, key, with(header, "jku", "https://evil.example"), claims),
		"no kid":            sign(t, key, with(header, "kid", nil), claims),
		"kid a number":      sign(t, key, with(header, "kid", 1), claims),
		"unknown kid":       sign(t, key, with(header, "kid", "x"), claims),
		"alg none":          sign(t, key, with(header, "alg", "none"), claims),
		"alg HS256":         sign(t, key, with(header, "alg", "HS256"), claims),
		"alg ES384":         sign(t, key, with(header, "alg", "ES384"), claims),
		"another's key":     sign(t, newKey(t), header, claims),
		"no signature":      good[:dot+1],
		"two parts":         good[:dot],
		"four parts":        good + ".x",
		"padded":            good + "=",
		"loose last bits":   loose(good),
		"blank":             " " + good,
		"many dots":         strings.Repeat(".", 3000),
		"too long":          good + strings.Repeat("A", MaxTokenBytes),
		"empty":             "",
	}
	for name, token := range cases {
		if _, err := tokens.verify(token, AudienceMobile); fault.CodeOf(err) != fault.Unauthenticated {
			t.Errorf("%s: answered %v", name, err)
		}
	}
	t.Logf("%d altered tokens", len(cases))
}

// loose changes bits of the last character that carry nothing.
func loose(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	at := strings.IndexByte(alphabet, token[len(token)-1])
	return token[:len(token)-1] + string(alphabet[at^1])
}

// A cached token is refused once it has expired, and is not taken for another audience.
func TestCacheKeepsTheRules(t *testing.T) {
	now := base
	tokens := newTokens(t, newKey(t), func() time.Time { return now })
	raw, err := tokens.mint(AudienceMobile, accessClaims{RegisteredClaims: jwt.RegisteredClaims{Subject: "ctz_1"}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := tokens.verify(raw, AudienceMobile); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tokens.verify(raw, AudienceTerminal); err == nil {
		t.Error("a citizen's token was taken for a terminal's")
	}
	now = base.Add(AccessLifetime)
	if _, err := tokens.verify(raw, AudienceMobile); err == nil {
		t.Error("an expired token was taken from the cache")
	}
}

// inMemory runs callbacks without a store.
type inMemory struct{}

func (inMemory) Do(ctx context.Context, fn func(context.Context, tx.Tx) error) error {
	return fn(ctx, nil)
}

// spender is Rows that only remember assertions.
type spender struct {
	Rows
	spent map[string]bool
}

func (s spender) SpendAssertion(_ context.Context, _ tx.Tx, terminal string, hash []byte, _ time.Time) (bool, error) {
	key := terminal + string(hash)
	fresh := !s.spent[key]
	s.spent[key] = true
	return fresh, nil
}

type oneTerminal struct{ key *ecdsa.PublicKey }

func (o oneTerminal) TerminalKey(_ context.Context, id string) (actor.Terminal, *ecdsa.PublicKey, error) {
	if id != "trm_1" {
		return actor.Terminal{}, nil, fault.New(fault.NotFound, "no such terminal")
	}
	return actor.Terminal{ID: "trm_1", Office: "ofc_1", Class: "clinic", Municipality: "990019"}, o.key, nil
}

func (oneTerminal) InUse(context.Context, string) error { return nil }

func TestTerminalGrant(t *testing.T) {
	key := newKey(t)
	tokens := newTokens(t, newKey(t), func() time.Time { return base })
	terminals := NewTerminals(Parts{
		Run: inMemory{}, Rows: spender{spent: map[string]bool{}}, Now: func() time.Time { return base }, Rand: rand.Reader,
	}, tokens, oneTerminal{&key.PublicKey}, issuer)
	header := part{"alg": "ES256", "typ": "JWT"}
	claims := part{
		"iss": "trm_1", "sub": "trm_1", "aud": issuer + TokenPath, "jti": "a", "iat": base.Unix(), "exp": base.Add(time.Minute).Unix(),
	}
	form := func(assertion string) url.Values {
		return url.Values{"grant_type": {"client_credentials"}, "client_assertion_type": {assertionType}, "client_assertion": {assertion}}
	}
	granted, err := terminals.Grant(t.Context(), form(sign(t, key, header, claims)))
	if err != nil {
		t.Fatal(err)
	}
	who, err := terminals.Prove(t.Context(), granted.AccessToken)
	if err != nil || who.ID != "trm_1" || who.Class != "clinic" || who.Office != "ofc_1" || who.Municipality != "990019" {
		t.Errorf("the token is of %+v, %v", who, err)
	}
	if _, err := terminals.Grant(t.Context(), form(sign(t, key, header, claims))); err == nil {
		t.Error("an assertion was taken twice")
	}
	fresh := with(claims, "jti", "b")
	for name, assertion := range map[string]string{
		"no jti":            sign(t, key, header, with(fresh, "jti", nil)),
		"no exp":            sign(t, key, header, with(fresh, "exp", nil)),
		"expired":           sign(t, key, header, with(fresh, "exp", base.Unix())),
		"lives too long":    sign(t, key, header, with(fresh, "exp", base.Add(AssertionLimit+time.Second).Unix())),
		"iat in the future": sign(t, key, header, with(fresh, "iat", base.Add(time.Minute).Unix())),
		"other aud":         sign(t, key, header, with(fresh, "aud", issuer)),
		"two auds":          sign(t, key, header, with(fresh, "aud", []string{issuer + TokenPath, "x"})),
		"iss is not sub":    sign(t, key, header, with(fresh, "iss", "trm_2")),
		"unknown terminal":  sign(t, key, header, with(with(fresh, "iss", "trm_2"), "sub", "trm_2")),
		"another's key":     sign(t, newKey(t), header, fresh),
		"an access token":   granted.AccessToken,
		"typ at+jwt":        sign(t, key, with(header, "typ", "at+jwt"), fresh),
		"crit":              sign(t, key, with(header, "crit", []string{"x"}), fresh),
		"alg none":          sign(t, key, with(header, "alg", "none"), fresh),
		"empty":             "",
		"no token":          "a.b",
	} {
		if _, err := terminals.Grant(t.Context(), form(assertion)); fault.CodeOf(err) != fault.Unauthenticated {
			t.Errorf("%s: answered %v", name, err)
		}
	}
	twice := form("x")
	twice.Add("grant_type", "client_credentials")
	for name, f := range map[string]url.Values{
		"no grant type": {}, "twice": twice,
		"other grant": {"grant_type": {"password"}},
		"no type":     {"grant_type": {"client_credentials"}, "client_assertion": {"x"}},
	} {
		if _, err := terminals.Grant(t.Context(), f); fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("%s: answered %v", name, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	key := newKey(f)
	tokens := newTokens(f, key, func() time.Time { return base })
	own, err := tokens.mint(AudienceMobile, accessClaims{RegisteredClaims: jwt.RegisteredClaims{Subject: "ctz_1"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(own)
	f.Add("a.b.c")
	f.Add("..")
	f.Fuzz(func(t *testing.T, raw string) {
		if _, err := tokens.verify(raw, AudienceMobile); err == nil && raw != own {
			t.Errorf("a token that was not minted was taken")
		}
		_, _ = peekSubject(raw)
	})
}
