package childsupport_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/childsupport"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
)

// seen gives the lists of who looked, of every person of a family, page by page in several
// sizes, cursors included.
func (b *bench) seen(t *testing.T, refs ...string) string {
	t.Helper()
	var out strings.Builder
	for _, ref := range refs {
		id := b.Citizen(t, minato, ref).ID
		for _, size := range []int{1, 2, 3, 100} {
			for cursor, first := "", true; first || cursor != ""; first = false {
				page, err := b.Log.VisibleTo(t.Context(), id, cursor, size)
				must(t, err)
				text, err := json.Marshal(page)
				must(t, err)
				fmt.Fprintf(&out, "%s %d %s\n", ref, size, text)
				cursor = page.Next
			}
		}
	}
	return out.String()
}

// Whatever child support does, the lists of the family stay the same, byte for byte.
func TestTheFamilySeesNothingOfWhoLooked(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, twins...)
		for _, ref := range []string{"Ah", "As", "Bh"} {
			for range 4 {
				_, err := b.Registry.Me(t.Context(), b.Citizen(t, minato, ref), audit.Self)
				must(t, err)
			}
		}
		refs := []string{"Ac", "Ah", "As", "Bc", "Bh"}
		before := b.seen(t, refs...)
		if !strings.Contains(before, "person.read") || !strings.Contains(before, `"Next":"`) {
			t.Fatalf("there is nothing to compare:\n%s", before)
		}
		cases := b.flagged(t, "A", "B")
		b.childcare(t, unclaimed("A", "2026-11-20"))
		b.protect(t, "Bs")
		for _, c := range cases {
			must(t, b.Assess(t.Context(), eve, why, c.ID, propose))
			must(t, b.Return(t.Context(), bob, why, c.ID, "理由が足りない。"))
			b.offered(t, c.ID)
			_, err := b.Case(t.Context(), bob, why, c.ID)
			must(t, err)
		}
		head := b.Citizen(t, minato, "Ah")
		offers, _, err := b.Offers(t.Context(), head, why)
		must(t, err)
		for _, a := range []childsupport.Answer{childsupport.Yes, childsupport.No} {
			_, err = b.Answer(t.Context(), head, why, offers[0].ID, a)
			must(t, err)
		}
		for _, c := range cases {
			must(t, b.Close(t.Context(), ann, why, c.ID, childsupport.Refused, ""))
		}
		b.expire(t)
		if n := b.Count(t, `SELECT count(*) FROM audit_entry WHERE purpose = 'child_support'`); n < 25 {
			t.Errorf("only %d entries", n)
		}
		if after := b.seen(t, refs...); after != before {
			t.Errorf("the lists changed:\n%s\nwere\n%s", after, before)
		}
	})
}

// Each read and change writes its entry, with who and why.
func TestEveryLookIsRecorded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, twins...)
		id := b.flagged(t, "A")[0].ID
		b.childcare(t, unclaimed("B", "2026-11-20"))
		b.indicate(t)
		ctx := t.Context()
		head := b.Citizen(t, minato, "Ah")
		offer := ""
		for _, step := range []struct {
			actions string
			call    func() error
		}{
			{"case.list", func() error { _, err := b.Cases(ctx, ann, why, 0); return err }},
			{"case.read items.read", func() error { _, err := b.Case(ctx, ann, why, id); return err }},
			{"approval.ask case.assessed", func() error { return b.Assess(ctx, ann, why, id, propose) }},
			{"approval.returned case.returned", func() error { return b.Return(ctx, bob, why, id, "理由が足りない。") }},
			{"approval.ask case.assessed", func() error { return b.Assess(ctx, ann, why, id, propose) }},
			{"approval.approved case.offered notice.post", func() error { return b.Approve(ctx, bob, why, id, "案内してよい。") }},
			{"offer.list", func() error {
				o, _, err := b.Offers(ctx, head, why)
				offer = o[0].ID
				return err
			}},
			{"offer.read", func() error { _, err := b.Offer(ctx, head, why, offer); return err }},
			{"case.accepted offer.answer", func() error { _, err := b.Answer(ctx, head, why, offer, childsupport.Yes); return err }},
			{"case.closed", func() error { return b.Close(ctx, ann, why, id, childsupport.Started, "") }},
			{"case.evaluate", func() error { _, err := b.Evaluate(ctx, auditor, why); return err }},
			{"erasure.list", func() error { _, err := b.Erasures(ctx, auditor, why); return err }},
		} {
			before := b.actions(t)
			must(t, step.call())
			after := b.actions(t)
			if got := strings.Join(fresh(before, after), " "); got != step.actions {
				t.Errorf("recorded %q, want %q", got, step.actions)
			}
		}
		if n := b.Count(t, `SELECT count(*) FROM audit_entry WHERE action = 'items.read' AND actor_id = 'worker.child_support' AND purpose = 'child_support'`); n < 2 {
			t.Errorf("%d looks of the job", n)
		}
		if n := b.Count(t, `SELECT count(*) FROM audit_entry WHERE action LIKE 'import.ch%' AND purpose = 'child_support' AND citizen_id <> ''`); n != 3 {
			t.Errorf("%d entries of the import about a child, want 3", n)
		}
	})
}

func (b *bench) actions(t *testing.T) map[string]int {
	t.Helper()
	out := map[string]int{}
	must(t, b.DB.Reads().Each(t.Context(), `SELECT action, count(*) FROM audit_entry WHERE purpose = 'child_support' GROUP BY action`, nil,
		func(scan func(...any) error) error {
			var action string
			var n int
			err := scan(&action, &n)
			out[action] = n
			return err
		}))
	return out
}

func fresh(before, after map[string]int) []string {
	var out []string
	for a, n := range after {
		for range n - before[a] {
			out = append(out, a)
		}
	}
	slices.Sort(out)
	return out
}

var errRecord = errors.New("the record is out")

// silent is an access record that fails.
type silent struct{}

func (silent) Append(context.Context, tx.Tx, actor.Actor, audit.Event) error { return errRecord }

func (silent) AppendAll(context.Context, tx.Tx, actor.Actor, []audit.Event) error { return errRecord }

// A look or change that cannot be recorded shows and does nothing.
func TestWhatCannotBeRecordedIsNotDone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, twins...)
		cases := b.flagged(t, "A", "B")
		b.offered(t, cases[1].ID)
		c, err := b.Case(t.Context(), ann, why, cases[1].ID)
		must(t, err)
		head := b.Citizen(t, minato, c.Guardian.Ref.Resident)
		offers, _, err := b.Offers(t.Context(), head, why)
		must(t, err)
		deps := b.Desk.Deps
		deps.Record = silent{}
		desk, err := childsupport.New(deps)
		must(t, err)
		ctx, id := t.Context(), cases[0].ID
		before := counts(t, b)
		b.Advance(day)
		for name, call := range map[string]func() (bool, error){
			"cases": func() (bool, error) {
				out, err := desk.Cases(ctx, ann, why, 0)
				return len(out) == 0 || err != nil, err
			},
			"case":   func() (bool, error) { _, err := desk.Case(ctx, ann, why, id); return true, err },
			"assess": func() (bool, error) { return true, desk.Assess(ctx, ann, why, id, propose) },
			"close":  func() (bool, error) { return true, desk.Close(ctx, ann, why, cases[1].ID, childsupport.Refused, "") },
			"answer": func() (bool, error) {
				_, err := desk.Answer(ctx, head, why, offers[0].ID, childsupport.No)
				return true, err
			},
			"offers":   func() (bool, error) { _, _, err := desk.Offers(ctx, head, why); return true, err },
			"indicate": func() (bool, error) { return true, desk.Indicate(ctx, system, why) },
		} {
			if _, err := call(); !errors.Is(err, errRecord) {
				t.Errorf("%s: error %v", name, err)
			}
		}
		b.Advance(1000 * day)
		if err := desk.Expire(ctx, system, why); !errors.Is(err, errRecord) {
			t.Errorf("expire: error %v", err)
		}
		for table, n := range counts(t, b) {
			if n != before[table] {
				t.Errorf("%s has %d rows, %d before", table, n, before[table])
			}
		}
	})
}
