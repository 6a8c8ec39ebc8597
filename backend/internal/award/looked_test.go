package award_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/award"
)

// recorded counts the access record's entries by purpose and action.
func (o *office) recorded(t testing.TB) map[string]int {
	t.Helper()
	out := map[string]int{}
	must(t, o.DB.Reads().Each(t.Context(), `SELECT purpose, action, count(*) FROM audit_entry GROUP BY purpose, action`, nil, func(scan func(...any) error) error {
		var purpose, action string
		var n int
		err := scan(&purpose, &action, &n)
		out[purpose+" "+action] = n
		return err
	}))
	return out
}

// Each look at an award and each act on it writes its entries with its purpose, one for
// each person that it tells of.
func TestEveryLookIsRecorded(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		r, of := decided(t, o, "F1", "F2")
		a, quiet, ctx := of["F1"], of["F2"], t.Context()
		o.read(t, a)
		o.read(t, quiet)
		var l award.List
		for _, step := range []struct {
			want string
			call func() error
		}{
			{"self benefit.mine 1", func() error { _, _, err := o.Mine(ctx, o.payee(a), audit.Self); return err }},
			{"self benefit.one 2", func() error { _, err := o.One(ctx, o.payee(a), audit.Self, a.ID); return err }},
			{"self benefit.refuse 2", func() error { _, err := o.Refuse(ctx, o.payee(a), audit.Self, a.ID); return err }},
			{"self benefit.one 2", func() error { _, err := o.Refuse(ctx, o.payee(a), audit.Self, a.ID); return err }},
			{"benefit_decision benefit.show 2", func() error { _, err := o.Award(ctx, clerk, decide, a.ID); return err }},
			{"benefit_decision benefit.list 7", func() error { // and the town's own family of three
				_, _, err := o.Awards(ctx, clerk, decide, r.ID, "", "", 0)
				return err
			}},
			{"benefit_decision benefit.show_run 1", func() error { _, _, err := o.Progress(ctx, clerk, decide, r.ID); return err }},
			{"benefit_decision approval.ask 1, benefit_decision benefit.gather 1, benefit_decision benefit.propose 1", func() (err error) {
				o.until(r.Deadline, time.Hour)
				l, err = o.Propose(ctx, clerk, decide, r.ID)
				return err
			}},
			{"benefit_decision benefit.show_list 2", func() error { _, _, err := o.Office.List(ctx, second, decide, l.ID); return err }},
			{"benefit_decision approval.approved 1, benefit_decision benefit.approve 1, benefit_decision benefit.approve_list 1", func() error {
				return o.Approve(ctx, second, decide, l.ID, l.Count, l.Total, "確かめました。")
			}},
		} {
			before := o.recorded(t)
			must(t, step.call())
			var got []string
			for what, n := range o.recorded(t) {
				if n -= before[what]; n > 0 {
					got = append(got, fmt.Sprintf("%s %d", what, n))
				}
			}
			slices.Sort(got)
			if all := strings.Join(got, ", "); all != step.want {
				t.Errorf("recorded %q, want %q", all, step.want)
			}
		}
	})
}
