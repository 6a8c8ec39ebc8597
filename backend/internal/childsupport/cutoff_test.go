package childsupport_test

import (
	"fmt"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/shared/civil"
)

// A file that was cut at any byte of its last row, however its lines end, is refused whole
// and leaves nothing.
func TestAFileCutAtAnyByte(t *testing.T) {
	b := open(t, storetest.Open(t, store.SQLite), twins...)
	for name, text := range map[string]string{
		"checkups.csv":  checkupHead + missedTwice("B", "2026-11-20") + "Ac,990019,2026-11-20,y3,2026-09-01,missed,2026-08-01\n",
		"childcare.csv": childcareHead + unclaimed("B", "2026-11-20") + "Ac,990019,2026-11-20,kindergarten,no,2026-04-01,2026-11-01\n",
	} {
		for _, end := range []string{"\n", "\r\n"} {
			whole := "\ufeff" + strings.ReplaceAll(text, "\n", end)
			last := strings.LastIndex(strings.TrimSuffix(whole, end), "\n") + 1
			for at := last + 1; at < len(whole); at++ {
				rep := b.Import(t, map[string]string{name: whole[:at]}, b.Importers()...)
				f := rep.Files[0]
				if f.Added+f.Changed+f.Unchanged != 0 || f.Refused == 0 {
					t.Errorf("%s cut after %q: %+v", name, whole[last:at], f)
				}
				for _, one := range f.Faults {
					if one.Line != 1 && one.Line != 3 && one.Line != 4 {
						t.Errorf("%s: fault at line %d", name, one.Line)
					}
				}
			}
		}
	}
	if n := b.Count(t, `SELECT count(*) FROM child_item`) + b.Count(t, `SELECT count(*) FROM child_delivery`); n != 0 {
		t.Errorf("%d rows were stored", n)
	}
}

// What a source must not hold is refused with its place, and never repeated.
func TestStrangeCells(t *testing.T) {
	b := open(t, storetest.Open(t, store.SQLite), twins...)
	for name, row := range map[string]string{
		"a My Number for a person":    "123456789018,990019,2026-11-20,kindergarten,no,2026-04-01,\n",
		"a My Number for a day":       "Ac,990019,123456789018,kindergarten,no,2026-04-01,\n",
		"a My Number for a kind":      "Ac,990019,2026-11-20,123456789018,no,2026-04-01,\n",
		"a My Number for the last":    "Ac,990019,2026-11-20,kindergarten,no,2026-04-01,123456789018\n",
		"a municipality not here":     "Ac,131016,2026-11-20,kindergarten,no,2026-04-01,\n",
		"another's child":             "Ac,990027,2026-11-20,kindergarten,no,2026-04-01,\n",
		"a day that is none":          "Ac,990019,2026-02-29,kindergarten,no,2026-01-01,\n",
		"tomorrow in Japan":           "Ac,990019,2026-11-22,kindergarten,no,2026-04-01,\n",
		"the year of the three kings": "Ac,990019,0001-01-01,kindergarten,no,0001-01-01,\n",
		"a formula":                   "=1+1,990019,2026-11-20,kindergarten,no,2026-04-01,\n",
		"full-width digits":           "Ac,９９００１９,2026-11-20,kindergarten,no,2026-04-01,\n",
	} {
		rep := b.Import(t, map[string]string{"childcare.csv": childcareHead + row}, b.Importers()...)
		if f := rep.Files[0]; f.Added != 0 || f.Refused == 0 || f.Faults[len(f.Faults)-1].Line != 2 {
			t.Errorf("%s: %+v", name, f)
		} else if said := fmt.Sprint(f.Faults); strings.Contains(said, "123456789018") || strings.Contains(said, "131016") || strings.Contains(said, "1+1") {
			t.Errorf("%s: the report repeats the cell: %s", name, said)
		}
	}
	if n := b.Count(t, `SELECT count(*) FROM child_item`); n != 0 {
		t.Errorf("%d items", n)
	}
}

// The day on which something is in force ends at midnight in Japan, not in UTC.
func TestAProtectionEndsAtMidnightInJapan(t *testing.T) {
	for name, c := range map[string]struct {
		until civil.Date
		later int // hours after 18:00 in Japan of 2026-11-21
		sent  int
	}{
		"its last evening":             {civil.Date{Year: 2026, Month: 11, Day: 21}, 5, 0},
		"the hour after":               {civil.Date{Year: 2026, Month: 11, Day: 21}, 7, 1},
		"its last evening, a day more": {civil.Date{Year: 2026, Month: 11, Day: 22}, 29, 0},
		"the hour after, a day more":   {civil.Date{Year: 2026, Month: 11, Day: 22}, 31, 1},
		"without an end":               {civil.Date{}, 10000, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t, storetest.Open(t, store.SQLite), twins...)
			id := b.flagged(t, "A")[0].ID
			must(t, b.Assess(t.Context(), ann, why, id, propose))
			must(t, b.prot.Set(t.Context(), pat, audit.Protection, "As", "non_disclosure", c.until))
			for range c.later {
				b.Advance(day / 24)
			}
			must(t, b.Approve(t.Context(), bob, why, id, "案内してよい。"))
			if n := b.sent(t); n != c.sent {
				t.Errorf("%d notices, want %d", n, c.sent)
			}
		})
	}
}
