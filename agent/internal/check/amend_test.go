package check_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/check"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/jptext"
	"madoguchi.example/shared/oqs"
	"madoguchi.example/shared/wire"
)

var one = check.By{Operator: "受付１", OperatorID: "op_1"}

// visual is a card that was looked at and led to no number.
func visual() check.Entry {
	return check.Entry{
		BirthDate: "S55.4.1", Label: "ヤマダ ハナ", Evidence: eligibility.EvidenceVisual, Patient: "P-77",
		Operator: "受付１", OperatorID: "op_1",
	}
}

func TestEvidenceWithoutNumbersIsRecordedAndCompletedLater(t *testing.T) {
	for name, b := range map[string]*bench{"clinic": newClinic(t), "payer": newBench(t)} {
		c, doubts, err := b.Record(t.Context(), visual())
		if err != nil || len(doubts) != 0 || c.State != eligibility.Recorded || c.Charge.Percent != 30 {
			t.Fatalf("%s: %s %v %v", name, c.State, doubts, err)
		}
		if v := b.shown(t, c.RecordID); v.Need != check.NeedNumber || v.Display != check.DisplayRecorded || v.Why != check.WhyNoNumber {
			t.Errorf("%s: %s, need %q", name, v.Display, v.Need)
		}
		b.chase(t)
		if b.online != nil && len(b.online.asked) != 0 {
			t.Errorf("%s: a question without numbers was asked", name)
		}
		body, err := wire.DecodeEligibilityCheck(b.records(t)[0].Body)
		if err != nil || body.Route != wire.RouteTerminal || body.Evidence != "visual_check" || b.records(t)[0].WantsAnswer() {
			t.Errorf("%s: wire %+v: %v", name, body, err)
		}
		b.now = b.now.Add(26 * time.Hour) // the patient calls the next day
		later := check.Entry{Insurer: "06139997", Symbol: "12", Number: "3456", Evidence: eligibility.EvidencePortalScreen, Reason: eligibility.Completed, Operator: "受付２", OperatorID: "op_2", Override: true}
		whole, _, err := b.Amend(t.Context(), c.RecordID, later)
		if err != nil || whole.State != eligibility.Queued || whole.Amends != c.RecordID {
			t.Fatalf("%s: %s %v", name, whole.State, err)
		}
		if whole.VisitDay != c.VisitDay || whole.Inquiry.BirthDate != c.Inquiry.BirthDate || whole.Label != c.Label || whole.Patient != "P-77" {
			t.Errorf("%s: the day or the patient changed", name)
		}
		v := b.shown(t, c.RecordID)
		if v.State != eligibility.Voided || v.AmendedBy != whole.RecordID || v.VoidReason != eligibility.Completed || v.Display != check.DisplayVoided || v.Why != "" {
			t.Errorf("%s: old %s by %q", name, v.State, v.AmendedBy)
		}
		records := b.records(t)
		if kinds(records) != "check check amendment" {
			t.Fatalf("%s: %s", name, kinds(records))
		}
		second, err := wire.DecodeEligibilityCheck(records[1].Body)
		if err != nil || second.Amends != c.RecordID || second.VisitDay != c.VisitDay {
			t.Errorf("%s: check %+v: %v", name, second, err)
		}
		a, err := wire.DecodeEligibilityAmendment(records[2].Body)
		if err != nil || a.Of != c.RecordID || a.By != whole.RecordID || a.Reason != "completed" || a.Operator != "op_2" {
			t.Errorf("%s: amendment %+v: %v", name, a, err)
		}
	}
}

func TestEvidence(t *testing.T) {
	person := &eligibility.Person{NameKanji: "髙橋 花", BirthDate: civil.Date{Year: 1980, Month: 4, Day: 1}, Proven: true}
	form := check.DeclarationForm{NameKanji: "髙橋 花", NameKana: "タカハシ ハナ", BirthDate: "S55.4.1"}
	for name, c := range map[string]struct {
		change func(*check.Entry)
		state  eligibility.State
		need   check.Need
		faults []string
	}{
		"card and PIN": {func(e *check.Entry) {
			e.Evidence, e.Person, e.Label, e.BirthDate = eligibility.EvidenceCardPIN, person, "", ""
		}, eligibility.Recorded, check.NeedNumber, nil},
		"card, nobody named": {func(e *check.Entry) { e.Evidence, e.Label = eligibility.EvidenceCardPIN, "" }, "", "", []string{"label/invalid_argument"}},
		"visual check":       {func(e *check.Entry) { e.Evidence = eligibility.EvidenceVisual }, eligibility.Recorded, check.NeedNumber, nil},
		"declaration": {func(e *check.Entry) {
			e.Evidence, e.DeclaredTyped, e.Label, e.BirthDate = eligibility.EvidenceSelfDeclaration, form, "", ""
		}, eligibility.Recorded, check.NeedReport, nil},
		"declaration, empty": {func(e *check.Entry) { e.Evidence = eligibility.EvidenceSelfDeclaration }, "", "", []string{"declared_name_kanji/invalid_argument"}},
		"declaration with number": {func(e *check.Entry) {
			e.Evidence, e.DeclaredTyped, e.Insurer, e.Number = eligibility.EvidenceSelfDeclaration, form, "33120015", "1"
		}, eligibility.Queued, "", nil},
		"half a number": {func(e *check.Entry) { e.Evidence, e.Insurer = eligibility.EvidenceVisual, "33120015" }, "", "", []string{"number/invalid_argument"}},
		"certificate":   {func(e *check.Entry) { e.Evidence = eligibility.EvidenceCertificate }, "", "", []string{"insurer_number/invalid_argument", "number/invalid_argument"}},
		"notice":        {func(e *check.Entry) { e.Evidence, e.Insurer, e.Number = eligibility.EvidenceNotice, "33120015", "1" }, eligibility.Queued, "", nil},
		"past record": {func(e *check.Entry) {
			e.Evidence, e.Insurer, e.Number = eligibility.EvidencePastRecord, "33120015", "1"
		}, eligibility.Queued, "", nil},
		"face reader by hand": {func(e *check.Entry) {
			e.Evidence, e.Insurer, e.Number = eligibility.EvidenceFaceReader, "33120015", "1"
		}, "", "", []string{"evidence/invalid_argument"}},
		"bad declaration": {func(e *check.Entry) {
			e.Evidence = eligibility.EvidenceSelfDeclaration
			e.DeclaredTyped = form
			e.DeclaredTyped.Employer = "123456789018"
		}, "", "", []string{"declared_employer/my_number_refused"}},
		"My Number as reference":  {func(e *check.Entry) { e.Evidence, e.Patient = eligibility.EvidenceVisual, "123456789018" }, "", "", []string{"patient/my_number_refused"}},
		"long reference":          {func(e *check.Entry) { e.Evidence, e.Patient = eligibility.EvidenceVisual, strings.Repeat("9", 51) }, "", "", []string{"patient/invalid_argument"}},
		"a name of 40 characters": {func(e *check.Entry) { e.Evidence, e.Label = eligibility.EvidenceVisual, strings.Repeat("ヴ", 40) }, eligibility.Recorded, check.NeedNumber, nil},
		"a name of 61 characters": {func(e *check.Entry) { e.Evidence, e.Label = eligibility.EvidenceVisual, strings.Repeat("ヴ", 61) }, "", "", []string{"label/invalid_argument"}},
		"a day that is none":      {func(e *check.Entry) { e.Evidence, e.BirthDate = eligibility.EvidenceVisual, "1980-02-30" }, "", "", []string{"birth_date/invalid_argument"}},
		"born tomorrow":           {func(e *check.Entry) { e.Evidence, e.BirthDate = eligibility.EvidenceVisual, "2026-11-22" }, "", "", []string{"birth_date/invalid_argument"}},
		"visited before birth":    {func(e *check.Entry) { e.Evidence, e.VisitDay = eligibility.EvidenceVisual, "1979-01-01" }, "", "", []string{"visit_day/invalid_argument"}},
	} {
		b := newClinic(t)
		e := check.Entry{BirthDate: "S55.4.1", Label: "タカハシ ハナ", Operator: "受付１", OperatorID: "op_1"}
		c.change(&e)
		got, doubts, err := b.Record(t.Context(), e)
		if !slices.Equal(faults(err), c.faults) || len(doubts) != 0 || got.State != c.state {
			t.Errorf("%s: %s, doubts %v, faults %v", name, got.State, doubts, faults(err))
			continue
		}
		if c.faults != nil {
			if b.queue.Stats().Pending != 0 {
				t.Errorf("%s: something was recorded", name)
			}
			continue
		}
		if v := b.shown(t, got.RecordID); v.Need != c.need {
			t.Errorf("%s: need %q", name, v.Need)
		}
	}
}

// The commit holds both rows; what it owes reaches the queue even if the power goes between.
func TestAPowerCutInsideACorrection(t *testing.T) {
	b := newClinic(t)
	c := b.record(t)
	cut := &fickle{Queue: b.queue}
	n := 0
	cut.before = func() {
		if n++; n == 2 {
			cut.refuse = fault.New(fault.Unavailable, "the power is out")
		}
	}
	b.Desk.Queue = cut
	e := entry()
	e.Reason = eligibility.Typo
	d, _, err := b.Amend(t.Context(), c.RecordID, e)
	if err != nil {
		t.Fatal(err)
	}
	b.close()
	b.open(t)
	if v := b.shown(t, c.RecordID); v.State != eligibility.Voided || v.AmendedBy != d.RecordID || len(v.Owed) != 1 || v.Closed() {
		t.Fatalf("%s, owed %d", v.State, len(v.Owed))
	}
	for range 2 {
		if err := b.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := kinds(b.records(t)); got != "check check amendment" {
		t.Errorf("records %s", got)
	}
	if v := b.shown(t, c.RecordID); len(v.Owed) != 0 || !v.Closed() {
		t.Errorf("owed %d", len(v.Owed))
	}
}

func TestCorrectionsAreRefused(t *testing.T) {
	b := newClinic(t)
	c := b.record(t)
	wrong := entry()
	wrong.Reason = eligibility.WrongPatient
	for name, f := range map[string]struct {
		do   func() error
		code fault.Code
	}{
		"no such case":      {func() error { return b.Void(t.Context(), paperID, eligibility.Typo, one) }, fault.NotFound},
		"no reason":         {func() error { return b.Void(t.Context(), c.RecordID, "", one) }, fault.InvalidArgument},
		"amend, no reason":  {func() error { _, _, err := b.Amend(t.Context(), c.RecordID, entry()); return err }, fault.InvalidArgument},
		"amend, no case":    {func() error { _, _, err := b.Amend(t.Context(), paperID, wrong); return err }, fault.NotFound},
		"amend, bad number": {func() error { e := wrong; e.Number = ""; _, _, err := b.Amend(t.Context(), c.RecordID, e); return err }, fault.InvalidArgument},
	} {
		if err := f.do(); fault.CodeOf(err) != f.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if v := b.shown(t, c.RecordID); v.State != eligibility.Queued || b.queue.Stats().Pending != 1 {
		t.Fatalf("%s", v.State)
	}
	if err := b.Void(t.Context(), c.RecordID, eligibility.CancelledVisit, one); err != nil {
		t.Fatal(err)
	}
	if err := b.Void(t.Context(), c.RecordID, eligibility.CancelledVisit, one); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("voided twice: %v", err)
	}
	if _, _, err := b.Record(t.Context(), func() check.Entry { e := wrong; e.Amends = c.RecordID; return e }()); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("amended after it was voided: %v", err)
	}
	a, err := wire.DecodeEligibilityAmendment(b.records(t)[1].Body)
	if err != nil || a.Of != c.RecordID || a.By != "" || a.Reason != "cancelled_visit" {
		t.Errorf("%+v: %v", a, err)
	}
}

func TestAVoidedRecordRaisesNoTask(t *testing.T) {
	for name, b := range map[string]*bench{"clinic": newClinic(t), "payer": newBench(t)} {
		c := b.record(t)
		b.chase(t)
		if err := b.Void(t.Context(), c.RecordID, eligibility.WrongPatient, one); err != nil {
			t.Fatal(err)
		}
		if err := b.Settled(t.Context(), wire.Receipt{Results: []wire.Result{{ID: c.RecordID, Status: wire.Rejected}}}); err != nil {
			t.Fatal(err)
		}
		if b.online != nil {
			b.tell(t, told(c, validity(eligibility.Invalid)))
		} else {
			b.answer(t, c, func(a *eligibility.Answer) { a.Validity = eligibility.Invalid })
		}
		if err := b.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
		if v := b.shown(t, c.RecordID); v.State != eligibility.Voided || v.Task.Open() || v.Answer != nil {
			t.Errorf("%s: %s, task %+v", name, v.State, v.Task)
		}
		if got := kinds(b.records(t)); got != "check amendment" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestVoidingClosesTheTask(t *testing.T) {
	b := newClinic(t)
	c := b.record(t)
	b.tell(t, told(c, validity(eligibility.Invalid)))
	if err := b.Void(t.Context(), c.RecordID, eligibility.WrongPatient, one); err != nil {
		t.Fatal(err)
	}
	v := b.shown(t, c.RecordID)
	if v.Task.Open() || v.Task.ClosedBy != "受付１" || v.OtherPerson || kinds(b.records(t)) != "check outcome amendment" {
		t.Errorf("task %+v, %s", v.Task, kinds(b.records(t)))
	}
	if f := b.Reply(t.Context(), c.RecordID); f[0].Value != "06139997" {
		t.Errorf("%v", f)
	}
}

func TestUndo(t *testing.T) {
	b := newClinic(t)
	conflict := func(by check.By, message string) {
		t.Helper()
		_, err := b.Undo(t.Context(), by)
		var f *fault.Error
		if !errors.As(err, &f) || f.Code != fault.Conflict || f.Message != message {
			t.Errorf("%v, want %s", err, message)
		}
	}
	conflict(one, check.NothingToUndo)
	e := entry()
	e.Copayment = 0
	c, _, err := b.Record(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	conflict(check.By{Operator: "受付２", OperatorID: "op_2"}, check.NothingToUndo)
	back, err := b.Undo(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	back.Override, back.VisitDay = true, e.VisitDay
	if back.Insurer != e.Insurer || back.Number != e.Number || back.BirthDate != e.BirthDate || back.Label != e.Label || back.Copayment != 0 || back.Evidence != e.Evidence || back.OperatorID != "op_1" {
		t.Error("the form does not have what was typed")
	}
	if v := b.shown(t, c.RecordID); v.State != eligibility.Voided || v.VoidReason != eligibility.Undone {
		t.Errorf("%s %s", v.State, v.VoidReason)
	}
	b.chase(t)
	if len(b.online.asked) != 0 {
		t.Error("what was undone was asked")
	}
	conflict(one, check.NothingToUndo)

	again, _, err := b.Record(t.Context(), back)
	if err != nil {
		t.Fatal(err)
	}
	b.chase(t)
	conflict(one, check.AlreadyAsked)
	fix := entry()
	fix.Reason = eligibility.Typo
	if _, _, err := b.Amend(t.Context(), again.RecordID, fix); err != nil {
		t.Fatal(err)
	}
	conflict(one, check.IsCorrection)
	b.now = b.now.AddDate(0, 0, 1)
	conflict(one, check.NothingToUndo)
}

func TestUndoGivesADeclarationBack(t *testing.T) {
	b := newClinic(t)
	e := check.Entry{Evidence: eligibility.EvidenceSelfDeclaration, Operator: "受付１", OperatorID: "op_1", DeclaredTyped: check.DeclarationForm{
		NameKanji: strings.Repeat("髙", 40), NameKana: "タカ", BirthDate: "1940-01-05", SharePercent: "20", Address: "みなと市 1-2-3", Insured: "self"}}
	if _, _, err := b.Record(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	back, err := b.Undo(t.Context(), one)
	if err != nil || back.DeclaredTyped != e.DeclaredTyped {
		t.Errorf("%v", err)
	}
}

func TestParkedEntriesSurviveAPowerCut(t *testing.T) {
	b := newClinic(t)
	half := check.Entry{Insurer: "0613", Number: "3", Label: "ヤマ", Evidence: eligibility.EvidenceCertificate, Operator: "受付１"}
	half.Person = &eligibility.Person{NameKanji: "山田 花"}
	id, err := b.Park(t.Context(), half)
	if err != nil {
		t.Fatal(err)
	}
	b.close()
	b.open(t)
	list, err := b.Parked(t.Context())
	if err != nil || len(list) != 1 || list[0].ID != id || !list[0].At.Equal(b.now) {
		t.Fatalf("%d put aside: %v", len(list), err)
	}
	back, err := b.Unpark(t.Context(), id)
	if err != nil || back.Insurer != "0613" || back.Person == nil || back.Person.NameKanji != "山田 花" {
		t.Errorf("%v", err)
	}
	if _, err := b.Unpark(t.Context(), id); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("given back twice: %v", err)
	}
}

func TestWhatIsNotPutAside(t *testing.T) {
	b := newClinic(t)
	bad := check.Entry{Label: "ハナ 123456789018", Number: "1234 5678 9018", DeclaredTyped: check.DeclarationForm{Address: "123456789018"}}
	if _, err := b.Park(t.Context(), bad); !slices.Equal(faults(err), []string{"number/my_number_refused", "label/my_number_refused", "declared_address/my_number_refused"}) {
		t.Errorf("%v", faults(err))
	}
	if _, err := b.Park(t.Context(), check.Entry{Label: strings.Repeat("a", 1001)}); !slices.Equal(faults(err), []string{"label/invalid_argument"}) {
		t.Errorf("%v", faults(err))
	}
	for range check.MaxParked {
		if _, err := b.Park(t.Context(), check.Entry{Label: "ハナ"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Park(t.Context(), check.Entry{Label: "ハナ"}); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("%v", err)
	}
	b.now = b.now.AddDate(0, 0, 2)
	if _, err := b.Trim(t.Context(), civil.In(b.now).AddDays(-40)); err != nil {
		t.Fatal(err)
	}
	if list, _ := b.Parked(t.Context()); len(list) != 0 {
		t.Errorf("%d put aside stay", len(list))
	}
}

func TestTheNextChildOfAFamily(t *testing.T) {
	b := newClinic(t)
	e := entry()
	e.DeclaredTyped = check.DeclarationForm{NameKanji: "山田 花", BirthDate: "S55.4.1", Address: "みなと市 1-2-3", InsurerName: "みなと健保"}
	c, _, err := b.Record(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	next, err := b.Family(t.Context(), c.RecordID)
	if err != nil || next.Insurer != "06139997" || next.Number != "3456" || next.Symbol == "" || next.DeclaredTyped.Address != "みなと市 1-2-3" || next.Family != c.RecordID {
		t.Fatalf("%v", err)
	}
	if next.Label != "" || next.BirthDate != "" || next.Branch != "" || next.DeclaredTyped.NameKanji != "" || next.Person != nil {
		t.Error("another person's name, birth date or branch is in the form")
	}
	next.Label, next.BirthDate, next.Branch, next.Override = "ヤマダ ソラ", "2020-05-05", "02", true
	next.DeclaredTyped = check.DeclarationForm{}
	child, _, err := b.Record(t.Context(), next)
	if err != nil || child.Family != c.RecordID || child.Charge.Percent != 20 {
		t.Fatalf("%+v: %v", child.Charge, err)
	}
	if third, err := b.Family(t.Context(), child.RecordID); err != nil || third.Family != c.RecordID {
		t.Errorf("%v", err)
	}
	if _, err := b.Family(t.Context(), paperID); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("%v", err)
	}
}

func TestOwnPastRecords(t *testing.T) {
	b := newClinic(t)
	old := b.record(t)
	b.now = b.now.AddDate(0, 0, 7)
	newer := b.record(t)
	gone := b.record(t)
	if err := b.Void(t.Context(), gone.RecordID, eligibility.WrongPatient, one); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Record(t.Context(), visual()); err != nil {
		t.Fatal(err)
	}
	birth := civil.Date{Year: 1980, Month: 4, Day: 1}
	past, err := b.Past(t.Context(), birth, "ﾔﾏﾀﾞﾊﾅ")
	if err != nil || len(past) != 2 || past[0].RecordID != newer.RecordID || past[1].RecordID != old.RecordID {
		t.Fatalf("%d: %v", len(past), err)
	}
	for _, c := range []struct {
		birth civil.Date
		label string
	}{{birth.AddDays(1), "ヤマダ ハナ"}, {birth, "ヤマダ"}, {birth, ""}, {civil.Date{}, "ヤマダ ハナ"}} {
		if past, err := b.Past(t.Context(), c.birth, c.label); err != nil || len(past) != 0 {
			t.Errorf("%s %q: %d, %v", c.birth, c.label, len(past), err)
		}
	}
}

func face(c casebook.Case, change ...func(*oqs.Result)) oqs.Result {
	r := told(c, change...)
	r.Identifier = ""
	return r
}

func TestAResultOfTheFaceReaderFindsItsRow(t *testing.T) {
	b := newClinic(t)
	c, _, err := b.Record(t.Context(), visual())
	if err != nil {
		t.Fatal(err)
	}
	other := visual()
	other.Label = "サトウ イチロウ"
	if _, _, err := b.Record(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	whole := c
	whole.Inquiry.InsurerNumber, whole.Inquiry.Number = "33120015", "1"
	for range 2 {
		if err := b.TakeFace(t.Context(), "OQSsiquc01res_face_1.xml", face(whole)); err != nil {
			t.Fatal(err)
		}
	}
	v := b.shown(t, c.RecordID)
	if v.State != eligibility.Answered || v.Answer.InsurerNumber != "33120015" || v.Task.Open() || v.Face == "" {
		t.Fatalf("%s, task %+v", v.State, v.Task)
	}
	if faces, err := b.Faces(t.Context()); err != nil || len(faces) != 0 {
		t.Errorf("%d wait: %v", len(faces), err)
	}
	if got := kinds(b.records(t)); got != "check check outcome" {
		t.Errorf("%s", got)
	}
}

func TestAResultOfTheFaceReaderThatFitsNobodyOrTwoWaits(t *testing.T) {
	b := newClinic(t)
	twins := []casebook.Case{}
	for range 2 {
		c, _, err := b.Record(t.Context(), visual())
		if err != nil {
			t.Fatal(err)
		}
		twins = append(twins, c)
	}
	whole := twins[0]
	whole.Inquiry.InsurerNumber, whole.Inquiry.Number = "33120015", "1"
	if err := b.TakeFace(t.Context(), "a.xml", face(whole)); err != nil {
		t.Fatal(err)
	}
	stranger := face(whole, func(r *oqs.Result) {
		r.Items[0].Coverage.NameKana, r.Items[0].Reference = "ｻﾄｳ ｲﾁﾛｳ", "K-1"
		r.Items[0].Coverage.Consents = []eligibility.Consent{{Kind: eligibility.ConsentDrugs, Given: true, At: b.now}}
	})
	if err := b.TakeFace(t.Context(), "b.xml", stranger); err != nil {
		t.Fatal(err)
	}
	b.close()
	b.open(t) // and they wait over a power cut
	b.now = b.now.Add(time.Minute)
	if err := b.TakeFace(t.Context(), "c.xml", stranger); err != nil {
		t.Fatal(err)
	}
	faces, err := b.Faces(t.Context())
	if err != nil || len(faces) != 3 || faces[0].File != "c.xml" {
		t.Fatalf("%d wait: %v", len(faces), err)
	}
	byFile := map[string]check.Face{}
	for _, f := range faces {
		byFile[f.File] = f
	}
	if len(byFile["a.xml"].Fits) != 2 || len(byFile["b.xml"].Fits) != 0 {
		t.Errorf("fits %d and %d", len(byFile["a.xml"].Fits), len(byFile["b.xml"].Fits))
	}

	// A person chooses the row.
	c, err := b.AssignFace(t.Context(), byFile["a.xml"].ID, twins[1].RecordID, one)
	if err != nil || c.State != eligibility.Answered {
		t.Fatalf("%s: %v", c.State, err)
	}
	if _, err := b.AssignFace(t.Context(), byFile["b.xml"].ID, twins[1].RecordID, one); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("an answered row took another result: %v", err)
	}

	// A new case is recorded from the result itself.
	n, _, err := b.Record(t.Context(), check.Entry{Face: byFile["b.xml"].ID, Operator: "受付１", OperatorID: "op_1"})
	if err != nil || n.State != eligibility.Answered || n.Evidence != eligibility.EvidenceFaceReader || n.Patient != "K-1" || n.Inquiry.Number != "1" {
		t.Fatalf("%s %s: %v", n.State, n.Evidence, err)
	}
	if v := b.shown(t, n.RecordID); v.Task.Open() || v.Display != "valid" || len(v.Owed) != 0 || len(v.Answer.Consents) != 1 {
		t.Errorf("%s, task %+v, owed %d", v.Display, v.Task, len(v.Owed))
	}
	if _, _, err := b.Record(t.Context(), check.Entry{Face: byFile["b.xml"].ID}); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("one result was recorded twice: %v", err)
	}
	if err := b.DropFace(t.Context(), byFile["c.xml"].ID, one); err != nil {
		t.Fatal(err)
	}
	if err := b.TakeFace(t.Context(), "c.xml", stranger); err != nil {
		t.Fatal(err)
	}
	if faces, _ := b.Faces(t.Context()); len(faces) != 0 {
		t.Errorf("%d wait", len(faces))
	}
	if got := kinds(b.records(t)); got != "check check outcome check outcome" {
		t.Errorf("%s", got)
	}
	b.now = b.now.AddDate(0, 0, 1)
	if err := b.TakeFace(t.Context(), "d.xml", stranger); err != nil {
		t.Fatal(err)
	}
	if faces, _ := b.Faces(t.Context()); len(faces) != 0 {
		t.Error("a result of yesterday waits")
	}
	if _, err := b.Trim(t.Context(), civil.In(b.now).AddDays(-40)); err != nil {
		t.Fatal(err)
	}
}

func TestAFaceResultThatIsNotValidIsATask(t *testing.T) {
	b := newClinic(t)
	c := casebook.Case{VisitDay: civil.In(b.now)}
	c.Inquiry.InsurerNumber, c.Inquiry.Number, c.Inquiry.BirthDate = "33120015", "1", civil.Date{Year: 1980, Month: 4, Day: 1}
	if err := b.TakeFace(t.Context(), "a.xml", face(c, validity(eligibility.Invalid))); err != nil {
		t.Fatal(err)
	}
	for _, segment := range []oqs.Segment{oqs.InProgress, oqs.Abnormal} {
		if err := b.TakeFace(t.Context(), "b.xml", face(c, func(r *oqs.Result) { r.Segment = segment })); err != nil {
			t.Fatal(err)
		}
	}
	faces, err := b.Faces(t.Context())
	if err != nil || len(faces) != 1 {
		t.Fatalf("%d wait: %v", len(faces), err)
	}
	n, _, err := b.Record(t.Context(), check.Entry{Face: faces[0].ID, Operator: "受付１", OperatorID: "op_1"})
	if err != nil {
		t.Fatal(err)
	}
	if v := b.shown(t, n.RecordID); !v.Task.Open() || v.Display != "invalid" || v.Need != check.NeedDeclaration {
		t.Errorf("%s, task %+v, need %q", v.Display, v.Task, v.Need)
	}
}

func TestNamesWithCharactersThatCannotBeTold(t *testing.T) {
	person := &eligibility.Person{NameKanji: "髙橋 﨑子", BirthDate: civil.Date{Year: 1980, Month: 4, Day: 1}}
	for name, c := range map[string]struct {
		person *eligibility.Person
		label  string
		kanji  string
		kana   string
		names  check.Match
		other  bool
		copied string
	}{
		"the same":             {person, "タカハシ サキコ", "髙橋　﨑子", "ﾀｶﾊｼ ｻｷｺ", jptext.MatchSame, false, "髙橋 﨑子"},
		"wildcards":            {person, "タカハシ サキコ", "●橋　●子", "ﾀｶﾊｼ ｻｷｺ", jptext.MatchWildcard, false, "髙橋 﨑子"},
		"wildcards, no kanji":  {nil, "タカハシ サキコ", "●橋　●子", "ﾀｶﾊｼ ｻｷｺ", jptext.MatchSame, false, ""},
		"another kanji":        {person, "タカハシ サキコ", "高橋　崎子", "ﾀｶﾊｼ ｻｷｺ", jptext.MatchDiffers, false, "髙橋 﨑子"},
		"another person":       {person, "タカハシ サキコ", "佐藤　一郎", "ｻﾄｳ ｲﾁﾛｳ", jptext.MatchDiffers, true, "髙橋 﨑子"},
		"kanji alone, another": {person, "", "佐藤　一郎", "", jptext.MatchDiffers, true, "髙橋 﨑子"},
		"family name alone":    {nil, "タカハシ", "髙橋　﨑子", "ﾀｶﾊｼ ｻｷｺ", jptext.MatchUntold, false, "髙橋　﨑子"},
		"nothing told":         {person, "タカハシ サキコ", "", "", jptext.MatchUntold, false, "髙橋 﨑子"},
		"Latin letters":        {nil, "NGUYEN VAN AN", "", "ｸﾞｴﾝ ｳﾞｧﾝ ｱﾝ", jptext.MatchUntold, false, "NGUYEN VAN AN"},
	} {
		b := newClinic(t)
		e := entry()
		e.Person, e.Label = c.person, c.label
		r, _, err := b.Record(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		b.tell(t, told(r, func(r *oqs.Result) { r.Items[0].Coverage.Name, r.Items[0].Coverage.NameKana = c.kanji, c.kana }))
		v := b.shown(t, r.RecordID)
		if v.Names != c.names || v.OtherPerson != c.other || v.Task.Open() != c.other {
			t.Errorf("%s: names %q, other person %v, task %+v", name, v.Names, v.OtherPerson, v.Task)
		}
		for _, f := range b.Reply(t.Context(), r.RecordID) {
			if f.Name == "holder_kanji" && f.Value != c.copied {
				t.Errorf("%s: %q is copied", name, f.Value)
			}
			if strings.ContainsRune(f.Value, '●') {
				t.Errorf("%s: ● is copied", name)
			}
		}
	}
}

func TestTheReceiptComputersOrder(t *testing.T) {
	b := newClinic(t)
	c := b.record(t)
	b.tell(t, told(c, func(r *oqs.Result) { r.Items[0].Coverage.Branch, r.Items[0].Coverage.Share = "07", "020" }))
	b.CopyOrder = []string{"number", "branch", "copayment_percent", "valid_from", "valid_to", "insured_kind", "nothing"}
	want := []check.Field{{"number", "3456"}, {"branch", "07"}, {"copayment_percent", "20"}, {"valid_from", "2020-04-01"}, {"valid_to", ""}, {"insured_kind", "society"}, {"nothing", ""}}
	if got := b.Reply(t.Context(), c.RecordID); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if b.Reply(t.Context(), paperID) != nil {
		t.Error("a case that is not there is copied")
	}
	b.CopyOrder = nil
	open := b.record(t)
	for _, f := range b.Reply(t.Context(), open.RecordID) {
		if (f.Name == "valid_from" || f.Name == "valid_to") && f.Value != "" {
			t.Error("a validity is told without an answer")
		}
	}
}

func TestTheMonthsList(t *testing.T) {
	b := newClinic(t)
	b.now = time.Date(2026, 10, 31, 14, 59, 0, 0, time.UTC) // 23:59 in Japan
	october := b.record(t)
	b.now = b.now.Add(2 * time.Minute) // 1 November in Japan
	november := b.record(t)
	differs, valid := b.record(t), b.record(t)
	b.tell(t, told(differs, validity(eligibility.NewerCoverage)))
	b.tell(t, told(valid))
	if _, _, err := b.Record(t.Context(), visual()); err != nil {
		t.Fatal(err)
	}
	gone := b.record(t)
	if err := b.Void(t.Context(), gone.RecordID, eligibility.CancelledVisit, one); err != nil {
		t.Fatal(err)
	}
	m, err := b.Month(t.Context(), 2026, time.October)
	if err != nil || len(m.Rows) != 1 || m.Rows[0].RecordID != october.RecordID || m.Total != 1 {
		t.Errorf("October: %d rows of %d: %v", len(m.Rows), m.Total, err)
	}
	m, err = b.Month(t.Context(), 2026, time.November)
	want := []check.Count{{check.WhyDiffers, 1}, {check.WhyNoNumber, 1}, {check.WhyQueued, 1}}
	if err != nil || len(m.Rows) != 3 || m.Total != 4 || !slices.Equal(m.Counts, want) || m.More != 0 {
		t.Errorf("November: %d rows of %d, %v: %v", len(m.Rows), m.Total, m.Counts, err)
	}
	if !slices.ContainsFunc(m.Rows, func(v check.View) bool { return v.RecordID == november.RecordID }) {
		t.Error("what waits is not in the list")
	}
}

// A desk that was given no shelves keeps what is put aside in memory: practice.
func TestADeskWithoutShelves(t *testing.T) {
	b := newClinic(t)
	c := b.Desk.Config
	c.Shelf, c.Rejected, c.Bookings = nil, nil, nil
	d := check.New(c)
	id, err := d.Park(t.Context(), check.Entry{Label: "ハナ"})
	if err != nil {
		t.Fatal(err)
	}
	if e, err := d.Unpark(t.Context(), id); err != nil || e.Label != "ハナ" {
		t.Errorf("%v", err)
	}
}

// The row that is recorded from the face reader's result is whole in one commit; what was
// owed follows, and the result is not offered a second time.
func TestAPowerCutWhileAFaceResultIsRecorded(t *testing.T) {
	b := newClinic(t)
	c := casebook.Case{VisitDay: civil.In(b.now)}
	c.Inquiry.InsurerNumber, c.Inquiry.Number, c.Inquiry.BirthDate = "33120015", "1", civil.Date{Year: 1980, Month: 4, Day: 1}
	if err := b.TakeFace(t.Context(), "a.xml", face(c)); err != nil {
		t.Fatal(err)
	}
	faces, err := b.Faces(t.Context())
	if err != nil || len(faces) != 1 {
		t.Fatalf("%d wait: %v", len(faces), err)
	}
	kept := map[string][]byte{}
	if err := b.vault.Shelf(check.ShelfFaces).Each(t.Context(), func(key string, value []byte) error {
		kept[key] = slices.Clone(value)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	cut := &fickle{Queue: b.queue}
	left := 1
	cut.check = func() error {
		if left--; left < 0 {
			return fault.New(fault.Unavailable, "the power is out")
		}
		return nil
	}
	b.Desk.Queue = cut
	n, _, err := b.Record(t.Context(), check.Entry{Face: faces[0].ID, Operator: "受付１", OperatorID: "op_1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.vault.Shelf(check.ShelfFaces).PutAll(t.Context(), kept); err != nil { // as if it had not been removed yet
		t.Fatal(err)
	}
	b.close()
	b.open(t)
	if list, err := b.Faces(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("%d wait: %v", len(list), err)
	}
	if _, _, err := b.Record(t.Context(), check.Entry{Face: faces[0].ID}); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("one result was recorded twice: %v", err)
	}
	if err := b.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v := b.shown(t, n.RecordID); v.State != eligibility.Answered || len(v.Owed) != 0 || kinds(b.records(t)) != "check outcome" {
		t.Errorf("%s, owed %d, %s", v.State, len(v.Owed), kinds(b.records(t)))
	}
}
