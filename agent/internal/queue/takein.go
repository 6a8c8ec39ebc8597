package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// Taken tells what TakeIn brought over.
type Taken struct {
	Records int // that were not here yet, whatever became of them
	Values  int // of shelves
	Lost    int // that do not open in the other file
}

// TakeIn brings in what another file of this terminal holds, such as a stand-in: its records
// with their IDs, epochs, sequences and marks, after all that is here, and what lies on its
// shelves under keys that are not here yet, but for the shelves to leave. Records to come
// get a new epoch. What is here already is passed over, so that a call that was cut off, or
// that ended in fault.QueueFull, can be repeated. Nothing is deleted in the other file.
func (q *Queue) TakeIn(ctx context.Context, from *vault.Vault, leave ...string) (t Taken, err error) {
	other := &Queue{v: from}
	for after, done := uint64(0), false; !done; {
		page, lived, err := other.page(after)
		if err != nil {
			return t, fmt.Errorf("cannot read the other file: %w", err)
		}
		in := taking{page: page, lived: lived}
		if err := q.do(ctx, q.takeIn(&in)); err != nil {
			return t, err
		}
		t.Records, t.Lost = t.Records+in.taken, t.Lost+in.lost
		if done = len(page) < stretch; !done {
			after = page[len(page)-1].pos
		}
	}
	shelves, err := from.Shelves()
	if err != nil {
		return t, fmt.Errorf("cannot read the other file: %w", err)
	}
	for _, name := range shelves {
		if slices.Contains(leave, name) {
			continue
		}
		n, lost, err := q.takeShelf(ctx, from, name)
		t.Values, t.Lost = t.Values+n, t.Lost+lost
		if err != nil {
			return t, err
		}
	}
	return t, nil
}

// page reads one stretch of records after a position, and how old the queue is.
func (q *Queue) page(after uint64) (page []found, lived int64, err error) {
	err = q.v.View(func(tx *bbolt.Tx) error {
		page = nil
		if records(tx) == nil || marks(tx) == nil {
			return nil
		}
		s, err := q.getState(tx)
		if err != nil && !errors.Is(err, errWalk) {
			return err
		}
		lived = s.Lived
		c := records(tx).Cursor()
		for k, sealed := c.Seek(key(after + 1)); k != nil && len(page) < stretch; k, sealed = c.Next() {
			f := found{pos: position(k)}
			f.mark, _ = q.look(tx, f.pos) // one that does not open: it waits, and the backend knows it
			f.stored, f.err = q.open(f.pos, sealed)
			page = append(page, f)
		}
		return nil
	})
	return page, lived, err
}

// taking is one page on its way in.
type taking struct {
	page        []found
	lived       int64 // how old the other queue is
	taken, lost int
}

func (q *Queue) takeIn(in *taking) act {
	return func(tx *bbolt.Tx, g *group) (error, error) {
		in.taken, in.lost = 0, 0
		if q.v.Scarce(tx) {
			return fault.New(fault.QueueFull, "the terminal's file is full"), nil
		}
		for _, f := range in.page {
			id, err := uuid.Parse(f.ID)
			if f.err != nil || err != nil {
				in.lost++
				continue
			}
			if pos, here := lookUp(tx, id); here && records(tx).Get(key(pos)) != nil {
				continue
			}
			if err := q.takeOne(tx, g, f, in.lived); err != nil {
				return nil, err
			}
			in.taken++
		}
		if in.taken == 0 {
			return nil, nil
		}
		return nil, q.laterEpoch(g)
	}
}

// takeOne stores a record at the next position, as it is but for its age.
func (q *Queue) takeOne(tx *bbolt.Tx, g *group, f found, lived int64) error {
	aged := func(then int64) int64 { return g.st.Lived - max(lived-then, 0) }
	f.stored.lived, f.mark.Lived = aged(f.stored.lived), aged(f.mark.Lived)
	plain, err := encode(f.stored)
	if err != nil {
		return err
	}
	id, pos := uuid.MustParse(f.ID), g.st.Last+1
	if err := errors.Join(q.v.Put(tx, recordsBucket, key(pos), plain), ids(tx).Put(id[:], key(pos))); err != nil {
		return err
	}
	if f.mark.waits() && g.st.Waiting.N == 0 {
		g.st.Low, g.st.OldestAt = pos, f.At
	}
	g.st.count(pos, f.mark, size(tx, pos), 1)
	g.st.newer(f.At)
	g.st.Last, g.wrote = pos, true
	if f.mark == (mark{Lived: f.mark.Lived}) {
		return nil
	}
	f.mark.ID = f.ID
	return q.putMark(tx, pos, f.mark)
}

// laterEpoch has the records to come begin after Last: under the present epoch where that has
// none yet, else under a new one.
func (q *Queue) laterEpoch(g *group) error {
	s := &g.st
	if s.Head != wire.Genesis(q.v.Terminal(), s.Epoch) {
		return q.newEpoch(s)
	}
	s.Base = s.Last
	return nil
}

// takeShelf brings in one shelf, a group of values in each commit.
func (q *Queue) takeShelf(ctx context.Context, from *vault.Vault, name string) (taken, lost int, err error) {
	var all []vault.Put
	err = from.Shelf(name).Each(ctx, func(key string, value []byte) error {
		if value == nil {
			lost++
			return nil
		}
		all = append(all, vault.Put{Shelf: name, Key: key, Value: value})
		return nil
	})
	for group := range slices.Chunk(all, stretch) {
		if err != nil {
			break
		}
		n := 0
		n, err = q.v.Add(group...)
		taken += n
	}
	return taken, lost, err
}
