package queue_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// insist repeats what the disk did not confirm, as callers do.
func insist(t *testing.T, act func() error) {
	t.Helper()
	for range 8 {
		err := act()
		switch fault.CodeOf(err) {
		case "":
			return
		case fault.Unknown, fault.Unavailable:
		default:
			t.Fatal(err)
		}
	}
	t.Error("the disk works again, and yet it is not stored")
}

// Whichever sync the disk fails, what was confirmed is there once, with what rode in its
// commit, in order and chained; and what was not confirmed is stored by repeating it.
func TestTheNthSyncFails(t *testing.T) {
	last := false
	for n := int64(1); !last && n < 100; n++ {
		p := newPlace(t)
		var syncs atomic.Int64
		works := true // opening the file is the vault's
		p.fail = func() error {
			if !works && syncs.Add(1) == n {
				return syscall.EIO
			}
			return nil
		}
		q := p.begin()
		works = false
		var ids []string
		for i := range 4 {
			d := draft(i)
			d.ID, _ = q.NewID()
			ids = append(ids, d.ID)
			insist(t, func() error {
				_, err := q.Append(context.Background(), d, vault.Put{Shelf: "case", Key: fmt.Sprint(i), Value: []byte("row")})
				return err
			})
		}
		insist(t, func() error {
			return q.Settle(t.Context(), wire.Receipt{ServerEpoch: "srv_1", Results: []wire.Result{{ID: ids[0], Status: wire.Accepted}, {ID: ids[1], Status: wire.Rejected}}})
		})
		insist(t, func() error { return q.SaveAnswers(t.Context(), 5, nil) })
		if last = syncs.Load() < n; last {
			t.Logf("%d syncs failed, one after the other", n-1)
		}
		works = true
		q = p.again(q)
		if s := q.Stats(); s.Pending != 2 || s.Kept != 1 || s.Dead != 1 || q.Cursor() != 5 || q.Confirmed().ServerEpoch != "srv_1" {
			t.Errorf("sync %d: %+v, cursor %d", n, s, q.Cursor())
		}
		rows(t, p, 4)
		all := make([]wire.Record, 0, 4)
		for _, id := range ids {
			r, _, err := q.Find(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r)
		}
		chain(t, all)
	}
	if !last {
		t.Error("the syncs never came to an end")
	}
}

func rows(t *testing.T, p *place, want int) {
	t.Helper()
	n := 0
	if err := p.v.Shelf("case").Each(t.Context(), func(string, []byte) error { n++; return nil }); err != nil || n != want {
		t.Errorf("%d rows, want %d: %v", n, want, err)
	}
}

// The same with many writers in one commit, and a disk that fails again and again.
func TestADiskThatFailsAgainAndAgain(t *testing.T) {
	p := newPlace(t)
	var syncs atomic.Int64
	p.fail = func() error {
		if n := syncs.Add(1); n > 40 && n%9 == 0 {
			return syscall.EIO
		}
		return nil
	}
	q := p.begin()
	const writers, each = 16, 12
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				d := queue.Draft{Kind: wire.KindEligibilityOutcome, At: start, Body: json.RawMessage(fmt.Sprint(w*each + i))}
				d.ID, _ = q.NewID()
				for {
					_, err := q.Append(context.Background(), d, vault.Put{Shelf: "case", Key: d.ID, Value: []byte("row")})
					if err == nil {
						break
					}
					if code := fault.CodeOf(err); code != fault.Unknown && code != fault.Unavailable {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	p.fail = nil
	q = p.again(q)
	rs := peek(t, q)
	chain(t, rs)
	seen := map[string]bool{}
	for _, r := range rs {
		seen[string(r.Body)] = true
	}
	if len(rs) != writers*each || len(seen) != writers*each {
		t.Errorf("%d records of %d bodies", len(rs), len(seen))
	}
	rows(t, p, writers*each)
}

// What rides on a record that is stored already is not called stored when its commit failed.
func TestWhatRidesOnARepeat(t *testing.T) {
	p := newPlace(t)
	failing := false
	p.fail = func() error {
		if was := failing; was {
			failing = false
			return syscall.EIO
		}
		return nil
	}
	q := p.begin()
	d := draft(0)
	d.ID, _ = q.NewID()
	if _, err := q.Append(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	failing = true
	_, err := q.Append(t.Context(), d, vault.Put{Shelf: "case", Key: "late", Value: []byte("row")})
	if _, ok, _ := p.v.Shelf("case").Get(t.Context(), "late"); err == nil && !ok {
		t.Error("a row that is not stored was confirmed")
	}
}

// A file that other rows have filled still takes the backend's word on records, beside new
// work that it refuses.
func TestFullFileStillSettles(t *testing.T) {
	p := newPlace(t)
	p.max = 4 << 20
	q := p.begin()
	for i := range 40 {
		add(t, q, i)
	}
	var err error
	for size := 64 << 10; size > 8<<10; size /= 2 { // what is left is a few pages
		for i := 0; err == nil; i++ {
			err = p.v.Shelf("case").Put(t.Context(), fmt.Sprint(size, i), make([]byte, size))
		}
		if fault.CodeOf(err) != fault.QueueFull {
			t.Fatal(err)
		}
		err = nil
	}
	rs := peek(t, q)
	var wg sync.WaitGroup
	refused := atomic.Int64{}
	for i, r := range rs {
		wg.Go(func() { settle(t, q, wire.Accepted, r) })
		wg.Go(func() {
			_, err := q.Append(context.Background(), draft(i), vault.Put{Shelf: "case", Key: fmt.Sprint("new", i), Value: make([]byte, 200<<10)})
			if fault.CodeOf(err) == fault.QueueFull {
				refused.Add(1)
			} else {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if s := q.Stats(); s.Pending != 0 || s.Kept != 40 || refused.Load() != 40 {
		t.Errorf("%+v, %d refused", s, refused.Load())
	}
}
