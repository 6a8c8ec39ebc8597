package citizen

import (
	"context"
	"maps"
	"slices"

	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

// Home is a child with the adults who head the household: its head and the head's spouse,
// living residents of age, the head first.
type Home struct {
	Child     Resident
	Guardians []Resident
	// Members are the others of the household by id, also those who died or moved out.
	Members []identity.CitizenID
}

// Municipalities lists the municipalities of the cell by code.
func (x *Registry) Municipalities(ctx context.Context, t tx.Tx) ([]Municipality, error) {
	return x.Rows.Municipalities(ctx, t)
}

// Young gives the residents of one municipality born on from or later, who live there
// today, ordered by id, from those after the id given; and the id after which the next page
// begins, "" at the end. A page may hold fewer than limit people, or nobody, before the end.
//
// It records nothing: the caller records what it reads.
func (x *Registry) Young(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, from civil.Date, after identity.CitizenID, limit int) (page []Resident, next identity.CitizenID, err error) {
	ids, err := x.Rows.BornSince(ctx, t, m, from, after, limit)
	if err != nil {
		return nil, "", err
	}
	standings, err := x.Rows.Standings(ctx, t, ids)
	if err != nil {
		return nil, "", err
	}
	for _, id := range ids {
		if s := standings[id]; s.Lives(x.today()) {
			page = append(page, s.Resident)
		}
	}
	if len(ids) == limit {
		next = ids[limit-1]
	}
	return page, next, nil
}

// HomeOf gives a living resident with the adults who head the household. Somebody who no
// longer lives there is NotFound.
//
// It records nothing: the caller records what it reads.
func (x *Registry) HomeOf(ctx context.Context, t tx.Tx, child identity.CitizenID) (Home, error) {
	members, err := x.Rows.Household(ctx, t, child)
	if err != nil {
		return Home{}, err
	}
	ids := []identity.CitizenID{child}
	for id, m := range members {
		if id != child && (m.Relation == Head || m.Relation == Spouse) {
			ids = append(ids, id)
		}
	}
	standings, err := x.Rows.Standings(ctx, t, ids)
	if err != nil {
		return Home{}, err
	}
	today := x.today()
	if !standings[child].Lives(today) {
		return Home{}, fault.New(fault.NotFound, "the child does not live in the municipality any more")
	}
	home := Home{Child: standings[child].Resident}
	for _, id := range slices.Sorted(maps.Keys(members)) {
		if id != child {
			home.Members = append(home.Members, id)
		}
	}
	slices.SortFunc(ids[1:], func(a, b identity.CitizenID) int {
		return headFirst(members[a].Relation) - headFirst(members[b].Relation)
	})
	for _, id := range ids[1:] {
		if s := standings[id]; s.Lives(today) && s.Resident.BirthDate.AgeOn(today) >= AdultAge {
			home.Guardians = append(home.Guardians, s.Resident)
		}
	}
	return home, nil
}

func headFirst(r Relation) int {
	if r == Head {
		return 0
	}
	return 1
}
