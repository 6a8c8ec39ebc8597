package payer_test

import (
	"fmt"
	"testing"

	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
)

func TestTablesRefuseWhatTheyMust(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		storetest.Conformance(t, db, storetest.Table{
			Name: "coverage", Keys: []string{"citizen_id", "insurer_key", "symbol_key", "number_key", "branch", "valid_from"},
			Columns: []string{
				"citizen_id", "insurer_key", "symbol_key", "number_key", "branch", "valid_from", "valid_to",
				"municipality_code", "insurer_number", "insurer_name", "symbol", "number", "copayment_percent", "insured_kind", "digest",
			},
			Values: func(n int) []any {
				return []any{
					fmt.Sprint("ctz_", n), "0012", "", "0034", "01", "2024-04-01", "",
					"990019", "0012", "name", "", "0034", int64(30), "insured", []byte{1},
				}
			},
		})
	})
}
