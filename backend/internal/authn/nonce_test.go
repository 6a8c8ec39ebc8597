package authn

import (
	"crypto/rand"
	"net/url"
	"testing"
	"time"

	"madoguchi.example/shared/fault"
)

func TestANonceStandsForTheTime(t *testing.T) {
	key := newKey(t)
	now := base
	clock := func() time.Time { return now }
	tokens := newTokens(t, newKey(t), clock)
	face := func(secret string) *Terminals {
		return NewTerminals(Parts{
			Run: inMemory{}, Rows: spender{spent: map[string]bool{}}, Now: clock, Rand: rand.Reader, Secret: []byte(secret),
		}, tokens, oneTerminal{&key.PublicKey}, issuer)
	}
	terminals, stranger := face("secret"), face("other")
	header := part{"alg": "ES256", "typ": "JWT"}
	grant := func(jti string, nonce any, change ...func(part)) error {
		claims := part{
			"iss": "trm_1", "sub": "trm_1", "aud": issuer + TokenPath, "jti": jti, "nonce": nonce,
			"iat": base.AddDate(-9, 0, 0).Unix(), "exp": base.AddDate(-9, 0, 1).Unix(),
		}
		for _, f := range change {
			f(claims)
		}
		_, err := terminals.Grant(t.Context(), url.Values{
			"grant_type": {"client_credentials"}, "client_assertion_type": {assertionType}, "client_assertion": {sign(t, key, header, claims)},
		})
		return err
	}
	fresh := func(s *Terminals) string {
		n, err := s.Nonce(t.Context())
		if err != nil || !n.ServerTime.Equal(now) {
			t.Fatalf("nonce %+v, %v", n, err)
		}
		return n.Nonce
	}

	first := fresh(terminals)
	if err := grant("a", first); err != nil {
		t.Fatalf("a wrong clock with a nonce: %v", err)
	}
	if err := grant("b", fresh(terminals), func(c part) { delete(c, "exp"); delete(c, "iat") }); err != nil {
		t.Errorf("no times with a nonce: %v", err)
	}
	if err := grant("c", fresh(terminals), func(c part) { c["iat"], c["exp"] = base.AddDate(9, 0, 0).Unix(), base.AddDate(9, 0, 1).Unix() }); err != nil {
		t.Errorf("a clock that is ahead with a nonce: %v", err)
	}
	last := fresh(terminals)
	for name, c := range map[string]struct {
		jti    string
		nonce  any
		change func(part)
	}{
		"nonce again":        {"d", first, nil},
		"jti again":          {"a", fresh(terminals), nil},
		"no nonce":           {"e", nil, nil},
		"empty":              {"f", "", nil},
		"of another backend": {"g", fresh(stranger), nil},
		"changed":            {"h", "B" + fresh(terminals)[1:], nil},
		"longer":             {"i", fresh(terminals) + "AAAA", nil},
		"no text":            {"j", 7, nil},
		"no jti":             {"", fresh(terminals), nil},
		"other audience":     {"k", fresh(terminals), func(c part) { c["aud"] = issuer }},
		"other issuer":       {"l", fresh(terminals), func(c part) { c["iss"] = "trm_2" }},
	} {
		change := c.change
		if change == nil {
			change = func(part) {}
		}
		if err := grant(c.jti, c.nonce, change); fault.CodeOf(err) != fault.Unauthenticated {
			t.Errorf("%s: answered %v", name, err)
		}
	}
	now = now.Add(NonceLifetime)
	if err := grant("m", last); fault.CodeOf(err) != fault.Unauthenticated {
		t.Errorf("too old: answered %v", err)
	}
}
