package queue_test

import (
	"io"
	"testing"
	"time"

	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// A stand-in's records come after all that is here, as they are, whatever became of them; a
// repeated call changes nothing, and records to come begin an epoch of their own.
func TestTakeIn(t *testing.T) {
	p, from := newPlace(t), newPlace(t)
	q, other := p.begin(), from.begin()
	own := []wire.Record{add(t, q, 0), add(t, q, 1)}
	var rs []wire.Record
	for i := range 600 {
		rs = append(rs, add(t, other, 10+i))
	}
	settle(t, other, wire.Accepted, rs[0], rs[3])
	settle(t, other, wire.Rejected, rs[1])
	harm(t, from, "records", bigEndian(5))
	if err := from.v.Apply(vault.Put{Shelf: "case", Key: "a", Value: []byte("theirs")}, vault.Put{Shelf: "case", Key: "b", Value: []byte("theirs")}, vault.Put{Shelf: "pin", Key: "a", Value: []byte("theirs")}); err != nil {
		t.Fatal(err)
	}
	if err := p.v.Apply(vault.Put{Shelf: "case", Key: "a", Value: []byte("ours")}); err != nil {
		t.Fatal(err)
	}
	from.advance(time.Hour)
	taken, err := q.TakeIn(t.Context(), from.v, "pin")
	if err != nil || taken != (queue.Taken{Records: 599, Values: 1, Lost: 1}) {
		t.Fatalf("%+v, %v", taken, err)
	}
	if again, err := q.TakeIn(t.Context(), from.v, "pin"); err != nil || again != (queue.Taken{Lost: 1}) {
		t.Errorf("the second time: %+v, %v", again, err)
	}
	later := add(t, q, 1000)
	if later.Sequence != 1 || later.Epoch == own[0].Epoch || later.Epoch == rs[0].Epoch || later.Prev != wire.Genesis("trm_1", later.Epoch) {
		t.Errorf("what comes later is %+v", later)
	}
	q = p.again(q)
	want := append(append(append([]wire.Record{}, own...), rs[2]), rs[5:]...)
	want = append(want, later)
	got := peek(t, q)
	if len(got) != len(want) {
		t.Fatalf("%d wait, want %d", len(got), len(want))
	}
	for i := range want {
		if wire.Digest(got[i]) != wire.Digest(want[i]) || got[i].Prev != want[i].Prev || got[i].Sequence != want[i].Sequence {
			t.Errorf("record %d is %+v", i, got[i])
		}
	}
	if s := q.Stats(); s.Kept != 2 || s.Dead != 1 || s.Pending != len(want) {
		t.Errorf("%+v", s)
	}
	for shelf, want := range map[string][2]string{"case": {"ours", "theirs"}, "pin": {}} {
		for i, key := range []string{"a", "b"} {
			if value, _, err := p.v.Shelf(shelf).Get(t.Context(), key); string(value) != want[i] || err != nil {
				t.Errorf("%s/%s is %q, %v", shelf, key, value, err)
			}
		}
	}
	if n, err := q.Reopen(t.Context(), "srv_2", nil); n != 2 || err != nil {
		t.Errorf("a restored backend gets %d of the kept ones: %v", n, err)
	}
}

// Into a file that began just now, the records keep their order and the epoch stays.
func TestTakeInToNothing(t *testing.T) {
	p, from := newPlace(t), newPlace(t)
	q, other := p.begin(), from.begin()
	epoch := q.Epoch()
	r := add(t, other, 1)
	if taken, err := q.TakeIn(t.Context(), from.v); taken.Records != 1 || err != nil {
		t.Fatalf("%+v, %v", taken, err)
	}
	mine := add(t, q, 2)
	if got := peek(t, q); len(got) != 2 || got[0].ID != r.ID || got[1].Epoch != epoch || mine.Sequence != 1 {
		t.Errorf("%+v", got)
	}
	if s := q.Stats(); !s.OldestAt.Equal(r.At) {
		t.Errorf("%+v", s)
	}
}

// What waits again after an export began may be missing in it: it is not called exported.
func TestAnExportThatMissesSomething(t *testing.T) {
	p := newPlace(t)
	q := p.begin()
	a, b := add(t, q, 0), add(t, q, 1)
	settle(t, q, wire.Rejected, a)
	settle(t, q, wire.Accepted, b)
	export := func() uint64 {
		t.Helper()
		_, through, err := q.Export(t.Context(), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		return through
	}
	through := export()
	if _, err := q.Reopen(t.Context(), "srv_2", nil); err != nil {
		t.Fatal(err)
	}
	if err := q.MarkExported(t.Context(), through); fault.CodeOf(err) != fault.Conflict || q.Stats().Exported {
		t.Errorf("a record waits again that it lacks: %v", err)
	}
	if err := q.MarkExported(t.Context(), export()); err != nil || !q.Stats().Exported {
		t.Fatal(err)
	}
	if err := q.Retry(t.Context(), a.ID); err != nil || q.Stats().Exported {
		t.Errorf("a dead letter that waits again is called exported: %v", err)
	}
	through = export()
	q = p.again(q)
	if err := q.MarkExported(t.Context(), through); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("an export of another program: %v", err)
	}
}
