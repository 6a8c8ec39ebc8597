package approval

import (
	"context"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/tx"
)

// Waiting is a request in an officer's queue.
type Waiting struct {
	Request
	// Mine tells that the officer may decide it. Otherwise it is their own work and stands
	// there so that they see who else could.
	Mine bool
	// Others names the other officers who may decide it.
	Others []string
}

// Waiting gives what waits for the officer's roles in their municipality, oldest first, at
// most MaxWaiting, and records the look.
func (x *Desk) Waiting(ctx context.Context, who actor.Staff, purpose audit.Purpose) ([]Waiting, error) {
	var out []Waiting
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
		out, err = x.waiting(ctx, t, who)
		if err != nil {
			return err
		}
		return x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: "approval.queue", Municipality: who.Municipality})
	})
	return out, err
}

func (x *Desk) waiting(ctx context.Context, t tx.Tx, who actor.Staff) ([]Waiting, error) {
	if len(who.Roles) == 0 || who.Municipality == "" {
		return nil, nil
	}
	open, err := x.Rows.Open(ctx, t, who.Municipality, who.Roles, MaxWaiting)
	if err != nil {
		return nil, err
	}
	holders := map[actor.Role][]Officer{}
	out := make([]Waiting, len(open))
	for i, r := range open {
		if _, asked := holders[r.Role]; !asked {
			if holders[r.Role], err = x.Rows.Holders(ctx, t, who.Municipality, r.Role); err != nil {
				return nil, err
			}
		}
		out[i] = Waiting{Request: r, Mine: !r.Own(who.ID)}
		for _, o := range holders[r.Role] {
			if o.ID != who.ID && !r.Own(o.ID) {
				out[i].Others = append(out[i].Others, o.Name)
			}
		}
	}
	return out, nil
}
