package audit_test

import (
	"fmt"
	"testing"

	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		storetest.Conformance(t, db, storetest.Table{
			Name: "audit_entry", Keys: []string{"entry_id"},
			Columns: []string{"entry_id", "at", "visible_from", "actor_kind", "actor_id", "purpose", "action",
				"citizen_id", "municipality_code", "object", "items"},
			Values: func(n int) []any {
				return []any{fmt.Sprintf("aud_%d", n), int64(n), int64(n), "staff", "stf_1", "self", "read", "ctz_1", "990019", "ntc_1", "[]"}
			},
		})
	})
}
