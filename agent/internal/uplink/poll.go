package uplink

import (
	"context"
	"errors"

	"madoguchi.example/shared/wire"
)

// pollLoop asks for answers, one question after the other.
func (u *Uplink) pollLoop(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		err := u.pollOnce(ctx)
		switch {
		case err == nil:
			failures = 0
		case errors.Is(err, errResting):
			u.poll.wait(ctx, u.Base, u.Base)
		default:
			after := retryAfter(err)
			u.poll.wait(ctx, max(u.backoff(failures), after), max(u.Base, after))
			failures++
		}
	}
}

func (u *Uplink) pollOnce(ctx context.Context) error {
	after := u.Queue.Cursor()
	asked := u.Now()
	wait := u.LongPoll
	if !u.Line().Up {
		wait = 0 // a held question would leave the desk in doubt about the line for as long
	}
	var page wire.Answers
	err := u.call(func() (err error) {
		page, err = u.Backend.Answers(ctx, after, wait)
		return err
	})
	if errors.Is(err, errResting) {
		return err
	}
	u.heard(ctx, polling, err)
	if err != nil {
		return err
	}
	fresh, ids := page.Answers[:0:0], []string(nil)
	for _, a := range page.Answers {
		if a.Cursor > after {
			fresh, ids = append(fresh, a), append(ids, a.RecordID)
		}
	}
	if len(fresh) == 0 {
		if u.Now().Sub(asked) < u.LongPoll/2 {
			u.poll.wait(ctx, u.Base, u.Base) // a backend that does not hold the question is not asked in a circle
		}
		return nil
	}
	if err := u.Queue.MarkAnswered(ctx, ids...); err != nil {
		u.complain(ctx, "the queue could not note answers", err)
		return err
	}
	if err := u.Handler.Take(ctx, fresh, max(page.Cursor, fresh[len(fresh)-1].Cursor)); err != nil {
		u.complain(ctx, "the desk could not store answers", err)
		return err
	}
	return nil
}

// upkeepLoop lets the queue do what is due.
func (u *Uplink) upkeepLoop(ctx context.Context) {
	never := make(wake)
	for ctx.Err() == nil {
		m, err := u.Queue.Maintain(ctx)
		if err != nil {
			u.complain(ctx, "the queue's upkeep failed", err)
		}
		if m.Removed > 0 || m.Keys > 0 {
			u.Log.InfoContext(ctx, "old accepted records removed", "records", m.Removed, "day_keys", m.Keys)
		}
		never.wait(ctx, u.TrimEvery, u.TrimEvery)
	}
}
