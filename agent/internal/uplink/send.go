package uplink

import (
	"context"
	"errors"
	"time"

	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// turn is what the send loop alone remembers.
type turn struct {
	most    int       // records of the next batch, at most
	beatAt  time.Time // when a batch without records is due
	start   time.Time // when the backlog begins after an outage
	slotted bool      // the backend itself said when to come, so that start is not needed
	renewed bool      // the last receipt was of a restored backend, and nothing was settled since
	askKey  time.Time // not before then is the profile asked for again
	doubted bool
}

// errKept: the backend has the batch and kept nothing of it.
var errKept = errors.New("the backend kept nothing of the batch")

// errStores: two receipts in a row came from other lives of the backend's store.
var errStores = errors.New("the backend answers from more than one store")

// rest is what the send loop does next: nothing for so long (0: until it is kicked), and
// until floor even if it is kicked.
type rest struct {
	on       bool
	d, floor time.Duration
}

// sendLoop sends batches while anything waits, then sleeps until it is kicked or the next
// beat is due.
func (u *Uplink) sendLoop(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		r, err := u.sendOnce(ctx)
		switch {
		case errors.Is(err, errResting):
			r = rest{true, u.Base, u.Base}
		case err != nil:
			after := max(retryAfter(err), r.d)
			u.slot(after)
			r = rest{true, max(u.backoff(failures), after), max(u.Base, after)}
			failures++
		default:
			failures = 0
		}
		if r.on {
			u.send.wait(ctx, r.d, r.floor)
		}
	}
}

// sendOnce sends one batch, or says how long to rest. An error means that the batch will be
// sent again, not before the rest's d.
func (u *Uplink) sendOnce(ctx context.Context) (rest, error) {
	waiting := u.Queue.Pending()
	var records []wire.Record
	if waiting <= wire.LiveRecords || !u.away(u.Now()) { // else a beat goes: nothing need be read for it
		var err error
		if records, err = u.Queue.Peek(ctx, u.turn.most, wire.BatchBudget); err != nil {
			u.complain(ctx, "the queue cannot be read", err)
			return rest{}, err
		}
	}
	waiting = max(waiting, len(records))
	records, r := u.plan(records, waiting)
	if r.on {
		return r, nil
	}
	b := u.batch(records, waiting-len(records))
	receipt, err := u.deliver(ctx, b)
	if errors.Is(err, errResting) {
		return rest{}, err
	}
	u.heard(ctx, sending, err)
	u.size(len(records), err)
	if err != nil {
		return rest{}, err
	}
	u.turn.beatAt = u.Now().Add(u.Beat)
	u.doubt(ctx, records, receipt)
	return u.settle(ctx, records, receipt)
}

// plan decides what of the records goes now: all, none (a beat), or nothing until later.
// After an outage a beat goes first where a backlog waits, and the backlog begins at a random
// time.
func (u *Uplink) plan(records []wire.Record, waiting int) ([]wire.Record, rest) {
	t, now := &u.turn, u.Now()
	backlog := waiting > wire.LiveRecords
	over, on, greet := u.outage(now)
	if greet {
		t.beatAt = now
	}
	if over {
		t.start = time.Time{}
		if backlog && !t.slotted && u.Spread != nil {
			t.start = now.Add(u.share(min(u.Spread(), MaxSpread)))
		}
	}
	if over || !on {
		t.slotted = false
	}
	held := backlog && (on || now.Before(t.start))
	if !held {
		u.until(time.Time{})
	} else if records = nil; on {
		return nil, rest{} // whether the backend is there is asked with little
	} else {
		u.until(t.start)
	}
	switch {
	case len(records) > 0 || !now.Before(t.beatAt):
		return records, rest{}
	case held:
		d := min(t.start.Sub(now), t.beatAt.Sub(now))
		return nil, rest{true, d, d}
	}
	return nil, rest{true, t.beatAt.Sub(now), 0}
}

// batch is what is said with the records.
func (u *Uplink) batch(records []wire.Record, behind int) wire.Batch {
	b := wire.Batch{
		Records: records, ServerEpoch: u.Queue.Confirmed().ServerEpoch, Epoch: u.Queue.Epoch(),
		Behind: min(behind, wire.MaxBehind), Clock: u.Clock(),
	}
	if u.Health != nil {
		signed, err := u.Health(b.Clock)
		if err != nil {
			u.complain(context.Background(), "the health summary could not be made", err)
		}
		b.Health = signed
	}
	return b
}

// deliver gives the backend's receipt, if it is the backend's.
func (u *Uplink) deliver(ctx context.Context, b wire.Batch) (receipt wire.Receipt, err error) {
	asked := u.Now()
	err = u.call(func() error {
		receipt, err = u.Backend.Send(ctx, b)
		return err
	})
	if err == nil {
		err = u.trust(b.Records, receipt)
	}
	if err == nil {
		u.compare(asked, receipt)
	}
	return receipt, err
}

// settle stores the backend's word. It gives the rest that the backend asked for.
func (u *Uplink) settle(ctx context.Context, records []wire.Record, receipt wire.Receipt) (rest, error) {
	receipt, settled := matching(records, receipt)
	slot := min(time.Duration(receipt.RetryAfterMS)*time.Millisecond, MaxRetryAfter)
	restored, err := u.reopen(ctx, receipt)
	if err != nil {
		return rest{}, err
	}
	if len(records) > 0 {
		if err := u.Handler.Settled(ctx, receipt); err != nil {
			u.complain(ctx, "the desk could not store the backend's word", err)
			return rest{}, err
		}
	}
	if err := u.Queue.Settle(ctx, receipt); err != nil {
		u.complain(ctx, "the queue could not store the backend's word", err)
		return rest{}, err
	}
	twice := restored && u.turn.renewed
	u.turn.renewed = restored && settled == 0
	r := rest{slot > 0, slot, slot}
	switch {
	case twice:
		return r, errStores
	case len(records) > 0 && settled == 0 && !restored:
		return r, errKept
	}
	u.slot(slot)
	return r, nil
}

// slot notes that the backend itself said when to come.
func (u *Uplink) slot(after time.Duration) {
	if after > 0 {
		u.turn.slotted = true
		u.until(u.Now().Add(after))
	}
}

// size halves the next batch after one that was refused as a whole for what is in it, so
// that one record, or a proxy's limit, does not hold up all others for ever.
func (u *Uplink) size(sent int, err error) {
	switch fault.CodeOf(err) {
	case fault.TooLarge, fault.InvalidArgument:
		u.turn.most = max(sent/2, 1)
	case "":
		u.turn.most = min(u.turn.most*2, wire.MaxBatchRecords)
	}
}
