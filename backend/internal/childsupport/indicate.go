package childsupport

import (
	"context"
	"errors"
	"slices"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

// Indicate looks at the indicators of every municipality of which something new was
// delivered or a new day has begun, page by page, and flags the children of whom one
// holds. A child with an open case of the same indicator, or with one closed within
// QuietDays, gets no new flag. It can be stopped and called again at any time, also twice at
// once: what was done is not done again.
func (x *Desk) Indicate(ctx context.Context, who actor.System, purpose audit.Purpose) error {
	if err := x.register.purposeOf(purpose); err != nil {
		return err
	}
	all, err := x.municipalities(ctx)
	if err != nil {
		return err
	}
	for _, m := range all {
		for done := false; !done; {
			err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
				done, err = x.indicate(ctx, t, who, purpose, m.Code)
				return err
			})
			if errors.Is(err, errOvertaken) {
				break // another process is at it
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *Desk) municipalities(ctx context.Context) (all []citizen.Municipality, err error) {
	err = x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
		all, err = x.People.Municipalities(ctx, t)
		return err
	})
	return all, err
}

// indicate does one page and tells whether the municipality is done.
func (x *Desk) indicate(ctx context.Context, t tx.Tx, who actor.System, purpose audit.Purpose, m identity.MunicipalityCode) (bool, error) {
	before, err := x.Rows.Pass(ctx, t, m)
	if err != nil {
		return false, err
	}
	deliveries, err := x.Rows.Deliveries(ctx, t, m)
	if err != nil {
		return false, err
	}
	today := x.today()
	if deliveries == 0 || before.Done && before.Day == today && deliveries == before.Seen {
		return true, nil
	}
	now := before
	if before.Done || before.Day.IsZero() {
		now = Pass{Municipality: m, Day: today, Seen: deliveries}
	}
	from := civil.Date{Year: today.Year - oldestChildren - 1, Month: time.April, Day: 1}
	children, next, err := x.People.Young(ctx, t, m, from, now.After, pageChildren)
	if err != nil {
		return false, err
	}
	if err := x.flagAll(ctx, t, who, purpose, m, children); err != nil {
		return false, err
	}
	now.After, now.Done = next, next == ""
	mine, err := x.Rows.Step(ctx, t, before, now)
	if err == nil && !mine {
		err = errOvertaken
	}
	return false, err
}

// known reads the items that an indicator may read, of each child, and records that they
// were read. Items past their retention are not there, whether erased yet or not.
func (x *Desk) known(ctx context.Context, t tx.Tx, who actor.Actor, purpose audit.Purpose, m identity.MunicipalityCode, i Indicator, children []identity.CitizenID) (map[identity.CitizenID]facts, error) {
	if err := x.register.allowed(purpose, i.ID, i.Items); err != nil {
		return nil, err
	}
	out := map[identity.CitizenID]facts{}
	for _, s := range x.register.Sources {
		names := x.register.of(s.ID, i.Items)
		if len(names) == 0 {
			continue
		}
		child := map[string]identity.CitizenID{}
		pseudonyms := make([]string, len(children))
		for n, id := range children {
			pseudonyms[n] = x.pseudonym(s.ID, id)
			child[pseudonyms[n]] = id
		}
		items, err := x.Rows.Items(ctx, t, s.ID, names, pseudonyms)
		if err != nil {
			return nil, err
		}
		if err := x.keep(out, child, items); err != nil {
			return nil, err
		}
	}
	var looks []audit.Event
	for id := range out {
		looks = append(looks, audit.Event{Purpose: purpose, Action: "items.read", CitizenID: id, Municipality: m, Object: i.ID, Items: i.Items})
	}
	return out, x.Record.AppendAll(ctx, t, who, looks)
}

func (x *Desk) keep(out map[identity.CitizenID]facts, child map[string]identity.CitizenID, items []Item) error {
	today := x.today()
	for _, item := range items {
		if item.ExpiresOn.Before(today) {
			continue
		}
		f, err := decode(item)
		if err != nil {
			return err
		}
		id := child[item.Pseudonym]
		if out[id] == nil {
			out[id] = facts{}
		}
		out[id][[2]string{item.Name, item.Part}] = f
	}
	return nil
}

// of gives those of the items that come from the source.
func (r *Register) of(source string, items []string) []string {
	var out []string
	for _, name := range items {
		if rule, ok := r.Item(name); ok && rule.Source == source {
			out = append(out, name)
		}
	}
	return out
}

// flagAll stores a case for each child and indicator that holds.
func (x *Desk) flagAll(ctx context.Context, t tx.Tx, who actor.System, purpose audit.Purpose, m identity.MunicipalityCode, children []citizen.Resident) error {
	ids := make([]identity.CitizenID, len(children))
	for n, c := range children {
		ids[n] = c.ID
	}
	var hits []Stored
	for _, i := range x.register.Indicators {
		known, err := x.known(ctx, t, who, purpose, m, i, ids)
		if err != nil {
			return err
		}
		for _, c := range children {
			if rests, holds := x.register.evaluate(i, known[c.ID], c.BirthDate.Date, x.today()); holds {
				hits = append(hits, x.hit(m, c.ID, i.ID, rests))
			}
		}
	}
	if len(hits) == 0 {
		return nil
	}
	fresh, err := x.fresh(ctx, t, hits)
	if err != nil {
		return err
	}
	return x.flag(ctx, t, who, purpose, fresh)
}

func (x *Desk) hit(m identity.MunicipalityCode, child identity.CitizenID, indicator string, rests []fact) Stored {
	c := Stored{Child: child, Municipality: m, Indicator: indicator, State: Flagged, FlaggedAt: x.Now().UTC(), LapsesOn: x.today().AddDays(FlagDays)}
	for _, f := range rests {
		c.Refs = append(c.Refs, Ref{f.Source, f.Name, f.Part, f.AsOf})
	}
	return c
}

// fresh leaves out the hits of which a case is open, or was closed lately, and numbers the
// others.
func (x *Desk) fresh(ctx context.Context, t tx.Tx, hits []Stored) ([]Stored, error) {
	var ids []identity.CitizenID
	seen := map[identity.CitizenID]bool{}
	for _, h := range hits {
		if !seen[h.Child] {
			seen[h.Child] = true
			ids = append(ids, h.Child)
		}
	}
	earlier, err := x.Rows.CasesOf(ctx, t, ids)
	if err != nil {
		return nil, err
	}
	type about struct {
		child     identity.CitizenID
		indicator string
	}
	quiet, episode := map[about]bool{}, map[about]int{}
	for _, c := range earlier {
		k := about{c.Child, c.Indicator}
		episode[k] = max(episode[k], c.Episode)
		if c.State != Closed || civil.In(c.ClosedAt).AddDays(QuietDays).After(x.today()) {
			quiet[k] = true
		}
	}
	var out []Stored
	for _, h := range hits {
		k := about{h.Child, h.Indicator}
		if quiet[k] {
			continue
		}
		h.Episode = episode[k] + 1
		if h.ID, err = x.ids.New("chc"); err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, nil
}

func (x *Desk) flag(ctx context.Context, t tx.Tx, who actor.System, purpose audit.Purpose, cases []Stored) error {
	stored, err := x.Rows.Flag(ctx, t, cases)
	if err != nil {
		return err
	}
	mine := map[string]bool{}
	for _, id := range stored {
		mine[id] = true
	}
	cases = slices.DeleteFunc(cases, func(c Stored) bool { return !mine[c.ID] })
	a := Act{What: Flagged, By: who.Name, At: x.Now().UTC()}
	if err := x.Rows.AddFirst(ctx, t, cases, a); err != nil {
		return err
	}
	entries := make([]audit.Event, len(cases))
	for n, c := range cases {
		entries[n] = c.entry(purpose, a)
	}
	return x.Record.AppendAll(ctx, t, who, entries)
}

// act adds a line to the case's history and to the access record.
func (x *Desk) act(ctx context.Context, t tx.Tx, who actor.Actor, purpose audit.Purpose, c Stored, a Act) error {
	a.At = x.Now().UTC()
	if err := x.Rows.AddAct(ctx, t, c, a); err != nil {
		return err
	}
	return x.Record.Append(ctx, t, who, c.entry(purpose, a))
}

// entry is what the access record keeps of an act.
func (c Stored) entry(purpose audit.Purpose, a Act) audit.Event {
	return audit.Event{Purpose: purpose, Action: "case." + string(a.What), CitizenID: c.Child,
		Municipality: c.Municipality, Object: c.ID, Items: []string{c.Indicator}}
}
