package push_test

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
			storetest.Table{Name: "device", Keys: []string{"citizen_id", "device"},
				Columns: []string{"citizen_id", "device", "transport", "token", "token_hash", "language", "updated_at"},
				Values:  func(n int) []any { return []any{id(n), "d", "fcm", "0012", []byte{1}, "ja", int64(n)} }},
			storetest.Table{Name: "push_token", Keys: []string{"token_hash"}, Columns: []string{"token_hash", "citizen_id", "device"},
				Values: func(n int) []any { return []any{[]byte(id(n)), "ctz_a", "d"} }},
			storetest.Table{Name: "push_send", Keys: []string{"citizen_id", "notice_id", "device"},
				Columns: []string{"citizen_id", "notice_id", "device", "handle", "made_at"},
				Values:  func(n int) []any { return []any{"ctz_a", id(n), "d", id(n), int64(n)} }},
			storetest.Table{Name: "push_outcome", Keys: []string{"citizen_id", "notice_id", "device"},
				Columns: []string{"citizen_id", "notice_id", "device", "outcome", "at"},
				Values:  func(n int) []any { return []any{"ctz_a", id(n), "d", "accepted", int64(n)} }},
			storetest.Table{Name: "push_done", Keys: []string{"notice_id"}, Columns: []string{"notice_id", "at"},
				Values: func(n int) []any { return []any{id(n), int64(n)} }},
			storetest.Table{Name: "push_swept", Keys: []string{"notice_id"}, Columns: []string{"notice_id", "at"},
				Values: func(n int) []any { return []any{id(n), int64(n)} }},
		)
	})
}
