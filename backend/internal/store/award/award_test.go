package award_test

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
			storetest.Table{Name: "award_run", Keys: []string{"run_id"},
				Columns: []string{"run_id", "municipality", "client_id", "fingerprint", "benefit", "month", "entitlement", "deadline", "pay_on", "state",
					"paused", "drafted_by", "drafted_at", "started_by", "started_at", "moved_at", "reached", "page", "counted", "result"},
				Values: func(n int) []any {
					return []any{id(n), "990019", id(n), []byte{1}, "b", "2026-02", "2026-02", "2026-12-05", "2026-12-21", "draft",
						false, "stf", int64(n), "", int64(0), int64(n), "", int64(0), "{}", "{}"}
				}},
			storetest.Table{Name: "award_trouble", Keys: []string{"citizen_id", "run_id", "trouble"},
				Columns: []string{"citizen_id", "run_id", "trouble", "household_ref"},
				Values:  func(n int) []any { return []any{id(n), "run", "no_parent", "0012"} }},
			storetest.Table{Name: "award", Keys: []string{"citizen_id", "award_id"},
				Columns: []string{"citizen_id", "award_id", "run_id", "municipality", "household_ref", "benefit", "month", "kind", "amount", "children",
					"deadline", "pay_on", "notice_id", "withheld", "decided_at", "decision"},
				Values: func(n int) []any {
					return []any{id(n), id(n), "run", "990019", "0012", "b", "2026-02", "noticed", int64(20000), int64(1),
						"2026-12-05", "2026-12-21", "ntc", false, int64(n), "{}"}
				}},
			storetest.Table{Name: "entitlement", Keys: []string{"citizen_id", "benefit", "month", "kind"},
				Columns: []string{"citizen_id", "benefit", "month", "kind", "award_id", "payee_id", "amount", "at"},
				Values:  func(n int) []any { return []any{id(n), "b", "2026-02", "grant", "awd", "ctz", int64(1), int64(n)} }},
			storetest.Table{Name: "award_asked", Keys: []string{"citizen_id", "benefit", "month", "asked"},
				Columns: []string{"citizen_id", "benefit", "month", "asked", "award_id"},
				Values:  func(n int) []any { return []any{id(n), "b", "2026-02", "must_apply:", "awd"} }},
			storetest.Table{Name: "award_proof", Keys: []string{"citizen_id", "award_id"},
				Columns: []string{"citizen_id", "award_id", "at", "channel", "answer_by"},
				Values:  func(n int) []any { return []any{id(n), "awd", int64(n), "app", "2026-12-05"} }},
			storetest.Table{Name: "award_settlement", Keys: []string{"citizen_id", "award_id"},
				Columns: []string{"citizen_id", "award_id", "how", "at", "settled_by", "received_on", "channel", "reason", "list_id"},
				Values:  func(n int) []any { return []any{id(n), "awd", "refused", int64(n), "ctz", "2026-12-05", "app", "", ""} }},
			storetest.Table{Name: "payment_list", Keys: []string{"list_id"},
				Columns: []string{"list_id", "run_id", "municipality", "state", "line_count", "total", "made_by", "made_at", "moved_at", "reached", "page"},
				Values: func(n int) []any {
					return []any{id(n), "run", "990019", "waiting", int64(1), int64(20000), "stf", int64(n), int64(n), "", int64(1)}
				}},
			storetest.Table{Name: "list_line", Keys: []string{"citizen_id", "award_id", "attempt"},
				Columns: []string{"citizen_id", "award_id", "attempt", "list_id", "amount", "children"},
				Values:  func(n int) []any { return []any{id(n), "awd", int64(0), "lst", int64(20000), int64(1)} }},
			storetest.Table{Name: "ledger", Keys: []string{"list_id", "account", "award_id"},
				Columns: []string{"list_id", "account", "award_id", "amount", "at"},
				Values:  func(n int) []any { return []any{id(n), "payable", "awd", int64(20000), int64(n)} }},
		)
	})
}
