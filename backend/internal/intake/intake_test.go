package intake_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/intake"
	"madoguchi.example/backend/internal/job"
	"madoguchi.example/backend/internal/store"
	storeintake "madoguchi.example/backend/internal/store/intake"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/wire"
)

var (
	clinic  = actor.Terminal{ID: "trm_clinic", Office: "ofc_1", Municipality: "990019", Class: "clinic"}
	shelter = actor.Terminal{ID: "trm_shelter", Office: "ofc_2", Municipality: "990019", Class: "shelter"}
	system  = actor.System{Name: "test"}
)

// queue remembers what was enqueued in transactions that committed: it counts rows of the
// job table through the engine itself.
type bench struct {
	*intake.Intake
	db     *store.DB
	log    *bytes.Buffer
	sealed []byte
	ids    handle.Source
}

func each(t *testing.T, fn func(t *testing.T, b *bench)) {
	storetest.Each(t, func(t *testing.T, db *store.DB) { fn(t, newBench(t, db)) })
}

func newBench(t testing.TB, db *store.DB) *bench {
	t.Helper()
	jobs, err := job.Open(db, job.Config{Now: storetest.Now})
	if err != nil {
		t.Fatal(err)
	}
	random := storetest.Rand(t.Name())
	b := &bench{db: db, log: &bytes.Buffer{}, sealed: seal(t), ids: handle.Source{Now: storetest.Now, Rand: random}}
	b.Intake = intake.New(intake.Deps{
		Runner: db.Runner(), Rows: storeintake.New(db.Reads()), Queue: jobs, Log: slog.New(slog.NewJSONHandler(b.log, nil)),
		Now: storetest.Now, Rand: random, ServerEpoch: db.ServerEpoch(), PollEvery: 5 * time.Millisecond,
		Limits: intake.Limits{BacklogAtOnce: 1_000, PerTerminal: 1_000}, Receipts: intake.ReceiptKey{ID: "rcp_1", Private: receiptKey},
	})
	return b
}

func seal(t testing.TB) []byte {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func (b *bench) record(t testing.TB, seq uint64, kind wire.Kind, body any) wire.Record {
	t.Helper()
	id, err := b.ids.UUID()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return wire.Record{ID: id.String(), Epoch: "q1", Sequence: seq, Kind: kind, At: storetest.Now(), Body: raw}
}

func (b *bench) check(t testing.TB, seq uint64, change ...func(*wire.EligibilityCheck)) wire.Record {
	c := wire.EligibilityCheck{
		Payer: "registry", VisitDay: civil.In(storetest.Now()), Cause: string(eligibility.CauseLineBefore),
		Evidence: string(eligibility.EvidenceCertificate), Operator: "op_1", ElapsedMS: 3, Sealed: b.sealed,
	}
	for _, f := range change {
		f(&c)
	}
	return b.record(t, seq, wire.KindEligibilityCheck, c)
}

func (b *bench) verification(t testing.TB, seq uint64) wire.Record {
	return b.record(t, seq, wire.KindCertificateVerification,
		wire.CertificateVerification{Format: "shc", Outcome: "valid", Day: civil.In(storetest.Now())})
}

func batch(who actor.Terminal, records ...wire.Record) wire.Batch {
	return wire.Batch{Version: wire.Oldest, Terminal: who.ID, SentAt: storetest.Now(), Records: records}
}

func (b *bench) receive(t *testing.T, who actor.Terminal, records ...wire.Record) []wire.Result {
	t.Helper()
	r, err := b.Receive(t.Context(), who, audit.TerminalOperation, batch(who, records...))
	if err != nil {
		t.Fatal(err)
	}
	if r.ServerEpoch != b.db.ServerEpoch() || r.Version != wire.Oldest || len(r.Results) != len(records) {
		t.Fatalf("receipt %+v", r)
	}
	for i, res := range r.Results {
		if res.ID != records[i].ID {
			t.Fatalf("result %d is about another record", i)
		}
	}
	return r.Results
}

func statuses(results []wire.Result) string {
	var s []string
	for _, r := range results {
		s = append(s, strings.TrimSuffix(string(r.Status)+":"+r.Code, ":"))
	}
	return strings.Join(s, " ")
}

func (b *bench) count(t *testing.T, query string, args ...any) int {
	t.Helper()
	n := 0
	if err := b.db.Reads().Each(t.Context(), query, args, func(scan func(...any) error) error { return scan(&n) }); err != nil {
		t.Fatal(err)
	}
	return n
}

func (b *bench) jobs(t *testing.T) int {
	return b.count(t, `SELECT count(*) FROM river_job WHERE kind = 'payer_answer'`)
}

func TestABatchIsStoredByteForByteWithOneJob(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		records := []wire.Record{b.check(t, 1), b.verification(t, 2), b.check(t, 3)}
		if got := statuses(b.receive(t, clinic, records...)); got != "accepted accepted accepted" {
			t.Fatal(got)
		}
		if b.jobs(t) != 1 {
			t.Errorf("%d jobs for one batch", b.jobs(t))
		}
		for _, r := range records {
			var body, digest []byte
			err := b.db.Reads().Each(t.Context(), `SELECT body, digest FROM intake_record WHERE terminal_id = $1 AND record_id = $2`,
				[]any{clinic.ID, r.ID}, func(scan func(...any) error) error { return scan(&body, &digest) })
			if want := wire.Digest(r); err != nil || !bytes.Equal(body, r.Body) || !bytes.Equal(digest, want[:]) {
				t.Errorf("record %s was not kept as sent: %v", r.ID, err)
			}
		}
		if n := b.count(t, `SELECT count(*) FROM intake_record WHERE state = 'kept'`); n != 1 {
			t.Errorf("%d records kept without an answer to come", n)
		}
	})
}

func TestABatchWithoutQuestionsNeedsNoJob(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.receive(t, shelter, b.verification(t, 1))
		if b.jobs(t) != 0 {
			t.Errorf("%d jobs", b.jobs(t))
		}
	})
}

func TestTheSameRecordAgainIsADuplicateAndAnotherContentAConflict(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		first, second := b.check(t, 1), b.check(t, 2)
		b.receive(t, clinic, first)
		if got := statuses(b.receive(t, clinic, first, second)); got != "duplicate accepted" {
			t.Error(got)
		}
		for name, change := range map[string]func(*wire.Record){
			"body":  func(r *wire.Record) { r.Body = b.check(t, 1, func(c *wire.EligibilityCheck) { c.ElapsedMS++ }).Body },
			"time":  func(r *wire.Record) { r.At = r.At.Add(time.Second) },
			"seq":   func(r *wire.Record) { r.Sequence = 9 },
			"epoch": func(r *wire.Record) { r.Epoch = "q2" },
			"kind": func(r *wire.Record) {
				*r = wire.Record{ID: r.ID, Epoch: r.Epoch, Sequence: 1, At: r.At, Kind: wire.KindCertificateVerification, Body: b.verification(t, 1).Body}
			},
		} {
			changed := first
			change(&changed)
			if got := statuses(b.receive(t, clinic, changed)); got != "conflict:conflict" {
				t.Errorf("other %s: %s", name, got)
			}
		}
		if got := statuses(b.receive(t, clinic, first)); got != "duplicate" {
			t.Errorf("after the conflicts: %s", got)
		}
		if n := b.count(t, `SELECT count(*) FROM intake_event WHERE kind = 'conflict' AND record_id = $1`, first.ID); n == 0 {
			t.Error("no security event")
		}
		if !strings.Contains(b.log.String(), `"kind":"conflict"`) {
			t.Error("no alarm in the log")
		}
		if b.jobs(t) != 2 {
			t.Errorf("%d jobs, want one for each batch with something new", b.jobs(t))
		}
	})
}

func TestTerminalsDoNotShareIDs(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		r := b.verification(t, 1)
		b.receive(t, clinic, r)
		if got := statuses(b.receive(t, shelter, r)); got != "accepted" {
			t.Error(got)
		}
	})
}

func TestOneBatchSentByManyAtOnceIsStoredOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		var records []wire.Record
		for i := range 40 {
			records = append(records, b.check(t, uint64(i+1)))
		}
		const senders = 16
		var all sync.WaitGroup
		var mu sync.Mutex
		accepted := map[string]int{}
		for range senders {
			all.Go(func() {
				for {
					r, err := b.Receive(t.Context(), clinic, audit.TerminalOperation, batch(clinic, records...))
					if errors.Is(err, tx.ErrGroup) || errors.Is(err, tx.ErrUnknown) {
						continue
					}
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					for _, res := range r.Results {
						switch res.Status {
						case wire.Accepted:
							accepted[res.ID]++
						case wire.Duplicate:
						default:
							t.Errorf("status %s", res.Status)
						}
					}
					mu.Unlock()
					return
				}
			})
		}
		all.Wait()
		for _, r := range records {
			if accepted[r.ID] != 1 {
				t.Errorf("record %s was accepted %d times", r.ID, accepted[r.ID])
			}
		}
		if n := b.count(t, `SELECT count(*) FROM intake_record`); n != len(records) {
			t.Errorf("%d records stored", n)
		}
		if b.jobs(t) != 1 {
			t.Errorf("%d jobs", b.jobs(t))
		}
		if n := b.count(t, `SELECT count(*) FROM intake_event`); n != 0 {
			t.Errorf("%d security events for honest repeats", n)
		}
	})
}

func TestABadRecordDoesNotBlockItsNeighbours(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		set := func(f func(*wire.EligibilityCheck)) wire.Record { return b.check(t, 1, f) }
		for name, c := range map[string]struct {
			who  actor.Terminal
			bad  wire.Record
			want string
		}{
			"unknown kind":       {clinic, b.record(t, 1, "fingerprint.scan", map[string]int{}), "invalid_argument"},
			"counter asks":       {actor.Terminal{ID: "trm_counter", Class: "counter"}, b.check(t, 1), "forbidden"},
			"shelter asks":       {shelter, b.check(t, 1), "forbidden"},
			"unknown class asks": {actor.Terminal{ID: "trm_odd", Class: ""}, b.check(t, 1), "forbidden"},
			"unknown member":     {clinic, b.record(t, 1, wire.KindEligibilityCheck, map[string]string{"insurer_number": "01234567"}), "invalid_argument"},
			"number as operator": {clinic, set(func(c *wire.EligibilityCheck) { c.Operator = "33120015" }), "invalid_argument"},
			"wide number":        {clinic, set(func(c *wire.EligibilityCheck) { c.Operator = "受付３３１２００１５" }), "invalid_argument"},
			"number as cause":    {clinic, set(func(c *wire.EligibilityCheck) { c.Cause = "33120015" }), "invalid_argument"},
			"number as evidence": {clinic, set(func(c *wire.EligibilityCheck) { c.Evidence = "33120015" }), "invalid_argument"},
			"not sealed":         {clinic, set(func(c *wire.EligibilityCheck) { c.Sealed = []byte(`{"insurer_number":"33120015"}`) }), "invalid_argument"},
			"nothing sealed":     {clinic, set(func(c *wire.EligibilityCheck) { c.Sealed = nil }), "invalid_argument"},
			"no day":             {clinic, set(func(c *wire.EligibilityCheck) { c.VisitDay = civil.Date{} }), "invalid_argument"},
			"negative time":      {clinic, set(func(c *wire.EligibilityCheck) { c.ElapsedMS = -1 }), "invalid_argument"},
			"empty verification": {shelter, b.record(t, 1, wire.KindCertificateVerification, map[string]string{}), "invalid_argument"},
		} {
			t.Run(name, func(t *testing.T) {
				c.bad.Sequence, c.bad.Epoch = 1, "q-"+strings.ReplaceAll(name, " ", "-")
				good := b.verification(t, 2)
				good.Epoch = c.bad.Epoch
				for range 2 { // the same answer when it is sent again
					got := b.receive(t, c.who, c.bad, good)
					if got[0].Status != wire.Rejected || got[0].Code != c.want || got[1].Status == wire.Rejected {
						t.Errorf("results %s", statuses(got))
					}
				}
				if n := b.count(t, `SELECT count(*) FROM intake_record WHERE record_id = $1`, c.bad.ID); n != 0 {
					t.Error("the rejected record was stored")
				}
			})
		}
		if strings.Contains(b.log.String(), "33120015") {
			t.Error("a number reached the log")
		}
	})
}

func TestADeskMayNameItsOperator(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		for i, name := range []string{"", "受付１", "窓口 12", "op_01jd"} {
			r := b.check(t, uint64(i+1), func(c *wire.EligibilityCheck) { c.Operator = name })
			if got := statuses(b.receive(t, clinic, r)); got != "accepted" {
				t.Errorf("operator %q: %s", name, got)
			}
		}
	})
}

func TestABatchOfAnotherTerminalOrVersionIsRefusedWhole(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		for name, c := range map[string]struct {
			change func(*wire.Batch)
			want   fault.Code
		}{
			"other terminal": {func(x *wire.Batch) { x.Terminal = shelter.ID }, fault.Forbidden},
			"other version":  {func(x *wire.Batch) { x.Version = 7 }, fault.InvalidArgument},
			"empty":          {func(x *wire.Batch) { x.Records = nil }, fault.InvalidArgument},
			"twice":          {func(x *wire.Batch) { x.Records = append(x.Records, x.Records[0]) }, fault.InvalidArgument},
			"too many":       {func(x *wire.Batch) { x.Records = make([]wire.Record, wire.MaxBatchRecords+1) }, fault.TooLarge},
		} {
			x := batch(clinic, b.check(t, 1))
			c.change(&x)
			if _, err := b.Receive(t.Context(), clinic, audit.TerminalOperation, x); fault.CodeOf(err) != c.want {
				t.Errorf("%s: error %v, want %s", name, err, c.want)
			}
		}
		if n := b.count(t, `SELECT count(*) FROM intake_record`); n != 0 {
			t.Errorf("%d records stored", n)
		}
	})
}

func TestAGapInTheSequenceIsASecurityEvent(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		at := func(epoch string, seqs ...uint64) []wire.Record {
			var out []wire.Record
			for _, s := range seqs {
				r := b.verification(t, s)
				r.Epoch = epoch
				out = append(out, r)
			}
			return out
		}
		for i, c := range []struct {
			records []wire.Record
			gaps    int // together so far
		}{
			{at("q1", 1, 2, 3), 0},
			{at("q1", 4), 0},
			{at("q1", 2, 4), 0}, // sent again, what lies between was settled
			{at("q1", 6), 1},    // 5 never came
			{at("q1", 7, 9), 2}, // 8 never came
			{at("q2", 2), 3},    // a new life that does not begin at 1
			{append(at("q2", 3), at("q3", 1)...), 3},
		} {
			b.receive(t, clinic, c.records...)
			if n := b.count(t, `SELECT count(*) FROM intake_event WHERE kind = 'gap'`); n != c.gaps {
				t.Errorf("batch %d: %d gaps, want %d", i, n, c.gaps)
			}
		}
	})
}

func TestAFailedTransactionLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		broken := b.Deps
		broken.Queue = failing{}
		x := intake.New(broken)
		r := b.check(t, 1)
		if _, err := x.Receive(t.Context(), clinic, audit.TerminalOperation, batch(clinic, r)); !errors.Is(err, errQueue) {
			t.Fatalf("error %v", err)
		}
		if n := b.count(t, `SELECT count(*) FROM intake_record`) + b.count(t, `SELECT count(*) FROM intake_mark`); n != 0 {
			t.Errorf("%d rows", n)
		}
		if got := statuses(b.receive(t, clinic, r)); got != "accepted" {
			t.Error(got)
		}
	})
}

var errQueue = errors.New("cannot enqueue")

type failing struct{}

func (failing) Enqueue(context.Context, tx.Tx, job.Args) error { return errQueue }

// settle answers the open records of the terminal's batches in order.
func (b *bench) settle(t *testing.T, x *intake.Intake, who actor.Terminal, ids ...string) {
	t.Helper()
	var all []intake.Settlement
	for _, id := range ids {
		all = append(all, intake.Settlement{RecordID: id, Sealed: []byte("sealed " + id)})
	}
	if err := x.Settle(t.Context(), system, audit.EligibilityAnswer, who.ID, all,
		func(context.Context, tx.Tx, map[string]bool) error { return nil }); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) answers(t *testing.T, who actor.Terminal, after uint64, wait time.Duration) wire.Answers {
	t.Helper()
	page, err := b.Answers(t.Context(), who, audit.EligibilityAnswer, after, wait)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func TestAnswersComeOnceInOrderOfTheirCursor(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		var ids []string
		var records []wire.Record
		for i := range 5 {
			r := b.check(t, uint64(i+1))
			records, ids = append(records, r), append(ids, r.ID)
		}
		b.receive(t, clinic, records...)
		b.settle(t, b.Intake, clinic, ids[:3]...)
		b.settle(t, b.Intake, clinic, ids[2:]...) // the third was closed before
		page := b.answers(t, clinic, 0, 0)
		var got []string
		for i, a := range page.Answers {
			got = append(got, a.RecordID)
			if a.Cursor != uint64(i+1) || string(a.Sealed) != "sealed "+a.RecordID {
				t.Errorf("answer %d has cursor %d", i, a.Cursor)
			}
		}
		if !slices.Equal(got, ids) || page.Cursor != 5 {
			t.Errorf("%d answers up to %d", len(got), page.Cursor)
		}
		if next := b.answers(t, clinic, 3, 0); len(next.Answers) != 2 {
			t.Errorf("%d answers after 3", len(next.Answers))
		}
		if end := b.answers(t, clinic, 5, 0); len(end.Answers) != 0 || end.Cursor != 5 {
			t.Errorf("after the end: %+v", end)
		}
		if other := b.answers(t, shelter, 0, 0); len(other.Answers) != 0 {
			t.Error("another terminal sees the answers")
		}
	})
}

func TestManyJobsGiveOneTerminalDistinctCursors(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		var records []wire.Record
		for i := range 32 {
			records = append(records, b.check(t, uint64(i+1)))
		}
		b.receive(t, clinic, records...)
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				// Each record by two jobs at once.
				for _, r := range []wire.Record{records[i*2], records[(i*2+2)%32]} {
					b.settle(t, b.Intake, clinic, r.ID)
				}
				b.settle(t, b.Intake, clinic, records[i*2+1].ID)
			})
		}
		all.Wait()
		page := b.answers(t, clinic, 0, 0)
		seen := map[string]bool{}
		for i, a := range page.Answers {
			if a.Cursor != uint64(i+1) || seen[a.RecordID] {
				t.Errorf("answer %d: cursor %d, seen %v", i, a.Cursor, seen[a.RecordID])
			}
			seen[a.RecordID] = true
		}
		if len(seen) != len(records) {
			t.Errorf("%d answers for %d records", len(seen), len(records))
		}
	})
}

func TestALongPollWakesForThisAndForAnotherProcess(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		watch, stop := context.WithCancel(t.Context())
		defer stop()
		other := intake.New(b.Deps) // shares the store and nothing else
		for i, by := range []*intake.Intake{b.Intake, other} {
			if by == other {
				go b.Watch(watch)
			}
			r := b.check(t, uint64(i+1))
			b.receive(t, clinic, r)
			got := make(chan wire.Answers, 1)
			go func() { got <- b.answers(t, clinic, uint64(i), intake.MaxWait) }()
			for b.Waiting() == 0 {
				if t.Context().Err() != nil {
					t.Fatal("nobody waits")
				}
			}
			b.settle(t, by, clinic, r.ID)
			select {
			case page := <-got:
				if len(page.Answers) != 1 || page.Answers[0].RecordID != r.ID || page.Cursor != uint64(i+1) {
					t.Errorf("process %d: %+v", i, page)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("process %d: the poll was not woken", i)
			}
		}
	})
}

func TestALongPollEndsEmptyAtItsDeadlineAndOnDrain(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		if page := b.answers(t, clinic, 7, time.Millisecond); page.Cursor != 7 || len(page.Answers) != 0 || page.Answers == nil {
			t.Errorf("at the deadline: %+v", page)
		}
		server, drain := context.WithCancel(t.Context())
		got := make(chan error, 1)
		go func() {
			page, err := b.Answers(server, clinic, audit.EligibilityAnswer, 7, intake.MaxWait)
			if page.Cursor != 7 || len(page.Answers) != 0 {
				err = fmt.Errorf("page %+v", page)
			}
			got <- err
		}()
		for b.Waiting() == 0 {
			if t.Context().Err() != nil {
				t.Fatal("nobody waits")
			}
		}
		drain()
		if err := <-got; err != nil {
			t.Error(err)
		}
		if b.Waiting() != 0 {
			t.Error("the poll is still registered")
		}
		if _, err := b.Answers(t.Context(), clinic, audit.EligibilityAnswer, 1<<63, 0); fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("a cursor that was never given: %v", err)
		}
	})
}
