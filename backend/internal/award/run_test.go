package award_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/award"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/notice"
)

// tables are those that a dry run must leave empty.
var tables = []string{"award", "entitlement", "award_asked", "award_trouble", "award_settlement", "award_proof", "delivery"}

func (o *office) state(t testing.TB) map[string]int {
	out := map[string]int{}
	for _, name := range append(tables, "audit_entry", "notice") {
		out[name] = o.Town.Count(t, "SELECT count(*) FROM "+name)
	}
	return out
}

func TestADryRunStoresNoDecision(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.settle(t, append(family("F1"), family("F2")...), facts("F1a paid_by_workplace=false"))
		r, err := o.Draft(t.Context(), clerk, decide, draftOf(o, "1"))
		must(t, err)
		refused(t, o.Start(t.Context(), clerk, decide, r.ID), fault.Conflict, "state")
		must(t, o.Office.Count(t.Context(), clerk, decide, r.ID))
		o.drain(t)
		for _, name := range tables {
			if n := o.Town.Count(t, "SELECT count(*) FROM "+name); n != 0 {
				t.Errorf("%d rows in %s", n, name)
			}
		}
		r, _, samples, err := o.Show(t.Context(), clerk, decide, r.ID)
		must(t, err)
		// the town's own family H1 has two children and no fact
		if c := r.Counted; r.State != award.Counted || c.Households != 3 || c.Awards != 1 || c.Children != 1 || c.Yen != 20000 || c.Questions != 2 {
			t.Errorf("%s %+v", r.State, c)
		}
		if len(samples) != 3 || samples[0].State != award.Noticed || samples[1].State != award.OpenQuestion {
			t.Errorf("samples %+v", samples)
		}
		if again, err := o.Draft(t.Context(), clerk, decide, draftOf(o, "1")); err != nil || again.ID != r.ID {
			t.Errorf("the same form again: %v", err)
		}
		other := draftOf(o, "1")
		other.PayOn = other.PayOn.AddDays(1)
		_, err = o.Draft(t.Context(), clerk, decide, other)
		refused(t, err, fault.Conflict, "client_id")
	})
}

func TestTwiceChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.settle(t, append(family("F1"), family("F2")...), facts("F1a paid_by_workplace=false", "F2a paid_by_workplace=true"))
		r := o.run(t, "1")
		if r.State != award.Done || r.Result.Awards != 1 || r.Result.MustApply != 1 || r.Result.Questions != 1 {
			t.Fatalf("%s %+v", r.State, r.Result)
		}
		before := o.state(t)
		for page := range 3 {
			for _, phase := range []award.Phase{award.PhaseCount, award.PhaseRun} {
				must(t, o.Work(t.Context(), machine, decide, award.RunJob{Phase: phase, Run: r.ID, Page: page}))
			}
		}
		if after := o.state(t); !equal(before, after) {
			t.Errorf("the same pages again: %v, then %v", before, after)
		}
		second := o.run(t, "2")
		if c := second.Result; c.Awards+c.Questions+c.MustApply != 0 || c.Already != 3 || second.Counted.Already != 3 {
			t.Errorf("a second run: counted %+v, did %+v", second.Counted, c)
		}
		after := o.state(t)
		delete(after, "audit_entry")
		delete(before, "audit_entry")
		if !equal(before, after) {
			t.Errorf("a second run: %v, then %v", before, after)
		}
		o.balanced(t)
	})
}

func equal(a, b map[string]int) bool {
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return len(a) == len(b)
}

// A page that fails at its last step has stored nothing; the same page then stores all.
func TestAPageIsStoredWholeOrNotAtAll(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		var people []person
		var known []string
		for i := range award.PageHouseholds + 20 {
			n := "F" + string(rune('a'+i/26/26)) + string(rune('a'+i/26%26)) + string(rune('a'+i%26))
			people = append(people, family(n)...)
			known = append(known, n+"a paid_by_workplace=false")
		}
		o.settle(t, people, facts(known...))
		r, err := o.Draft(t.Context(), clerk, decide, draftOf(o, "1"))
		must(t, err)
		must(t, o.Office.Count(t.Context(), clerk, decide, r.ID))
		o.drain(t)
		must(t, o.Start(t.Context(), clerk, decide, r.ID))
		before, first := o.state(t), award.RunJob{Phase: award.PhaseRun, Run: r.ID}
		o.queue.fail = errGiveUp
		if err := o.Work(t.Context(), machine, decide, first); err == nil {
			t.Fatal("the page was stored though its next job was not")
		}
		o.queue.fail = nil
		if after := o.state(t); !equal(before, after) {
			t.Fatalf("half a page was stored: %v, then %v", before, after)
		}
		done := make(chan error, 4)
		for range cap(done) { // the same page at once
			go func() { done <- o.Work(t.Context(), machine, decide, first) }()
		}
		for range cap(done) {
			must(t, <-done)
		}
		if n := o.Town.Count(t, "SELECT count(*) FROM award"); n != award.PageHouseholds {
			t.Fatalf("%d awards after the first page", n)
		}
		must(t, o.Pause(t.Context(), clerk, decide, r.ID))
		o.drain(t)
		if n := o.Town.Count(t, "SELECT count(*) FROM award"); n != award.PageHouseholds {
			t.Fatalf("%d awards while paused", n)
		}
		must(t, o.Resume(t.Context(), clerk, decide, r.ID))
		o.drain(t)
		r, f, _, err := o.Show(t.Context(), clerk, decide, r.ID)
		must(t, err)
		if r.State != award.Done || r.Result.Awards != award.PageHouseholds+20 || f.ByState[award.Noticed].Awards != award.PageHouseholds+20 {
			t.Errorf("%s %+v %+v", r.State, r.Result, f)
		}
		o.balanced(t)
	})
}

// A page whose job was lost is found and asked for again.
func TestALostPageIsFound(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.settle(t, family("F1"), facts("F1a paid_by_workplace=false"))
		r, err := o.Draft(t.Context(), clerk, decide, draftOf(o, "1"))
		must(t, err)
		must(t, o.Office.Count(t.Context(), clerk, decide, r.ID))
		o.queue.jobs = nil
		o.Advance(16 * time.Minute)
		must(t, o.Work(t.Context(), machine, decide, award.RunJob{Phase: award.PhaseSweep}))
		o.drain(t)
		if r, _, _, err = o.Show(t.Context(), clerk, decide, r.ID); err != nil || r.State != award.Counted {
			t.Errorf("%s %v", r.State, err)
		}
	})
}

func TestWhatTheFamilyReads(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		people := append(family("F1"), person{"F1d", "F1", "child", "2026-03-31"}, person{"F1e", "F1", "child", "2026-03-31"})
		more := facts("F1b paid_by_workplace=false", "F3a paid_by_workplace=true")
		more["income.csv"] = "resident_ref,municipality_code,tax_year,income_yen,resident_tax_yen,dependants,exempt\n" +
			"F1a,990019,2024,3000000,0,0,false\nF1b,990019,2024,4000000,0,0,false\n"
		o.settle(t, append(append(people, family("F2")...), family("F3")...), more)
		r := o.run(t, "1")
		a := o.only(t, r.ID, award.Noticed)
		if a.PayeeRef != "F1b" || a.Amount != 60000 || len(a.Lines) != 3 || len(a.Steps) < 4 || a.Steps[0].Rule != "payee" || !a.AnswerBy.IsZero() || !a.Refusable {
			t.Fatalf("payee %s, %d yen, %d lines, %d steps", a.PayeeRef, a.Amount, len(a.Lines), len(a.Steps))
		}
		for _, s := range a.Steps {
			if s.Text.JA == "" || s.Text.JAEasy == "" || s.Text.EN == "" {
				t.Errorf("step %s has no words", s.Rule)
			}
		}
		n, err := o.mail.Get(t.Context(), o.payee(a), "self", a.Notice)
		must(t, err)
		if n.Subject != (notice.Subject{Kind: notice.Benefit, ID: a.ID}) || n.Deadline != a.Deadline {
			t.Errorf("%+v", n.Subject)
		}
		for l, wants := range map[notice.Language][]string{
			notice.Japanese: {"物価高対応子育て応援手当（2026年2月分）として、合計60,000円を支給する", "2015年5月5日に生まれたお子さんの分は20,000円", "2026年12月21日（月）",
				"2026年12月5日（土）の24時まで", "受け取った日の7日後まで", "申請は不要です。", "2024年の所得が高い方の親", "令和7年度補正予算", "3か月以内に、審査請求", "電話 03-0000-0001"},
			notice.EasyJapanese: {"60,000円", "2026年12月5日（土）の よる 12時まで", "7日 あとまで", "3か月の うちに", "03-0000-0001"},
			notice.English:      {"60,000 yen in all", "Saturday 5 December 2026", "7 days after the day you received it", "within three months", "03-0000-0001", "Monday 21 December 2026"},
		} {
			for _, want := range wants {
				if !strings.Contains(n.Texts[l].Body, want) {
					t.Errorf("%s: %q is not in\n%s", l, want, n.Texts[l].Body)
				}
			}
		}
		q := o.only2(t, r.ID, award.OpenQuestion, "F2a")
		body := o.body(t, q, notice.Japanese)
		if !strings.Contains(body, "「児童手当が勤務先から支払われるか（公務員）」を教えてください。") || !strings.Contains(body, "支給しないと決めたわけではありません") || q.Refusable || len(q.Needs) != 1 {
			t.Errorf("needs %+v\n%s", q.Needs, body)
		}
		m := o.only(t, r.ID, award.MustApply)
		if body := o.body(t, m, notice.Japanese); !strings.Contains(body, "2026年12月5日（土）までに、役所の窓口で申請してください") || !strings.Contains(body, "申請がないと支払われません") {
			t.Errorf("%s", body)
		}
	})
}

func (o *office) body(t testing.TB, a award.Award, l notice.Language) string {
	t.Helper()
	n, err := o.mail.Get(t.Context(), o.payee(a), "self", a.Notice)
	must(t, err)
	for _, text := range n.Texts {
		if utf8.RuneCountInString(text.Title) > notice.MaxTitle || utf8.RuneCountInString(text.Body) > notice.MaxBody || strings.ContainsAny(text.Body+text.Title, "{}") {
			t.Errorf("%s\n%s", text.Title, text.Body)
		}
	}
	return n.Texts[l].Body
}

func (o *office) only2(t testing.TB, run string, s award.State, ref string) award.Award {
	t.Helper()
	for _, a := range o.awards(t, run, s) {
		if a.PayeeRef == ref {
			return a
		}
	}
	t.Fatalf("%s has no award that is %s", ref, s)
	return award.Award{}
}

// An answer to a question is a decision in the next run; the question is withdrawn.
func TestAnAnswerBecomesADecision(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.settle(t, family("F1"), nil)
		first := o.run(t, "1")
		q := o.only2(t, first.ID, award.OpenQuestion, "F1a")
		o.settle(t, nil, facts("F1a paid_by_workplace=false"))
		a := o.only(t, o.run(t, "2").ID, award.Noticed)
		if a.PayeeRef != "F1a" || a.Amount != 20000 || len(a.Facts) == 0 || a.Facts[0].Source != "勤務先の申告" || a.Facts[0].AsOf.String() != "2026-04-01" {
			t.Errorf("%s %d %+v", a.PayeeRef, a.Amount, a.Facts)
		}
		if q, err := o.Award(t.Context(), clerk, decide, q.ID); err != nil || q.State != award.Withdrawn {
			t.Errorf("the question is %s, %v", q.State, err)
		}
		// a child that comes later is a decision of its own
		o.settle(t, []person{{"F1d", "F1", "child", "2026-01-01"}}, nil)
		b := o.only(t, o.run(t, "3").ID, award.Noticed)
		if len(b.Lines) != 1 || b.Lines[0].Birth.String() != "2026-01-01" || b.Amount != 20000 {
			t.Errorf("%+v", b.Lines)
		}
		for _, s := range b.Steps {
			if strings.Contains(s.Text.JA, "2015年5月5日") && s.Rule == "per_child" {
				t.Errorf("a step tells of a child that is not in this award: %s", s.Text.JA)
			}
		}
		o.balanced(t)
	})
}

func TestWhatCannotBeDecidedIsAQuestionForAPerson(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		people := append(family("F1"),
			person{"N1c", "N1", "child", "2016-01-01"},                                            // nobody but a child
			person{"D1a", "D1", "head", "1980-01-01"}, person{"D1c", "D1", "child", "2016-01-01"}, // the parent died
			person{"M1a", "M1", "head", "1980-01-01"}, person{"M1c", "M1", "child", "2016-01-01"}, // the parent moved out
			person{"C1a", "C1", "head", "1980-01-01"}, person{"C1c", "C1", "child", "2016-01-01"}, person{"C1d", "C1", "child", "2018-01-01"}, // one child died
			person{"G1a", "G1", "head", "1950-01-01"}, person{"G1c", "G1", "other", "2018-01-01"}, // a grandchild
			person{"U1a", "U1", "head", "1980-01-01"}, person{"U1c", "U1", "child", "2018-01-01"}, // a fact of another type
			person{"L1a", "L1", "head", "1980-01-01"}, person{"L1c", "L1", "child", "2004-02-29"}, person{"L1d", "L1", "child", "2020-02-29"}, // 29 February, and one too old
			person{"O1a", "O1", "head", "1980-01-01"}, person{"O1c", "O1", "child", "2018-06-01"}, person{"O1d", "O1", "child", "2018-06-01"}, // twins, born on the 1st
			person{"E1a", "E1", "head", "1980-01-01"}, person{"E1c", "E1", "child", "2026-04-01"}, // born after the rule's last day
		)
		more := facts("F1a paid_by_workplace=false", "C1a paid_by_workplace=false", "U1a paid_by_workplace=perhaps", "L1a paid_by_workplace=false",
			"O1a paid_by_workplace=false", "E1a paid_by_workplace=false")
		more["deaths.csv"] = "resident_ref,municipality_code,died_on,registered_on\nD1a,990019,2026-01-02,2026-01-05\nC1c,990019,2026-01-02,2026-01-05\n"
		more["moves.csv"] = "resident_ref,municipality_code,kind,moved_on,other_municipality\nM1a,990019,out,2026-04-01,990027\n"
		o.settle(t, people, more)
		r := o.run(t, "1")
		want := map[award.Trouble]int{award.NoParent: 3, award.ChildGone: 1, award.RelationOpen: 1, award.FactUnreadable: 1}
		for _, c := range []award.Counts{r.Counted, r.Result} {
			for _, why := range award.Troubles() {
				if c.ForPerson[why] != want[why] {
					t.Errorf("%s: %d, want %d", why, c.ForPerson[why], want[why])
				}
			}
			if c.Awards != 4 || c.Children != 5 || c.Yen != 100000 || c.Questions != 2 { // the town's own family and U1 ask
				t.Errorf("%+v", c)
			}
		}
		found, next, err := o.Questions(t.Context(), clerk, decide, r.ID, "", 4)
		must(t, err)
		rest, end, err := o.Questions(t.Context(), clerk, decide, r.ID, next, 4)
		must(t, err)
		if len(found) != 4 || len(rest) != 2 || end != "" || found[0].Ref == "" {
			t.Errorf("%d and %d questions", len(found), len(rest))
		}
		o.balanced(t)
	})
}

// A child whose birth lies ahead (a register of tomorrow, a clock put back) stops nobody.
func TestAChildBornTomorrow(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.Advance(48 * time.Hour)
		o.settle(t, append(family("F1"), person{"F1d", "F1", "child", "2026-11-22"}), facts("F1a paid_by_workplace=false"))
		o.Advance(-48 * time.Hour)
		r := o.run(t, "1")
		if r.Result.ForPerson[award.NotBorn] != 1 || r.Result.Awards != 1 || r.Result.Yen != 20000 {
			t.Errorf("%+v", r.Result)
		}
	})
}

// The allowance of a month by application: nobody is paid, everybody is told how to apply,
// by the rules of that month.
func TestTheMonthOfTheReform(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		more := map[string]string{"income.csv": "resident_ref,municipality_code,tax_year,income_yen,resident_tax_yen,dependants,exempt\nF1a,990019,2023,1000000,0,2,false\n"}
		o.settle(t, []person{{"F1a", "F1", "head", "1985-02-03"}, {"F1c", "F1", "child", "2008-05-05"}, {"F1d", "F1", "child", "2024-10-09"}}, more)
		for i, month := range []int{9, 10} {
			d := draftOf(o, string(rune('1'+i)))
			d.Benefit, d.Month.Year, d.Month.Month = "child_allowance", 2024, time.Month(month)
			r, err := o.Draft(t.Context(), clerk, decide, d)
			must(t, err)
			must(t, o.Office.Count(t.Context(), clerk, decide, r.ID))
			o.drain(t)
			r, _, _, err = o.Show(t.Context(), clerk, decide, r.ID)
			must(t, err)
			if c := r.Counted; c.Awards != 0 || c.MustApply+c.Questions != []int{1, 2}[i] || c.ForPerson[award.BornLater] != []int{1, 0}[i] {
				t.Errorf("month %d: %+v", month, c)
			}
		}
	})
}

func TestOnlyThoseWhoMay(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.settle(t, family("F1"), facts("F1a paid_by_workplace=false"))
		r := o.run(t, "1")
		a := o.only(t, r.ID, award.Noticed)
		nobody := actor.Staff{ID: "stf_9", Municipality: home, Roles: []actor.Role{actor.Auditor, actor.ChildOfficer}}
		_, err := o.Draft(t.Context(), second, decide, draftOf(o, "2"))
		refused(t, err, fault.Forbidden, "")
		_, err = o.Award(t.Context(), nobody, decide, a.ID)
		refused(t, err, fault.Forbidden, "")
		_, err = o.Award(t.Context(), elsewhere, decide, a.ID)
		refused(t, err, fault.NotFound, "")
		_, _, _, err = o.Show(t.Context(), elsewhere, decide, r.ID)
		refused(t, err, fault.NotFound, "")
		refused(t, o.Start(t.Context(), elsewhere, decide, r.ID), fault.NotFound, "")
		_, err = o.One(t.Context(), o.Citizen(t, home, "R4"), "self", a.ID)
		refused(t, err, fault.NotFound, "")
		_, err = o.Refuse(t.Context(), o.Citizen(t, home, "F1b"), "self", a.ID)
		refused(t, err, fault.NotFound, "")
	})
}
