package award_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/award"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

// interposed runs something once between two statements of a transaction.
type interposed struct {
	award.Rows
	afterFree func()
}

func (r *interposed) Free(ctx context.Context, t tx.Tx, run string, today civil.Date, after string, limit int) ([]award.Award, error) {
	out, err := r.Rows.Free(ctx, t, run, today, after, limit)
	if then := r.afterFree; then != nil {
		r.afterFree = nil
		then()
	}
	return out, err
}

// with gives the same office with some of its parts changed.
func (o *office) with(t testing.TB, change func(d *award.Deps)) *office {
	t.Helper()
	d := o.Deps
	change(&d)
	x, err := award.New(d)
	must(t, err)
	other := *o
	other.Office = x
	return &other
}

// Two lists that are made at once never hold one award: also where the second has read what
// is free before the first was stored, and adds it after.
func TestNoAwardStandsOnTwoLists(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		r, of := decided(t, o, "F1", "F2")
		for _, a := range of {
			o.read(t, a)
		}
		o.until(r.Deadline, time.Hour)
		rows := &interposed{Rows: o.Deps.Rows}
		slow := o.with(t, func(d *award.Deps) { d.Rows = rows })
		first := make(chan error, 1)
		propose := func() {
			_, err := o.Propose(t.Context(), clerk, decide, r.ID)
			first <- err
		}
		rows.afterFree = func() { go propose() } // one writer: the other waits for this one
		if o.DB.Engine() == store.Postgres {
			rows.afterFree = func() {
				propose()
				first <- <-first
			}
		}
		_, late := slow.Propose(t.Context(), clerk, decide, r.ID)
		early := <-first
		if (early == nil) == (late == nil) {
			t.Errorf("two lists at once: %v, %v", early, late)
		}
		if n := o.Town.Count(t, `SELECT count(*) FROM (SELECT l.award_id FROM list_line l JOIN payment_list o ON o.list_id = l.list_id
			WHERE o.state IN ('gathering', 'waiting') GROUP BY l.award_id HAVING count(*) > 1) AS q`); n != 0 {
			t.Errorf("%d awards stand on two lists", n)
		}
	})
}

// A refusal received at the office and the approval at the same moment: one of them wins,
// and where the refusal does, no money moves.
func TestARefusalAndTheApprovalAtTheSameMoment(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		names := []string{"Fa", "Fb", "Fc", "Fd", "Fe", "Ff", "Fg", "Fh"}
		r, of := decided(t, o, names...)
		for _, a := range of {
			o.read(t, a)
		}
		o.until(r.Deadline, time.Hour)
		refusals, approvals := 0, 0
		for round := range 8 {
			l, err := o.Propose(t.Context(), clerk, decide, r.ID)
			if fault.PlaceOf(err) == "run" {
				break // everybody refused
			}
			must(t, err)
			a := of[names[round]]
			answers := make(chan error, 2)
			go func() { answers <- o.RecordRefusal(t.Context(), clerk, decide, a.ID, r.Deadline, "") }()
			go func() {
				answers <- o.Approve(t.Context(), second, decide, l.ID, l.Count, l.Total, "確認しました")
			}()
			one, two := <-answers, <-answers
			if (one == nil) == (two == nil) {
				t.Fatalf("round %d: %v, %v", round, one, two)
			}
			paid := o.Town.Count(t, `SELECT count(*) FROM ledger WHERE award_id = $1`, a.ID)
			switch s := o.stateOf(t, a); {
			case s == award.Refused && paid == 0:
				refusals++
				must(t, o.Return(t.Context(), second, decide, l.ID, "辞退がありました"))
			case s == award.Approved && paid == 1:
				approvals++
			default:
				t.Fatalf("the award is %s and was paid %d times", s, paid)
			}
			if approvals > 0 {
				break
			}
		}
		t.Logf("%d refusals and %d approvals were first", refusals, approvals)
		o.balanced(t)
	})
}

// Two runs whose pages are worked at once share the families: each child's money has one
// award, whoever was first.
func TestTwoRunsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		var people []person
		var known []string
		for i := range 30 {
			n := fmt.Sprintf("F%02d", i)
			people = append(append(people, family(n)...), person{n + "d", n, "child", "2018-02-28"})
			if i%3 > 0 {
				known = append(known, n+"a paid_by_workplace=false")
			}
		}
		o.settle(t, people, facts(known...))
		var first []award.RunJob
		for i := range 4 {
			d := draftOf(o, fmt.Sprint(i))
			d.Month.Month = []time.Month{2, 3}[i%2] // another month asked for is the same money
			r, err := o.Draft(t.Context(), clerk, decide, d)
			must(t, err)
			must(t, o.Office.Count(t.Context(), clerk, decide, r.ID))
			o.drain(t)
			must(t, o.Start(t.Context(), clerk, decide, r.ID))
			o.queue.jobs = nil
			for range 2 { // and every job twice
				first = append(first, award.RunJob{Phase: award.PhaseRun, Run: r.ID})
			}
		}
		var all sync.WaitGroup
		for _, j := range first {
			all.Go(func() {
				for range 5 { // a job that failed is done again
					if o.Work(t.Context(), machine, decide, j) == nil {
						return
					}
				}
				t.Error("a page failed five times")
			})
		}
		all.Wait()
		if n := o.Town.Count(t, `SELECT count(*) FROM award WHERE kind = 'noticed'`); n != 20 {
			t.Errorf("%d awards for 20 families", n)
		}
		if n := o.Town.Count(t, `SELECT count(*) FROM entitlement`); n != 40 {
			t.Errorf("%d entitlements for 40 children", n)
		}
		if n := o.Town.Count(t, `SELECT count(*) FROM award WHERE kind = 'open_question'`); n != 11 {
			t.Errorf("%d questions to 11 families", n)
		}
		if n := o.Town.Count(t, `SELECT count(*) FROM notice`); n != 31 {
			t.Errorf("%d notices", n)
		}
		o.balanced(t)
	})
}

// failing gives up at the nth call that it counts.
type failing struct {
	award.Mail
	record award.Record
	left   *int
}

var errPower = errors.New("the power is gone")

func (f failing) spend() error {
	if *f.left--; *f.left < 0 {
		return errPower
	}
	return nil
}

func (f failing) Post(ctx context.Context, t tx.Tx, who actor.Actor, p audit.Purpose, letters []mailbox.Letter) ([]mailbox.Posted, error) {
	out, err := f.Mail.Post(ctx, t, who, p, letters)
	return out, errors.Join(err, f.spend())
}

func (f failing) RecordLetter(ctx context.Context, t tx.Tx, who actor.Staff, p audit.Purpose, of identity.CitizenID, n string, on civil.Date) error {
	return errors.Join(f.Mail.RecordLetter(ctx, t, who, p, of, n, on), f.spend())
}

func (f failing) Append(ctx context.Context, t tx.Tx, a actor.Actor, e audit.Event) error {
	return errors.Join(f.record.Append(ctx, t, a, e), f.spend())
}

func (f failing) AppendAll(ctx context.Context, t tx.Tx, a actor.Actor, e []audit.Event) error {
	return errors.Join(f.record.AppendAll(ctx, t, a, e), f.spend())
}

// everything counts the rows of every table that an award writes.
func (o *office) everything(t testing.TB) map[string]int {
	out := o.state(t)
	for _, name := range []string{"payment_list", "list_line", "ledger", "approval_request", "approval_decision", "withheld"} {
		out[name] = o.Town.Count(t, "SELECT count(*) FROM "+name)
	}
	return out
}

// An act that fails at its letter or at any of its entries in the access record has done
// nothing, and can be done again.
func TestAnActThatFailsHalfwayDidNothing(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.settle(t, append(family("F1"), family("F2")...), facts("F1a paid_by_workplace=false"))
		left := 0
		f := failing{Mail: o.Deps.Mail, record: o.Deps.Record, left: &left}
		weak := o.with(t, func(d *award.Deps) { d.Mail, d.Record = f, f })
		do := func(what string, act func(o *office) error) {
			t.Helper()
			before, n := o.everything(t), 0
			for ; ; n++ {
				left = n
				jobs := len(o.queue.jobs)
				err := act(weak)
				if err == nil {
					break
				}
				if !errors.Is(err, errPower) || n > 20 {
					t.Fatalf("%s: %v", what, err)
				}
				if after := o.everything(t); !equal(before, after) {
					t.Fatalf("%s that failed at %d: %v, then %v", what, n, before, after)
				}
				o.queue.jobs = o.queue.jobs[:jobs]
			}
			if n == 0 {
				t.Errorf("%s: nothing of it can fail", what)
			}
		}
		var r award.Run
		do("a draft", func(o *office) (err error) {
			r, err = o.Draft(t.Context(), clerk, decide, draftOf(o, "1"))
			return err
		})
		must(t, o.Office.Count(t.Context(), clerk, decide, r.ID))
		o.drain(t)
		do("a start", func(o *office) error { return o.Start(t.Context(), clerk, decide, r.ID) })
		do("a page", func(o *office) error {
			return o.Work(t.Context(), machine, decide, award.RunJob{Phase: award.PhaseRun, Run: r.ID})
		})
		a := o.only(t, r.ID, award.Noticed)
		do("a letter", func(o *office) error {
			return o.RecordLetter(t.Context(), clerk, decide, a.ID, civil.In(o.Now()))
		})
		o.until(r.Deadline, time.Hour)
		var l award.List
		do("a list", func(o *office) (err error) {
			l, err = o.Propose(t.Context(), clerk, decide, r.ID)
			return err
		})
		do("an approval", func(o *office) error {
			return o.Approve(t.Context(), second, decide, l.ID, l.Count, l.Total, "確認しました")
		})
		o.balanced(t)
	})
}
