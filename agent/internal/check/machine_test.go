package check_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/check"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/oqs"
	"madoguchi.example/shared/wire"
)

// machine drives a desk through anything that can happen to it and remembers what was
// confirmed to the receptionist and what was answered.
type machine struct {
	*bench
	t         *testing.T
	confirmed []string // records, in order
	answers   map[string]eligibility.Validity
	voided    map[string]bool
	sent      []wire.Record // what the backend has taken
	cursor    uint64
	power     *power
}

// power is on until it is cut: then nothing more reaches the disk.
type power struct {
	left int  // commits until then; below 0: off
	once bool // the last commit before it is on the disk, and its word does not come back
}

func (p *power) use() error {
	if p.left--; p.left < 0 {
		return fault.New(fault.Unavailable, "the power is out")
	}
	return nil
}

// wire puts the power between the desk and its disk.
func (m *machine) wire() {
	m.Desk.Queue = &fickle{Queue: m.queue, check: m.power.use, after: func(err error) error {
		if err == nil && m.power.once {
			m.power.once = false
			return fault.New(fault.Unknown, "the write was not confirmed")
		}
		return err
	}}
	m.Desk.Book = casebook.New(&cable{Shelf: m.vault.Shelf(casebook.ShelfName), power: m.power})
}

// cable is a shelf behind the power.
type cable struct {
	casebook.Shelf
	power *power
}

func (c *cable) PutAll(ctx context.Context, values map[string][]byte) error {
	if err := c.power.use(); err != nil {
		return err
	}
	return c.Shelf.PutAll(ctx, values)
}

func (m *machine) entry(r *rapid.T) check.Entry {
	e := entry()
	switch rapid.IntRange(0, 3).Draw(r, "evidence") {
	case 0:
		e = visual()
	case 1:
		e.Label, e.BirthDate = "サトウ イチロウ", "H2.2.2"
	}
	e.Operator = fmt.Sprintf("受付%d", rapid.IntRange(1, 2).Draw(r, "operator"))
	e.OperatorID = "op_" + e.Operator[len("受付"):]
	return e
}

func (m *machine) some(r *rapid.T) (casebook.Case, bool) {
	if len(m.confirmed) == 0 {
		return casebook.Case{}, false
	}
	c, ok, err := m.Desk.Book.Get(m.t.Context(), rapid.SampledFrom(m.confirmed).Draw(r, "record"))
	if err != nil || !ok {
		r.Fatalf("a confirmed record is gone: %v", err)
	}
	return c, true
}

// mayFail passes over what an act tells when the power went or the state forbids it.
func (m *machine) mayFail(r *rapid.T, err error) bool {
	switch fault.CodeOf(err) {
	case "":
		return true
	case fault.Unknown: // the screen says so, and what is there is on the list
		m.adopt(r)
		return false
	case fault.Conflict, fault.Unavailable, fault.NotFound:
		return false
	}
	r.Fatalf("%v", err)
	return false
}

// adopt takes what an unknown outcome left behind as it is.
func (m *machine) adopt(r *rapid.T) {
	rows, _, err := m.Desk.Book.Top(m.t.Context(), 1<<20, func(*casebook.Row) int { return 0 })
	if err != nil {
		r.Fatal(err)
	}
	for _, c := range rows {
		if !slices.Contains(m.confirmed, c.RecordID) {
			m.confirmed = append(m.confirmed, c.RecordID)
		}
		if c.State == eligibility.Voided {
			m.voided[c.RecordID] = true
		}
		if c.Answer != nil {
			m.answers[c.RecordID] = c.Answer.Validity
		}
	}
}

func (m *machine) record(r *rapid.T) {
	c, _, err := m.Desk.Record(m.t.Context(), m.entry(r))
	if m.mayFail(r, err) {
		m.confirmed = append(m.confirmed, c.RecordID)
	}
}

func (m *machine) amend(r *rapid.T) {
	old, ok := m.some(r)
	if !ok {
		return
	}
	e := m.entry(r)
	e.Reason = rapid.SampledFrom([]eligibility.AmendReason{eligibility.Typo, eligibility.Completed, eligibility.WrongPatient}).Draw(r, "reason")
	c, _, err := m.Desk.Amend(m.t.Context(), old.RecordID, e)
	if m.mayFail(r, err) {
		m.confirmed = append(m.confirmed, c.RecordID)
		m.voided[old.RecordID] = true
	}
}

func (m *machine) void(r *rapid.T) {
	if c, ok := m.some(r); ok && m.mayFail(r, m.Desk.Void(m.t.Context(), c.RecordID, eligibility.CancelledVisit, one)) {
		m.voided[c.RecordID] = true
	}
}

func (m *machine) undo(r *rapid.T) {
	before := map[string]eligibility.State{}
	for _, id := range m.confirmed {
		c, _, _ := m.Desk.Book.Get(m.t.Context(), id)
		before[id] = c.State
	}
	if _, err := m.Desk.Undo(m.t.Context(), one); !m.mayFail(r, err) {
		return
	}
	changed := 0
	for _, id := range m.confirmed {
		if c, _, _ := m.Desk.Book.Get(m.t.Context(), id); c.State != before[id] {
			if before[id] != eligibility.Queued && before[id] != eligibility.Recorded {
				r.Fatalf("what was %s was undone", before[id])
			}
			m.voided[id] = true
			changed++
		}
	}
	if changed != 1 {
		r.Fatalf("undo changed %d rows", changed)
	}
}

func (m *machine) chases(r *rapid.T) { m.mayFail(r, m.Desk.Chase(m.t.Context())) }

func (m *machine) reconcile(r *rapid.T) { m.mayFail(r, m.Desk.Reconcile(m.t.Context())) }

// answer gives an answer to any question that ever went out, late, twice or contradicting.
func (m *machine) answer(r *rapid.T) {
	if m.online == nil {
		m.payerAnswers(r)
		return
	}
	if len(m.online.asked) == 0 {
		return
	}
	q := rapid.SampledFrom(m.online.asked).Draw(r, "question")
	word := rapid.SampledFrom([]eligibility.Validity{
		eligibility.Valid, eligibility.Invalid, eligibility.NewerCoverage, eligibility.NoneFound, eligibility.SeveralFound, "",
	}).Draw(r, "word")
	segment := rapid.SampledFrom([]oqs.Segment{oqs.Done, oqs.Done, oqs.Done, oqs.InProgress, oqs.Abnormal}).Draw(r, "segment")
	result := told(casebook.Case{RecordID: q.RecordID, VisitDay: q.VisitDay, Inquiry: q}, validity(word), func(o *oqs.Result) { o.Segment = segment })
	if !m.mayFail(r, m.Desk.TakeOnline(m.t.Context(), result)) || segment != oqs.Done || m.voided[q.RecordID] {
		return
	}
	if was := m.answers[q.RecordID]; was == "" || was == eligibility.CheckFailed {
		if word == "" {
			word = eligibility.CheckFailed
		}
		m.answers[q.RecordID] = word
	}
}

// payerAnswers gives a payer's answer to any record with numbers, late, twice or
// contradicting.
func (m *machine) payerAnswers(r *rapid.T) {
	c, ok := m.some(r)
	if !ok || !c.HasNumbers() {
		return
	}
	a := eligibility.Answer{RecordID: c.RecordID, VisitDay: c.VisitDay, Validity: rapid.SampledFrom([]eligibility.Validity{
		eligibility.Valid, eligibility.Invalid, eligibility.NoneFound, eligibility.CheckFailed,
	}).Draw(r, "word")}
	plain, err := a.Encode()
	if err != nil {
		r.Fatal(err)
	}
	m.cursor++
	if err := m.Desk.Take(m.t.Context(), []wire.Answer{{Cursor: m.cursor, RecordID: c.RecordID, Sealed: reversed(plain)}}, m.cursor); err != nil {
		r.Fatal(err)
	}
	if was := m.answers[c.RecordID]; !m.voided[c.RecordID] && c.State != eligibility.Reviewed && (was == "" || was == eligibility.CheckFailed) {
		m.answers[c.RecordID] = a.Validity
	}
}

func (m *machine) review(r *rapid.T) {
	if c, ok := m.some(r); ok {
		m.mayFail(r, m.Desk.CloseTask(m.t.Context(), c.RecordID, "受付１"))
	}
}

// settle takes the backend's word on the records that wait.
func (m *machine) settle(r *rapid.T) {
	receipt := wire.Receipt{}
	for _, record := range m.records(m.t) {
		status := rapid.SampledFrom([]wire.Status{wire.Accepted, wire.Duplicate, wire.Retry}).Draw(r, "status")
		receipt.Results = append(receipt.Results, wire.Result{ID: record.ID, Status: status})
	}
	if m.mayFail(r, m.Desk.Settled(m.t.Context(), receipt)) {
		m.sent = append(m.sent, m.records(m.t)...)
		if err := m.queue.Settle(m.t.Context(), receipt); err != nil {
			r.Fatal(err)
		}
	}
}

func (m *machine) wait(r *rapid.T) {
	m.now = m.now.Add(time.Duration(rapid.IntRange(1, 7200).Draw(r, "seconds")) * time.Second)
}

// cut cuts the power after so many more commits.
func (m *machine) cut(r *rapid.T) {
	m.power.left = rapid.IntRange(0, 3).Draw(r, "commits")
	m.power.once = rapid.Bool().Draw(r, "unconfirmed")
}

// restart starts the desk again from its disk.
func (m *machine) restart(*rapid.T) {
	m.close()
	m.open(m.t)
	m.power = &power{left: 1 << 30}
	m.wire()
}

func (m *machine) check(r *rapid.T) {
	rows, err := m.Desk.Book.IDs(m.t.Context(), func(*casebook.Row) bool { return true })
	if err != nil {
		r.Fatal(err)
	}
	seen := map[string]int{}
	for _, id := range rows {
		v, err := m.Desk.Case(m.t.Context(), id)
		if err != nil {
			r.Fatal(err)
		}
		seen[id]++
		m.checkRow(r, v)
	}
	for _, id := range m.confirmed {
		if seen[id] != 1 {
			r.Fatalf("a confirmed record is there %d times", seen[id])
		}
	}
	if len(rows) != len(m.confirmed) {
		r.Fatalf("%d rows, %d confirmed", len(rows), len(m.confirmed))
	}
}

func (m *machine) checkRow(r *rapid.T, v check.View) {
	word, told := m.answers[v.RecordID]
	switch {
	case v.Answer == nil && slices.Contains([]check.Display{"valid", "invalid", "newer_coverage", "none_found", "several_found", "error"}, v.Display):
		r.Fatalf("%s without an answer", v.Display)
	case v.Answer != nil && (!told || v.Answer.Validity != word):
		r.Fatalf("the row says %s, the terminal said %q", v.Answer.Validity, word)
	case m.voided[v.RecordID] != (v.State == eligibility.Voided):
		r.Fatalf("%s, voided %v", v.State, m.voided[v.RecordID])
	case v.State == eligibility.Voided && v.Task.Open():
		r.Fatal("a voided record has a task")
	case v.State == eligibility.Recorded && v.HasNumbers(), v.State == eligibility.Sent && v.Asked == 0 && m.online != nil:
		r.Fatalf("%s, numbers %v, asked %d", v.State, v.HasNumbers(), v.Asked)
	}
	if v.AmendedBy != "" {
		if by, ok, _ := m.Desk.Book.Get(m.t.Context(), v.AmendedBy); !ok || by.Amends != v.RecordID {
			r.Fatal("a correction and what it corrects do not point to each other")
		}
	}
}

// agree compares the rows with the wire records once everything owed is paid: one check each,
// one amendment for each that was taken back, an outcome for each answer.
func (m *machine) agree(r *rapid.T) {
	m.restart(r)
	if err := m.Desk.Reconcile(m.t.Context()); err != nil {
		r.Fatal(err)
	}
	m.check(r)
	checks, amendments, outcomes := map[string]int{}, map[string]wire.EligibilityAmendment{}, map[string]string{}
	for _, id := range m.all(r) {
		record, ok, err := m.queue.Find(m.t.Context(), id)
		if err != nil || !ok {
			r.Fatalf("%v", err)
		}
		switch record.Kind {
		case wire.KindEligibilityCheck:
			body, err := wire.DecodeEligibilityCheck(record.Body)
			c, _, _ := m.Desk.Book.Get(m.t.Context(), record.ID)
			if sealed := m.online == nil && c.HasNumbers(); err != nil || sealed != (len(body.Sealed) > 0) || sealed == (body.Route == wire.RouteTerminal) {
				r.Fatalf("%+v: %v", body, err)
			}
			checks[record.ID]++
		case wire.KindEligibilityAmendment:
			body, err := wire.DecodeEligibilityAmendment(record.Body)
			if _, twice := amendments[body.Of]; err != nil || twice {
				r.Fatalf("taken back twice %v: %v", twice, err)
			}
			amendments[body.Of] = body
		case wire.KindEligibilityOutcome:
			body, err := wire.DecodeEligibilityOutcome(record.Body)
			if was := outcomes[body.Of]; err != nil || (was != "" && was != "error") {
				r.Fatalf("two outcomes: %v", err)
			}
			outcomes[body.Of] = body.Validity
		}
	}
	for _, id := range m.confirmed {
		c, _, _ := m.Desk.Book.Get(m.t.Context(), id)
		a, taken := amendments[id]
		switch {
		case checks[id] != 1:
			r.Fatalf("%d checks on the wire", checks[id])
		case taken != (c.State == eligibility.Voided) || (taken && (a.By != c.AmendedBy || a.Reason != string(c.VoidReason))):
			r.Fatalf("%s, amendment %+v", c.State, a)
		case m.online != nil && outcomes[id] != string(m.answers[id]), m.online == nil && outcomes[id] != "":
			r.Fatalf("outcome %q, answer %q", outcomes[id], m.answers[id])
		case len(c.Owed) != 0:
			r.Fatal("something is still owed")
		}
	}
	if len(checks) != len(m.confirmed) {
		r.Fatalf("%d checks on the wire, %d confirmed", len(checks), len(m.confirmed))
	}
}

// all gives the IDs of every record that the queue ever took.
func (m *machine) all(r *rapid.T) []string {
	var ids []string
	for _, record := range append(m.sent, m.records(m.t)...) {
		if !slices.Contains(ids, record.ID) {
			ids = append(ids, record.ID)
		}
	}
	return ids
}

// TestAnythingCanHappenAtTheDesk runs random acts, answers, settlements and power cuts.
func TestAnythingCanHappenAtTheDesk(t *testing.T) {
	if os.Getenv("MADOGUCHI_SOAK") == "" {
		checks := flag.Lookup("rapid.checks")
		was := checks.Value.String()
		if err := checks.Value.Set("50"); err != nil { // each begins a file and syncs every act
			t.Fatal(err)
		}
		defer func() { _ = checks.Value.Set(was) }()
	}
	for name, open := range map[string]func(testing.TB) *bench{"the clinic's own terminal": newClinic, "a payer": newBench} {
		t.Run(name, func(t *testing.T) { anything(t, open) })
	}
}

func anything(t *testing.T, open func(testing.TB) *bench) {
	t.Helper()
	n, answered, voided := 0, 0, 0
	rapid.Check(t, func(r *rapid.T) {
		m := &machine{bench: open(t), t: t, answers: map[string]eligibility.Validity{}, voided: map[string]bool{}}
		defer m.close()
		m.restart(r)
		r.Repeat(map[string]func(*rapid.T){
			"": m.check, "record": m.record, "record again": m.record, "record more": m.record, "amend": m.amend, "void": m.void, "undo": m.undo,
			"chase": m.chases, "chase again": m.chases, "answer": m.answer, "answer again": m.answer, "answer late": m.answer,
			"review": m.review, "settle": m.settle, "reconcile": m.reconcile, "wait": m.wait, "cut": m.cut, "restart": m.restart, "restart again": m.restart,
		})
		m.agree(r)
		n, answered, voided = n+len(m.confirmed), answered+len(m.answers), voided+len(m.voided)
	})
	t.Logf("%d records, %d answered, %d taken back", n, answered, voided)
	if answered == 0 || voided == 0 {
		t.Error("the acts never came to an answer or a correction")
	}
}
