package citizen_test

import (
	"context"
	"testing"

	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/folk"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

func TestYoungPageByPage(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := folk.Settle(t, db)
		got := map[string]bool{}
		pages := 0
		for after, first := identity.CitizenID(""), true; first || after != ""; first = false {
			err := db.Runner().Do(t.Context(), func(ctx context.Context, tx tx.Tx) error {
				page, next, err := w.Registry.Young(ctx, tx, "990019", civil.Date{Year: 1975, Month: 7, Day: 7}, after, 2)
				for _, r := range page {
					got[r.Ref.Resident] = true
				}
				after = next
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			pages++
		}
		// R4 and R5 are older; R6 moved out; T1 and T2 live elsewhere.
		if len(got) != 3 || !got["R1"] || !got["R2"] || !got["R3"] || pages != 3 {
			t.Errorf("%v on %d pages", got, pages)
		}
	})
}

func TestHomeOf(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := folk.Settle(t, db)
		w.Import(t, map[string]string{
			"residents.csv": `resident_ref,municipality_code,family_kanji,given_kanji,family_kana,given_kana,family_latin,given_latin,birth_date,sex,postal_code,address,resident_since
R7,990019,山田,一郎,ヤマダ,イチロウ,YAMADA,ICHIRO,1984-04-01,1,100-0001,みなと市中央一丁目2番3号,2010-01-01
R8,990019,山田,梅,ヤマダ,ウメ,YAMADA,UME,1950-04-01,2,100-0001,みなと市中央一丁目2番3号,2010-01-01
`,
			"households.csv": "household_ref,municipality_code,resident_ref,relation,since\nH1,990019,R7,spouse,2010-01-01\nH1,990019,R8,parent,2010-01-01\nH9,990019,R6,head,2010-01-01\n",
		}, w.Registry.Importers()...)
		home := func(ref string) (out citizen.Home, err error) {
			err = db.Runner().Do(t.Context(), func(ctx context.Context, tx tx.Tx) (err error) {
				out, err = w.Registry.HomeOf(ctx, tx, w.Citizen(t, "990019", ref).ID)
				return err
			})
			return out, err
		}
		h, err := home("R2")
		if err != nil || h.Child.Ref.Resident != "R2" || len(h.Guardians) != 2 || h.Guardians[0].Ref.Resident != "R1" || h.Guardians[1].Ref.Resident != "R7" {
			t.Errorf("home %v, %v", h, err)
		}
		if h, err = home("R4"); err != nil || len(h.Guardians) != 0 {
			t.Errorf("who lives alone: %v, %v", h, err)
		}
		for _, gone := range []string{"R5", "R6"} {
			if _, err := home(gone); fault.CodeOf(err) != fault.NotFound {
				t.Errorf("%s: %v", gone, err)
			}
		}
	})
}
