package issuance_test

import (
	"context"
	"fmt"
	"testing"

	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/issuance"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
)

func id(n int) string { return fmt.Sprintf("%026d", n) }

func TestConformance(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		storetest.Conformance(t, db,
			storetest.Table{Name: "vaccination_ref", Keys: []string{"record_ref", "municipality"},
				Columns: []string{"record_ref", "municipality", "citizen_id", "digest"},
				Values:  func(n int) []any { return []any{id(n), "990019", "ctz_a", []byte{1}} }},
			storetest.Table{Name: "vaccination", Keys: []string{"citizen_id", "municipality", "record_ref"},
				Columns: []string{"citizen_id", "municipality", "record_ref", "vaccine_code", "product", "manufacturer", "lot", "dose_number", "given_on", "performer", "country"},
				Values: func(n int) []any {
					return []any{"ctz_a", "990019", id(n), "0208", "p", "m", "0012", int64(1), "2021-07-01", "x", "JPN"}
				}},
			storetest.Table{Name: "certificate", Keys: []string{"citizen_id", "certificate_id"},
				Columns: []string{"citizen_id", "certificate_id", "asked_by", "format", "used_for", "issued_at", "issuer", "key_id", "rid", "records", "claims", "signed"},
				Values: func(n int) []any {
					return []any{"ctz_a", id(n), "ctz_a", "shc", "domestic", int64(n), "i", "k", "r", []byte{1}, "{}", "s"}
				}},
		)
	})
}

// A restored store has fewer revocations than it had shown, and other ones come: no reader
// that keeps a list until its version rises keeps one of the life before.
func TestAListsVersionRisesWithARestoration(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		rows := issuance.New(db.Reads())
		version := func() int64 {
			t.Helper()
			all, version, err := rows.List(t.Context(), keyring.SHC, "k")
			alone, other := rows.ListVersion(t.Context(), keyring.SHC, "k")
			if err != nil || other != nil || alone != version {
				t.Fatalf("%d and %d, %v, %v", version, alone, err, other)
			}
			t.Log(len(all), "revoked, version", version)
			return version
		}
		exec := func(query string, args ...any) {
			t.Helper()
			if err := db.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) error {
				_, err := sqltx.Of(tt).Exec(ctx, query, args...)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		revoke := func(token string) {
			exec(`INSERT INTO revoked_token (key_use, key_id, token, revoked_at) VALUES ('shc', 'k', $1, 1)`, token)
		}
		if v := version(); v != 1 {
			t.Errorf("the first version is %d", v)
		}
		for n := range 3 {
			revoke(fmt.Sprint("token-", n))
		}
		shown := version()
		exec(`DELETE FROM revoked_token`)
		exec(`INSERT INTO fence (server_epoch, prior_epoch, how, copied_at, raised_at, lifted_at, lifted_by, pushes) VALUES ('e', 'p', 'restored', 0, $1, 0, '', '')`,
			sqltx.Micros(storetest.Now()))
		restored := version()
		if shown != 4 || restored <= shown || restored > 1<<53 {
			t.Errorf("version %d before, %d after", shown, restored)
		}
		if revoke("another"); version() != restored+1 {
			t.Error("a change is not told")
		}
	})
}
