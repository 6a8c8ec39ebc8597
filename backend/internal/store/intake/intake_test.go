package intake_test

import (
	"fmt"
	"testing"

	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
)

func TestTablesRefuseWhatTheyMust(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		storetest.Conformance(t, db, storetest.Table{
			Name: "intake_record", Keys: []string{"terminal_id", "record_id"},
			Columns: []string{"terminal_id", "record_id", "batch_id", "epoch", "seq", "kind", "at", "body", "digest", "received_at", "state", "code", "about", "voided_by", "amended_by", "due_at", "asked"},
			Values: func(n int) []any {
				return []any{"trm_1", fmt.Sprint("rec-", n), "bat_1", "e1", int64(n), "k", int64(1), []byte("0012"), []byte{1}, int64(1), "open", "", "", "", "", int64(1), int64(0)}
			},
		}, storetest.Table{
			Name: "intake_mark", Keys: []string{"terminal_id", "epoch"},
			Columns: []string{"terminal_id", "epoch", "high", "head"},
			Values:  func(n int) []any { return []any{"trm_1", fmt.Sprint("e", n), int64(1), "00"} },
		}, storetest.Table{
			Name: "intake_event", Keys: []string{"terminal_id", "kind", "epoch", "seq", "record_id"},
			Columns: []string{"terminal_id", "kind", "epoch", "seq", "record_id", "at"},
			Values:  func(n int) []any { return []any{"trm_1", "gap", "e", int64(n), "rec", int64(1)} },
		}, storetest.Table{
			Name: "terminal_answer", Keys: []string{"terminal_id", "cursor"},
			Columns: []string{"terminal_id", "cursor", "record_id", "sealed", "code", "created_at"},
			Values:  func(n int) []any { return []any{"trm_1", int64(n), fmt.Sprint("rec-", n), []byte{1}, "", int64(1)} },
		}, storetest.Table{
			Name: "terminal_answer_last", Keys: []string{"terminal_id"},
			Columns: []string{"terminal_id", "cursor"},
			Values:  func(n int) []any { return []any{fmt.Sprint("trm_", n), int64(1)} },
		})
	})
}
