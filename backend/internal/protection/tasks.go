package protection

import (
	"context"
	"slices"
	"strings"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/remark"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

// Task is something withheld that waits for a protector.
type Task struct {
	Withheld
	Ref  string // the municipality's own key of the person
	Name string
}

// Since is how long it has waited.
func (t Task) Since() time.Time { return t.At }

// Waiting lists what was withheld in the officer's municipality and nobody has settled,
// oldest first, and records for each person that an officer looked.
func (x *Register) Waiting(ctx context.Context, who actor.Staff, purpose audit.Purpose, limit int) ([]Task, error) {
	if err := may(who, purpose); err != nil {
		return nil, err
	}
	var out []Task
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		waiting, err := x.Rows.Waiting(ctx, t, who.Municipality, within(limit))
		if err != nil {
			return err
		}
		ids, objects := make([]identity.CitizenID, len(waiting)), make([]string, len(waiting))
		for i, w := range waiting {
			ids[i], objects[i] = w.Citizen, w.Object
		}
		people, err := x.People.Standings(ctx, t, ids)
		if err != nil {
			return err
		}
		out = make([]Task, len(waiting))
		for i, w := range waiting {
			r := people[w.Citizen].Resident
			out[i] = Task{w, r.Ref.Resident, r.Name.Kanji()}
		}
		return x.looked(ctx, t, who, purpose, "withheld.list", ids, objects)
	})
	return out, err
}

var errNoTask = fault.New(fault.NotFound, "there is no such task")

// Settle notes how a person dealt with what was withheld. Settling it again in the same
// way is no fault; in another way, or by somebody else, it is a Conflict.
func (x *Register) Settle(ctx context.Context, who actor.Staff, purpose audit.Purpose, id string, how How, note string) error {
	if err := may(who, purpose); err != nil {
		return err
	}
	if !slices.Contains([]How{InPerson, ByPhone, ByLawyer, NotSent}, how) {
		return fault.At(fault.InvalidArgument, "how", "there is no such way")
	}
	note = strings.TrimSpace(note)
	if err := remark.Check("note", note, 0, MaxNote); err != nil {
		return err
	}
	return x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		w, ok, err := x.Rows.ByID(ctx, t, who.Municipality, id)
		if err != nil {
			return err
		}
		if !ok {
			return errNoTask
		}
		mine := Settlement{Citizen: w.Citizen, ID: id, How: how, Note: note, By: who.ID, At: x.Now()}
		there, err := x.Rows.Settle(ctx, t, mine)
		if err != nil {
			return err
		}
		if there.How != how || there.Note != note || there.By != who.ID {
			return fault.New(fault.Conflict, "this was settled already")
		}
		return x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: "withheld.settle", CitizenID: w.Citizen,
			Municipality: w.Municipality, Object: w.Object, Items: []string{string(how)}})
	})
}
