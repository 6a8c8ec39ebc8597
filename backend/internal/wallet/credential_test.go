package wallet_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/wallet"
)

func TestProofsThatAreRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := open(t, db)
		token := w.token(t, requestKey).AccessToken
		change := func(fn func(*proof)) string {
			p := w.proof(t)
			fn(&p)
			return p.sign(t)
		}
		claim := func(name string, value any) string {
			return change(func(p *proof) { p.claims = with(p.claims, name, value) })
		}
		header := func(name string, value any) string {
			return change(func(p *proof) { p.header = map[jose.HeaderKey]any{jose.HeaderKey(name): value} })
		}
		now := w.clock()
		cases := map[string]struct{ jwt, want string }{
			"typ JWT":              {change(func(p *proof) { p.typ = "JWT" }), "invalid_proof"},
			"typ dpop+jwt":         {change(func(p *proof) { p.typ = "dpop+jwt" }), "invalid_proof"},
			"no aud":               {claim("aud", nil), "invalid_proof"},
			"another aud":          {claim("aud", "https://evil.example"), "invalid_proof"},
			"two auds":             {claim("aud", []string{iss, "https://evil.example"}), "invalid_proof"},
			"no iat":               {claim("iat", nil), "invalid_proof"},
			"iat a text":           {claim("iat", "1"), "invalid_proof"},
			"iat in the future":    {claim("iat", now.Add(wallet.ProofAhead+time.Second).Unix()), "invalid_proof"},
			"an old iat":           {claim("iat", now.Add(-wallet.ProofAge).Unix()), "invalid_proof"},
			"expired":              {claim("exp", now.Unix()), "invalid_proof"},
			"no nonce":             {claim("nonce", nil), "invalid_proof"},
			"a nonce of nobody":    {claim("nonce", "wKI4LT17ac15ES9bw8ac4"), "invalid_nonce"},
			"a nonce changed":      {claim("nonce", flip(w.nonce(t))), "invalid_nonce"},
			"iss for an anonymous": {claim("iss", clientID), "invalid_proof"},
			"kid beside jwk":       {header("kid", "1"), "invalid_proof"},
			"x5c beside jwk":       {header("x5c", []string{"MA=="}), "invalid_proof"},
			"a trust chain":        {header("trust_chain", []string{"x"}), "invalid_proof"},
			"crit":                 {header("crit", []string{"x"}), "invalid_proof"},
			"alg ES384":            {otherAlgorithm(t, w, jose.ES384, elliptic.P384()), "invalid_proof"},
			"signed by another":    {graft(t, w), "invalid_proof"},
			"alg none":             {unsigned(t, w), "invalid_proof"},
			"a private key":        {private(t, w), "invalid_proof"},
			"no signature":         {cut(claim("x", 1)), "invalid_proof"},
			"four parts":           {claim("x", 1) + ".x", "invalid_proof"},
			"padded":               {claim("x", 1) + "=", "invalid_proof"},
			"too long":             {claim("x", strings.Repeat("a", wallet.MaxProof)), "invalid_proof"},
			"empty":                {"", "invalid_proof"},
		}
		for name, c := range cases {
			_, err := w.ask(token, c.jwt)
			wants(t, name, err, c.want)
		}
		t.Logf("%d proofs", len(cases))
		old := w.proof(t).claims["nonce"]
		w.advance(wallet.NonceLifetime)
		_, err := w.ask(token, change(func(p *proof) { p.claims["nonce"] = old }))
		wants(t, "a nonce that is over", err, "invalid_nonce")
		if n := len(w.cards.copies); n != 0 {
			t.Errorf("%d copies were recorded", n)
		}
		if _, err := w.ask(token, claim("aud", []string{iss})); err != nil {
			t.Errorf("the control was refused: %v", err)
		}
	})
}

func flip(s string) string {
	if s[20] == 'A' {
		return s[:20] + "B" + s[21:]
	}
	return s[:20] + "A" + s[21:]
}

func cut(jwt string) string { return jwt[:strings.LastIndexByte(jwt, '.')+1] }

func otherAlgorithm(t *testing.T, w *world, alg jose.SignatureAlgorithm, curve elliptic.Curve) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := w.proof(t)
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{EmbedJWK: true}).WithType(jose.ContentType(p.typ)))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := json.Marshal(p.claims)
	signed, err := s.Sign(body)
	if err != nil {
		t.Fatal(err)
	}
	out, _ := signed.CompactSerialize()
	return out
}

// graft puts one holder's header before another's signature.
func graft(t *testing.T, w *world) string {
	t.Helper()
	a, b := w.proof(t), w.proof(t)
	b.claims = a.claims
	return strings.Split(a.sign(t), ".")[0] + b.sign(t)[strings.IndexByte(b.sign(t), '.'):]
}

func rewritten(t *testing.T, w *world, fn func(header map[string]any)) string {
	t.Helper()
	parts := strings.Split(w.proof(t).sign(t), ".")
	raw, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		t.Fatal(err)
	}
	var header map[string]any
	if err := json.Unmarshal(raw, &header); err != nil {
		t.Fatal(err)
	}
	fn(header)
	raw, _ = json.Marshal(header)
	parts[0] = base64.RawURLEncoding.EncodeToString(raw)
	return strings.Join(parts, ".")
}

func unsigned(t *testing.T, w *world) string {
	t.Helper()
	return cut(rewritten(t, w, func(h map[string]any) { h["alg"] = "none" }))
}

// private signs a header that holds the private key as well.
func private(t *testing.T, w *world) string {
	t.Helper()
	p := w.proof(t)
	jwk, err := jose.JSONWebKey{Key: p.key}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: p.key},
		(&jose.SignerOptions{}).WithType(jose.ContentType(p.typ)).WithHeader("jwk", json.RawMessage(jwk)))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := json.Marshal(p.claims)
	signed, err := s.Sign(body)
	if err != nil {
		t.Fatal(err)
	}
	out, _ := signed.CompactSerialize()
	return out
}

func TestRequestsThatAreRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := open(t, db)
		bearer := "Bearer " + w.token(t, requestKey).AccessToken
		named := "Bearer " + w.token(t, "key-5555555555555555", "authorization_details",
			`[{"type":"openid_credential","credential_configuration_id":"VaccinationCertificate"}]`).AccessToken
		one := w.proof(t)
		jwt := one.sign(t)
		good := map[string]any{"credential_configuration_id": wallet.Configuration, "proofs": map[string]any{"jwt": []string{jwt}}}
		var six []string
		for range wallet.MaxBatch + 1 {
			six = append(six, jwt)
		}
		text := func(v any) string {
			raw, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			return string(raw)
		}
		for name, c := range map[string]struct{ authorization, body, want string }{
			"no token":                  {"", text(good), ""},
			"basic":                     {"Basic eA==", text(good), ""},
			"another token":             {"Bearer AAAA", text(good), "invalid_token"},
			"as DPoP":                   {"DPoP " + bearer[7:], text(good), "invalid_token"},
			"no body":                   {bearer, "", "invalid_credential_request"},
			"an array":                  {bearer, "[]", "invalid_credential_request"},
			"null":                      {bearer, "null", "invalid_credential_request"},
			"more behind":               {bearer, text(good) + "{}", "invalid_credential_request"},
			"a name twice":              {bearer, strings.Replace(text(good), `{"`, `{"proofs":{},"`, 1), "invalid_credential_request"},
			"neither name":              {bearer, text(with(good, "credential_configuration_id", nil)), "invalid_credential_request"},
			"both names":                {bearer, text(with(good, "credential_identifier", "x")), "invalid_credential_request"},
			"another configuration":     {bearer, text(with(good, "credential_configuration_id", "Degree")), "unknown_credential_configuration"},
			"a configuration, a number": {bearer, text(with(good, "credential_configuration_id", 1)), "invalid_credential_request"},
			"by identifier":             {bearer, text(with(with(good, "credential_configuration_id", nil), "credential_identifier", "x")), "invalid_credential_request"},
			"another identifier":        {named, text(with(with(good, "credential_configuration_id", nil), "credential_identifier", "x")), "unknown_credential_identifier"},
			"by configuration":          {named, text(good), "invalid_credential_request"},
			"encryption":                {bearer, text(with(good, "credential_response_encryption", map[string]any{})), "invalid_encryption_parameters"},
			"no proofs":                 {bearer, text(with(good, "proofs", nil)), "invalid_proof"},
			"proofs in capitals":        {bearer, text(with(with(good, "proofs", nil), "PROOFS", good["proofs"])), "invalid_proof"},
			"the proof of a draft":      {bearer, text(with(with(good, "proofs", nil), "proof", map[string]any{"proof_type": "jwt", "jwt": jwt})), "invalid_proof"},
			"proofs of two types":       {bearer, text(with(good, "proofs", map[string]any{"jwt": []string{jwt}, "di_vp": []string{}})), "invalid_proof"},
			"proofs of another type":    {bearer, text(with(good, "proofs", map[string]any{"attestation": []string{jwt}})), "invalid_proof"},
			"proofs of none":            {bearer, text(with(good, "proofs", map[string]any{"jwt": []string{}})), "invalid_proof"},
			"a proof alone":             {bearer, text(with(good, "proofs", map[string]any{"jwt": jwt})), "invalid_proof"},
			"a proof that is a number":  {bearer, text(with(good, "proofs", map[string]any{"jwt": []any{1}})), "invalid_proof"},
			"one key twice":             {bearer, text(with(good, "proofs", map[string]any{"jwt": []string{jwt, jwt}})), "invalid_proof"},
			"too many proofs":           {bearer, text(with(good, "proofs", map[string]any{"jwt": six})), "invalid_credential_request"},
			"not UTF-8":                 {bearer, strings.Replace(text(good), "Vacc", "\xff", 1), "invalid_credential_request"},
			"very deep":                 {bearer, strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40), "invalid_credential_request"},
		} {
			_, err := w.Credentials(t.Context(), wallet.Request{Authorization: c.authorization, Body: []byte(c.body)})
			wants(t, name, err, c.want)
		}
		if _, err := w.Credentials(t.Context(), wallet.Request{Authorization: bearer, Body: []byte(text(with(good, "more", "unknown")))}); err != nil {
			t.Errorf("the control was refused: %v", err)
		}
		w.advance(wallet.TokenLifetime)
		_, err := w.ask(bearer[7:], w.proof(t).sign(t))
		wants(t, "a late token", err, "invalid_token")
	})
}

// Each key of a batch gets a copy of its own, with a place of its own on the status list;
// what one token may fetch is bounded.
func TestBatch(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := open(t, db)
		token := w.token(t, requestKey).AccessToken
		batch := func() []string {
			nonce := w.nonce(t)
			var out []string
			for range wallet.MaxBatch {
				p := w.proof(t)
				p.claims["nonce"] = nonce
				out = append(out, p.sign(t))
			}
			return out
		}
		first := batch()
		issued, err := w.ask(token, first...)
		if err != nil || len(issued.Credentials) != wallet.MaxBatch {
			t.Fatalf("%d copies: %v", len(issued.Credentials), err)
		}
		distinct := map[string]bool{}
		for _, c := range issued.Credentials {
			distinct[c.Credential] = true
		}
		if len(distinct) != wallet.MaxBatch || len(w.cards.copies) != wallet.MaxBatch {
			t.Errorf("%d copies differ, %d are recorded", len(distinct), len(w.cards.copies))
		}
		_, err = w.ask(token, first...)
		wants(t, "the same again", err, "invalid_nonce")
		if _, err = w.ask(token, batch()...); err != nil {
			t.Error(err)
		}
		_, err = w.ask(token, w.proof(t).sign(t))
		wants(t, "one more", err, "credential_request_denied")
		if n := w.count(t, `SELECT count(*) FROM audit_entry WHERE action = $1`, "wallet.credential"); n != 2 {
			t.Errorf("%d entries tell of two requests", n)
		}
	})
}

// Of many requests with one nonce at once, one gets a copy.
func TestOneNonceAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := open(t, db)
		token := w.token(t, requestKey).AccessToken
		nonce := w.nonce(t)
		var proofs []string
		for range 16 {
			p := w.proof(t)
			p.claims["nonce"] = nonce
			proofs = append(proofs, p.sign(t))
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		got := 0
		for _, p := range proofs {
			all.Go(func() {
				_, err := w.ask(token, p)
				if err == nil {
					mu.Lock()
					got++
					mu.Unlock()
					return
				}
				wants(t, "the others", err, "invalid_nonce")
			})
		}
		all.Wait()
		if got != 1 {
			t.Errorf("%d requests got a copy", got)
		}
	})
}

func TestACertificateThatIsNotGoodAnyMore(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := open(t, db)
		token := w.token(t, requestKey).AccessToken
		w.cards.spoil(ownCard)
		p := w.proof(t).sign(t)
		_, err := w.ask(token, p)
		wants(t, "a spoiled certificate", err, "credential_request_denied")
		if n := w.count(t, `SELECT count(*) FROM wallet_once`) + w.count(t, `SELECT copies FROM wallet_token`); n != 0 {
			t.Error("a denied request left something")
		}
	})
}

// possession makes a DPoP proof.
func (w *world) possession(t *testing.T, path, token string, change map[string]any) string {
	t.Helper()
	p := proof{key: w.device, typ: "dpop+jwt", claims: map[string]any{
		"htm": "POST", "htu": iss + path, "iat": w.clock().Unix(), "jti": base64.RawURLEncoding.EncodeToString([]byte(w.nonce(t))),
	}}
	if token != "" {
		p.claims["ath"] = challenge(token)
	}
	maps.Copy(p.claims, change)
	return p.sign(t)
}

func TestDPoP(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := open(t, db)
		code, txCode := w.offered(t, requestKey, ownCard)
		grant := func(proofs ...string) (wallet.Granted, error) {
			f := form("grant_type", preGrant, "pre-authorized_code", code, "tx_code", txCode)
			f.Proofs = proofs
			return w.Token(t.Context(), f)
		}
		good := w.possession(t, wallet.TokenPath, "", nil)
		for name, proofs := range map[string][]string{
			"two":            {good, good},
			"no proof":       {"x"},
			"another method": {w.possession(t, wallet.TokenPath, "", map[string]any{"htm": "GET"})},
			"another place":  {w.possession(t, wallet.NoncePath, "", nil)},
			"no id":          {w.possession(t, wallet.TokenPath, "", map[string]any{"jti": ""})},
			"old":            {w.possession(t, wallet.TokenPath, "", map[string]any{"iat": w.clock().Add(-wallet.ProofAge).Unix()})},
		} {
			_, err := grant(proofs...)
			wants(t, name, err, "invalid_dpop_proof")
		}
		granted, err := grant(good)
		if err != nil || granted.TokenType != "DPoP" {
			t.Fatalf("granted %s: %v", granted.TokenType, err)
		}
		code, txCode = w.offered(t, "key-6666666666666666", ownCard)
		_, err = grant(good)
		wants(t, "the same proof again", err, "invalid_dpop_proof")
		body, _ := json.Marshal(map[string]any{"credential_configuration_id": wallet.Configuration,
			"proofs": map[string]any{"jwt": []string{w.proof(t).sign(t)}}})
		ask := func(scheme string, proofs ...string) error {
			_, err := w.Credentials(context.Background(), wallet.Request{Authorization: scheme + " " + granted.AccessToken, Proofs: proofs, Body: bytes.Clone(body)})
			return err
		}
		wants(t, "as a bearer", ask("Bearer"), "invalid_token")
		wants(t, "no proof", ask("DPoP"), "invalid_dpop_proof")
		wants(t, "no hash of the token", ask("DPoP", w.possession(t, wallet.CredentialPath, "", nil)), "invalid_dpop_proof")
		wants(t, "another token", ask("DPoP", w.possession(t, wallet.CredentialPath, "other", nil)), "invalid_dpop_proof")
		last := w.possession(t, wallet.CredentialPath, granted.AccessToken, nil)
		if err := ask("DPoP", last); err != nil {
			t.Error(err)
		}
		wants(t, "the same proof again", ask("DPoP", last), "invalid_dpop_proof")
	})
}
