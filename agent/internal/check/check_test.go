package check_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/check"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/uplink"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/wire"
)

// bench is a desk on a real queue and a real vault, with a line, a clinic's own terminal and
// a clock that the test moves. "Sealing" reverses the bytes: what is under test is who sees
// what, not age.
type bench struct {
	*check.Desk
	vault    *vault.Vault
	queue    *queue.Queue
	dir      string
	now      time.Time
	line     uplink.Line
	profile  profile.Profile
	online   *folder // nil: the payer is asked
	known    check.Bookings
	reader   string
	maxBytes int
	kicks    int
	rejected []error
}

// folder is the clinic's own terminal as a desk sees it: questions go in.
type folder struct {
	health check.Health
	asked  []eligibility.Inquiry
	fail   error
	onAsk  func()
}

func (f *folder) Ask(_ context.Context, q eligibility.Inquiry) error {
	if f.onAsk != nil {
		f.onAsk()
	}
	if f.fail == nil {
		f.asked = append(f.asked, q)
	}
	return f.fail
}

func (f *folder) Health() check.Health { return f.health }

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{dir: t.TempDir(), now: time.Date(2026, 11, 21, 1, 0, 0, 0, time.UTC)}
	if err := b.key().Create(rand.Reader); err != nil {
		t.Fatal(err)
	}
	b.profile = profile.Profile{Class: profile.Clinic, Payers: []profile.Payer{{ID: "registry", Recipient: "r"}}, AnswerTimeoutMS: 10_000}
	b.line = uplink.Line{Up: true, Since: b.now}
	b.open(t)
	t.Cleanup(b.close)
	return b
}

// newClinic is a bench with the clinic's own terminal.
func newClinic(t testing.TB) *bench {
	b := newBench(t)
	b.online = &folder{health: check.Health{Ready: true}}
	b.close()
	b.open(t)
	return b
}

func (b *bench) key() vault.KeyFile { return vault.KeyFile(filepath.Join(b.dir, "vault.key")) }

func (b *bench) close() { _ = errors.Join(b.queue.Close(), b.vault.Close()) }

// open starts the desk on what lies on the disk.
func (b *bench) open(t testing.TB) {
	t.Helper()
	clock := func() time.Time { return b.now }
	var err error
	b.vault, err = vault.Open(t.Context(), b.dir, vault.Options{Key: b.key(), Now: clock, Rand: rand.Reader, Terminal: "trm_test", MaxBytes: b.maxBytes})
	if err != nil {
		t.Fatal(err)
	}
	if b.queue, err = queue.Open(b.vault, queue.Limits{}, handle.Source{Now: clock, Rand: rand.Reader}); err != nil {
		t.Fatal(err)
	}
	c := check.Config{
		Queue: b.queue, Book: casebook.New(b.vault.Shelf(casebook.ShelfName)),
		Profile: func() profile.Profile { return b.profile }, Line: func() uplink.Line { return b.line },
		Kick: func() { b.kicks++ }, Now: clock,
		Seal:     func(_ string, plain []byte) ([]byte, error) { return reversed(plain), nil },
		Open:     func(sealed []byte) ([]byte, error) { return reversed(sealed), nil },
		Shelf:    func(name string) casebook.Shelf { return b.vault.Shelf(name) },
		Reader:   func() string { return b.reader },
		Bookings: b.known,
		Rejected: func(_ string, err error) { b.rejected = append(b.rejected, err) },
	}
	if b.online != nil {
		c.Online = b.online
	}
	b.Desk = check.New(c)
}

func reversed(b []byte) []byte {
	b = slices.Clone(b)
	slices.Reverse(b)
	return b
}

func entry() check.Entry {
	return check.Entry{
		Insurer: "06139997", Symbol: "１２", Number: "３４ー５６", Branch: "1",
		BirthDate: "S55.4.1", Label: "ヤマダ ハナ", Evidence: eligibility.EvidenceCertificate,
		Copayment: 30, Operator: "受付１", OperatorID: "op_1", Override: true,
	}
}

func (b *bench) answer(t *testing.T, c casebook.Case, change func(*eligibility.Answer)) {
	t.Helper()
	a := eligibility.Answer{
		RecordID: c.RecordID, VisitDay: c.VisitDay, Validity: eligibility.Valid,
		InsurerNumber: c.Inquiry.InsurerNumber, Symbol: c.Inquiry.Symbol, Number: c.Inquiry.Number,
		Branch: c.Inquiry.Branch, CopaymentPercent: 30, ValidFrom: civil.Date{Year: 2020, Month: 4, Day: 1},
	}
	change(&a)
	plain, err := a.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Take(t.Context(), []wire.Answer{{Cursor: 1, RecordID: c.RecordID, Sealed: reversed(plain)}}, 1); err != nil {
		t.Fatal(err)
	}
}

func TestRecordedAtOnceAndAnsweredLaterForTheVisitDay(t *testing.T) {
	b := newBench(t)
	b.line = uplink.Line{Since: b.now} // known to be down
	c, doubts, err := b.Record(t.Context(), entry())
	if err != nil || len(doubts) > 0 {
		t.Fatalf("%v %v", doubts, err)
	}
	if c.Cause != eligibility.CauseLineBefore || c.State != eligibility.Queued || b.kicks != 1 {
		t.Errorf("cause %q state %q kicks %d", c.Cause, c.State, b.kicks)
	}
	b.now = b.now.Add(90 * time.Minute)
	v, err := b.Case(t.Context(), c.RecordID)
	if err != nil || v.Display != check.DisplayOffline || v.Waiting != 90*time.Minute {
		t.Fatalf("display %q after %s: %v", v.Display, v.Waiting, err)
	}
	b.now = b.now.AddDate(0, 0, 3) // answered three days later
	b.answer(t, c, func(*eligibility.Answer) {})
	v, _ = b.Case(t.Context(), c.RecordID)
	if v.Display != check.Display(eligibility.Valid) || v.Task != nil || v.Answer.VisitDay != c.VisitDay {
		t.Errorf("display %q task %v", v.Display, v.Task)
	}
}

func TestWithoutAnAnswerNothingIsEverInvalid(t *testing.T) {
	about := []string{string(eligibility.Invalid), string(eligibility.NoneFound), string(eligibility.NewerCoverage), string(eligibility.SeveralFound), string(eligibility.Valid)}
	lines := []uplink.Line{{}, {Up: true, Since: time.Unix(1, 0)}, {Since: time.Unix(1, 0)}}
	for _, line := range lines {
		for _, status := range []wire.Status{"", wire.Accepted, wire.Duplicate, wire.Rejected, wire.Conflict, wire.Retry} {
			for _, waited := range []time.Duration{0, 9 * time.Second, 11 * time.Second, 40 * 24 * time.Hour} {
				b := newBench(t)
				b.line = line
				c, _, err := b.Record(t.Context(), entry())
				if err != nil {
					t.Fatal(err)
				}
				if status != "" {
					if err := b.Settled(t.Context(), wire.Receipt{Results: []wire.Result{{ID: c.RecordID, Status: status, Code: "invalid_argument"}}}); err != nil {
						t.Fatal(err)
					}
				}
				b.now = b.now.Add(waited)
				v, err := b.Case(t.Context(), c.RecordID)
				if err != nil || slices.Contains(about, string(v.Display)) {
					t.Errorf("line %+v, %s after %s: shown as %q (%v)", line, status, waited, v.Display, err)
				}
			}
		}
	}
}

func TestADifferentAnswerBecomesATask(t *testing.T) {
	b := newBench(t)
	c, _, err := b.Record(t.Context(), entry())
	if err != nil {
		t.Fatal(err)
	}
	b.answer(t, c, func(a *eligibility.Answer) { a.CopaymentPercent = 10 })
	v, _ := b.Case(t.Context(), c.RecordID)
	if !v.Task.Open() || len(v.Task.Differences) != 1 || v.Task.Differences[0].Field != eligibility.FieldCopayment {
		t.Fatalf("task %+v", v.Task)
	}
	b.now = b.now.AddDate(0, 0, 20)
	if list, _, _ := b.Today(t.Context()); len(list) != 1 {
		t.Fatalf("an open task left the list after some days: %d rows", len(list))
	}
	if err := b.CloseTask(t.Context(), c.RecordID, "受付２"); err != nil {
		t.Fatal(err)
	}
	if v, _ = b.Case(t.Context(), c.RecordID); v.Task.Open() || v.Task.ClosedBy != "受付２" {
		t.Errorf("task %+v", v.Task)
	}
}

func TestAnswersForAnotherRecordOrDayAreNotTaken(t *testing.T) {
	b := newBench(t)
	c, _, err := b.Record(t.Context(), entry())
	if err != nil {
		t.Fatal(err)
	}
	b.answer(t, c, func(a *eligibility.Answer) { a.VisitDay = a.VisitDay.AddDays(-1) })
	if err := b.Take(t.Context(), []wire.Answer{{Cursor: 2, RecordID: c.RecordID, Sealed: []byte("garbage")}}, 2); err != nil {
		t.Fatal(err)
	}
	if v, _ := b.Case(t.Context(), c.RecordID); v.State != eligibility.Queued || len(b.rejected) != 2 {
		t.Errorf("state %q, %d rejected", v.State, len(b.rejected))
	}
}

func TestAnInquiryThatThePayerCouldNotReadIsATaskAndNoWord(t *testing.T) {
	b := newBench(t)
	c, _, err := b.Record(t.Context(), entry())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Take(t.Context(), []wire.Answer{{Cursor: 1, RecordID: c.RecordID, Code: "invalid_argument"}}, 1); err != nil {
		t.Fatal(err)
	}
	v, err := b.Case(t.Context(), c.RecordID)
	if err != nil || v.State != eligibility.Refused || v.Answer != nil || !v.Task.Open() || len(b.rejected) != 0 {
		t.Errorf("state %q, error %v, %d rejected", v.State, err, len(b.rejected))
	}
}

func TestNumbersLeaveOnlySealed(t *testing.T) {
	b := newBench(t)
	e := entry()
	e.Number, e.Symbol = "9876543", "4711"
	if _, _, err := b.Record(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	records, err := b.queue.Peek(t.Context(), 10, 1<<20)
	if err != nil || len(records) != 1 {
		t.Fatalf("%d records: %v", len(records), err)
	}
	whole, _ := json.Marshal(records[0])
	file, err := os.ReadFile(filepath.Join(b.dir, vault.FileName))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"9876543", "4711", "06139997", "1980-04-01", "ヤマダ", "受付"} {
		if bytes.Contains(whole, []byte(secret)) {
			t.Errorf("%q stands in the record", secret)
		}
		if bytes.Contains(file, []byte(secret)) {
			t.Errorf("%q stands in the file", secret)
		}
	}
	var body wire.EligibilityCheck
	if err := json.Unmarshal(records[0].Body, &body); err != nil {
		t.Fatal(err)
	}
	q, err := eligibility.ParseInquiry(reversed(body.Sealed))
	if err != nil || q.Number != "9876543" || q.RecordID != records[0].ID {
		t.Errorf("the payer cannot read the inquiry: %v", err)
	}
}

func TestWhatIsTypedIsForgivenDoubtedOrRefused(t *testing.T) {
	long := strings.Repeat("9", 300)
	cases := []struct {
		name   string
		change func(*check.Entry)
		doubts []string // field/code, without override
		faults []string // field/code
	}{
		{"full width, blanks and hyphens", func(e *check.Entry) { e.Insurer, e.Number = "　３３１２ー００１５　", "１ ２-３" }, nil, nil},
		{"right check digit", func(e *check.Entry) { e.Insurer = "33120015"; e.Symbol = "" }, nil, nil},
		{"wrong check digit", func(e *check.Entry) { e.Insurer = "33120016"; e.Symbol = "" }, []string{"insurer_number/check_digit"}, nil},
		{"letters", func(e *check.Entry) { e.Insurer = "abc" }, nil, []string{"insurer_number/invalid_argument"}},
		{"too many digits", func(e *check.Entry) { e.Insurer = "331200155" }, nil, []string{"insurer_number/invalid_argument"}},
		{"everything empty", func(e *check.Entry) { *e = check.Entry{Copayment: 30, Evidence: eligibility.EvidenceNotice} }, nil,
			[]string{"insurer_number/invalid_argument", "number/invalid_argument", "birth_date/invalid_argument"}},
		{"a My Number as number", func(e *check.Entry) { e.Number = "１２３４ 5678-9018" }, nil, []string{"number/my_number_refused"}},
		{"a My Number as insurer", func(e *check.Entry) { e.Insurer = "123456789018" }, nil, []string{"insurer_number/my_number_refused"}},
		{"a My Number as symbol", func(e *check.Entry) { e.Symbol = "123456789018" }, nil, []string{"symbol/my_number_refused"}},
		{"a My Number as branch", func(e *check.Entry) { e.Branch = "123456789018" }, nil, []string{"branch/my_number_refused"}},
		{"a My Number as birth date", func(e *check.Entry) { e.BirthDate = "123456789018" }, nil, []string{"birth_date/my_number_refused"}},
		{"a My Number as visit day", func(e *check.Entry) { e.VisitDay = "123456789018" }, nil, []string{"visit_day/my_number_refused"}},
		{"a My Number in the name", func(e *check.Entry) { e.Label = "ハナ 123456789018" }, nil, []string{"label/my_number_refused"}},
		{"born tomorrow", func(e *check.Entry) { e.BirthDate = "2026-11-22" }, nil, []string{"birth_date/invalid_argument"}},
		{"a visit tomorrow", func(e *check.Entry) { e.VisitDay = "2026-11-22" }, nil, []string{"visit_day/invalid_argument"}},
		{"an odd era year", func(e *check.Entry) { e.BirthDate = "平成31年6月1日"; e.Insurer = "33120015"; e.Symbol = "" }, []string{"birth_date/era_over"}, nil},
		{"endless", func(e *check.Entry) {
			e.Number, e.Insurer, e.Symbol, e.Label, e.Branch, e.BirthDate = long, long, long, long, long, long
		}, nil,
			[]string{"insurer_number/invalid_argument", "symbol/invalid_argument", "number/invalid_argument", "branch/invalid_argument", "birth_date/invalid_argument", "label/invalid_argument"}},
		{"a share that does not exist", func(e *check.Entry) { e.Copayment = 25 }, nil, []string{"copayment/invalid_argument"}},
		{"evidence that does not exist", func(e *check.Entry) { e.Evidence = "hearsay" }, nil, []string{"evidence/invalid_argument"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			e := entry()
			e.Override = false
			e.Insurer, e.Symbol = "33120015", ""
			c.change(&e)
			_, doubts, err := b.Record(t.Context(), e)
			if got := faults(err); !slices.Equal(got, c.faults) {
				t.Errorf("faults %v, want %v", got, c.faults)
			}
			for _, want := range c.doubts {
				if !slices.ContainsFunc(doubts, func(d check.Doubt) bool { return strings.HasPrefix(d.Field+"/"+d.Code, want) }) {
					t.Errorf("doubts %v lack %s", doubts, want)
				}
			}
			if len(c.doubts) == 0 && len(doubts) > 0 {
				t.Errorf("doubts %v", doubts)
			}
			if want := len(c.doubts) == 0 && len(c.faults) == 0; (b.queue.Stats().Pending == 1) != want {
				t.Errorf("recorded: %v, want %v", !want, want)
			}
			if len(c.doubts) > 0 {
				e.Override = true
				if _, _, err := b.Record(t.Context(), e); err != nil || b.queue.Stats().Pending != 1 {
					t.Errorf("an override does not record: %v", err)
				}
			}
		})
	}
}

func faults(err error) []string {
	var list []string
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			list = append(list, fault.PlaceOf(e)+"/"+string(fault.CodeOf(e)))
		}
	}
	return list
}

func TestOnlyInsuranceTerminalsAskForNumbers(t *testing.T) {
	for class, may := range map[profile.Class]bool{profile.Clinic: true, profile.InsurerCounter: true, profile.Counter: false, profile.Shelter: false, "": false} {
		b := newBench(t)
		b.profile.Class = class
		_, _, err := b.Record(t.Context(), entry())
		if may != (err == nil) || (!may && fault.CodeOf(err) != fault.Forbidden) {
			t.Errorf("class %q: %v", class, err)
		}
	}
}

func TestWatchersLearnOfChanges(t *testing.T) {
	b := newBench(t)
	changes, stop := b.Watch()
	defer stop()
	for range 3 {
		if _, _, err := b.Record(t.Context(), entry()); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-changes:
	default:
		t.Fatal("no change was told")
	}
	select {
	case <-changes:
		t.Fatal("changes were not folded")
	default:
	}
}

func TestACancelledCallConfirmsNothing(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := b.Record(ctx, entry()); err == nil {
		t.Fatal("a cancelled record was confirmed")
	}
	if b.kicks != 0 {
		t.Error("the uplink was woken for nothing")
	}
}

func TestALongListIsCutAndSaysSo(t *testing.T) {
	b := newBench(t)
	var first casebook.Case
	for i := range check.MaxRows + 3 {
		c, _, err := b.Record(t.Context(), entry())
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = c
		}
	}
	b.answer(t, first, func(a *eligibility.Answer) { a.CopaymentPercent = 10 })
	rows, more, err := b.Today(t.Context())
	if err != nil || len(rows) != check.MaxRows || more != 3 {
		t.Fatalf("%d rows and %d more: %v", len(rows), more, err)
	}
	if rows[0].RecordID != first.RecordID {
		t.Error("the oldest case has an open task and is not on top")
	}
}
