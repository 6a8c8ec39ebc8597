package issuance_test

import (
	"fmt"
	"testing"

	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
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
