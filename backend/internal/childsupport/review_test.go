package childsupport_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/childsupport"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/notice"
)

var twins = []family{{"A", "2022-08-10"}, {"B", "2022-08-11"}}

func TestFromFlagToOutcome(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, twins...)
		cases := b.flagged(t, "A")
		if len(cases) != 1 || cases[0].State != childsupport.Flagged || cases[0].Child.ID != "" || len(cases[0].Reasons) != 0 || cases[0].Due.IsZero() {
			t.Fatalf("the queue: %d cases, %+v", len(cases), cases)
		}
		id := cases[0].ID
		c, err := b.Case(t.Context(), ann, why, id)
		must(t, err)
		if c.Child.Ref.Resident != "Ac" || c.Guardian.Ref.Resident != "Ah" || !c.Holds || len(c.Reasons) != 4 {
			t.Fatalf("the case: child %q, guardian %q, holds %v, reasons %+v", c.Child.Ref.Resident, c.Guardian.Ref.Resident, c.Holds, c.Reasons)
		}
		b.offered(t, id)
		family := b.Citizen(t, minato, "Ah")
		offers, version, err := b.Offers(t.Context(), family, audit.Self)
		if err != nil || len(offers) != 1 || offers[0].Support.ID != "home_visit" || !offers[0].Open || offers[0].Answer != "" || version == "" {
			t.Fatalf("offers %+v, version %q, error %v", offers, version, err)
		}
		n, err := b.mail.Get(t.Context(), family, audit.Self, offers[0].Notice)
		if err != nil || n.Subject != (notice.Subject{Kind: notice.Offer, ID: offers[0].ID}) || n.Kind != notice.Information {
			t.Errorf("the notice: %+v, %v", n.Subject, err)
		}
		o, err := b.Answer(t.Context(), family, audit.Self, offers[0].ID, childsupport.Yes)
		if err != nil || o.Answer != childsupport.Yes || b.state(t, id) != childsupport.Accepted {
			t.Errorf("answered %q, %v", o.Answer, err)
		}
		must(t, b.Close(t.Context(), ann, why, id, childsupport.Started, "訪問を始めた。"))
		if len(b.open(t)) != 0 {
			t.Error("a closed case is in the queue")
		}
		if c, err = b.Case(t.Context(), bob, why, id); err != nil || c.Outcome != childsupport.Started || c.State != childsupport.Closed {
			t.Errorf("closed: %s, %v", c.Outcome, err)
		}
		var steps []string
		for _, a := range c.History {
			steps = append(steps, string(a.What)+" by "+a.By)
		}
		want := "flagged by worker.child_support, assessed by stf_ann, offered by stf_bob, accepted by family, closed by stf_ann"
		if got := strings.Join(steps, ", "); got != want {
			t.Errorf("history: %s", got)
		}
	})
}

func TestNothingReachesAFamilyWithoutTwoPeople(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, twins...)
		id := b.flagged(t, "A")[0].ID
		wants(t, b.Approve(t.Context(), bob, why, id, "案内してよい。"), fault.Conflict, "state")
		for _, who := range []actor.Staff{bob, clerk, auditor, pat} {
			wants(t, b.Assess(t.Context(), who, why, id, propose), fault.Forbidden, "role")
		}
		for reason, code := range map[string]fault.Code{
			"": fault.InvalidArgument, "  短  ": fault.InvalidArgument, strings.Repeat("長", childsupport.MaxReason+1): fault.TooLarge,
			"番号は123456789018です": fault.MyNumberRefused, "ab\x00cd": fault.InvalidArgument, "ab\xffcd": fault.InvalidArgument,
		} {
			wants(t, b.Assess(t.Context(), ann, why, id, childsupport.Assessment{Contact: true, Support: "home_visit", Reason: reason}), code, "reason")
		}
		for _, support := range []string{"", "no_such", "grant_application"} {
			wants(t, b.Assess(t.Context(), ann, why, id, childsupport.Assessment{Contact: true, Support: support, Reason: "理由がある。"}), fault.InvalidArgument, "support")
		}
		must(t, b.Assess(t.Context(), both, why, id, propose))
		wants(t, b.Assess(t.Context(), ann, why, id, propose), fault.Conflict, "state")
		wants(t, b.Approve(t.Context(), both, why, id, "自分で通す。"), fault.Forbidden, "own_work")
		wants(t, b.Return(t.Context(), both, why, id, "自分で返す。"), fault.Forbidden, "own_work")
		wants(t, b.Approve(t.Context(), ann, why, id, "案内してよい。"), fault.Forbidden, "role")
		wants(t, b.Approve(t.Context(), bob, why, id, "短い"), fault.InvalidArgument, "reason")
		if b.sent(t) != 0 || b.Count(t, `SELECT count(*) FROM river_job`) != 0 {
			t.Fatal("something was sent before the approval")
		}
		must(t, b.Approve(t.Context(), bob, why, id, "案内してよい。"))
		wants(t, b.Approve(t.Context(), bob, why, id, "案内してよい。"), fault.Conflict, "state")
		if b.sent(t) != 1 {
			t.Errorf("%d notices, want one", b.sent(t))
		}
	})
}

// Nobody acts in two roles in one case, whatever the order in which they try.
func TestTwoRolesOfOnePersonInOneCase(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, twins...)
		id := b.flagged(t, "A")[0].ID
		must(t, b.Assess(t.Context(), ann, why, id, propose))
		must(t, b.Return(t.Context(), both, why, id, "理由が足りない。"))
		if got := b.state(t, id); got != childsupport.Returned {
			t.Fatalf("state %s", got)
		}
		wants(t, b.Assess(t.Context(), both, why, id, propose), fault.Forbidden, "own_work")
		must(t, b.Assess(t.Context(), eve, why, id, propose))
		annToo := staff(ann.ID, minato, actor.ChildOfficer, actor.ChildApprover)
		wants(t, b.Approve(t.Context(), annToo, why, id, "前に評価した。"), fault.Forbidden, "own_work")
		must(t, b.Approve(t.Context(), both, why, id, "今度はよい。"))
		if b.sent(t) != 1 {
			t.Errorf("%d notices", b.sent(t))
		}
	})
}

func TestNoActionClosesACase(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, twins...)
		cases := b.flagged(t, "A", "B")
		must(t, b.Assess(t.Context(), ann, why, cases[0].ID, childsupport.Assessment{Reason: "転園の手続き中だった。"}))
		must(t, b.Assess(t.Context(), ann, why, cases[1].ID, childsupport.Assessment{Wrong: true, Reason: "記録が古かった。"}))
		for n, want := range []childsupport.Outcome{childsupport.NoAction, childsupport.NotAsSaid} {
			if c, err := b.Case(t.Context(), ann, why, cases[n].ID); err != nil || c.Outcome != want || c.State != childsupport.Closed {
				t.Errorf("closed with %s, %v", c.Outcome, err)
			}
		}
		wants(t, b.Close(t.Context(), ann, why, cases[0].ID, childsupport.Started, ""), fault.Conflict, "state")
		b.Advance(day)
		b.indicate(t)
		if len(b.open(t)) != 0 {
			t.Error("a case that was closed lately was flagged again")
		}
		b.Advance(childsupport.QuietDays * day)
		b.indicate(t)
		if got := len(b.open(t)); got != 2 {
			t.Errorf("%d flags after the quiet time, want 2", got)
		}
		e, err := b.Evaluate(t.Context(), auditor, why)
		if err != nil || e[0].Flagged != 4 || e[0].Reviewed != 2 || e[0].Contacted != 0 || e[0].Wrong != 1 || e[1].Flagged != 0 {
			t.Errorf("evaluation %+v, %v", e, err)
		}
	})
}

func TestCloseChecksWhatWasTyped(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, twins...)
		id := b.flagged(t, "A")[0].ID
		wants(t, b.Close(t.Context(), ann, why, id, childsupport.Started, ""), fault.Conflict, "state")
		b.offered(t, id)
		wants(t, b.Close(t.Context(), ann, why, id, "", ""), fault.InvalidArgument, "outcome")
		wants(t, b.Close(t.Context(), ann, why, id, childsupport.NoAction, ""), fault.InvalidArgument, "outcome")
		wants(t, b.Close(t.Context(), ann, why, id, childsupport.Started, "123456789018"), fault.MyNumberRefused, "note")
		wants(t, b.Close(t.Context(), bob, why, id, childsupport.Started, ""), fault.Forbidden, "role")
		must(t, b.Close(t.Context(), ann, why, id, childsupport.NotReached, ""))
	})
}

// Roles and municipalities, for every function of staff.
func TestWhoMayDoWhat(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, twins...)
		id := b.flagged(t, "A")[0].ID
		ctx := t.Context()
		calls := map[string]struct {
			call func(who actor.Staff, purpose audit.Purpose) error
			may  []actor.Staff
		}{
			"cases": {func(who actor.Staff, p audit.Purpose) error { _, err := b.Cases(ctx, who, p, 0); return err }, []actor.Staff{ann, bob, both, elsewhere}},
			"case":  {func(who actor.Staff, p audit.Purpose) error { _, err := b.Case(ctx, who, p, id); return err }, []actor.Staff{ann, bob, both}},
			"assess": {func(who actor.Staff, p audit.Purpose) error {
				return b.Assess(ctx, who, p, id, childsupport.Assessment{Reason: "a"})
			}, nil},
			"approve":  {func(who actor.Staff, p audit.Purpose) error { return b.Approve(ctx, who, p, id, "a") }, nil},
			"return":   {func(who actor.Staff, p audit.Purpose) error { return b.Return(ctx, who, p, id, "a") }, nil},
			"close":    {func(who actor.Staff, p audit.Purpose) error { return b.Close(ctx, who, p, id, "a", "") }, nil},
			"erasures": {func(who actor.Staff, p audit.Purpose) error { _, err := b.Erasures(ctx, who, p); return err }, []actor.Staff{auditor, bob, both, elsewhere}},
			"evaluate": {func(who actor.Staff, p audit.Purpose) error { _, err := b.Evaluate(ctx, who, p); return err }, []actor.Staff{auditor, ann, bob, both, elsewhere}},
		}
		for name, c := range calls {
			for _, who := range []actor.Staff{ann, bob, both, auditor, clerk, pat, elsewhere, staff("stf_x", "", actor.ChildOfficer, actor.ChildApprover)} {
				err := c.call(who, why)
				allowed := false
				for _, m := range c.may {
					allowed = allowed || m.ID == who.ID
				}
				if allowed != (err == nil) {
					t.Errorf("%s by %s: %v", name, who.ID, err)
				}
			}
		}
		if _, err := b.Case(ctx, elsewhere, why, id); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("another municipality's case: %v", err)
		}
		for _, act := range []error{b.Assess(ctx, elsewhere, why, id, propose), b.Approve(ctx, elsewhere, why, id, "案内してよい。"),
			b.Close(ctx, elsewhere, why, id, childsupport.Started, "")} {
			wants(t, act, fault.NotFound, "")
		}
		if got := b.state(t, id); got != childsupport.Flagged {
			t.Errorf("the state is %s", got)
		}
		for _, p := range []audit.Purpose{audit.BenefitDecision, audit.Self, audit.AuditReview, "", "no_such"} {
			_, err := b.Case(ctx, ann, p, id)
			wants(t, err, fault.Forbidden, "purpose")
			wants(t, b.Indicate(ctx, system, p), fault.Forbidden, "purpose")
			wants(t, b.Expire(ctx, system, p), fault.Forbidden, "purpose")
		}
	})
}

// A second officer who acts on what another moved on is told so, and nothing is done twice.
func TestTwoAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, twins...)
		id := b.flagged(t, "A")[0].ID
		must(t, b.Assess(t.Context(), ann, why, id, propose))
		done := make(chan error)
		for _, who := range []actor.Staff{bob, staff("stf_bea", minato, actor.ChildApprover)} {
			go func() { done <- b.Approve(context.WithoutCancel(t.Context()), who, why, id, "案内してよい。") }()
		}
		a, c := <-done, <-done
		if (a == nil) == (c == nil) || fault.CodeOf(errors.Join(a, c)) != fault.Conflict {
			t.Errorf("answers %v and %v, want one Conflict", a, c)
		}
		if b.sent(t) != 1 {
			t.Errorf("%d notices", b.sent(t))
		}
	})
}
