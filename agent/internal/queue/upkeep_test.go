package queue_test

import (
	"encoding/json"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

func parse(t testing.TB, id string) []byte {
	t.Helper()
	u, err := uuid.Parse(id)
	if err != nil {
		t.Fatal(err)
	}
	return u[:]
}

// fill records n bodies by so many writers at once.
func fill(t testing.TB, q *queue.Queue, n, writers int, body json.RawMessage) {
	t.Helper()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < n; i += writers {
				if _, err := q.Append(t.Context(), queue.Draft{Kind: wire.KindEligibilityCheck, At: start, Body: body}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// A queue that is full to its cap is drained while a reader stays open that pins every page,
// and takes new work again; the room is given back when the reader has gone.
// The file that holds small records must grow beyond its first mapping for that.
func TestDrainsWhileAReaderStaysOpen(t *testing.T) {
	for name, c := range map[string]struct{ max, body, atLeast int }{
		"large records": {24 << 20, 8000, 500}, "small records": {14 << 20, 200, 5000},
	} {
		t.Run(name, func(t *testing.T) { drainBesideAReader(t, c.max, c.body, c.atLeast) })
	}
}

func drainBesideAReader(t *testing.T, maxBytes, bodyBytes, atLeast int) {
	p := newPlace(t)
	p.max = maxBytes
	q := p.begin()
	body := json.RawMessage(`"` + strings.Repeat("a", bodyBytes) + `"`)
	var writers sync.WaitGroup
	for range 16 {
		writers.Go(func() {
			for {
				_, err := q.Append(t.Context(), queue.Draft{Kind: wire.KindEligibilityCheck, At: start, Body: body})
				if fault.CodeOf(err) == fault.QueueFull {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	want := q.Stats().Pending
	if s := q.Stats(); !s.Full() && s.MaxBytes-s.Bytes > 10_000 {
		t.Errorf("%+v is not full", s)
	}
	leave := stay(t, p)
	drained := 0
	for q.Stats().Pending > 0 {
		rs, err := q.Peek(t.Context(), wire.MaxBatchRecords, wire.BatchBudget)
		if err != nil {
			t.Fatal(err)
		}
		settle(t, q, wire.Accepted, rs...)
		drained += len(rs)
	}
	if drained != want || want < atLeast {
		t.Errorf("%d of %d drained", drained, want)
	}
	fill(t, q, 100, 8, body) // kept records make room, though none of their pages is free yet
	leave()
	settle(t, q, wire.Accepted, peek(t, q)...)
	p.advance(queue.DefaultKeepAccepted + time.Hour)
	before, _ := p.v.Usage()
	m, err := q.Maintain(t.Context())
	if err != nil || m.Removed == 0 {
		t.Fatalf("%+v: %v", m, err)
	}
	if s := q.Stats(); s.Kept != 0 || m.Compacted.After == 0 || s.Compacted.IsZero() || s.FileBytes >= before/4 || s.FileBytes > queue.CompactAbove {
		t.Errorf("%d bytes before, %+v, %+v", before, m, s)
	}
	add(t, q, 1)
	q = p.again(q)
	if rs := peek(t, q); len(rs) != 1 {
		t.Errorf("%d wait", len(rs))
	}
}

// Rows that fill the file leave room for the backend's word on every record.
func TestAFileFullOfRowsStillSettles(t *testing.T) {
	p := newPlace(t)
	p.max = 6 << 20
	q := p.begin()
	fill(t, q, 2000, 16, json.RawMessage(`"x"`))
	row := make([]byte, 8000)
	var err error
	for n := 0; err == nil; n++ {
		err = p.v.Shelf("rows").Put(t.Context(), strconv.Itoa(n), row)
	}
	if fault.CodeOf(err) != fault.QueueFull {
		t.Fatal(err)
	}
	if _, err := q.Append(t.Context(), draft(1)); fault.CodeOf(err) != fault.QueueFull {
		t.Errorf("a new record: %v", err)
	}
	for q.Stats().Pending > 0 {
		settle(t, q, wire.Accepted, peek(t, q)...)
	}
	if err := p.v.Shelf("rows").Delete(t.Context(), "0"); err != nil {
		t.Error(err)
	}
}

// stay opens a reader that stays until it is told to leave.
func stay(t *testing.T, p *place) (leave func()) {
	t.Helper()
	in, out, gone := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		if err := p.v.View(func(*bbolt.Tx) error { close(in); <-out; return nil }); err != nil {
			t.Error(err)
		}
	}()
	<-in
	return func() { close(out); <-gone }
}

// A wall clock that jumps, or power that is off, neither drops nor refuses nor ages anything
// by itself.
func TestClockThatJumps(t *testing.T) {
	p := newPlace(t)
	q := p.begin()
	a, b := add(t, q, 0), add(t, q, 1)
	settle(t, q, wire.Accepted, a)
	for range 3 {
		for _, jump := range []time.Duration{10 * 365 * 24 * time.Hour, -20 * 365 * 24 * time.Hour} {
			if err := q.Close(); err != nil {
				t.Fatal(err)
			}
			if err := p.v.Close(); err != nil {
				t.Fatal(err)
			}
			p.advance(jump)
			q = p.begin()
			if n, err := q.Trim(t.Context()); n != 0 || err != nil {
				t.Fatalf("%d removed: %v", n, err)
			}
		}
	}
	if s := q.Stats(); s.Kept != 1 || s.Pending != 1 || s.Stale != 0 {
		t.Errorf("%+v", s)
	}
	p.advance(queue.DefaultMaxAge) // watched
	if n, err := q.Trim(t.Context()); n != 1 || err != nil {
		t.Errorf("%d removed: %v", n, err)
	}
	if s := q.Stats(); s.Pending != 1 || s.Stale != 1 {
		t.Errorf("%+v", s)
	}
	add(t, q, 2) // nothing is refused
	if rs := peek(t, q); len(rs) != 2 || rs[0].ID != b.ID {
		t.Errorf("%+v", rs)
	}
	settle(t, q, wire.Accepted, b)
	if s := q.Stats(); s.Stale != 0 {
		t.Errorf("%+v", s)
	}
}

// Memory holds nothing for each record.
func TestNothingInMemoryForEachRecord(t *testing.T) {
	p := newPlace(t)
	q := p.begin()
	heap := func() int64 {
		var m runtime.MemStats
		for range 2 { // what is pooled goes with the second
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	body := json.RawMessage(`"` + strings.Repeat("a", 200) + `"`)
	fill(t, q, 1000, 64, body)
	before := heap()
	const n = 6000
	fill(t, q, n, 128, body)
	for range 10 { // some of them settled, some dead
		rs, err := q.Peek(t.Context(), wire.MaxBatchRecords, wire.BatchBudget)
		if err != nil {
			t.Fatal(err)
		}
		settle(t, q, wire.Accepted, rs[:len(rs)/2]...)
		settle(t, q, wire.Rejected, rs[len(rs)/2:]...)
	}
	after := heap()
	t.Logf("%d bytes before, %d after %d records more", before, after, n)
	if perRecord := (after - before) / n; perRecord > 16 {
		t.Errorf("%d bytes for each record", perRecord)
	}
	runtime.KeepAlive(q)
}
