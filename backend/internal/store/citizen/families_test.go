package citizen_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/folk"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
)

const factsHead = "resident_ref,municipality_code,fact,value,since,source\n"

func families(t *testing.T, w *folk.Town, after string, limit int) (out []citizen.Family) {
	t.Helper()
	err := w.DB.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) (err error) {
		out, err = w.Registry.Families(ctx, tt, "990019", after, limit)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestFamiliesComeWholeAndInPages(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := folk.Settle(t, db)
		residents := "resident_ref,municipality_code,family_kanji,given_kanji,family_kana,given_kana,family_latin,given_latin,birth_date,sex,postal_code,address,resident_since\n"
		members := "household_ref,municipality_code,resident_ref,relation,since\n"
		add := func(household, ref, relation, birth string) {
			residents += fmt.Sprintf("%s,990019,佐藤,一,サトウ,イチ,SATO,ICHI,%s,1,100-0001,x,%s\n", ref, birth, birth)
			members += fmt.Sprintf("%s,990019,%s,%s,%s\n", household, ref, relation, birth)
		}
		for i := range 150 {
			h := fmt.Sprintf("K%03d", i)
			add(h, h+"c", "child", "2020-02-29")
			add(h, h+"b", "spouse", "1990-01-01")
			add(h, h+"a", "head", "1991-01-01")
		}
		add("L1", "L1a", "head", "1940-01-01")
		add("L1", "L1c", "child", "1965-01-01") // grown up long ago
		w.Import(t, map[string]string{"residents.csv": residents, "households.csv": members,
			"deaths.csv":        "resident_ref,municipality_code,died_on,registered_on\nK007b,990019,2026-01-02,2026-01-05\n",
			"moves.csv":         "resident_ref,municipality_code,kind,moved_on,other_municipality\nK007c,990019,out,2026-02-03,990027\n",
			"income.csv":        "resident_ref,municipality_code,tax_year,income_yen,resident_tax_yen,dependants,exempt\nK007a,990019,2024,5,0,1,false\nK007a,990019,2025,6,0,1,false\n",
			"benefit_facts.csv": factsHead + "K007a,990019,paid_by_workplace,true,2026-04-01,申告\nK007c,990019,cost_confirmed,false,2026-04-02,申告\n",
		}, w.Registry.Importers()...)
		var all []citizen.Family
		for after := ""; ; after = all[len(all)-1].Household {
			page := families(t, w, after, 120)
			all = append(all, page...)
			if len(page) < 120 {
				break
			}
		}
		if len(all) != 151 || all[0].Household != "H1" || all[150].Household != "K149" {
			t.Fatalf("%d families", len(all))
		}
		f := all[8]
		if len(f.Members) != 3 || f.Members[0].Relation != citizen.Head || f.Members[1].Relation != citizen.Spouse || f.Members[2].Resident.BirthDate.Date.String() != "2020-02-29" {
			t.Fatalf("%+v", f)
		}
		head, spouse, child := f.Members[0], f.Members[1], f.Members[2]
		if len(head.Incomes) != 2 || head.Incomes[0].TaxYear != 2025 || len(head.Facts) != 1 || head.Facts[0].Value != "true" || len(child.Facts) != 1 ||
			spouse.DiedOn.String() != "2026-01-02" || len(child.Moves) != 1 {
			t.Errorf("%+v\n%+v\n%+v", head, spouse, child)
		}
	})
}

func TestBenefitFactsTheNewerFileWins(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := folk.Settle(t, db)
		imported := func(rows string) importing.FileReport {
			t.Helper()
			return w.Import(t, map[string]string{"benefit_facts.csv": factsHead + rows}, w.Registry.Importers()...).Files[0]
		}
		const first = "R1,990019,paid_by_workplace,true,2026-04-01,申告\n"
		if r := imported(first); r.Added != 1 {
			t.Errorf("%+v", r)
		}
		if r := imported(first); r.Unchanged != 1 || r.Added+r.Changed+r.Refused != 0 {
			t.Errorf("the same file again: %+v", r)
		}
		if r := imported("R1,990019,paid_by_workplace,false,2026-05-01,申告\nR1,990019,cost_confirmed,true,2026-05-01,申告\n"); r.Changed != 1 || r.Added != 1 {
			t.Errorf("a newer file: %+v", r)
		}
		for _, f := range families(t, w, "", 10)[0].Members[0].Facts {
			if f.Fact == "paid_by_workplace" && (f.Value != "false" || f.Since.String() != "2026-05-01") {
				t.Errorf("%+v", f)
			}
		}
		bad := imported("R1,990019,paid_by_workplace,123456789018,2026-05-01,申告\nR1,990019,Paid,true,2026-05-01,申告\nR1,990019,x,true,2027-05-01,申告\n" +
			"R9,990019,x,true,2026-05-01,申告\nR1,990019,x,,2026-05-01,申告\nR1,990019,x,true,2026-05-01,1234 5678 9018\n")
		if bad.Refused != 6 || bad.Added != 0 {
			t.Errorf("%+v", bad)
		}
		for _, f := range bad.Faults {
			if strings.Contains(f.String(), "9018") {
				t.Errorf("a fault repeats the value: %s", f)
			}
		}
	})
}
