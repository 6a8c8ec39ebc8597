package childsupport_test

import (
	"slices"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/childsupport"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
)

func TestTheSameFilesTwiceChangeNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, twins...)
		for range 2 {
			r := b.childcare(t, unclaimed("A", "2026-11-20"), unclaimed("B", "2026-11-20"))
			c := b.checkups(t, missedTwice("A", "2026-11-20"))
			if r.Refused()+c.Refused() > 0 || r.Files[0].Added+r.Files[0].Unchanged != 2 || c.Files[0].Added+c.Files[0].Unchanged != 2 {
				t.Fatal(r, c)
			}
			b.Advance(day)
		}
		if n, d := b.Count(t, `SELECT count(*) FROM child_item`), b.Count(t, `SELECT count(*) FROM child_delivery`); n != 10 || d != 2 {
			t.Errorf("%d items and %d deliveries, want 10 and 2", n, d)
		}
	})
}

func TestACorrectionOfTheSameDayReplaces(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, twins...)
		b.childcare(t, unclaimed("A", "2026-11-20"))
		r := b.childcare(t, "Ac,990019,2026-11-20,kindergarten,yes,2026-04-01,\n")
		if r.Files[0].Changed != 1 || r.Refused() > 0 {
			t.Fatal(r)
		}
		if all := b.dump(t, "child_item", itemColumns...); strings.Contains(all, "|no |") || strings.Contains(all, "2026-11-01") || !strings.Contains(all, "|yes |") {
			t.Errorf("stored:\n%s", all)
		}
	})
}

func TestFilesThatAreRefusedWhole(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, twins...)
		before := b.childcare(t, unclaimed("A", "2026-11-10"))
		if before.Refused() > 0 {
			t.Fatal(before)
		}
		kept := b.dump(t, "child_item", itemColumns...)
		good := unclaimed("A", "2026-11-20")
		for name, c := range map[string]struct{ rows, fault string }{
			"from last year":           {"Bc,990019,2025-11-20,kindergarten,no,2025-04-01,2025-11-19\nAc,990019,2025-11-20,none,no,,\n", "childcare.csv line 2 column 3 (as_of): older than what this source said last"},
			"a day older":              {unclaimed("B", "2026-11-09"), "childcare.csv line 2 column 3 (as_of): older than what this source said last"},
			"two days in one file":     {good + unclaimed("B", "2026-11-19"), "childcare.csv line 3 column 3 (as_of): another day than the rows before"},
			"from tomorrow":            {unclaimed("A", "2026-11-22"), "childcare.csv line 2 column 3 (as_of): lies in the future"},
			"cut off in a row":         {good + "Bc,990019,2026-11-20,kinder", "childcare.csv line 3: has 4 cells where the header has 7"},
			"cut off in the last cell": {good + "Bc,990019,2026-11-20,kindergarten,no,2026-04-01,2026-11-1", "childcare.csv line 3: the row may be cut"},
			"cut off before a cell":    {good + "Bc,990019,2026-11-20,kindergarten,no,2026-04-01,", "childcare.csv line 3: the row may be cut"},
			"another kind":             {good + "Bc,990019,2026-11-20,castle,no,2026-04-01,\n", "childcare.csv line 3 column 4 (facility_kind): not one of the words allowed"},
			"a place without a day":    {"Bc,990019,2026-11-20,licensed,no,,\n", "childcare.csv line 2 column 6 (since): a facility has a first day, and none has none"},
			"a day without a place":    {"Bc,990019,2026-11-20,none,no,2026-04-01,\n", "childcare.csv line 2 column 6 (since): a facility has a first day, and none has none"},
			"seen after as_of":         {"Bc,990019,2026-11-20,licensed,no,2026-04-01,2026-11-21\n", "childcare.csv line 2 column 7 (last_attended): lies after as_of"},
		} {
			t.Run(name, func(t *testing.T) {
				r := b.childcare(t, c.rows)
				if r.Refused() == 0 || r.Files[0].Added+r.Files[0].Changed+r.Files[0].Unchanged > 0 {
					t.Errorf("the report: %+v", r)
				}
				if !slices.ContainsFunc(r.Files[0].Faults, func(f importing.Fault) bool { return strings.HasPrefix(f.String(), c.fault) }) {
					t.Errorf("faults %v, want %s", r.Files[0].Faults, c.fault)
				}
				if now := b.dump(t, "child_item", itemColumns...); now != kept {
					t.Errorf("stored:\n%s\nwant\n%s", now, kept)
				}
			})
		}
	})
}

func TestCheckupRows(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, twins...)
		for row, fault := range map[string]string{
			"Ac,990019,2026-11-20,m5,2026-01-01,missed,\n":           "column 4 (checkup): not one of the words allowed",
			"Ac,990019,2026-11-20,m4,2026-01-01,late,\n":             "column 6 (result): not one of the words allowed",
			"Ac,990019,2026-11-20,m4,2026-11-21,missed,\n":           "column 5 (due_on): lies after as_of: it cannot have been missed",
			"Ac,990019,2026-11-20,m4,2026-01-01,missed,2026-11-21\n": "column 7 (contacted_on): lies after as_of",
			"Ac,990019,2024-11-01,m4,2024-01-01,missed,\n":           "column 3 (as_of): past the retention of its items",
		} {
			r := b.checkups(t, row)
			if len(r.Files[0].Faults) < 2 || !strings.Contains(r.Files[0].Faults[1].String(), fault) {
				t.Errorf("faults %v, want %s", r.Files[0].Faults, fault)
			}
		}
		if n := b.Count(t, `SELECT count(*) FROM child_item`); n != 0 {
			t.Errorf("%d items", n)
		}
	})
}

func TestRowsAboutNobodyAreRefusedAlone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, twins...)
		r := b.checkups(t, missedTwice("A", "2026-11-20"), missedTwice("NOBODY", "2026-11-20"))
		if r.Files[0].Added != 2 || r.Files[0].Refused != 2 || r.Files[0].Faults[0].Line != 4 || r.Files[0].Faults[0].Name != "resident_ref" {
			t.Errorf("the report: %+v", r)
		}
		for _, f := range r.Files[0].Faults {
			if strings.Contains(f.String(), "NOBODY") {
				t.Errorf("a fault repeats what the file says: %s", f)
			}
		}
	})
}

// No column of any item leads to a child, and the two sources do not join.
func TestItemsLieUnderPseudonyms(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, twins...)
		b.childcare(t, unclaimed("A", "2026-11-20"), unclaimed("B", "2026-11-20"))
		b.checkups(t, missedTwice("A", "2026-11-20"), missedTwice("B", "2026-11-20"))
		all := b.dump(t, "child_item", itemColumns...)
		for _, ref := range []string{"Ac", "Bc", "Ah", "As"} {
			id := string(b.Citizen(t, minato, ref).ID)
			if strings.Contains(all, id) || strings.Contains(all, "|"+ref+"|") || strings.Contains(all, "海野") {
				t.Errorf("the items lead to %s:\n%s", ref, all)
			}
		}
		by := map[string]map[string]bool{}
		for _, row := range strings.Split(strings.TrimSpace(all), "\n") {
			cells := strings.Split(row, "|")
			if by[cells[0]] == nil {
				by[cells[0]] = map[string]bool{}
			}
			by[cells[0]][cells[1]] = true
		}
		if len(by) != 2 || len(by["childcare"]) != 2 || len(by["checkups"]) != 2 {
			t.Fatalf("pseudonyms by source: %v", by)
		}
		for p := range by["childcare"] {
			if by["checkups"][p] || len(p) < 43 {
				t.Errorf("the pseudonym %q is known in both sources, or short", p)
			}
		}
		columns := 0
		for _, table := range []string{"child_item", "child_delivery", "child_pass", "child_erasure", "child_tally"} {
			columns += hasCitizen(t, db, table)
		}
		if columns != 0 {
			t.Errorf("%d tables of items hold a citizen_id", columns)
		}
	})
}

func hasCitizen(t *testing.T, db *store.DB, table string) int {
	t.Helper()
	q := `SELECT count(*) FROM pragma_table_info($1) WHERE name IN ('citizen_id', 'resident_ref', 'ref')`
	if db.Engine() == store.Postgres {
		q = `SELECT count(*) FROM information_schema.columns WHERE table_name = $1 AND column_name IN ('citizen_id', 'resident_ref', 'ref')`
	}
	n := 0
	must(t, db.Reads().Each(t.Context(), q, []any{table}, func(scan func(...any) error) error { return scan(&n) }))
	return n
}

// With another key the same items belong to nobody.
func TestWithoutTheKeyNothingJoins(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, twins...)
		b.checkups(t, missedTwice("A", "2026-11-20"))
		deps := b.Desk.Deps
		deps.Key = []byte(strings.Repeat("k", childsupport.KeyBytes))
		other, err := childsupport.New(deps)
		must(t, err)
		must(t, other.Indicate(t.Context(), system, why))
		if n := len(b.open(t)); n != 0 {
			t.Errorf("%d cases under another key", n)
		}
		deps.Key = key[:16]
		if _, err := childsupport.New(deps); err == nil {
			t.Error("a short key was taken")
		}
	})
}
