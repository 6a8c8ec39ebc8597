package childsupport_test

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
			storetest.Table{Name: "child_item", Keys: []string{"pseudonym", "source", "item", "part", "as_of"},
				Columns: []string{"pseudonym", "source", "item", "part", "as_of", "municipality", "value", "expires_on", "digest"},
				Values: func(n int) []any {
					return []any{id(n), "childcare", "childcare_place", "", "2026-11-20", "990019", "none ", "2027-12-25", []byte{1}}
				}},
			storetest.Table{Name: "child_delivery", Keys: []string{"delivery_id"},
				Columns: []string{"delivery_id", "source", "municipality", "as_of", "at"},
				Values:  func(n int) []any { return []any{id(n), "childcare", "990019", "2026-11-20", int64(n)} }},
			storetest.Table{Name: "child_pass", Keys: []string{"municipality"},
				Columns: []string{"municipality", "day", "seen", "after_child", "done"},
				Values:  func(n int) []any { return []any{id(n), "2026-11-20", int64(n), "", true} }},
			storetest.Table{Name: "child_case", Keys: []string{"citizen_id", "case_id"},
				Columns: []string{"citizen_id", "case_id", "municipality", "indicator", "episode", "state", "flagged_at", "lapses_on", "refs", "support", "decide_by",
					"guardian_id", "offer_id", "notice_id", "offered_at", "answer", "answered_at", "outcome", "closed_at", "erase_on"},
				Values: func(n int) []any {
					return []any{id(n), id(n), "990019", "checkups_missed_twice", int64(n), "flagged", int64(n), "2027-01-20", "[]", "", "",
						"", "", "", int64(-1), "", int64(-1), "", int64(-1), ""}
				}},
			storetest.Table{Name: "child_act", Keys: []string{"citizen_id", "case_id", "step"},
				Columns: []string{"citizen_id", "case_id", "step", "what", "by_whom", "reason", "at"},
				Values:  func(n int) []any { return []any{id(n), id(n), int64(1), "flagged", "stf", "0012", int64(n)} }},
			storetest.Table{Name: "child_erasure", Keys: []string{"erasure_id"},
				Columns: []string{"erasure_id", "municipality", "source", "item", "why", "erased", "cutoff", "digest", "at"},
				Values: func(n int) []any {
					return []any{id(n), "990019", "childcare", "childcare_place", "retention", int64(1), "2027-05-20", []byte{1}, int64(n)}
				}},
			storetest.Table{Name: "child_tally", Keys: []string{"tally_id"},
				Columns: []string{"tally_id", "municipality", "indicator", "flagged", "reviewed", "contacted", "accepted", "declined", "wrong", "at"},
				Values: func(n int) []any {
					return []any{id(n), "990019", "checkups_missed_twice", int64(1), int64(1), int64(1), int64(1), int64(0), int64(0), int64(n)}
				}},
		)
	})
}
