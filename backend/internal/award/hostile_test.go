package award_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/approval"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/award"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
)

// A child that changes households, or whose parents part, is paid for once.
func TestAChildThatMovesBetweenRunsIsPaidOnce(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.settle(t, append(family("F1"), family("F2")...), facts("F1a paid_by_workplace=false", "F1b paid_by_workplace=false", "F2a paid_by_workplace=false"))
		if r := o.run(t, "1"); r.Result.Children != 2 {
			t.Fatalf("%+v", r.Result)
		}
		o.Advance(24 * time.Hour)
		o.settle(t, []person{{"F1b", "F3", "head", "1986-03-04"}, {"F1c", "F3", "child", "2015-05-05"}, {"F3d", "F3", "child", "2024-01-31"}}, nil)
		if r := o.run(t, "2"); r.Result.Awards != 1 || r.Result.Children != 1 || r.Result.Yen != 20000 {
			t.Errorf("%+v", r.Result)
		}
		o.Advance(24 * time.Hour)
		o.settle(t, []person{{"F1c", "F2", "child", "2015-05-05"}}, nil)
		if r := o.run(t, "3"); r.Result.Awards != 0 {
			t.Errorf("%+v", r.Result)
		}
		if n := o.Town.Count(t, `SELECT count(*) FROM entitlement`); n != 3 {
			t.Errorf("%d entitlements for three children", n)
		}
		o.balanced(t)
	})
}

// A child that came from another municipality after the month of the rule was due there:
// whether it was paid there is a question for a person.
func TestAChildThatMovedInIsAQuestionForAPerson(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		more := facts("F1a paid_by_workplace=false", "F2a paid_by_workplace=false", "F3a paid_by_workplace=false")
		more["moves.csv"] = "resident_ref,municipality_code,kind,moved_on,other_municipality\n" +
			"F1a,990019,in,2026-03-10,990027\nF1b,990019,in,2026-03-10,990027\nF1c,990019,in,2026-03-10,990027\n" + // after the month of the rule
			"F2a,990019,in,2025-09-30,990027\nF2c,990019,in,2025-09-30,990027\n" + // on its last day
			"F3a,990019,in,2026-03-10,990027\n" // the parent alone; the child was born here
		o.settle(t, append(append(append(family("F1"), family("F2")...), person{"F3a", "F3", "head", "1990-01-01"}), person{"F3c", "F3", "child", "2026-03-20"}), more)
		r := o.run(t, "1")
		for _, c := range []award.Counts{r.Counted, r.Result} {
			if c.Awards != 2 || c.Yen != 40000 || c.ForPerson["moved_in"] != 1 {
				t.Errorf("%+v", c)
			}
		}
		o.balanced(t)
	})
}

// A question ends when the family has its answer, also where another parent is paid now.
func TestAQuestionEndsWhereTheOtherParentIsPaid(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.settle(t, family("F1"), nil)
		q := o.only2(t, o.run(t, "1").ID, award.OpenQuestion, "F1a")
		more := facts("F1a paid_by_workplace=false", "F1b paid_by_workplace=false")
		more["income.csv"] = "resident_ref,municipality_code,tax_year,income_yen,resident_tax_yen,dependants,exempt\n" +
			"F1a,990019,2024,3000000,0,0,false\nF1b,990019,2024,4000000,0,0,false\n"
		o.settle(t, nil, more)
		if a := o.only(t, o.run(t, "2").ID, award.Noticed); a.PayeeRef != "F1b" {
			t.Fatalf("%s is paid", a.PayeeRef)
		}
		if s := o.stateOf(t, q); s != award.Withdrawn {
			t.Errorf("the question to the first parent is %s", s)
		}
		o.balanced(t)
	})
}

// Where nobody but the dead was silent, a person is told all the same.
func TestOnlyPayeesWhoAreGone(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		r, of := decided(t, o, "F1")
		o.read(t, of["F1"])
		o.until(r.Deadline, time.Hour)
		o.settle(t, nil, map[string]string{"deaths.csv": "resident_ref,municipality_code,died_on,registered_on\nF1a,990019,2026-12-01,2026-12-02\n"})
		for range 2 {
			_, err := o.Propose(t.Context(), clerk, decide, r.ID)
			refused(t, err, fault.Conflict, "run")
		}
		_, f, _, err := o.Show(t.Context(), clerk, decide, r.ID)
		must(t, err)
		if f.ForPerson[award.PayeeGone] != 1 {
			t.Errorf("%+v", f.ForPerson)
		}
		if n := o.Town.Count(t, `SELECT count(*) FROM payment_list WHERE state <> 'empty'`); n != 0 {
			t.Errorf("%d lists", n)
		}
	})
}

// A payee who died while the list waited is not paid.
func TestAPayeeWhoIsGoneBeforeTheApproval(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		r, of := decided(t, o, "F1", "F2")
		for _, a := range of {
			o.read(t, a)
		}
		o.until(r.Deadline, time.Hour)
		l, err := o.Propose(t.Context(), clerk, decide, r.ID)
		must(t, err)
		o.settle(t, nil, map[string]string{"deaths.csv": "resident_ref,municipality_code,died_on,registered_on\nF1a,990019,2026-12-01,2026-12-02\n"})
		before := o.everything(t)
		refused(t, o.Approve(t.Context(), second, decide, l.ID, l.Count, l.Total, "確認しました"), fault.Conflict, "list")
		if after := o.everything(t); !equal(before, after) {
			t.Errorf("%v, then %v", before, after)
		}
		must(t, o.Return(t.Context(), second, decide, l.ID, "確認してください"))
		l, err = o.Propose(t.Context(), clerk, decide, r.ID)
		must(t, err)
		must(t, o.Approve(t.Context(), second, decide, l.ID, 1, 20000, "確認しました"))
		if _, f, err := o.Progress(t.Context(), clerk, decide, r.ID); err != nil || f.ForPerson[award.PayeeGone] != 1 {
			t.Errorf("%+v, %v", f.ForPerson, err)
		}
		o.balanced(t)
	})
}

// The last day to refuse is seven days after the day of delivery, over the ends of months
// and 29 February, and never before the run's deadline.
func TestTheLastDayToRefuse(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		days := []struct{ delivered, last string }{
			{"2026-11-21", "2026-12-05"}, // the run's own deadline
			{"2026-11-28", "2026-12-05"}, {"2026-11-29", "2026-12-06"}, {"2026-12-25", "2027-01-01"}, {"2027-02-21", "2027-02-28"},
			{"2027-02-22", "2027-03-01"}, {"2028-02-21", "2028-02-28"}, {"2028-02-22", "2028-02-29"}, {"2028-02-23", "2028-03-01"}, {"2028-02-29", "2028-03-07"},
		}
		var names []string
		for i := range days {
			names = append(names, fmt.Sprintf("F%d", i))
		}
		_, of := decided(t, o, names...)
		if today := civil.In(o.Now()).String(); today != days[0].delivered {
			t.Fatalf("the town's day is %s", today)
		}
		for i, d := range days {
			on, err := civil.Parse(d.delivered)
			must(t, err)
			o.until(on, -time.Minute)
			a := of[names[i]]
			if i%2 == 0 { // in the last minute of the day
				o.read(t, a)
			} else {
				must(t, o.RecordLetter(t.Context(), clerk, decide, a.ID, on))
			}
			a, err = o.Award(t.Context(), clerk, decide, a.ID)
			must(t, err)
			if a.AnswerBy.String() != d.last {
				t.Errorf("delivered on %s: %s, want %s", d.delivered, a.AnswerBy, d.last)
			}
			last := a.AnswerBy
			if i > 1 {
				before := o.Now()
				o.until(last, -time.Millisecond)
				if a, err := o.One(t.Context(), o.payee(a), audit.Self, a.ID); err != nil || !a.Refusable || a.State != award.Proven {
					t.Errorf("at 23:59:59.999: %s, %v", a.State, err)
				}
				o.until(last, 0)
				if a, err := o.One(t.Context(), o.payee(a), audit.Self, a.ID); err != nil || a.Refusable || a.State != award.Silent {
					t.Errorf("at 00:00: %s, %v", a.State, err)
				}
				o.Advance(before.Sub(o.Now()))
			}
		}
	})
}

// A clock that is put back gives the family its time back: until the approval, which waits
// for it.
func TestAClockThatIsPutBack(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		r, of := decided(t, o, "F1", "F2")
		for _, a := range of {
			o.read(t, a)
		}
		for _, refuses := range []bool{true, false} {
			o.until(r.Deadline, time.Hour)
			l, err := o.Propose(t.Context(), clerk, decide, r.ID)
			must(t, err)
			o.until(r.Deadline, -time.Hour)
			if refuses {
				if a, err := o.Refuse(t.Context(), o.payee(of["F1"]), audit.Self, of["F1"].ID); err != nil || a.State != award.Refused {
					t.Errorf("%s %v", a.State, err)
				}
			}
			refused(t, o.Approve(t.Context(), second, decide, l.ID, l.Count, l.Total, "確認しました"), fault.Conflict, "list")
			o.until(r.Deadline, time.Hour)
			if refuses {
				must(t, o.Return(t.Context(), second, decide, l.ID, "辞退がありました"))
			} else {
				must(t, o.Approve(t.Context(), second, decide, l.ID, 1, 20000, "確認しました"))
			}
		}
		o.balanced(t)
	})
}

// A refusal that comes in while a list gathers wins over the pages before and after.
func TestARefusalWhileTheListGathers(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		var names []string
		for i := range 230 {
			names = append(names, fmt.Sprintf("F%03d", i))
		}
		r, of := manyProven(t, o, names)
		l, err := o.Propose(t.Context(), clerk, decide, r.ID)
		must(t, err)
		if l.State != award.Gathering || l.Count == 0 || l.Count == len(names) {
			t.Fatalf("%s with %d", l.State, l.Count)
		}
		on, off := 0, 0
		for _, a := range of {
			if listed := o.stateOf(t, a) == award.Listed; listed && on == 0 || !listed && off == 0 {
				must(t, o.RecordRefusal(t.Context(), clerk, decide, a.ID, r.Deadline, ""))
				if on++; !listed {
					on--
					off++
				}
			}
		}
		o.drain(t)
		l, _, err = o.Office.List(t.Context(), second, decide, l.ID)
		must(t, err)
		if on != 1 || off != 1 || l.Count != len(names)-1 {
			t.Fatalf("%d and %d refusals, %d on the list", on, off, l.Count)
		}
		refused(t, o.Approve(t.Context(), second, decide, l.ID, l.Count, l.Total, "確認しました"), fault.Conflict, "list")
		must(t, o.Return(t.Context(), second, decide, l.ID, "辞退がありました"))
		l, err = o.Propose(t.Context(), clerk, decide, r.ID)
		must(t, err)
		o.drain(t)
		must(t, o.Approve(t.Context(), second, decide, l.ID, len(names)-2, int64(len(names)-2)*20000, "確認しました"))
		o.balanced(t)
	})
}

// manyProven decides families of which each got a letter, and waits for their silence.
func manyProven(t *testing.T, o *office, names []string) (award.Run, []award.Award) {
	t.Helper()
	var people []person
	var known []string
	for _, n := range names {
		people, known = append(people, family(n)...), append(known, n+"a paid_by_workplace=false")
	}
	o.settle(t, people, facts(known...))
	r := o.run(t, "1")
	var out []award.Award
	must(t, o.DB.Runner().Do(t.Context(), func(ctx context.Context, t tx.Tx) (err error) {
		if out, err = o.rows.OfRun(ctx, t, r.ID, award.Noticed, civil.In(o.Now()), "", len(names)); err != nil {
			return err
		}
		proven := out
		for i := range proven {
			proven[i].Proof.At, proven[i].Proof.Channel, proven[i].AnswerBy = o.Now(), "letter", r.Deadline
		}
		return o.rows.AddProofs(ctx, t, proven)
	}))
	if len(out) != len(names) {
		t.Fatalf("%d awards", len(out))
	}
	o.until(r.Deadline, time.Hour)
	return r, out
}

// Whoever made a list that was returned does not approve the next one of that run: it holds
// what they gathered.
func TestTheRolesAreNotSwapped(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		r, of := decided(t, o, "F1")
		o.read(t, of["F1"])
		o.until(r.Deadline, time.Hour)
		both := func(id string) actor.Staff { return actor.Staff{ID: id, Municipality: home, Roles: actor.Roles()} }
		l, err := o.Propose(t.Context(), both("stf_7"), decide, r.ID)
		must(t, err)
		must(t, o.Return(t.Context(), both("stf_8"), decide, l.ID, "確認してください"))
		refused(t, o.Approve(t.Context(), both("stf_8"), decide, l.ID, 1, 20000, "確認しました"), fault.Conflict, "state")
		if l, err = o.Propose(t.Context(), both("stf_8"), decide, r.ID); err != nil {
			t.Fatal(err)
		}
		for _, own := range []string{"stf_1", "stf_7", "stf_8"} {
			refused(t, o.Approve(t.Context(), both(own), decide, l.ID, 1, 20000, "確認しました"), fault.Forbidden, approval.OwnWork)
		}
		for _, typed := range []struct {
			count int
			total int64
			place string
		}{{-1, 20000, "count"}, {0, 0, "count"}, {1, -20000, "total"}, {1, 1<<63 - 1, "total"}, {1 << 62, -1 << 63, "count"}} {
			refused(t, o.Approve(t.Context(), second, decide, l.ID, typed.count, typed.total, "確認しました"), fault.Conflict, typed.place)
		}
		refused(t, o.Approve(t.Context(), elsewhere, decide, l.ID, 1, 20000, "確認しました"), fault.NotFound, "")
		refused(t, o.Approve(t.Context(), actor.Staff{ID: "stf_2", Municipality: home, Roles: []actor.Role{actor.Clerk}}, decide, l.ID, 1, 20000, "確認しました"), fault.Forbidden, "")
		refused(t, o.Approve(t.Context(), second, decide, "lst_0", 0, 0, "確認しました"), fault.NotFound, "")
		must(t, o.Approve(t.Context(), second, decide, l.ID, 1, 20000, "確認しました"))
		o.balanced(t)
	})
}

// A receipt of another citizen proves nothing, and a letter needs its day and its reader.
func TestAnotherCitizensReceiptProvesNothing(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		r, of := decided(t, o, "F1", "F2")
		a, b := of["F1"], of["F2"]
		refused(t, o.mail.Read(t.Context(), o.payee(b), audit.Self, a.Notice), fault.NotFound, "")
		refused(t, o.mail.Read(t.Context(), o.Citizen(t, home, "F1b"), audit.Self, a.Notice), fault.NotFound, "") // the other parent
		refused(t, o.RecordLetter(t.Context(), clerk, decide, a.ID, civil.Date{}), fault.InvalidArgument, "on")
		refused(t, o.RecordLetter(t.Context(), elsewhere, decide, a.ID, civil.In(o.Now())), fault.NotFound, "")
		refused(t, o.RecordLetter(t.Context(), second, decide, a.ID, civil.In(o.Now())), fault.Forbidden, "")
		refused(t, o.RecordRefusal(t.Context(), second, decide, a.ID, civil.In(o.Now()), ""), fault.Forbidden, "")
		must(t, o.Work(t.Context(), machine, decide, award.RunJob{Phase: award.PhaseSweep}))
		o.until(r.Deadline, 100*24*time.Hour)
		_, err := o.Propose(t.Context(), clerk, decide, r.ID)
		refused(t, err, fault.Conflict, "run")
		if s := o.stateOf(t, a); s != award.Noticed {
			t.Errorf("%s", s)
		}
	})
}

// The same form sent, paused and resumed at every page, with every job twice: nothing is
// done twice, and nothing is left out.
func TestPausedAtEveryPage(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		var people []person
		var known []string
		const n = 3*award.PageHouseholds + 1
		for i := range n - 1 { // and the town's own family
			h := fmt.Sprintf("F%04d", i)
			people = append(people, person{h + "a", h, "head", "1985-02-03"}, person{h + "c", h, "child", "2015-05-05"})
			known = append(known, h+"a paid_by_workplace=false")
		}
		o.settle(t, people, facts(known...))
		r, err := o.Draft(t.Context(), clerk, decide, draftOf(o, "1"))
		must(t, err)
		for _, start := range []func() error{
			func() error { return o.Office.Count(t.Context(), clerk, decide, r.ID) },
			func() error { return o.Start(t.Context(), clerk, decide, r.ID) },
		} {
			must(t, start())
			for len(o.queue.jobs) > 0 {
				j := o.queue.jobs[0]
				o.queue.jobs = o.queue.jobs[1:]
				if r, _, _, err := o.Show(t.Context(), clerk, decide, r.ID); err != nil || r.Page != j.Page || r.State == award.Counted || r.State == award.Done {
					must(t, err)
					must(t, o.Work(t.Context(), machine, decide, j)) // the job of a page that is stored
					continue
				}
				must(t, o.Pause(t.Context(), clerk, decide, r.ID))
				refused(t, o.Pause(t.Context(), clerk, decide, r.ID), fault.Conflict, "state")
				must(t, o.Work(t.Context(), machine, decide, j)) // paused: nothing
				must(t, o.Resume(t.Context(), clerk, decide, r.ID))
				refused(t, o.Resume(t.Context(), clerk, decide, r.ID), fault.Conflict, "state")
				must(t, o.Work(t.Context(), machine, decide, j))
				must(t, o.Work(t.Context(), machine, decide, j))
			}
		}
		r, _, _, err = o.Show(t.Context(), clerk, decide, r.ID)
		must(t, err)
		if r.State != award.Done || r.Counted.Households != n || r.Result.Households != n || r.Result.Awards != n-1 || r.Result.Questions != 1 {
			t.Errorf("%s counted %+v, did %+v", r.State, r.Counted, r.Result)
		}
		o.balanced(t)
	})
}

// More than a list takes gathers into several lists, and none holds another's awards.
func TestMoreThanAListTakes(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		r, of := manyProven(t, o, []string{"F1", "F2", "F3", "F4", "F5"})
		extra := award.MaxList + 205 - len(of)
		var more []award.Award
		for i := range extra {
			a := of[i%len(of)]
			a.ID, a.State, a.AnswerBy = fmt.Sprintf("awd_%06d", i), award.Noticed, r.Deadline
			a.Proof.At, a.Proof.Channel = o.Now(), "letter"
			more = append(more, a)
		}
		for some := range slices.Chunk(more, 200) {
			must(t, o.DB.Runner().Do(t.Context(), func(ctx context.Context, t tx.Tx) error {
				return errors.Join(o.rows.AddAwards(ctx, t, some), o.rows.AddProofs(ctx, t, some))
			}))
		}
		total := 0
		for _, want := range []int{award.MaxList, 205} {
			l, err := o.Propose(t.Context(), clerk, decide, r.ID)
			must(t, err)
			o.drain(t)
			l, lines, err := o.Office.List(t.Context(), second, decide, l.ID)
			must(t, err)
			if l.State != award.Waiting || l.Count != want || l.Total != int64(want)*20000 || !l.Balanced || len(lines) != award.MaxListed {
				t.Fatalf("%s: %d awards, %d yen", l.State, l.Count, l.Total)
			}
			for tries := 0; ; tries++ { // a busy machine may take longer than a transaction may
				err = o.Approve(t.Context(), second, decide, l.ID, l.Count, l.Total, "確認しました")
				if err == nil || fault.CodeOf(err) == fault.Conflict || tries == 10 {
					break
				}
			}
			must(t, err)
			total += l.Count
		}
		_, err := o.Propose(t.Context(), clerk, decide, r.ID)
		refused(t, err, fault.Conflict, "run")
		if n := o.Town.Count(t, `SELECT count(*) FROM ledger WHERE account = 'payable'`); n != total {
			t.Errorf("%d payments, want %d", n, total)
		}
		if n := o.Town.Count(t, `SELECT count(*) FROM (SELECT list_id FROM ledger GROUP BY list_id HAVING sum(amount) <> 0) AS q`); n != 0 {
			t.Errorf("%d lists do not balance", n)
		}
	})
}

// shelf is the programmes' folder, of which one may be taken away.
type shelf struct {
	programmes
	gone bool
}

type programmes = award.Programs

func (s *shelf) Program(id string) (*benefit.Program, error) {
	if s.gone {
		return nil, fault.New(fault.NotFound, "there is no such programme")
	}
	return s.programmes.Program(id)
}

func (s *shelf) Decide(r benefit.Request) (benefit.Decision, error) {
	if s.gone {
		return benefit.Decision{}, fault.New(fault.NotFound, "there is no such programme")
	}
	return s.programmes.Decide(r)
}

// A programme that is no longer in the folder stops no family from reading and refusing,
// and no officer from seeing the runs and lists that were made; its own run goes no further.
func TestAProgrammeThatIsGone(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		s := &shelf{programmes: o.Deps.Programs}
		x := o.with(t, func(d *award.Deps) { d.Programs = s })
		r, of := decided(t, x, "F1", "F2", "F3")
		for _, a := range of {
			o.read(t, a)
		}
		half, err := x.Draft(t.Context(), clerk, decide, draftOf(o, "2"))
		must(t, err)
		must(t, x.Office.Count(t.Context(), clerk, decide, half.ID))
		s.gone = true
		if err := x.Work(t.Context(), machine, decide, x.queue.jobs[len(x.queue.jobs)-1]); err == nil {
			t.Error("a run without its programme went on")
		}
		a := of["F1"]
		if mine, _, err := x.Mine(t.Context(), o.payee(a), audit.Self); err != nil || len(mine) != 1 || mine[0].Name.JA == "" {
			t.Errorf("the family's list: %d, %v", len(mine), err)
		}
		if got, err := x.Refuse(t.Context(), o.payee(a), audit.Self, a.ID); err != nil || got.State != award.Refused {
			t.Errorf("the family's refusal: %v", err)
		}
		if err := x.RecordRefusal(t.Context(), clerk, decide, of["F3"].ID, civil.In(o.Now()), ""); err != nil {
			t.Errorf("a refusal at the office: %v", err)
		}
		if runs, err := x.Runs(t.Context(), clerk, decide, 0); err != nil || len(runs) != 2 {
			t.Errorf("the table of runs: %d, %v", len(runs), err)
		}
		if got, _, samples, err := x.Show(t.Context(), clerk, decide, r.ID); err != nil || got.ID != r.ID || len(samples) != 0 {
			t.Errorf("the run: %v", err)
		}
		if err := x.Pause(t.Context(), clerk, decide, half.ID); err != nil {
			t.Errorf("a pause: %v", err)
		}
		o.until(r.Deadline, time.Hour)
		l, err := x.Propose(t.Context(), clerk, decide, r.ID)
		must(t, err)
		must(t, x.Approve(t.Context(), second, decide, l.ID, 1, 20000, "確認しました"))
		o.balanced(t)
	})
}

// A family that was told, and of whom somebody is protected since, can still refuse: its
// silence would count. It is told nothing of anybody.
func TestARefusalAfterAProtection(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		r, of := decided(t, o, "F1", "F2")
		a := of["F1"]
		o.read(t, a)
		o.settle(t, nil, map[string]string{"protections.csv": "resident_ref,municipality_code,kind,since,until\nF1c,990019,non_disclosure,2026-11-21,\n"})
		_, err := o.One(t.Context(), o.payee(a), audit.Self, a.ID)
		refused(t, err, fault.NotFound, "")
		o.until(r.Deadline, -time.Second)
		_, err = o.Refuse(t.Context(), o.payee(of["F2"]), audit.Self, a.ID)
		refused(t, err, fault.NotFound, "")
		for range 2 {
			got, err := o.Refuse(t.Context(), o.payee(a), audit.Self, a.ID)
			must(t, err)
			if got.State != award.Refused || len(got.Lines) != 0 || len(got.Steps) != 0 || len(got.Facts) != 0 {
				t.Errorf("%s, %d lines, %d steps, %d facts", got.State, len(got.Lines), len(got.Steps), len(got.Facts))
			}
		}
		o.until(r.Deadline, time.Hour)
		_, err = o.Propose(t.Context(), clerk, decide, r.ID)
		refused(t, err, fault.Conflict, "run")
		o.balanced(t)
	})
}

// A run that was paused for so long that its notices would name a day that is near or over
// goes no further: a new run finds who is left.
func TestARunThatWasPausedTooLong(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.settle(t, family("F1"), facts("F1a paid_by_workplace=false"))
		r, err := o.Draft(t.Context(), clerk, decide, draftOf(o, "1"))
		must(t, err)
		must(t, o.Office.Count(t.Context(), clerk, decide, r.ID))
		must(t, o.Pause(t.Context(), clerk, decide, r.ID))
		o.Advance(48 * time.Hour)
		must(t, o.Resume(t.Context(), clerk, decide, r.ID)) // a count tells nobody a day
		o.Advance(-48 * time.Hour)
		o.drain(t)
		must(t, o.Start(t.Context(), clerk, decide, r.ID))
		must(t, o.Pause(t.Context(), clerk, decide, r.ID))
		o.until(r.Deadline.AddDays(-award.AnswerDays), -time.Second)
		must(t, o.Resume(t.Context(), clerk, decide, r.ID))
		must(t, o.Pause(t.Context(), clerk, decide, r.ID))
		o.until(r.Deadline.AddDays(-award.AnswerDays), 0)
		refused(t, o.Resume(t.Context(), clerk, decide, r.ID), fault.Conflict, "deadline")
		o.drain(t)
		if n := o.Town.Count(t, `SELECT count(*) FROM award`); n != 0 {
			t.Errorf("%d awards", n)
		}
		if r := o.run(t, "2"); r.Result.Awards != 1 {
			t.Errorf("%+v", r.Result)
		}
	})
}
