package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/wire"
)

// tally counts records and their stored bytes.
type tally struct {
	N     int   `json:"n"`
	Bytes int64 `json:"b"`
}

// state is all that is remembered of the queue: one small value in the file, written in the
// commit of what it counts, and the same in memory.
type state struct {
	Epoch string    `json:"epoch"`
	Base  uint64    `json:"base"` // position before the epoch's first record
	Last  uint64    `json:"last"` // highest position given out
	Head  wire.Hash `json:"head"` // the epoch's chain after Last

	Waiting    tally     `json:"waiting"`
	Kept       tally     `json:"kept"`
	Dead       tally     `json:"dead"`
	Damaged    int       `json:"damaged"` // those of the dead whose bytes do not open
	Unanswered int       `json:"unanswered"`
	Low        uint64    `json:"low"` // no record below it waits
	OldestAt   time.Time `json:"oldest_at,omitzero"`
	NewestAt   time.Time `json:"newest_at,omitzero"`

	// Lived is how old the queue is in milliseconds: time that a program watched pass by a
	// clock that only goes forward, and at most a day for each time between two programs. A
	// record's age is counted in it, so that a wall clock that jumps ages nothing.
	Lived int64 `json:"lived"`
	Wall  int64 `json:"wall"` // unix milliseconds when Lived was taken

	Aged  uint64 `json:"aged"`  // every record up to it is over the age limit
	Stale int    `json:"stale"` // those of them that wait

	Cursor   uint64 `json:"cursor"`
	Exported uint64 `json:"exported"` // an export held all that was here up to it
	Returned uint64 `json:"returned"` // how often settled records or dead letters waited again

	Compacted time.Time `json:"compacted,omitzero"`
}

// count adds a record (by 1), or takes it off (by -1).
func (s *state) count(pos uint64, m mark, size, by int) {
	t := &s.Kept
	switch {
	case m.waits():
		t = &s.Waiting
		if pos <= s.Aged {
			s.Stale += by
		}
	case m.dead():
		t = &s.Dead
	}
	t.N += by
	t.Bytes += int64(by) * int64(size)
	if m.Damaged {
		s.Damaged += by
	}
	if m.unanswered() {
		s.Unanswered += by
	}
}

func (s *state) newer(at time.Time) {
	if at.After(s.NewestAt) {
		s.NewestAt = at.UTC()
	}
}

// betweenPrograms is how much age the time between two programs counts at most. Only the
// wall clock saw it, and that may have been set meanwhile.
const betweenPrograms = 24 * time.Hour

// resume ages a state that another program wrote.
func (s *state) resume(now time.Time) {
	gap := now.UnixMilli() - s.Wall
	if s.Wall == 0 {
		gap = 0 // it is new
	}
	s.Lived += min(max(gap, 0), betweenPrograms.Milliseconds())
	s.Wall = now.UnixMilli()
}

// errWalk means that what is remembered does not agree with what is stored: the file must
// be gone through once.
var errWalk = errors.New("the queue's state must be recounted")

func (q *Queue) putState(tx *bbolt.Tx, s state) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("cannot write the queue's state: %w", err)
	}
	return q.v.Put(tx, stateBucket, stateKey, b)
}

// getState reads the state; errWalk where there is none that can be believed.
func (q *Queue) getState(tx *bbolt.Tx) (s state, err error) {
	if records(tx) == nil || marks(tx) == nil || ids(tx) == nil {
		return s, errWalk
	}
	switch plain, err := q.v.Get(tx, stateBucket, stateKey); {
	case errors.Is(err, vault.ErrDamaged), err == nil && plain == nil:
		return s, errWalk
	case err != nil:
		return s, err
	case json.Unmarshal(plain, &s) != nil, s.Epoch == "":
		return s, errWalk
	}
	if last, _ := records(tx).Cursor().Last(); position(last) > s.Last {
		return s, errWalk
	}
	return s, nil
}

func (q *Queue) putConfirmed(tx *bbolt.Tx, c Confirmed) error {
	b, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("cannot write what the backend confirmed: %w", err)
	}
	return q.v.Put(tx, stateBucket, confirmedKey, b)
}

// getConfirmed reads what the backend last confirmed. What does not open is as if nothing
// ever was: the backend tells it again with the next receipt.
func (q *Queue) getConfirmed(tx *bbolt.Tx) (c Confirmed) {
	plain, err := q.v.Get(tx, stateBucket, confirmedKey)
	if err != nil || plain == nil || json.Unmarshal(plain, &c) != nil {
		return Confirmed{}
	}
	return c
}
