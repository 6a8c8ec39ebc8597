package protection_test

import (
	"strings"
	"testing"

	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/folk"
	"madoguchi.example/backend/internal/store/storetest"
)

// A last row that was cut protects nobody else and for no other time than the whole row
// says, in whatever order the columns stand.
func TestACutRowProtectsNobody(t *testing.T) {
	w := folk.Settle(t, storetest.Open(t, store.SQLite))
	people := folk.Files["residents.csv"] + "R44,990019,高橋,実,タカハシ,ミノル,TAKAHASHI,MINORU,1961-06-07,1,100-0003,みなと市港町7,1961-06-07\n"
	if rep := w.Import(t, map[string]string{"residents.csv": people}, w.Registry.Importers()...); rep.Refused() > 0 {
		t.Fatalf("refused: %v", rep)
	}
	for _, text := range []string{
		"resident_ref,municipality_code,kind,since,until\nR1,990019,do_not_contact,2026-01-01,2027-01-01",
		"municipality_code,kind,since,until,resident_ref\n990019,do_not_contact,2026-01-01,,R44",
	} {
		for at := strings.Index(text, "\n") + 2; at <= len(text); at++ {
			rep := w.Import(t, map[string]string{"protections.csv": text[:at]}, w.Protection.Importer())
			if f := rep.Files[0]; f.Added+f.Changed != 0 || f.Refused != 1 || f.Faults[0].Line != 2 {
				t.Fatalf("cut after %q: %+v", text[strings.Index(text, "\n")+1:at], f)
			}
		}
	}
	if n := w.Count(t, `SELECT count(*) FROM protection`); n != 0 {
		t.Errorf("%d protections", n)
	}
}
