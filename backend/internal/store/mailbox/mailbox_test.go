package mailbox_test

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
			storetest.Table{Name: "notice", Keys: []string{"notice_id"},
				Columns: []string{"notice_id", "municipality", "client_id", "fingerprint", "number", "kind", "sender", "phone", "deadline", "texts", "written_by", "recipients", "sent_at"},
				Values: func(n int) []any {
					return []any{id(n), "990019", id(n), []byte{1}, "0012", "action", "s", "03", "", "{}", "stf", int64(1), int64(n)}
				}},
			storetest.Table{Name: "delivery", Keys: []string{"citizen_id", "notice_id", "channel"},
				Columns: []string{"citizen_id", "notice_id", "channel", "municipality", "sent_at", "read_at"},
				Values:  func(n int) []any { return []any{id(n), "ntc_a", "app", "990019", int64(n), int64(-1)} }},
		)
	})
}
