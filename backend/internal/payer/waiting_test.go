package payer_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/payer"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/wire"
)

// slow is a payer that is out, or has no word yet, until it is told otherwise.
type slow struct {
	mu    sync.Mutex
	id    string
	out   bool
	ready bool
	again time.Duration
	asked []string
}

func (s *slow) ID() string { return s.id }

func (s *slow) set(change func(*slow)) { s.mu.Lock(); defer s.mu.Unlock(); change(s) }

func (s *slow) Answer(_ context.Context, _ actor.System, _ audit.Purpose, checks []payer.Check) ([]payer.Finding, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []payer.Finding
	for _, c := range checks {
		s.asked = append(s.asked, c.RecordID)
		f := payer.Finding{Waiting: !s.ready, Again: s.again}
		if s.ready {
			f.Answer = eligibility.Answer{RecordID: c.RecordID, VisitDay: c.VisitDay, Validity: eligibility.Valid}
		}
		out = append(out, f)
	}
	if s.out {
		return nil, errors.New("cannot reach the payer")
	}
	return out, nil
}

// at gives a desk with these payers whose clock is later by d.
func (b *bench) at(d time.Duration, p ...payer.Payer) *payer.Desk {
	x := b.desk(p...)
	x.Now = func() time.Time { return storetest.Now().Add(d) }
	return x
}

func (b *bench) askedOf(t *testing.T, p string) wire.Record {
	t.Helper()
	q := b.question(t, func(*eligibility.Inquiry) {})
	c := b.check(q.VisitDay, sealTo(t, b.registry.Key.Recipient(), []byte("x")))
	c.Payer = p
	return b.recordOf(t, q.RecordID, c)
}

func TestAPayerWithoutAWordIsAskedAgainAtGrowingDistances(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		p := &slow{id: "slow"}
		r := b.askedOf(t, "slow")
		batch := b.send(t, r)
		ask := func(after time.Duration) int {
			t.Helper()
			p.set(func(s *slow) { s.asked = nil })
			if err := b.at(after, p).Sweep(t.Context(), system, audit.EligibilityAnswer); err != nil {
				t.Fatal(err)
			}
			return len(p.asked)
		}
		if err := b.at(0, p).AnswerBatch(t.Context(), system, audit.EligibilityAnswer, batch); err != nil {
			t.Fatalf("no word yet is a fault: %v", err)
		}
		if err := b.at(0, p).AnswerBatch(t.Context(), system, audit.EligibilityAnswer, batch); err != nil || len(p.asked) != 1 {
			t.Errorf("the job again asks at once: %d, %v", len(p.asked), err)
		}
		for _, c := range []struct {
			after time.Duration
			want  int
		}{
			{59 * time.Second, 0}, {61 * time.Second, 1}, // after 1 minute
			{180 * time.Second, 0}, {182 * time.Second, 1}, // 2 minutes later
			{400 * time.Second, 0}, {430 * time.Second, 1}, // 4 minutes later
		} {
			if got := ask(c.after); got != c.want {
				t.Errorf("after %v: asked %d times, want %d", c.after, got, c.want)
			}
		}
		if b.state(t, r.ID) != "open" || len(b.answers(t)) != 0 {
			t.Fatal("no word became an answer")
		}
		p.set(func(s *slow) { s.again = 20 * time.Minute })
		ask(time.Hour)
		if ask(time.Hour+19*time.Minute) != 0 || ask(time.Hour+21*time.Minute) != 1 {
			t.Error("the payer's own time is not kept")
		}
		p.set(func(s *slow) { s.ready = true })
		if ask(5*time.Hour) != 1 || b.state(t, r.ID) != "answered" || b.open(t, b.answers(t)[r.ID]).Validity != eligibility.Valid {
			t.Error("the word did not come through")
		}
	})
}

func TestADeadPayerDoesNotStandBeforeTheOthers(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		dead := &slow{id: "dead", out: true}
		for range 3 {
			b.send(t, b.askedOf(t, "dead"))
		}
		q := b.question(t, func(*eligibility.Inquiry) {})
		b.send(t, b.sealed(t, q))
		if err := b.at(time.Hour, dead, b.registry).Sweep(t.Context(), system, audit.EligibilityAnswer); err == nil {
			t.Error("nobody is told that the payer is out")
		}
		if b.state(t, q.RecordID) != "answered" {
			t.Error("the other payer's check waits")
		}
		if len(dead.asked) != 1 {
			t.Errorf("the dead payer was asked %d times in one sweep", len(dead.asked))
		}
		dead.set(func(s *slow) { s.asked = nil })
		if err := b.at(time.Hour+30*time.Second, dead, b.registry).Sweep(t.Context(), system, audit.EligibilityAnswer); err != nil || len(dead.asked) != 0 {
			t.Errorf("it is asked again at once: %d, %v", len(dead.asked), err)
		}
		dead.set(func(s *slow) { s.out, s.ready = false, true })
		if err := b.at(2*time.Hour, dead, b.registry).Sweep(t.Context(), system, audit.EligibilityAnswer); err != nil || len(dead.asked) != 3 {
			t.Errorf("when it is back, %d checks are asked: %v", len(dead.asked), err)
		}
	})
}

func TestACheckThatWasTakenBackIsNotAsked(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		p := &slow{id: "slow", ready: true}
		r, stays := b.askedOf(t, "slow"), b.askedOf(t, "slow")
		batch := b.send(t, r, stays)
		id, err := b.ids.UUID()
		if err != nil {
			t.Fatal(err)
		}
		b.send(t, wire.Record{ID: id.String(), Epoch: "q1", Kind: wire.KindEligibilityAmendment, At: storetest.Now(),
			Body: []byte(`{"of":"` + r.ID + `","reason":"wrong_patient","operator":"op_1"}`)})
		if err := b.at(0, p).AnswerBatch(t.Context(), system, audit.EligibilityAnswer, batch); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(p.asked, []string{stays.ID}) || b.state(t, r.ID) != "withdrawn" {
			t.Errorf("asked %v, state %s", p.asked, b.state(t, r.ID))
		}
	})
}
