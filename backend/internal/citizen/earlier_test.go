package citizen_test

import (
	"context"
	"testing"

	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/folk"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/identity"
)

// TestEarlier: R6 left みなと市 for やまのべ町, where T1 arrived on the same day.
func TestEarlier(t *testing.T) {
	const people = "resident_ref,municipality_code,family_kanji,given_kanji,family_kana,given_kana,family_latin,given_latin,birth_date,sex,postal_code,address,resident_since\n"
	const moves = "resident_ref,municipality_code,kind,moved_on,other_municipality\n"
	double := func(ref, code string) string {
		return ref + "," + code + ",田中,幸子,タナカ,サチコ,TANAKA,SACHIKO,1975-07-07,2,100-0004,x,1975-07-07\n"
	}
	for _, c := range []struct {
		name  string
		files map[string]string
		found int
	}{
		{"the one who moved", nil, 1},
		{"a namesake who did not move", map[string]string{"residents.csv": people + double("R7", "990019")}, 1},
		{"a namesake who left in the same weeks", map[string]string{
			"residents.csv": people + double("R7", "990019"), "moves.csv": moves + "R7,990019,out,2023-03-20,990027\n"}, 0},
		{"a namesake who arrived in the same weeks", map[string]string{
			"residents.csv": people + double("T7", "990027"), "moves.csv": moves + "T7,990027,in,2023-04-20,990019\n"}, 0},
		{"a namesake who left long before", map[string]string{
			"residents.csv": people + double("R7", "990019"), "moves.csv": moves + "R7,990019,out,2022-03-20,990027\n"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := folk.Settle(t, storetest.Open(t, store.SQLite))
			if c.files != nil {
				if rep := w.Import(t, c.files, w.Registry.Importers()...); rep.Refused() > 0 {
					t.Fatal(rep)
				}
			}
			before, now := w.Citizen(t, "990019", "R6"), w.Citizen(t, "990027", "T1")
			err := w.DB.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) error {
				all, err := w.Rows.Standings(ctx, tt, []identity.CitizenID{now.ID, before.ID})
				if err != nil {
					return err
				}
				got, err := w.Registry.Earlier(ctx, tt, all[now.ID].Resident)
				if len(got) != c.found || c.found == 1 && got[0] != before.ID {
					t.Errorf("found %d earlier rows, want %d", len(got), c.found)
				}
				if back, err := w.Registry.Earlier(ctx, tt, all[before.ID].Resident); err != nil || len(back) != 0 {
					t.Errorf("the earlier row has %d earlier rows, %v", len(back), err)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
