package award

import (
	"context"
	"fmt"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/identity"
)

// Work stores one page of a run or of a list, or looks after both. The same page again, also
// at once, changes nothing.
func (x *Office) Work(ctx context.Context, who actor.System, purpose audit.Purpose, j RunJob) error {
	switch j.Phase {
	case PhaseCount, PhaseRun:
		return x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error { return x.page(ctx, t, who, purpose, j) })
	case PhaseGather:
		return x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error { return x.gatherOn(ctx, t, who, purpose, j) })
	case PhaseSweep:
		return x.sweep(ctx, who, purpose)
	}
	return fmt.Errorf("cannot work on a job of phase %q", j.Phase)
}

// page claims one page and stores all that follows from it.
func (x *Office) page(ctx context.Context, t tx.Tx, who actor.System, purpose audit.Purpose, j RunJob) error {
	r, ok, err := x.Rows.RunByID(ctx, t, j.Run)
	state, done := Counting, Counted
	if j.Phase == PhaseRun {
		state, done = Running, Done
	}
	if err != nil || !ok || r.State != state || r.Page != j.Page {
		return err
	}
	mine, err := x.Rows.ClaimPage(ctx, t, r.ID, state, j.Page, x.now())
	if err != nil || !mine {
		return err
	}
	families, err := x.People.Families(ctx, t, r.Municipality, r.Cursor, PageHouseholds)
	if err != nil {
		return err
	}
	p, err := x.pass(r)
	if err != nil {
		return err
	}
	b := &batch{x: x, who: who, purpose: purpose, pass: p, dry: j.Phase == PhaseCount}
	for _, f := range families {
		b.all = append(b.all, x.consider(p, f))
	}
	if err := b.store(ctx, t); err != nil {
		return err
	}
	next := state
	if len(families) < PageHouseholds {
		next = done
	} else {
		r.Cursor = families[len(families)-1].Household
		if err := x.Queue.Enqueue(ctx, t, RunJob{Phase: j.Phase, Run: r.ID, Page: j.Page + 1}); err != nil {
			return err
		}
	}
	b.count(&r)
	return x.Rows.Advance(ctx, t, r, next)
}

// batch is what one page decides.
type batch struct {
	x       *Office
	who     actor.System
	purpose audit.Purpose
	pass    pass
	dry     bool // counts and stores no decision
	all     []considered
	already int
	awards  []Award
	of      map[int]int // from a family to its award
}

// store checks every family's claim, and stores what is new unless the run is dry.
func (b *batch) store(ctx context.Context, t tx.Tx) error {
	if err := b.number(); err != nil {
		return err
	}
	if err := b.claim(ctx, t); err != nil {
		return err
	}
	if err := b.settle(ctx, t); err != nil {
		return err
	}
	if b.dry {
		return b.record(ctx, t)
	}
	if err := b.post(ctx, t); err != nil {
		return err
	}
	if err := b.supersede(ctx, t); err != nil {
		return err
	}
	if err := b.x.Rows.AddAwards(ctx, t, b.awards); err != nil {
		return err
	}
	var troubles []Question
	for _, c := range b.all {
		troubles = append(troubles, c.troubles...)
	}
	if err := b.x.Rows.AddTroubles(ctx, t, b.pass.run.ID, troubles); err != nil {
		return err
	}
	return b.record(ctx, t)
}

// number gives every family to which something is due the handle of its award.
func (b *batch) number() error {
	for i := range b.all {
		if b.all[i].state == "" {
			continue
		}
		id, err := b.x.ids.New("awd")
		if err != nil {
			return err
		}
		b.all[i].id = id
	}
	return nil
}

// claim takes what is free: each beneficiary's entitlement, each family's question.
func (b *batch) claim(ctx context.Context, t tx.Tx) error {
	if b.dry {
		return nil
	}
	var lines []Entitlement
	var asked []Asked
	for _, c := range b.all {
		switch c.state {
		case "":
		case Noticed:
			for _, l := range c.decision.Lines {
				lines = append(lines, Entitlement{Citizen: l.Citizen, Award: c.id, Payee: c.payee.Resident.ID, Amount: l.Amount})
			}
		default:
			asked = append(asked, Asked{Payee: c.payee.Resident.ID, What: c.asks(), Award: c.id})
		}
	}
	r := b.pass.run
	if err := b.x.Rows.Claim(ctx, t, r.Benefit, r.Entitlement, lines, b.x.now()); err != nil {
		return err
	}
	return b.x.Rows.Ask(ctx, t, r.Benefit, r.Entitlement, asked)
}

// settle leaves out what another award holds. In a dry run nothing was claimed, and what is
// free counts as ours.
func (b *batch) settle(ctx context.Context, t tx.Tx) error {
	var beneficiaries, payees []identity.CitizenID
	for i := range b.all {
		if c := &b.all[i]; c.state != "" {
			beneficiaries = append(beneficiaries, c.beneficiaries()...)
			payees = append(payees, c.payee.Resident.ID)
		}
	}
	r := b.pass.run
	owners, err := b.x.Rows.Owners(ctx, t, r.Benefit, r.Entitlement, beneficiaries)
	if err != nil {
		return err
	}
	asked, err := b.x.Rows.Asked(ctx, t, r.Benefit, r.Entitlement, payees)
	if err != nil {
		return err
	}
	before := map[Asked]string{}
	for _, a := range asked {
		before[Asked{Payee: a.Payee, What: a.What}] = a.Award
	}
	b.of = map[int]int{}
	for i := range b.all {
		if err := b.keep(i, owners, before); err != nil {
			return err
		}
	}
	return nil
}

// keep makes the award of one family, where anything is left of it.
func (b *batch) keep(i int, owners map[identity.CitizenID]string, asked map[Asked]string) error {
	c := &b.all[i]
	if c.state == "" {
		return nil
	}
	free := func(owner string) bool { return owner == c.id || b.dry && owner == "" }
	if !b.dry {
		if err := b.x.explain(c); err != nil {
			return err
		}
	}
	c.keep(b.pass.edition, func(l Line) bool {
		owner := owners[l.Citizen]
		return free(owner) || c.state != Noticed && owner == ""
	})
	if len(c.decision.Lines) == 0 || c.state != Noticed && !free(asked[Asked{Payee: c.payee.Resident.ID, What: c.asks()}]) {
		b.already++
		return nil
	}
	r := b.pass.run
	b.of[i] = len(b.awards)
	b.awards = append(b.awards, Award{ID: c.id, Run: r.ID, Municipality: r.Municipality, Benefit: r.Benefit, Month: r.Entitlement,
		Payee: c.payee.Resident.ID, Household: c.family.Household, Amount: c.amount, State: c.state, Deadline: r.Deadline,
		PayOn: r.PayOn, DecidedAt: b.x.now(), Decision: c.decision})
	return nil
}

// post sends every award's notice.
func (b *batch) post(ctx context.Context, t tx.Tx) error {
	if len(b.awards) == 0 {
		return nil
	}
	m, err := b.x.People.Municipality(ctx, t, b.pass.run.Municipality)
	if err != nil {
		return err
	}
	letters := make([]mailbox.Letter, len(b.awards))
	for i, at := range b.of {
		letters[at] = b.x.letter(b.pass, m, b.awards[at], b.all[i].people())
	}
	posted, err := b.x.Mail.Post(ctx, t, b.who, b.purpose, letters)
	if err != nil {
		return err
	}
	if len(posted) != len(letters) {
		return fmt.Errorf("cannot post notices: %d answers for %d letters", len(posted), len(letters))
	}
	for i, p := range posted {
		b.awards[i].Notice, b.awards[i].Withheld = p.Notice, p.Withheld
	}
	return nil
}

// supersede ends earlier runs' questions to families that have another answer now, whichever
// of the parents they went to.
func (b *batch) supersede(ctx context.Context, t tx.Tx) error {
	var people []identity.CitizenID
	for i := range b.all {
		if _, ok := b.of[i]; ok {
			people = append(people, b.all[i].people()...)
		}
	}
	return b.x.Rows.Supersede(ctx, t, b.pass.run, people, b.who.Name, b.x.now())
}

// record notes for everybody who was read what became of it. Where a notice was withheld,
// the entry is of the purpose that nobody sees in the app.
func (b *batch) record(ctx context.Context, t tx.Tx) error {
	var events []audit.Event
	for i, c := range b.all {
		e := audit.Event{Purpose: b.purpose, Action: "benefit.consider", Municipality: b.pass.run.Municipality,
			Object: b.pass.run.ID, Items: []string{"household", "birth_date", "income", "benefit_facts"}}
		if at, ok := b.of[i]; ok && !b.dry {
			e.Action, e.Object = "benefit.decide", b.awards[at].ID
			e.Purpose = hiding(b.purpose, b.awards[at].Withheld)
		}
		for _, id := range c.people() {
			e.CitizenID = id
			events = append(events, e)
		}
	}
	return b.x.Record.AppendAll(ctx, t, b.who, events)
}

// count adds the page to the run's numbers.
func (b *batch) count(r *Run) {
	n := &r.Result
	if b.dry {
		n = &r.Counted
	}
	n.Households += len(b.all)
	n.Already += b.already
	for _, a := range b.awards {
		switch a.State {
		case OpenQuestion:
			n.Questions++
		case MustApply:
			n.MustApply++
		default:
			n.Awards++
			n.Children += len(a.Lines)
			n.Yen += a.Amount
		}
	}
	n.Nothing += len(b.all) - b.already - len(b.awards)
	for _, c := range b.all {
		for _, q := range c.troubles {
			if n.ForPerson == nil {
				n.ForPerson = map[Trouble]int{}
			}
			n.ForPerson[q.Trouble]++
		}
		if c.state == "" && len(c.troubles) > 0 {
			n.Nothing-- // a person decides
		}
	}
}

// Times of the sweep.
const (
	stalledAfter = 15 * time.Minute     // a page that is only slow has ended by then
	proveWithin  = 366 * 24 * time.Hour // of a run's start
	sweepLimit   = 20                   // runs and lists of one sweep
)

// sweep asks again for pages whose job was lost, and looks for proof of delivery.
func (x *Office) sweep(ctx context.Context, who actor.System, purpose audit.Purpose) error {
	var open []Run
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		runs, err := x.Rows.Stalled(ctx, t, x.now().Add(-stalledAfter), sweepLimit)
		if err != nil {
			return err
		}
		lists, err := x.Rows.StalledLists(ctx, t, x.now().Add(-stalledAfter), sweepLimit)
		if err != nil {
			return err
		}
		for _, r := range runs {
			if err := x.Queue.Enqueue(ctx, t, r.job()); err != nil {
				return err
			}
		}
		for _, l := range lists {
			if err := x.Queue.Enqueue(ctx, t, l.job()); err != nil {
				return err
			}
		}
		open, err = x.Rows.Open(ctx, t, x.now().Add(-proveWithin), sweepLimit)
		return err
	})
	for _, r := range open {
		if err == nil {
			err = x.proveRun(ctx, who, purpose, r)
		}
	}
	return err
}

// proveRun stores the proofs of a run's notices, page by page.
func (x *Office) proveRun(ctx context.Context, who actor.System, purpose audit.Purpose, r Run) error {
	after := ""
	for {
		var found []Award
		err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
			if found, err = x.Rows.Unproven(ctx, t, r.ID, after, gatherPage); err != nil {
				return err
			}
			proven, err := x.prove(ctx, t, found)
			if err != nil {
				return err
			}
			events := make([]audit.Event, len(proven))
			for i, a := range proven {
				events[i] = audit.Event{Purpose: hiding(purpose, a.Withheld), Action: "benefit.proof", CitizenID: a.Payee, Municipality: r.Municipality,
					Object: a.ID, Items: []string{"delivery"}}
			}
			return x.Record.AppendAll(ctx, t, who, events)
		})
		if err != nil || len(found) < gatherPage {
			return err
		}
		after = found[len(found)-1].ID
	}
}
