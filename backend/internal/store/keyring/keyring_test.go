package keyring_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/backend/internal/store"
	storekeyring "madoguchi.example/backend/internal/store/keyring"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
)

func newKey(t *testing.T) *ecdsa.PublicKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &key.PublicKey
}

func TestConformance(t *testing.T) {
	public, err := x509.MarshalPKIXPublicKey(newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		storetest.Conformance(t, db,
			storetest.Table{
				Name: "signing_ring", Columns: []string{"used_for", "acts"}, Keys: []string{"used_for"},
				Values: func(n int) []any { return []any{fmt.Sprint("use", n), int64(n)} },
			},
			storetest.Table{
				Name: "signing_key", Keys: []string{"used_for", "key_id"},
				Columns: []string{"used_for", "key_id", "number", "public_key", "certificate", "locator", "specimen", "published_from", "use_from", "use_until", "withdrawn_at", "destroyed_at"},
				Values: func(n int) []any {
					return []any{"shc", fmt.Sprint("key", n), int64(n), public, []byte{}, "file:x", false, int64(1), int64(2), int64(-1), int64(-1), int64(-1)}
				},
			},
		)
	})
}

// What is stored is read back to the microsecond, newest first; open times stay open.
func TestKeys(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		rows, at := storekeyring.New(db.Reads()), storetest.Now().Add(123456*time.Microsecond)
		old := keyring.Stored{Number: 1, Locator: "file:a", Key: keyring.Key{ID: "a", Use: keyring.SHC, Public: newKey(t), PublishedFrom: at, UseFrom: at}}
		young := keyring.Stored{Number: 2, Locator: "token:b", Destroyed: at, Key: keyring.Key{ID: "b", Use: keyring.SHC, Public: newKey(t), Certificate: []byte{1, 2}, Specimen: true,
			PublishedFrom: at, UseFrom: at.Add(time.Hour), UseUntil: at.Add(2 * time.Hour), Withdrawn: at}}
		other := keyring.Stored{Number: 2, Locator: "file:c", Key: keyring.Key{ID: "a", Use: keyring.HCERT, Public: newKey(t), PublishedFrom: at, UseFrom: at}}
		do := func(fn func(ctx context.Context, t tx.Tx) error) error { return db.Runner().Do(t.Context(), fn) }
		err := do(func(ctx context.Context, t tx.Tx) error {
			return errors.Join(rows.Insert(ctx, t, old), rows.Insert(ctx, t, young), rows.Insert(ctx, t, other))
		})
		if err != nil {
			t.Fatal(err)
		}
		old.UseUntil, old.Destroyed = at.Add(time.Minute), at.Add(time.Second)
		if err := do(func(ctx context.Context, t tx.Tx) error { return rows.SetTimes(ctx, t, old) }); err != nil {
			t.Fatal(err)
		}
		got, err := rows.Keys(t.Context(), nil, keyring.SHC)
		if err != nil || len(got) != 2 {
			t.Fatalf("%d keys, %v", len(got), err)
		}
		for i, want := range []keyring.Stored{young, old} {
			if g := got[i]; !g.Public.Equal(want.Public) || string(g.Certificate) != string(want.Certificate) {
				t.Errorf("key %d: other content", i)
			}
			got[i].Public, want.Public, got[i].Certificate, want.Certificate = nil, nil, nil, nil
			if fmt.Sprint(got[i].Key, got[i].Number, got[i].Locator, got[i].Destroyed) != fmt.Sprint(want.Key, want.Number, want.Locator, want.Destroyed) {
				t.Errorf("key %d: %+v, want %+v", i, got[i], want)
			}
		}
		young.Number = 3
		if err := do(func(ctx context.Context, t tx.Tx) error { return rows.Insert(ctx, t, young) }); err == nil {
			t.Error("a second key of the name was stored")
		}
		young.ID, young.Number = "z", 2
		if err := do(func(ctx context.Context, t tx.Tx) error { return rows.Insert(ctx, t, young) }); err == nil {
			t.Error("a second key of the number was stored")
		}
		if err := do(func(ctx context.Context, t tx.Tx) error { return rows.SetTimes(ctx, t, young) }); err == nil {
			t.Error("a key that is not there was changed")
		}
	})
}

// Acts on one use happen one after the other: each sees what the one before stored.
func TestHold(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		rows := storekeyring.New(db.Reads())
		const callers = 16
		public := newKey(t)
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				err := db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error {
					acts, err := rows.Hold(ctx, x, keyring.SHC)
					if err != nil {
						return err
					}
					seen, err := rows.Keys(ctx, x, keyring.SHC)
					if err != nil {
						return err
					}
					if int64(len(seen)) != acts-1 {
						t.Errorf("act %d saw %d keys", acts, len(seen))
					}
					return rows.Insert(ctx, x, keyring.Stored{Number: acts, Key: keyring.Key{ID: fmt.Sprint(acts), Use: keyring.SHC, Public: public, PublishedFrom: storetest.Now(), UseFrom: storetest.Now()}})
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
}
