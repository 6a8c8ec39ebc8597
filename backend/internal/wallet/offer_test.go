package wallet_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/wallet"
	"madoguchi.example/shared/cert/qr"
	"madoguchi.example/shared/fault"
)

func TestOffer(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := open(t, db)
		first, err := w.Offer(t.Context(), who, audit.CertificateIssuance, requestKey, ownCard)
		if err != nil {
			t.Fatal(err)
		}
		again, err := w.Offer(t.Context(), who, audit.CertificateIssuance, requestKey, ownCard)
		if err != nil || again.URI != first.URI || again.TxCode != first.TxCode || !again.ExpiresAt.Equal(first.ExpiresAt) {
			t.Errorf("the same call gave another offer: %v", err)
		}
		if !regexp.MustCompile(`^[0-9]{6}$`).MatchString(first.TxCode) || strings.Contains(first.URI, first.TxCode) {
			t.Error("the transaction code is no six digits, or stands in the offer")
		}
		if version, _, err := qr.Shape(first.URI); err != nil || version > 15 {
			t.Errorf("the picture is of version %d: %v", version, err)
		}
		if first.ExpiresAt.Sub(w.clock()) != wallet.OfferLifetime || !strings.HasPrefix(string(first.QRPNG), "\x89PNG") {
			t.Error("the offer lives another time, or has no picture")
		}
		if strings.Contains(fmt.Sprint(first), first.TxCode) {
			t.Error("an offer does not mask itself")
		}
		for card, want := range map[string]fault.Code{oldCard: fault.Conflict, strangers: fault.NotFound, "": fault.NotFound} {
			if _, err := w.Offer(t.Context(), who, audit.CertificateIssuance, "key-1111111111111111", card); fault.CodeOf(err) != want {
				t.Errorf("%q: answered %v", card, err)
			}
		}
		if _, err := w.Offer(t.Context(), who, audit.CertificateIssuance, requestKey, childCard); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("the same key for another certificate: %v", err)
		}
		if n := w.count(t, `SELECT count(*) FROM audit_entry WHERE action = $1 AND purpose = $2`, "wallet.offer", "certificate_issuance"); n != 1 {
			t.Errorf("%d entries tell of one offer", n)
		}
	})
}

// The same call by many at once makes one offer.
func TestTheSameOfferAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := open(t, db)
		var all sync.WaitGroup
		var seen sync.Map
		for range 16 {
			all.Go(func() {
				o, err := w.Offer(context.Background(), who, audit.CertificateIssuance, requestKey, ownCard)
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				seen.Store(o.URI, true)
			})
		}
		all.Wait()
		n := 0
		seen.Range(func(any, any) bool { n++; return true })
		if rows := w.count(t, `SELECT count(*) FROM wallet_grant`); n != 1 || rows != 1 {
			t.Errorf("%d offers, %d rows", n, rows)
		}
	})
}

func TestPreAuthorizedCode(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := open(t, db)
		good := func(key string) []string {
			code, txCode := w.offered(t, key, ownCard)
			return []string{"grant_type", preGrant, "pre-authorized_code", code, "tx_code", txCode}
		}
		set := func(pairs []string, name, value string) wallet.Form {
			f := form(pairs...)
			f.Values[name] = nil
			if value != "" {
				f.Values.Set(name, value)
			}
			return f
		}
		base := good(requestKey)
		twice := form(base...)
		twice.Values.Add("tx_code", base[5])
		basic := form(base...)
		basic.Authorization = true
		details := `[{"type":"openid_credential","credential_configuration_id":"VaccinationCertificate"}]`
		for name, c := range map[string]struct {
			f    wallet.Form
			want string
		}{
			"no form":                   {wallet.Form{}, "invalid_request"},
			"no grant type":             {set(base, "grant_type", ""), "invalid_request"},
			"password grant":            {set(base, "grant_type", "password"), "unsupported_grant_type"},
			"refresh":                   {set(base, "grant_type", "refresh_token"), "unsupported_grant_type"},
			"no code":                   {set(base, "pre-authorized_code", ""), "invalid_request"},
			"no transaction code":       {set(base, "tx_code", ""), "invalid_request"},
			"a parameter twice":         {twice, "invalid_request"},
			"a code too long":           {set(base, "pre-authorized_code", strings.Repeat("a", wallet.MaxValue+1)), "invalid_request"},
			"another code":              {set(base, "pre-authorized_code", base[3]+"A"), "invalid_grant"},
			"another transaction code":  {set(base, "tx_code", "x"), "invalid_grant"},
			"a secret":                  {set(base, "client_secret", "s"), "invalid_client"},
			"an assertion":              {set(base, "client_assertion", "s"), "invalid_client"},
			"an Authorization header":   {basic, "invalid_client"},
			"details that are no array": {set(base, "authorization_details", details[1:len(details)-1]), "invalid_authorization_details"},
			"details of nothing":        {set(base, "authorization_details", "[]"), "invalid_authorization_details"},
			"details of another kind":   {set(base, "authorization_details", strings.Replace(details, "openid_", "x", 1)), "invalid_authorization_details"},
			"details of another one":    {set(base, "authorization_details", strings.Replace(details, "Vacc", "X", 1)), "invalid_authorization_details"},
			"details with a name twice": {set(base, "authorization_details", strings.Replace(details, `{"type"`, `{"type":"x","type"`, 1)), "invalid_authorization_details"},
			"details in capitals":       {set(base, "authorization_details", strings.Replace(details, `"type"`, `"TYPE"`, 1)), "invalid_authorization_details"},
		} {
			_, err := w.Token(t.Context(), c.f)
			wants(t, name, err, c.want)
		}
		granted, err := w.Token(t.Context(), set(base, "authorization_details", details))
		if err != nil || granted.TokenType != "Bearer" || granted.ExpiresIn != 600 || len(granted.Details) != 1 || len(granted.Details[0].Identifiers) != 1 {
			t.Fatalf("granted %+v, %v", granted.Details, err)
		}
		if n := w.count(t, `SELECT count(*) FROM wallet_token`); n != 1 {
			t.Errorf("%d tokens", n)
		}
		_, err = w.Token(t.Context(), form(base...))
		wants(t, "the same code again", err, "invalid_grant")
		if n := w.count(t, `SELECT count(*) FROM wallet_token`); n != 0 {
			t.Error("the token lives on after its code came twice")
		}
		late := good("key-2222222222222222")
		w.advance(wallet.OfferLifetime)
		_, err = w.Token(t.Context(), form(late...))
		wants(t, "a late code", err, "invalid_grant")
		voided := good("key-3333333333333333")
		next := good("key-4444444444444444")
		_, err = w.Token(t.Context(), form(voided...))
		wants(t, "an offer before the newest", err, "invalid_grant")
		if _, err = w.Token(t.Context(), form(next...)); err != nil {
			t.Errorf("the newest offer: %v", err)
		}
	})
}

// However many guess at once: as many guesses count as an offer allows, and the right code
// after them does not.
func TestGuessesOfTheTransactionCode(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := open(t, db)
		code, right := w.offered(t, requestKey, ownCard)
		guess := func(txCode string) error {
			_, err := w.Token(context.Background(), form("grant_type", preGrant, "pre-authorized_code", code, "tx_code", txCode))
			return err
		}
		var all sync.WaitGroup
		for i := range 40 {
			wrong := fmt.Sprintf("%06d", i)
			if wrong == right {
				wrong = "999999"
			}
			all.Go(func() { wants(t, "a guess", guess(wrong), "invalid_grant") })
		}
		all.Wait()
		if n := w.count(t, `SELECT tries FROM wallet_grant`); n != wallet.MaxTries {
			t.Errorf("%d guesses were looked at", n)
		}
		wants(t, "the right code too late", guess(right), "invalid_grant")
		if n := w.count(t, `SELECT count(*) FROM wallet_token`); n != 0 {
			t.Errorf("%d tokens", n)
		}
	})
}

// Of many who bring the code at once, at most one gets a token, and then none may keep it.
func TestOneCodeAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := open(t, db)
		code := w.allowed(t, request())
		var all sync.WaitGroup
		var mu sync.Mutex
		granted := 0
		for range 16 {
			all.Go(func() {
				_, err := w.Token(context.Background(), exchange(code))
				if err == nil {
					mu.Lock()
					granted++
					mu.Unlock()
					return
				}
				wants(t, "the others", err, "invalid_grant")
			})
		}
		all.Wait()
		if n := w.count(t, `SELECT count(*) FROM wallet_token`); granted != 1 || n != 0 {
			t.Errorf("%d were granted a token, %d tokens are left", granted, n)
		}
	})
}

func exchange(code string, change ...string) wallet.Form {
	f := form("grant_type", "authorization_code", "code", code, "redirect_uri", home, "client_id", clientID, "code_verifier", verifier)
	for i := 0; i+1 < len(change); i += 2 {
		f.Values.Set(change[i], change[i+1])
	}
	return f
}

func TestAuthorizationCode(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := open(t, db)
		for name, c := range map[string]struct{ key, value, want string }{
			"another redirect":      {"redirect_uri", "https://wallet.example/cb", "invalid_grant"},
			"another client's code": {"client_id", otherID, "invalid_grant"},
			"another verifier":      {"code_verifier", strings.Repeat("a", 43), "invalid_grant"},
			"the challenge itself":  {"code_verifier", challenge(verifier), "invalid_grant"},
			"another code":          {"code", "AAAA", "invalid_grant"},
			"an unknown client":     {"client_id", "https://evil.example", "invalid_client"},
			"a short verifier":      {"code_verifier", "abc", "invalid_request"},
			"no verifier":           {"code_verifier", "", "invalid_request"},
			"no redirect":           {"redirect_uri", "", "invalid_request"},
			"no client":             {"client_id", "", "invalid_request"},
		} {
			code := w.allowed(t, request())
			_, err := w.Token(t.Context(), exchange(code, c.key, c.value))
			wants(t, name, err, c.want)
			if c.want != "invalid_grant" || c.key == "code" {
				continue
			}
			_, err = w.Token(t.Context(), exchange(code))
			wants(t, name+", then the right one", err, "invalid_grant")
		}
		late := w.allowed(t, request())
		w.advance(wallet.CodeLifetime)
		_, err := w.Token(t.Context(), exchange(late))
		wants(t, "a late code", err, "invalid_grant")
		code := w.allowed(t, request())
		_, err = w.Token(t.Context(), form("grant_type", preGrant, "pre-authorized_code", code, "tx_code", "123456"))
		wants(t, "as a pre-authorized code", err, "invalid_grant")
		granted, err := w.Token(t.Context(), exchange(code))
		if err != nil || granted.Details != nil {
			t.Fatalf("granted %+v, %v", granted.Details, err)
		}
		w.advance(time.Second)
		p := w.proof(t)
		p.claims["iss"] = clientID
		if _, err := w.ask(granted.AccessToken, p.sign(t)); err != nil {
			t.Fatal(err)
		}
		_, err = w.Token(t.Context(), exchange(code))
		wants(t, "the same code again", err, "invalid_grant")
		_, err = w.ask(granted.AccessToken, w.proof(t).sign(t))
		wants(t, "the token after its code came twice", err, "invalid_token")
	})
}
