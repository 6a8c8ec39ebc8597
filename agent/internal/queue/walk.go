package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"madoguchi.example/shared/wire"
)

// load reads the state into memory, going through the file where it has none.
func (q *Queue) load() error {
	file := q.v.Generation()
	var s state
	var c Confirmed
	read := func(tx *bbolt.Tx) (err error) {
		s, err = q.getState(tx)
		c = q.getConfirmed(tx)
		return err
	}
	q.mu.Lock()
	recount := q.recount
	q.mu.Unlock()
	if recount {
		return q.walk()
	}
	err := error(nil)
	if q.outdated() { // a commit that stands makes durable what is visible
		err = q.v.Update(func(tx *bbolt.Tx) error {
			if err := read(tx); err != nil {
				return err
			}
			return q.putState(tx, s)
		})
	} else {
		err = q.v.View(read)
	}
	switch {
	case errors.Is(err, errWalk):
		return q.walk()
	case err == nil:
		q.replace(s, c, file)
	}
	return err
}

// replace takes a state that was read from the file.
func (q *Queue) replace(s state, c Confirmed, file uint64) {
	now := q.source.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.seen.IsZero() {
		q.seen = now
		s.resume(now)
	}
	s.Lived = max(s.Lived, q.st.Lived)
	q.st, q.confirmed, q.file, q.broken, q.recount = s, c, file, false, false
}

// walk goes through the whole file once, counts anew and makes the index. Where the state
// did not open or the file was salvaged, the end of the epoch is not certain: records to
// come get a new one.
func (q *Queue) walk() error {
	file := q.v.Generation()
	w := walker{Queue: q, now: q.source.Now()}
	if err := q.v.Update(w.walk); err != nil {
		return err
	}
	q.replace(w.st, w.confirmed, file)
	return nil
}

// walker is one walk.
type walker struct {
	*Queue
	now       time.Time
	st        state
	confirmed Confirmed
	repair    map[uint64]mark // marks to write
	orphans   []uint64        // marks without a record
}

func (w *walker) walk(tx *bbolt.Tx) error {
	w.repair = map[uint64]mark{}
	old, err := w.getState(tx)
	certain := err == nil
	switch {
	case errors.Is(err, errWalk):
		old = w.remains(tx)
	case err != nil:
		return err
	}
	w.confirmed = w.getConfirmed(tx)
	w.st = state{
		Epoch: old.Epoch, Base: old.Base, Last: old.Last, Head: old.Head, Lived: old.Lived, Wall: old.Wall,
		Cursor: old.Cursor, Exported: old.Exported, Compacted: old.Compacted,
	}
	if err := w.prepare(tx); err != nil {
		return err
	}
	if err := w.records(tx); err != nil {
		return err
	}
	if err := w.marks(tx); err != nil {
		return err
	}
	if !certain {
		if err := w.newEpoch(&w.st); err != nil {
			return err
		}
	}
	if w.st.Waiting.N == 0 {
		w.st.Low = w.st.Last + 1
	}
	return w.putState(tx, w.st)
}

// remains is what can be read of a state that is not to be believed as a whole.
func (w *walker) remains(tx *bbolt.Tx) (s state) {
	if plain, err := w.v.Get(tx, stateBucket, stateKey); err == nil && plain != nil {
		_ = json.Unmarshal(plain, &s)
	}
	if cursor, err := w.v.Get(tx, stateBucket, oldCursorKey); err == nil && s.Cursor == 0 {
		s.Cursor = position(cursor) // a damaged one is 0: answers come again
	}
	s.Exported = 0
	return s
}

// prepare makes the buckets, that of the index empty.
func (w *walker) prepare(tx *bbolt.Tx) error {
	if ids(tx) != nil {
		if err := tx.DeleteBucket([]byte(idsBucket)); err != nil {
			return fmt.Errorf("cannot clear the index: %w", err)
		}
	}
	for _, name := range []string{recordsBucket, marksBucket, idsBucket} {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return fmt.Errorf("cannot make the bucket %s: %w", name, err)
		}
	}
	return nil
}

func (w *walker) records(tx *bbolt.Tx) error {
	c := records(tx).Cursor()
	for k, sealed := c.First(); k != nil; k, sealed = c.Next() {
		pos := position(k)
		m, err := w.look(tx, pos)
		r, damage := w.open(pos, sealed)
		switch {
		case err != nil: // its mark does not open: it is sent again, and the backend knows it
			m = mark{ID: r.ID}
			w.repair[pos] = m
		case m.waits() && damage != nil:
			m = mark{ID: m.ID, Damaged: true, At: w.now.UnixMilli(), Lived: w.st.Lived}
			w.repair[pos] = m
		}
		if err := w.index(tx, k, m, r); err != nil {
			return err
		}
		w.take(pos, m, r, len(sealed))
	}
	return nil
}

func (w *walker) index(tx *bbolt.Tx, k []byte, m mark, r stored) error {
	id, err := uuid.Parse(r.ID)
	if err != nil {
		if id, err = uuid.Parse(m.ID); err != nil {
			return nil
		}
	}
	if ids(tx).Get(id[:]) != nil {
		return nil // the first one under an ID holds
	}
	return ids(tx).Put(id[:], k)
}

// take counts one record.
func (w *walker) take(pos uint64, m mark, r stored, size int) {
	s := &w.st
	if m.waits() {
		if s.Waiting.N == 0 {
			s.Low, s.OldestAt = pos, r.At
		}
		s.newer(r.At)
	} else if m.kept() {
		s.newer(time.UnixMilli(m.At))
	}
	s.count(pos, m, size, 1)
	s.Last = max(s.Last, pos)
	s.Lived = max(s.Lived, r.lived, m.Lived)
}

// marks writes those that were mended and takes off those that lead to no record.
func (w *walker) marks(tx *bbolt.Tx) error {
	for pos, m := range w.repair {
		if err := w.putMark(tx, pos, m); err != nil {
			return err
		}
	}
	c := marks(tx).Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		w.st.Last = max(w.st.Last, position(k))
		if records(tx).Get(k) == nil {
			w.orphans = append(w.orphans, position(k))
		}
	}
	for _, pos := range w.orphans {
		if err := w.v.Delete(tx, marksBucket, key(pos)); err != nil {
			return err
		}
	}
	return nil
}

// newEpoch begins one after all that is stored.
func (q *Queue) newEpoch(s *state) error {
	epoch, err := q.source.New("epo")
	if err != nil {
		return fmt.Errorf("cannot name an epoch: %w", err)
	}
	s.Epoch, s.Base, s.Head = epoch, s.Last, wire.Genesis(q.v.Terminal(), epoch)
	return nil
}
