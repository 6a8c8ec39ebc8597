package award_test

import (
	"slices"
	"testing"

	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/award"
	"madoguchi.example/backend/internal/protection"
	"madoguchi.example/shared/civil"
)

// A protection of anybody of the household withholds the notice: of a parent who is not
// paid, and of one who lives elsewhere by now.
func TestAProtectionOfAnybodyAtHomeWithholdsTheNotice(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.settle(t, append(family("F1"), append(family("F2"), family("F3")...)...), facts("F1a paid_by_workplace=false", "F2a paid_by_workplace=false", "F3a paid_by_workplace=false"))
		o.settle(t, nil, map[string]string{"moves.csv": "resident_ref,municipality_code,kind,moved_on,other_municipality\nF2b,990019,out,2026-10-01,990027\n"})
		for _, ref := range []string{"F1b", "F2b"} {
			must(t, o.Protection.Set(t.Context(), protector, audit.Protection, ref, protection.NonDisclosure, civil.Date{}))
		}
		r := o.run(t, "1")
		for ref, want := range map[string]int{"F1a": 0, "F2a": 0, "F3a": 1} {
			who := o.Citizen(t, home, ref)
			if n := o.Town.Count(t, `SELECT count(*) FROM delivery WHERE citizen_id = $1 AND channel = 'app'`, who.ID); n != want {
				t.Errorf("%s has %d notices, want %d", ref, n, want)
			}
			if mine, _, err := o.Mine(t.Context(), who, audit.Self); err != nil || len(mine) != want {
				t.Errorf("%s sees %d awards, want %d, %v", ref, len(mine), want, err)
			}
		}
		seen, _, err := o.Awards(t.Context(), clerk, decide, r.ID, "", "", 10)
		if err != nil || slices.ContainsFunc(seen, func(a award.Award) bool { return a.PayeeRef == "F1a" || a.PayeeRef == "F2a" }) {
			t.Errorf("a clerk sees who was withheld, %v", err)
		}
		tasks, err := o.Protection.Waiting(t.Context(), protector, audit.Protection, 10)
		if err != nil || len(tasks) != 2 {
			t.Errorf("%d tasks, %v", len(tasks), err)
		}
		o.balanced(t)
	})
}
