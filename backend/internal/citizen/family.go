package citizen

import (
	"context"
	"maps"
	"slices"
	"strings"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

// Person is somebody whose things a citizen may see and do.
type Person struct {
	Resident
	Self bool // else a child of the household
}

// Me is a citizen with the people they act for.
type Me struct {
	Municipality Municipality
	People       []Person // the citizen first, then the children, oldest first
}

// Me gives the citizen and the children they act for, and records the reading of each.
func (x *Registry) Me(ctx context.Context, who actor.Citizen, purpose audit.Purpose) (Me, error) {
	var out Me
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		people, err := x.People(ctx, t, who)
		if err != nil {
			return err
		}
		m, err := x.Municipality(ctx, t, people[0].Ref.Municipality)
		if err != nil {
			return err
		}
		for _, p := range people {
			if err := x.Record.Append(ctx, t, who, audit.Event{
				Purpose: purpose, Action: "person.read", CitizenID: p.ID, Municipality: p.Ref.Municipality,
				Items: []string{"name", "birth_date"},
			}); err != nil {
				return err
			}
		}
		out = Me{m, people}
		return nil
	})
	return out, err
}

// People gives the citizen first, then those for whom they act: living children under
// AdultAge of the same household, where the citizen is its head or the head's spouse. A
// citizen who is no longer a living resident gets IdentityUnlinked with the counter.
//
// It records nothing: the caller records what it reads of whom.
func (x *Registry) People(ctx context.Context, t tx.Tx, who actor.Citizen) ([]Person, error) {
	standings, err := x.Rows.Standings(ctx, t, []identity.CitizenID{who.ID})
	if err != nil {
		return nil, err
	}
	self := standings[who.ID]
	if !self.Lives(x.today()) {
		unlinked, err := x.unlinked(ctx, t, self.Resident, "")
		if err != nil {
			return nil, err
		}
		return nil, unlinked
	}
	people := []Person{{self.Resident, true}}
	home, err := x.Rows.Household(ctx, t, who.ID)
	if err != nil {
		return nil, err
	}
	if r := home[who.ID].Relation; r != Head && r != Spouse {
		return people, nil
	}
	children, err := x.children(ctx, t, home)
	if err != nil {
		return nil, err
	}
	return append(people, children...), nil
}

func (x *Registry) children(ctx context.Context, t tx.Tx, home map[identity.CitizenID]Member) ([]Person, error) {
	var ids []identity.CitizenID
	for id, m := range home {
		if m.Relation == Child {
			ids = append(ids, id)
		}
	}
	standings, err := x.Rows.Standings(ctx, t, ids)
	if err != nil {
		return nil, err
	}
	var out []Person
	today := x.today()
	for _, s := range standings {
		if s.Lives(today) && s.Resident.BirthDate.AgeOn(today) < AdultAge {
			out = append(out, Person{Resident: s.Resident})
		}
	}
	slices.SortFunc(out, func(a, b Person) int {
		if c := a.BirthDate.Compare(b.BirthDate.Date); c != 0 {
			return c
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
	return out, nil
}

// Municipality gives one municipality of the cell.
func (x *Registry) Municipality(ctx context.Context, t tx.Tx, code identity.MunicipalityCode) (Municipality, error) {
	all, err := x.Rows.Municipalities(ctx, t)
	if err != nil {
		return Municipality{}, err
	}
	for _, m := range all {
		if m.Code == code {
			return m, nil
		}
	}
	return Municipality{}, fault.New(fault.NotFound, "there is no such municipality in this cell")
}

// Residents gives the living residents of one municipality by its own refs; refs that
// name nobody there, or somebody who does not live there any more, are absent alike.
func (x *Registry) Residents(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, refs []string) (map[string]identity.CitizenID, error) {
	ask := make([]Ref, len(refs))
	for i, r := range refs {
		ask[i] = Ref{m, r}
	}
	ids, err := x.Rows.Resolve(ctx, t, ask)
	if err != nil {
		return nil, err
	}
	standings, err := x.Rows.Standings(ctx, t, slices.Collect(maps.Values(ids)))
	out := map[string]identity.CitizenID{}
	for ref, id := range ids {
		if standings[id].Lives(x.today()) {
			out[ref.Resident] = id
		}
	}
	return out, err
}

// AccessLog lists who looked at the citizen's data, newest first, as far as each purpose
// allows. cursor is the Next of the page before, or "".
func (x *Registry) AccessLog(ctx context.Context, who actor.Citizen, purpose audit.Purpose, cursor string, limit int) (seen []Seen, next string, err error) {
	err = x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		page, err := x.Looked.VisibleIn(ctx, t, who.ID, cursor, limit)
		if err != nil {
			return err
		}
		all, err := x.Rows.Municipalities(ctx, t)
		if err != nil {
			return err
		}
		names := map[string]string{}
		for _, m := range all {
			names[string(m.Code)] = m.NameJA + " " + m.Counter.Name
		}
		next, seen = page.Next, make([]Seen, len(page.Entries))
		for i, e := range page.Entries {
			seen[i] = Seen{e, x.whoLooked(e.Actor.ID, string(e.Actor.Kind), names[e.Municipality], who)}
		}
		return x.Record.Append(ctx, t, who, audit.Event{
			Purpose: purpose, Action: "access_log.read", CitizenID: who.ID, Municipality: who.Municipality,
		})
	})
	return seen, next, err
}

// whoLooked names the office, never the officer.
func (x *Registry) whoLooked(id, kind, office string, who actor.Citizen) string {
	switch {
	case id == string(who.ID):
		return "you"
	case kind == "citizen":
		return "ご家族"
	case office != "":
		return office
	}
	return "役所"
}

// RefsOf gives the municipalities' own keys of citizens.
func (x *Registry) RefsOf(ctx context.Context, t tx.Tx, ids []identity.CitizenID) (map[identity.CitizenID]string, error) {
	standings, err := x.Rows.Standings(ctx, t, ids)
	out := map[identity.CitizenID]string{}
	for id, s := range standings {
		out[id] = s.Resident.Ref.Resident
	}
	return out, err
}
