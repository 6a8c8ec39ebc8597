package award

import (
	"context"
	"slices"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

// Progress gives one run, how far its awards have come, and its lists. It reads counts
// alone, so that a page may ask for it again and again while the run works.
func (x *Office) Progress(ctx context.Context, who actor.Staff, purpose audit.Purpose, run string) (r Run, f Funnel, err error) {
	if err := mayLook(who); err != nil {
		return r, f, err
	}
	err = x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		if r, f, err = x.progress(ctx, t, who, run); err != nil {
			return err
		}
		return x.noteRun(ctx, t, who, purpose, "benefit.show_run", r)
	})
	return r, f, err
}

func (x *Office) progress(ctx context.Context, t tx.Tx, who actor.Staff, run string) (r Run, f Funnel, err error) {
	if r, err = x.runOf(ctx, t, who, run); err != nil {
		return r, f, err
	}
	if r.Lists, err = x.Rows.Lists(ctx, t, run); err != nil {
		return r, f, err
	}
	f, err = x.funnel(ctx, t, r)
	return r, f, err
}

// Show gives what Progress does, and a few decisions as a family would read them, made anew
// for the page. Nothing of them is stored.
func (x *Office) Show(ctx context.Context, who actor.Staff, purpose audit.Purpose, run string) (r Run, f Funnel, shown []Sample, err error) {
	if err := mayLook(who); err != nil {
		return r, f, nil, err
	}
	err = x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		if r, f, err = x.progress(ctx, t, who, run); err != nil {
			return err
		}
		if shown, err = x.sample(ctx, t, who, purpose, r); err != nil {
			return err
		}
		return x.noteRun(ctx, t, who, purpose, "benefit.show_run", r)
	})
	return r, f, shown, err
}

func (x *Office) funnel(ctx context.Context, t tx.Tx, r Run) (Funnel, error) {
	f := Funnel{Households: r.Result.Households}
	var err error
	if f.ByState, err = x.Rows.Tallies(ctx, t, r.ID, x.today()); err != nil {
		return f, err
	}
	f.ForPerson, err = x.Rows.Troubles(ctx, t, r.ID)
	return f, err
}

// sample decides the first families and shows one of each kind, and more of them where
// there are fewer kinds. Protected families are left out.
func (x *Office) sample(ctx context.Context, t tx.Tx, who actor.Staff, purpose audit.Purpose, r Run) ([]Sample, error) {
	p, err := x.pass(r)
	if err != nil {
		return nil, nil // the programme is gone: there is nothing to show, and the run's numbers stand
	}
	m, err := x.People.Municipality(ctx, t, r.Municipality)
	if err != nil {
		return nil, err
	}
	families, err := x.People.Families(ctx, t, r.Municipality, "", sampleFamilies)
	if err != nil {
		return nil, err
	}
	var all []considered
	var ids []identity.CitizenID
	for _, f := range families {
		if c := x.consider(p, f); c.state != "" {
			all, ids = append(all, c), append(ids, c.people()...)
		}
	}
	hidden, err := x.hidden(ctx, t, who, ids)
	if err != nil {
		return nil, err
	}
	var out []Sample
	for _, c := range choose(all, hidden) {
		if err := x.explain(&c); err != nil {
			return nil, err
		}
		a := Award{Payee: c.payee.Resident.ID, Municipality: r.Municipality, Month: r.Entitlement, Amount: c.amount, State: c.state,
			Deadline: r.Deadline, PayOn: r.PayOn, Decision: c.decision}
		out = append(out, Sample{Texts: x.texts(p, m, a), Amount: c.amount, Children: len(c.decision.Lines), State: c.state})
		if err := x.looked(ctx, t, who, purpose, "benefit.sample", r.Municipality, r.ID, false, c.people()); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// choose takes one family of each state first.
func choose(all []considered, hidden map[identity.CitizenID]bool) []considered {
	all = slices.DeleteFunc(all, func(c considered) bool {
		return slices.ContainsFunc(c.people(), func(id identity.CitizenID) bool { return hidden[id] })
	})
	var out []considered
	for _, s := range []State{Noticed, OpenQuestion, MustApply} {
		if i := slices.IndexFunc(all, func(c considered) bool { return c.state == s }); i >= 0 {
			out = append(out, all[i])
			all = slices.Delete(all, i, i+1)
		}
	}
	return append(out, all[:min(len(all), samples-len(out))]...)
}

// hidden gives those of the people whom this officer must not see.
func (x *Office) hidden(ctx context.Context, t tx.Tx, who actor.Staff, ids []identity.CitizenID) (map[identity.CitizenID]bool, error) {
	if who.Has(actor.Protector) {
		return nil, nil
	}
	return x.Protections.Flagged(ctx, t, ids)
}

// hiding keeps entries about what a protection held back off the person's own screen.
func hiding(purpose audit.Purpose, withheld bool) audit.Purpose {
	if withheld {
		return audit.Protection
	}
	return purpose
}

// looked records a look at people, each once.
func (x *Office) looked(ctx context.Context, t tx.Tx, who actor.Actor, purpose audit.Purpose, action string, m identity.MunicipalityCode, object string, withheld bool, ids []identity.CitizenID) error {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	events := make([]audit.Event, len(ids))
	for i, id := range ids {
		events[i] = audit.Event{Purpose: hiding(purpose, withheld), Action: action, CitizenID: id, Municipality: m, Object: object, Items: []string{"benefit"}}
	}
	return x.Record.AppendAll(ctx, t, who, events)
}

// lookedAt records a look at awards, those that were withheld for themselves.
func (x *Office) lookedAt(ctx context.Context, t tx.Tx, who actor.Actor, purpose audit.Purpose, action string, m identity.MunicipalityCode, object string, awards []Award) error {
	for _, withheld := range []bool{false, true} {
		some := slices.DeleteFunc(slices.Clone(awards), func(a Award) bool { return a.Withheld != withheld })
		if err := x.looked(ctx, t, who, purpose, action, m, object, withheld, peopleOf(some)); err != nil {
			return err
		}
	}
	return nil
}

// people lists the payee and the beneficiaries.
func (a Award) people() []identity.CitizenID {
	out := []identity.CitizenID{a.Payee}
	for _, l := range a.Lines {
		if l.Citizen != a.Payee {
			out = append(out, l.Citizen)
		}
	}
	return out
}

func peopleOf(awards []Award) []identity.CitizenID {
	var out []identity.CitizenID
	for _, a := range awards {
		out = append(out, a.people()...)
	}
	return out
}

// visible leaves out the awards of people whom this officer must not see.
func (x *Office) visible(ctx context.Context, t tx.Tx, who actor.Staff, awards []Award) ([]Award, error) {
	hidden, err := x.hidden(ctx, t, who, peopleOf(awards))
	return slices.DeleteFunc(awards, func(a Award) bool {
		withheld := a.Withheld && !who.Has(actor.Protector) // of whomever in the household
		return withheld || slices.ContainsFunc(a.people(), func(id identity.CitizenID) bool { return hidden[id] })
	}), err
}

// Awards lists a run's awards in one state, or in any for "", by handle. Protected people
// are left out for officers who do not work for them: a page may hold fewer than limit.
func (x *Office) Awards(ctx context.Context, who actor.Staff, purpose audit.Purpose, run string, state State, after string, limit int) (out []Award, next string, err error) {
	if err := mayLook(who); err != nil {
		return nil, "", err
	}
	if limit <= 0 || limit > MaxListed {
		limit = MaxListed
	}
	err = x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		r, err := x.runOf(ctx, t, who, run)
		if err != nil {
			return err
		}
		if out, err = x.Rows.OfRun(ctx, t, run, state, x.today(), after, limit+1); err != nil {
			return err
		}
		if len(out) > limit {
			out = out[:limit]
			next = out[limit-1].ID
		}
		if out, err = x.visible(ctx, t, who, out); err != nil {
			return err
		}
		if err := x.complete(ctx, t, out); err != nil {
			return err
		}
		return x.lookedAt(ctx, t, who, purpose, "benefit.list", r.Municipality, run, out)
	})
	return out, next, err
}

// Award gives one award with its reasons. A protected person's is NotFound for officers who
// do not work for them.
func (x *Office) Award(ctx context.Context, who actor.Staff, purpose audit.Purpose, id string) (Award, error) {
	var a Award
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
		if a, err = x.awardOf(ctx, t, who, id); err != nil {
			return err
		}
		lists, err := x.Rows.ListsOf(ctx, t, a)
		if err != nil {
			return err
		}
		way := a.History
		a.History = nil
		for _, l := range lists {
			if err := x.historyOf(ctx, t, &a, l); err != nil {
				return err
			}
		}
		a.History = append(a.History, way...) // at one moment the approval comes after its list
		slices.SortStableFunc(a.History, byTime)
		return x.looked(ctx, t, who, purpose, "benefit.show", a.Municipality, a.ID, a.Withheld, a.people())
	})
	return a, err
}

func (x *Office) historyOf(ctx context.Context, t tx.Tx, a *Award, l List) error {
	a.History = append(a.History, Event{What: "listed", At: l.MadeAt, On: civil.In(l.MadeAt), By: l.MadeBy, Note: l.ID})
	_, d, ok, err := x.Approvals.Of(ctx, t, ListKind, l.ID)
	if err == nil && ok && l.State == Returned {
		a.History = append(a.History, Event{What: "returned", At: d.At, On: civil.In(d.At), By: d.By, Note: d.Reason})
	}
	return err
}

// awardOf reads one award that the officer may see, with the proof of its delivery as it is
// now.
func (x *Office) awardOf(ctx context.Context, t tx.Tx, who actor.Staff, id string) (Award, error) {
	if err := mayLook(who); err != nil {
		return Award{}, err
	}
	a, ok, err := x.Rows.ByID(ctx, t, id, x.today())
	if err != nil {
		return a, err
	}
	if !ok || a.Municipality != who.Municipality {
		return a, errNoAward
	}
	found, err := x.visible(ctx, t, who, []Award{a})
	if err != nil {
		return a, err
	}
	if len(found) == 0 {
		return a, errNoAward
	}
	if _, err := x.prove(ctx, t, found); err != nil {
		return a, err
	}
	return found[0], x.complete(ctx, t, found)
}

// complete adds what is not stored with awards: names, what the programme says of itself,
// what can be done now, and the history.
func (x *Office) complete(ctx context.Context, t tx.Tx, awards []Award) error {
	named, err := x.People.Named(ctx, t, slices.Compact(slices.Sorted(slices.Values(peopleOf(awards)))))
	if err != nil {
		return err
	}
	for i := range awards {
		a := &awards[i]
		a.Name, a.Basis, _ = x.about(a.Benefit)
		a.PayeeRef, a.PayeeName = named[a.Payee].Resident.Ref.Resident, named[a.Payee].Resident.Name
		for n := range a.Lines {
			a.Lines[n].Name = named[a.Lines[n].Citizen].Resident.Name
		}
		a.Refusable = x.refusable(*a)
		a.History = history(*a)
	}
	return nil
}

// history tells an award's way; lists are added where officers look.
func history(a Award) []Event {
	moment := func(what string, e Event) Event { e.What, e.On = what, civil.In(e.At); return e }
	out := []Event{moment("decided", Event{At: a.DecidedAt})}
	if !a.Withheld {
		out = append(out, moment("noticed", Event{At: a.DecidedAt, Note: a.Notice}))
	}
	if !a.Proof.At.IsZero() {
		what := "delivered_app"
		if a.Proof.Channel != notice.App {
			what = "delivered_letter"
		}
		out = append(out, moment(what, Event{At: a.Proof.At}))
	}
	if !a.AnswerBy.IsZero() {
		out = append(out, Event{What: "deadline", On: a.AnswerBy})
	}
	if s := a.Settled; s.How != "" {
		e := moment(string(s.How), Event{At: s.At, By: s.By, Note: s.Reason})
		if !s.ReceivedOn.IsZero() {
			e.On = s.ReceivedOn
		}
		out = append(out, e)
	}
	if a.State != Refused && a.State != Withdrawn && a.State != OpenQuestion && a.State != MustApply {
		out = append(out, Event{What: "payment", On: a.PayOn})
	}
	slices.SortStableFunc(out, byTime)
	return out
}

// byTime orders by day; on one day, what has no time of day stands last.
func byTime(p, q Event) int {
	at := func(e Event) time.Time {
		if e.At.IsZero() {
			return e.On.AddDays(1).Midnight()
		}
		return e.At
	}
	if c := p.On.Compare(q.On); c != 0 {
		return c
	}
	return at(p).Compare(at(q))
}

// Programme is a benefit that a run can be made for.
type Programme struct {
	ID   string
	Name benefit.Words
}

// Benefits lists the benefits that runs can be made for. It reads nobody's data.
func (x *Office) Benefits() ([]Programme, error) {
	var out []Programme
	for _, id := range x.Programs.Programs() {
		p, err := x.Programs.Program(id)
		if err != nil {
			return nil, err
		}
		out = append(out, Programme{ID: id, Name: p.Name})
	}
	return out, nil
}
