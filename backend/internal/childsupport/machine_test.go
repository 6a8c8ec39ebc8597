package childsupport_test

import (
	goflag "flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/childsupport"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
)

// machineRuns are the families of the machine, by engine.
var machineRuns = map[store.Engine]string{store.SQLite: "60", store.Postgres: "20"}

// machine is what one family's case should be, beside the bench where it is.
type machine struct {
	*bench
	outer *testing.T
	name  string

	id        string
	state     childsupport.State // "" without a case
	lapses    civil.Date
	born      civil.Date
	closed    civil.Date
	assessors []string
	returners []string
	offer     bool // the case was offered
	protected map[string]bool
	sent      int // notices to the family, of all its cases
	withheld  int
}

var (
	assessing = []actor.Staff{ann, eve, both}
	deciding  = []actor.Staff{bob, both, staff(ann.ID, minato, actor.ChildOfficer, actor.ChildApprover)}
)

func (m *machine) today() civil.Date { return civil.In(m.Now()) }

// expect compares an answer with what the machine says: "" is success.
func expect(rt *rapid.T, what string, err error, want fault.Code) {
	if fault.CodeOf(err) != want {
		rt.Fatalf("%s: error %v, want %q", what, err, want)
	}
}

// tooOld tells that no indicator looks at the child any more: a long run of closed cases
// takes years, and those born before April eight years ago are left out.
func (m *machine) tooOld() bool {
	return m.born.Before(civil.Date{Year: m.today().Year - 8, Month: time.April, Day: 1})
}

// flag brings a new delivery; after a closed case, when the quiet time is over.
func (m *machine) flag(*rapid.T) {
	m.Advance(day)
	if m.state == childsupport.Closed {
		m.Advance(childsupport.QuietDays * day)
	}
	asOf := m.today().String()
	m.checkups(m.outer, missedTwice(m.name, asOf))
	m.indicate(m.outer)
	if m.state != "" && (m.state != childsupport.Closed || m.closed.AddDays(childsupport.QuietDays).After(m.today())) {
		return
	}
	if m.tooOld() {
		return
	}
	m.state, m.lapses, m.assessors, m.returners, m.offer = childsupport.Flagged, m.today().AddDays(childsupport.FlagDays), nil, nil, false
	must(m.outer, m.DB.Reads().Each(m.outer.Context(), `SELECT case_id FROM child_case WHERE citizen_id = $1 ORDER BY episode`,
		[]any{m.Citizen(m.outer, minato, m.name+"c").ID}, func(scan func(...any) error) error { return scan(&m.id) }))
}

func (m *machine) assess(rt *rapid.T) {
	who, contact := rapid.SampledFrom(assessing).Draw(rt, "who"), rapid.IntRange(0, 7).Draw(rt, "contact") > 0
	if m.state == "" {
		return
	}
	a := propose
	a.Contact = contact
	err := m.Assess(m.outer.Context(), who, why, m.id, a)
	switch {
	case m.state != childsupport.Flagged && m.state != childsupport.Returned, m.state == childsupport.Flagged && !m.today().Before(m.lapses):
		expect(rt, "assess", err, fault.Conflict)
		return
	case slices.Contains(m.returners, who.ID):
		expect(rt, "assess what one returned", err, fault.Forbidden)
		return
	}
	expect(rt, "assess", err, "")
	if m.assessors = append(m.assessors, who.ID); contact {
		m.state = childsupport.Assessed
		return
	}
	m.state, m.closed = childsupport.Closed, m.today()
}

func (m *machine) decide(rt *rapid.T) {
	who, yes := rapid.SampledFrom(deciding).Draw(rt, "who"), rapid.IntRange(0, 2).Draw(rt, "yes") > 0
	if m.state == "" {
		return
	}
	call := m.Return
	if yes {
		call = m.Approve
	}
	err := call(m.outer.Context(), who, why, m.id, "よく読んだ。")
	switch {
	case m.state != childsupport.Assessed:
		expect(rt, "decide", err, fault.Conflict)
		return
	case slices.Contains(m.assessors, who.ID):
		expect(rt, "decide one's own work", err, fault.Forbidden)
		return
	}
	expect(rt, "decide", err, "")
	switch {
	case !yes:
		m.state, m.returners = childsupport.Returned, append(m.returners, who.ID)
	case len(m.protected) > 0:
		m.state, m.withheld = childsupport.WithPerson, m.withheld+1
	default:
		m.state, m.offer, m.sent = childsupport.Offered, true, m.sent+1
	}
}

func (m *machine) protectOne(rt *rapid.T) {
	ref := m.name + rapid.SampledFrom([]string{"c", "h", "s"}).Draw(rt, "who")
	if !m.protected[ref] {
		m.protect(m.outer, ref)
		m.protected[ref] = true
	}
}

func (m *machine) liftOne(rt *rapid.T) {
	ref := m.name + rapid.SampledFrom([]string{"c", "h", "s"}).Draw(rt, "who")
	if m.protected[ref] {
		m.lift(m.outer, ref)
		delete(m.protected, ref)
	}
}

func (m *machine) answer(rt *rapid.T) {
	say := rapid.SampledFrom([]childsupport.Answer{childsupport.Yes, childsupport.No}).Draw(rt, "answer")
	head := m.Citizen(m.outer, minato, m.name+"h")
	offers, _, err := m.Offers(m.outer.Context(), head, audit.Self)
	must(m.outer, err)
	if m.state == "" || !m.offer {
		return
	}
	if len(offers) == 0 {
		rt.Fatalf("the family has no offer in state %s", m.state)
	}
	_, err = m.Answer(m.outer.Context(), head, audit.Self, offers[0].ID, say)
	if m.state == childsupport.Closed {
		expect(rt, "answer", err, fault.Conflict)
		return
	}
	expect(rt, "answer", err, "")
	m.state = childsupport.State(say)
}

func (m *machine) close(rt *rapid.T) {
	if m.state == "" {
		return
	}
	err := m.Close(m.outer.Context(), ann, why, m.id, childsupport.Started, "")
	if !slices.Contains([]childsupport.State{childsupport.Offered, childsupport.Accepted, childsupport.Declined, childsupport.WithPerson}, m.state) {
		expect(rt, "close", err, fault.Conflict)
		return
	}
	expect(rt, "close", err, "")
	m.state, m.closed = childsupport.Closed, m.today()
}

func (m *machine) night(rt *rapid.T) {
	m.Advance(time.Duration(rapid.SampledFrom([]int{0, 1, 1, 2, 30, 200}).Draw(rt, "days")) * day)
	m.expire(m.outer)
	lapsed := m.state == childsupport.Flagged && !m.today().Before(m.lapses)
	ended := m.state == childsupport.Closed && !m.today().Before(m.closed.AddDays(childsupport.CaseDays))
	if lapsed || ended {
		m.state, m.id, m.offer = "", "", false
	}
}

// check holds after every step.
func (m *machine) check(rt *rapid.T) {
	if m.state != "" {
		c, err := m.Case(m.outer.Context(), ann, why, m.id)
		if err != nil || c.State != m.state {
			rt.Fatalf("the state is %s, %v; want %s", c.State, err, m.state)
		}
		m.twoPeople(rt, c)
	}
	sent, withheld := 0, 0
	for _, ref := range []string{"c", "h", "s"} {
		id := m.Citizen(m.outer, minato, m.name+ref).ID
		sent += m.Count(m.outer, `SELECT count(*) FROM delivery WHERE citizen_id = $1`, id)
		withheld += m.Count(m.outer, `SELECT count(*) FROM withheld WHERE citizen_id = $1`, id)
	}
	if sent != m.sent || withheld != m.withheld {
		rt.Fatalf("%d notices and %d withheld, want %d and %d", sent, withheld, m.sent, m.withheld)
	}
}

// twoPeople checks that an offer stands on an assessment and on the approval of somebody
// who never assessed.
func (m *machine) twoPeople(rt *rapid.T, c childsupport.Case) {
	var assessed []string
	for _, a := range c.History {
		switch a.What {
		case childsupport.Assessed:
			assessed = append(assessed, a.By)
			if a.Reason == "" {
				rt.Fatal("an assessment without a reason")
			}
		case childsupport.Offered, childsupport.WithPerson:
			if len(assessed) == 0 || slices.Contains(assessed, a.By) || a.Reason == "" {
				rt.Fatalf("approved by %s after assessments of %v", a.By, assessed)
			}
		}
	}
}

// Whatever a tool, two officers, two approvers, protectors and a family do in whatever
// order: nothing reaches the family without two people, and never against a protection.
func TestNothingReachesAFamilyInAnyOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		checks := goflag.Lookup("rapid.checks")
		before := checks.Value.String()
		must(t, checks.Value.Set(machineRuns[db.Engine()]))
		defer func() { must(t, checks.Value.Set(before)) }()
		b := open(t, db)
		n, sent, withheld := 0, 0, 0
		rapid.Check(t, func(rt *rapid.T) {
			n++
			born := civil.Of(b.Now().AddDate(-4, 0, 0))
			m := &machine{bench: b, outer: t, name: fmt.Sprintf("M%d", n), born: born, protected: map[string]bool{}}
			b.settle(t, []family{{m.name, born.String()}})
			m.flag(rt)
			rt.Repeat(map[string]func(*rapid.T){
				"flag": m.flag, "assess": m.assess, "assess again": m.assess, "decide": m.decide, "decide again": m.decide, "assess once more": m.assess,
				"protect": m.protectOne, "lift": m.liftOne, "lift again": m.liftOne, "answer": m.answer, "close": m.close, "night": m.night, "": m.check,
			})
			sent, withheld = sent+m.sent, withheld+m.withheld
		})
		t.Logf("%d families, %d offers, %d withheld", n, sent, withheld)
		if sent == 0 || withheld == 0 {
			t.Error("the steps never came to a contact")
		}
	})
}
