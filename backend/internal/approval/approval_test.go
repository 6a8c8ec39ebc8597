package approval_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/approval"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/authn"
	"madoguchi.example/backend/internal/store"
	approvalrows "madoguchi.example/backend/internal/store/approval"
	authnrows "madoguchi.example/backend/internal/store/authn"
	"madoguchi.example/backend/internal/store/folk"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

const reason = "内容を確かめました"

func officer(n int, m identity.MunicipalityCode, roles ...actor.Role) actor.Staff {
	return actor.Staff{ID: fmt.Sprintf("stf_%d", n), Name: fmt.Sprintf("職員%d", n), Municipality: m, Roles: roles}
}

var (
	asker   = officer(1, "990019", actor.Clerk, actor.Approver)
	helper  = officer(2, "990019", actor.Clerk, actor.Approver)
	second  = officer(3, "990019", actor.Approver)
	third   = officer(4, "990019", actor.Approver)
	clerk   = officer(5, "990019", actor.Clerk)
	foreign = officer(6, "990027", actor.Approver)
	auditor = officer(7, "990019", actor.Auditor, actor.ChildApprover)
)

type bench struct {
	*folk.Town
	*approval.Desk
}

func open(t testing.TB, db *store.DB) *bench {
	t.Helper()
	w := folk.Settle(t, db)
	b := &bench{w, approval.New(approval.Deps{Runner: db.Runner(), Rows: approvalrows.New(db.Reads()), Record: w.Log, IDs: w.IDs, Now: w.Now})}
	logins := authnrows.New(db.Reads())
	for _, s := range []actor.Staff{asker, helper, second, third, clerk, foreign, auditor} {
		b.do(t, func(ctx context.Context, tt tx.Tx) error {
			_, err := logins.UpsertStaff(ctx, tt, authn.StaffMember{ID: s.ID, Subject: s.ID, Name: s.Name, Municipality: s.Municipality, Roles: s.Roles})
			return err
		})
	}
	return b
}

func (b *bench) do(t testing.TB, f func(ctx context.Context, tt tx.Tx) error) {
	t.Helper()
	if err := b.DB.Runner().Do(context.Background(), f); err != nil {
		t.Fatal(err)
	}
}

func request(object string) approval.Request {
	return approval.Request{Municipality: "990019", Kind: "benefit_list", Object: object, Role: actor.Approver, Involved: []string{helper.ID}}
}

func (b *bench) ask(who actor.Actor, r approval.Request) (out approval.Request, err error) {
	err = b.DB.Runner().Do(context.Background(), func(ctx context.Context, t tx.Tx) (err error) {
		out, err = b.Ask(ctx, t, who, audit.BenefitDecision, r)
		return err
	})
	return out, err
}

func (b *bench) asked(t testing.TB, object string) approval.Request {
	t.Helper()
	r, err := b.ask(asker, request(object))
	if err != nil {
		t.Fatal(err)
	}
	b.Advance(time.Minute)
	return r
}

func (b *bench) decide(who actor.Staff, id string, v approval.Verdict, why string) error {
	return b.DB.Runner().Do(context.Background(), func(ctx context.Context, t tx.Tx) error {
		_, err := b.Decide(ctx, t, who, audit.BenefitDecision, id, v, why)
		return err
	})
}

func (b *bench) withdraw(who actor.Actor, object string) error {
	return b.DB.Runner().Do(context.Background(), func(ctx context.Context, t tx.Tx) error {
		return b.Withdraw(ctx, t, who, audit.BenefitDecision, "benefit_list", object)
	})
}

func (b *bench) of(t testing.TB, object string) (r approval.Request, d approval.Decision) {
	t.Helper()
	b.do(t, func(ctx context.Context, tt tx.Tx) (err error) {
		var ok bool
		if r, d, ok, err = b.Of(ctx, tt, "benefit_list", object); err == nil && !ok {
			t.Errorf("nothing is known of %s", object)
		}
		return err
	})
	return r, d
}

func TestWhoDecides(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		r := b.asked(t, "lst_1")
		if r.AskedBy != asker.ID || r.AskedAt.IsZero() {
			t.Fatalf("asked by %q", r.AskedBy)
		}
		for name, c := range map[string]struct {
			who   actor.Staff
			code  fault.Code
			place string
		}{
			"who asked":                 {asker, fault.Forbidden, approval.OwnWork},
			"who worked on it":          {helper, fault.Forbidden, approval.OwnWork},
			"without the role":          {clerk, fault.Forbidden, "role"},
			"another approving role":    {auditor, fault.Forbidden, "role"},
			"of another municipality":   {foreign, fault.NotFound, ""},
			"of no municipality at all": {officer(8, "", actor.Approver), fault.NotFound, ""},
		} {
			for _, v := range []approval.Verdict{approval.Approved, approval.Returned} {
				if err := b.decide(c.who, r.ID, v, reason); fault.CodeOf(err) != c.code || fault.PlaceOf(err) != c.place {
					t.Errorf("%s, %s: %v", name, v, err)
				}
			}
		}
		if _, d := b.of(t, "lst_1"); d.Verdict != "" {
			t.Fatalf("decided: %s", d.Verdict)
		}
		if err := b.decide(second, r.ID, approval.Approved, "  "+reason+" "); err != nil {
			t.Fatal(err)
		}
		if _, d := b.of(t, "lst_1"); d.Verdict != approval.Approved || d.By != second.ID || d.Reason != reason || d.Request != r.ID {
			t.Errorf("the decision: %+v", d)
		}
		if n := b.Count(t, `SELECT count(*) FROM audit_entry WHERE action = $1 AND actor_id = $2 AND object = $3`, "approval.approved", second.ID, r.ID); n != 1 {
			t.Errorf("recorded %d times", n)
		}
	})
}

func TestAReasonIsNeeded(t *testing.T) {
	b := open(t, storetest.Open(t, store.SQLite))
	r := b.asked(t, "lst_1")
	for name, c := range map[string]struct {
		why  string
		code fault.Code
	}{
		"none":         {"", fault.InvalidArgument},
		"blanks":       {"        ", fault.InvalidArgument},
		"too short":    {"確認済", fault.InvalidArgument},
		"too long":     {strings.Repeat("長", approval.MaxReason+1), fault.TooLarge},
		"My Number":    {"番号 123456789018 を確認", fault.MyNumberRefused},
		"control":      {"確かめた\x00ました", fault.InvalidArgument},
		"not UTF-8":    {"確かめ\xffました", fault.InvalidArgument},
		"beyond bytes": {strings.Repeat("a", 8*approval.MaxReason), fault.TooLarge},
	} {
		if err := b.decide(second, r.ID, approval.Approved, c.why); fault.CodeOf(err) != c.code || fault.PlaceOf(err) != "reason" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := b.decide(second, r.ID, "perhaps", reason); fault.CodeOf(err) != fault.InvalidArgument {
		t.Errorf("an unknown verdict: %v", err)
	}
	if err := b.decide(second, r.ID, approval.Withdrawn, reason); fault.CodeOf(err) != fault.InvalidArgument {
		t.Errorf("the second person withdraws: %v", err)
	}
	for i, why := range []string{"四文字で", strings.Repeat("長", approval.MaxReason)} {
		r := b.asked(t, fmt.Sprintf("lst_edge_%d", i))
		if err := b.decide(second, r.ID, approval.Approved, why); err != nil {
			t.Errorf("a reason of %d: %v", len([]rune(why)), err)
		}
	}
}

// Eight at once, half of them approving: one decision, the others are told.
func TestDecidedOnceAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		r := b.asked(t, "lst_1")
		answers := make(chan error, 8)
		for i := range cap(answers) {
			go func() {
				who, verdict := second, approval.Approved
				if i%2 == 1 {
					who, verdict = third, approval.Returned
				}
				answers <- b.decide(who, r.ID, verdict, reason)
			}()
		}
		mine := 0
		for range cap(answers) {
			switch err := <-answers; fault.CodeOf(err) {
			case "":
				mine++
			case fault.Conflict:
			default:
				t.Errorf("told %v", err)
			}
		}
		if n := b.Count(t, `SELECT count(*) FROM approval_decision`); mine != 1 || n != 1 {
			t.Errorf("%d were told that they decided, %d decisions", mine, n)
		}
		if n := b.Count(t, `SELECT count(*) FROM audit_entry WHERE action IN ('approval.approved', 'approval.returned')`); n != 1 {
			t.Errorf("%d decisions in the record", n)
		}
	})
}

// A thing has one open request, also when eight ask at once; what was returned or withdrawn
// is asked for again, what was approved is not.
func TestOneOpenRequest(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		answers := make(chan error, 8)
		for range cap(answers) {
			go func() {
				_, err := b.ask(asker, request("lst_1"))
				answers <- err
			}()
		}
		asked := 0
		for range cap(answers) {
			if err := <-answers; err == nil {
				asked++
			} else if fault.CodeOf(err) != fault.Conflict {
				t.Errorf("told %v", err)
			}
		}
		if asked != 1 {
			t.Fatalf("%d asked", asked)
		}
		first, _ := b.of(t, "lst_1")
		if err := b.decide(second, first.ID, approval.Returned, reason); err != nil {
			t.Fatal(err)
		}
		again := b.asked(t, "lst_1")
		if err := b.decide(second, first.ID, approval.Approved, reason); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("the first round was decided again: %v", err)
		}
		for name, who := range map[string]actor.Staff{"a stranger to it": second, "another municipality": officer(1, "990027", actor.Approver)} {
			if err := b.withdraw(who, "lst_1"); fault.CodeOf(err) != fault.Forbidden && fault.CodeOf(err) != fault.NotFound {
				t.Errorf("%s withdrew it: %v", name, err)
			}
		}
		if err := b.withdraw(helper, "lst_1"); err != nil {
			t.Fatal(err)
		}
		if err := b.decide(second, again.ID, approval.Approved, reason); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("approved after it was withdrawn: %v", err)
		}
		last := b.asked(t, "lst_1")
		if err := b.decide(third, last.ID, approval.Approved, reason); err != nil {
			t.Fatal(err)
		}
		if _, err := b.ask(asker, request("lst_1")); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("asked after it was approved: %v", err)
		}
		if err := b.withdraw(asker, "lst_1"); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("withdrawn after it was approved: %v", err)
		}
	})
}

func TestWhoAsks(t *testing.T) {
	b := open(t, storetest.Open(t, store.SQLite))
	elsewhere := request("lst_1")
	elsewhere.Municipality = "990027"
	if _, err := b.ask(asker, elsewhere); fault.CodeOf(err) != fault.Forbidden {
		t.Errorf("asked in another municipality: %v", err)
	}
	pretending := request("lst_1")
	pretending.AskedBy = second.ID
	if r, err := b.ask(asker, pretending); err != nil || r.AskedBy != asker.ID {
		t.Errorf("asked in another's name: %q, %v", r.AskedBy, err)
	}
	job := actor.System{Name: "worker.awards"}
	if _, err := b.ask(job, request("lst_2")); fault.CodeOf(err) != fault.Internal {
		t.Errorf("a job asked for nobody: %v", err)
	}
	named := request("lst_2")
	named.AskedBy = second.ID
	r, err := b.ask(job, named)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.decide(second, r.ID, approval.Approved, reason); fault.PlaceOf(err) != approval.OwnWork {
		t.Errorf("the officer for whom a job asked decided: %v", err)
	}
}

func TestQueue(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		one, done, two := b.asked(t, "lst_1"), b.asked(t, "lst_2"), b.asked(t, "lst_3")
		child := request("cas_1")
		child.Kind, child.Role, child.Involved = "child_contact", actor.ChildApprover, nil
		three, err := b.ask(clerk, child)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.decide(second, done.ID, approval.Returned, reason); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			who  actor.Staff
			want []string
		}{
			"second":            {second, []string{one.ID, two.ID}},
			"first":             {asker, []string{one.ID, two.ID}},
			"other role":        {auditor, []string{three.ID}},
			"no such role":      {clerk, nil},
			"elsewhere":         {foreign, nil},
			"without any roles": {officer(9, "990019"), nil},
		} {
			got, err := b.Waiting(t.Context(), c.who, audit.BenefitDecision)
			var ids []string
			for _, w := range got {
				ids = append(ids, w.ID)
			}
			if err != nil || !slices.Equal(ids, c.want) {
				t.Errorf("%s: %v, %v", name, ids, err)
			}
		}
		mine, err := b.Waiting(t.Context(), second, audit.BenefitDecision)
		if err != nil || !mine[0].Mine || !slices.Equal(mine[0].Others, []string{third.Name}) {
			t.Errorf("the second's queue: %v, %v", mine[0].Others, err)
		}
		own, err := b.Waiting(t.Context(), helper, audit.BenefitDecision)
		if err != nil || own[0].Mine || !slices.Equal(own[0].Others, []string{second.Name, third.Name}) {
			t.Errorf("own work: mine %v, others %v, %v", own[0].Mine, own[0].Others, err)
		}
		if n := b.Count(t, `SELECT count(*) FROM audit_entry WHERE action = $1 AND actor_id = $2`, "approval.queue", helper.ID); n != 1 {
			t.Errorf("the look is recorded %d times", n)
		}
	})
}

// What follows from a decision is stored with it or not at all.
func TestDecisionRollsBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		r := b.asked(t, "lst_1")
		err := db.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) error {
			if _, err := b.Decide(ctx, tt, second, audit.BenefitDecision, r.ID, approval.Approved, reason); err != nil {
				return err
			}
			return fault.New(fault.Conflict, "the total differs")
		})
		if fault.CodeOf(err) != fault.Conflict {
			t.Fatal(err)
		}
		if _, d := b.of(t, "lst_1"); d.Verdict != "" || b.Count(t, `SELECT count(*) FROM audit_entry WHERE action = 'approval.approved'`) != 0 {
			t.Errorf("decided: %q", d.Verdict)
		}
		if err := b.decide(third, r.ID, approval.Approved, reason); err != nil {
			t.Error(err)
		}
	})
}
