package award_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/approval"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/award"
	"madoguchi.example/backend/internal/job"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/store"
	approvalrows "madoguchi.example/backend/internal/store/approval"
	awardrows "madoguchi.example/backend/internal/store/award"
	"madoguchi.example/backend/internal/store/folk"
	mailboxrows "madoguchi.example/backend/internal/store/mailbox"
	pushrows "madoguchi.example/backend/internal/store/push"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/benefit/programs"
	"madoguchi.example/shared/benefit/rule"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
)

const (
	home   = "990019"
	once   = "oneoff_kosodate_ouen_2025"
	decide = audit.BenefitDecision
)

var (
	clerk     = actor.Staff{ID: "stf_1", Municipality: home, Roles: []actor.Role{actor.Clerk, actor.Approver}}
	second    = actor.Staff{ID: "stf_2", Municipality: home, Roles: []actor.Role{actor.Approver}}
	protector = actor.Staff{ID: "stf_3", Municipality: home, Roles: []actor.Role{actor.Protector}}
	elsewhere = actor.Staff{ID: "stf_4", Municipality: "990027", Roles: []actor.Role{actor.Clerk, actor.Approver, actor.Protector}}
	machine   = actor.System{Name: "worker.award"}
)

// office is an award office with everything beside it, in a town without families.
type office struct {
	*folk.Town
	*award.Office
	rows  *awardrows.Rows
	mail  *mailbox.Office
	queue *queue
}

// queue holds the jobs of awards until a test runs them. It forgets no job of a transaction
// that failed: running one too many must change nothing.
type queue struct {
	mu   sync.Mutex
	jobs []award.RunJob
	fail error
}

func (q *queue) Enqueue(_ context.Context, _ tx.Tx, a job.Args) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if j, ok := a.(award.RunJob); ok {
		q.jobs = append(q.jobs, j)
		return q.fail
	}
	return nil
}

func open(t testing.TB, db *store.DB) *office {
	t.Helper()
	w := folk.Settle(t, db)
	engine, err := rule.Load(programs.FS)
	if err != nil {
		t.Fatal(err)
	}
	q, rows := &queue{}, awardrows.New(db.Reads())
	mail := mailbox.New(mailbox.Deps{Runner: db.Runner(), Rows: mailboxrows.New(db.Reads()), People: w.Registry,
		Pushes: pushrows.New(db.Reads()), Protection: w.Protection, Queue: q, Record: w.Log, IDs: w.IDs, Now: w.Now})
	desk := approval.New(approval.Deps{Runner: db.Runner(), Rows: approvalrows.New(db.Reads()), Record: w.Log, IDs: w.IDs, Now: w.Now})
	x, err := award.New(award.Deps{Runner: db.Runner(), Rows: rows, People: w.Registry, Programs: engine, Mail: mail, Approvals: desk,
		Protections: w.Protection, Queue: q, Record: w.Log, Now: w.Now, Rand: w.Rand})
	if err != nil {
		t.Fatal(err)
	}
	return &office{w, x, rows, mail, q}
}

// person is a line of residents.csv and of households.csv.
type person struct{ ref, household, relation, birth string }

const headResidents = "resident_ref,municipality_code,family_kanji,given_kanji,family_kana,given_kana,family_latin,given_latin,birth_date,sex,postal_code,address,resident_since\n"

// settle imports people and further files.
func (o *office) settle(t testing.TB, people []person, more map[string]string) {
	t.Helper()
	var residents, members strings.Builder
	residents.WriteString(headResidents)
	members.WriteString("household_ref,municipality_code,resident_ref,relation,since\n")
	for _, p := range people {
		fmt.Fprintf(&residents, "%s,%s,佐藤,%s,サトウ,カナ,SATO,KANA,%s,1,100-0001,みなと市1,%s\n", p.ref, home, p.ref, p.birth, p.birth)
		if p.household != "" {
			fmt.Fprintf(&members, "%s,%s,%s,%s,%s\n", p.household, home, p.ref, p.relation, p.birth)
		}
	}
	files := map[string]string{"residents.csv": residents.String(), "households.csv": members.String()}
	for name, text := range more {
		files[name] = text
	}
	if rep := o.Import(t, files, append(o.Registry.Importers(), o.Protection.Importer())...); rep.Refused() > 0 {
		t.Fatalf("refused: %+v", rep)
	}
}

// facts makes benefit_facts.csv.
func facts(rows ...string) map[string]string {
	text := "resident_ref,municipality_code,fact,value,since,source\n"
	for _, r := range rows {
		ref, rest, _ := strings.Cut(r, " ")
		fact, value, _ := strings.Cut(rest, "=")
		text += fmt.Sprintf("%s,%s,%s,%s,2026-04-01,勤務先の申告\n", ref, home, fact, value)
	}
	return map[string]string{"benefit_facts.csv": text}
}

// family is two parents with a child.
func family(n string) []person {
	return []person{{n + "a", n, "head", "1985-02-03"}, {n + "b", n, "spouse", "1986-03-04"}, {n + "c", n, "child", "2015-05-05"}}
}

func draftOf(o *office, id string) award.RunDraft {
	today := civil.In(o.Now())
	return award.RunDraft{ClientID: "onc_0000000000000000000000_" + id, Benefit: once, Month: benefit.Month{Year: 2026, Month: 2},
		Deadline: today.AddDays(14), PayOn: today.AddDays(30)}
}

// drain runs the jobs that wait, and those that they ask for.
func (o *office) drain(t testing.TB) {
	t.Helper()
	for len(o.queue.jobs) > 0 {
		j := o.queue.jobs[0]
		o.queue.jobs = o.queue.jobs[1:]
		if err := o.Work(t.Context(), machine, decide, j); err != nil {
			t.Fatalf("%+v: %v", j, err)
		}
	}
}

// run drafts, counts and starts a run and works until it is done.
func (o *office) run(t testing.TB, id string) award.Run {
	t.Helper()
	r, err := o.Draft(t.Context(), clerk, decide, draftOf(o, id))
	must(t, err)
	must(t, o.Office.Count(t.Context(), clerk, decide, r.ID))
	o.drain(t)
	must(t, o.Start(t.Context(), clerk, decide, r.ID))
	o.drain(t)
	r, _, _, err = o.Show(t.Context(), clerk, decide, r.ID)
	must(t, err)
	return r
}

func (o *office) awards(t testing.TB, run string, s award.State) []award.Award {
	t.Helper()
	out, _, err := o.Awards(t.Context(), protectorClerk, decide, run, s, "", 0)
	must(t, err)
	return out
}

var protectorClerk = actor.Staff{ID: "stf_5", Municipality: home, Roles: []actor.Role{actor.Clerk, actor.Protector}}

func (o *office) only(t testing.TB, run string, s award.State) award.Award {
	t.Helper()
	found := o.awards(t, run, s)
	if len(found) != 1 {
		t.Fatalf("%d awards are %s", len(found), s)
	}
	return found[0]
}

// read opens the award's notice in the app.
func (o *office) read(t testing.TB, a award.Award) {
	t.Helper()
	must(t, o.mail.Read(t.Context(), o.payee(a), audit.Self, a.Notice))
}

func (o *office) payee(a award.Award) actor.Citizen {
	return actor.Citizen{ID: a.Payee, Municipality: home, Session: "ses_test"}
}

// until moves the clock to a moment before or after midnight at the end of the day.
func (o *office) until(d civil.Date, from time.Duration) {
	o.Advance(d.AddDays(1).Midnight().Add(from).Sub(o.Now()))
}

// balanced fails unless money moved once and every approved list balances.
func (o *office) balanced(t testing.TB) {
	t.Helper()
	for what, query := range map[string]string{
		"lists whose ledger does not sum to zero": `SELECT count(*) FROM (SELECT list_id FROM ledger GROUP BY list_id HAVING sum(amount) <> 0) AS q`,
		"approved lists whose total is not what is payable": `SELECT count(*) FROM payment_list l WHERE l.state = 'approved' AND l.total <>
			(SELECT coalesce(sum(amount), 0) FROM ledger g WHERE g.list_id = l.list_id AND g.account = 'payable')`,
		"approved lists whose lines are not their awards": `SELECT count(*) FROM payment_list l WHERE l.state = 'approved' AND l.total <>
			(SELECT coalesce(sum(a.amount), 0) FROM list_line x JOIN award a ON a.citizen_id = x.citizen_id AND a.award_id = x.award_id WHERE x.list_id = l.list_id)`,
		"awards paid twice": `SELECT count(*) FROM (SELECT award_id FROM ledger WHERE account = 'payable' GROUP BY award_id HAVING count(*) > 1) AS q`,
		"awards whose entitlements are another sum": `SELECT count(*) FROM award a WHERE a.kind = 'noticed' AND a.amount <>
			(SELECT coalesce(sum(e.amount), 0) FROM entitlement e WHERE e.award_id = a.award_id)`,
		"entitlements without their award": `SELECT count(*) FROM entitlement e WHERE NOT EXISTS (SELECT 1 FROM award a WHERE a.award_id = e.award_id)`,
		"payments without an approval": `SELECT count(*) FROM ledger g WHERE g.account = 'payable' AND NOT EXISTS
			(SELECT 1 FROM award_settlement s WHERE s.award_id = g.award_id AND s.how = 'approved' AND s.list_id = g.list_id)`,
	} {
		if n := o.Town.Count(t, query); n != 0 {
			t.Errorf("%d %s", n, what)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func refused(t testing.TB, err error, code fault.Code, place string) {
	t.Helper()
	if fault.CodeOf(err) != code || fault.PlaceOf(err) != place {
		t.Fatalf("%v (code %s, place %s), want %s at %q", err, fault.CodeOf(err), fault.PlaceOf(err), code, place)
	}
}

func each(t *testing.T, fn func(t *testing.T, o *office)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) { fn(t, open(t, db)) })
}

var errGiveUp = errors.New("the queue gives up")
