package queue_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/wire"
)

var start = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

// place is a state directory with a clock that the test sets.
type place struct {
	testing.TB
	dir    string
	now    atomic.Pointer[time.Time]
	limits queue.Limits
	max    int
	open   func(string, int, os.FileMode) (*os.File, error)
	noSync bool         // nothing here is about power; benchmarks sync
	fail   func() error // asked before each sync
	v      *vault.Vault
}

func newPlace(t testing.TB) *place {
	t.Helper()
	p := &place{TB: t, dir: t.TempDir(), noSync: true}
	p.now.Store(&start)
	if err := vault.KeyFile(filepath.Join(p.dir, "k")).Create(rand.Reader); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *place) clock() time.Time { return *p.now.Load() }

func (p *place) advance(d time.Duration) {
	n := p.clock().Add(d)
	p.now.Store(&n)
}

func (p *place) begin() *queue.Queue {
	p.Helper()
	p.openVault()
	return p.openQueue()
}

func (p *place) openVault() {
	p.Helper()
	v, err := vault.Open(context.Background(), p.dir, vault.Options{
		Key: vault.KeyFile(filepath.Join(p.dir, "k")), Now: p.clock, Rand: rand.Reader, Terminal: "trm_1",
		MaxBytes: p.max, LockTimeout: 10 * time.Millisecond, OpenFile: p.open, NoSync: p.noSync, FailSync: p.fail,
	})
	if err != nil {
		p.Fatal(err)
	}
	p.v = v
	p.Cleanup(func() { _ = v.Close() })
}

func (p *place) openQueue() *queue.Queue {
	p.Helper()
	q, err := queue.Open(p.v, p.limits, handle.Source{Now: p.clock, Rand: rand.Reader})
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { _ = q.Close() })
	return q
}

func (p *place) again(q *queue.Queue) *queue.Queue {
	p.Helper()
	if err := errors.Join(q.Close(), p.v.Close()); err != nil {
		p.Fatal(err)
	}
	return p.begin()
}

func draft(n int) queue.Draft {
	return queue.Draft{Kind: wire.KindEligibilityCheck, At: start.Add(time.Duration(n) * time.Second), Body: json.RawMessage(fmt.Sprintf(`{ "n": %d, "s": "<&>" }`, n))}
}

func add(t testing.TB, q *queue.Queue, n int) wire.Record {
	t.Helper()
	r, err := q.Append(t.Context(), draft(n))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func peek(t testing.TB, q *queue.Queue) []wire.Record {
	t.Helper()
	rs, err := q.Peek(t.Context(), 1000, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func settle(t testing.TB, q *queue.Queue, status wire.Status, rs ...wire.Record) {
	t.Helper()
	var receipt wire.Receipt
	for _, r := range rs {
		receipt.Results = append(receipt.Results, wire.Result{ID: r.ID, Status: status, Code: "some_code"})
	}
	if err := q.Settle(t.Context(), receipt); err != nil {
		t.Fatal(err)
	}
}

func TestRecordsSurviveInOrder(t *testing.T) {
	p := newPlace(t)
	q := p.begin()
	var want []wire.Record
	for i := range 5 {
		want = append(want, add(t, q, i))
	}
	epoch := q.Epoch()
	q = p.again(q)
	want = append(want, add(t, q, 5))
	got := peek(t, q)
	for i, r := range got {
		if r.Sequence != uint64(i+1) || r.Epoch != epoch || wire.Digest(r) != wire.Digest(want[i]) || r.Validate() != nil {
			t.Errorf("record %d is %+v", i, r)
		}
		if string(r.Body) != fmt.Sprintf(`{"n":%d,"s":"<&>"}`, i) {
			t.Errorf("body %d is %s", i, r.Body)
		}
	}
	if len(got) != 6 {
		t.Errorf("%d records", len(got))
	}
	s := q.Stats()
	if s.Pending != 6 || !s.OldestAt.Equal(start) || s.Bytes <= 0 {
		t.Errorf("%+v", s)
	}
}

func TestPeekBounds(t *testing.T) {
	q := newPlace(t).begin()
	for i := range 10 {
		add(t, q, i)
	}
	one := len(peek(t, q)[0].Body) + wire.RecordOverhead
	for _, c := range []struct{ records, bytes, want int }{{3, 1 << 20, 3}, {100, 4 * one, 4}, {100, 4*one - 1, 3}, {100, 1, 1}} {
		got, err := q.Peek(t.Context(), c.records, c.bytes)
		if err != nil || len(got) != c.want {
			t.Errorf("%+v: got %d, %v", c, len(got), err)
		}
	}
}

func TestManyAtOnceAreGapless(t *testing.T) {
	p := newPlace(t)
	q := p.begin()
	var wg sync.WaitGroup
	const writers, each = 16, 25
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if _, err := q.Append(context.Background(), draft(w*each+i), vault.Put{Shelf: "case", Key: fmt.Sprintf("%d-%d", w, i), Value: []byte("row")}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	q = p.again(q)
	rs := peek(t, q)
	seen := map[string]bool{}
	for i, r := range rs {
		if r.Sequence != uint64(i+1) || seen[r.ID] {
			t.Fatalf("record %d has sequence %d", i, r.Sequence)
		}
		seen[r.ID] = true
	}
	if len(rs) != writers*each {
		t.Errorf("%d records", len(rs))
	}
	n := 0
	if err := p.v.Shelf("case").Each(t.Context(), func(string, []byte) error { n++; return nil }); err != nil || n != writers*each {
		t.Errorf("%d rows, %v", n, err)
	}
}

func TestAppendWith(t *testing.T) {
	p := newPlace(t)
	q := p.begin()
	d := draft(1)
	r, err := q.AppendWith(t.Context(), d, func(r wire.Record) (json.RawMessage, []vault.Put, error) {
		if r.ID == "" || r.Epoch == "" || r.Kind != d.Kind {
			t.Errorf("build got %+v", r)
		}
		return json.RawMessage(fmt.Sprintf(`{"id": %q}`, r.ID)), []vault.Put{{Shelf: "case", Key: r.ID, Value: []byte("row")}}, nil
	})
	if err != nil || string(r.Body) != fmt.Sprintf(`{"id":%q}`, r.ID) || r.Sequence != 1 {
		t.Fatalf("got %+v, %v", r, err)
	}
	if got, ok, err := p.v.Shelf("case").Get(t.Context(), r.ID); !ok || err != nil || string(got) != "row" {
		t.Errorf("the row is not there: %v", err)
	}
	boom := errors.New("boom")
	for name, build := range map[string]func(wire.Record) (json.RawMessage, []vault.Put, error){
		"error":    func(wire.Record) (json.RawMessage, []vault.Put, error) { return nil, nil, boom },
		"not JSON": func(wire.Record) (json.RawMessage, []vault.Put, error) { return json.RawMessage("{"), nil, nil },
		"large": func(wire.Record) (json.RawMessage, []vault.Put, error) {
			return json.RawMessage(`"` + strings.Repeat("a", wire.MaxRecordBytes) + `"`), nil, nil
		},
		"bad put": func(wire.Record) (json.RawMessage, []vault.Put, error) {
			return json.RawMessage("{}"), []vault.Put{{Shelf: "case"}}, nil
		},
	} {
		if _, err := q.AppendWith(t.Context(), draft(2), build); err == nil {
			t.Errorf("%s: stored", name)
		}
	}
	if s := q.Stats(); s.Pending != 1 {
		t.Errorf("%+v", s)
	}
	if r := add(t, q, 3); r.Sequence != 2 {
		t.Errorf("refused records left a gap: %d", r.Sequence)
	}
}

func TestSameIDTwice(t *testing.T) {
	q := newPlace(t).begin()
	d := draft(1)
	var err error
	if d.ID, err = q.NewID(); err != nil {
		t.Fatal(err)
	}
	first, err := q.Append(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	second, err := q.Append(t.Context(), d)
	if err != nil || wire.Digest(first) != wire.Digest(second) {
		t.Errorf("the repeat gave %+v, %v", second, err)
	}
	d.Body = json.RawMessage(`{"other":true}`)
	if _, err := q.Append(t.Context(), d); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("other content: got %v", err)
	}
	again, err := q.AppendWith(t.Context(), d, func(wire.Record) (json.RawMessage, []vault.Put, error) {
		return json.RawMessage(`{"sealed anew":1}`), nil, nil
	})
	if err != nil || wire.Digest(again) != wire.Digest(first) {
		t.Errorf("AppendWith changed a stored record: %+v, %v", again, err)
	}
	if n := len(peek(t, q)); n != 1 {
		t.Errorf("%d records", n)
	}
	// Many repeats in one group are one record too.
	d = draft(2)
	if d.ID, err = q.NewID(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := q.Append(context.Background(), d); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(peek(t, q)); n != 2 {
		t.Errorf("%d records", n)
	}
}

func TestDraftsThatCannotBeSent(t *testing.T) {
	q := newPlace(t).begin()
	for name, d := range map[string]queue.Draft{
		"no kind": {At: start, Body: json.RawMessage("{}")}, "no time": {Kind: "x", Body: json.RawMessage("{}")},
		"no body": {Kind: "x", At: start}, "bad id": {Kind: "x", At: start, Body: json.RawMessage("{}"), ID: "1"},
	} {
		if _, err := q.Append(t.Context(), d); fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestFullRefusesAndDropsNothing(t *testing.T) {
	p := newPlace(t)
	p.limits.MaxRecords = 3
	q := p.begin()
	for i := range 3 {
		add(t, q, i)
	}
	if _, err := q.Append(t.Context(), draft(3), vault.Put{Shelf: "case", Key: "x", Value: []byte("y")}); fault.CodeOf(err) != fault.QueueFull {
		t.Fatalf("got %v", err)
	}
	if _, ok, _ := p.v.Shelf("case").Get(t.Context(), "x"); ok {
		t.Error("the put of a refused record is stored")
	}
	rs := peek(t, q)
	if len(rs) != 3 {
		t.Fatalf("%d records", len(rs))
	}
	settle(t, q, wire.Accepted, rs[0])
	if r := add(t, q, 4); r.Sequence != 4 {
		t.Errorf("sequence %d", r.Sequence)
	}
}

func TestFullByBytesForgetsKeptRecordsFirst(t *testing.T) {
	p := newPlace(t)
	p.limits.MaxBytes = 64 << 10
	q := p.begin()
	big := func() (wire.Record, error) {
		d := draft(1)
		d.Body = json.RawMessage(`"` + strings.Repeat("a", 10<<10) + `"`)
		return q.Append(t.Context(), d)
	}
	stored := 0
	for {
		r, err := big()
		if fault.CodeOf(err) == fault.QueueFull {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		stored++
		_ = r
	}
	if stored < 5 || stored > 6 {
		t.Fatalf("%d records of 10 KiB in 64 KiB", stored)
	}
	settle(t, q, wire.Accepted, peek(t, q)...)
	if s := q.Stats(); s.Kept != stored || s.Pending != 0 || s.Bytes != 0 {
		t.Fatalf("%+v", s)
	}
	for range stored {
		if _, err := big(); err != nil {
			t.Fatalf("kept records are in the way: %v", err)
		}
	}
	if s := q.Stats(); s.Pending != stored || s.Kept != 0 {
		t.Errorf("%+v", s)
	}
	q = p.again(q)
	if s := q.Stats(); s.Pending != stored || s.Kept != 0 {
		t.Errorf("after opening again: %+v", s)
	}
}

// Dead letters take room: they are not dropped either.
func TestDeadLettersFillTheQueue(t *testing.T) {
	p := newPlace(t)
	p.limits.MaxBytes = 64 << 10
	q := p.begin()
	d := draft(1)
	d.Body = json.RawMessage(`"` + strings.Repeat("a", 12<<10) + `"`)
	for range 5 {
		if _, err := q.Append(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	rs := peek(t, q)
	settle(t, q, wire.Rejected, rs...)
	if _, err := q.Append(t.Context(), d); fault.CodeOf(err) != fault.QueueFull {
		t.Fatalf("got %v", err)
	}
	if err := q.Retry(t.Context(), rs[0].ID); err != nil {
		t.Fatal(err)
	}
	settle(t, q, wire.Accepted, rs[0])
	if _, err := q.Append(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if s := q.Stats(); s.Dead != 4 || s.DeadBytes < 48<<10 || s.Kept != 0 {
		t.Errorf("%+v", s)
	}
}

// The byte limit can not exceed a third of the file, so that a full queue still settles.
func TestSmallFileStillSettles(t *testing.T) {
	p := newPlace(t)
	p.max = 4 << 20
	p.limits.MaxBytes = 1 << 40
	q := p.begin()
	if got := q.Stats().MaxBytes; got > 4<<20/3 {
		t.Errorf("a limit of %d bytes", got)
	}
	d := draft(1)
	d.Body = json.RawMessage(`"` + strings.Repeat("a", 16000) + `"`)
	for {
		if _, err := q.Append(t.Context(), d); fault.CodeOf(err) == fault.QueueFull {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for q.Stats().Pending > 0 {
		rs, err := q.Peek(t.Context(), 5, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		settle(t, q, wire.Accepted, rs...)
	}
}

func TestSettle(t *testing.T) {
	p := newPlace(t)
	q := p.begin()
	var rs []wire.Record
	for i := range 6 {
		rs = append(rs, add(t, q, i))
	}
	receipt := wire.Receipt{Results: []wire.Result{
		{ID: rs[0].ID, Status: wire.Accepted}, {ID: rs[1].ID, Status: wire.Duplicate}, {ID: rs[2].ID, Status: wire.Rejected, Code: "invalid_argument"},
		{ID: rs[3].ID, Status: wire.Conflict, Code: "conflict"}, {ID: rs[4].ID, Status: wire.Retry}, {ID: "unknown", Status: wire.Accepted},
	}}
	for range 2 { // the second time changes nothing
		if err := q.Settle(t.Context(), receipt); err != nil {
			t.Fatal(err)
		}
	}
	check := func() {
		t.Helper()
		left := peek(t, q)
		if len(left) != 2 || left[0].ID != rs[4].ID || left[1].ID != rs[5].ID {
			t.Errorf("left: %+v", left)
		}
		if s := q.Stats(); s.Pending != 2 || s.Dead != 2 || s.Kept != 2 || s.SentUnanswered != 2 {
			t.Errorf("%+v", s)
		}
		letters, err := q.DeadLetters(t.Context())
		if err != nil || len(letters) != 2 || letters[0].Record.ID != rs[2].ID || letters[0].Code != "invalid_argument" ||
			letters[1].Status != wire.Conflict || wire.Digest(letters[1].Record) != wire.Digest(rs[3]) {
			t.Errorf("dead letters: %+v, %v", letters, err)
		}
	}
	check()
	q = p.again(q)
	check()
	if err := q.MarkAnswered(t.Context(), rs[0].ID, "unknown"); err != nil {
		t.Fatal(err)
	}
	q = p.again(q)
	if s := q.Stats(); s.SentUnanswered != 1 {
		t.Errorf("%+v", s)
	}
	if r, ok, err := q.Find(t.Context(), rs[0].ID); !ok || err != nil || wire.Digest(r) != wire.Digest(rs[0]) {
		t.Errorf("an accepted record is not kept: %v", err)
	}
}

func TestTrim(t *testing.T) {
	p := newPlace(t)
	q := p.begin()
	a, b, c, d := add(t, q, 0), add(t, q, 1), add(t, q, 2), add(t, q, 3)
	settle(t, q, wire.Accepted, a)
	settle(t, q, wire.Rejected, b)
	p.advance(queue.DefaultKeepAccepted - time.Hour)
	settle(t, q, wire.Accepted, c)
	p.advance(2 * time.Hour)
	if n, err := q.Trim(t.Context()); n != 1 || err != nil {
		t.Fatalf("removed %d, %v", n, err)
	}
	for range 2 {
		if _, ok, _ := q.Find(t.Context(), a.ID); ok {
			t.Error("an old accepted record is still there")
		}
		for _, r := range []wire.Record{b, c, d} {
			if _, ok, err := q.Find(t.Context(), r.ID); !ok || err != nil {
				t.Errorf("record %d is gone: %v", r.Sequence, err)
			}
		}
		if s := q.Stats(); s.Pending != 1 || s.Dead != 1 || s.Kept != 1 || s.SentUnanswered != 1 {
			t.Errorf("%+v", s)
		}
		q = p.again(q)
	}
}

func TestSaveAnswers(t *testing.T) {
	p := newPlace(t)
	q := p.begin()
	if q.Cursor() != 0 {
		t.Fatal(q.Cursor())
	}
	put := func(v string) []vault.Put { return []vault.Put{{Shelf: "case", Key: "k", Value: []byte(v)}} }
	if err := q.SaveAnswers(t.Context(), 7, put("seven")); err != nil {
		t.Fatal(err)
	}
	if err := q.SaveAnswers(t.Context(), 6, put("six")); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("going back: got %v", err)
	}
	q = p.again(q)
	if got, _, _ := p.v.Shelf("case").Get(t.Context(), "k"); q.Cursor() != 7 || string(got) != "seven" {
		t.Errorf("cursor %d, row %q", q.Cursor(), got)
	}
}

// A record whose bytes were changed or moved is a dead letter and blocks nobody.
func TestDamagedRecord(t *testing.T) {
	for _, live := range []bool{true, false} {
		p := newPlace(t)
		q := p.begin()
		for i := range 3 {
			add(t, q, i)
		}
		harm(t, p, "records", bigEndian(2))
		if !live {
			q = p.again(q)
		}
		rs := peek(t, q)
		if len(rs) != 2 || rs[0].Sequence != 1 || rs[1].Sequence != 3 {
			t.Errorf("live %v: %+v", live, rs)
		}
		letters, err := q.DeadLetters(t.Context())
		if err != nil || len(letters) != 1 || !letters[0].Damaged || letters[0].Record.Sequence != 2 {
			t.Errorf("live %v: %+v, %v", live, letters, err)
		}
		if s := q.Stats(); s.Pending != 2 || s.Dead != 1 || s.Damaged != 1 {
			t.Errorf("live %v: %+v", live, s)
		}
	}
}

// What became of a record can be asked for, also after a start: the desk's rows follow it.
func TestFates(t *testing.T) {
	p := newPlace(t)
	p.limits.KeepAccepted = time.Hour
	q := p.begin()
	waits, taken, refused, lost := add(t, q, 0), add(t, q, 1), add(t, q, 2), add(t, q, 3)
	trimmed := add(t, q, 4)
	settle(t, q, wire.Accepted, trimmed)
	p.advance(2 * time.Hour)
	if n, err := q.Trim(t.Context()); n != 1 || err != nil {
		t.Fatalf("%d trimmed: %v", n, err)
	}
	settle(t, q, wire.Accepted, taken)
	settle(t, q, wire.Rejected, refused)
	harm(t, p, "records", bigEndian(lost.Sequence))
	q = p.again(q)
	fates, err := q.Fates(t.Context(), []string{waits.ID, taken.ID, refused.ID, lost.ID, trimmed.ID})
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]queue.Fate{
		waits.ID: {Waiting: true}, taken.ID: {Status: wire.Accepted},
		refused.ID: {Status: wire.Rejected, Code: "some_code"}, lost.ID: {Damaged: true}, trimmed.ID: {},
	} {
		if fates[id] != want || fates[id].Gone() != (id == trimmed.ID) {
			t.Errorf("got %+v, want %+v", fates[id], want)
		}
	}
	if _, err := q.Fates(t.Context(), []string{"no id"}); fault.CodeOf(err) != fault.InvalidArgument {
		t.Errorf("got %v", err)
	}
}

// A damaged epoch does not keep the agent from starting: what waits is sent under its own.
func TestDamagedEpoch(t *testing.T) {
	p := newPlace(t)
	q := p.begin()
	before := add(t, q, 0)
	harm(t, p, "state", []byte("state"))
	q = p.again(q)
	after := add(t, q, 1)
	if rs := peek(t, q); len(rs) != 2 || rs[0].Epoch != before.Epoch || after.Epoch == before.Epoch {
		t.Errorf("%+v", rs)
	}
	if again := p.again(q); again.Epoch() != after.Epoch {
		t.Error("the new epoch did not stay")
	}
}

// harm flips a bit of a value of the queue.
func harm(t *testing.T, p *place, bucket string, key []byte) {
	t.Helper()
	if err := p.v.Update(func(tx *bbolt.Tx) error { return flip(tx, bucket, key) }); err != nil {
		t.Fatal(err)
	}
}

func bigEndian(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// A commit that fails is not a success, is found out, and the queue works again.
func TestFailedCommit(t *testing.T) {
	p := newPlace(t)
	q := p.begin()
	add(t, q, 0)
	readOnly := true
	p.open = func(name string, flag int, mode os.FileMode) (*os.File, error) {
		if readOnly { // writes to the file fail, as on a dying disk
			readOnly = false
			return os.OpenFile(name, os.O_RDONLY, mode)
		}
		return os.OpenFile(name, flag, mode)
	}
	q = p.again(q)
	d := draft(1)
	var err error
	if d.ID, err = q.NewID(); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Append(t.Context(), d); fault.CodeOf(err) != fault.Unavailable {
		t.Fatalf("got %v", err)
	}
	if s := q.Stats(); s.Pending != 1 {
		t.Errorf("%+v", s)
	}
	r, err := q.Append(t.Context(), d)
	if err != nil || r.Sequence != 2 {
		t.Fatalf("the repeat: %+v, %v", r, err)
	}
	if rs := peek(t, q); len(rs) != 2 || rs[1].ID != d.ID {
		t.Errorf("%+v", rs)
	}
}

func TestClosedQueue(t *testing.T) {
	q := newPlace(t).begin()
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Append(t.Context(), draft(1)); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	q = newPlace(t).begin()
	if _, err := q.Append(ctx, draft(1)); err != nil && fault.CodeOf(err) != fault.Unknown && fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
}
