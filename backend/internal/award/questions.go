package award

import (
	"context"
	"slices"
	"strings"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/identity"
)

// Questions lists the run's cases that need a person. Households with protected people are
// left out for officers who do not work for them.
func (x *Office) Questions(ctx context.Context, who actor.Staff, purpose audit.Purpose, run, after string, limit int) (out []Question, next string, err error) {
	if err := mayLook(who); err != nil {
		return nil, "", err
	}
	if limit <= 0 || limit > MaxListed {
		limit = MaxListed
	}
	citizen, trouble, _ := strings.Cut(after, " ")
	place := Question{Citizen: identity.CitizenID(citizen), Trouble: Trouble(trouble)}
	err = x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		r, err := x.runOf(ctx, t, who, run)
		if err != nil {
			return err
		}
		if out, err = x.Rows.Questions(ctx, t, run, place, limit+1); err != nil {
			return err
		}
		if len(out) > limit {
			out = out[:limit]
			next = string(out[limit-1].Citizen) + " " + string(out[limit-1].Trouble)
		}
		return x.nameQuestions(ctx, t, who, purpose, r, &out)
	})
	return out, next, err
}

func (x *Office) nameQuestions(ctx context.Context, t tx.Tx, who actor.Staff, purpose audit.Purpose, r Run, all *[]Question) error {
	var ids, everybody []identity.CitizenID
	for _, q := range *all {
		ids = append(ids, q.Citizen)
	}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	homes, err := x.People.Housemates(ctx, t, ids)
	if err != nil {
		return err
	}
	for _, home := range homes {
		everybody = append(everybody, home...)
	}
	hidden, err := x.hidden(ctx, t, who, everybody)
	if err != nil {
		return err
	}
	named, err := x.People.Named(ctx, t, ids)
	if err != nil {
		return err
	}
	*all = slices.DeleteFunc(*all, func(q Question) bool {
		return slices.ContainsFunc(homes[q.Citizen], func(id identity.CitizenID) bool { return hidden[id] })
	})
	ids = ids[:0]
	for i := range *all {
		q := &(*all)[i]
		q.Ref, q.Name = named[q.Citizen].Resident.Ref.Resident, named[q.Citizen].Resident.Name
		ids = append(ids, q.Citizen)
	}
	return x.looked(ctx, t, who, purpose, "benefit.questions", r.Municipality, r.ID, false, ids)
}
