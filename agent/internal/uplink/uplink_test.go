package uplink_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/uplink"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/wire"
)

var (
	errRefused = fault.Wrap(fault.Unavailable, errors.New("connection refused"), "the backend cannot be reached")
	errLost    = fault.Wrap(fault.Unavailable, errors.New("connection reset"), "the backend cannot be reached")
)

// office is a backend in memory, as DESIGN.md of wire describes it, on a bad line.
type office struct {
	mu       sync.Mutex
	rng      *mathrand.Rand
	down     bool
	mute     bool // questions for answers fail
	trouble  bool // lost answers, delays, retries, odd receipts
	calls    []time.Time
	digests  map[string][32]byte
	order    []uint64
	rejected map[string]bool
	conflict int
	answers  []wire.Answer
	news     chan struct{}
	reply    func([]wire.Record) (wire.Receipt, error) // replaces all of it, when set
	batches  []wire.Batch
	epoch    string // of its store; empty: one of version 0, without marks
	high     map[string]wire.Mark
	sign     func(wire.Mark) wire.Mark
	ahead    time.Duration // of its clock
	delay    time.Duration // of each receipt, half of it on the way there
	slot     time.Duration // that receipts ask for
	forked   bool
	held     []time.Duration // for how long questions for answers might be held
	page     func() wire.Answers
}

func newOffice(seed uint64) *office {
	return &office{
		rng: mathrand.New(mathrand.NewPCG(seed, 7)), digests: map[string][32]byte{}, rejected: map[string]bool{}, news: make(chan struct{}, 1),
		high: map[string]wire.Mark{}, sign: func(m wire.Mark) wire.Mark { return m },
	}
}

func (o *office) chance(percent int) bool { return o.trouble && o.rng.IntN(100) < percent }

func (o *office) set(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f()
}

func (o *office) Send(ctx context.Context, b wire.Batch) (wire.Receipt, error) {
	records := b.Records
	o.mu.Lock()
	o.calls = append(o.calls, time.Now())
	o.batches = append(o.batches, b)
	reply, down, hang := o.reply, o.down, o.chance(5)
	o.mu.Unlock()
	switch {
	case reply != nil:
		return reply(records)
	case down:
		return wire.Receipt{}, errRefused
	case hang:
		return wire.Receipt{}, wait(ctx, 15*time.Second)
	}
	if o.delay > 0 {
		_ = wait(ctx, o.delay/2)
		defer func() { _ = wait(ctx, o.delay/2) }()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	receipt := wire.Receipt{ServerEpoch: o.epoch, ServerTime: time.Now().Add(o.ahead), RetryAfterMS: o.slot.Milliseconds(), Forked: o.forked}
	if o.epoch != "" && b.ServerEpoch != "" && b.ServerEpoch != o.epoch {
		for _, r := range records {
			receipt.Results = append(receipt.Results, wire.Result{ID: r.ID, Status: wire.Retry, Code: "restored"})
		}
		receipt.Marks = o.marks(b)
		return receipt, nil
	}
	retrying := false
	for _, r := range records {
		retrying = retrying || o.chance(2)
		res := wire.Result{ID: r.ID, Status: wire.Retry, Code: "unavailable"}
		if !retrying {
			res = o.take(r)
		}
		receipt.Results = append(receipt.Results, res)
	}
	receipt.Marks = o.marks(b)
	if o.chance(20) {
		return wire.Receipt{}, errLost // it happened, but nobody hears of it
	}
	if o.chance(30) {
		o.rng.Shuffle(len(receipt.Results), func(i, j int) {
			receipt.Results[i], receipt.Results[j] = receipt.Results[j], receipt.Results[i]
		})
		receipt.Results = append(receipt.Results, wire.Result{ID: "somebody else's", Status: wire.Accepted})
	}
	return receipt, nil
}

// marks countersigns how far the epochs of a batch are.
func (o *office) marks(b wire.Batch) []wire.Mark {
	if o.epoch == "" {
		return nil
	}
	for _, r := range b.Records {
		if _, ok := o.digests[r.ID]; ok && r.Sequence > o.high[r.Epoch].Through {
			o.high[r.Epoch] = wire.Mark{Epoch: r.Epoch, Through: r.Sequence, Head: wire.After(r)}
		}
	}
	m, ok := o.high[b.Epoch]
	if !ok {
		m = wire.Mark{Epoch: b.Epoch, Head: wire.Genesis("trm_1", b.Epoch)}
	}
	return []wire.Mark{o.sign(m)}
}

func (o *office) take(r wire.Record) wire.Result {
	res := wire.Result{ID: r.ID}
	digest := wire.Digest(r)
	known, ok := o.digests[r.ID]
	switch {
	case ok && known == digest:
		res.Status = wire.Duplicate
	case ok:
		o.conflict++
		res.Status = wire.Conflict
	case o.rejected[r.ID] || o.chance(3):
		o.rejected[r.ID] = true
		res.Status, res.Code = wire.Rejected, string(fault.InvalidArgument)
	default:
		o.digests[r.ID] = digest
		o.order = append(o.order, r.Sequence)
		res.Status = wire.Accepted
		if r.WantsAnswer() {
			o.answers = append(o.answers, wire.Answer{Cursor: uint64(len(o.answers)+1) * 3, RecordID: r.ID, Sealed: []byte("answer to " + r.ID)})
			select {
			case o.news <- struct{}{}:
			default:
			}
		}
	}
	return res
}

func (o *office) Answers(ctx context.Context, after uint64, hold time.Duration) (wire.Answers, error) {
	o.mu.Lock()
	down, page := o.down || o.mute, o.page
	o.held = append(o.held, hold)
	if o.chance(10) {
		after -= min(after, 9) // a page that begins before what was asked for
	}
	o.mu.Unlock()
	if down {
		return wire.Answers{}, errRefused
	}
	if page != nil {
		return page(), nil
	}
	ctx, cancel := context.WithTimeout(ctx, hold)
	defer cancel()
	for {
		page := wire.Answers{Cursor: after}
		o.mu.Lock()
		for _, a := range o.answers {
			if a.Cursor > after && len(page.Answers) < 20 {
				page.Answers, page.Cursor = append(page.Answers, a), a.Cursor
			}
		}
		lost, down := o.chance(10), o.down
		o.mu.Unlock()
		switch {
		case down || lost:
			return wire.Answers{}, errLost
		case len(page.Answers) > 0:
			return page, nil
		}
		select {
		case <-o.news:
		case <-ctx.Done():
			return page, nil
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-ctx.Done()
	return errLost
}

// desk stores answers as the real one does, and sometimes fails to.
type desk struct {
	t       *testing.T
	q       *queue.Queue
	o       *office
	mu      sync.Mutex
	settled map[string]wire.Status
	cursors []uint64
}

func (d *desk) Settled(_ context.Context, r wire.Receipt) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, res := range r.Results {
		if res.ID == "somebody else's" {
			d.t.Error("the desk is told of another's record")
		}
		if res.Status != wire.Retry {
			d.settled[res.ID] = res.Status
		}
	}
	return d.fails()
}

func (d *desk) Take(ctx context.Context, answers []wire.Answer, cursor uint64) error {
	if err := d.fails(); err != nil {
		return err
	}
	var puts []vault.Put
	for _, a := range answers {
		puts = append(puts, vault.Put{Shelf: "answers", Key: a.RecordID, Value: a.Sealed})
	}
	d.mu.Lock()
	d.cursors = append(d.cursors, cursor)
	d.mu.Unlock()
	return d.q.SaveAnswers(ctx, cursor, puts)
}

func (d *desk) fails() error {
	d.o.mu.Lock()
	defer d.o.mu.Unlock()
	if d.o.chance(5) {
		return errors.New("no room")
	}
	return nil
}

type world struct {
	*testing.T
	v       *vault.Vault
	q       *queue.Queue
	o       *office
	d       *desk
	u       *uplink.Uplink
	untried uplink.Line // as it was before Run
}

// newWorld must be called inside a synctest bubble. The uplink runs until the test ends.
func newWorld(t *testing.T, seed uint64, trouble bool, more ...func(*world, *uplink.Config)) *world {
	t.Helper()
	dir := t.TempDir()
	key := vault.KeyFile(filepath.Join(dir, "k"))
	if err := key.Create(rand.Reader); err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(t.Context(), dir, vault.Options{Key: key, Now: time.Now, Rand: rand.Reader, Terminal: "trm_1"})
	if err != nil {
		t.Fatal(err)
	}
	q, err := queue.Open(v, queue.Limits{}, handle.Source{Now: time.Now, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, v: v, q: q, o: newOffice(seed)}
	w.o.trouble = trouble
	w.d = &desk{t: t, q: q, o: w.o, settled: map[string]wire.Status{}}
	c := uplink.Config{
		Queue: q, Backend: w.o, Handler: w.d, Now: time.Now, Rand: rand.Reader, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	for _, with := range more {
		with(w, &c)
	}
	w.u = uplink.New(c)
	w.untried = w.u.Line()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.u.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = q.Close()
		_ = v.Close()
	})
	return w
}

func (w *world) add(n int) wire.Record {
	w.Helper()
	r := w.put(n)
	w.u.Kick()
	return r
}

// put adds a record and tells nobody.
func (w *world) put(n int) wire.Record {
	w.Helper()
	kind := wire.KindEligibilityCheck
	if n%5 == 0 {
		kind = wire.KindCertificateVerification
	}
	r, err := w.q.Append(context.Background(), queue.Draft{Kind: kind, At: time.Now(), Body: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))})
	if err != nil {
		w.Fatal(err)
	}
	return r
}

// until lets the bubble's clock run until the condition holds.
func (w *world) until(what string, limit time.Duration, holds func() bool) {
	w.Helper()
	for end := time.Now().Add(limit); !holds(); {
		if time.Now().After(end) {
			w.Fatalf("%s: not within %v", what, limit)
		}
		tick(time.Second)
	}
}

func tick(d time.Duration) { <-time.After(d) }

func (w *world) answered() int {
	n := 0
	if err := w.v.Shelf("answers").Each(w.Context(), func(k string, v []byte) error {
		n++
		if string(v) != "answer to "+k {
			return errors.New("another record's answer")
		}
		return nil
	}); err != nil {
		w.Error(err)
	}
	return n
}

// Whatever the line does, each confirmed record is at the backend exactly once, unchanged
// and in order, or in the dead letters; and each answer is stored.
func TestNothingLostNothingTwice(t *testing.T) {
	for seed := uint64(1); seed <= 4; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, seed, true)
				var confirmed []wire.Record
				for n := range 150 {
					confirmed = append(confirmed, w.add(n))
					switch {
					case n == 50:
						w.o.set(func() { w.o.down = true })
					case n == 100:
						tick(72 * time.Hour)
						w.o.set(func() { w.o.down = false })
					case w.u.Line().Up && n%7 == 0:
						tick(time.Duration(w.o.rngN(20_000)) * time.Millisecond)
					}
				}
				w.until("drained", 24*time.Hour, func() bool { return w.q.Stats().Pending == 0 })
				w.o.set(func() { w.o.trouble = false })
				w.until("answered", time.Hour, func() bool {
					w.o.mu.Lock()
					defer w.o.mu.Unlock()
					return w.answered() == len(w.o.answers)
				})
				w.judge(confirmed)
			})
		})
	}
}

func (o *office) rngN(n int) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.rng.IntN(n)
}

func (w *world) judge(confirmed []wire.Record) {
	w.Helper()
	w.o.mu.Lock()
	defer w.o.mu.Unlock()
	letters, err := w.q.DeadLetters(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	dead := map[string]bool{}
	for _, l := range letters {
		dead[l.Record.ID] = true
	}
	for _, r := range confirmed {
		digest, there := w.o.digests[r.ID]
		if there == dead[r.ID] || (there && digest != wire.Digest(r)) {
			w.Errorf("record %d: at the backend %v, dead letter %v", r.Sequence, there, dead[r.ID])
		}
	}
	if len(w.o.digests)+len(dead) != len(confirmed) || w.o.conflict > 0 {
		w.Errorf("%d taken, %d dead, %d confirmed, %d conflicts", len(w.o.digests), len(dead), len(confirmed), w.o.conflict)
	}
	for i := 1; i < len(w.o.order); i++ {
		if w.o.order[i] <= w.o.order[i-1] {
			w.Fatalf("out of order: %v", w.o.order)
		}
	}
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	for i := 1; i < len(w.d.cursors); i++ {
		if w.d.cursors[i] < w.d.cursors[i-1] {
			w.Errorf("the cursor went back: %v", w.d.cursors)
		}
	}
	if s := w.q.Stats(); s.SentUnanswered != 0 {
		w.Errorf("%+v", s)
	}
}

func TestLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, false)
		if l := w.untried; l.Up || !l.Since.IsZero() {
			t.Errorf("before anything was tried: %+v", l)
		}
		w.add(1)
		synctest.Wait()
		if l := w.u.Line(); !l.Up || l.Since.IsZero() || l.LastContact.IsZero() || l.Reason != "" {
			t.Errorf("after a success: %+v", l)
		}
		w.o.set(func() { w.o.down = true })
		w.add(2)
		synctest.Wait() // no time passes
		if l := w.u.Line(); l.Up || l.Reason != fault.Unavailable {
			t.Errorf("a refused connection: %+v", l)
		}
		tick(time.Hour)
		w.o.set(func() { w.o.down = false })
		// New work is tried as soon as calls do not rest, even while the wait after failures is long.
		w.add(3)
		tick(uplink.DefaultOpen + 2*uplink.DefaultBase)
		synctest.Wait()
		if l, s := w.u.Line(), w.q.Stats(); !l.Up || s.Pending != 0 {
			t.Errorf("new work did not wake it: %+v %+v", l, s)
		}
		tick(uplink.DefaultBase)
		if n := w.answered(); n != 3 {
			t.Errorf("%d answers soon after the line came back", n)
		}
	})
}

func TestTriesAreSpaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, false)
		w.o.set(func() { w.o.down = true })
		for n := range 100 { // a storm of kicks
			w.add(n)
		}
		tick(10 * time.Second)
		w.o.mu.Lock()
		storm := len(w.o.calls)
		w.o.mu.Unlock()
		if storm > 15 {
			t.Errorf("%d tries in ten seconds", storm)
		}
		tick(24 * time.Hour)
		w.o.mu.Lock()
		day := len(w.o.calls) - storm
		for i := storm + 1; i < len(w.o.calls); i++ {
			if gap := w.o.calls[i].Sub(w.o.calls[i-1]); gap > uplink.DefaultCap+uplink.DefaultOpen+2*time.Second {
				t.Errorf("a gap of %v", gap)
			}
		}
		w.o.mu.Unlock()
		// Full jitter up to five minutes is two and a half on average.
		if day < 300 || day > 1200 {
			t.Errorf("%d tries in a day", day)
		}
	})
}

func TestBackendAsksForPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, false)
		w.o.set(func() {
			w.o.reply = func(records []wire.Record) (wire.Receipt, error) {
				r := wire.Receipt{RetryAfterMS: 60_000}
				for _, one := range records {
					r.Results = append(r.Results, wire.Result{ID: one.ID, Status: wire.Retry})
				}
				return r, nil
			}
		})
		w.add(1)
		tick(10 * time.Minute)
		w.o.mu.Lock()
		n := len(w.o.calls)
		w.o.mu.Unlock()
		if n < 2 || n > 11 {
			t.Errorf("%d tries in ten minutes", n)
		}
		if s := w.q.Stats(); s.Pending != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// A line that takes small batches alone is used with small batches.
func TestABatchRefusedAsAWholeIsSentInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, false)
		w.o.set(func() { w.o.down = true })
		for n := range 100 {
			w.add(n)
		}
		largest := 0
		w.o.set(func() {
			w.o.reply = func(records []wire.Record) (wire.Receipt, error) {
				if len(records) > 10 {
					return wire.Receipt{}, fault.New(fault.TooLarge, "the backend answered with status 413")
				}
				largest = max(largest, len(records))
				var r wire.Receipt
				for _, one := range records {
					r.Results = append(r.Results, wire.Result{ID: one.ID, Status: wire.Accepted})
				}
				return r, nil
			}
		})
		w.until("all are sent", 24*time.Hour, func() bool { return w.q.Stats().Pending == 0 })
		if largest < 2 {
			t.Errorf("at most %d records went at once", largest)
		}
	})
}

// A receipt that is silent on a record, or refuses the whole call, settles nothing.
func TestSilenceSettlesNothing(t *testing.T) {
	for name, reply := range map[string]func([]wire.Record) (wire.Receipt, error){
		"empty receipt": func([]wire.Record) (wire.Receipt, error) { return wire.Receipt{}, nil },
		"other ids": func([]wire.Record) (wire.Receipt, error) {
			return wire.Receipt{Results: []wire.Result{{ID: "x", Status: wire.Accepted}}}, nil
		},
		"refused": func([]wire.Record) (wire.Receipt, error) {
			return wire.Receipt{}, fault.New(fault.Forbidden, "no")
		},
		"broken": func([]wire.Record) (wire.Receipt, error) { return wire.Receipt{}, errors.New("unreadable") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, false)
				w.o.set(func() { w.o.reply = reply })
				w.add(1)
				tick(time.Hour)
				if s := w.q.Stats(); s.Pending != 1 || s.Dead != 0 || s.Kept != 0 {
					t.Errorf("%+v", s)
				}
				if name == "refused" && (!w.u.Line().Up || w.u.Line().Reason != fault.Forbidden && w.u.Line().Reason != "") {
					t.Errorf("%+v", w.u.Line())
				}
				w.o.set(func() { w.o.reply = nil })
				w.until("sent in the end", time.Hour, func() bool { return w.q.Stats().Pending == 0 })
			})
		})
	}
}
