package authn_test

import (
	"net/http"
	"testing"
	"time"

	"madoguchi.example/backend/internal/authn"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/shared/fault"
)

// A sign-in for one occasion ends once, in its own browser and at its own face, and leaves
// no session.
func TestOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		ctx := t.Context()
		key := newKey(t)
		w.provider.client = &key.PublicKey
		provider, err := authn.NewProvider(authn.Client{Issuer: w.provider.URL, ID: "client", RedirectURL: "https://x.example/wallet",
			Scopes: []string{"name", "address", "birthdate", "gender"}, Key: key}, &http.Client{Timeout: 5 * time.Second}, w.parts.Now, w.parts.Rand)
		if err != nil {
			t.Fatal(err)
		}
		once := authn.NewOnce("wallet", w.parts, provider, w.linker)
		other := authn.NewOnce("other", w.parts, provider, w.linker)
		begin := func() string {
			t.Helper()
			to, err := once.Start(ctx, secret)
			if err != nil {
				t.Fatal(err)
			}
			return w.provider.visit(t, to)
		}
		state := begin()
		who, err := once.Finish(ctx, "code-1", state, secret)
		if err != nil || who.Municipality != "990019" || who.Session != "" {
			t.Fatalf("%+v, %v", who, err)
		}
		_, err = once.Finish(ctx, "code-1", state, secret)
		wants(t, "a second time", err, fault.Unauthenticated)
		_, err = once.Finish(ctx, "code-1", begin(), secret[1:]+"B")
		wants(t, "another browser", err, fault.Unauthenticated)
		_, err = other.Finish(ctx, "code-1", begin(), secret)
		wants(t, "another face", err, fault.Unauthenticated)
		state = begin()
		wants(t, "another browser's end", once.Abandon(ctx, state, secret[1:]+"B"), fault.Unauthenticated)
		state = begin()
		if err := once.Abandon(ctx, state, secret); err != nil {
			t.Error(err)
		}
		_, err = once.Finish(ctx, "code-1", state, secret)
		wants(t, "after its end", err, fault.Unauthenticated)
		n := 0
		if err := db.Reads().Each(ctx, `SELECT count(*) FROM citizen_session`, nil, func(scan func(...any) error) error { return scan(&n) }); err != nil || n != 0 {
			t.Errorf("%d sessions, %v", n, err)
		}
	})
}
