package operator_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"madoguchi.example/agent/internal/operator"
	"madoguchi.example/shared/fault"
)

// shelf keeps values in memory and may be full.
type shelf struct {
	mu     sync.Mutex
	values map[string][]byte
	full   error
}

func (s *shelf) Each(_ context.Context, visit func(string, []byte) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range slices.Sorted(maps.Keys(s.values)) {
		if err := visit(k, s.values[k]); err != nil {
			return err
		}
	}
	return nil
}

func (s *shelf) PutAll(_ context.Context, values map[string][]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full != nil {
		return s.full
	}
	maps.Copy(s.values, values)
	return nil
}

type stage struct {
	t     *testing.T
	shelf *shelf
	now   time.Time
	book  *operator.Book
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, shelf: &shelf{values: map[string][]byte{}}, now: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)}
	s.open()
	return s
}

func (s *stage) open() {
	s.t.Helper()
	var err error
	s.book, err = operator.Open(s.t.Context(), operator.Config{
		Shelf: s.shelf, Now: func() time.Time { return s.now }, Rand: rand.Reader, First: []string{"受付１", "受付２"}, Rounds: 10,
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) set(id, pin string) {
	s.t.Helper()
	if _, err := s.book.SetFirst(s.t.Context(), id, pin); err != nil {
		s.t.Fatal(err)
	}
}

// told checks an error's code and word.
func told(t *testing.T, err error, code fault.Code, word string) {
	t.Helper()
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Code != code || e.Message != word {
		t.Errorf("got %v, want %s %s", err, code, word)
	}
}

func TestTheFirstSignInSetsThePIN(t *testing.T) {
	s := newStage(t)
	all := s.book.All()
	if len(all) != 2 || all[0].ID != "op_1" || !all[0].Lead || all[1].Lead || all[0].HasPIN {
		t.Fatalf("%+v", all)
	}
	_, err := s.book.SignIn(t.Context(), "op_1", "2580")
	told(t, err, fault.Conflict, operator.PINUnset)
	s.set("op_1", "２５８０")
	if o, err := s.book.SignIn(t.Context(), "op_1", " 2580 "); err != nil || o.Name != "受付１" || !o.HasPIN {
		t.Errorf("%+v %v", o, err)
	}
	_, err = s.book.SetFirst(t.Context(), "op_1", "9999")
	told(t, err, fault.InvalidArgument, operator.PINWeak)
	_, err = s.book.SetFirst(t.Context(), "op_1", "9182")
	told(t, err, fault.Conflict, operator.PINSet)
	_, err = s.book.SignIn(t.Context(), "op_7", "2580")
	told(t, err, fault.NotFound, operator.NoOperator)
}

func TestThePINIsOfFewDigitsAndNotTheFirstGuess(t *testing.T) {
	s := newStage(t)
	for pin, word := range map[string]string{
		"": operator.PINForm, "123": operator.PINForm, "123456789": operator.PINForm, "12a4": operator.PINForm, "12.4": operator.PINForm,
		strings.Repeat("1", 9000): operator.PINForm, "0000": operator.PINWeak, "1234": operator.PINWeak, "87654321": operator.PINWeak, "١٢٣٩": operator.PINForm,
	} {
		_, err := s.book.SetFirst(t.Context(), "op_1", pin)
		told(t, err, fault.InvalidArgument, word)
		if err != nil && pin != "" && strings.Contains(err.Error(), pin) {
			t.Errorf("the PIN is repeated: %v", err)
		}
	}
}

// Guessing is bounded: after five wrong PINs each further one costs a longer wait, the right
// one included, and a restart forgets nothing.
func TestWrongPINsWaitLongerEachTime(t *testing.T) {
	s := newStage(t)
	s.set("op_1", "2580")
	for range operator.MaxWrong - 1 {
		_, err := s.book.SignIn(t.Context(), "op_1", "1111")
		told(t, err, fault.Unauthenticated, operator.PINWrong)
	}
	want := operator.FirstWait
	for range 8 {
		_, err := s.book.SignIn(t.Context(), "op_1", "no digits")
		told(t, err, fault.RateLimited, operator.PINWait)
		s.open()
		if got := s.book.Waits("op_1"); got != want {
			t.Errorf("waits %s, want %s", got, want)
		}
		_, err = s.book.SignIn(t.Context(), "op_1", "2580")
		told(t, err, fault.RateLimited, operator.PINWait)
		if s.book.Waits("op_2") != 0 {
			t.Error("another operator waits too")
		}
		s.now = s.now.Add(want)
		want = min(2*want, operator.LongestWait)
	}
	if _, err := s.book.SignIn(t.Context(), "op_1", "2580"); err != nil {
		t.Error(err)
	}
	_, err := s.book.SignIn(t.Context(), "op_1", "1111")
	told(t, err, fault.Unauthenticated, operator.PINWrong)
}

func TestAClockSetBackLocksNobodyOut(t *testing.T) {
	s := newStage(t)
	s.set("op_1", "2580")
	for range operator.MaxWrong {
		_, _ = s.book.SignIn(t.Context(), "op_1", "1111")
	}
	s.now = s.now.AddDate(-1, 0, 0)
	if got := s.book.Waits("op_1"); got > operator.LongestWait {
		t.Errorf("waits %s", got)
	}
}

// Guesses that come at the same time are counted one by one.
func TestGuessesAtOnceAreCounted(t *testing.T) {
	s := newStage(t)
	s.set("op_1", "2580")
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() { _, _ = s.book.SignIn(context.Background(), "op_1", fmt.Sprint(3000+7*i)) })
	}
	all.Wait()
	if s.book.Waits("op_1") != operator.FirstWait {
		t.Errorf("after 40 guesses at once the wait is %s: the others had to be turned away untried", s.book.Waits("op_1"))
	}
}

// A wrong PIN that cannot be counted is not answered as one.
func TestAFullDiskCountsNoLess(t *testing.T) {
	s := newStage(t)
	s.set("op_1", "2580")
	s.shelf.full = errors.New("no space left on device")
	_, err := s.book.SignIn(t.Context(), "op_1", "1111")
	if fault.CodeOf(err) == fault.Unauthenticated || err == nil {
		t.Error(err)
	}
	if _, err := s.book.SignIn(t.Context(), "op_1", "2580"); err != nil {
		t.Errorf("the right PIN needs no disk: %v", err)
	}
}

func TestOnlyALeadChangesOperators(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	s.set("op_2", "2580")
	_, err := s.book.Add(ctx, "op_2", "新人")
	told(t, err, fault.Forbidden, operator.NotLead)
	told(t, s.book.Remove(ctx, "op_2", "op_1"), fault.Forbidden, operator.NotLead)
	told(t, s.book.Reset(ctx, "", "op_1"), fault.Forbidden, operator.NotLead)
	told(t, s.book.SetLead(ctx, "op_2", "op_2", true), fault.Forbidden, operator.NotLead)
	told(t, s.book.Remove(ctx, "op_1", "op_1"), fault.Conflict, operator.LastLead)
	told(t, s.book.SetLead(ctx, "op_1", "op_1", false), fault.Conflict, operator.LastLead)
	for _, name := range []string{"", " \n ", strings.Repeat("あ", operator.MaxName+1), "a\x00b", "\xff", "受\u200b付", "受付\u202e１"} {
		_, err := s.book.Add(ctx, "op_1", name)
		told(t, err, fault.InvalidArgument, operator.NameForm)
	}
	for _, name := range []string{"123456789018", "１２３４　５６７８　９０１８", "受付 1234-5678-9018"} {
		_, err := s.book.Add(ctx, "op_1", name)
		told(t, err, fault.MyNumberRefused, operator.NameMyNumber)
	}
	_, err = s.book.Add(ctx, "op_1", "受付２")
	told(t, err, fault.Conflict, operator.NameTaken)
	if o, err := s.book.Add(ctx, "op_1", "  髙橋﨑　ヴァシリエヴィチ "); err != nil || o.ID != "op_3" || o.Name != "髙橋﨑 ヴァシリエヴィチ" {
		t.Errorf("%+v %v", o, err)
	}
	for _, err := range []error{s.book.Reset(ctx, "op_1", "op_2"), s.book.SetLead(ctx, "op_1", "op_3", true), s.book.Remove(ctx, "op_3", "op_1")} {
		if err != nil {
			t.Error(err)
		}
	}
	_, err = s.book.SignIn(ctx, "op_2", "2580")
	told(t, err, fault.Conflict, operator.PINUnset)
	s.open()
	if o, err := s.book.Add(ctx, "op_3", "受付１"); err != nil || o.ID != "op_4" {
		t.Errorf("the id of a removed operator was given again, or the name is not free: %+v %v", o, err)
	}
	if _, ok := s.book.Find("op_1"); ok {
		t.Error("a removed operator is found")
	}
}

func TestTheOwnerHelpsTheLeadWhoForgot(t *testing.T) {
	s := newStage(t)
	s.set("op_1", "2580")
	if err := s.book.ResetByOwner(t.Context(), "op_1"); err != nil {
		t.Fatal(err)
	}
	s.set("op_1", "3691")
	told(t, s.book.ResetByOwner(t.Context(), "op_9"), fault.NotFound, operator.NoOperator)
}

// A row that cannot be read costs its operator alone, and somebody still leads.
func TestADamagedOperatorIsGone(t *testing.T) {
	s := newStage(t)
	s.set("op_2", "2580")
	s.shelf.values["op_1"] = nil
	s.open()
	all := s.book.All()
	if len(all) != 1 || all[0].ID != "op_2" || !all[0].Lead || s.book.Unreadable() != 1 {
		t.Errorf("%+v, %d unreadable", all, s.book.Unreadable())
	}
	s.shelf.values["op_2"] = []byte(`{"number":1}`)
	s.open()
	if all = s.book.All(); len(all) != 2 || all[0].ID != "op_3" || all[0].HasPIN {
		t.Errorf("%+v", all)
	}
}

func TestNothingOfAPersonIsLogged(t *testing.T) {
	s := newStage(t)
	s.set("op_1", "2580")
	o, _ := s.book.Find("op_1")
	var out strings.Builder
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "operator", o)
	if strings.Contains(out.String(), "受付") || !strings.Contains(out.String(), "op_1") {
		t.Error(out.String())
	}
	for _, value := range s.shelf.values {
		if strings.Contains(string(value), "2580") {
			t.Error("a PIN lies on the shelf")
		}
	}
}

// A shelf that was replaced by what could be salvaged of it gets back who was known.
func TestOperatorsSurviveTheirShelf(t *testing.T) {
	s := newStage(t)
	s.set("op_1", "2580")
	clear(s.shelf.values)
	if err := s.book.Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.open()
	if _, err := s.book.SignIn(t.Context(), "op_1", "2580"); err != nil || len(s.book.All()) != 2 {
		t.Errorf("%v, %v", err, s.book.All())
	}
}
