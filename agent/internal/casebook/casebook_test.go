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

// shelf is a shelf in memory that counts how often it is read whole.
type shelf struct {
	values map[string][]byte
	reads  int
	fail   error
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

func kase(n int, state eligibility.State) casebook.Case {
	return casebook.Case{
		RecordID: fmt.Sprintf("r%02d", n), VisitDay: civil.Date{Year: 2026, Month: 10, Day: n}, State: state,
		Label: "ヤマダ", Inquiry: eligibility.Inquiry{Number: "4711"},
	}
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
		cases, unreadable, err := book.Select(t.Context(), func(casebook.Case) bool { return true })
		if err != nil || len(cases) != 3 || unreadable != 1 || cases[0].RecordID != "r03" {
			t.Fatalf("%d cases, %d unreadable: %v", len(cases), unreadable, err)
		}
	}
}

func TestTheShelfIsReadOnce(t *testing.T) {
	s := &shelf{values: map[string][]byte{}}
	b := casebook.New(s)
	b.Written(kase(1, eligibility.Recorded)) // before the first use: on the shelf, or not at all
	if _, ok, _ := b.Get(t.Context(), "r01"); ok {
		t.Error("a case that is not on the shelf was found")
	}
	b.Written(kase(2, eligibility.Recorded))
	for range 5 {
		if c, ok, err := b.Get(t.Context(), "r02"); !ok || err != nil || c.Label != "ヤマダ" {
			t.Fatalf("%v %v", ok, err)
		}
	}
	if s.reads != 1 {
		t.Errorf("the shelf was read %d times", s.reads)
	}
}

func TestAShelfThatFailsIsAskedAgain(t *testing.T) {
	s := &shelf{values: map[string][]byte{}, fail: errors.New("disk")}
	b := casebook.New(s)
	if _, _, err := b.Get(t.Context(), "r01"); err == nil {
		t.Fatal("a failing shelf gave an answer")
	}
	if err := b.Put(t.Context(), kase(1, eligibility.Recorded)); err == nil {
		t.Fatal("a failing shelf took a case")
	}
	s.fail = nil
	if _, ok, err := b.Get(t.Context(), "r01"); ok || err != nil {
		t.Fatalf("%v %v", ok, err)
	}
}

// A write whose outcome is not known may lie on the shelf: the book looks.
func TestAWriteInDoubtIsLookedFor(t *testing.T) {
	s := &shelf{values: map[string][]byte{}}
	b := casebook.New(s)
	if _, ok, err := b.Get(t.Context(), "r01"); ok || err != nil {
		t.Fatalf("%v %v", ok, err)
	}
	raw, err := casebook.Encode(kase(1, eligibility.Recorded))
	if err != nil {
		t.Fatal(err)
	}
	s.values["r01"] = raw
	b.Unsure()
	if _, ok, err := b.Get(t.Context(), "r01"); !ok || err != nil {
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
	if _, ok, _ := b.Get(t.Context(), "r01"); ok {
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
		b := casebook.New(&shelf{values: map[string][]byte{"r01": raw}})
		cases, unreadable, err := b.Select(t.Context(), func(casebook.Case) bool { return true })
		if err != nil || len(cases)+unreadable != 1 || b.Unreadable() != unreadable {
			t.Fatalf("%d cases, %d unreadable: %v", len(cases), unreadable, err)
		}
		for _, c := range cases {
			_, _ = c.Closed(), c.LogValue()
		}
	})
}
