package issuance_test

import (
	"os"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/issuance"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
)

// A certificate from before there were renderings is read as its card alone, and revoked
// with its records by what the migration says that it states.
func TestOlderCertificates(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := loaded(t, db)
		mother := b.Citizen(t, "990019", "R1")
		c, err := b.ask(t, mother, "key-older-0000000001", mother.ID, issuance.Overseas)
		if err != nil {
			t.Fatal(err)
		}
		migration, err := os.ReadFile("../store/migrations/0064_certificate_renderings.sql")
		if err != nil {
			t.Fatal(err)
		}
		_, backfill, _ := strings.Cut(string(migration), "INSERT INTO certificate_statement")
		backfill, _, _ = strings.Cut(backfill, ";")
		for _, query := range []string{"DELETE FROM certificate_rendering", "DELETE FROM certificate_statement", "DELETE FROM counter_reference",
			"INSERT INTO certificate_statement" + backfill} {
			if _, err := db.Writer().ExecContext(t.Context(), query); err != nil {
				t.Fatal(err)
			}
		}
		old := b.listed(t, mother)[0]
		if old.Reference != "" || len(old.Renderings) != 1 || old.Renderings[0] != c.Renderings[0] || old.Superseded {
			t.Errorf("an older certificate: %d renderings, reference %q", len(old.Renderings), old.Reference)
		}
		if v := b.verify(t, old)[shc.Format]; v.Outcome != cert.Valid {
			t.Errorf("%s", v.Outcome)
		}
		b.correct(t, voided)
		if v := b.verify(t, old)[shc.Format]; v.Outcome != cert.Revoked {
			t.Errorf("after a correction: %s", v.Outcome)
		}
	})
}
