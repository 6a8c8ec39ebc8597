package queue_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// chain gives the hash after the records, which must follow one another from the first.
func chain(t testing.TB, rs []wire.Record) wire.Hash {
	t.Helper()
	head := wire.Genesis("trm_1", rs[0].Epoch)
	for i, r := range rs {
		if r.Sequence != uint64(i+1) || r.Epoch != rs[0].Epoch || r.Prev != head {
			t.Fatalf("record %d: %s/%d does not follow", i, r.Epoch, r.Sequence)
		}
		head = wire.After(r)
	}
	return head
}

func TestRecordsAreChained(t *testing.T) {
	p := newPlace(t)
	q := p.begin()
	for i := range 3 {
		add(t, q, i)
	}
	settle(t, q, wire.Accepted, peek(t, q)[:2]...)
	q = p.again(q)
	var rs []wire.Record
	for i := 3; i < 5; i++ {
		add(t, q, i)
	}
	list, err := q.List(t.Context(), queue.Kept, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		r, _, _ := q.Find(t.Context(), e.ID)
		rs = append(rs, r)
	}
	chain(t, append(rs, peek(t, q)...))
}

// What the backend confirms of itself is stored with its word on the records.
func TestConfirmed(t *testing.T) {
	p := newPlace(t)
	q := p.begin()
	r := add(t, q, 0)
	if c := q.Confirmed(); c.ServerEpoch != "" || !c.LastAck.IsZero() || !q.Stats().LastAck.IsZero() {
		t.Fatalf("%+v", c)
	}
	tell := func(epoch string, through uint64, results ...wire.Result) {
		t.Helper()
		receipt := wire.Receipt{ServerEpoch: epoch, Results: results, Marks: []wire.Mark{{Epoch: r.Epoch, Through: through, Key: "k1", Signature: []byte("s")}}}
		if err := q.Settle(t.Context(), receipt); err != nil {
			t.Fatal(err)
		}
	}
	tell("srv_1", 1, wire.Result{ID: r.ID, Status: wire.Accepted})
	p.advance(time.Hour)
	tell("srv_1", 2)
	for range 2 {
		c := q.Confirmed()
		if c.ServerEpoch != "srv_1" || len(c.Marks) != 1 || c.Marks[0].Through != 2 || string(c.Marks[0].Signature) != "s" || !c.LastAck.Equal(start.Add(time.Hour)) {
			t.Fatalf("%+v", c)
		}
		q = p.again(q)
	}
	if err := q.Settle(t.Context(), wire.Receipt{Results: []wire.Result{{ID: r.ID, Status: wire.Retry}}}); err != nil {
		t.Fatal(err)
	}
	if c := q.Confirmed(); c.ServerEpoch != "srv_1" || !q.Stats().LastAck.Equal(start.Add(time.Hour)) {
		t.Errorf("a receipt that says nothing changed %+v", c)
	}
	for i := range 40 { // of many epochs the last are kept
		receipt := wire.Receipt{ServerEpoch: "srv_1", Marks: []wire.Mark{{Epoch: fmt.Sprintf("epo_%d", i)}}}
		if err := q.Settle(t.Context(), receipt); err != nil {
			t.Fatal(err)
		}
	}
	if c := q.Confirmed(); len(c.Marks) != 16 || c.Marks[15].Epoch != "epo_39" {
		t.Errorf("%d marks", len(c.Marks))
	}
}

// A restored backend forgot what came after its marks: just that waits again, in order,
// before what is new, and is the same as it was.
func TestReopen(t *testing.T) {
	p := newPlace(t)
	q := p.begin()
	var rs []wire.Record
	for i := range 6 {
		rs = append(rs, add(t, q, i))
	}
	settle(t, q, wire.Accepted, rs[0], rs[1], rs[3])
	settle(t, q, wire.Duplicate, rs[2])
	settle(t, q, wire.Rejected, rs[4])
	if err := q.MarkAnswered(t.Context(), rs[1].ID); err != nil {
		t.Fatal(err)
	}
	_, through, err := q.Export(t.Context(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.MarkExported(t.Context(), through); err != nil || !q.Stats().Exported {
		t.Fatal(err)
	}
	for _, want := range []int{3, 0} { // the second time changes nothing
		n, err := q.Reopen(t.Context(), "srv_2", []wire.Mark{{Epoch: rs[0].Epoch, Through: 1}, {Epoch: "epo_other", Through: 99}})
		if n != want || err != nil {
			t.Fatalf("%d wait again, want %d: %v", n, want, err)
		}
	}
	if q.Stats().Exported {
		t.Error("what waits again is called exported")
	}
	if q.Confirmed().ServerEpoch != "srv_2" {
		t.Error("the new backend is not remembered")
	}
	q = p.again(q)
	got := peek(t, q)
	want := []wire.Record{rs[1], rs[2], rs[3], rs[5]}
	if len(got) != len(want) {
		t.Fatalf("%d wait", len(got))
	}
	for i := range want {
		if wire.Digest(got[i]) != wire.Digest(want[i]) || got[i].Prev != want[i].Prev {
			t.Errorf("record %d is %+v", i, got[i])
		}
	}
	if s := q.Stats(); s.Pending != 4 || s.Kept != 1 || s.Dead != 1 || s.SentUnanswered != 1 {
		t.Errorf("%+v", s)
	}
	settle(t, q, wire.Duplicate, got...)
	if s := q.Stats(); s.SentUnanswered != 4 || s.Kept != 5 { // all but the answered one
		t.Errorf("%+v", s)
	}
	if n, err := q.Reopen(t.Context(), "srv_3", nil); n != 5 || err != nil {
		t.Errorf("an epoch without a mark: %d, %v", n, err)
	}
}

// A restored backend names a mark of a copy of this disk, or one that this disk has not
// reached: what this terminal recorded may be gone, and waits again whatever the mark says.
func TestReopenAtTheMarkOfACopy(t *testing.T) {
	p := newPlace(t)
	q := p.begin()
	var rs []wire.Record
	for i := range 4 {
		rs = append(rs, add(t, q, i))
	}
	settle(t, q, wire.Accepted, rs...)
	for _, c := range []struct {
		name    string
		through uint64
		head    wire.Hash
		want    int
	}{
		{"ours in the middle", 2, wire.After(rs[1]), 2},
		{"ours at the end", 4, wire.After(rs[3]), 0},
		{"none", 0, rs[0].Prev, 4},
		{"without a chain", 2, wire.Hash{}, 2},
		{"a copy's in the middle", 2, wire.Hash{1}, 4},
		{"a copy's at our end", 4, wire.Hash{1}, 4},
		{"a copy's further on", 5, wire.Hash{1}, 4},
	} {
		n, err := q.Reopen(t.Context(), "srv "+c.name, []wire.Mark{{Epoch: rs[0].Epoch, Through: c.through, Head: c.head}})
		if n != c.want || err != nil {
			t.Errorf("%s: %d wait again, want %d: %v", c.name, n, c.want, err)
		}
		settle(t, q, wire.Duplicate, rs...)
	}
}

// More than one stretch waits again.
func TestReopenMany(t *testing.T) {
	p := newPlace(t)
	q := p.begin()
	const n = 2100
	fill(t, q, n, 64, []byte(`"x"`))
	for q.Stats().Pending > 0 {
		settle(t, q, wire.Accepted, peek(t, q)...)
	}
	if again, err := q.Reopen(t.Context(), "srv_2", nil); again != n || err != nil {
		t.Fatalf("%d: %v", again, err)
	}
	rs, err := q.Peek(t.Context(), n+1, 1<<30)
	if err != nil || len(rs) != n {
		t.Fatalf("%d: %v", len(rs), err)
	}
	chain(t, rs)
}

func TestRetry(t *testing.T) {
	p := newPlace(t)
	q := p.begin()
	a, b, c, d := add(t, q, 0), add(t, q, 1), add(t, q, 2), add(t, q, 3)
	settle(t, q, wire.Rejected, a)
	settle(t, q, wire.Accepted, b)
	harm(t, p, "records", bigEndian(3))
	_ = peek(t, q)
	for id, want := range map[string]fault.Code{
		a.ID: "", b.ID: fault.Conflict, c.ID: fault.Conflict, d.ID: fault.Conflict,
		"01a1fb67-1800-7265-a87c-ed4bd1e1deef": fault.NotFound, "x": fault.InvalidArgument,
	} {
		if err := q.Retry(t.Context(), id); (want == "" && err != nil) || (want != "" && fault.CodeOf(err) != want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	q = p.again(q)
	if rs := peek(t, q); len(rs) != 2 || wire.Digest(rs[0]) != wire.Digest(a) || rs[1].ID != d.ID {
		t.Errorf("%+v", rs)
	}
	if s := q.Stats(); s.Dead != 1 || s.Damaged != 1 || !s.OldestAt.Equal(a.At) {
		t.Errorf("%+v", s)
	}
	settle(t, q, wire.Rejected, a)
	p.limits.MaxRecords = 1
	q = p.again(q)
	if err := q.Retry(t.Context(), a.ID); fault.CodeOf(err) != fault.QueueFull {
		t.Errorf("a full queue took it: %v", err)
	}
}

func TestListAndExport(t *testing.T) {
	p := newPlace(t)
	q := p.begin()
	var rs []wire.Record
	for i := range 8 {
		rs = append(rs, add(t, q, i))
	}
	settle(t, q, wire.Accepted, rs[0], rs[2])
	settle(t, q, wire.Rejected, rs[1])
	settle(t, q, wire.Conflict, rs[3])
	harm(t, p, "records", bigEndian(5))
	_ = peek(t, q)
	for what, want := range map[queue.Which]string{
		queue.Waiting: "6waiting 7waiting 8waiting ", queue.Kept: "1accepted 3accepted ", queue.Dead: "2rejected some_code 4conflict some_code 5damaged ",
	} {
		got, after := "", uint64(0)
		for {
			page, err := q.List(t.Context(), what, after, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page {
				if e.State != queue.Damaged && (e.ID != rs[e.Position-1].ID || e.Sequence != e.Position || !e.At.Equal(rs[e.Position-1].At) || e.Bytes == 0) {
					t.Errorf("%+v", e)
				}
				got += fmt.Sprintf("%d%s ", e.Position, e.State)
				if e.Code != "" {
					got += e.Code + " "
				}
				after = e.Position
			}
			if len(page) < 2 {
				break
			}
		}
		if got != want {
			t.Errorf("%d: %q, want %q", what, got, want)
		}
	}
	if _, err := q.List(t.Context(), 9, 0, 1); fault.CodeOf(err) != fault.InvalidArgument {
		t.Errorf("got %v", err)
	}
	exports(t, q, rs)
}

func exports(t *testing.T, q *queue.Queue, rs []wire.Record) {
	t.Helper()
	var out bytes.Buffer
	n, through, err := q.Export(t.Context(), &out)
	if n != 6 || through != 8 || err != nil {
		t.Fatalf("%d up to %d: %v", n, through, err)
	}
	in, err := wire.NewExportReader(&out)
	if err != nil || in.Header().Terminal != "trm_1" {
		t.Fatal(err)
	}
	got := ""
	for {
		e, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got += fmt.Sprintf("%d%s%s ", e.Record.Sequence, e.Status, e.Reason)
		if e.Reason != wire.ReasonDamaged && wire.Digest(e.Record) != wire.Digest(rs[e.Record.Sequence-1]) {
			t.Error("the export holds another record")
		}
	}
	if want := "6 7 8 2rejectedsome_code 4conflictsome_code 5damaged "; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if q.Stats().Exported {
		t.Error("it is called exported before it is safe")
	}
	if err := q.MarkExported(t.Context(), through); err != nil || !q.Stats().Exported {
		t.Error(err)
	}
	add(t, q, 9)
	if q.Stats().Exported {
		t.Error("a newer record is called exported")
	}
}

// A file as an older program wrote it keeps what waits, under its epoch and sequence; what
// comes is of a new epoch, which has a chain.
func TestLayout1(t *testing.T) {
	p := newPlace(t)
	q := p.begin()
	type header struct {
		ID    string    `json:"id"`
		Epoch string    `json:"epoch"`
		Kind  wire.Kind `json:"kind"`
		At    time.Time `json:"at"`
	}
	ids := []string{"01a1fb67-1800-7265-a87c-ed4bd1e1deef", "01a1fb67-1800-72b8-8d81-6c84871beec8", "01a1f8d3-ea00-7038-b29d-315b90fbc1d9"}
	err := p.v.Update(func(tx *bbolt.Tx) error {
		if err := errors.Join(tx.DeleteBucket([]byte("queue/ids")), tx.DeleteBucket([]byte("queue/state"))); err != nil {
			return err
		}
		for i, id := range ids {
			head, _ := json.Marshal(header{id, "epo_old", wire.KindEligibilityCheck, start})
			plain := append(binary.BigEndian.AppendUint32(nil, uint32(len(head))), head...)
			if err := p.v.Put(tx, "queue/records", bigEndian(uint64(i+5)), append(plain, `{"n":1}`...)); err != nil {
				return err
			}
		}
		return errors.Join(
			p.v.Put(tx, "queue/marks", bigEndian(5), fmt.Appendf(nil, `{"s":"accepted","t":1763683200000,"w":%q}`, ids[0])),
			p.v.Put(tx, "queue/marks", bigEndian(2), []byte(`{"s":"accepted","t":1763683200000}`)),
			p.v.Put(tx, "queue/state", []byte("cursor"), bigEndian(77)),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	q = p.again(q)
	added := add(t, q, 0)
	if added.Sequence != 1 || added.Epoch == "epo_old" || added.Prev != wire.Genesis("trm_1", added.Epoch) {
		t.Errorf("%+v", added)
	}
	rs := peek(t, q)
	if len(rs) != 3 || rs[0].ID != ids[1] || rs[0].Sequence != 6 || rs[1].Epoch != "epo_old" || !rs[1].Prev.IsZero() || string(rs[1].Body) != `{"n":1}` {
		t.Errorf("%+v", rs)
	}
	if s := q.Stats(); s.Kept != 1 || s.SentUnanswered != 1 || q.Cursor() != 77 {
		t.Errorf("%+v, cursor %d", s, q.Cursor())
	}
	if err := q.MarkAnswered(t.Context(), ids[0]); err != nil || q.Stats().SentUnanswered != 0 {
		t.Error(err)
	}
	settle(t, q, wire.Accepted, rs...)
	p.advance(queue.DefaultKeepAccepted)
	if n, err := q.Trim(t.Context()); n != 4 || err != nil {
		t.Errorf("%d trimmed: %v", n, err)
	}
}

// A state that is older than the records, as it may come from a damaged file, hides none of
// them, and no sequence is given out twice.
func TestStateOfEarlier(t *testing.T) {
	p := newPlace(t)
	q := p.begin()
	add(t, q, 0)
	var earlier []byte
	swap := func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("queue/state"))
		if earlier == nil {
			earlier = bytes.Clone(b.Get([]byte("state")))
			return nil
		}
		return b.Put([]byte("state"), earlier)
	}
	if err := p.v.Update(swap); err != nil {
		t.Fatal(err)
	}
	last := add(t, q, 1)
	if err := p.v.Update(swap); err != nil {
		t.Fatal(err)
	}
	q = p.again(q)
	added := add(t, q, 2)
	if rs := peek(t, q); len(rs) != 3 || rs[1].ID != last.ID || added.Epoch == last.Epoch || added.Sequence != 1 {
		t.Errorf("%+v", rs)
	}
}

// An index that leads astray is made anew, and a record that it lost is settled all the same.
func TestDamagedIndex(t *testing.T) {
	p := newPlace(t)
	q := p.begin()
	a, b, c := add(t, q, 0), add(t, q, 1), add(t, q, 2)
	index := func(id string, pos []byte) {
		t.Helper()
		u := parse(t, id)
		if err := p.v.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte("queue/ids")).Put(u, pos) }); err != nil {
			t.Fatal(err)
		}
	}
	index(a.ID, bigEndian(2))
	index(b.ID, bigEndian(99))
	index(c.ID, nil)
	settle(t, q, wire.Accepted, b)
	settle(t, q, wire.Accepted, a)
	if rs := peek(t, q); len(rs) != 1 || rs[0].ID != c.ID || q.Epoch() != c.Epoch {
		t.Errorf("%+v", rs)
	}
	settle(t, q, wire.Rejected, c)
	if s := q.Stats(); s.Pending != 0 || s.Kept != 2 || s.Dead != 1 {
		t.Errorf("%+v", s)
	}
}
