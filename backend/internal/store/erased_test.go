package store_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
)

// What is deleted is gone from SQLite's file too: from the pages that other rows share and
// from the pages that became free.
func TestDeletedRowsAreGoneFromTheFile(t *testing.T) {
	const mark = "himitsu-kesu-"
	dsn := storetest.DSN(t, store.SQLite)
	db, err := store.Open(t.Context(), storetest.Config(dsn))
	must(t, err)
	do := func(query string, args ...any) {
		t.Helper()
		must(t, db.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) error {
			_, err := sqltx.Of(tt).Exec(ctx, query, args...)
			return err
		}))
	}
	for n := range 400 {
		do(`INSERT INTO child_item (pseudonym, source, item, part, as_of, municipality, value, expires_on, digest)
			VALUES ($1, 'childcare', 'childcare_place', '', '2026-11-20', '990019', $2, '2027-12-25', $3)`,
			fmt.Sprintf("%04d", n), mark+strings.Repeat("x", 40), []byte{1})
	}
	do(`DELETE FROM child_item WHERE pseudonym < '0300' OR pseudonym LIKE '%7'`)
	do(`DELETE FROM child_item WHERE pseudonym < '0399'`)
	must(t, db.Close())
	raw, err := os.ReadFile(strings.TrimPrefix(dsn, "sqlite:"))
	must(t, err)
	if n := bytes.Count(raw, []byte(mark)); n != 1 {
		t.Errorf("the file holds %d deleted rows", n-1)
	}
}
