package citizen_test

import (
	"context"
	"fmt"
	"testing"

	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/store"
	citizenrows "madoguchi.example/backend/internal/store/citizen"
	"madoguchi.example/backend/internal/store/folk"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/identity"
)

func id(n int) string { return fmt.Sprintf("ctz_%026d", n) }

var digest = []byte{1, 2, 3}

func TestConformance(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		storetest.Conformance(t, db,
			storetest.Table{Name: "municipality", Keys: []string{"code"},
				Columns: []string{"code", "name_ja", "name_easy", "name_en", "counter_name", "counter_place", "counter_phone", "counter_hours", "digest"},
				Values:  func(n int) []any { return []any{id(n), "a", "b", "c", "d", "e", "f", "g", digest} }},
			storetest.Table{Name: "resident_ref", Keys: []string{"municipality", "ref"},
				Columns: []string{"municipality", "ref", "citizen_id"},
				Values:  func(n int) []any { return []any{"990019", id(n), id(n)} }},
			storetest.Table{Name: "resident", Keys: []string{"citizen_id"},
				Columns: []string{"citizen_id", "municipality", "ref", "family_kanji", "given_kanji", "family_kana", "given_kana", "family_latin",
					"given_latin", "birth_date", "sex", "postal_code", "address", "resident_since", "digest"},
				Values: func(n int) []any {
					return []any{id(n), "990019", "0012", "a", "b", "c", "d", "e", "f", "2000-01-01", int64(1), "0012", "g", "2000-01-01", digest}
				}},
			storetest.Table{Name: "household_member", Keys: []string{"citizen_id"},
				Columns: []string{"citizen_id", "municipality", "household_ref", "relation", "since", "digest"},
				Values:  func(n int) []any { return []any{id(n), "990019", "0012", "head", "2000-01-01", digest} }},
			storetest.Table{Name: "birth", Keys: []string{"citizen_id"}, Columns: []string{"citizen_id", "born_on", "registered_on", "digest"},
				Values: func(n int) []any { return []any{id(n), "2000-01-01", "2000-01-02", digest} }},
			storetest.Table{Name: "move", Keys: []string{"citizen_id", "moved_on", "kind"},
				Columns: []string{"citizen_id", "moved_on", "kind", "other_municipality", "digest"},
				Values:  func(n int) []any { return []any{id(n), "2000-01-01", "in", "", digest} }},
			storetest.Table{Name: "death", Keys: []string{"citizen_id"}, Columns: []string{"citizen_id", "died_on", "registered_on", "digest"},
				Values: func(n int) []any { return []any{id(n), "2000-01-01", "2000-01-02", digest} }},
			storetest.Table{Name: "income", Keys: []string{"citizen_id", "tax_year"},
				Columns: []string{"citizen_id", "tax_year", "income_yen", "resident_tax_yen", "dependants", "exempt", "digest"},
				Values:  func(n int) []any { return []any{id(n), int64(2025), int64(3000000), int64(0), int64(2), true, digest} }},
			storetest.Table{Name: "benefit_fact", Keys: []string{"citizen_id", "fact"},
				Columns: []string{"citizen_id", "fact", "value", "since", "source", "digest"},
				Values:  func(n int) []any { return []any{id(n), "paid_by_workplace", "0012", "2026-04-01", "s", digest} }},
			storetest.Table{Name: "identity_link", Keys: []string{"issuer", "subject"},
				Columns: []string{"issuer", "subject", "citizen_id", "linked_at"},
				Values:  func(n int) []any { return []any{"https://idp.example", id(n), id(n), int64(n)} }},
		)
	})
}

func TestALinkStays(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		rows := citizenrows.New(db.Reads())
		for _, want := range []identity.CitizenID{"ctz_a", "ctz_b"} {
			err := db.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) error {
				got, err := rows.Link(ctx, tt, "i", "s", want, storetest.Now())
				if got != "ctz_a" {
					t.Errorf("linked to %s", got)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestReimportKeepsTheCitizen(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := folk.Settle(t, db)
		before := w.Citizen(t, "990019", "R1")
		rep := w.Import(t, folk.Files, w.Registry.Importers()...)
		for _, f := range rep.Files {
			if f.Added != 0 || f.Changed != 0 || f.Refused != 0 || f.Unchanged != f.Rows {
				t.Errorf("the same file again: %+v", f)
			}
		}
		moved := map[string]string{"residents.csv": `resident_ref,municipality_code,family_kanji,given_kanji,family_kana,given_kana,family_latin,given_latin,birth_date,sex,postal_code,address,resident_since
R1,990019,山田,花子,ヤマダ,ハナコ,YAMADA,HANAKO,1985-04-01,2,100-0009,みなと市新町9,1985-04-01
`, "income.csv": "resident_ref,municipality_code,tax_year,income_yen,resident_tax_yen,dependants,exempt\nR1,990019,2025,1,0,0,true\nR1,990019,2024,2,0,0,false\n"}
		if rep := w.Import(t, moved, w.Registry.Importers()...); rep.Files[0].Changed != 1 || rep.Files[1].Added != 2 {
			t.Errorf("a new address and two tax years: %+v", rep)
		}
		moved["income.csv"] = "resident_ref,municipality_code,tax_year,income_yen,resident_tax_yen,dependants,exempt\nR1,990019,2025,5,0,0,true\nR1,990019,2024,2,0,0,false\n"
		if rep := w.Import(t, moved, w.Registry.Importers()...); rep.Files[0].Unchanged != 1 || rep.Files[1].Changed != 1 || rep.Files[1].Unchanged != 1 {
			t.Errorf("one tax year changed: %+v", rep)
		}
		if after := w.Citizen(t, "990019", "R1"); after.ID != before.ID {
			t.Error("the citizen's handle changed")
		}
		all, err := w.Rows.Standings(t.Context(), nil, []identity.CitizenID{before.ID})
		if err != nil || all[before.ID].Resident.Address != "みなと市新町9" {
			t.Errorf("the address did not change: %v", err)
		}
	})
}

func TestConflictsOfEvents(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := folk.Settle(t, db)
		rep := w.Import(t, map[string]string{
			"deaths.csv": "resident_ref,municipality_code,died_on,registered_on\nR5,990019,2026-01-03,2026-01-05\nR9,990019,2026-01-03,2026-01-05\nR4,990019,2026-01-03,2026-01-02\n",
			"moves.csv":  "resident_ref,municipality_code,kind,moved_on,other_municipality\nR6,990019,out,2023-04-01,\n",
		}, w.Registry.Importers()...)
		if rep.Refused() != 4 {
			t.Errorf("%+v", rep)
		}
		ref := citizen.Ref{Municipality: "990019", Resident: "R5"}
		ids, err := w.Rows.Resolve(t.Context(), nil, []citizen.Ref{ref})
		if err != nil {
			t.Fatal(err)
		}
		all, err := w.Rows.Standings(t.Context(), nil, []identity.CitizenID{ids[ref]})
		if err != nil || all[ids[ref]].DiedOn.String() != "2026-01-02" {
			t.Errorf("the first death does not stay: %v", err)
		}
	})
}
