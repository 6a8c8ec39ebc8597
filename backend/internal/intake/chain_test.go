package intake_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/intake"
	"madoguchi.example/backend/internal/job"
	"madoguchi.example/backend/internal/store"
	storeintake "madoguchi.example/backend/internal/store/intake"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

var receiptKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

// line is one life of a terminal's queue: it makes records that follow each other.
type line struct {
	*bench
	who   actor.Terminal
	epoch string
	last  uint64
	head  wire.Hash
}

func (b *bench) line(who actor.Terminal, epoch string) *line {
	return &line{bench: b, who: who, epoch: epoch, head: wire.Genesis(who.ID, epoch)}
}

// copied is another machine with the same history so far.
func (l *line) copied() *line { c := *l; return &c }

func (l *line) next(t testing.TB, n int) []wire.Record {
	t.Helper()
	var all []wire.Record
	for range n {
		l.last++
		r := l.verification(t, l.last)
		r.Epoch, r.Prev = l.epoch, l.head
		l.head = wire.After(r)
		all = append(all, r)
	}
	return all
}

func (l *line) batch(records ...wire.Record) wire.Batch {
	return wire.Batch{
		Version: wire.Version, Terminal: l.who.ID, SentAt: storetest.Now(), Records: records, Epoch: l.epoch, ServerEpoch: l.db.ServerEpoch(),
	}
}

// send checks what every receipt promises and gives the statuses.
func (l *line) send(t testing.TB, records ...wire.Record) string {
	t.Helper()
	return statuses(l.receipt(t, l.batch(records...)).Results)
}

func (l *line) receipt(t testing.TB, b wire.Batch) wire.Receipt {
	t.Helper()
	r, err := l.Receive(t.Context(), l.who, audit.TerminalOperation, b)
	if err != nil {
		t.Fatal(err)
	}
	if r.Version != wire.Version || r.ServerEpoch != l.db.ServerEpoch() || len(r.Results) != len(b.Records) {
		t.Fatalf("receipt %+v", r)
	}
	for _, m := range r.Marks {
		if m.Key != "rcp_1" || !wire.VerifyMark(receiptKey.Public().(ed25519.PublicKey), l.who.ID, l.db.ServerEpoch(), m) {
			t.Fatalf("mark %+v is not countersigned", m)
		}
	}
	return r
}

// mark is the countersigned word on the line's epoch.
func (l *line) mark(t testing.TB) string {
	t.Helper()
	r := l.receipt(t, l.batch())
	if len(r.Marks) != 1 || r.Marks[0].Epoch != l.epoch {
		t.Fatalf("marks %+v", r.Marks)
	}
	return fmt.Sprintf("%d %s", r.Marks[0].Through, r.Marks[0].Head)
}

func (l *line) want(t testing.TB, through uint64, head wire.Hash) {
	t.Helper()
	if got, want := l.mark(t), fmt.Sprintf("%d %s", through, head); got != want {
		t.Errorf("the mark is %s, want %s", got, want)
	}
}

func (b *bench) events(t testing.TB) string {
	t.Helper()
	var all []string
	err := b.db.Reads().Each(t.Context(), `SELECT kind, seq FROM intake_event ORDER BY kind, seq`, nil, func(scan func(...any) error) error {
		var kind string
		var seq int64
		err := scan(&kind, &seq)
		all = append(all, fmt.Sprintf("%s %d", kind, seq))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, ", ")
}

func (b *bench) stored(t testing.TB) (n int) {
	t.Helper()
	if err := b.db.Reads().Each(t.Context(), `SELECT count(*) FROM intake_record`, nil, func(scan func(...any) error) error { return scan(&n) }); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAChainIsFollowedAndCountersigned(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		l := b.line(clinic, "q1")
		l.want(t, 0, wire.Genesis(clinic.ID, "q1"))
		first := l.next(t, 3)
		if got := l.send(t, first...); got != "accepted accepted accepted" {
			t.Fatal(got)
		}
		l.want(t, 3, l.head)
		if got := l.send(t, append(first[1:], l.next(t, 1)...)...); got != "duplicate duplicate accepted" {
			t.Error(got)
		}
		bad := l.next(t, 1)
		bad[0].Kind = "no.such.kind"
		l.head = wire.After(bad[0])
		if got := l.send(t, append(bad, l.next(t, 1)...)...); got != "rejected:invalid_argument accepted" {
			t.Error(got)
		}
		l.want(t, 6, l.head)
		other := b.line(clinic, "q2")
		end, start := l.next(t, 1), other.next(t, 1)
		r := l.receipt(t, other.batch(append(end, start...)...))
		if len(r.Marks) != 2 || r.Marks[0].Through != 7 || r.Marks[0].Head != l.head || r.Marks[1].Through != 1 || r.Marks[1].Head != other.head {
			t.Errorf("marks of two epochs: %+v", r.Marks)
		}
		if got := b.events(t); got != "" {
			t.Errorf("events in order: %s", got)
		}
	})
}

func TestBreaksOfAChainAreEventsAndNothingIsLost(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		l := b.line(clinic, "q1")
		l.send(t, l.next(t, 2)...)
		lost := l.next(t, 2)
		if got := l.send(t, l.next(t, 2)...); got != "accepted accepted" || b.events(t) != "gap 5" {
			t.Errorf("a gap: %s, events %s", got, b.events(t))
		}
		l.want(t, 6, l.head)
		if got := l.send(t, lost...); got != "accepted accepted" || b.events(t) != "gap 5" {
			t.Errorf("what fills the gap: %s, events %s", got, b.events(t))
		}
		clone := l.copied()
		clone.next(t, 1)
		forked := clone.next(t, 3) // goes on from a 7 that never came under this name
		l.send(t, l.next(t, 1)...)
		if got := clone.send(t, forked...); got != "accepted accepted accepted" || b.events(t) != "fork 8, gap 5" {
			t.Errorf("right after the mark with another history: %s, events %s", got, b.events(t))
		}
		l.want(t, 10, clone.head)
		late := l.next(t, 3) // 8, 9, 10: where the other stands
		if got := l.send(t, late...); got != "accepted accepted accepted" || b.events(t) != "fork 8, fork 8, gap 5" {
			t.Errorf("beside others: %s, events %s", got, b.events(t))
		}
		if got := l.send(t, late...); got != "duplicate duplicate duplicate" || b.events(t) != "fork 8, fork 8, gap 5" {
			t.Errorf("again: %s, events %s", got, b.events(t))
		}
		if n := b.stored(t); n != 13 {
			t.Errorf("%d records are stored, want 13", n)
		}
		s := b.Stats()
		if s.Events[intake.Fork] != 2 || s.Events[intake.Gap] != 1 || s.Results[wire.Accepted] != 13 || s.Batches[intake.Live] == 0 || s.Told == 0 {
			t.Errorf("stats %+v", s)
		}
		manager := actor.Staff{Municipality: "990019", Roles: []actor.Role{actor.TerminalManager}}
		found, err := b.Events(t.Context(), manager, audit.TerminalOperation, []string{clinic.ID, shelter.ID})
		if err != nil || len(found) != 1 || found[clinic.ID][intake.Fork] != 2 || found[clinic.ID][intake.Gap] != 1 {
			t.Errorf("events for the manager: %v, %v", found, err)
		}
		if _, err := b.Events(t.Context(), actor.Staff{}, audit.TerminalOperation, []string{clinic.ID}); fault.CodeOf(err) != fault.Forbidden {
			t.Errorf("anybody reads the events: %v", err)
		}
	})
}

func TestATerminalWithoutAChainGetsOneAndMayNotLoseIt(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		l := b.line(clinic, "q1")
		old := l.next(t, 2)
		for i := range old {
			old[i].Prev = wire.Hash{}
		}
		if got := statuses(b.receive(t, clinic, old...)); got != "accepted accepted" {
			t.Fatal(got)
		}
		l.want(t, 2, wire.Hash{})
		l.send(t, l.next(t, 1)...)
		l.want(t, 3, l.head)
		bare := l.next(t, 1)
		bare[0].Prev = wire.Hash{}
		if b.events(t) != "" {
			t.Errorf("events before: %s", b.events(t))
		}
		if got := l.send(t, bare...); got != "accepted" || b.events(t) != "fork 4" {
			t.Errorf("%s, events %s", got, b.events(t))
		}
	})
}

func TestABatchFromBeforeARestoreIsNotStored(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		l := b.line(clinic, "q1")
		l.send(t, l.next(t, 2)...)
		batch := l.batch(l.next(t, 2)...)
		batch.ServerEpoch = "epo_before"
		batch.Behind = 9
		r := l.receipt(t, batch)
		if got := statuses(r.Results); got != "retry:restored retry:restored" {
			t.Error(got)
		}
		if len(r.Marks) != 1 || r.Marks[0].Through != 2 || b.stored(t) != 2 {
			t.Errorf("marks %+v, %d stored", r.Marks, b.stored(t))
		}
		batch.Records = nil
		if r := l.receipt(t, batch); len(r.Results) != 0 || len(r.Marks) != 1 || r.Marks[0].Through != 2 {
			t.Errorf("a beat: %+v", r)
		}
	})
}

func TestAnExportIsTakenInForItsTerminal(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		l := b.line(clinic, "q1")
		sent := l.next(t, 2)
		l.send(t, sent...)
		waiting := l.next(t, wire.MaxBatchRecords+5)
		var file bytes.Buffer
		w, err := wire.NewExportWriter(&file, wire.ExportHeader{Terminal: clinic.ID, At: storetest.Now(), ServerEpoch: l.db.ServerEpoch()})
		if err != nil {
			t.Fatal(err)
		}
		var entries []wire.ExportEntry
		for _, r := range waiting {
			entries = append(entries, wire.ExportEntry{Record: r})
		}
		again := sent[0]
		again.At = again.At.AddDate(0, 0, 1)
		damaged := wire.Record{ID: waiting[0].ID, Epoch: "q1", Sequence: 1}
		entries = append(entries, wire.ExportEntry{Record: again, Status: wire.Conflict, Reason: string(fault.Conflict), DeadAt: storetest.Now()},
			wire.ExportEntry{Record: damaged, Reason: wire.ReasonDamaged, DeadAt: storetest.Now()})
		for _, e := range entries {
			if err := w.Write(e); err != nil {
				t.Fatal(err)
			}
		}
		whole := bytes.Clone(file.Bytes())
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		take := func(data []byte, who actor.Terminal) (intake.Imported, error) {
			r, err := wire.NewExportReader(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			return b.Import(t.Context(), system, audit.TerminalOperation, who, r)
		}
		if _, err := take(file.Bytes(), shelter); fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("another's export: %v", err)
		}
		for i, want := range []wire.Status{wire.Accepted, wire.Duplicate} {
			got, err := take(file.Bytes(), clinic)
			if err != nil || got.Results[want] != len(waiting) || got.Results[wire.Conflict] != 1 || got.Damaged != 1 {
				t.Errorf("time %d: %+v, %v", i+1, got, err)
			}
		}
		l.want(t, l.last, l.head)
		if got := b.events(t); got != "conflict 1" {
			t.Errorf("events %s", got)
		}
		if _, err := take(whole[:len(whole)/2], clinic); err == nil {
			t.Error("half an export is taken for a whole one")
		}
	})
}

// A busy backend says when to come again, and lets the live lane through.
func TestTheBacklogNeverTakesTheRoomOfTheLiveLane(t *testing.T) {
	b := newBench(t, storetest.Open(t, store.SQLite))
	now := storetest.Now()
	a := intake.NewAdmission(intake.Limits{LiveAtOnce: 2, BacklogAtOnce: 1, BacklogRate: 10}, b.Now)
	enter := func(lane intake.Lane, terminal string, total int) (func(int, int), *intake.Busy) {
		leave, err := a.Enter(lane, terminal, total)
		busy, _ := errors.AsType[*intake.Busy](err)
		if (err == nil) == (busy != nil) || (err != nil && fault.CodeOf(err) != fault.RateLimited) {
			t.Fatalf("error %v", err)
		}
		return leave, busy
	}
	leave, _ := enter(intake.Backlog, "trm_a", 600)
	slots := map[string]bool{}
	for i := range 20 {
		_, busy := enter(intake.Backlog, fmt.Sprint("trm_", i), 30)
		// 600 and 30 for each that came before, at 10 records a second
		if longest := 1.0 + 60 + 3*float64(i+1); busy == nil || busy.After.Seconds() < 1 || busy.After.Seconds() > longest {
			t.Fatalf("terminal %d: %+v, at most %.0f s", i, busy, longest)
		}
		slots[busy.After.String()] = true
	}
	if len(slots) != 20 {
		t.Errorf("20 terminals have %d slots", len(slots))
	}
	one, _ := enter(intake.Live, "trm_b", 1)
	two, _ := enter(intake.Live, "trm_c", 1)
	if _, busy := enter(intake.Live, "trm_d", 1); busy == nil || busy.After.Seconds() > 6 {
		t.Errorf("past the live lane's room: %+v", busy)
	}
	one(1, 0)
	two(1, 0)
	leave(200, 400)
	if waiting, _ := a.Reported(); waiting != 400+20*30 {
		t.Errorf("%d records wait", waiting)
	}
	if leave, busy := enter(intake.Backlog, "trm_a", 400); busy != nil {
		t.Error("the room is not free again")
	} else {
		leave(0, 0) // nothing was stored: the report stays
	}
	if waiting, _ := a.Reported(); waiting != 400+20*30 || a.Inside(intake.Backlog) != 0 || a.Inside(intake.Live) != 0 {
		t.Errorf("%d records wait, %s", waiting, now)
	}
	for _, c := range []struct {
		records, behind int
		want            intake.Lane
	}{{1, 0, intake.Live}, {16, 0, intake.Live}, {17, 0, intake.Backlog}, {1, 1, intake.Backlog}} {
		if got := a.Lane(wire.Batch{Records: make([]wire.Record, c.records), Behind: c.behind}); got != c.want {
			t.Errorf("%d records and %d behind: %s", c.records, c.behind, got)
		}
	}
}

// Answers that somebody waits for at a counter come before those of a backlog.
func TestTheLaneIsTheJobsPriority(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		jobs, err := job.Open(b.db, job.Config{Now: storetest.Now})
		if err != nil {
			t.Fatal(err)
		}
		x := intake.New(intake.Deps{
			Runner: b.db.Runner(), Rows: storeintake.New(b.db.Reads()), Queue: jobs, Log: slog.New(slog.DiscardHandler),
			Now: storetest.Now, Rand: storetest.Rand(t.Name()), ServerEpoch: b.db.ServerEpoch(),
		})
		for i, behind := range []int{0, 4} {
			r := b.check(t, uint64(i+1))
			if _, err := x.Receive(t.Context(), clinic, audit.TerminalOperation, wire.Batch{
				Version: 1, Terminal: clinic.ID, Behind: behind, Records: []wire.Record{r},
			}); err != nil {
				t.Fatal(err)
			}
		}
		if n := x.Stats().Waiting; n != 4 {
			t.Errorf("%d records wait at the terminal that said 4", n)
		}
		var got []int
		if err := b.db.Reads().Each(t.Context(), `SELECT priority FROM river_job WHERE kind = 'payer_answer' ORDER BY id`, nil, func(scan func(...any) error) error {
			n := 0
			err := scan(&n)
			got = append(got, n)
			return err
		}); err != nil || !slices.Equal(got, []int{job.Usual, job.Behind}) {
			t.Errorf("priorities %v, error %v", got, err)
		}
	})
}
