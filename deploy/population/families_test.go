package population_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/deploy/population"
)

func rowsOf(rows []map[string]string, p population.Part) []map[string]string {
	var out []map[string]string
	for _, r := range rows {
		if keyOf(r) == (key{p.MunicipalityCode, p.ResidentRef}) {
			out = append(out, r)
		}
	}
	return out
}

// homes gives the members of each household by the reference of each member.
func homes(tables map[string][]map[string]string) map[key][]map[string]string {
	all, of := map[key][]map[string]string{}, map[key][]map[string]string{}
	for _, r := range tables["households.csv"] {
		h := key{r["municipality_code"], r["household_ref"]}
		all[h] = append(all[h], r)
	}
	for _, members := range all {
		for _, r := range members {
			of[keyOf(r)] = members
		}
	}
	return of
}

func TestWhoIsPaidEarnsMoreThanTheOther(t *testing.T) {
	town, tables, _ := generate(t, 1, 300)
	f, of := town.Cast.Families, homes(tables)
	income := func(r map[string]string, year string) string {
		for _, row := range tables["income.csv"] {
			if keyOf(row) == keyOf(r) && row["tax_year"] == year {
				return row["income_yen"]
			}
		}
		return ""
	}
	for _, p := range []population.Part{town.Cast.Parent, f.LastMinute, f.TooLate, f.Letter, f.Protected, f.Offered,
		f.Unclaimed, f.Twins, f.LeapDay, f.FirstDay, f.Servant, f.Unasked} {
		self := map[string]string{"municipality_code": p.MunicipalityCode, "resident_ref": p.ResidentRef}
		for _, year := range []string{"2024", "2025", "2026"} {
			mine := income(self, year)
			if mine == "" {
				t.Errorf("%s has no income of %s", p.Sub, year)
			}
			for _, other := range of[keyOf(self)] {
				if other["relation"] == "child" || keyOf(other) == keyOf(self) {
					continue
				}
				if theirs := income(other, year); len(theirs) > len(mine) || len(theirs) == len(mine) && theirs >= mine {
					t.Errorf("%s earns %s in %s, the other parent %s", p.Sub, mine, year, theirs)
				}
			}
		}
	}
}

func TestChildrenAtTheEdges(t *testing.T) {
	for _, day := range []string{asOf, "2025-03-31", "2027-02-28", "2028-02-29", "2031-04-01"} {
		town, err := population.Generate(2, 200, day)
		if err != nil {
			t.Fatal(err)
		}
		again, err := town.Files()
		if err != nil {
			t.Fatal(err)
		}
		text := string(again["residents.csv"])
		for family, tail := range map[string]string{"月見里": "-02-29", "八月朔日": "-08-01"} {
			if !slices.ContainsFunc(strings.Split(text, "\n"), func(line string) bool {
				return strings.Contains(line, family) && strings.Contains(line, tail)
			}) {
				t.Errorf("%s: nobody of %s was born on …%s", day, family, tail)
			}
		}
		born := map[string]int{}
		for line := range strings.SplitSeq(text, "\n") {
			if c := strings.Split(line, ","); len(c) > 8 && c[2] == "双葉" {
				born[c[8]]++
			}
		}
		if youngest := slices.Max(slices.Collect(maps.Keys(born))); born[youngest] != 2 {
			t.Errorf("%s: the twins were not born on one day: %v", day, born)
		}
	}
}

func TestSourcesOfChildSupport(t *testing.T) {
	for seed := range uint64(3) {
		town, tables, _ := generate(t, seed, 1000)
		f := town.Cast.Families
		for _, p := range []population.Part{f.ProtectedChild, f.OfferedChild} {
			got := rowsOf(tables["checkups.csv"], p)
			if len(got) != 2 || got[0]["result"] != "missed" || got[1]["result"] != "missed" || got[1]["contacted_on"] != "" {
				t.Errorf("seed %d: the check-ups of %s: %v", seed, p.Words, got)
			}
		}
		got := rowsOf(tables["childcare.csv"], f.UnclaimedChild)
		if len(got) != 1 || got[0]["facility_kind"] != "kindergarten" || got[0]["recognised"] != "no" {
			t.Errorf("seed %d: the kindergarten: %v", seed, got)
		}
		if entered := got[0]["since"]; entered > addMonths(t, asOf, -2) {
			t.Errorf("seed %d: the child has been in the kindergarten since %s only", seed, entered)
		}
		if got := rowsOf(tables["protections.csv"], f.Protected); len(got) != 1 || got[0]["kind"] != "do_not_contact" || got[0]["until"] != "" {
			t.Errorf("seed %d: the protection: %v", seed, got)
		}
		days := map[string]map[string]bool{"childcare.csv": {}, "checkups.csv": {}}
		for name, seen := range days {
			for _, r := range tables[name] {
				seen[r["as_of"]] = true
			}
			if len(seen) != 1 {
				t.Errorf("seed %d: %s speaks of %d days", seed, name, len(seen))
			}
		}
	}
}

func addMonths(t *testing.T, day string, months int) string {
	t.Helper()
	d, err := time.Parse(time.DateOnly, day)
	if err != nil {
		t.Fatal(err)
	}
	return d.AddDate(0, months, 0).Format(time.DateOnly)
}

func TestWhoThePublicServantsAreIsSaidOrMissing(t *testing.T) {
	town, tables, _ := generate(t, 1, 1000)
	f := town.Cast.Families
	said := func(p population.Part) string {
		rows := rowsOf(tables["benefit_facts.csv"], p)
		if len(rows) == 0 {
			return "missing"
		}
		return rows[0]["fact"] + "=" + rows[0]["value"]
	}
	for p, want := range map[population.Part]string{f.Servant: "paid_by_workplace=true", f.Unasked: "missing",
		f.LastMinute: "paid_by_workplace=false", town.Cast.Parent: "paid_by_workplace=false"} {
		if got := said(p); got != want {
			t.Errorf("%s: %s, want %s", p.Words, got, want)
		}
	}
	if n := len(tables["benefit_facts.csv"]); n < 100 {
		t.Errorf("only %d facts", n)
	}
}

func TestFamiliesCanSignIn(t *testing.T) {
	town, _, _ := generate(t, 4, 100)
	subs := map[string]bool{}
	for _, p := range town.People() {
		subs[p.Sub] = true
	}
	for _, sub := range []string{population.SubLastMinute, population.SubTooLate, population.SubLetter, population.SubProtected,
		population.SubOffered, population.SubUnclaimed, population.SubTwins, population.SubLeapDay, population.SubFirstDay,
		population.SubServant, population.SubUnasked, population.SubMinatoClerk2, population.SubMinatoApprover2,
		population.SubMinatoApprover3, population.SubMinatoChild, population.SubMinatoChildChief, population.SubMinatoChildBoth,
		population.SubMinatoProtector} {
		if !subs[sub] {
			t.Errorf("%s cannot sign in", sub)
		}
	}
}
