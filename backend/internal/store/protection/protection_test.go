package protection_test

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
			storetest.Table{Name: "protection", Keys: []string{"citizen_id", "kind"},
				Columns: []string{"citizen_id", "kind", "municipality", "since", "until", "digest"},
				Values:  func(n int) []any { return []any{id(n), "do_not_contact", "990019", "2026-01-01", "", []byte{1}} }},
			storetest.Table{Name: "withheld", Keys: []string{"citizen_id", "object", "what"},
				Columns: []string{"citizen_id", "object", "what", "withheld_id", "municipality", "title", "at"},
				Values:  func(n int) []any { return []any{id(n), "ntc_a", "notice", id(n), "990019", "0012", int64(n)} }},
			storetest.Table{Name: "withheld_settled", Keys: []string{"citizen_id", "withheld_id"},
				Columns: []string{"citizen_id", "withheld_id", "how", "note", "settled_by", "at"},
				Values:  func(n int) []any { return []any{id(n), "wth_a", "by_phone", "0012", "stf", int64(n)} }},
		)
	})
}
