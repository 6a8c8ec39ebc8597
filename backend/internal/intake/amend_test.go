package intake_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/intake"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

func byTerminal(c *wire.EligibilityCheck) { c.Route, c.Payer, c.Sealed = wire.RouteTerminal, "", nil }

func (b *bench) outcome(t testing.TB, seq uint64, of string, change ...func(*wire.EligibilityOutcome)) wire.Record {
	o := wire.EligibilityOutcome{
		Of: of, VisitDay: civil.In(storetest.Now()), Validity: string(eligibility.NewerCoverage),
		Cause: string(eligibility.CauseLineBefore), WaitedMS: 3_600_000, Differing: true,
	}
	for _, f := range change {
		f(&o)
	}
	return b.record(t, seq, wire.KindEligibilityOutcome, o)
}

func (b *bench) amendment(t testing.TB, seq uint64, of, by string, change ...func(*wire.EligibilityAmendment)) wire.Record {
	a := wire.EligibilityAmendment{Of: of, By: by, Reason: string(eligibility.Typo), Operator: "op_1"}
	for _, f := range change {
		f(&a)
	}
	return b.record(t, seq, wire.KindEligibilityAmendment, a)
}

// marks gives a record's state, who took it back, what stands in its place, and what it is about.
func (b *bench) marks(t *testing.T, id string) [4]string {
	t.Helper()
	var m [4]string
	err := b.db.Reads().Each(t.Context(), `SELECT state, voided_by, amended_by, about FROM intake_record WHERE terminal_id = $1 AND record_id = $2`,
		[]any{clinic.ID, id}, func(scan func(...any) error) error { return scan(&m[0], &m[1], &m[2], &m[3]) })
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (b *bench) strays(t *testing.T) int {
	return b.count(t, `SELECT count(*) FROM intake_event WHERE kind = 'stray'`)
}

func TestACheckOfTheClinicsOwnTerminalWantsNoAnswer(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		asked := b.check(t, 1, byTerminal)
		word := b.outcome(t, 2, asked.ID)
		if got := statuses(b.receive(t, clinic, asked, word)); got != "accepted accepted" {
			t.Fatal(got)
		}
		if b.jobs(t) != 0 {
			t.Error("a payer is asked")
		}
		if got := b.marks(t, asked.ID); got != [4]string{"kept", "", "", ""} {
			t.Errorf("check: %q", got)
		}
		if got := b.marks(t, word.ID); got != [4]string{"kept", "", "", asked.ID} {
			t.Errorf("outcome: %q", got)
		}
	})
}

func TestAnAmendmentWithdrawsWhatIsOpenAndMarksWhatIsAnswered(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		open, answered, kept := b.check(t, 1), b.check(t, 2), b.check(t, 3, byTerminal)
		b.receive(t, clinic, open, answered, kept)
		b.settle(t, b.Intake, clinic, answered.ID)
		in := func(seq uint64, of string) (by, amendment wire.Record) {
			by = b.check(t, seq, func(c *wire.EligibilityCheck) { c.Amends = of })
			return by, b.amendment(t, seq+1, of, by.ID)
		}
		newOpen, first := in(4, open.ID)
		newAnswered, second := in(6, answered.ID)
		third := b.amendment(t, 8, kept.ID, "", func(a *wire.EligibilityAmendment) { a.Reason = string(eligibility.CancelledVisit) })
		if got := statuses(b.receive(t, clinic, newOpen, first, newAnswered, second, third)); strings.Contains(got, "rejected") {
			t.Fatal(got)
		}
		for name, c := range map[string]struct {
			id   string
			want [4]string
		}{
			"open":             {open.ID, [4]string{"withdrawn", first.ID, newOpen.ID, ""}},
			"answered":         {answered.ID, [4]string{"answered", second.ID, newAnswered.ID, ""}},
			"kept":             {kept.ID, [4]string{"kept", third.ID, "", ""}},
			"in its place":     {newOpen.ID, [4]string{"open", "", "", open.ID}},
			"in place of that": {newAnswered.ID, [4]string{"open", "", "", answered.ID}},
			"the amendment":    {first.ID, [4]string{"kept", "", "", open.ID}},
			"the cancellation": {third.ID, [4]string{"kept", "", "", kept.ID}},
		} {
			if got := b.marks(t, c.id); got != c.want {
				t.Errorf("%s: %q, want %q", name, got, c.want)
			}
		}
		if b.strays(t) != 0 {
			t.Error("an honest amendment is a security event")
		}
		// The answer to the withdrawn one comes too late; that of its successor counts.
		b.settle(t, b.Intake, clinic, open.ID, newOpen.ID)
		var got []string
		for _, a := range b.answers(t, clinic, 0, 0).Answers {
			got = append(got, a.RecordID)
		}
		if len(got) != 2 || got[0] != answered.ID || got[1] != newOpen.ID {
			t.Errorf("answers for %v", got)
		}
		if left, err := b.OpenChecks(t.Context(), system, audit.EligibilityAnswer, b.batchOf(t, open.ID)); err != nil || len(left) != 0 {
			t.Errorf("%d checks of the first batch are still asked: %v", len(left), err)
		}
	})
}

func (b *bench) batchOf(t *testing.T, id string) string {
	t.Helper()
	var s string
	if err := b.db.Reads().Each(t.Context(), `SELECT batch_id FROM intake_record WHERE record_id = $1`, []any{id},
		func(scan func(...any) error) error { return scan(&s) }); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestACheckAndItsAmendmentInOneBatchAskNobody(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		c := b.check(t, 1)
		a := b.amendment(t, 2, c.ID, "", func(a *wire.EligibilityAmendment) { a.Reason = string(eligibility.Undone) })
		for _, want := range []string{"accepted accepted", "duplicate duplicate"} {
			if got := statuses(b.receive(t, clinic, c, a)); got != want {
				t.Errorf("%s, want %s", got, want)
			}
			if got := b.marks(t, c.ID); got != [4]string{"withdrawn", a.ID, "", ""} {
				t.Errorf("%q", got)
			}
		}
		if b.strays(t) != 0 {
			t.Error("sent again, it is a security event")
		}
	})
}

func TestAStrayAmendmentIsKeptAndIsASecurityEvent(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		mine, seen := b.check(t, 1), b.verification(t, 2)
		b.receive(t, clinic, mine, seen)
		other := actor.Terminal{ID: "trm_other", Office: "ofc_3", Municipality: "990019", Class: "clinic"}
		theirs := b.check(t, 1)
		b.receive(t, other, theirs)
		b.receive(t, clinic, b.amendment(t, 3, mine.ID, ""))
		unknown, err := b.ids.UUID()
		if err != nil {
			t.Fatal(err)
		}
		for i, of := range []string{unknown.String(), theirs.ID, seen.ID, mine.ID} {
			a := b.amendment(t, uint64(i)+4, of, "")
			if got := statuses(b.receive(t, clinic, a)); got != "accepted" {
				t.Errorf("case %d: %s", i, got)
			}
			if got := b.marks(t, a.ID); got[0] != "kept" {
				t.Errorf("case %d: %q", i, got)
			}
			if b.strays(t) != i+1 {
				t.Errorf("case %d: %d security events", i, b.strays(t))
			}
		}
		if n := b.count(t, `SELECT count(*) FROM intake_record WHERE terminal_id = 'trm_other' AND state = 'open' AND voided_by = ''`); n != 1 {
			t.Error("another terminal's check was touched")
		}
		if !strings.Contains(b.log.String(), `"kind":"stray"`) {
			t.Error("no alarm in the log")
		}
	})
}

// TestAnAnswerAndAnAmendmentAtOnce lets a payer's answer and the amendment race: the check
// is answered and marked, or withdrawn and never answered.
func TestAnAnswerAndAnAmendmentAtOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		const pairs = 24
		checks, amendments := make([]wire.Record, pairs), make([]wire.Record, pairs)
		for i := range checks {
			checks[i] = b.check(t, uint64(i)+1)
			amendments[i] = b.amendment(t, uint64(i)+pairs+1, checks[i].ID, "")
		}
		b.receive(t, clinic, checks...)
		var all sync.WaitGroup
		for i := range checks {
			all.Go(func() { b.settle(t, b.Intake, clinic, checks[i].ID) })
			if i%4 == 0 {
				all.Go(func() { b.receive(t, clinic, amendments[i:i+4]...) })
			}
		}
		all.Wait()
		told := map[string]bool{}
		for _, a := range b.answers(t, clinic, 0, 0).Answers {
			told[a.RecordID] = true
		}
		for i, c := range checks {
			m := b.marks(t, c.ID)
			if m[1] != amendments[i].ID {
				t.Errorf("check %d is not marked", i)
			}
			if (m[0] == "answered") != told[c.ID] || m[0] != "answered" && m[0] != "withdrawn" {
				t.Errorf("check %d is %s and has an answer: %v", i, m[0], told[c.ID])
			}
		}
	})
}

func TestTheNewKindsAreHeldToTheVocabulary(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		c := b.check(t, 1)
		b.receive(t, clinic, c)
		const number = "33120015"
		out := func(f func(*wire.EligibilityOutcome)) wire.Record { return b.outcome(t, 1, c.ID, f) }
		am := func(f func(*wire.EligibilityAmendment)) wire.Record { return b.amendment(t, 1, c.ID, "", f) }
		for name, bad := range map[string]struct {
			who  actor.Terminal
			r    wire.Record
			want string
		}{
			"counter tells an outcome":  {actor.Terminal{ID: "trm_counter", Class: "counter"}, b.outcome(t, 1, c.ID), "forbidden"},
			"shelter tells an outcome":  {shelter, b.outcome(t, 1, c.ID), "forbidden"},
			"shelter amends":            {shelter, b.amendment(t, 1, c.ID, ""), "forbidden"},
			"shelter asks its terminal": {shelter, b.check(t, 1, byTerminal), "forbidden"},
			"number as word":            {clinic, out(func(o *wire.EligibilityOutcome) { o.Validity = number }), "invalid_argument"},
			"number as cause":           {clinic, out(func(o *wire.EligibilityOutcome) { o.Cause = number }), "invalid_argument"},
			"outcome of nothing":        {clinic, out(func(o *wire.EligibilityOutcome) { o.Of = "" }), "invalid_argument"},
			"number as reason":          {clinic, am(func(a *wire.EligibilityAmendment) { a.Reason = number }), "invalid_argument"},
			"number as operator":        {clinic, am(func(a *wire.EligibilityAmendment) { a.Operator = number }), "invalid_argument"},
			"unknown reason":            {clinic, am(func(a *wire.EligibilityAmendment) { a.Reason = "why_not" }), "invalid_argument"},
			"number at the terminal":    {clinic, b.check(t, 1, byTerminal, func(c *wire.EligibilityCheck) { c.Operator = number }), "invalid_argument"},
			"sealed at the terminal":    {clinic, b.check(t, 1, func(c *wire.EligibilityCheck) { c.Route, c.Payer = wire.RouteTerminal, "" }), "invalid_argument"},
			"another route":             {clinic, b.check(t, 1, func(c *wire.EligibilityCheck) { c.Route = "fax" }), "invalid_argument"},
		} {
			bad.r.Epoch = "q-" + strings.ReplaceAll(name, " ", "-")
			got := b.receive(t, bad.who, bad.r)
			if got[0].Status != wire.Rejected || got[0].Code != bad.want {
				t.Errorf("%s: %s", name, statuses(got))
			}
		}
		self := b.amendment(t, 9, c.ID, "")
		self.Body = []byte(`{"of":"` + self.ID + `","reason":"typo","operator":""}`)
		if got := statuses(b.receive(t, clinic, self)); got != "rejected:invalid_argument" {
			t.Errorf("an amendment of itself: %s", got)
		}
		if got := b.marks(t, c.ID); got[0] != "open" || got[1] != "" {
			t.Errorf("a refused amendment took effect: %q", got)
		}
		if strings.Contains(b.log.String(), number) {
			t.Error("a number reached the log")
		}
	})
}

// A withdrawn check is passed over by what a payer's job writes with its answers, too.
func TestALateAnswerWritesNoAccessEntry(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		c := b.check(t, 1)
		b.receive(t, clinic, c)
		b.receive(t, clinic, b.amendment(t, 2, c.ID, ""))
		err := b.Settle(t.Context(), system, audit.EligibilityAnswer, clinic.ID, []intake.Settlement{{RecordID: c.ID, Sealed: []byte("x")}},
			func(_ context.Context, _ tx.Tx, closed map[string]bool) error {
				if closed[c.ID] {
					t.Error("the withdrawn check was closed")
				}
				return nil
			})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestTheConsoleCountsChecks(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		first, second, gone := b.check(t, 1), b.check(t, 2), b.check(t, 3)
		b.receive(t, clinic, first, second, gone, b.check(t, 4, byTerminal))
		b.settle(t, b.Intake, clinic, second.ID)
		b.receive(t, clinic, b.amendment(t, 5, gone.ID, ""), b.amendment(t, 6, second.ID, ""))
		manager := actor.Staff{Municipality: "990019", Roles: []actor.Role{actor.TerminalManager}}
		ids := []string{clinic.ID, shelter.ID}
		got, err := b.Counts(t.Context(), manager, audit.TerminalOperation, ids)
		if want := (intake.Checks{Open: 1, Voided: 2}); err != nil || got[clinic.ID] != want || len(got) != 1 {
			t.Errorf("counted %+v, %v", got, err)
		}
		later := b.Deps
		later.Now = func() time.Time { return storetest.Now().Add(intake.VoidedWithin + time.Second) }
		got, err = intake.New(later).Counts(t.Context(), manager, audit.TerminalOperation, ids)
		if want := (intake.Checks{Open: 1, Late: 1}); err != nil || got[clinic.ID] != want {
			t.Errorf("a month later %+v, %v", got, err)
		}
		if _, err := b.Counts(t.Context(), actor.Staff{Municipality: "990019"}, audit.TerminalOperation, ids); fault.CodeOf(err) != fault.Forbidden {
			t.Errorf("another officer: %v", err)
		}
	})
}
