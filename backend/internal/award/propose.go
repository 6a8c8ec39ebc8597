package award

import (
	"context"
	"slices"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/approval"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

var errNobody = fault.At(fault.Conflict, "run", "nobody's silence counts yet")

// Propose gathers what closed in silence into a list of at most MaxList awards and asks for
// its approval. A small list waits at once; a larger one is gathered by a job, page by page.
// While one gathers, it is the answer. Nobody ready is a Conflict; payees who are gone are
// noted for a person all the same.
func (x *Office) Propose(ctx context.Context, who actor.Staff, purpose audit.Purpose, run string) (List, error) {
	if !who.Has(actor.Clerk) {
		return List{}, errNotClerk
	}
	var l List
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		r, err := x.runOf(ctx, t, who, run)
		if err != nil {
			return err
		}
		if r.StartedAt.IsZero() {
			return errState
		}
		before, err := x.Rows.Lists(ctx, t, run)
		if err != nil {
			return err
		}
		for _, b := range before {
			if b.State == Gathering {
				l = b
				x.nameList(&l, r)
				return nil
			}
		}
		if l, err = x.newList(who, r); err != nil {
			return err
		}
		if err := x.Rows.InsertList(ctx, t, l); err != nil {
			return err
		}
		if err := x.gather(ctx, t, who, purpose, r, &l); err != nil {
			return err
		}
		return x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: "benefit.propose", Municipality: r.Municipality, Object: l.ID})
	})
	if err == nil && l.State == Empty {
		err = errNobody // what was found out on the way is stored
	}
	if err != nil {
		return List{}, err
	}
	return l, nil
}

func (x *Office) newList(who actor.Staff, r Run) (List, error) {
	id, err := x.ids.New("lst")
	if err != nil {
		return List{}, err
	}
	l := List{ID: id, Run: r.ID, Municipality: r.Municipality, State: Gathering, MadeBy: who.ID, MadeAt: x.now()}
	x.nameList(&l, r)
	return l, nil
}

// nameList adds what the run says of a list.
func (x *Office) nameList(l *List, r Run) {
	x.name(&r)
	l.Benefit, l.Name, l.Month, l.PayOn = r.Benefit, r.Name, r.Entitlement, r.PayOn
}

// job is the page that the list waits for.
func (l List) job() RunJob { return RunJob{Phase: PhaseGather, List: l.ID, Page: l.Page} }

// gatherOn goes on with a list.
func (x *Office) gatherOn(ctx context.Context, t tx.Tx, who actor.System, purpose audit.Purpose, j RunJob) error {
	l, ok, err := x.Rows.ListByID(ctx, t, j.List)
	if err != nil || !ok || l.State != Gathering || l.Page != j.Page {
		return err
	}
	r, ok, err := x.Rows.RunByID(ctx, t, l.Run)
	if err != nil || !ok {
		return err
	}
	return x.gather(ctx, t, who, purpose, r, &l)
}

// gather claims and stores one page of a list. The last page asks for approval.
func (x *Office) gather(ctx context.Context, t tx.Tx, who actor.Actor, purpose audit.Purpose, r Run, l *List) error {
	mine, err := x.Rows.ClaimListPage(ctx, t, l.ID, l.Page, x.now())
	if err != nil || !mine {
		return err
	}
	l.Page++
	free, err := x.Rows.Free(ctx, t, r.ID, x.today(), l.Cursor, gatherPage)
	if err != nil {
		return err
	}
	if _, err := x.prove(ctx, t, free); err != nil {
		return err
	}
	ready, err := x.ready(ctx, t, r, free)
	if err != nil {
		return err
	}
	last := len(free) < gatherPage
	if len(free) > 0 {
		l.Cursor = free[len(free)-1].ID
	}
	if room := MaxList - l.Count; len(ready) >= room {
		ready, last = ready[:room], true
	}
	added, err := x.Rows.AddLines(ctx, t, l.ID, ready)
	if err != nil {
		return err
	}
	if err := x.grow(ctx, t, who, purpose, l, added); err != nil {
		return err
	}
	if !last {
		if err := x.Queue.Enqueue(ctx, t, l.job()); err != nil {
			return err
		}
		return x.Rows.AdvanceList(ctx, t, *l)
	}
	return x.ask(ctx, t, who, purpose, r, l)
}

// ready leaves those whose time to answer is over, and whose payee still lives here: for
// another a person looks.
func (x *Office) ready(ctx context.Context, t tx.Tx, r Run, free []Award) ([]Award, error) {
	closed := civil.In(x.Now().Add(-lastMinute))
	var silent []Award
	var ids []identity.CitizenID
	for _, a := range free {
		if !a.AnswerBy.IsZero() && a.AnswerBy.Before(closed) {
			silent, ids = append(silent, a), append(ids, a.Payee)
		}
	}
	standing, err := x.People.Named(ctx, t, ids)
	if err != nil {
		return nil, err
	}
	var out []Award
	var gone []Question
	for _, a := range silent {
		if !standing[a.Payee].Lives(x.today()) {
			gone = append(gone, Question{Citizen: a.Payee, Household: a.Household, Trouble: PayeeGone})
			continue
		}
		out = append(out, a)
	}
	return out, x.Rows.AddTroubles(ctx, t, r.ID, gone)
}

func (x *Office) grow(ctx context.Context, t tx.Tx, who actor.Actor, purpose audit.Purpose, l *List, added []Award) error {
	events := make([]audit.Event, len(added))
	for i, a := range added {
		l.Count++
		l.Total += a.Amount
		events[i] = audit.Event{Purpose: hiding(purpose, a.Withheld), Action: "benefit.gather", CitizenID: a.Payee,
			Municipality: l.Municipality, Object: a.ID, Items: []string{"benefit"}}
	}
	return x.Record.AppendAll(ctx, t, who, events)
}

// ask ends the gathering and asks a second person, who is none of those that drafted or
// started the run, or made any list of it.
func (x *Office) ask(ctx context.Context, t tx.Tx, who actor.Actor, purpose audit.Purpose, r Run, l *List) error {
	l.State = Waiting
	if l.Count == 0 {
		l.State = Empty
		return x.Rows.AdvanceList(ctx, t, *l)
	}
	if err := x.Rows.AdvanceList(ctx, t, *l); err != nil {
		return err
	}
	before, err := x.Rows.Lists(ctx, t, r.ID)
	if err != nil {
		return err
	}
	involved := []string{r.DraftedBy, r.StartedBy, l.MadeBy}
	for _, b := range before { // what they gathered may stand on this list again
		involved = append(involved, b.MadeBy)
	}
	slices.Sort(involved)
	l.Request, err = x.Approvals.Ask(ctx, t, who, purpose, approval.Request{Municipality: l.Municipality, Kind: ListKind, Object: l.ID,
		Role: actor.Approver, AskedBy: l.MadeBy, Due: r.PayOn, Involved: slices.Compact(involved)})
	return err
}
