package fleet_test

import (
	"fmt"
	"testing"

	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
)

func TestTablesRefuseWhatTheyMust(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		storetest.Conformance(t, db, storetest.Table{
			Name: "office", Keys: []string{"office_id"},
			Columns: []string{"office_id", "municipality_code", "office_ref", "class", "name", "institution_code"},
			Values: func(n int) []any {
				return []any{fmt.Sprint("ofc_", n), "990019", fmt.Sprint("ref-", n), "clinic", "みなと内科", "0012"}
			},
		}, storetest.Table{
			Name: "enrolment_code", Keys: []string{"selector"},
			Columns: []string{"selector", "secret_hash", "office_id", "created_at", "expires_at", "attempts", "used_by"},
			Values: func(n int) []any {
				return []any{fmt.Sprint("S", n), []byte{1, 2}, "ofc_1", int64(1), int64(2), int64(0), ""}
			},
		}, storetest.Table{
			Name: "terminal", Keys: []string{"terminal_id"},
			Columns: []string{"terminal_id", "office_id", "public_key", "recipient", "enrolled_at", "disabled_at", "last_contact_at"},
			Values: func(n int) []any {
				return []any{fmt.Sprint("trm_", n), "ofc_1", "{}", "age1", int64(1), int64(0), int64(0)}
			},
		}, storetest.Table{
			Name: "terminal_health", Keys: []string{"terminal_id"},
			Columns: []string{"terminal_id", "received_at", "pending", "summary"},
			Values:  func(n int) []any { return []any{fmt.Sprint("trm_", n), int64(1), int64(0), "{}"} },
		})
	})
}
