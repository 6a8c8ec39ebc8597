package push

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/protection"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

// ErrLocked: the push service does not know our credentials. An operator must act.
var ErrLocked = errors.New("cannot push: the push service refuses our credentials")

// Deliver wakes every device of the recipients that has not been woken for its notice,
// unless a protection of the recipient or of somebody the notice tells of holds now. It is safe to repeat, and asks to be repeated by an error as long as a push is open.
func (x *Desk) Deliver(ctx context.Context, who actor.System, purpose audit.Purpose, b Batch) error {
	wakes, err := b.wakes()
	if err != nil {
		return err
	}
	if x.Sender == nil || len(wakes) == 0 {
		return x.finish(ctx, b.Notice)
	}
	open, tokens, err := x.plan(ctx, who, purpose, b, wakes)
	if err != nil {
		return err
	}
	later := 0
	for part := range slices.Chunk(open, chunk) {
		n, err := x.sendAllowed(ctx, who, part, tokens)
		if err != nil {
			return err
		}
		later += n
	}
	if later > 0 {
		return fault.Wrap(fault.Unavailable, fmt.Errorf("%d of %d pushes are still open", later, len(open)), "the push service is busy")
	}
	return x.finish(ctx, b.Notice)
}

func (x *Desk) finish(ctx context.Context, id string) error {
	return x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error { return x.Rows.Done(ctx, t, id, x.Now()) })
}

// sendAllowed sends those of one part that no protection stops at this moment.
func (x *Desk) sendAllowed(ctx context.Context, who actor.System, part []Send, tokens map[spot]string) (later int, err error) {
	free, err := x.allowed(ctx, who, part)
	if err != nil || len(free) == 0 {
		return 0, err
	}
	return x.send(ctx, free, tokens)
}

// allowed gives the pushes that no protection stops at this moment. Those that one stops
// have ended, and wait on the list of the protectors.
func (x *Desk) allowed(ctx context.Context, who actor.System, part []Send) (free []Send, err error) {
	err = x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		notices, ids := make([]string, len(part)), make([]identity.CitizenID, len(part))
		for i, s := range part {
			notices[i], ids[i] = s.Notice, s.Citizen
		}
		matters, err := x.Rows.Matters(ctx, t, slices.Compact(slices.Sorted(slices.Values(notices))))
		if err != nil {
			return err
		}
		for _, m := range matters {
			ids = append(ids, m.About...)
		}
		flagged, err := x.Protection.Flagged(ctx, t, ids)
		if err != nil {
			return err
		}
		var stopped []Send
		free, stopped = split(part, matters, flagged)
		return x.stop(ctx, t, who, stopped, matters)
	})
	return free, err
}

func split(part []Send, matters map[string]Matter, flagged map[identity.CitizenID]bool) (free, stopped []Send) {
	for _, s := range part {
		about := func(id identity.CitizenID) bool { return flagged[id] }
		if flagged[s.Citizen] || slices.ContainsFunc(matters[s.Notice].About, about) {
			stopped = append(stopped, s)
			continue
		}
		free = append(free, s)
	}
	return free, stopped
}

// stop ends pushes that a protection stops, and tells the protectors.
func (x *Desk) stop(ctx context.Context, t tx.Tx, who actor.System, stopped []Send, matters map[string]Matter) error {
	if len(stopped) == 0 {
		return nil
	}
	ended, withheld := make([]Ended, len(stopped)), make([]protection.Withheld, len(stopped))
	entries := make([]audit.Event, len(stopped))
	for i, s := range stopped {
		m := matters[s.Notice]
		ended[i] = Ended{s, Stopped, x.Now()}
		withheld[i] = protection.Withheld{Citizen: s.Citizen, Municipality: m.Municipality, Object: s.Notice,
			What: protection.Push, Title: m.Title, At: x.Now()}
		entries[i] = audit.Event{Purpose: audit.Protection, Action: "push.stop", CitizenID: s.Citizen, Municipality: m.Municipality, Object: s.Notice}
	}
	if err := x.Rows.AddOutcomes(ctx, t, ended); err != nil {
		return err
	}
	if err := x.Protection.Withhold(ctx, t, withheld); err != nil {
		return err
	}
	return x.Record.AppendAll(ctx, t, who, entries)
}

// spot is one citizen's device.
type spot struct {
	citizen identity.CitizenID
	device  string
}

// plan makes the sends that are missing and gives those that are open, with the tokens of
// the devices that are there.
func (x *Desk) plan(ctx context.Context, who actor.System, purpose audit.Purpose, b Batch, wakes []Wake) (open []Send, tokens map[spot]string, err error) {
	err = x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		devices, err := x.Rows.Devices(ctx, t, slices.Compact(slices.Sorted(slices.Values(b.Recipients))))
		if err != nil {
			return err
		}
		var sends []Send
		if sends, tokens, err = x.sends(wakes, devices); err != nil {
			return err
		}
		if err := x.Rows.AddSends(ctx, t, sends); err != nil {
			return err
		}
		if open, err = x.Rows.Open(ctx, t, wakes); err != nil {
			return err
		}
		return x.recordNew(ctx, t, who, purpose, b.Notice, sends, open)
	})
	return open, tokens, err
}

// sends makes one push for each wake and device of its citizen.
func (x *Desk) sends(wakes []Wake, devices []Device) (sends []Send, tokens map[spot]string, err error) {
	of := map[identity.CitizenID][]Device{}
	tokens = map[spot]string{}
	for _, d := range devices {
		of[d.Citizen] = append(of[d.Citizen], d)
		tokens[spot{d.Citizen, d.Device}] = d.Token
	}
	for _, w := range wakes {
		for _, d := range of[w.Citizen] {
			id, err := x.IDs.New(HandlePrefix)
			if err != nil {
				return nil, nil, err
			}
			sends = append(sends, Send{w.Citizen, w.Notice, d.Device, id, x.Now()})
		}
	}
	return sends, tokens, nil
}

// recordNew records the attempt, and for each citizen, at the first attempt for a notice,
// that their devices were looked up.
func (x *Desk) recordNew(ctx context.Context, t tx.Tx, who actor.System, purpose audit.Purpose, id string, made, open []Send) error {
	mine := map[string]bool{} // handles that this attempt made
	for _, s := range made {
		mine[s.Handle] = true
	}
	var fresh []Wake
	var notices []string
	for _, s := range open {
		if w := (Wake{s.Citizen, s.Notice}); mine[s.Handle] && !slices.Contains(fresh, w) {
			fresh, notices = append(fresh, w), append(notices, w.Notice)
		}
	}
	matters, err := x.Rows.Matters(ctx, t, slices.Compact(slices.Sorted(slices.Values(notices))))
	if err != nil {
		return err
	}
	var entries []audit.Event
	for _, w := range fresh {
		entries = append(entries, audit.Event{Purpose: matters[w.Notice].recordedAs(purpose), Action: "push.send",
			CitizenID: w.Citizen, Object: w.Notice, Items: []string{"device"}})
	}
	entries = append(entries, audit.Event{Purpose: purpose, Action: "push.send", Object: id})
	return x.Record.AppendAll(ctx, t, who, entries)
}

// send hands over one part and notes how each push ended; later counts those to try again.
func (x *Desk) send(ctx context.Context, part []Send, tokens map[spot]string) (later int, err error) {
	var messages []Message
	var asked []Send
	var ended []Ended
	for _, s := range part {
		token, ok := tokens[spot{s.Citizen, s.Device}]
		if !ok { // the device left since the push was planned
			ended = append(ended, Ended{s, Gone, x.Now()})
			continue
		}
		asked, messages = append(asked, s), append(messages, Message{token, s.Handle})
	}
	locked := false
	var dead []Ended
	for i, r := range x.Sender.Send(ctx, messages) {
		switch r {
		case Taken:
			ended = append(ended, Ended{asked[i], Accepted, x.Now()})
		case Dead:
			dead = append(dead, Ended{asked[i], Gone, x.Now()})
		case Rejected:
			x.Log.ErrorContext(ctx, "a push was rejected as malformed", "handle", asked[i].Handle)
			ended = append(ended, Ended{asked[i], Refused, x.Now()})
		case Locked:
			locked = true
		default:
			later++
		}
	}
	if err := x.keep(ctx, append(ended, dead...), dead, tokens); err != nil {
		return later, err
	}
	if locked {
		x.Log.ErrorContext(ctx, "the push service refuses our credentials", "alarm", "push_credentials")
		return later, ErrLocked
	}
	return later, nil
}

// keep stores outcomes, then forgets dead tokens, each citizen's in its own transaction.
// It does so even when the job is being stopped: what was sent must be known.
func (x *Desk) keep(ctx context.Context, ended, dead []Ended, tokens map[spot]string) error {
	ctx = context.WithoutCancel(ctx)
	if len(ended) > 0 {
		if err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error { return x.Rows.AddOutcomes(ctx, t, ended) }); err != nil {
			return err
		}
	}
	for _, e := range dead {
		err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
			return x.Rows.Drop(ctx, t, e.Citizen, e.Device, TokenHash(tokens[spot{e.Citizen, e.Device}]))
		})
		if err != nil {
			return err
		}
	}
	return nil
}
