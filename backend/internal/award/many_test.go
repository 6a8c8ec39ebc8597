package award_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"madoguchi.example/backend/internal/award"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
)

// manyAwards is how many awards of one run TestManyAwards makes, by engine.
var manyAwards = map[store.Engine]int{store.SQLite: 10_000, store.Postgres: 40_000}

// fill copies an award, every second one proven and every fiftieth refused.
func (o *office) fill(t *testing.T, a award.Award, n int) {
	t.Helper()
	id := `lpad(CAST(i AS TEXT), 7, '0')`
	if o.DB.Engine() == store.SQLite {
		id = `printf('%07d', i)`
	}
	const step = 5000
	for first := 0; first < n; first += step {
		numbers := fmt.Sprintf(`WITH RECURSIVE s(i) AS (SELECT %d UNION ALL SELECT i + 1 FROM s WHERE i < %d) `, first, first+step-1)
		for _, query := range []string{
			`INSERT INTO award SELECT a.citizen_id, 'awd_' || ` + id + `, run_id, municipality, household_ref, benefit, month, kind, amount, children,
				deadline, pay_on, 'ntc_' || ` + id + `, withheld, decided_at, decision FROM s, award a WHERE award_id = $1`,
			`INSERT INTO award_proof SELECT a.citizen_id, 'awd_' || ` + id + `, 1, 'letter', a.deadline FROM s, award a WHERE i % 2 = 0 AND award_id = $1`,
			`INSERT INTO award_settlement SELECT a.citizen_id, 'awd_' || ` + id + `, 'refused', 1, 'x', a.deadline, 'app', '', '' FROM s, award a WHERE i % 50 = 0 AND award_id = $1`,
		} {
			must(t, o.DB.Runner().Do(t.Context(), func(ctx context.Context, t tx.Tx) error {
				_, err := sqltx.Of(t).Exec(ctx, numbers+query, a.ID)
				return err
			}))
		}
	}
}

// A run of many awards is shown, and its lists are made, in the time that a transaction has:
// no page of them reads the whole run.
func TestManyAwards(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		r, of := decided(t, o, "F1")
		n := manyAwards[o.DB.Engine()]
		o.fill(t, of["F1"], n)
		o.until(r.Deadline, time.Hour)
		_, f, _, err := o.Show(t.Context(), clerk, decide, r.ID)
		must(t, err)
		want := map[award.State]int{award.Noticed: n/2 + 1, award.Silent: n/2 - n/50, award.Refused: n / 50, award.OpenQuestion: 1}
		for s, tally := range f.ByState {
			if tally.Awards != want[s] {
				t.Errorf("%d awards are %s, want %d", tally.Awards, s, want[s])
			}
		}
		if len(f.ByState) != len(want) {
			t.Errorf("%+v", f.ByState)
		}
		begun := time.Now()
		l, err := o.Propose(t.Context(), clerk, decide, r.ID)
		must(t, err)
		o.drain(t)
		if l, _, err = o.Office.List(t.Context(), second, decide, l.ID); err != nil || l.Count != min(n/2-n/50, award.MaxList) {
			t.Errorf("%d awards on the list, %v", l.Count, err)
		}
		t.Logf("a list of %d among %d awards in %s", l.Count, n, time.Since(begun))
		if _, f, _, err = o.Show(t.Context(), clerk, decide, r.ID); err != nil || f.ByState[award.Listed].Awards != l.Count {
			t.Errorf("%+v, %v", f.ByState, err)
		}
		must(t, o.Work(t.Context(), machine, decide, award.RunJob{Phase: award.PhaseSweep}))
	})
}
