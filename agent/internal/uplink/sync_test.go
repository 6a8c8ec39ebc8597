package uplink_test

import (
	"crypto/ed25519"
	"testing"
	"testing/synctest"
	"time"

	"madoguchi.example/agent/internal/uplink"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// sent gives how many batches with and without records came, and the last one.
func (o *office) sent() (full, beats int, last wire.Batch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, b := range o.batches {
		if len(b.Records) > 0 {
			full++
		} else {
			beats++
		}
		last = b
	}
	return full, beats, last
}

func (o *office) forgetCalls() { o.set(func() { o.batches, o.calls = nil, nil }) }

func TestBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, false)
		synctest.Wait()
		if full, beats, _ := w.o.sent(); full != 0 || beats != 1 {
			t.Errorf("at the start: %d with records, %d beats", full, beats)
		}
		tick(5 * time.Minute)
		w.add(1) // a batch with records is a beat as well
		tick(9 * time.Minute)
		if full, beats, _ := w.o.sent(); full != 1 || beats != 1 {
			t.Errorf("nine minutes after a record: %d with records, %d beats", full, beats)
		}
		tick(22 * time.Minute)
		if _, beats, _ := w.o.sent(); beats != 4 {
			t.Errorf("half an hour of quiet: %d beats", beats-1)
		}
		w.o.set(func() { w.o.down = true })
		tick(15 * time.Minute)
		w.o.forgetCalls()
		w.o.set(func() { w.o.down = false })
		w.until("the line came back", uplink.DefaultCap+time.Minute, func() bool { return w.u.Line().Up })
		tick(10 * time.Second)
		if _, beats, _ := w.o.sent(); beats == 0 {
			t.Error("no beat after the line came back")
		}
	})
}

func TestWhatRidesInABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := wire.Clock{}
		w := newWorld(t, 1, false, func(w *world, c *uplink.Config) {
			w.o.epoch = "epo_a"
			c.Clock = func() wire.Clock { return wire.Clock{Boot: "b0", MonotonicMS: 5} }
			c.Health = func(c wire.Clock) (string, error) {
				asked = c
				return "a.b.c", nil
			}
		})
		synctest.Wait()
		w.o.set(func() { w.o.down = true })
		for n := range 250 {
			w.add(n)
		}
		w.o.forgetCalls()
		w.o.set(func() { w.o.down = false })
		w.until("all are sent", 10*time.Minute, func() bool { return w.q.Stats().Pending == 0 })
		w.o.mu.Lock()
		defer w.o.mu.Unlock()
		b := w.o.batches[0]
		if b.ServerEpoch != "epo_a" || b.Epoch != w.q.Epoch() || b.Health != "a.b.c" || asked.Boot != "b0" || !asked.Trusted || !b.Clock.Trusted || b.Clock.Boot != "b0" {
			t.Errorf("got %+v", wire.Batch{ServerEpoch: b.ServerEpoch, Epoch: b.Epoch, Health: b.Health, Clock: b.Clock})
		}
		if len(b.Records) != wire.MaxBatchRecords || b.Behind != 50 || w.o.batches[1].Behind != 0 {
			t.Errorf("%d records with %d behind, then %d behind", len(b.Records), b.Behind, w.o.batches[1].Behind)
		}
	})
}

// What a restored backend forgot is sent again, oldest first, before what is new.
func TestRestoredBackend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, false, func(w *world, _ *uplink.Config) { w.o.epoch = "epo_a" })
		var all []wire.Record
		for n := range 5 {
			all = append(all, w.add(n))
		}
		w.until("all are sent", time.Minute, func() bool { return w.q.Stats().Pending == 0 })
		w.o.set(func() {
			w.o.epoch = "epo_b"
			for _, r := range all[2:] {
				delete(w.o.digests, r.ID)
			}
			w.o.order = w.o.order[:2]
			w.o.high[all[1].Epoch] = wire.Mark{Epoch: all[1].Epoch, Through: 2, Head: wire.After(all[1])}
		})
		all = append(all, w.add(6))
		w.until("all are there again", time.Minute, func() bool {
			w.o.mu.Lock()
			defer w.o.mu.Unlock()
			return len(w.o.digests) == len(all)
		})
		tick(time.Second)
		w.judge2(all)
		if w.q.Confirmed().ServerEpoch != "epo_b" || w.q.Stats().Pending != 0 {
			t.Errorf("%+v %+v", w.q.Confirmed(), w.q.Stats())
		}
		// A quiet terminal hears of it by its beat.
		w.o.set(func() {
			w.o.epoch, w.o.digests, w.o.order, w.o.high = "epo_c", map[string][32]byte{}, nil, map[string]wire.Mark{}
		})
		w.until("a beat brings it back", uplink.DefaultBeat+time.Minute, func() bool {
			w.o.mu.Lock()
			defer w.o.mu.Unlock()
			return len(w.o.digests) == len(all)
		})
		w.judge2(all)
	})
}

// judge2 compares the backend with the records, in order and unchanged.
func (w *world) judge2(all []wire.Record) {
	w.Helper()
	w.o.mu.Lock()
	defer w.o.mu.Unlock()
	for i, r := range all {
		if w.o.digests[r.ID] != wire.Digest(r) || i >= len(w.o.order) || w.o.order[i] != r.Sequence {
			w.Errorf("record %d is not at its place: %v", r.Sequence, w.o.order)
		}
	}
}

// Two stores behind one name do not make a circle of sending again.
func TestTwoStoresBehindOneName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, false, func(w *world, _ *uplink.Config) { w.o.epoch = "epo_a" })
		w.add(1)
		tick(time.Minute)
		w.o.forgetCalls()
		flip := 0
		w.o.set(func() {
			w.o.sign = func(m wire.Mark) wire.Mark { // asked with each receipt
				flip++
				w.o.epoch = []string{"epo_a", "epo_b"}[flip%2]
				if flip > 1000 {
					panic("the calls do not end")
				}
				return wire.Mark{Epoch: m.Epoch, Head: wire.Genesis("trm_1", m.Epoch)} // nothing is there
			}
		})
		w.add(2)
		tick(time.Hour)
		if full, beats, _ := w.o.sent(); full+beats > 200 {
			t.Errorf("%d calls in an hour", full+beats)
		}
	})
}

func signer(seed byte) (ed25519.PrivateKey, profile.ReceiptKey) {
	key := ed25519.NewKeyFromSeed(append(make([]byte, 31), seed))
	return key, profile.ReceiptKey{ID: "rk_1", PublicKey: key.Public().(ed25519.PublicKey)}
}

func (w *world) signsWith(key ed25519.PrivateKey, name string) {
	w.o.set(func() {
		w.o.sign = func(m wire.Mark) wire.Mark {
			m.Key = name
			m.Signature = wire.SignMark(key, "trm_1", w.o.epoch, m)
			return m
		}
	})
}

// A receipt that a known key did not countersign is no answer.
func TestReceiptsAreVerified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key, public := signer(1)
		wrong, _ := signer(2)
		unknown := 0
		w := newWorld(t, 1, false, func(w *world, c *uplink.Config) {
			w.o.epoch = "epo_a"
			w.signsWith(wrong, "rk_1")
			c.Terminal, c.ReceiptKeys = "trm_1", func() []profile.ReceiptKey { return []profile.ReceiptKey{public} }
			c.UnknownKey = func() { unknown++ }
		})
		w.add(1)
		tick(30 * time.Minute)
		if l := w.u.Line(); w.q.Stats().Pending != 1 || !l.Up || l.Reason != uplink.ReceiptUntrusted || w.q.Confirmed().ServerEpoch != "" {
			t.Errorf("a wrong signature: %+v, %+v", w.q.Stats(), l)
		}
		w.signsWith(wrong, "rk_9")
		w.until("a key that is not known yet", uplink.DefaultCap+time.Minute, func() bool { return w.q.Stats().Pending == 0 })
		w.add(2)
		w.add(3)
		tick(time.Minute)
		if unknown != 1 || w.u.Line().Reason != "" {
			t.Errorf("the profile was asked for %d times; %+v", unknown, w.u.Line())
		}
		w.signsWith(key, "rk_1")
		w.add(4)
		tick(time.Minute)
		if c := w.q.Confirmed(); w.q.Stats().Pending != 0 || len(c.Marks) != 1 || c.Marks[0].Through != 4 || c.LastAck.IsZero() {
			t.Errorf("a good signature: %+v", c)
		}
	})
}

// An older word of the backend, countersigned as it is, confirms nothing that came after it.
func TestAnOlderReceiptConfirmsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key, public := signer(1)
		w := newWorld(t, 1, false, func(w *world, c *uplink.Config) {
			w.o.epoch = "epo_a"
			w.signsWith(key, "rk_1")
			c.Terminal, c.ReceiptKeys = "trm_1", func() []profile.ReceiptKey { return []profile.ReceiptKey{public} }
		})
		w.add(1)
		w.until("the first is there", time.Minute, func() bool { return w.q.Stats().Pending == 0 })
		old := w.q.Confirmed().Marks
		for _, status := range []wire.Status{wire.Accepted, wire.Duplicate} {
			w.o.set(func() {
				w.o.reply = func(records []wire.Record) (wire.Receipt, error) {
					r := wire.Receipt{ServerEpoch: "epo_a", Marks: old}
					for _, one := range records {
						r.Results = append(r.Results, wire.Result{ID: one.ID, Status: status})
					}
					return r, nil
				}
			})
			w.add(2)
			tick(20 * time.Minute)
			if l := w.u.Line(); w.q.Stats().Pending == 0 || l.Reason != uplink.ReceiptUntrusted {
				t.Errorf("%s: %+v, %+v", status, w.q.Stats(), l)
			}
		}
		w.o.set(func() { w.o.reply = nil })
		w.until("all are there", uplink.DefaultCap+time.Minute, func() bool { return w.q.Stats().Pending == 0 })
		if n := len(w.o.digests); n != 3 || w.u.Line().Reason != "" {
			t.Errorf("%d records are there, %+v", n, w.u.Line())
		}
	})
}

// Of two words on one record the first holds, at the desk as in the queue.
func TestTheFirstWordHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, false)
		synctest.Wait()
		w.o.set(func() {
			w.o.reply = func(records []wire.Record) (r wire.Receipt, err error) {
				for _, one := range records {
					r.Results = append(r.Results, wire.Result{ID: one.ID, Status: wire.Accepted}, wire.Result{ID: one.ID, Status: wire.Rejected})
				}
				return r, nil
			}
		})
		r := w.add(1)
		tick(time.Minute)
		w.d.mu.Lock()
		defer w.d.mu.Unlock()
		if s := w.q.Stats(); w.d.settled[r.ID] != wire.Accepted || s.Pending != 0 || s.Dead != 0 {
			t.Errorf("the desk holds it for %s, %+v", w.d.settled[r.ID], s)
		}
	})
}

// A backend that asks for a year gets six hours.
func TestNobodyIsSentAwayForAYear(t *testing.T) {
	const year = 366 * 24 * time.Hour
	for name, reply := range map[string]func([]wire.Record) (wire.Receipt, error){
		"refused": func([]wire.Record) (wire.Receipt, error) {
			return wire.Receipt{}, patience{fault.New(fault.RateLimited, "busy"), year}
		},
		"by a slot": func([]wire.Record) (wire.Receipt, error) { return wire.Receipt{RetryAfterMS: year.Milliseconds()}, nil },
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1, false, func(w *world, _ *uplink.Config) { w.o.reply = reply })
			w.add(1)
			tick(5*time.Hour + 50*time.Minute)
			w.o.mu.Lock()
			first := len(w.o.calls)
			w.o.reply = nil
			w.o.mu.Unlock()
			tick(20 * time.Minute)
			if first != 1 || w.q.Stats().Pending != 0 {
				t.Errorf("%s: %d calls in the first hours, then %+v", name, first, w.q.Stats())
			}
		})
	}
}

// A page of answers that were taken already is passed over, and while the line is in doubt no
// question is held.
func TestPagesThatGoBackAndHeldQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, false)
		r := w.add(1)
		w.until("the answer is there", time.Minute, func() bool { return w.answered() == 1 })
		w.d.mu.Lock()
		took := len(w.d.cursors)
		w.d.mu.Unlock()
		cursor := w.q.Cursor()
		w.o.set(func() {
			w.o.held = nil
			w.o.page = func() wire.Answers {
				return wire.Answers{Cursor: cursor - 1, Answers: []wire.Answer{{Cursor: cursor - 1, RecordID: r.ID, Sealed: []byte("another")}}}
			}
		})
		tick(time.Minute)
		w.d.mu.Lock()
		if len(w.d.cursors) != took || w.q.Cursor() != cursor || w.answered() != 1 {
			t.Errorf("cursors %v", w.d.cursors)
		}
		w.d.mu.Unlock()
		w.o.set(func() {
			if n := len(w.o.held); n > 70 || n < 2 || w.o.held[n-1] == 0 {
				t.Errorf("%d questions in a minute, held for %v", n, w.o.held)
			}
			w.o.held, w.o.page, w.o.down = nil, nil, true
		})
		tick(time.Minute)
		w.o.set(func() {
			if n := len(w.o.held); n < 3 || w.o.held[n-1] != 0 {
				t.Errorf("without a line questions are held for %v", w.o.held)
			}
		})
	})
}

// A copy of the disk is told by the backend, or by its chain, and holds until a beat tells
// otherwise.
func TestACopyOfTheDiskIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := 0
		w := newWorld(t, 1, false, func(w *world, c *uplink.Config) {
			w.o.epoch = "epo_a"
			c.OnLine = func(l uplink.Line) {
				if l.Cloned {
					told++
				}
			}
		})
		cloned := func(want bool, when string) {
			t.Helper()
			if w.u.Line().Cloned != want {
				t.Errorf("%s: %+v", when, w.u.Line())
			}
		}
		w.add(1)
		tick(time.Minute)
		cloned(false, "alone")
		w.o.set(func() { w.o.forked = true })
		w.add(2)
		tick(time.Minute)
		cloned(true, "with a batch")
		w.o.set(func() { w.o.forked = false })
		w.add(3)
		tick(time.Minute)
		cloned(true, "a batch that shows nothing")
		if told != 1 {
			t.Errorf("the desk was told %d times", told)
		}
		tick(uplink.DefaultBeat)
		cloned(false, "a beat that knows of none")
		w.o.set(func() { w.o.forked = true })
		tick(uplink.DefaultBeat)
		cloned(true, "with a beat")
		w.o.set(func() { w.o.forked = false })
		tick(uplink.DefaultBeat)
		cloned(false, "and another")
		w.o.set(func() {
			w.o.sign = func(m wire.Mark) wire.Mark {
				m.Head[0] ^= 1
				return m
			}
		})
		w.add(4)
		tick(time.Minute)
		cloned(true, "by the chain")
		tick(2 * uplink.DefaultBeat)
		cloned(true, "by the chain, and later")
	})
}

// While nothing gets through, calls of both loops rest together, however much work comes.
func TestCallsRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, false)
		w.o.set(func() { w.o.down = true })
		for n := range 30 { // into the state in which all calls rest
			w.add(n)
			tick(time.Second)
		}
		w.o.forgetCalls()
		const minutes = 2
		for n := range minutes * 60 {
			w.add(n)
			tick(time.Second)
		}
		if full, beats, _ := w.o.sent(); full+beats > minutes*60/5+1 || full+beats < 5 {
			t.Errorf("%d tries in %d minutes of work each second", full+beats, minutes)
		}
	})
}

// half gives bytes whose share of anything is a half.
type half struct{}

func (half) Read(b []byte) (int, error) {
	clear(b)
	b[0] = 0x80
	return len(b), nil
}

func spread(d time.Duration) func(*world, *uplink.Config) {
	return func(_ *world, c *uplink.Config) {
		c.Rand, c.Spread = half{}, func() time.Duration { return d }
	}
}

func TestABacklogBeginsAtARandomTime(t *testing.T) {
	for name, c := range map[string]struct {
		down    time.Duration
		records int
		slot    time.Duration
		atLeast time.Duration // from the line's return to the first records
		atMost  time.Duration
	}{
		"an outage":           {down: time.Hour, records: 250, atLeast: 19 * time.Minute, atMost: 21 * time.Minute},
		"a day of a clinic":   {down: time.Hour, records: wire.LiveRecords + 1, atLeast: 19 * time.Minute, atMost: 21 * time.Minute},
		"a few":               {down: time.Hour, records: wire.LiveRecords, atMost: time.Minute},
		"a short break":       {down: 5 * time.Minute, records: 250, atMost: time.Minute},
		"by the backend slot": {down: time.Hour, records: 250, slot: 2 * time.Hour, atLeast: 2 * time.Hour, atMost: 2*time.Hour + time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, false, spread(40*time.Minute))
				synctest.Wait()
				w.o.set(func() { w.o.down = true })
				for n := range c.records {
					w.add(n)
				}
				for passed := time.Duration(0); passed < c.down; passed += time.Minute {
					if passed == 11*time.Minute {
						w.o.forgetCalls()
					}
					tick(time.Minute)
				}
				if full, beats, _ := w.o.sent(); c.down > uplink.DefaultOutage && c.records > wire.LiveRecords && (full > 0 || beats == 0) {
					t.Errorf("in the outage %d batches and %d beats looked for the backend", full, beats)
				}
				w.o.forgetCalls()
				w.o.set(func() { w.o.down, w.o.mute, w.o.slot = false, c.slot > 0, c.slot })
				w.until("something gets through", uplink.DefaultCap+time.Minute, func() bool {
					full, beats, _ := w.o.sent()
					return full+beats > 0
				})
				back := time.Now()
				if full, beats, _ := w.o.sent(); c.atLeast > 0 && (full > 0 || beats == 0) {
					t.Errorf("with the line came %d batches and %d beats", full, beats)
				}
				w.o.set(func() { w.o.mute, w.o.slot = false, 0 })
				w.until("records come", 3*time.Hour, func() bool {
					until := w.u.Line().Until
					full, _, _ := w.o.sent()
					if waits := time.Since(back) > time.Minute && full == 0; waits && until.Before(time.Now().Add(-time.Second)) {
						t.Fatalf("nobody is told how long the records wait: %v", until)
					}
					w.u.Kick() // new work does not change it
					return full > 0
				})
				if took := time.Since(back); took < c.atLeast || took > c.atMost {
					t.Errorf("the first records came after %v", took)
				}
				w.until("all are sent", 10*time.Minute, func() bool { return w.q.Stats().Pending == 0 && w.u.Line().Until.IsZero() })
			})
		})
	}
}

// A terminal that starts after a power cut of the region does not know of the outage but by
// its queue.
func TestABacklogAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, false, spread(40*time.Minute), func(w *world, _ *uplink.Config) {
			for n := range 250 {
				w.put(n)
			}
		})
		tick(19 * time.Minute)
		if full, beats, last := w.o.sent(); full != 0 || beats == 0 || last.Behind != 250 {
			t.Errorf("%d batches, %d beats, %d behind", full, beats, last.Behind)
		}
		tick(2 * time.Minute)
		if w.q.Stats().Pending != 0 {
			t.Errorf("%+v", w.q.Stats())
		}
	})
}

type patience struct {
	error
	after time.Duration
}

func (p patience) RetryAfter() time.Duration { return p.after }

// A slot is honoured, whatever work comes.
func TestSlots(t *testing.T) {
	for name, reply := range map[string]func([]wire.Record) (wire.Receipt, error){
		"of a refusal": func([]wire.Record) (wire.Receipt, error) {
			return wire.Receipt{}, patience{fault.New(fault.RateLimited, "busy"), 10 * time.Minute}
		},
		"of a backend that cannot work": func([]wire.Record) (wire.Receipt, error) {
			return wire.Receipt{}, patience{fault.New(fault.Unavailable, "busy"), 10 * time.Minute}
		},
		"of a receipt": func([]wire.Record) (wire.Receipt, error) { return wire.Receipt{RetryAfterMS: 600_000}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, false, func(w *world, _ *uplink.Config) { w.o.reply = reply })
				synctest.Wait()
				w.o.forgetCalls()
				for n := range 9 {
					w.add(n)
					tick(time.Minute)
				}
				if full, beats, _ := w.o.sent(); full+beats > 0 || w.u.Line().Until.IsZero() {
					t.Errorf("%d calls within the slot; %+v", full+beats, w.u.Line())
				}
				w.o.set(func() { w.o.reply = nil })
				w.until("sent after it", 6*time.Minute, func() bool { return w.q.Stats().Pending == 0 })
			})
		})
	}
}

func TestClockOffset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, moved := time.Now(), time.Duration(0)
		boot := "b0"
		w := newWorld(t, 1, false, func(w *world, c *uplink.Config) {
			w.o.ahead, w.o.delay = 90*time.Second, 4*time.Second
			c.Now = func() time.Time { return time.Now().Add(moved) }
			c.Clock = func() wire.Clock { return wire.Clock{Boot: boot, MonotonicMS: time.Since(start).Milliseconds()} }
		})
		if c := w.u.Clock(); c.Trusted || c.OffsetMS != 0 {
			t.Errorf("before anything was heard: %+v", c)
		}
		tick(time.Minute)
		if c := w.u.Clock(); !c.Trusted || c.OffsetMS != 90_000 || c.Boot != "b0" {
			t.Errorf("got %+v", c)
		}
		moved = time.Hour // somebody sets the clock ahead
		if c := w.u.Clock(); !c.Trusted || c.OffsetMS != 90_000-3600_000 {
			t.Errorf("after the clock was set: %+v", c)
		}
		boot = "b1"
		if c := w.u.Clock(); c.Trusted {
			t.Errorf("after another start of the machine: %+v", c)
		}
		boot, moved = "b0", 0
	})
}

type clockFault struct{ error }

func (clockFault) ClockBehind() bool { return true }
func (c clockFault) Unwrap() error   { return c.error }

func TestALineThatOurClockShuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, false, func(w *world, _ *uplink.Config) {
			w.o.reply = func([]wire.Record) (wire.Receipt, error) {
				return wire.Receipt{}, clockFault{fault.At(fault.Unavailable, "clock", "set it")}
			}
		})
		synctest.Wait()
		var seen bool
		for range 60 {
			w.add(1)
			tick(time.Second)
			if l := w.u.Line(); !l.Up && l.Reason == uplink.ClockWrong && l.ClockBehind {
				seen = true
			}
		}
		if !seen {
			t.Errorf("got %+v", w.u.Line())
		}
		if w.q.Stats().Pending != 60 {
			t.Errorf("%+v", w.q.Stats())
		}
	})
}
