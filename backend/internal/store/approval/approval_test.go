package approval_test

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
			storetest.Table{Name: "approval_request", Keys: []string{"request_id"},
				Columns: []string{"request_id", "kind", "object", "round", "municipality", "role", "asked_by", "asked_at", "due", "involved"},
				Values: func(n int) []any {
					return []any{id(n), "benefit_list", id(n), int64(1), "990019", "approver", "stf", int64(n), "", "[]"}
				}},
			storetest.Table{Name: "approval_decision", Keys: []string{"request_id"},
				Columns: []string{"request_id", "verdict", "decided_by", "reason", "at"},
				Values:  func(n int) []any { return []any{id(n), "approved", "stf", "0012", int64(n)} }},
		)
	})
}
