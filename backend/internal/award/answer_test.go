package award_test

import (
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/approval"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/award"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
)

// decided gives the first family's award after a run over n families.
func decided(t testing.TB, o *office, names ...string) (award.Run, map[string]award.Award) {
	t.Helper()
	var people []person
	var known []string
	for _, n := range names {
		people = append(people, family(n)...)
		known = append(known, n+"a paid_by_workplace=false")
	}
	o.settle(t, people, facts(known...))
	r := o.run(t, "1")
	out := map[string]award.Award{}
	for _, a := range o.awards(t, r.ID, award.Noticed) {
		out[a.Household] = a
	}
	if len(out) != len(names) {
		t.Fatalf("%d awards", len(out))
	}
	return r, out
}

func (o *office) stateOf(t testing.TB, a award.Award) award.State {
	t.Helper()
	now, err := o.Award(t.Context(), protectorClerk, decide, a.ID)
	must(t, err)
	return now.State
}

func TestRefuseUntilTheLastMinute(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		r, of := decided(t, o, "F1", "F2", "F3")
		last, late, unread := of["F1"], of["F2"], of["F3"]
		o.read(t, last)
		o.read(t, late)
		o.until(r.Deadline, -time.Second)
		a, err := o.Refuse(t.Context(), o.payee(last), audit.Self, last.ID)
		if err != nil || a.State != award.Refused || a.Refusable || a.AnswerBy != r.Deadline {
			t.Fatalf("in the last second: %s %v", a.State, err)
		}
		o.until(r.Deadline, 0)
		if a, err := o.Refuse(t.Context(), o.payee(last), audit.Self, last.ID); err != nil || a.State != award.Refused {
			t.Errorf("the same again: %v", err)
		}
		_, err = o.Refuse(t.Context(), o.payee(late), audit.Self, late.ID)
		refused(t, err, fault.Conflict, "deadline")
		if a, err := o.Refuse(t.Context(), o.payee(unread), audit.Self, unread.ID); err != nil || a.State != award.Refused {
			t.Errorf("without proof there is no end: %v", err)
		}
		if n := o.Town.Count(t, `SELECT count(*) FROM award_settlement`); n != 2 {
			t.Errorf("%d settlements", n)
		}
		page, err := o.Log.VisibleTo(t.Context(), last.Payee, "", 0)
		must(t, err)
		actions := ""
		for _, e := range page.Entries {
			actions += e.Action + " "
		}
		for _, want := range []string{"benefit.refuse", "benefit.decide", "notice.post"} {
			if !strings.Contains(actions, want) {
				t.Errorf("the citizen's record lacks %s: %s", want, actions)
			}
		}
	})
}

func TestARefusalAtTheOfficeInTimeWinsUntilApproval(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		r, of := decided(t, o, "F1", "F2")
		for _, a := range of {
			o.read(t, a)
		}
		o.until(r.Deadline, time.Hour)
		l, err := o.Propose(t.Context(), clerk, decide, r.ID)
		must(t, err)
		if l.State != award.Waiting || l.Count != 2 || l.Total != 40000 || o.stateOf(t, of["F1"]) != award.Listed {
			t.Fatalf("%+v, %s", l, o.stateOf(t, of["F1"]))
		}
		refused(t, o.RecordRefusal(t.Context(), clerk, decide, of["F1"].ID, r.Deadline.AddDays(1), ""), fault.Conflict, "deadline")
		refused(t, o.RecordRefusal(t.Context(), clerk, decide, of["F1"].ID, r.Deadline.AddDays(2), ""), fault.InvalidArgument, "on")
		refused(t, o.RecordRefusal(t.Context(), clerk, decide, of["F1"].ID, r.Deadline, "番号は123456789018"), fault.MyNumberRefused, "reason")
		for range 2 {
			must(t, o.RecordRefusal(t.Context(), clerk, decide, of["F1"].ID, r.Deadline, "届出書"))
		}
		before := o.state(t)
		refused(t, o.Approve(t.Context(), second, decide, l.ID, 2, 40000, "確認しました"), fault.Conflict, "list")
		if after := o.state(t); !equal(before, after) || o.Town.Count(t, `SELECT count(*) FROM ledger`) != 0 {
			t.Errorf("a failed approval changed something: %v, then %v", before, after)
		}
		must(t, o.Return(t.Context(), second, decide, l.ID, "辞退がありました"))
		l, err = o.Propose(t.Context(), clerk, decide, r.ID)
		must(t, err)
		if l.Count != 1 || l.Total != 20000 {
			t.Errorf("%+v", l)
		}
		must(t, o.Approve(t.Context(), second, decide, l.ID, 1, 20000, "確認しました"))
		if o.stateOf(t, of["F2"]) != award.Approved {
			t.Errorf("%s", o.stateOf(t, of["F2"]))
		}
		refused(t, o.RecordRefusal(t.Context(), clerk, decide, of["F2"].ID, r.Deadline, ""), fault.Conflict, "state")
		a, err := o.Award(t.Context(), clerk, decide, of["F2"].ID)
		must(t, err)
		var what []string
		for _, e := range a.History {
			what = append(what, e.What)
		}
		if got := strings.Join(what, " "); got != "decided noticed delivered_app deadline listed returned listed approved payment" {
			t.Errorf("history: %s", got)
		}
		o.balanced(t)
	})
}

func TestSilenceNeedsProof(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		r, of := decided(t, o, "F1", "F2", "F3")
		o.read(t, of["F1"])
		o.until(r.Deadline, time.Hour)
		l, err := o.Propose(t.Context(), clerk, decide, r.ID)
		must(t, err)
		if l.Count != 1 {
			t.Fatalf("%d awards on the list: the others' delivery is not proven", l.Count)
		}
		_, err = o.Propose(t.Context(), clerk, decide, r.ID)
		refused(t, err, fault.Conflict, "run")
		today := civil.In(o.Now())
		refused(t, o.RecordLetter(t.Context(), clerk, decide, of["F2"].ID, today.AddDays(1)), fault.InvalidArgument, "on")
		refused(t, o.RecordLetter(t.Context(), clerk, decide, of["F2"].ID, civil.In(of["F2"].DecidedAt).AddDays(-1)), fault.InvalidArgument, "on")
		must(t, o.RecordLetter(t.Context(), clerk, decide, of["F2"].ID, today))
		a, err := o.Award(t.Context(), clerk, decide, of["F2"].ID)
		must(t, err)
		if a.State != award.Proven || a.AnswerBy != today.AddDays(award.AnswerDays) || !a.Refusable {
			t.Fatalf("%s until %s", a.State, a.AnswerBy)
		}
		o.until(a.AnswerBy, -time.Second)
		_, err = o.Propose(t.Context(), clerk, decide, r.ID)
		refused(t, err, fault.Conflict, "run")
		o.until(a.AnswerBy, time.Minute) // a refusal of the last minute may still be on its way
		_, err = o.Propose(t.Context(), clerk, decide, r.ID)
		refused(t, err, fault.Conflict, "run")
		o.until(a.AnswerBy, time.Hour)
		if l, err = o.Propose(t.Context(), clerk, decide, r.ID); err != nil || l.Count != 1 {
			t.Errorf("%+v %v", l, err)
		}
		if o.stateOf(t, of["F3"]) != award.Noticed {
			t.Errorf("%s", o.stateOf(t, of["F3"]))
		}
	})
}

// Proofs are found by the job, so that the console's numbers are right without a look.
func TestTheSweepFindsProofs(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		r, of := decided(t, o, "F1", "F2")
		o.read(t, of["F1"])
		must(t, o.Work(t.Context(), machine, decide, award.RunJob{Phase: award.PhaseSweep}))
		_, f, _, err := o.Show(t.Context(), clerk, decide, r.ID)
		must(t, err)
		if f.ByState[award.Proven] != (award.Tally{Awards: 1, Yen: 20000}) || f.ByState[award.Noticed] != (award.Tally{Awards: 1, Yen: 20000}) {
			t.Errorf("%+v", f)
		}
		o.until(r.Deadline, time.Hour)
		if a := o.only(t, r.ID, award.Silent); a.ID != of["F1"].ID {
			t.Error("another award is silent")
		}
	})
}

func TestNeverTheFirstPerson(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		r, of := decided(t, o, "F1")
		o.read(t, of["F1"])
		o.until(r.Deadline, time.Hour)
		proposer := actor.Staff{ID: "stf_7", Municipality: home, Roles: clerk.Roles}
		l, err := o.Propose(t.Context(), proposer, decide, r.ID)
		must(t, err)
		for _, who := range []actor.Staff{clerk, proposer} { // who drafted and started, who proposed
			refused(t, o.Approve(t.Context(), who, decide, l.ID, 1, 20000, "確認しました"), fault.Forbidden, approval.OwnWork)
			refused(t, o.Return(t.Context(), who, decide, l.ID, "確認しました"), fault.Forbidden, approval.OwnWork)
		}
		refused(t, o.Approve(t.Context(), protectorClerk, decide, l.ID, 1, 20000, "確認しました"), fault.Forbidden, "")
		refused(t, o.Approve(t.Context(), elsewhere, decide, l.ID, 1, 20000, "確認しました"), fault.NotFound, "")
		refused(t, o.Approve(t.Context(), second, decide, l.ID, 2, 20000, "確認しました"), fault.Conflict, "count")
		refused(t, o.Approve(t.Context(), second, decide, l.ID, 1, 20001, "確認しました"), fault.Conflict, "total")
		refused(t, o.Approve(t.Context(), second, decide, l.ID, 1, 20000, ""), fault.InvalidArgument, "reason")
		third := actor.Staff{ID: "stf_8", Municipality: home, Roles: second.Roles}
		done := make(chan error, 2)
		for _, who := range []actor.Staff{second, third} { // at once
			go func() { done <- o.Approve(t.Context(), who, decide, l.ID, 1, 20000, "確認しました") }()
		}
		first, other := <-done, <-done
		if (first == nil) == (other == nil) {
			t.Fatalf("%v, %v", first, other)
		}
		if first == nil {
			first = other
		}
		if fault.CodeOf(first) != fault.Conflict {
			t.Errorf("the other: %v", first)
		}
		got, lines, err := o.Office.List(t.Context(), second, decide, l.ID)
		must(t, err)
		if got.State != award.Passed || !got.Balanced || len(lines) != 1 || lines[0].Ref != "F1a" || got.Verdict.Verdict != approval.Approved {
			t.Errorf("%+v %+v", got, lines)
		}
		o.balanced(t)
	})
}

func TestAListOfManyPages(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		var names []string
		for i := range 230 {
			names = append(names, "F"+string(rune('a'+i/26))+string(rune('a'+i%26)))
		}
		var people []person
		var known []string
		for _, n := range names {
			people, known = append(people, family(n)...), append(known, n+"a paid_by_workplace=false")
		}
		o.settle(t, people, facts(known...))
		r := o.run(t, "1")
		day := civil.In(o.Now())
		after := ""
		for {
			page, next, err := o.Awards(t.Context(), clerk, decide, r.ID, award.Noticed, after, 0)
			must(t, err)
			for _, a := range page {
				must(t, o.RecordLetter(t.Context(), clerk, decide, a.ID, day))
			}
			if after = next; next == "" {
				break
			}
		}
		o.until(r.Deadline, time.Hour)
		l, err := o.Propose(t.Context(), clerk, decide, r.ID)
		must(t, err)
		if l.State != award.Gathering {
			t.Fatalf("%s", l.State)
		}
		if again, err := o.Propose(t.Context(), clerk, decide, r.ID); err != nil || again.ID != l.ID {
			t.Errorf("while it gathers: %v", err)
		}
		page := o.queue.jobs[len(o.queue.jobs)-1]
		for range 2 {
			must(t, o.Work(t.Context(), machine, decide, page))
		}
		o.drain(t)
		l, lines, err := o.Office.List(t.Context(), second, decide, l.ID)
		must(t, err)
		if l.State != award.Waiting || l.Count != 230 || l.Total != 230*20000 || len(lines) != award.MaxListed {
			t.Fatalf("%+v, %d lines", l, len(lines))
		}
		must(t, o.Approve(t.Context(), second, decide, l.ID, l.Count, l.Total, "確認しました"))
		o.balanced(t)
	})
}

func TestProtectedPeople(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		var people []person
		for _, n := range []string{"F1", "F2"} {
			people = append(people, family(n)...)
		}
		more := facts("F1a paid_by_workplace=false", "F2a paid_by_workplace=false")
		more["protections.csv"] = "resident_ref,municipality_code,kind,since,until\nF2c,990019,non_disclosure,2026-01-01,\n"
		o.settle(t, people, more)
		r := o.run(t, "1")
		if r.Result.Awards != 2 || r.Result.Yen != 40000 {
			t.Fatalf("%+v", r.Result)
		}
		seen, _, err := o.Awards(t.Context(), clerk, decide, r.ID, award.Noticed, "", 0)
		must(t, err)
		if len(seen) != 1 || seen[0].PayeeRef != "F1a" {
			t.Fatalf("a clerk sees %d awards", len(seen))
		}
		a := o.only2(t, r.ID, award.Noticed, "F2a")
		if !a.Withheld {
			t.Error("the notice was not withheld")
		}
		_, err = o.Award(t.Context(), clerk, decide, a.ID)
		refused(t, err, fault.NotFound, "")
		refused(t, o.RecordLetter(t.Context(), clerk, decide, a.ID, civil.In(o.Now())), fault.NotFound, "")
		mine, _, err := o.Mine(t.Context(), o.payee(a), audit.Self)
		if err != nil || len(mine) != 0 {
			t.Errorf("the app shows %d awards, %v", len(mine), err)
		}
		_, err = o.Refuse(t.Context(), o.payee(a), audit.Self, a.ID)
		refused(t, err, fault.NotFound, "")
		page, err := o.Log.VisibleTo(t.Context(), a.Payee, "", 0)
		must(t, err)
		for _, e := range page.Entries {
			if e.Action != "benefit.consider" && e.Action != "benefit.mine" {
				t.Errorf("the payee sees %s", e.Action)
			}
		}
		o.read(t, seen[0])
		must(t, o.RecordLetter(t.Context(), protector, decide, a.ID, civil.In(o.Now())))
		o.until(r.Deadline, time.Hour)
		l, err := o.Propose(t.Context(), clerk, decide, r.ID)
		must(t, err)
		l, lines, err := o.Office.List(t.Context(), second, decide, l.ID)
		must(t, err)
		if l.Count != 2 || l.Total != 40000 || len(lines) != 1 {
			t.Errorf("%d awards, %d yen, %d lines", l.Count, l.Total, len(lines))
		}
		must(t, o.Approve(t.Context(), second, decide, l.ID, 2, 40000, "確認しました"))
		o.balanced(t)
	})
}

// A payee who died before the list was made is a question for a person.
func TestAPayeeWhoIsGone(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		r, of := decided(t, o, "F1", "F2")
		for _, a := range of {
			o.read(t, a)
		}
		o.until(r.Deadline, time.Hour)
		o.settle(t, nil, map[string]string{"deaths.csv": "resident_ref,municipality_code,died_on,registered_on\nF2a,990019,2026-12-01,2026-12-02\n"})
		l, err := o.Propose(t.Context(), clerk, decide, r.ID)
		must(t, err)
		_, f, _, err := o.Show(t.Context(), clerk, decide, r.ID)
		must(t, err)
		if l.Count != 1 || f.ForPerson[award.PayeeGone] != 1 {
			t.Errorf("%d awards, %+v", l.Count, f.ForPerson)
		}
	})
}

func TestMineChangesItsVersion(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		_, of := decided(t, o, "F1")
		a := of["F1"]
		seen := map[string]bool{}
		look := func() award.Award {
			t.Helper()
			for range 2 {
				mine, version, err := o.Mine(t.Context(), o.payee(a), audit.Self)
				must(t, err)
				if len(mine) != 1 {
					t.Fatalf("%d awards", len(mine))
				}
				seen[version] = true
				a = mine[0]
			}
			return a
		}
		if a := look(); a.State != award.Noticed || a.Lines[0].Name.Kanji() == "" || a.Name.JA == "" || a.Basis == "" {
			t.Errorf("%+v", a.State)
		}
		o.read(t, a)
		if a := look(); a.State != award.Proven || a.Proof.At.IsZero() {
			t.Errorf("%s", a.State)
		}
		_, err := o.Refuse(t.Context(), o.payee(a), audit.Self, a.ID)
		must(t, err)
		look()
		if len(seen) != 3 {
			t.Errorf("%d versions for three states", len(seen))
		}
	})
}
