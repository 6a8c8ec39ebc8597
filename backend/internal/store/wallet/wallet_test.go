package wallet_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
	rows "madoguchi.example/backend/internal/store/wallet"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/backend/internal/wallet"
)

func TestConformance(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		key := func(n int) []byte { return fmt.Appendf(nil, "h%d", n) }
		storetest.Conformance(t, db, storetest.Table{
			Name: "wallet_grant", Keys: []string{"code_hash"},
			Columns: []string{"code_hash", "grant_id", "kind", "citizen_id", "municipality_code", "person_id", "certificate_id", "client_id",
				"redirect_uri", "challenge", "detailed", "key_thumbprint", "tries", "created_at", "expires_at", "spent_at"},
			Values: func(n int) []any {
				return []any{key(n), fmt.Sprint("wgr_", n), "offered", "ctz_1", "990019", "ctz_2", "crt_1", "", "", "", false, "",
					int64(0), int64(1), int64(2), int64(0)}
			},
		}, storetest.Table{
			Name: "wallet_token", Keys: []string{"token_hash"},
			Columns: []string{"token_hash", "code_hash", "grant_id", "citizen_id", "municipality_code", "person_id", "certificate_id",
				"client_id", "detailed", "key_thumbprint", "copies", "expires_at"},
			Values: func(n int) []any {
				return []any{key(n), []byte{1}, "wgr_1", "ctz_1", "990019", "ctz_2", "crt_1", "", true, "", int64(0), int64(2)}
			},
		}, storetest.Table{
			Name: "wallet_once", Keys: []string{"once_hash"}, Columns: []string{"once_hash", "expires_at"},
			Values: func(n int) []any { return []any{key(n), int64(1)} },
		}, storetest.Table{
			Name: "wallet_pushed", Keys: []string{"name_hash"}, Columns: []string{"name_hash", "asked", "expires_at"},
			Values: func(n int) []any { return []any{key(n), "{}", int64(1)} },
		}, storetest.Table{
			Name: "wallet_visit", Keys: []string{"secret_hash"},
			Columns: []string{"secret_hash", "asked", "citizen_id", "municipality_code", "expires_at"},
			Values:  func(n int) []any { return []any{key(n), "{}", "", "", int64(1)} },
		})
	})
}

// What has expired goes, a grant only when nothing that came of it can live.
func TestSweep(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r, now := rows.New(db.Reads()), storetest.Now()
		do := func(fn func(ctx context.Context, t tx.Tx) error) {
			t.Helper()
			if err := db.Runner().Do(t.Context(), fn); err != nil {
				t.Fatal(err)
			}
		}
		do(func(ctx context.Context, t tx.Tx) error {
			for i := range 6 {
				until := now.Add(time.Duration(i-3) * time.Minute)
				hash := fmt.Appendf(nil, "g%d", i)
				if err := r.InsertGrant(ctx, t, wallet.Grant{Hash: hash, Kind: wallet.Offered, ExpiresAt: until}); err != nil {
					return err
				}
				if _, err := r.SpendOnce(ctx, t, hash, until); err != nil {
					return err
				}
			}
			return nil
		})
		for more := true; more; {
			do(func(ctx context.Context, t tx.Tx) (err error) {
				more, err = r.Sweep(ctx, t, now, now.Add(-2*time.Minute), 2)
				return err
			})
		}
		for table, want := range map[string]int{"wallet_grant": 4, "wallet_once": 2} {
			n := 0
			if err := db.Reads().Each(t.Context(), "SELECT count(*) FROM "+table, nil, func(scan func(...any) error) error { return scan(&n) }); err != nil {
				t.Fatal(err)
			}
			if n != want {
				t.Errorf("%s: %d rows are left, want %d", table, n, want)
			}
		}
	})
}
