package childsupport_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/childsupport"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/notice"
)

func (b *bench) expire(t *testing.T) {
	t.Helper()
	must(t, b.Expire(t.Context(), system, why))
}

// digestOf makes the digest as the proof says it is made, from raw rows.
func digestOf(rows []string) string {
	var keys []string
	for _, row := range rows {
		cells := strings.Split(row, "|")
		key := ""
		for _, s := range []string{cells[1], cells[0], cells[2], cells[3], cells[4]} {
			key += fmt.Sprintf("%d:%s", len(s), s)
		}
		keys = append(keys, key+"\n")
	}
	slices.Sort(keys)
	sum := sha256.Sum256([]byte(strings.Join(keys, "")))
	return hex.EncodeToString(sum[:])
}

func TestItemsPastTheirRetentionAreGoneWithProof(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, twins...)
		b.childcare(t, unclaimed("A", "2026-11-20"), unclaimed("B", "2026-11-20"))
		var attendance []string
		for _, row := range strings.Split(strings.TrimSpace(b.dump(t, "child_item", itemColumns...)), "\n") {
			if strings.Contains(row, "|childcare_attendance|") {
				attendance = append(attendance, row)
			}
		}
		b.Advance(179 * day) // as_of + 180: the last day
		b.expire(t)
		if n := b.Count(t, `SELECT count(*) FROM child_item`); n != 6 {
			t.Fatalf("%d items on the last day, want 6", n)
		}
		b.Advance(day)
		b.expire(t)
		if n := b.Count(t, `SELECT count(*) FROM child_item WHERE item = 'childcare_attendance'`); n != 0 {
			t.Errorf("%d items past their retention", n)
		}
		if left := b.dump(t, "child_item", itemColumns...); strings.Count(left, "\n") != 4 || strings.Contains(left, "2026-11-01") {
			t.Errorf("left:\n%s", left)
		}
		proofs, err := b.Erasures(t.Context(), auditor, why)
		must(t, err)
		if len(proofs) != 1 || proofs[0].Count != 2 || proofs[0].Item != "childcare_attendance" || proofs[0].Source != "childcare" ||
			proofs[0].Why != childsupport.PastRetention || proofs[0].Cutoff.String() != "2027-05-20" || hex.EncodeToString(proofs[0].Digest) != digestOf(attendance) {
			t.Errorf("proofs %+v, want the digest %s", proofs, digestOf(attendance))
		}
		if n := b.Count(t, `SELECT count(*) FROM audit_entry WHERE action = 'items.erase' AND purpose = 'child_support'`); n != 1 {
			t.Errorf("%d entries of the record", n)
		}
		b.expire(t)
		for _, row := range attendance {
			if cells := strings.Split(row, "|"); strings.Contains(b.everything(t), cells[2]+"|"+cells[3]+"|"+cells[4]) {
				t.Error("a row still holds what was erased")
			}
		}
		if proofs, err = b.Erasures(t.Context(), bob, why); err != nil || len(proofs) != 1 {
			t.Errorf("%d proofs after a second run, %v", len(proofs), err)
		}
		b.Advance(300 * day)
		b.expire(t)
		left := b.everything(t)
		for _, row := range attendance {
			if strings.Contains(left, strings.Split(row, "|")[1]) {
				t.Error("some row still holds a pseudonym")
			}
		}
		if other, err := b.Erasures(t.Context(), elsewhere, why); err != nil || len(other) != 0 {
			t.Errorf("another municipality sees %d proofs, %v", len(other), err)
		}
		wants(t, func() error { _, err := b.Erasures(t.Context(), ann, why); return err }(), fault.Forbidden, "role")
	})
}

func TestNewerDataSupersedes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, twins...)
		b.childcare(t, unclaimed("A", "2026-11-10"))
		b.childcare(t, "Ac,990019,2026-11-20,kindergarten,yes,2026-04-01,2026-11-19\n")
		b.indicate(t)
		if n := len(b.open(t)); n != 0 {
			t.Errorf("%d flags by superseded data", n)
		}
		b.expire(t)
		if left := b.dump(t, "child_item", itemColumns...); strings.Contains(left, "2026-11-10") || strings.Count(left, "\n") != 3 {
			t.Errorf("left:\n%s", left)
		}
		proofs, err := b.Erasures(t.Context(), auditor, why)
		if err != nil || len(proofs) != 3 || proofs[0].Why != childsupport.Superseded {
			t.Errorf("proofs %+v, %v", proofs, err)
		}
	})
}

// An open case says of an item that is gone that it has expired, also before the nightly job.
func TestReasonsOfAnOpenCaseExpire(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, twins...)
		id := b.flagged(t, "A")[0].ID
		b.offered(t, id)
		b.Advance(731 * day)
		for _, when := range []string{"before the job", "after it"} {
			c, err := b.Case(t.Context(), ann, why, id)
			must(t, err)
			if c.Holds || len(c.Reasons) != 4 {
				t.Errorf("%s: holds %v, %d reasons", when, c.Holds, len(c.Reasons))
			}
			for _, r := range c.Reasons {
				if !r.Expired || !strings.Contains(r.Text[notice.Japanese], "消去されました") || strings.Contains(r.Text[notice.Japanese], "2025年") {
					t.Errorf("%s: %q, expired %v", when, r.Text[notice.Japanese], r.Expired)
				}
			}
			b.expire(t)
		}
		for _, table := range []string{"child_case", "child_act"} {
			if n := b.Count(t, "SELECT count(*) FROM "+table); n == 0 {
				t.Errorf("the open case has no row in %s", table)
			}
		}
	})
}

func TestFlagsLapseAndClosedCasesEnd(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, twins...)
		cases := b.flagged(t, "A", "B")
		lapses, closes := cases[0].ID, cases[1].ID
		b.offered(t, closes)
		must(t, b.Close(t.Context(), ann, why, closes, childsupport.NotReached, "返事がない。"))
		b.Advance((childsupport.FlagDays - 1) * day)
		b.expire(t)
		if got := b.state(t, lapses); got != childsupport.Flagged {
			t.Errorf("the day before: %s", got)
		}
		b.Advance(day)
		wants(t, b.Assess(t.Context(), ann, why, lapses, propose), fault.Conflict, "state")
		b.expire(t)
		_, err := b.Case(t.Context(), ann, why, lapses)
		wants(t, err, fault.NotFound, "")
		b.Advance((childsupport.CaseDays - childsupport.FlagDays) * day)
		b.expire(t)
		left := b.everything(t)
		for _, words := range []string{"返事がない", "一度お話をうかがいたい", "案内してよい"} {
			if strings.Contains(left, words) {
				t.Errorf("some row still holds what an officer wrote: %q", words)
			}
		}
		for _, table := range []string{"child_case", "child_act"} {
			if n := b.Count(t, "SELECT count(*) FROM "+table); n != 0 {
				t.Errorf("%d rows left in %s", n, table)
			}
		}
		whys := map[childsupport.Why]int{}
		proofs, err := b.Erasures(t.Context(), auditor, audit.AuditReview)
		must(t, err)
		for _, p := range proofs {
			if p.Source == "case" {
				whys[p.Why] += p.Count
			}
		}
		if whys[childsupport.Lapsed] != 1 || whys[childsupport.PastRetention] != 1 {
			t.Errorf("proofs of cases: %v", whys)
		}
		e, err := b.Evaluate(t.Context(), bob, why)
		if err != nil || e[0].Indicator != "checkups_missed_twice" || e[0].Flagged != 2 || e[0].Reviewed != 1 || e[0].Contacted != 1 || e[0].Accepted != 0 {
			t.Errorf("evaluation of erased cases: %+v, %v", e, err)
		}
	})
}

// More than one batch: all are erased, each batch with its proof.
func TestExpireInBatches(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var families []family
		var rows []string
		for n := range 250 {
			f := family{fmt.Sprintf("F%03d", n), "2022-08-10"}
			families, rows = append(families, f), append(rows, unclaimed(f.name, "2026-11-20"))
		}
		b := open(t, db, families...)
		b.childcareAll(t, rows)
		b.indicate(t)
		if n := b.Count(t, `SELECT count(*) FROM child_case`); n != 250 {
			t.Errorf("%d flags over several pages, want 250", n)
		}
		b.Advance(1000 * day)
		b.expire(t)
		if n, m := b.Count(t, `SELECT count(*) FROM child_item`), b.Count(t, `SELECT count(*) FROM child_case`); n+m != 0 {
			t.Errorf("%d items and %d cases left", n, m)
		}
		proofs, err := b.Erasures(t.Context(), auditor, why)
		total := 0
		for _, p := range proofs {
			total += p.Count
		}
		if err != nil || total != 250*4 || len(proofs) != 12 {
			t.Errorf("%d proofs of %d, %v", len(proofs), total, err)
		}
	})
}
