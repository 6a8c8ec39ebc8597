package check_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/check"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/uplink"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

type build = func(wire.Record) (json.RawMessage, []vault.Put, error)

// fickle is the real queue with trouble around an append or other fates than it knows.
type fickle struct {
	*queue.Queue
	before func()
	after  func(error) error
	fates  map[string]queue.Fate
	refuse error        // instead of an append
	check  func() error // likewise, asked each time
}

func (f *fickle) AppendWith(ctx context.Context, d queue.Draft, b build) (wire.Record, error) {
	if f.before != nil {
		f.before()
	}
	if f.refuse != nil {
		return wire.Record{}, f.refuse
	}
	if f.check != nil {
		if err := f.check(); err != nil {
			return wire.Record{}, err
		}
	}
	r, err := f.Queue.AppendWith(ctx, d, b)
	if f.after != nil {
		err = f.after(err)
	}
	return r, err
}

func (f *fickle) Fates(ctx context.Context, ids []string) (map[string]queue.Fate, error) {
	if f.fates != nil {
		return f.fates, nil
	}
	return f.Queue.Fates(ctx, ids)
}

func (b *bench) record(t *testing.T) casebook.Case {
	t.Helper()
	c, _, err := b.Record(t.Context(), entry())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (b *bench) shown(t *testing.T, id string) check.View {
	t.Helper()
	v, err := b.Case(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// A browser that goes away while the record is written leaves a record with a row: else
// the row would wait for ever, and the answer would find no case.
func TestACallerThatLeavesDoesNotLoseTheRow(t *testing.T) {
	for range 20 {
		b := newBench(t)
		if rows, _, err := b.Today(t.Context()); err != nil || len(rows) != 0 {
			t.Fatal(err)
		}
		ctx, leave := context.WithCancel(t.Context())
		b.Desk.Queue = &fickle{Queue: b.queue, before: leave}
		c, _, err := b.Record(ctx, entry())
		if err != nil {
			t.Fatalf("the record was begun and then given up: %v", err)
		}
		b.answer(t, c, func(*eligibility.Answer) {})
		if v := b.shown(t, c.RecordID); v.State != eligibility.Answered || len(b.rejected) != 0 {
			t.Fatalf("state %q, rejected %v", v.State, b.rejected)
		}
	}
}

// A write whose outcome is not known is asked for again under its own ID, and whatever is
// on the disk then is on the list.
func TestAnUnknownOutcomeIsOneRecordWithOneRow(t *testing.T) {
	unknown := fault.New(fault.Unknown, "the terminal's file did not confirm the write")
	for name, times := range map[string]int{"once": 1, "each time": 2} {
		b := newBench(t)
		if _, _, err := b.Today(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.Desk.Queue = &fickle{Queue: b.queue, after: func(err error) error {
			if times--; times >= 0 {
				return errors.Join(err, unknown)
			}
			return err
		}}
		_, _, err := b.Record(t.Context(), entry())
		if (err == nil) != (name == "once") {
			t.Errorf("%s: %v", name, err)
		}
		rows, _, err := b.Today(t.Context())
		if err != nil || len(rows) != 1 || b.queue.Stats().Pending != 1 {
			t.Errorf("%s: %d rows, %d records: %v", name, len(rows), b.queue.Stats().Pending, err)
		}
	}
}

func TestReconcileFollowsTheQueue(t *testing.T) {
	b := newBench(t)
	waits, taken, refused, lost, gone := b.record(t), b.record(t), b.record(t), b.record(t), b.record(t)
	if err := b.queue.Settle(t.Context(), wire.Receipt{Results: []wire.Result{
		{ID: taken.RecordID, Status: wire.Accepted}, {ID: refused.RecordID, Status: wire.Rejected, Code: "invalid_argument"},
		{ID: gone.RecordID, Status: wire.Accepted},
	}}); err != nil {
		t.Fatal(err)
	}
	fates, err := b.queue.Fates(t.Context(), []string{waits.RecordID, taken.RecordID, refused.RecordID})
	if err != nil {
		t.Fatal(err)
	}
	fates[lost.RecordID], fates[gone.RecordID] = queue.Fate{Damaged: true}, queue.Fate{}
	b.Desk.Queue = &fickle{Queue: b.queue, fates: fates}
	for range 2 { // the second time changes nothing
		if err := b.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range map[string]eligibility.State{
		waits.RecordID: eligibility.Queued, taken.RecordID: eligibility.Sent, gone.RecordID: eligibility.Sent,
		refused.RecordID: eligibility.Refused, lost.RecordID: eligibility.Refused,
	} {
		v := b.shown(t, id)
		if v.State != want || v.Task.Open() != (want == eligibility.Refused) {
			t.Errorf("state %q, want %q; task %+v", v.State, want, v.Task)
		}
	}
	if v := b.shown(t, lost.RecordID); v.Refusal != check.RefusalDamaged {
		t.Errorf("refusal %q", v.Refusal)
	}
}

// A backend that took a record, was restored and then refuses it: a task, not a wait.
func TestARefusalAfterAnAcceptanceIsATask(t *testing.T) {
	b := newBench(t)
	c := b.record(t)
	for _, status := range []wire.Status{wire.Accepted, wire.Conflict} {
		if err := b.Settled(t.Context(), wire.Receipt{Results: []wire.Result{{ID: c.RecordID, Status: status}}}); err != nil {
			t.Fatal(err)
		}
	}
	if v := b.shown(t, c.RecordID); v.State != eligibility.Refused || !v.Task.Open() {
		t.Errorf("state %q, task %+v", v.State, v.Task)
	}
}

func TestAnAnswerThatIsLateIsSaidToBeLate(t *testing.T) {
	up, down := uplink.Line{Up: true, Since: time.Unix(1, 0)}, uplink.Line{Since: time.Unix(1, 0)}
	for _, c := range []struct {
		line   uplink.Line
		sent   bool
		waited time.Duration
		want   check.Display
	}{
		{up, false, 0, check.DisplayChecking}, {up, true, 9 * time.Second, check.DisplayChecking},
		{up, false, 10 * time.Second, check.DisplayLate}, {up, true, 10 * time.Second, check.DisplayLate},
		{down, false, 0, check.DisplayOffline}, {down, true, 9 * time.Second, check.DisplayChecking},
		{down, true, time.Hour, check.DisplayLate}, {down, false, time.Hour, check.DisplayOffline},
		{up, false, -time.Hour, check.DisplayLate}, // the clock was set back
	} {
		b := newBench(t)
		b.line = up
		r := b.record(t)
		if c.sent {
			if err := b.Settled(t.Context(), wire.Receipt{Results: []wire.Result{{ID: r.RecordID, Status: wire.Accepted}}}); err != nil {
				t.Fatal(err)
			}
		}
		b.line, b.now = c.line, b.now.Add(c.waited)
		v := b.shown(t, r.RecordID)
		if v.Display != c.want || v.Waiting != max(c.waited, 0) || v.Cause != eligibility.CauseNone {
			t.Errorf("up %v, sent %v, after %s: %q, waiting %s, cause %q", c.line.Up, c.sent, c.waited, v.Display, v.Waiting, v.Cause)
		}
	}
}

func TestCauses(t *testing.T) {
	since := time.Unix(1, 0)
	for _, c := range []struct {
		line uplink.Line
		want eligibility.Cause
	}{
		{uplink.Line{}, eligibility.CauseOursBefore},
		{uplink.Line{Since: since, Reason: fault.Unavailable}, eligibility.CauseLineBefore},
		{uplink.Line{Up: true, Since: since}, eligibility.CauseNone},
	} {
		b := newBench(t)
		b.line = c.line
		if got := b.record(t).Cause; got != c.want {
			t.Errorf("%+v: %q, want %q", c.line, got, c.want)
		}
	}
}

func TestAClockThatIsWrong(t *testing.T) {
	b := newBench(t)
	right := b.now
	b.now = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, _, err := b.Record(t.Context(), entry()); fault.PlaceOf(err) != check.PlaceClock || b.queue.Stats().Pending != 0 {
		t.Errorf("a clock without a battery: %v", err)
	}
	b.now = right.AddDate(0, 0, 3)
	c := b.record(t)
	b.answer(t, c, func(*eligibility.Answer) {})
	b.now = right
	rows, _, err := b.Today(t.Context())
	if err != nil || len(rows) != 1 {
		t.Errorf("a case of a day to come is not on the list: %d rows, %v", len(rows), err)
	}
	b.now = right.AddDate(0, 0, 4)
	if rows, _, _ := b.Today(t.Context()); len(rows) != 0 {
		t.Errorf("%d rows of yesterday", len(rows))
	}
}

func TestARefusedCaseLeavesTheListOnceLookedAt(t *testing.T) {
	b := newBench(t)
	c := b.record(t)
	if err := b.Settled(t.Context(), wire.Receipt{Results: []wire.Result{{ID: c.RecordID, Status: wire.Rejected}}}); err != nil {
		t.Fatal(err)
	}
	b.now = b.now.AddDate(0, 0, 2)
	if rows, _, _ := b.Today(t.Context()); len(rows) != 1 {
		t.Errorf("%d rows while nobody looked", len(rows))
	}
	if err := b.CloseTask(t.Context(), c.RecordID, "受付１"); err != nil {
		t.Fatal(err)
	}
	if rows, _, _ := b.Today(t.Context()); len(rows) != 0 {
		t.Errorf("%d rows after the task was closed", len(rows))
	}
	if c.VisitDay != civil.In(b.now).AddDays(-2) {
		t.Error("the visit day moved")
	}
}

// What is no certificate at all is counted too, in a form that the backend takes.
func TestWhatIsNoCertificateIsCounted(t *testing.T) {
	b := newBench(t)
	if err := b.RecordVerification(t.Context(), "", "unsupported"); err != nil {
		t.Fatal(err)
	}
	got, err := wire.DecodeCertificateVerification(b.records(t)[0].Body)
	if err != nil || got.Format != check.FormatUnknown || got.Outcome != "unsupported" {
		t.Errorf("%+v, %v", got, err)
	}
}
