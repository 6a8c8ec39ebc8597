package casebook_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
)

// shelf is a shelf in memory that counts how often it is read whole, and single values of it.
type shelf struct {
	values map[string][]byte
	reads  int
	gets   int
	fail   error
}

func (s *shelf) Get(_ context.Context, key string) ([]byte, bool, error) {
	s.gets++
	value, ok := s.values[key]
	return value, ok, s.fail
}

func (s *shelf) Each(_ context.Context, visit func(string, []byte) error) error {
	s.reads++
	for _, k := range slices.Sorted(maps.Keys(s.values)) {
		if err := visit(k, s.values[k]); err != nil {
			return err
		}
	}
	return s.fail
}

func (s *shelf) PutAll(_ context.Context, values map[string][]byte) error {
	if s.fail == nil {
		maps.Copy(s.values, values)
	}
	return s.fail
}

func (s *shelf) Delete(_ context.Context, key string) error {
	delete(s.values, key)
	return s.fail
}

// id is a record ID that sorts by n.
func id(n int) string { return fmt.Sprintf("01920000-0000-7000-8000-%012d", n) }

func kase(n int, state eligibility.State) casebook.Case {
	return casebook.Case{
		RecordID: id(n), VisitDay: civil.Date{Year: 2026, Month: 10, Day: n}, State: state,
		Label: "ヤマダ", Inquiry: eligibility.Inquiry{Number: "4711"},
	}
}

// selected gives all cases of the book, newest first, and how many cannot be read.
func selected(t *testing.T, b *casebook.Book) ([]casebook.Case, int, error) {
	t.Helper()
	cases, _, err := b.Top(t.Context(), 1000, func(*casebook.Row) int { return 0 })
	return cases, b.Unreadable(), err
}

func TestWhatWasPutIsThereAfterOpeningAnew(t *testing.T) {
	s := &shelf{values: map[string][]byte{}}
	b := casebook.New(s)
	for i := 1; i <= 3; i++ {
		if err := b.Put(t.Context(), kase(i, eligibility.Recorded)); err != nil {
			t.Fatal(err)
		}
	}
	s.values["zz"] = []byte("not a case")
	for _, book := range []*casebook.Book{casebook.New(s), casebook.New(s)} {
		cases, unreadable, err := selected(t, book)
		if err != nil || len(cases) != 3 || unreadable != 1 || cases[0].RecordID != id(3) {
			t.Fatalf("%d cases, %d unreadable: %v", len(cases), unreadable, err)
		}
	}
}

func TestTheShelfIsReadOnce(t *testing.T) {
	s := &shelf{values: map[string][]byte{}}
	b := casebook.New(s)
	b.Written(kase(1, eligibility.Recorded)) // before the first use: on the shelf, or not at all
	if _, ok, _ := b.Get(t.Context(), id(1)); ok {
		t.Error("a case that is not on the shelf was found")
	}
	b.Written(kase(2, eligibility.Recorded))
	for range 5 {
		if c, ok, err := b.Get(t.Context(), id(2)); !ok || err != nil || c.Label != "ヤマダ" {
			t.Fatalf("%v %v", ok, err)
		}
	}
	if s.reads != 1 || s.gets != 0 {
		t.Errorf("the shelf was read %d times whole, %d values alone", s.reads, s.gets)
	}
}

func TestAShelfThatFailsIsAskedAgain(t *testing.T) {
	s := &shelf{values: map[string][]byte{}, fail: errors.New("disk")}
	b := casebook.New(s)
	if _, _, err := b.Get(t.Context(), id(1)); err == nil {
		t.Fatal("a failing shelf gave an answer")
	}
	if err := b.Put(t.Context(), kase(1, eligibility.Recorded)); err == nil {
		t.Fatal("a failing shelf took a case")
	}
	s.fail = nil
	if _, ok, err := b.Get(t.Context(), id(1)); ok || err != nil {
		t.Fatalf("%v %v", ok, err)
	}
}

// A write whose outcome is not known may lie on the shelf: the book looks.
func TestAWriteInDoubtIsLookedFor(t *testing.T) {
	s := &shelf{values: map[string][]byte{}}
	b := casebook.New(s)
	if _, ok, err := b.Get(t.Context(), id(1)); ok || err != nil {
		t.Fatalf("%v %v", ok, err)
	}
	raw, err := casebook.Encode(kase(1, eligibility.Recorded))
	if err != nil {
		t.Fatal(err)
	}
	s.values[id(1)] = raw
	b.Unsure()
	if _, ok, err := b.Get(t.Context(), id(1)); !ok || err != nil {
		t.Errorf("%v %v", ok, err)
	}
}

func TestTrimKeepsWhatWaits(t *testing.T) {
	s := &shelf{values: map[string][]byte{}}
	b := casebook.New(s)
	withTask := kase(3, eligibility.Answered)
	withTask.Task = &casebook.Task{Kind: casebook.TaskDiffers, RaisedAt: time.Unix(1, 0)}
	looked, refused := kase(4, eligibility.Refused), kase(5, eligibility.Refused)
	looked.Task = &casebook.Task{Kind: casebook.TaskRefused, ClosedAt: time.Unix(2, 0)}
	refused.Task = &casebook.Task{Kind: casebook.TaskRefused}
	if err := b.Put(t.Context(), kase(1, eligibility.Answered), kase(2, eligibility.Sent), withTask, looked, refused, kase(9, eligibility.Answered)); err != nil {
		t.Fatal(err)
	}
	n, err := b.Trim(t.Context(), civil.Date{Year: 2026, Month: 10, Day: 6})
	if err != nil || n != 2 || len(s.values) != 4 {
		t.Fatalf("%d trimmed, %d left: %v", n, len(s.values), err)
	}
	if _, ok, _ := b.Get(t.Context(), id(1)); ok {
		t.Error("a trimmed case is still found")
	}
}

// A visit long past that was checked today has its answer to be looked at.
func TestTrimKeepsWhatIsNew(t *testing.T) {
	today := time.Date(2026, time.December, 20, 12, 0, 0, 0, civil.Japan)
	recorded, answered := kase(1, eligibility.Answered), kase(2, eligibility.Answered)
	recorded.RecordedAt = today
	answered.RecordedAt, answered.AnsweredAt = today.AddDate(0, -2, 0), today
	b := casebook.New(&shelf{values: map[string][]byte{}})
	if err := b.Put(t.Context(), recorded, answered); err != nil {
		t.Fatal(err)
	}
	if n, err := b.Trim(t.Context(), civil.In(today)); err != nil || n != 0 {
		t.Errorf("%d trimmed on the day itself: %v", n, err)
	}
	if n, err := b.Trim(t.Context(), civil.In(today.AddDate(0, 0, 1))); err != nil || n != 2 {
		t.Errorf("%d trimmed at last: %v", n, err)
	}
}

func TestACaseMasksItself(t *testing.T) {
	if s := kase(1, eligibility.Sent).LogValue().String(); strings.Contains(s, "ヤマダ") || strings.Contains(s, "4711") {
		t.Error(s)
	}
}

// FuzzRows puts anything on the shelf: the book reads what it can and counts the rest.
func FuzzRows(f *testing.F) {
	raw, err := casebook.Encode(kase(1, eligibility.Answered))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b := casebook.New(&shelf{values: map[string][]byte{id(1): raw}})
		cases, unreadable, err := selected(t, b)
		if err != nil || len(cases)+unreadable != 1 || b.Unreadable() != unreadable {
			t.Fatalf("%d cases, %d unreadable: %v", len(cases), unreadable, err)
		}
		for _, c := range cases {
			_, _ = c.Closed(), c.LogValue()
		}
	})
}

// A terminal keeps its disk over an update: what an earlier version wrote is read as it was
// meant.
func TestCasesOfAnEarlierVersion(t *testing.T) {
	s := &shelf{values: map[string][]byte{
		id(50): []byte(`{"record_id":"` + id(50) + `","recorded_at":"2026-11-20T01:00:00Z","visit_day":"2026-11-20","operator":"受付１",
			"inquiry":{"record_id":"` + id(50) + `","insurer_number":"06139997","symbol":"","number":"1","branch":"","birth_date":"1980-04-01","visit_day":"2026-11-20"},
			"evidence":"notice","cause":"terminal_started","assumed":{"validity":"valid"},"state":"recorded","sent_at":"0001-01-01T00:00:00Z"}`),
		id(51): []byte(`{"record_id":"` + id(51) + `","visit_day":"2026-11-20","inquiry":{"number":"1","insurer_number":"1"},"cause":"none","state":"sent"}`),
		id(52): []byte(`{"record_id":"` + id(52) + `","visit_day":"2026-11-20","inquiry":{"number":"1","insurer_number":"1"},"cause":"no_answer","state":"answered","answer":{"record_id":"` + id(52) + `","visit_day":"2026-11-20","validity":"valid"},"task":{"kind":"differs","differences":[{"field":"branch","assumed":"01","answered":"02"}],"raised_at":"2026-11-20T01:00:00Z"}}`),
		id(53): []byte(`{"record_id":"` + id(53) + `","visit_day":"2026-11-20","inquiry":{},"cause":"none","state":"recorded","route":"payer"}`),
	}}
	b := casebook.New(s)
	for id, want := range map[string]struct {
		state eligibility.State
		task  bool
	}{id(50): {eligibility.Queued, false}, id(51): {eligibility.Sent, false}, id(52): {eligibility.Answered, true}, id(53): {eligibility.Recorded, false}} {
		c, ok, err := b.Get(t.Context(), id)
		if err != nil || !ok || c.State != want.state || c.Route != eligibility.RoutePayer || c.Task.Open() != want.task || !c.Cause.Known() {
			t.Errorf("%s: %s %s, task %v: %v", id, c.State, c.Route, c.Task.Open(), err)
		}
	}
}

func TestTheTopOfALongList(t *testing.T) {
	s := &shelf{values: map[string][]byte{}}
	b := casebook.New(s)
	var all []casebook.Case
	for i := range 97 {
		c := kase(1+i%28, eligibility.Queued)
		c.RecordID = id(i)
		all = append(all, c)
	}
	if err := b.Put(t.Context(), all...); err != nil {
		t.Fatal(err)
	}
	rank := func(r *casebook.Row) int { return int(r.RecordID()[35]-'0') - 1 } // what ends in 0 is left out
	var want []string
	for digit := 1; digit <= 9; digit++ {
		for i := 96; i >= 0; i-- {
			if i%10 == digit {
				want = append(want, id(i))
			}
		}
	}
	for _, limit := range []int{1, 2, 7, 50, len(want), 500} {
		cases, more, err := b.Top(t.Context(), limit, rank)
		if err != nil || len(cases)+more != len(want) {
			t.Fatalf("limit %d: %d and %d more of %d: %v", limit, len(cases), more, len(want), err)
		}
		for i, c := range cases {
			if c.RecordID != want[i] {
				t.Fatalf("limit %d: place %d holds %s, want %s", limit, i, c.RecordID, want[i])
			}
		}
	}
}

// What a row owes the queue keeps it from being closed and so from being removed.
func TestACaseThatOwesStays(t *testing.T) {
	b := casebook.New(&casebook.Memory{})
	owes, paid := kase(1, eligibility.Voided), kase(2, eligibility.Voided)
	owes.Owed = []casebook.Owed{{ID: "x", Kind: "eligibility.amendment", Body: []byte("{}")}}
	if err := b.Put(t.Context(), owes, paid); err != nil {
		t.Fatal(err)
	}
	n, err := b.Trim(t.Context(), civil.Date{Year: 2026, Month: 12, Day: 1})
	if err != nil || n != 1 {
		t.Fatalf("%d removed: %v", n, err)
	}
	if _, ok, _ := b.Get(t.Context(), owes.RecordID); !ok {
		t.Error("what was owed is lost")
	}
}

func TestMemory(t *testing.T) {
	var m casebook.Memory
	value := []byte("a")
	if err := m.PutAll(t.Context(), map[string][]byte{"2": []byte("b"), "1": value}); err != nil {
		t.Fatal(err)
	}
	value[0] = 'x'
	var seen []string
	visit := func(key string, value []byte) error { seen = append(seen, key+string(value)); return nil }
	if err := m.Each(t.Context(), visit); err != nil || !slices.Equal(seen, []string{"1a", "2b"}) {
		t.Errorf("%v: %v", seen, err)
	}
	if err := errors.Join(m.Delete(t.Context(), "1"), m.Delete(t.Context(), "1")); err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	if err := m.Each(t.Context(), func(string, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}
