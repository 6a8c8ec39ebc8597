package check_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/check"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/insurance"
	"madoguchi.example/shared/oqs"
	"madoguchi.example/shared/wire"
)

// told is what the clinic's own terminal answers to a case: valid, as it was recorded.
func told(c casebook.Case, change ...func(*oqs.Result)) oqs.Result {
	coverage := &oqs.Coverage{
		Insurer: insurance.InsurerNumber(c.Inquiry.InsurerNumber), Symbol: c.Inquiry.Symbol, Number: c.Inquiry.Number, Branch: c.Inquiry.Branch,
		Name: "山田　花", NameKana: "ﾔﾏﾀﾞ ﾊﾅ", BirthDate: c.Inquiry.BirthDate, From: civil.Date{Year: 2020, Month: 4, Day: 1},
	}
	r := oqs.Result{
		Identifier: c.RecordID, ForDay: c.VisitDay, Segment: oqs.Done, Institution: "1312345678",
		Items: []oqs.Item{{Status: oqs.StatusOK, Validity: eligibility.Valid, Coverage: coverage}},
	}
	for _, f := range change {
		f(&r)
	}
	return r
}

func validity(v eligibility.Validity) func(*oqs.Result) {
	return func(r *oqs.Result) { r.Items[0].Validity = v }
}

func (b *bench) chase(t *testing.T) {
	t.Helper()
	if err := b.Chase(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) tell(t *testing.T, r oqs.Result) {
	t.Helper()
	if err := b.TakeOnline(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// records gives every wire record that waits, in order.
func (b *bench) records(t testing.TB) []wire.Record {
	t.Helper()
	records, err := b.queue.Peek(t.Context(), wire.MaxBatchRecords, 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func kinds(records []wire.Record) string {
	var all []string
	for _, r := range records {
		all = append(all, strings.TrimPrefix(string(r.Kind), "eligibility."))
	}
	return strings.Join(all, " ")
}

func TestTheClinicsOwnTerminalIsAskedAndTheNumbersStay(t *testing.T) {
	b := newClinic(t)
	e := entry()
	e.Number, e.Symbol = "9876543", "4711"
	c, _, err := b.Record(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if c.Route != eligibility.RouteTerminal || c.State != eligibility.Queued || c.Cause != eligibility.CauseNone {
		t.Errorf("%s %s %s", c.Route, c.State, c.Cause)
	}
	if v := b.shown(t, c.RecordID); v.Display != check.DisplayChecking {
		t.Errorf("before it is asked: %s", v.Display)
	}
	b.chase(t)
	if len(b.online.asked) != 1 || b.online.asked[0].RecordID != c.RecordID || b.online.asked[0].Number != "9876543" || b.online.asked[0].VisitDay != c.VisitDay {
		t.Fatalf("asked %d", len(b.online.asked))
	}
	if v := b.shown(t, c.RecordID); v.State != eligibility.Sent || v.Asked != 1 || v.Display != check.DisplayChecking {
		t.Errorf("asked: %s %s", v.State, v.Display)
	}
	b.now = b.now.Add(2 * time.Second)
	b.tell(t, told(c))
	if v := b.shown(t, c.RecordID); v.State != eligibility.Answered || v.Task.Open() || v.Cause != eligibility.CauseNone || v.Names != "same" || v.Display != "valid" {
		t.Errorf("answered: %s %s, task %+v, names %q", v.State, v.Display, v.Task, v.Names)
	}
	records := b.records(t)
	if kinds(records) != "check outcome" {
		t.Fatalf("records %s", kinds(records))
	}
	for _, r := range records {
		for _, secret := range []string{"9876543", "4711", "06139997", "1980", "ヤマダ", "山田", "受付"} {
			if strings.Contains(string(r.Body), secret) {
				t.Errorf("%s stands in %s", secret, r.Kind)
			}
		}
	}
	sent, err := wire.DecodeEligibilityCheck(records[0].Body)
	if err != nil || sent.Route != wire.RouteTerminal || sent.Operator != "op_1" || records[0].WantsAnswer() {
		t.Errorf("check %+v: %v", sent, err)
	}
	out, err := wire.DecodeEligibilityOutcome(records[1].Body)
	if err != nil || out.Of != c.RecordID || out.Validity != "valid" || out.WaitedMS != 2000 || out.Differing || out.Cause != "none" {
		t.Errorf("outcome %+v: %v", out, err)
	}
}

// Late is late and never invalid; the question goes out again with growing gaps, for the day
// of the visit.
func TestAQuestionWithoutAnAnswerIsAskedAgainWithGrowingGaps(t *testing.T) {
	b := newClinic(t)
	c := b.record(t)
	b.chase(t)
	start := b.now
	var at []time.Duration
	for b.now.Before(start.Add(4 * time.Hour)) {
		b.now = b.now.Add(10 * time.Second)
		before := len(b.online.asked)
		b.chase(t)
		if len(b.online.asked) > before {
			at = append(at, b.now.Sub(start))
		}
		want := check.DisplayLate
		if v := b.shown(t, c.RecordID); v.Display != want && v.Display != check.DisplayChecking {
			t.Fatalf("after %s: %s", b.now.Sub(start), v.Display)
		}
	}
	want := []time.Duration{time.Minute, 6 * time.Minute, 21 * time.Minute, 81 * time.Minute, 141 * time.Minute, 201 * time.Minute}
	if len(at) != len(want) {
		t.Fatalf("asked again after %v", at)
	}
	for i := range want {
		if at[i] != want[i] {
			t.Errorf("asked again after %v, want %v", at, want)
			break
		}
	}
	b.now = b.now.AddDate(0, 0, 2)
	b.chase(t)
	if last := b.online.asked[len(b.online.asked)-1]; last.VisitDay != c.VisitDay {
		t.Errorf("a late question is for %s, the visit was %s", last.VisitDay, c.VisitDay)
	}
	b.tell(t, told(c))
	if v := b.shown(t, c.RecordID); v.State != eligibility.Answered || v.Cause != eligibility.CauseLineAfter {
		t.Errorf("%s %s", v.State, v.Cause)
	}
	b.chase(t)
	if out, err := wire.DecodeEligibilityOutcome(b.records(t)[1].Body); err != nil || out.Cause != "line_after" {
		t.Errorf("outcome %+v: %v", out, err)
	}
}

func TestNothingIsAskedWhileTheTerminalIsAwayOrClosed(t *testing.T) {
	b := newClinic(t)
	b.online.health = check.Health{Fault: "no_folder"}
	c := b.record(t)
	if c.Cause != eligibility.CauseTheirsBefore {
		t.Errorf("cause %s", c.Cause)
	}
	b.chase(t)
	if v := b.shown(t, c.RecordID); v.State != eligibility.Queued || v.Display != check.DisplayOffline || len(b.online.asked) != 0 {
		t.Errorf("%s %s", v.State, v.Display)
	}
	b.online.health.Ready = true
	b.Desk.Hours = func(time.Time) bool { return false }
	b.chase(t)
	if len(b.online.asked) != 0 {
		t.Error("asked after hours")
	}
	b.Desk.Hours = func(time.Time) bool { return true }
	b.online.fail = fault.New(fault.Unavailable, "the folder is gone")
	if err := b.Chase(t.Context()); err == nil {
		t.Error("a folder that is gone is no error")
	}
	if v := b.shown(t, c.RecordID); v.State != eligibility.Queued || v.Asked != 0 {
		t.Errorf("%s, asked %d", v.State, v.Asked)
	}
	b.online.fail = nil
	b.chase(t)
	if v := b.shown(t, c.RecordID); v.State != eligibility.Sent {
		t.Errorf("%s", v.State)
	}
}

func TestAnInquiryThatCannotBeWrittenIsATask(t *testing.T) {
	b := newClinic(t)
	c := b.record(t)
	b.online.fail = fault.At(fault.InvalidArgument, "symbol", oqs.RefusedCharacter)
	b.chase(t)
	v := b.shown(t, c.RecordID)
	if v.State != eligibility.Refused || v.Refusal != oqs.RefusedCharacter || !v.Task.Open() {
		t.Errorf("%s %q", v.State, v.Refusal)
	}
}

func TestWhatTheTerminalSays(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*oqs.Result)
		code    fault.Code // of TakeOnline
		state   eligibility.State
		display check.Display
		task    casebook.TaskKind
		cause   eligibility.Cause
		need    check.Need
	}{
		"valid":       {validity(eligibility.Valid), "", eligibility.Answered, "valid", "", eligibility.CauseNone, ""},
		"invalid":     {validity(eligibility.Invalid), "", eligibility.Answered, "invalid", casebook.TaskDiffers, eligibility.CauseNone, check.NeedDeclaration},
		"newer":       {validity(eligibility.NewerCoverage), "", eligibility.Answered, "newer_coverage", casebook.TaskDiffers, eligibility.CauseNone, ""},
		"none":        {func(r *oqs.Result) { r.Items[0].Validity, r.Items[0].Coverage = eligibility.NoneFound, nil }, "", eligibility.Answered, "none_found", casebook.TaskDiffers, eligibility.CauseNone, check.NeedDeclaration},
		"several":     {validity(eligibility.SeveralFound), "", eligibility.Answered, "several_found", casebook.TaskDiffers, eligibility.CauseNone, ""},
		"its error":   {func(r *oqs.Result) { r.Items[0] = oqs.Item{Status: oqs.StatusError, Code: "E1"} }, "", eligibility.Answered, check.DisplayError, casebook.TaskFailed, eligibility.CauseNone, ""},
		"in progress": {func(r *oqs.Result) { r.Segment, r.Items = oqs.InProgress, nil }, "", eligibility.Sent, check.DisplayChecking, "", eligibility.CauseNone, ""},
		"abnormal":    {func(r *oqs.Result) { r.Segment, r.Items = oqs.Abnormal, nil }, "", eligibility.Queued, check.DisplayOffline, "", eligibility.CauseTheirsAfter, ""},
		"other end":   {func(r *oqs.Result) { r.Segment, r.Items = oqs.OtherEnd, nil }, "", eligibility.Queued, check.DisplayOffline, "", eligibility.CauseTheirsAfter, ""},
		"another day": {func(r *oqs.Result) { r.ForDay = r.ForDay.AddDays(1) }, fault.Conflict, eligibility.Sent, check.DisplayChecking, "", eligibility.CauseNone, ""},
		"another id":  {func(r *oqs.Result) { r.Identifier = paperID }, fault.NotFound, eligibility.Sent, check.DisplayChecking, "", eligibility.CauseNone, ""},
		"malformed":   {func(r *oqs.Result) { r.Items[0].Coverage.Symbol = strings.Repeat("あ", 21) }, "", eligibility.Answered, check.DisplayError, casebook.TaskFailed, eligibility.CauseNone, ""},
		"another person": {func(r *oqs.Result) { r.Items[0].Coverage.NameKana = "ｻﾄｳ ｲﾁﾛｳ" }, "", eligibility.Answered, "valid",
			casebook.TaskOtherPerson, eligibility.CauseNone, ""},
		"another birth date": {func(r *oqs.Result) { r.Items[0].Coverage.BirthDate = civil.Date{Year: 1980, Month: 4, Day: 2} }, "",
			eligibility.Answered, "valid", casebook.TaskOtherPerson, eligibility.CauseNone, ""},
		"another number": {func(r *oqs.Result) { r.Items[0].Coverage.Number = "1" }, "", eligibility.Answered, "valid",
			casebook.TaskDiffers, eligibility.CauseNone, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newClinic(t)
			r := b.record(t)
			b.chase(t)
			if err := b.TakeOnline(t.Context(), told(r, c.change)); fault.CodeOf(err) != c.code {
				t.Fatalf("%v", err)
			}
			v := b.shown(t, r.RecordID)
			kind := casebook.TaskKind("")
			if v.Task.Open() {
				kind = v.Task.Kind
			}
			if v.State != c.state || v.Display != c.display || kind != c.task || v.Cause != c.cause || v.Need != c.need {
				t.Errorf("%s %s, task %q, cause %s, need %q", v.State, v.Display, kind, v.Cause, v.Need)
			}
			if v.OtherPerson != (c.task == casebook.TaskOtherPerson) {
				t.Errorf("other person %v", v.OtherPerson)
			}
			if out := kinds(b.records(t)); (out == "check outcome") != (c.state == eligibility.Answered) {
				t.Errorf("records %s", out)
			}
		})
	}
}

func TestAfterAnAbnormalEndTheQuestionGoesOutAgain(t *testing.T) {
	b := newClinic(t)
	c := b.record(t)
	b.chase(t)
	b.tell(t, told(c, func(r *oqs.Result) { r.Segment, r.ErrorCode, r.Items = oqs.Abnormal, "E9", nil }))
	b.chase(t)
	if len(b.online.asked) != 1 {
		t.Error("asked again at once: a terminal in trouble is flooded")
	}
	b.now = b.now.Add(time.Minute)
	b.chase(t)
	if len(b.online.asked) != 2 || b.shown(t, c.RecordID).State != eligibility.Sent {
		t.Errorf("asked %d times", len(b.online.asked))
	}
	b.tell(t, told(c))
	if v := b.shown(t, c.RecordID); v.State != eligibility.Answered || v.Cause != eligibility.CauseTheirsAfter {
		t.Errorf("%s %s", v.State, v.Cause)
	}
}

// A question that ended abnormally is asked again at once when the terminal has answered
// another, and every five minutes otherwise, however often it was asked.
func TestTheNationalSystemIsBack(t *testing.T) {
	b := newClinic(t)
	abnormal := func(r *oqs.Result) { r.Segment, r.ErrorCode, r.Items = oqs.Abnormal, "E9", nil }
	c := b.record(t)
	for range 6 {
		b.chase(t)
		b.tell(t, told(c, abnormal))
		b.now = b.now.Add(5 * time.Minute)
	}
	if n := len(b.online.asked); n != 6 {
		t.Fatalf("in half an hour asked %d times", n)
	}
	b.chase(t)
	b.tell(t, told(c, abnormal))
	other := b.record(t)
	b.now = b.now.Add(time.Second)
	b.chase(t)
	b.tell(t, told(other))
	asked := len(b.online.asked)
	b.chase(t)
	if len(b.online.asked) != asked+1 || b.shown(t, c.RecordID).State != eligibility.Sent {
		t.Errorf("another was answered, and this one is not asked: %d questions more", len(b.online.asked)-asked)
	}
}

func TestTheFirstAnswerCounts(t *testing.T) {
	b := newClinic(t)
	c := b.record(t)
	b.chase(t)
	for range 3 {
		b.tell(t, told(c))
	}
	if err := b.TakeOnline(t.Context(), told(c, validity(eligibility.Invalid))); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("another answer: %v", err)
	}
	b.close()
	b.open(t) // the same again after a restart
	b.tell(t, told(c))
	if v := b.shown(t, c.RecordID); v.Display != "valid" || v.Task.Open() || kinds(b.records(t)) != "check outcome" {
		t.Errorf("%s, records %s", v.Display, kinds(b.records(t)))
	}
}

// A check that ended with an error takes a word that comes after all.
func TestAWordAfterAnError(t *testing.T) {
	b := newClinic(t)
	c := b.record(t)
	b.tell(t, told(c, func(r *oqs.Result) { r.Items[0] = oqs.Item{Status: oqs.StatusError, Code: "E1"} }))
	b.tell(t, told(c))
	if v := b.shown(t, c.RecordID); v.Display != "valid" || v.Task.Open() || kinds(b.records(t)) != "check outcome outcome" {
		t.Errorf("%s, task %+v, %s", v.Display, v.Task, kinds(b.records(t)))
	}
}

// What a folder on a machine that hangs does to recording: nothing.
func TestRecordingDoesNotWaitForTheFolder(t *testing.T) {
	b := newClinic(t)
	first := b.record(t)
	b.online.onAsk = func() {
		b.online.onAsk = nil
		if _, _, err := b.Record(t.Context(), entry()); err != nil {
			t.Error(err)
		}
		b.tell(t, told(first)) // and the answer overtakes the note that the question is out
	}
	b.chase(t)
	if v := b.shown(t, first.RecordID); v.State != eligibility.Answered {
		t.Errorf("the answer was overwritten: %s", v.State)
	}
}

// A queue that is full keeps nobody from the answer; its outcome follows when there is room.
func TestAnAnswerWithAFullQueue(t *testing.T) {
	b := newClinic(t)
	c := b.record(t)
	full := &fickle{Queue: b.queue}
	full.refuse = fault.New(fault.QueueFull, "full")
	b.Desk.Queue = full
	b.tell(t, told(c, validity(eligibility.Invalid)))
	if v := b.shown(t, c.RecordID); v.State != eligibility.Answered || len(v.Owed) != 1 || v.Closed() {
		t.Fatalf("%s, owed %d", v.State, len(v.Owed))
	}
	if err := b.Chase(t.Context()); fault.CodeOf(err) != fault.QueueFull {
		t.Errorf("what is owed is not told: %v", err)
	}
	full.refuse = nil
	b.close()
	b.open(t)
	b.chase(t)
	if v := b.shown(t, c.RecordID); len(v.Owed) != 0 || kinds(b.records(t)) != "check outcome" {
		t.Errorf("owed %d, records %s", len(v.Owed), kinds(b.records(t)))
	}
}

func TestTheBackendsWordSaysNothingOfAQuestionThatItIsNotAsked(t *testing.T) {
	b := newClinic(t)
	c := b.record(t)
	settle := func(status wire.Status) {
		if err := b.Settled(t.Context(), wire.Receipt{Results: []wire.Result{{ID: c.RecordID, Status: status, Code: "invalid_argument"}}}); err != nil {
			t.Fatal(err)
		}
	}
	settle(wire.Accepted)
	if v := b.shown(t, c.RecordID); v.State != eligibility.Queued {
		t.Errorf("taken by the backend: %s", v.State)
	}
	settle(wire.Rejected)
	v := b.shown(t, c.RecordID)
	if v.State != eligibility.Queued || !v.Task.Open() || v.Task.Kind != casebook.TaskRefused {
		t.Errorf("refused by the backend: %s, task %+v", v.State, v.Task)
	}
	if err := b.CloseTask(t.Context(), c.RecordID, "受付１"); err != nil {
		t.Fatal(err)
	}
	settle(wire.Rejected)
	if v := b.shown(t, c.RecordID); v.Task.Open() {
		t.Error("the same refusal is a task twice")
	}
}

func TestClosingTheTaskOfAnAnswerReviewsIt(t *testing.T) {
	b := newClinic(t)
	c := b.record(t)
	b.tell(t, told(c, validity(eligibility.Invalid)))
	if err := b.CloseTask(t.Context(), c.RecordID, "受付２"); err != nil {
		t.Fatal(err)
	}
	v := b.shown(t, c.RecordID)
	if v.State != eligibility.Reviewed || v.Display != check.DisplayReviewed || v.Answer.Validity != eligibility.Invalid || v.Why != "" {
		t.Errorf("%s %s", v.State, v.Display)
	}
	if err := b.TakeOnline(t.Context(), told(c)); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("%v", err)
	}
}

// A row of a terminal of before the clinic's own terminal was asked is treated as it was.
func TestRowsOfAnEarlierVersion(t *testing.T) {
	b := newClinic(t)
	id, err := b.queue.NewID()
	if err != nil {
		t.Fatal(err)
	}
	row := `{"record_id":"` + id + `","recorded_at":"2026-11-20T01:00:00Z","visit_day":"2026-11-20","operator":"受付１","label":"ヤマダ ハナ",
		"inquiry":{"record_id":"` + id + `","insurer_number":"06139997","symbol":"12","number":"3456","branch":"01","birth_date":"1980-04-01","visit_day":"2026-11-20"},
		"evidence":"certificate","cause":"line_down","assumed":{"validity":"valid","copayment_percent":30},"state":"recorded","sent_at":"0001-01-01T00:00:00Z"}`
	if err := b.vault.Shelf(casebook.ShelfName).Put(t.Context(), id, []byte(row)); err != nil {
		t.Fatal(err)
	}
	if v := b.shown(t, id); v.State != eligibility.Queued || v.Route != eligibility.RoutePayer || v.Display != check.DisplayLate || v.Need != "" || !v.Cause.Known() {
		t.Errorf("%s %s %s %q", v.State, v.Route, v.Display, v.Need)
	}
	b.chase(t)
	if len(b.online.asked) != 0 {
		t.Error("a question that went to the payer is asked of the clinic's own terminal too")
	}
	if err := b.Settled(t.Context(), wire.Receipt{Results: []wire.Result{{ID: id, Status: wire.Accepted}}}); err != nil {
		t.Fatal(err)
	}
	b.close()
	b.open(t)
	if v := b.shown(t, id); v.State != eligibility.Sent {
		t.Errorf("%s", v.State)
	}
	c, _, _ := b.Desk.Book.Get(t.Context(), id)
	b.answer(t, c, func(*eligibility.Answer) {})
	if v := b.shown(t, id); v.State != eligibility.Answered {
		t.Errorf("%s", v.State)
	}
}

// A disk that is full while a check is recorded: nothing is recorded, the reason is told,
// and the next entry works once there is room.
func TestAFullDisk(t *testing.T) {
	b := newClinic(t)
	b.close()
	b.maxBytes = 96 << 10
	b.open(t)
	n := 0
	var err error
	for ; n < 2000; n++ {
		if _, _, err = b.Record(t.Context(), entry()); err != nil {
			break
		}
	}
	if code := fault.CodeOf(err); code != fault.QueueFull {
		t.Fatalf("after %d: %v", n, err)
	}
	count := func() int {
		rows, more, err := b.Today(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(rows) + more
	}
	if count() != n || b.queue.Stats().Pending != n {
		t.Errorf("%d confirmed, %d rows, %d records", n, count(), b.queue.Stats().Pending)
	}
	b.close()
	b.maxBytes = 0
	b.open(t)
	if count() != n {
		t.Errorf("%d confirmed, %d rows after a restart", n, count())
	}
	b.record(t)
}

func TestAShareIsChargedByARule(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*check.Entry)
		percent int
		rule    string
		need    check.Need
	}{
		"by the table":   {func(e *check.Entry) { e.Copayment = 0 }, 30, "outage-general", ""},
		"chosen alike":   {func(e *check.Entry) { e.Copayment = 30 }, 30, "outage-general", ""},
		"chosen against": {func(e *check.Entry) { e.Copayment = 10 }, 10, "", ""},
		"a child":        {func(e *check.Entry) { e.Copayment, e.BirthDate = 0, "2022-04-01" }, 20, "outage-preschool", ""},
		"72, not asked":  {func(e *check.Entry) { e.Copayment, e.BirthDate = 0, "S29.1.5" }, 20, "outage-70-74", check.NeedCharge},
		"72, by word":    {func(e *check.Entry) { e.Copayment, e.BirthDate = 30, "S29.1.5" }, 30, "outage-70-74", ""},
		"declared": {func(e *check.Entry) {
			e.Copayment, e.BirthDate, e.Evidence = 0, "", eligibility.EvidenceSelfDeclaration
			e.DeclaredTyped = check.DeclarationForm{NameKanji: "山田 花", BirthDate: "S15.1.5", SharePercent: "2割"}
		}, 20, "outage-75", ""},
	} {
		b := newClinic(t)
		e := entry()
		c.change(&e)
		got, _, err := b.Record(t.Context(), e)
		if err != nil || got.Charge.Percent != c.percent || got.Charge.Rule != c.rule || got.Assumed.CopaymentPercent != c.percent {
			t.Errorf("%s: %+v: %v", name, got.Charge, err)
			continue
		}
		if c.rule != "" && (got.Charge.Since.IsZero() || got.Charge.Title == "") {
			t.Errorf("%s: the rule has no date or no name: %+v", name, got.Charge)
		}
		if v := b.shown(t, got.RecordID); v.Need != c.need {
			t.Errorf("%s: need %q", name, v.Need)
		}
		e.Copayment = 0
		if p, ok := b.Propose(e); c.rule == "outage-general" && (!ok || p.Percent != 30) {
			t.Errorf("%s: proposed %+v", name, p)
		}
	}
	if _, ok := newClinic(t).Propose(check.Entry{}); ok {
		t.Error("a share is proposed for nobody")
	}
}

func TestCausesOfAClinic(t *testing.T) {
	card := check.Entry{Evidence: eligibility.EvidenceVisual, BirthDate: "S55.4.1", Label: "ヤマダ ハナ", Operator: "受付１", OperatorID: "op_1"}
	chosen := card
	chosen.Cause = eligibility.CausePowerBefore
	for name, c := range map[string]struct {
		entry  check.Entry
		health check.Health
		reader string
		want   eligibility.Cause
	}{
		"numbers, all well":        {entry(), check.Health{Ready: true}, "", eligibility.CauseNone},
		"numbers, reader broken":   {entry(), check.Health{Ready: true}, "no_reader", eligibility.CauseNone},
		"numbers, folder gone":     {entry(), check.Health{Fault: "no_folder"}, "", eligibility.CauseTheirsBefore},
		"numbers, own disk full":   {entry(), check.Health{Fault: "full"}, "", eligibility.CauseOursBefore},
		"card alone, all well":     {card, check.Health{Ready: true}, "", eligibility.CauseCardBefore},
		"card alone, no reader":    {card, check.Health{Ready: true}, "no_reader", eligibility.CauseReaderBefore},
		"card alone, folder gone":  {card, check.Health{Fault: "no_folder"}, "", eligibility.CauseTheirsBefore},
		"chosen by a receptionist": {chosen, check.Health{Ready: true}, "no_reader", eligibility.CausePowerBefore},
	} {
		b := newClinic(t)
		b.online.health, b.reader = c.health, c.reader
		got, _, err := b.Record(t.Context(), c.entry)
		if err != nil || got.Cause != c.want {
			t.Errorf("%s: %q: %v", name, got.Cause, err)
		}
	}
	b := newClinic(t)
	e := entry()
	e.Cause = "hunger"
	if _, _, err := b.Record(t.Context(), e); !strings.Contains(strings.Join(faults(err), " "), "cause/invalid_argument") {
		t.Errorf("a cause that is none: %v", err)
	}
}

type knower struct {
	asked check.Booked
	known *casebook.Known
	err   error
}

func (k *knower) Known(_ context.Context, who check.Booked) (*casebook.Known, error) {
	k.asked = who
	return k.known, k.err
}

func TestTheLastKnownWordIsShownAndExpires(t *testing.T) {
	b := newClinic(t)
	k := &knower{known: &casebook.Known{AsOf: b.now.Add(-12 * time.Hour), Validity: eligibility.Valid, Expires: b.now.Add(30 * time.Hour)}}
	b.Desk.Bookings = k
	c := b.record(t)
	v := b.shown(t, c.RecordID)
	if v.Known == nil || v.Known.Validity != eligibility.Valid || v.Display == "valid" || v.State != eligibility.Queued {
		t.Fatalf("known %+v, %s", v.Known, v.Display)
	}
	if k.asked.VisitDay != c.VisitDay || k.asked.Kana != "ヤマダ ハナ" || k.asked.Number != "3456" {
		t.Errorf("asked for %+v", k.asked.VisitDay)
	}
	b.now = b.now.Add(31 * time.Hour)
	if v := b.shown(t, c.RecordID); v.Known != nil {
		t.Error("what is known does not expire")
	}
	if _, err := b.Trim(t.Context(), civil.In(b.now).AddDays(-40)); err != nil {
		t.Fatal(err)
	}
	if kept, _, _ := b.Desk.Book.Get(t.Context(), c.RecordID); kept.Known != nil {
		t.Error("what is known stays on the disk")
	}
	k.known, k.err = nil, errors.New("broken")
	b.record(t) // never a condition
}

func TestTheClockOfACase(t *testing.T) {
	b := newClinic(t)
	c := b.record(t)
	for waited, want := range map[time.Duration]check.Level{
		0: check.Calm, 12*time.Hour - 1: check.Calm, 12 * time.Hour: check.Amber, 24*time.Hour - 1: check.Amber, 24 * time.Hour: check.Red, 900 * time.Hour: check.Red, -time.Hour: check.Calm,
	} {
		b.now = c.RecordedAt.Add(waited)
		if v := b.shown(t, c.RecordID); v.Age != want {
			t.Errorf("after %s: %q", waited, v.Age)
		}
	}
	b.tell(t, told(c))
	b.now = c.RecordedAt.Add(48 * time.Hour)
	if v := b.shown(t, c.RecordID); v.Age != check.Calm {
		t.Errorf("an answered case is %s", v.Age)
	}
}
