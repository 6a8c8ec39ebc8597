package bulk_test

import (
	"context"
	"fmt"
	"testing"

	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/bulk"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
)

var incomes = bulk.Table{Name: "income", Key: []string{"citizen_id", "tax_year"},
	Columns: []string{"income_yen", "resident_tax_yen", "dependants", "exempt"}}

func row(year int, yen int64) bulk.Row {
	return bulk.Row{Key: []any{"ctz_a", year}, Values: []any{yen, 0, 0, true}, Digest: []byte{byte(yen)}}
}

func TestAddTellsOfEachRow(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		add := func(rows ...bulk.Row) (out []importing.Result) {
			t.Helper()
			err := db.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) (err error) {
				out, err = incomes.Add(ctx, sqltx.Of(tt), rows)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		add(row(2024, 1), row(2025, 2))
		want := []importing.Result{importing.Added, importing.Unchanged, importing.Changed}
		if got := add(row(2023, 9), row(2024, 1), row(2025, 3)); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v, want %v", got, want)
		}
		if got := add(row(2025, 2)); got[0] != importing.Unchanged {
			t.Error("Add changed a row")
		}
		if got := add(); len(got) != 0 {
			t.Errorf("results of nothing: %v", got)
		}
		err := db.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) error {
			return incomes.Replace(ctx, sqltx.Of(tt), row(2025, 3))
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := add(row(2025, 3)); got[0] != importing.Unchanged {
			t.Error("Replace changed nothing")
		}
	})
}

func TestAddCapsItsRows(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	rows := make([]bulk.Row, bulk.MaxRows+1)
	for i := range rows {
		rows[i] = row(i, 1)
	}
	err := db.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) error {
		_, err := incomes.Add(ctx, sqltx.Of(tt), rows)
		return err
	})
	if err == nil {
		t.Error("more rows than the limit were taken")
	}
}

func TestPlaces(t *testing.T) {
	if got := bulk.Places(3, 2, 2); got != "($3, $4), ($5, $6)" {
		t.Errorf("%s", got)
	}
}
