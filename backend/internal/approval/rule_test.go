package approval_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/approval"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/shared/fault"
)

// machine does what officers of one municipality may try with one thing after another, and
// knows what must come of it.
type machine struct {
	b      *bench
	object string
	open   *approval.Request // nil: nothing waits
	done   bool              // it was approved
}

var everyRole = []actor.Role{actor.Clerk, actor.Approver, actor.ChildOfficer, actor.ChildApprover}

func anyOfficer(t *rapid.T) actor.Staff {
	roles := rapid.SliceOfDistinct(rapid.SampledFrom(everyRole), rapid.ID).Draw(t, "roles")
	return officer(rapid.IntRange(10, 14).Draw(t, "officer"), "990019", roles...)
}

func (m *machine) ask(t *rapid.T) {
	who := anyOfficer(t)
	r := approval.Request{Municipality: "990019", Kind: "benefit_list", Object: m.object, Role: rapid.SampledFrom(everyRole).Draw(t, "role")}
	for range rapid.IntRange(0, 3).Draw(t, "involved") {
		r.Involved = append(r.Involved, anyOfficer(t).ID)
	}
	got, err := m.b.ask(who, r)
	if want := m.open == nil && !m.done; (err == nil) != want {
		t.Fatalf("asked: %v, want %v", err, want)
	}
	if err == nil {
		m.open = &got
	}
}

func (m *machine) decide(t *rapid.T) {
	who, verdict := anyOfficer(t), rapid.SampledFrom([]approval.Verdict{approval.Approved, approval.Returned}).Draw(t, "verdict")
	if m.open == nil {
		return
	}
	err := m.b.decide(who, m.open.ID, verdict, reason)
	worked := who.ID == m.open.AskedBy
	for _, id := range m.open.Involved {
		worked = worked || id == who.ID
	}
	switch {
	case worked && fault.CodeOf(err) != fault.Forbidden:
		t.Fatalf("the first person decided: %v", err)
	case !worked && who.Has(m.open.Role) && err != nil:
		t.Fatalf("the second person was refused: %v", err)
	case !who.Has(m.open.Role) && err == nil:
		t.Fatalf("decided without the role")
	}
	if err == nil {
		m.open, m.done = nil, verdict == approval.Approved
	}
}

func (m *machine) withdraw(t *rapid.T) {
	who := anyOfficer(t)
	err := m.b.withdraw(who, m.object)
	if want := m.open != nil && m.open.Own(who.ID); (err == nil) != want {
		t.Fatalf("withdrawn: %v, want %v", err, want)
	}
	if err == nil {
		m.open = nil
	}
}

// Whatever officers do and whatever roles they hold, nobody ever decides what they asked
// for or worked on, and a thing is decided at most once per request.
func TestNeverTheFirstPerson(t *testing.T) {
	b := open(t, storetest.Open(t, store.SQLite))
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		m := &machine{b: b, object: fmt.Sprintf("lst_rapid_%d", n)}
		t.Repeat(map[string]func(*rapid.T){"ask": m.ask, "decide": m.decide, "withdraw": m.withdraw})
	})
	decided := 0
	err := b.DB.Reads().Each(t.Context(), `SELECT r.asked_by, r.involved, d.decided_by FROM approval_request r
		JOIN approval_decision d ON d.request_id = r.request_id WHERE d.verdict <> 'withdrawn'`, nil, func(scan func(...any) error) error {
		var asked, involved, by string
		if err := scan(&asked, &involved, &by); err != nil {
			return err
		}
		decided++
		if by == asked || strings.Contains(involved, `"`+by+`"`) {
			t.Errorf("%s decided their own work", by)
		}
		return nil
	})
	if err != nil || decided == 0 {
		t.Errorf("%d decisions looked at, %v", decided, err)
	}
	t.Logf("%d things, %d decisions", n, decided)
}
