package mailbox

import (
	"context"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/push"
	"madoguchi.example/backend/internal/tx"
)

// Times of the sweep.
const (
	sweepAfter  = 15 * time.Minute // a job that is only slow has begun by then
	sweepBefore = 24 * time.Hour   // older pushes would only confuse
	sweepLimit  = 50
)

// Sweep asks again for the pushes of notices whose job was lost, once for each notice and
// each posting. What a protection withholds was never to be pushed and is not.
func (x *Office) Sweep(ctx context.Context, who actor.System, purpose audit.Purpose) error {
	var lost []Lost
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
		lost, err = x.Rows.Lost(ctx, t, x.Now().Add(-sweepBefore), x.Now().Add(-sweepAfter), sweepLimit)
		return err
	})
	if err != nil {
		return err
	}
	for _, l := range lost {
		if err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error { return x.askAgain(ctx, t, who, purpose, l) }); err != nil {
			return err
		}
	}
	return nil
}

func (x *Office) askAgain(ctx context.Context, t tx.Tx, who actor.System, purpose audit.Purpose, l Lost) error {
	mine, err := x.Rows.Swept(ctx, t, l.ID, x.Now())
	if err != nil || !mine {
		return err
	}
	owed, err := x.Rows.Owed(ctx, t, l)
	if err != nil {
		return err
	}
	batch := push.Batch{Notice: l.ID}
	for _, c := range owed {
		batch.Add(c.Citizen, c.Notice)
	}
	if err := x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: "push.ask_again", Municipality: l.Municipality, Object: l.ID}); err != nil {
		return err
	}
	return x.Queue.Enqueue(ctx, t, batch)
}

// AskAgainAll asks for every push that is owed, however old its notice is, and tells for how
// many notices and postings. It is for a store that was restored without its queue.
func (x *Office) AskAgainAll(ctx context.Context, who actor.System, purpose audit.Purpose) (int, error) {
	return x.eachOwed(ctx, func(ctx context.Context, t tx.Tx, l Lost) error { return x.askAgain(ctx, t, who, purpose, l) })
}

// DropAll gives up every push that is owed: the notices lie in the mailboxes, and nobody is
// woken for them. It tells for how many notices and postings.
func (x *Office) DropAll(ctx context.Context, who actor.System, purpose audit.Purpose) (int, error) {
	return x.eachOwed(ctx, func(ctx context.Context, t tx.Tx, l Lost) error {
		mine, err := x.Rows.Swept(ctx, t, l.ID, x.Now())
		if err != nil || !mine {
			return err
		}
		return x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: "push.give_up", Municipality: l.Municipality, Object: l.ID})
	})
}

// eachOwed does something with each notice and posting whose pushes are owed; do marks it as
// swept, so that it is not found again.
func (x *Office) eachOwed(ctx context.Context, do func(ctx context.Context, t tx.Tx, l Lost) error) (int, error) {
	n := 0
	for {
		var some []Lost
		err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
			some, err = x.Rows.Lost(ctx, t, time.Time{}, x.Now().Add(time.Second), sweepLimit)
			return err
		})
		if err != nil || len(some) == 0 {
			return n, err
		}
		for _, l := range some {
			if err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error { return do(ctx, t, l) }); err != nil {
				return n, err
			}
			n++
		}
	}
}
