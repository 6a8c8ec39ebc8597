package intake_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/intake"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/wire"
)

// Batches of one terminal that come all at once, in any order, leave what they would leave
// one after the other: each record once, and the mark at the end of the chain.
func TestBatchesOfOneTerminalAtOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		l := b.line(clinic, "q1")
		other := map[string][]wire.Record{"qa": b.line(clinic, "qa").next(t, 20), "qb": b.line(clinic, "qb").next(t, 20)}
		var all sync.WaitGroup
		for range 10 {
			records := l.next(t, 4)
			for range 2 {
				all.Go(func() {
					for {
						_, err := b.Receive(t.Context(), clinic, audit.TerminalOperation, l.batch(records...))
						if errors.Is(err, tx.ErrGroup) || errors.Is(err, tx.ErrUnknown) {
							continue
						}
						if err != nil {
							t.Error(err)
						}
						return
					}
				})
			}
		}
		for _, epochs := range [][]string{{"qa", "qb"}, {"qb", "qa"}} { // crosswise
			for range 6 {
				all.Go(func() {
					var records []wire.Record
					for _, epoch := range epochs {
						records = append(records, other[epoch]...)
					}
					if _, err := b.Receive(t.Context(), clinic, audit.TerminalOperation, l.batch(records...)); err != nil && !errors.Is(err, tx.ErrGroup) {
						t.Error(err)
					}
				})
			}
		}
		all.Wait()
		l.want(t, 40, l.head)
		if n := b.stored(t); n != 80 {
			t.Errorf("%d records are stored", n)
		}
		if n := b.count(t, `SELECT count(*) FROM intake_event WHERE kind <> 'gap'`); n != 0 {
			t.Errorf("%d events beside gaps", n)
		}
	})
}

// Numbers at the ends of what can be counted, more epochs than a receipt has marks for, and a
// copy of the disk.
func TestHistoriesThatCannotBe(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		far := b.line(clinic, "far")
		far.next(t, 1)
		far.last = math.MaxInt64 - 2
		if got := far.send(t, far.next(t, 2)...); got != "accepted accepted" {
			t.Error(got)
		}
		far.want(t, math.MaxInt64, far.head)

		stolen := b.line(clinic, "stolen")
		stolen.head = wire.Genesis(shelter.ID, "stolen") // a history that began under another name
		if r := stolen.receipt(t, stolen.batch(stolen.next(t, 1)...)); !r.Forked {
			t.Error("another terminal's history is taken for this one's")
		}

		var many []wire.Record
		for i := range 2 * wire.MaxMarks {
			many = append(many, b.line(shelter, fmt.Sprintf("e%d", i)).next(t, 1)...)
		}
		own := b.line(shelter, "own")
		r := own.receipt(t, own.batch(many...))
		raw, err := wire.EncodeReceipt(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := wire.DecodeReceipt(raw); err != nil || len(r.Marks) != wire.MaxMarks || r.Marks[wire.MaxMarks-1].Epoch != "own" {
			t.Errorf("%d marks: %v", len(r.Marks), err)
		}

		first := b.line(actor.Terminal{ID: "trm_disk", Class: "clinic"}, "q1")
		first.send(t, first.next(t, 2)...)
		copied := first.copied()
		told := func(l *line, records ...wire.Record) bool { return l.receipt(t, l.batch(records...)).Forked }
		if told(first, first.next(t, 1)...) || told(first) {
			t.Error("one machine is taken for two")
		}
		theirs := copied.next(t, 1)
		if !told(copied, theirs...) || !told(first) || !told(copied) {
			t.Error("nobody is told of the copy")
		}
		if told(b.line(first.who, "q2")) || told(b.line(clinic, "q1")) {
			t.Error("another life of the queue, or another terminal, is told of the copy")
		}
		old := wire.Batch{Version: 0, Terminal: first.who.ID, SentAt: storetest.Now(), Records: copied.next(t, 2)}
		for i := range old.Records {
			old.Records[i].Sequence, old.Records[i].Prev = 3, wire.Hash{}
			old.Records[i].Epoch = []string{"q1", "q0"}[i]
		}
		if r, err := b.Receive(t.Context(), first.who, audit.TerminalOperation, old); err != nil || r.Forked || r.Marks != nil {
			t.Errorf("version 0 is answered %+v, %v", r, err)
		}
	})
}

// gate is an Admission with a clock of its own.
type gate struct {
	*intake.Admission
	now time.Time
}

func newGate(l intake.Limits) *gate {
	g := &gate{now: storetest.Now()}
	g.Admission = intake.NewAdmission(l, func() time.Time { return g.now })
	return g
}

func (g *gate) enter(t *testing.T, lane intake.Lane, terminal string, total int) func(int, int) {
	t.Helper()
	leave, err := g.Enter(lane, terminal, total)
	if err != nil {
		t.Fatal(err)
	}
	return leave
}

func (g *gate) refused(t *testing.T, lane intake.Lane, terminal string, total int) time.Duration {
	t.Helper()
	_, err := g.Enter(lane, terminal, total)
	busy, ok := errors.AsType[*intake.Busy](err)
	if !ok {
		t.Fatalf("%s was let in: %v", terminal, err)
	}
	return busy.After
}

func TestNoTerminalFillsALane(t *testing.T) {
	for _, lane := range intake.Lanes() {
		g := newGate(intake.Limits{LiveAtOnce: 4, BacklogAtOnce: 4, BacklogRate: 1})
		leave := g.enter(t, lane, "trm_a", 40)
		g.enter(t, lane, "trm_a", 40)
		if after := g.refused(t, lane, "trm_a", 40); after > 6*time.Second {
			t.Errorf("%s: its own batches send it away for %s", lane, after)
		}
		g.enter(t, lane, "trm_b", 1)
		leave(1, 0)
		g.enter(t, lane, "trm_a", 1)
		g.refused(t, lane, "trm_a", 1)
	}
}

// What one terminal says of itself does not send the others away for hours, and nobody is
// sent away for longer than terminals honour.
func TestSlotsAreBounded(t *testing.T) {
	g := newGate(intake.Limits{BacklogAtOnce: 1, LongestSlot: 100 * time.Hour})
	g.enter(t, intake.Backlog, "trm_in", 20)
	g.refused(t, intake.Backlog, "trm_liar", wire.MaxBehind)
	for i := range 50 {
		if after := g.refused(t, intake.Backlog, fmt.Sprint("trm_", i), 20); after > 27*time.Second { // 50,000 at 2,000 a second
			t.Fatalf("a fable sends another terminal away for %s", after)
		}
	}
	near := newGate(intake.Limits{BacklogAtOnce: 1, LongestSlot: 2 * time.Second})
	near.enter(t, intake.Backlog, "trm_in", 20)
	for i := range 50 {
		if after := near.refused(t, intake.Backlog, fmt.Sprint("trm_", i), 50_000); after > 2*time.Second {
			t.Fatalf("sent away for %s of 2 s", after)
		}
	}
	longest := time.Duration(0)
	for i := range 3_000 {
		longest = max(longest, g.refused(t, intake.Backlog, fmt.Sprint("trm_of_many_", i), 1_000_000))
	}
	if longest > wire.MaxSlot || longest < wire.MaxSlot*9/10 {
		t.Errorf("the longest slot is %s", longest)
	}
}

// The rate is what the store can take in, not what happens to be sent.
func TestTheRateIsThatOfTheWork(t *testing.T) {
	work := func(g *gate, batches, records int, each, rest time.Duration) float64 {
		for range batches {
			leave := g.enter(t, intake.Backlog, "trm_a", records)
			g.now = g.now.Add(each)
			leave(records, 0)
			g.now = g.now.Add(rest)
		}
		_, rate := g.Reported()
		return rate
	}
	for name, c := range map[string]struct {
		batches, records int
		each, rest       time.Duration
		low, high        float64
	}{
		"a slow line, one record at a time": {200, 1, 5 * time.Millisecond, 2 * time.Second, 2_000, 2_000},
		"a slow line, whole batches":        {200, 200, 100 * time.Millisecond, time.Second, 1_990, 2_010},
		"one after the other":               {100, 200, 50 * time.Millisecond, 0, 3_990, 4_010},
		"large and slow":                    {3, 50_000, 10 * time.Second, 0, 4_999, 5_001},
		"too little to tell":                {5, 200, 50 * time.Millisecond, 0, 2_000, 2_000},
		"a store that stands still":         {2, 200, time.Minute, 0, 200, 200},
		"long ago":                          {40, 200, 50 * time.Millisecond, 10 * time.Second, 2_000, 2_000},
	} {
		if got := work(newGate(intake.Limits{}), c.batches, c.records, c.each, c.rest); got < c.low || got > c.high {
			t.Errorf("%s: %.1f records a second", name, got)
		}
	}
	g := newGate(intake.Limits{}) // two at a time, each of them slower
	a, b := g.enter(t, intake.Backlog, "trm_a", 1), g.enter(t, intake.Backlog, "trm_b", 1)
	for range 50 {
		g.now = g.now.Add(50 * time.Millisecond)
		a(100, 0)
		a, b = b, g.enter(t, intake.Backlog, "trm_c", 1)
	}
	if _, got := g.Reported(); got < 1_990 || got > 2_010 {
		t.Errorf("two at a time: %.1f records a second", got)
	}
}

// What a terminal announces is enough to send it away, and only a backlog is sent away.
func TestABacklogIsRefusedBeforeItIsRead(t *testing.T) {
	g := newGate(intake.Limits{BacklogAtOnce: 1, BacklogRate: 10})
	if err := g.Ask("trm_a", 500); err != nil {
		t.Error(err)
	}
	leave := g.enter(t, intake.Backlog, "trm_a", 500)
	err := g.Ask("trm_b", 500)
	if busy, ok := errors.AsType[*intake.Busy](err); !ok || busy.Lane != intake.Backlog || busy.After < time.Second {
		t.Errorf("answered %v", err)
	}
	if waiting, _ := g.Reported(); waiting != 1_000 {
		t.Errorf("%d records wait", waiting)
	}
	if err := errors.Join(g.Ask("trm_c", wire.LiveRecords), g.Ask("trm_d", -1)); err != nil {
		t.Errorf("the live lane: %v", err)
	}
	leave(500, 0)
	if err := g.Ask("trm_b", 500); err != nil || g.Inside(intake.Backlog) != 0 {
		t.Errorf("with room: %v", err)
	}
}

// A terminal holds two questions for answers: a third ends the first, and nobody else's.
func TestLongPollsOfOneTerminalAreFew(t *testing.T) {
	b := newBench(t, storetest.Open(t, store.SQLite))
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan string, 4)
	ask := func(name string, who actor.Terminal) {
		go func() {
			if page, err := b.Answers(ctx, who, audit.EligibilityAnswer, 3, intake.MaxWait); err != nil || page.Cursor != 3 {
				t.Errorf("%+v, %v", page, err)
			}
			ended <- name
		}()
	}
	ask("another's", shelter)
	ask("the first", clinic)
	for b.Waiting() < 2 {
		if t.Context().Err() != nil {
			t.Fatal("nobody waits")
		}
	}
	ask("a later one", clinic)
	ask("a later one", clinic)
	if got := <-ended; got != "the first" || b.Waiting() != 2 {
		t.Errorf("%s ended", got)
	}
	end()
	for range 3 {
		<-ended
	}
	if b.Waiting() != 0 {
		t.Error("a question is held still")
	}
}
