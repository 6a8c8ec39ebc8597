package check_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/check"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// published is the one My Number that stands in a law's example.
const published = "123456789018"

// writings are how a person writes it.
var writings = []string{
	published, "１２３４５６７８９０１８", "1234-5678-9018", "1234 5678 9018", "1234　5678　9018", " 123456789018 ", "1234ー5678ー9018",
	"1234  5678  9018", "1234 - 5678 - 9018", "1234\u200b56789018",
}

// whatWasTyped puts a text into one field of an entry after another.
func whatWasTyped() map[string]func(*check.Entry, string) {
	return map[string]func(*check.Entry, string){
		check.FieldInsurer:            func(e *check.Entry, s string) { e.Insurer = s },
		check.FieldSymbol:             func(e *check.Entry, s string) { e.Symbol = s },
		check.FieldNumber:             func(e *check.Entry, s string) { e.Number = s },
		check.FieldBranch:             func(e *check.Entry, s string) { e.Branch = s },
		check.FieldBirth:              func(e *check.Entry, s string) { e.BirthDate = s },
		check.FieldVisit:              func(e *check.Entry, s string) { e.VisitDay = s },
		check.FieldLabel:              func(e *check.Entry, s string) { e.Label = s },
		check.FieldPatient:            func(e *check.Entry, s string) { e.Patient = s },
		check.FieldFamily:             func(e *check.Entry, s string) { e.Family = s },
		eligibility.FormNameKanji:     func(e *check.Entry, s string) { e.DeclaredTyped.NameKanji = s },
		eligibility.FormNameKana:      func(e *check.Entry, s string) { e.DeclaredTyped.NameKana = s },
		eligibility.FormBirthDate:     func(e *check.Entry, s string) { e.DeclaredTyped.BirthDate = s },
		eligibility.FormSex:           func(e *check.Entry, s string) { e.DeclaredTyped.Sex = s },
		eligibility.FormAddress:       func(e *check.Entry, s string) { e.DeclaredTyped.Address = s },
		eligibility.FormPhone:         func(e *check.Entry, s string) { e.DeclaredTyped.Phone = s },
		eligibility.FormInsuranceKind: func(e *check.Entry, s string) { e.DeclaredTyped.InsuranceKind = s },
		eligibility.FormInsurerName:   func(e *check.Entry, s string) { e.DeclaredTyped.InsurerName = s },
		eligibility.FormEmployer:      func(e *check.Entry, s string) { e.DeclaredTyped.Employer = s },
		eligibility.FormInsured:       func(e *check.Entry, s string) { e.DeclaredTyped.Insured = s },
		eligibility.FormShare:         func(e *check.Entry, s string) { e.DeclaredTyped.SharePercent = s },
	}
}

// A My Number in whatever field, in whatever writing, is refused by its name and kept
// nowhere: no row, no parked entry, no record, and not in the bytes of any file.
func TestAMyNumberIsKeptNowhere(t *testing.T) {
	b := newClinic(t)
	standing := b.record(t)
	for field, put := range whatWasTyped() {
		for _, s := range writings {
			e := entry()
			e.DeclaredTyped = eligibility.DeclarationForm{NameKanji: "山田　花", NameKana: "ヤマダ ハナ", BirthDate: "1980-04-01", Address: "東京都千代田区一番町１"}
			put(&e, s)
			fix := e
			fix.Reason = eligibility.Typo
			_, _, recorded := b.Record(t.Context(), e)
			_, _, amended := b.Amend(t.Context(), standing.RecordID, fix)
			_, parked := b.Park(t.Context(), e)
			for act, err := range map[string]error{"recorded": recorded, "amended": amended, "parked": parked} {
				if !refusesAt(err, field) {
					t.Errorf("%s in %q was %s: %v", field, s, act, err)
				}
				if err != nil && strings.Contains(err.Error(), "9018") {
					t.Errorf("%s: the error repeats it", field)
				}
			}
		}
	}
	if got := len(b.records(t)); got != 1 {
		t.Errorf("%d records", got)
	}
	for _, shelf := range []string{casebook.ShelfName, check.ShelfParked, check.ShelfFaces} {
		err := b.vault.Shelf(shelf).Each(t.Context(), func(_ string, value []byte) error {
			if holdsPublished(value) {
				t.Errorf("it lies on the shelf %s", shelf)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	b.nothingInClear(t)
}

func refusesAt(err error, field string) bool {
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	for _, one := range all {
		if f, ok := errors.AsType[*fault.Error](one); ok && f.Code == fault.MyNumberRefused && f.Place == field {
			return true
		}
	}
	return false
}

func holdsPublished(b []byte) bool {
	return bytes.Contains(b, []byte(published)) || bytes.Contains(b, []byte("56789018")) || bytes.Contains(b, []byte("５６７８"))
}

// nothingInClear looks through the bytes of every file of the terminal.
func (b *bench) nothingInClear(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, secret := range []string{published, "ヤマダ", "06139997", "1980-04-01"} {
			if bytes.Contains(raw, []byte(secret)) {
				t.Errorf("%q stands in %s", secret, filepath.Base(path))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What was taken back while others were being asked is not asked any more.
func TestWhatIsTakenBackMeanwhileIsNotAsked(t *testing.T) {
	b := newClinic(t)
	first, second := b.record(t), b.record(t)
	b.online.onAsk = func() {
		for _, c := range []casebook.Case{first, second} {
			if len(b.online.asked) == 0 && b.shown(t, c.RecordID).Asked == 0 {
				_ = b.Void(t.Context(), c.RecordID, eligibility.WrongPatient, one)
			}
		}
	}
	b.chase(t)
	if len(b.online.asked) > 1 {
		t.Errorf("asked %d times, and both were taken back", len(b.online.asked))
	}
}

// An entry whose question is being written is asked: it can be voided and not undone.
func TestUndoWhileTheQuestionGoesOut(t *testing.T) {
	b := newClinic(t)
	b.record(t)
	var undone error
	b.online.onAsk = func() { _, undone = b.Undo(t.Context(), one) }
	b.chase(t)
	if f, ok := errors.AsType[*fault.Error](undone); !ok || f.Message != check.AlreadyAsked {
		t.Errorf("undone while it went out: %v", undone)
	}
	b.online.onAsk, b.online.fail = nil, fault.New(fault.Unavailable, "the share is away")
	b.record(t)
	if err := b.Chase(t.Context()); err == nil {
		t.Error("a share that is away is no error")
	}
	if _, err := b.Undo(t.Context(), one); err != nil {
		t.Errorf("what could not be asked cannot be undone: %v", err)
	}
}

// The last entry is the one made last, whatever the clock said.
func TestUndoAfterTheClockWasSetBack(t *testing.T) {
	b := newClinic(t)
	before := b.record(t)
	b.now = b.now.Add(-5 * time.Minute)
	last := b.record(t)
	if _, err := b.Undo(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	if v := b.shown(t, before.RecordID); v.State == eligibility.Voided {
		t.Error("another patient's entry was undone")
	}
	if v := b.shown(t, last.RecordID); v.State != eligibility.Voided {
		t.Error("the last entry stands")
	}
}

// A record that the backend refuses sits in sight though its question is answered already:
// the answer came from the clinic's own terminal, and the backend never had the record.
func TestARefusalAfterTheAnswerIsInSight(t *testing.T) {
	for _, status := range []wire.Status{wire.Rejected, wire.Conflict} {
		b := newClinic(t)
		c := b.record(t)
		b.chase(t)
		b.tell(t, told(c))
		settle := func() {
			if err := b.Settled(t.Context(), wire.Receipt{Results: []wire.Result{{ID: c.RecordID, Status: status, Code: "invalid_argument"}}}); err != nil {
				t.Fatal(err)
			}
		}
		settle()
		v := b.shown(t, c.RecordID)
		if v.Why != check.WhyRefused || v.Refusal != "invalid_argument" || v.Display != "valid" || v.Answer == nil {
			t.Errorf("%s: %s, refusal %q, shown as %s", status, v.Why, v.Refusal, v.Display)
		}
		if err := b.CloseTask(t.Context(), c.RecordID, "受付１"); err != nil {
			t.Fatal(err)
		}
		settle()
		if v := b.shown(t, c.RecordID); v.Why != "" {
			t.Errorf("%s: the same refusal is a task twice", status)
		}
	}
}

// No order of words from the folder and the backend makes an answer that did not come.
func TestContradictingWords(t *testing.T) {
	b := newClinic(t)
	c := b.record(t)
	b.chase(t)
	b.tell(t, told(c))
	for _, v := range []eligibility.Validity{eligibility.Invalid, eligibility.NoneFound} {
		err := b.TakeOnline(context.Background(), told(c, validity(v)))
		if fault.CodeOf(err) != fault.Conflict {
			t.Errorf("%s after valid: %v", v, err)
		}
	}
	b.answer(t, c, func(a *eligibility.Answer) { a.Validity = eligibility.Invalid })
	if v := b.shown(t, c.RecordID); v.Display != "valid" || v.Answer.Validity != eligibility.Valid {
		t.Errorf("shown as %s", v.Display)
	}
	if got := kinds(b.records(t)); got != "check outcome" {
		t.Errorf("records %s", got)
	}
}

// A result of the face reader that waits for nobody any more is on no shelf the next day, and
// one that was dropped is recorded by nobody. Days of results fill no list.
func TestResultsOfTheFaceReaderGo(t *testing.T) {
	b := newClinic(t)
	left := func() (n int) {
		if err := b.vault.Shelf(check.ShelfFaces).Each(t.Context(), func(string, []byte) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	c := casebook.Case{VisitDay: civil.In(b.now)}
	c.Inquiry = eligibility.Inquiry{InsurerNumber: "33120015", Number: "1", BirthDate: civil.Date{Year: 1980, Month: 4, Day: 1}}
	for _, file := range []string{"one.xml", "two.xml"} {
		if err := b.TakeFace(t.Context(), file, face(c)); err != nil {
			t.Fatal(err)
		}
	}
	faces, err := b.Faces(t.Context())
	if err != nil || len(faces) != 2 || left() != 2 {
		t.Fatalf("%d wait, %d are kept: %v", len(faces), left(), err)
	}
	if err := b.DropFace(t.Context(), faces[0].ID, one); err != nil {
		t.Fatal(err)
	}
	e := entry()
	e.Face = faces[0].ID
	_, _, recorded := b.Record(t.Context(), e)
	_, assigned := b.AssignFace(t.Context(), faces[0].ID, b.record(t).RecordID, one)
	for _, err := range []error{recorded, assigned, b.DropFace(t.Context(), faces[0].ID, one)} {
		if fault.CodeOf(err) != fault.NotFound {
			t.Errorf("a result that was dropped: %v", err)
		}
	}
	for _, days := range []int{0, 1} {
		b.now = b.now.AddDate(0, 0, days)
		if _, err := b.Trim(t.Context(), civil.In(b.now).AddDays(-40)); err != nil {
			t.Fatal(err)
		}
		if want := 2 - 2*days; left() != want {
			t.Errorf("after %d days %d are kept", days, left())
		}
	}
}

// A record that follows its row is one record, however often its writing is in doubt, and
// however often the desk starts anew.
func TestWhatIsOwedIsPaidOnce(t *testing.T) {
	for _, doubts := range []int{1, 2} {
		b := newClinic(t)
		c := b.record(t)
		appends, left := 0, doubts
		b.Desk.Queue = &fickle{Queue: b.queue, after: func(err error) error {
			if appends++; appends == 1 { // the corrected check itself
				return err
			}
			if left--; left < 0 {
				return err
			}
			return errors.Join(err, fault.New(fault.Unknown, "the terminal's file did not confirm the write"))
		}}
		fix := entry()
		fix.Reason = eligibility.Typo
		if _, _, err := b.Amend(t.Context(), c.RecordID, fix); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			b.close()
			b.open(t)
			if err := b.Reconcile(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := kinds(b.records(t)); got != "check check amendment" {
			t.Errorf("%d doubts: %s", doubts, got)
		}
		if v := b.shown(t, c.RecordID); len(v.Owed) != 0 || v.State != eligibility.Voided {
			t.Errorf("%d doubts: %s, owed %d", doubts, v.State, len(v.Owed))
		}
	}
}
