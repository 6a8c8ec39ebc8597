package citizen

import (
	"context"
	"slices"

	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/jptext"
)

// moveGap is the longest time in days between leaving one municipality and arriving in
// the next for which two rows may be one person. The law gives 14 days to report a move
// in (住民基本台帳法 第22条); late reports happen.
const moveGap = 60

// Earlier gives the rows under which the person stood in other municipalities of the cell
// before they moved here. Two rows are one person when name, birth date and sex agree, one
// moved out to where the other moved in, and no other row fits the same move on either
// side: a guess would mix two people's health records. It follows several moves.
//
// It records nothing: the caller records what it reads.
func (x *Registry) Earlier(ctx context.Context, t tx.Tx, of Resident) ([]identity.CitizenID, error) {
	alike, err := x.Rows.BornOn(ctx, t, of.BirthDate.Date, []identity.Sex{of.Sex}, maxBornOn)
	if err != nil {
		return nil, err
	}
	name := jptext.NameKey(of.Name.Kanji())
	var ids []identity.CitizenID
	for _, r := range alike {
		if jptext.NameKey(r.Name.Kanji()) == name {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) < 2 {
		return nil, nil
	}
	rows, err := x.Rows.Standings(ctx, t, ids)
	if err != nil {
		return nil, err
	}
	var out []identity.CitizenID
	for at := of.ID; ; {
		before := only(rows, func(s Standing) bool { return s.Resident.ID != at && follows(s, rows[at]) })
		if before == "" || slices.Contains(out, before) || before == of.ID {
			return out, nil
		}
		after := only(rows, func(s Standing) bool { return s.Resident.ID != before && follows(rows[before], s) })
		if after != at {
			return out, nil
		}
		out = append(out, before)
		at = before
	}
}

// follows tells whether somebody moved from the first row's municipality to the second's.
func follows(from, to Standing) bool {
	a, b := from.Resident.Ref.Municipality, to.Resident.Ref.Municipality
	for _, out := range from.Moves {
		for _, in := range to.Moves {
			if a != b && out.Kind == MoveOut && in.Kind == MoveIn && out.Other == b && in.Other == a &&
				!in.On.Before(out.On) && !in.On.After(out.On.AddDays(moveGap)) {
				return true
			}
		}
	}
	return false
}

// only gives the one citizen of whom ok is true, "" for none and for several.
func only(rows map[identity.CitizenID]Standing, ok func(Standing) bool) identity.CitizenID {
	var found identity.CitizenID
	for id, s := range rows {
		if !ok(s) {
			continue
		}
		if found != "" {
			return ""
		}
		found = id
	}
	return found
}
