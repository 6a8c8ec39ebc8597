package queue_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// entry is what the model knows of one record.
type entry struct {
	record   wire.Record
	status   wire.Status // empty while it waits
	lived    time.Duration
	settled  time.Duration // the queue's age then
	answered bool
	gone     bool
}

func (e *entry) kept() bool { return e.status == wire.Accepted || e.status == wire.Duplicate }

func (e *entry) dead() bool { return e.status == wire.Rejected || e.status == wire.Conflict }

// machine drives a queue through anything that can happen to it beside a list of what was
// confirmed, in order.
type machine struct {
	*place
	q       *queue.Queue
	entries []*entry
	head    wire.Hash
	epoch   string
	next    uint64        // sequence of the next record
	lived   time.Duration // time that passed for the queue
	server  string        // the backend's epoch as last told
	reopens int
	crashes int
}

func (m *machine) those(is func(*entry) bool) []*entry {
	var some []*entry
	for _, e := range m.entries {
		if !e.gone && is(e) {
			some = append(some, e)
		}
	}
	return some
}

func waits(e *entry) bool { return e.status == "" }

func (m *machine) record(r *rapid.T) {
	d := queue.Draft{
		Kind: rapid.SampledFrom([]wire.Kind{wire.KindEligibilityCheck, wire.KindEligibilityOutcome}).Draw(r, "kind"),
		At:   m.clock().Add(time.Duration(rapid.IntRange(-1e6, 1e6).Draw(r, "at")) * time.Second),
		Body: json.RawMessage(fmt.Sprintf(`{"n":%d}`, len(m.entries))),
	}
	is, err := m.q.Append(m.Context(), d)
	if err != nil {
		r.Fatal(err)
	}
	if m.epoch == "" {
		m.epoch, m.next, m.head = is.Epoch, 1, wire.Genesis("trm_1", is.Epoch)
		for _, e := range m.entries {
			if e.record.Epoch == is.Epoch {
				r.Fatal("an epoch came back")
			}
		}
	}
	if is.Epoch != m.epoch || is.Sequence != m.next || is.Prev != m.head {
		r.Fatalf("record %s/%d after %x, want %s/%d", is.Epoch, is.Sequence, is.Prev[:4], m.epoch, m.next)
	}
	m.next, m.head = m.next+1, wire.After(is)
	m.entries = append(m.entries, &entry{record: is, lived: m.lived})
}

// again repeats a record that is stored, as a caller does whose answer was lost.
func (m *machine) again(r *rapid.T) {
	all := m.those(func(*entry) bool { return true })
	if len(all) == 0 {
		r.Skip()
	}
	e := rapid.SampledFrom(all).Draw(r, "again")
	is, err := m.q.Append(m.Context(), queue.Draft{ID: e.record.ID, Kind: e.record.Kind, At: e.record.At, Body: e.record.Body})
	if err != nil || wire.Digest(is) != wire.Digest(e.record) || is.Prev != e.record.Prev {
		r.Fatalf("the repeat gave %+v: %v", is, err)
	}
	_, err = m.q.Append(m.Context(), queue.Draft{ID: e.record.ID, Kind: e.record.Kind, At: e.record.At, Body: json.RawMessage(`"other"`)})
	if fault.CodeOf(err) != fault.Conflict {
		r.Fatalf("other content: %v", err)
	}
}

// settle has the backend say anything about some of the oldest records, in any order.
func (m *machine) settle(r *rapid.T) {
	rs, err := m.q.Peek(m.Context(), rapid.IntRange(1, 8).Draw(r, "batch"), 1<<20)
	if err != nil {
		r.Fatal(err)
	}
	receipt := wire.Receipt{Results: []wire.Result{{ID: "nobody's", Status: wire.Accepted}}}
	for _, one := range rapid.Permutation(rs).Draw(r, "order") {
		status := rapid.SampledFrom([]wire.Status{wire.Accepted, wire.Accepted, wire.Duplicate, wire.Rejected, wire.Conflict, wire.Retry}).Draw(r, "word")
		receipt.Results = append(receipt.Results, wire.Result{ID: one.ID, Status: status, Code: "some_code"})
		e := m.entry(one.ID)
		if status != wire.Retry {
			e.status, e.settled = status, m.lived
		}
	}
	for range rapid.IntRange(1, 2).Draw(r, "times") {
		if err := m.q.Settle(m.Context(), receipt); err != nil {
			r.Fatal(err)
		}
	}
}

func (m *machine) entry(id string) *entry {
	return m.entries[slices.IndexFunc(m.entries, func(e *entry) bool { return e.record.ID == id })]
}

// restored has the backend forget what came after its marks.
func (m *machine) restored(r *rapid.T) {
	m.server = fmt.Sprintf("srv_%d", len(m.entries)+1000*m.reopens)
	through := map[string]uint64{}
	var marks []wire.Mark
	for _, e := range m.entries {
		if _, ok := through[e.record.Epoch]; ok || rapid.Bool().Draw(r, "forgotten") {
			continue
		}
		mark := wire.Mark{Epoch: e.record.Epoch, Through: uint64(rapid.IntRange(0, len(m.entries)+1).Draw(r, "through"))}
		through[mark.Epoch], marks = mark.Through, append(marks, mark)
	}
	want := 0
	for _, e := range m.those((*entry).kept) {
		if e.record.Sequence > through[e.record.Epoch] {
			e.status = ""
			want++
		}
	}
	n, err := m.q.Reopen(m.Context(), m.server, marks)
	if err != nil || n != want {
		r.Fatalf("%d wait again, want %d: %v", n, want, err)
	}
	m.reopens += n
}

func (m *machine) retry(r *rapid.T) {
	for _, e := range m.those(func(*entry) bool { return true }) {
		if !rapid.Bool().Draw(r, "this") {
			continue
		}
		err := m.q.Retry(m.Context(), e.record.ID)
		if e.dead() != (err == nil) || (err != nil && fault.CodeOf(err) != fault.Conflict) {
			r.Fatalf("%s: %v", e.status, err)
		}
		if e.dead() {
			e.status = ""
		}
		return
	}
}

func (m *machine) answer(r *rapid.T) {
	var ids []string
	for _, e := range m.those(func(*entry) bool { return true }) {
		if rapid.IntRange(0, 3).Draw(r, "answered") == 0 {
			e.answered = e.answered || !e.dead()
			ids = append(ids, e.record.ID)
		}
	}
	if err := m.q.MarkAnswered(m.Context(), append(ids, "nobody's")...); err != nil {
		r.Fatal(err)
	}
}

// pass lets time pass while the program watches, or has the wall clock set back; and then
// something is recorded.
func (m *machine) pass(r *rapid.T) {
	d := time.Duration(rapid.IntRange(-100, 100).Draw(r, "hours")) * time.Hour
	m.advance(d)
	m.lived += max(d, 0)
	m.record(r)
}

func (m *machine) trim(r *rapid.T) {
	want := 0
	for _, e := range m.those((*entry).kept) {
		if e.gone = m.lived-e.settled >= queue.DefaultKeepAccepted; e.gone {
			want++
		}
	}
	if n, err := m.q.Trim(m.Context()); n != want || err != nil {
		r.Fatalf("%d trimmed, want %d: %v", n, want, err)
	}
	stale := len(m.those(func(e *entry) bool { return waits(e) && m.lived-e.lived >= queue.DefaultMaxAge }))
	if s := m.q.Stats(); s.Stale != stale {
		r.Fatalf("%d stale, want %d", s.Stale, stale)
	}
}

// off has the wall clock move while no program runs: it counts a day at most.
func (m *machine) off(r *rapid.T) {
	d := time.Duration(rapid.IntRange(-100, 100).Draw(r, "hours")) * time.Hour
	m.advance(d)
	m.lived += min(max(d, 0), 24*time.Hour)
}

func (m *machine) restart(r *rapid.T) {
	m.close(r)
	m.off(r)
	m.q = m.begin()
	m.record(r)
}

func (m *machine) close(r *rapid.T) {
	if err := m.q.Close(); err != nil {
		r.Fatal(err)
	}
	if err := m.v.Close(); err != nil {
		r.Fatal(err)
	}
}

// crash goes on with the files as they are on the disk while the queue is open.
func (m *machine) crash(r *rapid.T) {
	to := m.TempDir()
	if err := os.CopyFS(to, os.DirFS(m.dir)); err != nil {
		r.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(to, "k"), 0o600); err != nil {
		r.Fatal(err)
	}
	m.close(r)
	m.off(r)
	m.crashes++
	m.dir = to
	m.q = m.begin()
	m.record(r)
}

// forget damages the state, or takes away the index, as a salvaged file comes without it.
func (m *machine) forget(r *rapid.T) {
	part := rapid.SampledFrom([]string{"state", "index"}).Draw(r, "part")
	err := m.v.Update(func(tx *bbolt.Tx) error {
		if part == "index" {
			return tx.DeleteBucket([]byte("queue/ids"))
		}
		return flip(tx, "state", []byte("state"))
	})
	if err != nil {
		r.Fatal(err)
	}
	m.epoch = ""
	if part == "state" { // what is left tells how old the queue was
		m.lived = 0
		for _, e := range m.those(func(*entry) bool { return true }) {
			m.lived = max(m.lived, e.lived)
			if !waits(e) {
				m.lived = max(m.lived, e.settled)
			}
		}
		m.close(r)
		m.q = m.begin()
	}
	m.record(r)
}

// blur damages a mark: its record is sent again.
func (m *machine) blur(r *rapid.T) {
	settled := m.those(func(e *entry) bool { return !waits(e) })
	if len(settled) == 0 {
		r.Skip()
	}
	e := rapid.SampledFrom(settled).Draw(r, "mark")
	list, err := m.q.List(m.Context(), queue.Kept, 0, 1e6)
	if err != nil {
		r.Fatal(err)
	}
	dead, err := m.q.List(m.Context(), queue.Dead, 0, 1e6)
	if err != nil {
		r.Fatal(err)
	}
	list = append(list, dead...)
	at := slices.IndexFunc(list, func(l queue.Entry) bool { return l.ID == e.record.ID })
	if at < 0 {
		r.Fatal("a settled record is in no list")
	}
	if err := m.v.Update(func(tx *bbolt.Tx) error { return flip(tx, "marks", bigEndian(list[at].Position)) }); err != nil {
		r.Fatal(err)
	}
	e.status, e.answered = "", false
	m.trim(r)
}

// check compares all that the queue tells with the list.
func (m *machine) check(r *rapid.T) {
	want := m.those(waits)
	rs, err := m.q.Peek(m.Context(), 1e6, 1<<30)
	if err != nil || len(rs) != len(want) {
		r.Fatalf("%d wait, want %d: %v", len(rs), len(want), err)
	}
	for i, is := range rs {
		if wire.Digest(is) != wire.Digest(want[i].record) || is.Prev != want[i].record.Prev {
			r.Fatalf("record %d in line is %s/%d, want %s/%d", i, is.Epoch, is.Sequence, want[i].record.Epoch, want[i].record.Sequence)
		}
	}
	s := m.q.Stats()
	unanswered := len(m.those(func(e *entry) bool { return e.kept() && e.record.WantsAnswer() && !e.answered }))
	switch {
	case s.Pending != len(want), s.Kept != len(m.those((*entry).kept)), s.Dead != len(m.those((*entry).dead)), s.Damaged != 0, s.SentUnanswered != unanswered:
		r.Fatalf("%+v: want %d waiting, %d kept, %d dead, %d unanswered", s, len(want), len(m.those((*entry).kept)), len(m.those((*entry).dead)), unanswered)
	case (s.Bytes > 0) != (s.Pending > 0), (s.DeadBytes > 0) != (s.Dead > 0):
		r.Fatalf("bytes of nothing: %+v", s)
	case len(want) > 0 && !s.OldestAt.Equal(want[0].record.At), len(want) == 0 && !s.OldestAt.IsZero():
		r.Fatalf("the oldest is of %v", s.OldestAt)
	case m.q.Confirmed().ServerEpoch != m.server:
		r.Fatalf("the backend is %q", m.q.Confirmed().ServerEpoch)
	}
}

// fates compares what became of each record.
func (m *machine) fates(r *rapid.T) {
	for _, e := range m.entries {
		is, ok, err := m.q.Find(m.Context(), e.record.ID)
		if err != nil || ok == e.gone || (ok && wire.Digest(is) != wire.Digest(e.record)) {
			r.Fatalf("record %d: here %v: %v", e.record.Sequence, ok, err)
		}
		f, err := m.q.Fates(m.Context(), []string{e.record.ID})
		if got := f[e.record.ID]; err != nil || got.Waiting != (waits(e) && !e.gone) || got.Gone() != e.gone || (!e.gone && got.Status != e.status) {
			r.Fatalf("%+v of a record that is %q, gone %v: %v", got, e.status, e.gone, err)
		}
	}
}

// TestAnythingCanHappenToTheQueue runs random acts beside a plain list.
func TestAnythingCanHappenToTheQueue(t *testing.T) {
	checks, count := flag.Lookup("rapid.checks"), "25" // each begins files again and again
	if os.Getenv("MADOGUCHI_SOAK") != "" {
		count = "1000"
	}
	was := checks.Value.String()
	if err := checks.Value.Set(count); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = checks.Value.Set(was) }()
	reopened, crashed := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		m := &machine{place: newPlace(t)}
		m.q = m.begin()
		m.record(r)
		r.Repeat(map[string]func(*rapid.T){
			"": m.check, "record": m.record, "record more": m.record, "again": m.again, "settle": m.settle, "settle more": m.settle,
			"restored": m.restored, "retry": m.retry, "answer": m.answer, "pass": m.pass, "trim": m.trim,
			"restart": m.restart, "crash": m.crash, "forget": m.forget, "blur": m.blur, "fates": m.fates,
		})
		m.fates(r)
		m.close(r)
		reopened, crashed = reopened+m.reopens, crashed+m.crashes
	})
	t.Logf("%d records waited again, %d crashes", reopened, crashed)
	if reopened == 0 || crashed == 0 {
		t.Error("the acts never came to a restored backend or a crash")
	}
}

func flip(tx *bbolt.Tx, bucket string, key []byte) error {
	b := tx.Bucket([]byte("queue/" + bucket))
	sealed := bytes.Clone(b.Get(key))
	sealed[len(sealed)/2] ^= 1
	return b.Put(key, sealed)
}
