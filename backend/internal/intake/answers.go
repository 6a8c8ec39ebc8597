package intake

import (
	"context"
	"math"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// MaxWait bounds one long poll.
const MaxWait = 25 * time.Second

// Answers gives the terminal's answers after the cursor, at most wire.MaxAnswers. When
// there is none it waits up to wait, and ends early and empty when ctx ends (the server
// drains) or the terminal itself asked twice more: it asks again with the same cursor.
func (x *Intake) Answers(ctx context.Context, who actor.Terminal, _ audit.Purpose, after uint64, wait time.Duration) (wire.Answers, error) {
	if after > math.MaxInt64 {
		return wire.Answers{}, fault.At(fault.InvalidArgument, "after", "must be a cursor that was given")
	}
	// Registered before the first read: an answer between the two still rings.
	w, done := x.bell.wait(who.ID, after)
	defer done()
	deadline := time.NewTimer(min(max(wait, 0), MaxWait))
	defer deadline.Stop()
	for {
		found, err := x.Rows.Answers(ctx, who.ID, after, wire.MaxAnswers)
		if ctx.Err() != nil {
			return page(after, nil), nil
		}
		if err != nil || len(found) > 0 || wait <= 0 {
			return page(after, found), err
		}
		select {
		case <-w.rung:
		case <-w.over:
			return page(after, nil), nil
		case <-deadline.C:
			return page(after, nil), nil
		case <-ctx.Done():
			return page(after, nil), nil
		}
	}
}

func page(after uint64, found []wire.Answer) wire.Answers {
	p := wire.Answers{Version: wire.Version, Cursor: after, Answers: []wire.Answer{}}
	if len(found) > 0 {
		p.Cursor, p.Answers = found[len(found)-1].Cursor, found
	}
	return p
}

// Waiting tells how many terminals wait for an answer in this process.
func (x *Intake) Waiting() int { return len(x.bell.terminals()) }
