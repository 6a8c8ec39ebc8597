package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// Fate is what became of one record.
type Fate struct {
	Waiting bool        // the backend has not settled it
	Status  wire.Status // its word; empty while it waits, when Damaged, and when the record is gone
	Code    string      // the backend's fault code, for Rejected and Conflict
	Damaged bool        // its stored bytes do not open: it can not be sent
}

// Gone tells that the queue no longer has the record: it was accepted and made room.
func (f Fate) Gone() bool { return !f.Waiting && !f.Damaged && f.Status == "" }

// DeadLetter is a record that a person must look at.
type DeadLetter struct {
	Record wire.Record // without Body when Damaged
	Status wire.Status // Rejected or Conflict; empty when Damaged
	Code   string      // the backend's fault code
	At     time.Time   // when it came here
	// Damaged tells that the stored bytes do not open: the record itself is lost.
	Damaged bool
}

// Which is a part of the queue that List lists.
type Which int

// The parts.
const (
	Waiting Which = iota // records that the backend has not settled
	Kept                 // accepted records that are still kept
	Dead                 // dead letters
)

// State is where a record stands.
type State string

// The states: one of a record that waits, one of one whose bytes do not open, and the
// backend's words.
const (
	StateWaiting State = "waiting"
	Damaged      State = "damaged"
	Accepted           = State(wire.Accepted)
	Duplicate          = State(wire.Duplicate)
	Rejected           = State(wire.Rejected)
	Conflict           = State(wire.Conflict)
)

// Entry is one line of a list: nothing of the record's Body.
type Entry struct {
	Position uint64    `json:"position"` // rises in order of recording, over all epochs
	ID       string    `json:"id"`
	Epoch    string    `json:"epoch,omitempty"` // this and the next three: of no Damaged one
	Sequence uint64    `json:"seq,omitempty"`
	Kind     wire.Kind `json:"kind,omitempty"`
	At       time.Time `json:"at,omitzero"` // the terminal's wall clock
	State    State     `json:"state"`
	Code     string    `json:"code,omitempty"` // the backend's fault code, for Rejected and Conflict
	Bytes    int       `json:"bytes"`          // stored
}

// view runs fn in a read transaction. Where fn or the file asks for it (errWalk: it was
// salvaged meanwhile, or a mark does not open), the file is gone through first, once.
func (q *Queue) view(ctx context.Context, fn func(*bbolt.Tx) error) error {
	look := func() error {
		return q.v.View(func(tx *bbolt.Tx) error {
			if ids(tx) == nil || records(tx) == nil || marks(tx) == nil {
				return errWalk
			}
			return fn(tx)
		})
	}
	err := look()
	if errors.Is(err, errWalk) {
		q.mu.Lock()
		q.recount = true
		q.mu.Unlock()
		nothing := func(*bbolt.Tx, *group) (error, error) { return nil, nil }
		if err = q.do(ctx, nothing); err == nil {
			err = look()
		}
	}
	if err != nil {
		return fmt.Errorf("cannot read the queue: %w", err)
	}
	return nil
}

// found is one record on a walk: how it stands, and its bytes or why they do not open.
type found struct {
	pos  uint64
	mark mark
	stored
	size int
	err  error
}

// waitingFrom calls visit for the records that wait from a position on, in order, until it
// says no or no more can be there.
func (q *Queue) waitingFrom(tx *bbolt.Tx, from uint64, visit func(found) (more bool)) {
	s := q.now() // a moment off what tx sees is enough: it says where to begin, and when to stop early
	left := s.Waiting.N
	c := records(tx).Cursor()
	for k, sealed := c.Seek(key(max(from, s.Low))); k != nil; k, sealed = c.Next() {
		f := found{pos: position(k), size: len(sealed)}
		f.mark, _ = q.look(tx, f.pos) // one that does not open: it waits
		if !f.mark.waits() {
			continue
		}
		f.stored, f.err = q.open(f.pos, sealed)
		if !visit(f) {
			return
		}
		if left--; left == 0 && from <= s.Low {
			return
		}
	}
}

// settledFrom calls visit for settled records from a position on, in order, until it says no.
func (q *Queue) settledFrom(tx *bbolt.Tx, from uint64, want func(mark) bool, visit func(found) (more bool)) {
	c := marks(tx).Cursor()
	for k, sealed := c.Seek(key(from)); k != nil; k, sealed = c.Next() {
		f := found{pos: position(k)}
		var err error
		if f.mark, err = q.openMark(f.pos, sealed); err != nil || !want(f.mark) {
			continue
		}
		f.size = size(tx, f.pos)
		f.stored, f.err = q.read(tx, f.pos)
		if !visit(f) {
			return
		}
	}
}

// Peek gives copies of the oldest records that wait, in order: at most maxRecords, and at
// most maxBytes counting wire.RecordOverhead for each (but always one, if any waits). It
// holds no transaction when it returns.
func (q *Queue) Peek(ctx context.Context, maxRecords, maxBytes int) ([]wire.Record, error) {
	var peeked []wire.Record
	damaged := false
	if maxRecords <= 0 {
		return nil, nil
	}
	err := q.view(ctx, func(tx *bbolt.Tx) error {
		peeked, damaged = nil, false
		q.waitingFrom(tx, 0, func(f found) bool {
			if f.err != nil {
				damaged = true
				return true
			}
			if maxBytes -= len(f.Body) + wire.RecordOverhead; maxBytes < 0 && len(peeked) > 0 {
				return false
			}
			peeked = append(peeked, f.Record)
			return len(peeked) < maxRecords
		})
		return nil
	})
	if err == nil && damaged {
		err = q.bury(ctx)
	}
	return peeked, err
}

// bury makes dead letters of the records that wait and whose bytes do not open.
func (q *Queue) bury(ctx context.Context) error {
	return q.do(ctx, func(tx *bbolt.Tx, g *group) (error, error) {
		var lost []found
		q.waitingFrom(tx, 0, func(f found) bool {
			if f.err != nil {
				lost = append(lost, f)
			}
			return len(lost) < stretch
		})
		for _, f := range lost {
			if err := q.remark(tx, g, f.pos, f.mark, g.damaged(f.mark)); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
}

// Find gives a copy of the record with this ID, whatever became of it; ok is false when
// it is not (or no longer) here.
func (q *Queue) Find(_ context.Context, id string) (r wire.Record, ok bool, err error) {
	is, err := q.find(id)
	if err != nil || is == nil {
		return wire.Record{}, false, err
	}
	return *is, true, nil
}

func (q *Queue) find(id string) (*wire.Record, error) {
	u, err := uuid.Parse(id)
	if err != nil {
		return nil, fault.At(fault.InvalidArgument, "id", "must be a UUID version 7 in lower case")
	}
	var is *wire.Record
	err = q.v.View(func(tx *bbolt.Tx) error {
		if ids(tx) == nil {
			return nil
		}
		pos, ok := lookUp(tx, u)
		if !ok {
			return nil
		}
		r, err := q.read(tx, pos)
		is = &r.Record
		return err
	})
	if err != nil {
		return nil, err
	}
	return is, nil
}

// Fates tells what became of the records with these IDs, from one consistent state.
func (q *Queue) Fates(ctx context.Context, ids []string) (map[string]Fate, error) {
	fates := make(map[string]Fate, len(ids))
	err := q.view(ctx, func(tx *bbolt.Tx) error {
		for _, id := range ids {
			u, err := uuid.Parse(id)
			if err != nil {
				return fault.At(fault.InvalidArgument, "id", "must be a UUID version 7 in lower case")
			}
			fates[id] = q.fate(tx, u)
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return fates, nil
}

func (q *Queue) fate(tx *bbolt.Tx, id uuid.UUID) Fate {
	pos, ok := lookUp(tx, id)
	if !ok {
		return Fate{}
	}
	m, err := q.look(tx, pos)
	switch {
	case err != nil || m.waits():
		_, err := q.read(tx, pos)
		return Fate{Waiting: err == nil, Damaged: err != nil}
	case !m.dead():
		m.Code = ""
	}
	return Fate{Status: m.Status, Code: m.Code, Damaged: m.Damaged}
}

// DeadLetters lists what a person must look at, oldest first.
func (q *Queue) DeadLetters(ctx context.Context) ([]DeadLetter, error) {
	var letters []DeadLetter
	err := q.view(ctx, func(tx *bbolt.Tx) error {
		letters = nil
		q.settledFrom(tx, 0, mark.dead, func(f found) bool {
			l := DeadLetter{Record: f.Record, Status: f.mark.Status, Code: f.mark.Code, At: time.UnixMilli(f.mark.At).UTC(), Damaged: f.mark.Damaged}
			if f.err != nil {
				l.Record, l.Damaged = q.lost(f), true
			}
			letters = append(letters, l)
			return ctx.Err() == nil
		})
		return ctx.Err()
	})
	return letters, err
}

// lost is what is known of a record whose bytes do not open. Its sequence is right if it is
// of the present epoch.
func (q *Queue) lost(f found) wire.Record {
	s := q.now()
	r := wire.Record{ID: f.mark.ID}
	if f.pos > s.Base {
		r.Epoch, r.Sequence = s.Epoch, f.pos-s.Base
	}
	return r
}

// List lists a part of the queue in order of position, at most limit entries after a
// position: the next page begins after the last entry's.
func (q *Queue) List(ctx context.Context, what Which, after uint64, limit int) ([]Entry, error) {
	if limit <= 0 {
		return nil, nil
	}
	var list []Entry
	add := func(f found) bool {
		list = append(list, q.entry(f))
		return len(list) < limit && ctx.Err() == nil
	}
	err := q.view(ctx, func(tx *bbolt.Tx) error {
		list = nil
		switch what {
		case Waiting:
			q.waitingFrom(tx, after+1, add)
		case Kept:
			q.settledFrom(tx, after+1, mark.kept, add)
		case Dead:
			q.settledFrom(tx, after+1, mark.dead, add)
		default:
			return fault.At(fault.InvalidArgument, "what", "must be a part of the queue")
		}
		return ctx.Err()
	})
	return list, err
}

func (q *Queue) entry(f found) Entry {
	e := Entry{
		Position: f.pos, ID: f.ID, Epoch: f.Epoch, Sequence: f.Sequence, Kind: f.Kind, At: f.At,
		State: f.mark.state(), Bytes: f.size,
	}
	if f.mark.dead() {
		e.Code = f.mark.Code
	}
	if f.err != nil {
		r := q.lost(f)
		e.ID, e.Epoch, e.Sequence, e.State = r.ID, r.Epoch, r.Sequence, Damaged
	}
	return e
}
