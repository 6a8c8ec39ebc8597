package award_test

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/approval"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/award"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/jptext"
)

// Cases of the machine, by engine.
var machineCases = map[store.Engine]string{store.SQLite: "40", store.Postgres: "10"}

// model is what one award should be.
type model struct {
	award    award.Award
	answerBy civil.Date // zero: no proof
	how      award.How
	list     string // the open or approved list it stands on
	paid     int    // how often money moved
}

// town is one municipality of the machine.
type town struct {
	o      *office
	t      *testing.T
	code   identity.MunicipalityCode
	clerk  actor.Staff
	run    award.Run
	awards []*model
	lists  map[string][]*model
	waits  []string
	forms  int
}

// newTown makes a municipality of three families with a run over them.
func newTown(t *testing.T, o *office, n int) *town {
	code := municipality(n)
	w := &town{o: o, t: t, code: code, lists: map[string][]*model{},
		clerk: actor.Staff{ID: "stf_1", Municipality: code, Roles: []actor.Role{actor.Clerk, actor.Approver}}}
	o.Advance(storetest.Now().Sub(o.Now()))
	people, members := headResidents, "household_ref,municipality_code,resident_ref,relation,since\n"
	told := "resident_ref,municipality_code,fact,value,since,source\n"
	for f := range 3 {
		for i, p := range family(fmt.Sprintf("F%d", f)) {
			people += fmt.Sprintf("%s,%s,佐藤,%d,サトウ,カナ,SATO,KANA,%s,1,100-0001,町1,%s\n", p.ref, code, i, p.birth, p.birth)
			members += fmt.Sprintf("%s,%s,%s,%s,%s\n", p.household, code, p.ref, p.relation, p.birth)
		}
		told += fmt.Sprintf("F%da,%s,paid_by_workplace,false,2026-04-01,x\n", f, code)
	}
	rep := o.Import(t, map[string]string{"residents.csv": people, "households.csv": members, "benefit_facts.csv": told,
		"municipalities.csv": "municipality_code,name_ja,name_easy,name_en,counter_name,counter_place,counter_phone,counter_hours\n" +
			string(code) + ",町,まち,Town,係,1階,03-0000-0001,8:30\n"}, o.Registry.Importers()...)
	if rep.Refused() > 0 {
		t.Fatalf("%+v", rep)
	}
	w.run = w.pass()
	found, _, err := o.Awards(t.Context(), w.clerk, decide, w.run.ID, award.Noticed, "", 0)
	must(t, err)
	for _, a := range found {
		w.awards = append(w.awards, &model{award: a})
	}
	if len(w.awards) != 3 {
		t.Fatalf("%d awards", len(w.awards))
	}
	return w
}

// municipality gives the nth code with its check digit.
func municipality(n int) identity.MunicipalityCode {
	for digit := range 10 {
		if code := fmt.Sprintf("%05d%d", 70000+n, digit); jptext.ValidMunicipalityCode(code) {
			return identity.MunicipalityCode(code)
		}
	}
	panic("no check digit")
}

// pass drafts, counts and starts a run.
func (w *town) pass() award.Run {
	w.forms++
	r, err := w.o.Draft(w.t.Context(), w.clerk, decide, draftOf(w.o, fmt.Sprint(w.forms)))
	must(w.t, err)
	must(w.t, w.o.Office.Count(w.t.Context(), w.clerk, decide, r.ID))
	w.o.drain(w.t)
	must(w.t, w.o.Start(w.t.Context(), w.clerk, decide, r.ID))
	w.o.drain(w.t)
	return r
}

func (w *town) today() civil.Date { return civil.In(w.o.Now()) }

func (w *town) any(t *rapid.T) *model { return rapid.SampledFrom(w.awards).Draw(t, "award") }

func (w *town) expect(t *rapid.T, err error, code fault.Code, place string) {
	if fault.CodeOf(err) != code || fault.PlaceOf(err) != place {
		t.Fatalf("%v, want %q at %q", err, code, place)
	}
}

// proven notes a proof: the first one stands.
func (m *model) proven(on civil.Date, deadline civil.Date) {
	if !m.answerBy.IsZero() || m.how != "" {
		return
	}
	m.answerBy = deadline
	if own := on.AddDays(award.AnswerDays); own.After(deadline) {
		m.answerBy = own
	}
}

func (w *town) open(t *rapid.T) {
	m := w.any(t)
	must(w.t, w.o.mail.Read(w.t.Context(), w.citizen(m), audit.Self, m.award.Notice))
	m.proven(w.today(), w.run.Deadline)
	w.check(t)
}

func (w *town) citizen(m *model) actor.Citizen {
	return actor.Citizen{ID: m.award.Payee, Municipality: w.code, Session: "ses_test"}
}

// past draws a day since the decision.
func (w *town) past(t *rapid.T, m *model) civil.Date {
	on := w.today().AddDays(-rapid.IntRange(0, 9).Draw(t, "days ago"))
	if !m.answerBy.IsZero() && m.answerBy.Before(on) && rapid.Bool().Draw(t, "on the last day") {
		on = m.answerBy
	}
	if first := civil.In(m.award.DecidedAt); on.Before(first) {
		return first
	}
	return on
}

func (w *town) letter(t *rapid.T) {
	m := w.any(t)
	on := w.past(t, m)
	w.expect(t, w.o.RecordLetter(w.t.Context(), w.clerk, decide, m.award.ID, on), "", "")
	m.proven(on, w.run.Deadline)
}

func (m *model) late(on civil.Date) bool { return !m.answerBy.IsZero() && on.After(m.answerBy) }

func (w *town) refuse(t *rapid.T) {
	m := w.any(t)
	_, err := w.o.Refuse(w.t.Context(), w.citizen(m), audit.Self, m.award.ID)
	switch {
	case m.how == award.HowApproved:
		w.expect(t, err, fault.Conflict, "state")
	case m.how == "" && m.late(w.today()):
		w.expect(t, err, fault.Conflict, "deadline")
	default:
		w.expect(t, err, "", "")
		m.how = award.HowRefused
	}
}

func (w *town) refuseAtOffice(t *rapid.T) {
	m := w.any(t)
	on := w.past(t, m)
	err := w.o.RecordRefusal(w.t.Context(), w.clerk, decide, m.award.ID, on, "")
	switch {
	case m.late(on):
		w.expect(t, err, fault.Conflict, "deadline")
	case m.how == award.HowApproved:
		w.expect(t, err, fault.Conflict, "state")
	default:
		w.expect(t, err, "", "")
		m.how = award.HowRefused
	}
}

func (w *town) propose(t *rapid.T) {
	var want []*model
	closed := civil.In(w.o.Now().Add(-10 * time.Minute))
	for _, m := range w.awards {
		if m.how == "" && m.list == "" && !m.answerBy.IsZero() && m.answerBy.Before(closed) {
			want = append(want, m)
		}
	}
	l, err := w.o.Propose(w.t.Context(), w.clerk, decide, w.run.ID)
	if len(want) == 0 {
		w.expect(t, err, fault.Conflict, "run")
		return
	}
	w.expect(t, err, "", "")
	if l.Count != len(want) || l.Total != int64(len(want))*20000 {
		t.Fatalf("%d awards, %d yen on the list, want %d", l.Count, l.Total, len(want))
	}
	for _, m := range want {
		m.list = l.ID
	}
	w.lists[l.ID], w.waits = want, append(w.waits, l.ID)
}

// decide takes a second person's word, or tries to give a first one's.
func (w *town) decide(t *rapid.T) {
	if len(w.waits) == 0 {
		return
	}
	id := rapid.SampledFrom(w.waits).Draw(t, "list")
	who := actor.Staff{ID: rapid.SampledFrom([]string{"stf_1", "stf_2", "stf_3"}).Draw(t, "officer"), Municipality: w.code, Roles: []actor.Role{actor.Approver}}
	count := len(w.lists[id]) - rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(t, "miscounted")
	w.word(t, id, who, count, rapid.Bool().Draw(t, "approve"))
}

// word is one officer's approval or return of a list.
func (w *town) word(t *rapid.T, id string, who actor.Staff, count int, pass bool) {
	lines := w.lists[id]
	refused := slices.ContainsFunc(lines, func(m *model) bool { return m.how != "" })
	var err error
	if pass {
		err = w.o.Approve(w.t.Context(), who, decide, id, count, int64(len(lines))*20000, "確認しました")
	} else {
		err = w.o.Return(w.t.Context(), who, decide, id, "確認してください")
	}
	switch {
	case who.ID == "stf_1":
		w.expect(t, err, fault.Forbidden, approval.OwnWork)
		return
	case pass && count != len(lines):
		w.expect(t, err, fault.Conflict, "count")
		return
	case pass && refused:
		w.expect(t, err, fault.Conflict, "list")
		return
	}
	w.expect(t, err, "", "")
	w.waits = slices.DeleteFunc(w.waits, func(s string) bool { return s == id })
	for _, m := range lines {
		if pass {
			m.how, m.paid = award.HowApproved, m.paid+1
		} else {
			m.list = ""
		}
	}
}

func (w *town) again(t *rapid.T) {
	if w.forms > 2 {
		return
	}
	w.pass()
}

// wait goes to a moment around the end of somebody's last day, or a little further.
func (w *town) wait(t *rapid.T) {
	last := w.any(t).answerBy
	if last.IsZero() {
		last = w.run.Deadline
	}
	to := last.AddDays(1).Midnight().Add(rapid.SampledFrom([]time.Duration{-time.Second, 0, 5 * time.Minute, time.Hour}).Draw(t, "from midnight"))
	if !to.After(w.o.Now()) {
		to = w.o.Now().Add(rapid.SampledFrom([]time.Duration{time.Second, 25 * time.Hour}).Draw(t, "time"))
	}
	w.o.Advance(to.Sub(w.o.Now()))
}

// flow lets the rest take its way: whoever opens the notice and is silent is paid.
func (w *town) flow(t *rapid.T) {
	w.open(t)
	w.o.Advance(22 * 24 * time.Hour)
	w.propose(t)
	if rapid.Bool().Draw(t, "somebody refuses") {
		w.refuseAtOffice(t)
	}
	for _, id := range slices.Clone(w.waits) {
		w.word(t, id, actor.Staff{ID: "stf_2", Municipality: w.code, Roles: []actor.Role{actor.Approver}}, len(w.lists[id]), true)
	}
}

// check compares every award with its model, and the money with the rules of money.
func (w *town) check(t *rapid.T) {
	for _, m := range w.awards {
		a, err := w.o.Award(w.t.Context(), w.clerk, decide, m.award.ID)
		if err != nil {
			t.Fatal(err)
		}
		want := award.Noticed
		switch {
		case m.how != "":
			want = award.State(m.how)
		case m.list != "":
			want = award.Listed
		case !m.answerBy.IsZero() && m.answerBy.Before(w.today()):
			want = award.Silent
		case !m.answerBy.IsZero():
			want = award.Proven
		}
		if a.State != want || m.how == "" && a.AnswerBy != m.answerBy {
			t.Fatalf("the award is %s until %s, want %s until %s", a.State, a.AnswerBy, want, m.answerBy)
		}
		if n := w.o.Town.Count(w.t, `SELECT count(*) FROM ledger WHERE award_id = $1`, m.award.ID); n != m.paid || n > 1 {
			t.Fatalf("money moved %d times, want %d", n, m.paid)
		}
	}
}

// Whatever families and officers do, and whenever: money moves once, a refusal in time
// wins, silence never counts without proof, lists balance, and nobody approves their own.
func TestWhateverHappens(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		checks := flag.Lookup("rapid.checks")
		before := checks.Value.String()
		must(t, checks.Value.Set(machineCases[db.Engine()]))
		defer func() { must(t, checks.Value.Set(before)) }()
		o := open(t, db)
		n := 0
		rapid.Check(t, func(rt *rapid.T) {
			n++
			w := newTown(t, o, n)
			rt.Repeat(map[string]func(*rapid.T){"open": w.open, "letter": w.letter, "refuse": w.refuse, "refuse at the office": w.refuseAtOffice,
				"propose": w.propose, "decide": w.decide, "run again": w.again, "wait": w.wait, "": w.check})
			w.flow(rt)
			w.check(rt)
		})
		o.balanced(t)
		paid := o.Town.Count(t, `SELECT count(*) FROM ledger WHERE account = 'payable'`)
		if paid == 0 || o.Town.Count(t, `SELECT count(*) FROM award_settlement WHERE how = 'refused'`) == 0 {
			t.Errorf("%d payments: the machine saw too little", paid)
		}
		t.Logf("%d towns, %d payments", n, paid)
	})
}
