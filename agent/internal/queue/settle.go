package queue

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// Settle notes the backend's word on the records of a receipt: Accepted and Duplicate are
// marked and no longer pending, Rejected and Conflict become dead letters, Retry stays.
// IDs that do not wait here are passed over, so that settling twice changes nothing. In the
// same commit it keeps ServerEpoch and Marks, whose signatures the caller has looked at.
func (q *Queue) Settle(ctx context.Context, receipt wire.Receipt) error {
	return q.do(ctx, func(tx *bbolt.Tx, g *group) (error, error) {
		settled := false
		for _, res := range receipt.Results {
			done, err := q.word(tx, g, res)
			if err != nil {
				return nil, err
			}
			settled = settled || done
		}
		return nil, q.confirm(tx, g, receipt, settled)
	})
}

// word takes the backend's word on one record, and tells whether that waited and is settled.
func (q *Queue) word(tx *bbolt.Tx, g *group, res wire.Result) (done bool, err error) {
	to := mark{ID: res.ID, Status: res.Status, Code: short(res.Code), At: g.now.UnixMilli(), Lived: g.st.Lived}
	switch res.Status {
	case wire.Accepted, wire.Duplicate, wire.Rejected, wire.Conflict:
	default:
		return false, nil
	}
	pos, ok, err := q.seek(tx, g, res.ID)
	if err != nil || !ok {
		return false, err
	}
	from, err := q.look(tx, pos)
	switch {
	case err != nil, from.ID != "" && from.ID != res.ID:
		return false, errWalk
	case !from.waits():
		return false, nil
	}
	to.Answered = from.Answered
	if r, err := q.read(tx, pos); err == nil {
		switch {
		case r.ID != res.ID:
			return false, errWalk
		case to.kept() && r.WantsAnswer():
			to.Wants = true
		}
	}
	g.st.newer(g.now)
	return true, q.remark(tx, g, pos, from, to)
}

// seekFar is how many records are looked at for one that the index does not know.
const seekFar = 2 * wire.MaxBatchRecords

// seek finds a record by its ID: in the index, or, where that lost it to a damaged page,
// among the oldest that wait, which are those that are sent.
func (q *Queue) seek(tx *bbolt.Tx, g *group, id string) (pos uint64, ok bool, err error) {
	u, err := uuid.Parse(id)
	if err != nil {
		return 0, false, nil
	}
	if pos, ok := lookUp(tx, u); ok && records(tx).Get(key(pos)) != nil {
		return pos, true, nil
	}
	c := records(tx).Cursor()
	k, sealed := c.Seek(key(g.st.Low))
	for n := 0; k != nil && n < seekFar; n++ {
		if r, err := q.open(position(k), sealed); err == nil && r.ID == id {
			return position(k), true, ids(tx).Put(u[:], k)
		}
		k, sealed = c.Next()
	}
	return 0, false, nil
}

// short keeps a code from outside within bounds.
func short(code string) string { return code[:min(len(code), 64)] }

// Confirmed is what the backend last countersigned.
type Confirmed struct {
	ServerEpoch string      `json:"server_epoch,omitempty"` // the life of its store; empty before the first receipt
	Marks       []wire.Mark `json:"marks,omitempty"`        // how far it was, the epochs of the last receipts
	LastAck     time.Time   `json:"last_ack,omitzero"`      // when it last settled a record or told Marks
}

// keepMarks is for how many epochs the backend's mark is kept.
const keepMarks = 16

// Confirmed tells what Settle or Reopen last stored of the backend.
func (q *Queue) Confirmed() Confirmed {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.confirmed
	c.Marks = slices.Clone(c.Marks)
	return c
}

// confirm keeps what a receipt says of the backend itself.
func (q *Queue) confirm(tx *bbolt.Tx, g *group, receipt wire.Receipt, settled bool) error {
	c := g.confirmed
	if receipt.ServerEpoch != "" && receipt.ServerEpoch != c.ServerEpoch {
		c.ServerEpoch, c.Marks = receipt.ServerEpoch, nil
	}
	c.Marks = slices.Clone(c.Marks)
	for _, m := range receipt.Marks {
		c.Marks = slices.DeleteFunc(c.Marks, func(old wire.Mark) bool { return old.Epoch == m.Epoch })
		c.Marks = append(c.Marks, m)
	}
	c.Marks = c.Marks[max(len(c.Marks)-keepMarks, 0):]
	if settled || len(receipt.Marks) > 0 {
		c.LastAck = g.now.UTC()
	} else if c.ServerEpoch == g.confirmed.ServerEpoch {
		return nil
	}
	g.confirmed, g.wrote = c, true
	return q.putConfirmed(tx, c)
}

// Reopen lets accepted records wait again that a restored backend forgot: those that are
// still kept with a sequence above the mark of their epoch, and all of an epoch without a
// mark, or whose mark is not of this file's own history: the disk was copied, and the copy
// came further. They are sent in their order, before what came after them. When all of them wait,
// serverEpoch and marks are stored as Settle does; until then, a repeated call goes on where
// an earlier one was cut off. Dead letters stay where they are.
func (q *Queue) Reopen(ctx context.Context, serverEpoch string, marks []wire.Mark) (again int, err error) {
	through := make(map[string]uint64, len(marks))
	if err := q.view(ctx, func(tx *bbolt.Tx) error {
		for _, m := range marks {
			if q.ours(tx, m) {
				through[m.Epoch] = m.Through
			}
		}
		return nil
	}); err != nil {
		return 0, err
	}
	for from, done := uint64(0), false; !done; {
		part := reopening{through: through, from: from}
		if err := q.do(ctx, q.reopen(&part)); err != nil {
			return again, err
		}
		again += part.again
		from, done = part.next, part.done
	}
	return again, q.do(ctx, func(tx *bbolt.Tx, g *group) (error, error) {
		return nil, q.confirm(tx, g, wire.Receipt{ServerEpoch: serverEpoch, Marks: marks}, false)
	})
}

// ours tells whether a mark follows from this file's own chain. That is not looked at for
// an epoch that is over, and where the backend has no chain. A mark at which nothing is left
// here to compare counts as another's: then more is sent again than need be.
func (q *Queue) ours(tx *bbolt.Tx, m wire.Mark) bool {
	s := q.now()
	if m.Epoch != s.Epoch || m.Through == 0 || m.Head.IsZero() {
		return true
	}
	pos := s.Base + m.Through
	if pos >= s.Last {
		return pos == s.Last && s.Head == m.Head
	}
	if r, err := q.read(tx, pos+1); err == nil {
		return r.Prev == m.Head
	}
	r, err := q.read(tx, pos)
	return err == nil && wire.After(r.Record) == m.Head
}

// reopening is one stretch of Reopen.
type reopening struct {
	through map[string]uint64 // by epoch
	from    uint64            // position to begin at
	next    uint64            // where the next stretch begins
	done    bool              // there is none
	again   int
}

func (q *Queue) reopen(p *reopening) act {
	return func(tx *bbolt.Tx, g *group) (error, error) {
		p.again = 0
		kept, next, err := q.kept(tx, p.from, nil)
		if err != nil {
			return nil, err
		}
		p.next, p.done = next, next == 0
		for _, pos := range kept {
			if err := q.reopenOne(tx, g, pos, p); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
}

func (q *Queue) reopenOne(tx *bbolt.Tx, g *group, pos uint64, p *reopening) error {
	m, err := q.look(tx, pos)
	if err != nil {
		return errWalk
	}
	r, err := q.read(tx, pos)
	switch {
	case err != nil:
		return q.remark(tx, g, pos, m, g.damaged(m))
	case r.Sequence <= p.through[r.Epoch]:
		return nil
	}
	p.again++
	return q.waitAgain(tx, g, pos, m, r.ID)
}

// waitAgain lets a record wait again. No export holds it as one that waits.
func (q *Queue) waitAgain(tx *bbolt.Tx, g *group, pos uint64, from mark, id string) error {
	g.st.Exported = 0
	g.st.Returned++
	return q.remark(tx, g, pos, from, mark{ID: id, Answered: from.Answered})
}

// kept lists positions of accepted records from a position on, of one stretch of marks; next
// is where to go on, 0 when that was the end. Only those that take is true of, if given.
func (q *Queue) kept(tx *bbolt.Tx, from uint64, take func(mark) bool) (found []uint64, next uint64, err error) {
	c := marks(tx).Cursor()
	k, sealed := c.Seek(key(from))
	for n := 0; k != nil; n++ {
		pos := position(k)
		if n == stretch {
			return found, pos, nil
		}
		m, err := q.openMark(pos, sealed)
		if err != nil {
			return nil, 0, errWalk
		}
		if m.kept() && (take == nil || take(m)) {
			found = append(found, pos)
		}
		k, sealed = c.Next()
	}
	return found, 0, nil
}

// Retry lets a dead letter wait again, as it is: for a person who had the backend's reason
// removed. fault.NotFound where there is no such record, fault.Conflict for one that is no
// dead letter or whose bytes do not open, fault.QueueFull where there is no room.
func (q *Queue) Retry(ctx context.Context, id string) error {
	u, err := uuid.Parse(id)
	if err != nil {
		return fault.At(fault.InvalidArgument, "id", "must be a UUID version 7 in lower case")
	}
	return q.do(ctx, func(tx *bbolt.Tx, g *group) (error, error) {
		pos, ok := lookUp(tx, u)
		if !ok {
			return fault.New(fault.NotFound, "there is no record of this id"), nil
		}
		m, err := q.look(tx, pos)
		if err != nil {
			return nil, errWalk
		}
		r, err := q.read(tx, pos)
		switch {
		case !m.dead() || m.Damaged || err != nil || r.ID != u.String():
			return fault.New(fault.Conflict, "the record is no dead letter that could be sent again"), nil
		case g.st.Waiting.N >= q.limits.MaxRecords:
			return fault.New(fault.QueueFull, "the terminal holds as many unsent records as it can"), nil
		}
		return nil, q.waitAgain(tx, g, pos, m, r.ID)
	})
}

// MarkAnswered notes that the answers to these records have come. It counts for
// Stats.SentUnanswered alone. An answer may overtake the receipt.
func (q *Queue) MarkAnswered(ctx context.Context, ids ...string) error {
	known := false
	err := q.view(ctx, func(tx *bbolt.Tx) error {
		for _, id := range ids {
			_, m, open, err := q.awaited(tx, id)
			known = known || (open && !m.Answered) || err != nil
		}
		return nil
	})
	if err != nil || !known {
		return err
	}
	return q.do(ctx, func(tx *bbolt.Tx, g *group) (error, error) {
		for _, id := range ids {
			pos, from, open, err := q.awaited(tx, id)
			if err != nil {
				return nil, errWalk
			}
			if !open || from.Answered {
				continue
			}
			to := from
			to.ID, to.Answered = id, true
			if err := q.remark(tx, g, pos, from, to); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
}

// awaited finds a record that may still get its first answer.
func (q *Queue) awaited(tx *bbolt.Tx, id string) (pos uint64, m mark, open bool, err error) {
	u, err := uuid.Parse(id)
	if err != nil {
		return 0, m, false, nil
	}
	pos, ok := lookUp(tx, u)
	if !ok {
		return 0, m, false, nil
	}
	m, err = q.look(tx, pos)
	return pos, m, m.waits() || m.unanswered(), err
}

// SaveAnswers stores the cursor and the puts in one commit. The cursor only rises: a lower
// one is fault.Conflict and stores nothing; an equal one stores the puts again.
func (q *Queue) SaveAnswers(ctx context.Context, cursor uint64, puts []vault.Put) error {
	if err := vault.CheckPuts(puts); err != nil {
		return err
	}
	return q.do(ctx, func(tx *bbolt.Tx, g *group) (error, error) {
		if cursor < g.st.Cursor {
			return fault.At(fault.Conflict, "cursor", "must not go back"), nil
		}
		g.st.Cursor, g.wrote = cursor, true
		return nil, q.v.ApplyIn(tx, puts)
	})
}
