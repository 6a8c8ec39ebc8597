package queue_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// syncsOfACommit is how many syncs one commit needs.
const syncsOfACommit = 2

// A lone record costs one commit, and the writer waits for nobody: in a bubble, where time
// passes only while all wait, it takes none.
func TestALoneRecordIsCommittedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, syncs := newPlace(t), 0
		p.fail = func() error { syncs++; return nil }
		q := p.begin()
		add(t, q, 0) // makes the day's key
		for i := range 3 {
			syncs = 0
			began := time.Now()
			add(t, q, i+1)
			if took := time.Since(began); took != 0 || syncs != syncsOfACommit {
				t.Errorf("record %d: %d syncs, %s of waiting", i, syncs, took)
			}
		}
	})
}

// What arrives while a commit is under way goes into the next one, all of it.
func TestWhatHasArrivedIsOneCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, syncs := newPlace(t), 0
		held := make(chan struct{})
		close(held)
		p.fail = func() error { syncs++; <-held; return nil }
		q := p.begin()
		add(t, q, 0)
		held, syncs = make(chan struct{}), 0
		const writers = 64
		var all sync.WaitGroup
		all.Go(func() { add(t, q, 1) })
		synctest.Wait() // the first is within its commit
		for i := range writers {
			all.Go(func() {
				if _, err := q.Append(context.Background(), draft(i)); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		close(held)
		all.Wait()
		if syncs != 2*syncsOfACommit || q.Stats().Pending != writers+2 {
			t.Errorf("%d syncs for 1 and %d records, %d wait", syncs, writers, q.Stats().Pending)
		}
	})
}

// The backend's word on a record stands: what comes late changes neither a record that it
// took nor a dead letter, unless a person let that wait again.
func TestALateWordChangesNothing(t *testing.T) {
	q := newPlace(t).begin()
	a, b := add(t, q, 0), add(t, q, 1)
	settle(t, q, wire.Accepted, a)
	settle(t, q, wire.Rejected, b)
	settle(t, q, wire.Rejected, a)
	settle(t, q, wire.Accepted, b)
	letters, err := q.DeadLetters(t.Context())
	if s := q.Stats(); err != nil || s.Kept != 1 || s.Dead != 1 || len(letters) != 1 || letters[0].Record.ID != b.ID {
		t.Errorf("%+v, %+v: %v", s, letters, err)
	}
	if err := q.Retry(t.Context(), a.ID); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("a record that was taken is sent again: %v", err)
	}
}
