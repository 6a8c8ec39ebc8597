package intake_test

import (
	"container/heap"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/intake"
	"madoguchi.example/backend/internal/job"
	"madoguchi.example/backend/internal/store"
	storeintake "madoguchi.example/backend/internal/store/intake"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/wire"
)

// storm is the morning after a day's outage: all terminals come back within the spread of
// their profiles, each with a day's records, while people go on coming to the counters.
//
// Time is virtual. The store is real and takes each batch as it comes; what that took by the
// clock on the wall is how long its one writer was busy in virtual time (or a fixed cost,
// where a test must say the same on every machine). Batches that are inside wait for the
// writer in the order in which they came, as they do in the store.
//
// For 180,000 terminals with 50 records each (9,000,000), a hundred times as much, the same
// slots are a hundred times as far apart: the time to drain is the records over the measured
// rate, the refusals of a terminal do not grow with the number of terminals, since each is
// told its own place in the whole, and what a live batch waits for is bounded by
// BacklogAtOnce batches, however many terminals wait outside.
type storm struct {
	*bench
	terminals int
	records   int           // of each terminal
	spread    time.Duration // within which they come back
	liveEvery time.Duration // between live batches of one record
	fixed     func(records int) time.Duration
	dry       bool // nothing is stored: only who comes when is played

	now     time.Time
	events  events
	freeAt  time.Time // when the writer is free
	head    map[string]wire.Hash
	figures figures
	live    uint64
}

type figures struct {
	Stored, Refused, LiveStored, LiveRefused int
	Drained                                  time.Duration // until the last of the backlog
	LiveWait, LiveLongest                    time.Duration // sum, and the longest
	Behind                                   int           // backlog batches that a live one waited for, the most
	MostRefusals                             int           // of one terminal
	Peak                                     int           // records that terminals said they hold still, the most
	LongestSlot                              time.Duration // that a terminal was given
	LiveWaits                                []time.Duration
	Busy                                     time.Duration // of the writer, for the backlog
}

// event is a moment of virtual time.
type event struct {
	at  time.Time
	no  int // orders events of one moment
	run func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at.Before(e[j].at) || e[i].at.Equal(e[j].at) && e[i].no < e[j].no
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

func (s *storm) at(t time.Time, run func()) {
	heap.Push(&s.events, event{at: t, no: s.events.Len(), run: run})
}

// live99 is what one of a hundred live batches waited longer than.
func (f *figures) live99() time.Duration {
	slices.Sort(f.LiveWaits)
	if n := len(f.LiveWaits); n > 0 {
		return f.LiveWaits[n*99/100]
	}
	return 0
}

// used is the part of the time until all was in that the writer worked on it: what the
// slots cost.
func (f *figures) used() float64 { return f.Busy.Seconds() / f.Drained.Seconds() }

// String leaves out the single waits.
func (f figures) String() string {
	p99 := f.live99()
	f.LiveWaits = nil
	type plain figures
	return fmt.Sprintf("%+v live p99 %s, writer used %.2f", plain(f), p99, f.used())
}

// newStorm puts the clock of the storm under the intake.
func newStorm(t testing.TB, db *store.DB, s *storm) *storm {
	t.Helper()
	s.bench = newBench(t, db)
	s.now, s.freeAt, s.head = storetest.Now(), storetest.Now(), map[string]wire.Hash{}
	jobs, err := job.Open(db, job.Config{Now: storetest.Now})
	if err != nil {
		t.Fatal(err)
	}
	s.Intake = intake.New(intake.Deps{
		Runner: db.Runner(), Rows: storeintake.New(db.Reads()), Queue: jobs, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return s.now }, Rand: storetest.Rand(t.Name()), ServerEpoch: db.ServerEpoch(),
		Receipts: intake.ReceiptKey{ID: "rcp_1", Private: receiptKey},
	})
	s.ids = handle.Source{Now: storetest.Now, Rand: storetest.Rand(t.Name() + " ids")}
	return s
}

// run plays the storm until the backlog is in.
func (s *storm) run(t testing.TB) figures {
	t.Helper()
	gate := intake.NewAdmission(intake.Limits{}, func() time.Time { return s.now })
	waiting := s.terminals
	inside := 0 // backlog batches that have not left the writer
	for i := range s.terminals {
		who := actor.Terminal{ID: fmt.Sprintf("trm_%06d", i), Office: "ofc_1", Municipality: "990019", Class: "clinic"}
		refusals := 0
		var come func()
		come = func() {
			leave, err := gate.Enter(intake.Backlog, who.ID, s.records)
			if busy, ok := errors.AsType[*intake.Busy](err); ok {
				s.figures.Refused++
				refusals++
				s.figures.MostRefusals = max(s.figures.MostRefusals, refusals)
				s.figures.LongestSlot = max(s.figures.LongestSlot, busy.After)
				waiting, _ := gate.Reported()
				s.figures.Peak = max(s.figures.Peak, waiting)
				s.at(s.now.Add(busy.After), come)
				return
			}
			inside++
			took, ready := s.take(t, who, "q1", s.records)
			s.figures.Busy += took
			s.at(ready, func() {
				inside--
				waiting--
				leave(s.records, 0)
				s.figures.Stored += s.records
				s.figures.Drained = s.now.Sub(storetest.Now())
			})
		}
		s.at(s.now.Add(s.spread*time.Duration(i)/time.Duration(s.terminals)), come)
	}
	var live func()
	live = func() {
		if waiting == 0 {
			return
		}
		s.at(s.now.Add(s.liveEvery), live)
		leave, err := gate.Enter(intake.Live, fmt.Sprint("trm_live_", s.now.UnixMilli()), 1)
		if err != nil {
			s.figures.LiveRefused++
			return
		}
		s.figures.Behind = max(s.figures.Behind, inside)
		came := s.now
		_, ready := s.take(t, actor.Terminal{ID: "trm_live", Office: "ofc_2", Municipality: "990019", Class: "clinic"}, "q1", 1)
		s.at(ready, func() {
			leave(1, 0)
			s.figures.LiveStored++
			s.figures.LiveWait += s.now.Sub(came)
			s.figures.LiveWaits = append(s.figures.LiveWaits, s.now.Sub(came))
			s.figures.LiveLongest = max(s.figures.LiveLongest, s.now.Sub(came))
		})
	}
	s.at(s.now, live)
	for s.events.Len() > 0 {
		next := heap.Pop(&s.events).(event)
		s.now = next.at
		next.run()
	}
	return s.figures
}

// take stores a batch for real, and tells how long it held the writer and when it is done.
func (s *storm) take(t testing.TB, who actor.Terminal, epoch string, records int) (took time.Duration, ready time.Time) {
	t.Helper()
	if s.dry {
		took = s.fixed(records)
		s.freeAt = later(s.freeAt, s.now).Add(took)
		return took, s.freeAt
	}
	seq := uint64(0)
	if who.ID == "trm_live" {
		s.live++
		seq = s.live - 1
	}
	head, ok := s.head[who.ID]
	if !ok {
		head = wire.Genesis(who.ID, epoch)
	}
	var all []wire.Record
	for range records {
		seq++
		r := s.check(t, seq)
		r.Prev, head = head, wire.Hash{}
		head = wire.After(r)
		all = append(all, r)
	}
	s.head[who.ID] = head
	raw, err := wire.EncodeBatch(wire.Batch{Version: wire.Version, Terminal: who.ID, SentAt: s.now, Records: all, Epoch: epoch, ServerEpoch: s.db.ServerEpoch()})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	b, err := wire.DecodeBatch(raw)
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := s.ReceiveDecoded(t.Context(), who, audit.TerminalOperation, b)
	if err != nil || slices.ContainsFunc(receipt.Results, func(r wire.Result) bool { return r.Status != wire.Accepted }) {
		t.Fatalf("%+v, %v", receipt, err)
	}
	took = time.Since(began)
	if s.fixed != nil {
		took = s.fixed(records)
	}
	s.freeAt = later(s.freeAt, s.now).Add(took)
	return took, s.freeAt
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// With 5 ms a batch and 100 µs a record, 60 terminals that come back within half a second
// need 0.6 s of the writer. All is stored once, nobody at a counter waits for more than the
// backlog's room, and nobody is refused at a counter.
func TestAStormDrainsAndTheLiveLaneDoesNotWait(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		s := newStorm(t, b.db, &storm{
			terminals: 60, records: 50, spread: time.Second / 2, liveEvery: 50 * time.Millisecond,
			fixed: func(records int) time.Duration {
				return 5*time.Millisecond + time.Duration(records)*100*time.Microsecond
			},
		})
		f := s.run(t)
		if f.Stored != 3_000 || f.LiveRefused != 0 || f.LiveStored == 0 || f.Refused == 0 {
			t.Errorf("%+v", f)
		}
		if n := s.count(t, `SELECT count(*) FROM intake_record WHERE terminal_id <> 'trm_live'`); n != 3_000 {
			t.Errorf("%d records are stored", n)
		}
		if n := s.count(t, `SELECT count(*) FROM intake_event`); n != 0 {
			t.Errorf("%d security events", n)
		}
		longest := time.Duration(intake.DefaultBacklogAtOnce)*10*time.Millisecond + 11*time.Millisecond
		if f.Behind > intake.DefaultBacklogAtOnce || f.LiveLongest > longest {
			t.Errorf("a live batch waited %s behind %d batches of the backlog", f.LiveLongest, f.Behind)
		}
		if f.Drained > 30*time.Second || f.MostRefusals > 12 {
			t.Errorf("drained after %s, one terminal was refused %d times", f.Drained, f.MostRefusals)
		}
		t.Logf("%s", f)
	})
}

// A tenth of the whole, 18,000 terminals with 50 records each, on stores that take a record
// in 50 µs, 200 µs and 1 ms, where the rate that is reckoned with at first is much too low and
// much too high: no more than a fifth of the time is lost to slots that nobody comes to, no
// terminal is refused more than a few times as a rule, and the live lane does not notice.
func TestTheSlotsOfAGreatStormAreUsed(t *testing.T) {
	for _, perRecord := range []time.Duration{50 * time.Microsecond, 200 * time.Microsecond, time.Millisecond} {
		s := &storm{
			terminals: 18_000, records: 50, spread: 30 * time.Second, liveEvery: 100 * time.Millisecond, dry: true,
			fixed: func(records int) time.Duration { return time.Duration(records) * perRecord },
			now:   storetest.Now(), freeAt: storetest.Now(),
		}
		f := s.run(t)
		t.Logf("%s a record: %s", perRecord, f)
		if f.Stored != 900_000 || f.LiveRefused != 0 || f.LongestSlot > wire.MaxSlot || f.used() < 0.8 || f.Behind > intake.DefaultBacklogAtOnce ||
			f.Refused > 5*s.terminals || f.MostRefusals > 100 {
			t.Errorf("%s a record: %s", perRecord, f)
		}
	}
}

// BenchmarkStorm plays a hundredth of the storm of 180,000 terminals with 50 records each
// (90,000 records, a live batch every 50 ms) and reports what came of it, with the arithmetic
// for the whole: minutes that 9,000,000 records hold the writer at the rate measured here, and
// minutes until all are in where as much of the writer's time is used as here.
func BenchmarkStorm(b *testing.B) {
	for _, engine := range storetest.Engines {
		b.Run(string(engine), func(b *testing.B) {
			for range b.N {
				f := newStorm(b, storetest.Open(b, engine), &storm{
					terminals: 1_800, records: 50, spread: 3 * time.Second, liveEvery: 50 * time.Millisecond,
				}).run(b)
				rate := float64(f.Stored) / f.Busy.Seconds()
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(rate, "records/s")
				b.ReportMetric(f.Drained.Seconds(), "s-to-drain")
				b.ReportMetric(float64(f.Refused)/1_800, "refusals/terminal")
				b.ReportMetric(float64(f.MostRefusals), "most-refusals")
				b.ReportMetric(float64(f.LiveRefused), "live-refused")
				b.ReportMetric(f.LiveWait.Seconds()*1e3/float64(max(f.LiveStored, 1)), "ms-live-mean")
				b.ReportMetric(f.live99().Seconds()*1e3, "ms-live-p99")
				b.ReportMetric(f.LiveLongest.Seconds()*1e3, "ms-live-longest")
				b.ReportMetric(float64(f.Peak), "records-waiting-peak")
				b.ReportMetric(f.used(), "writer-used")
				b.ReportMetric(float64(f.Behind), "batches-before-live")
				b.ReportMetric(9_000_000/rate/60, "min-for-9M")
				b.ReportMetric(9_000_000/rate/60/f.used(), "min-to-drain-9M")
			}
		})
	}
}
