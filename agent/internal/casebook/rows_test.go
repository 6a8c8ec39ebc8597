package casebook_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"
	"unsafe"

	cryptorand "crypto/rand"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
)

// long is a case as full as a clinic's are.
func long(n int) casebook.Case {
	at := time.Date(2026, 11, 21, 1, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Second)
	day, born := civil.In(at), civil.Date{Year: 1930 + n%80, Month: time.Month(n%12 + 1), Day: n%28 + 1}
	return casebook.Case{
		RecordID: id(n), RecordedAt: at, VisitDay: day, Operator: "受付１", OperatorID: "op_1", Label: "ヤマダ ハナ", Patient: fmt.Sprint(n),
		Inquiry:  eligibility.Inquiry{RecordID: id(n), InsurerNumber: "06139997", Symbol: "12", Number: fmt.Sprint(n), Branch: "01", BirthDate: born, VisitDay: day},
		Typed:    casebook.Typed{Insurer: "06139997", Symbol: "12", Number: fmt.Sprint(n), Branch: "01", Birth: born.String()},
		Evidence: eligibility.EvidenceCertificate, Cause: eligibility.CauseNone, Route: eligibility.RouteTerminal, State: eligibility.Answered,
		Asked: 1, AskedAt: at, SentAt: at, AnsweredAt: at, Charge: casebook.Charge{Percent: 30, Rule: "standard", Title: "三割"},
		Answer: &eligibility.Answer{
			RecordID: id(n), VisitDay: day, Validity: eligibility.Valid, InsurerNumber: "06139997", InsurerName: "架空健康保険組合", Number: fmt.Sprint(n),
			HolderKana: "ﾔﾏﾀﾞ ﾊﾅ", HolderKanji: "山田　花", BirthDate: born, CopaymentPercent: 30,
		},
	}
}

// endless is a shelf that makes its values when they are asked for, so that they take no
// memory that a test would count.
type endless struct {
	casebook.Memory
	n int
}

func (s *endless) Each(_ context.Context, visit func(string, []byte) error) error {
	for i := range s.n {
		raw, err := casebook.Encode(long(i))
		if err != nil {
			return err
		}
		if err := visit(id(i), raw); err != nil {
			return err
		}
	}
	return nil
}

func (s *endless) Get(_ context.Context, key string) ([]byte, bool, error) {
	n := 0
	if _, err := fmt.Sscanf(key[len(key)-12:], "%d", &n); err != nil {
		return nil, false, err
	}
	raw, err := casebook.Encode(long(n))
	return raw, true, err
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A terminal of 4 GB keeps its desk for years: what a row costs is bounded, and what is read
// is let go again.
func TestTheMemoryOfManyRows(t *testing.T) {
	if size := unsafe.Sizeof(casebook.Row{}); size != casebook.RowBytes {
		t.Fatalf("a row takes %d bytes, documented %d", size, casebook.RowBytes)
	}
	n := 4_000
	if os.Getenv("MADOGUCHI_SOAK") == "1" {
		n = 100_000 // takes 8.3 MiB
	}
	most := int64(n)*casebook.RowBytes*11/10 + 2<<20 // the rows, and the cases that are kept decoded
	before := heap()
	b := casebook.New(&endless{n: n})
	for rank := range 20 { // every list reads other cases
		cases, more, err := b.Top(t.Context(), 200, func(r *casebook.Row) int { return int(r.RecordedAt().Unix()+int64(rank*499)) % 3989 })
		if err != nil || len(cases)+more != n {
			t.Fatalf("%d and %d more: %v", len(cases), more, err)
		}
	}
	used := int64(heap()) - int64(before)
	if used > most {
		t.Errorf("%d rows take %d bytes, at most %d", n, used, most)
	}
	t.Logf("%d rows take %.1f MiB", n, float64(used)/(1<<20))
	runtime.KeepAlive(b)
}

// Rows come in any order, change and go; the book agrees with a map.
func TestRowsInAnyOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	s := &shelf{values: map[string][]byte{}}
	b := casebook.New(s)
	want := map[string]eligibility.State{}
	for step := range 2000 {
		c := long(rng.IntN(800))
		if c.State = eligibility.Answered; rng.IntN(2) == 0 {
			c.State = eligibility.Queued
		}
		if step%600 == 599 { // all that is closed goes
			if _, err := b.Trim(t.Context(), civil.Date{Year: 2027, Month: 1, Day: 1}); err != nil {
				t.Fatal(err)
			}
			for key, state := range want {
				if state == eligibility.Answered {
					delete(want, key)
				}
			}
			continue
		}
		if err := b.Put(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		want[c.RecordID] = c.State
	}
	for _, book := range []*casebook.Book{b, casebook.New(s)} {
		cases, _, err := selected(t, book)
		if err != nil || len(want) == 0 || book.Len() != len(want) {
			t.Fatalf("%d of %d cases: %v", book.Len(), len(want), err)
		}
		if !slices.IsSortedFunc(cases, func(x, y casebook.Case) int { return bytes.Compare([]byte(y.RecordID), []byte(x.RecordID)) }) {
			t.Error("not newest first")
		}
		for key, state := range want {
			if c, ok, err := book.Get(t.Context(), key); !ok || err != nil || c.State != state {
				t.Fatalf("%s: %v %s, want %s: %v", key, ok, c.State, state, err)
			}
		}
	}
}

// A row tells what its case does.
func TestARowAgreesWithItsCase(t *testing.T) {
	c := long(7)
	c.Task, c.Known = &casebook.Task{Kind: casebook.TaskOtherPerson}, &casebook.Known{Expires: c.RecordedAt.Add(time.Hour)}
	c.Owed, c.Face = []casebook.Owed{{ID: "x"}}, "face.xml"
	r, ok := c.Row()
	expires, known := r.KnownExpires()
	if !ok || r.RecordID() != c.RecordID || !r.RecordedAt().Equal(c.RecordedAt) || !r.AskedAt().Equal(c.AskedAt) || r.VisitDay() != c.VisitDay ||
		r.State() != c.State || r.Route() != c.Route || r.OpenTask() != c.OpenTask() || r.Asked() != 1 || !r.HasNumbers() || !r.Owes() || r.Closed() || r.Waits() ||
		!known || !expires.Equal(c.Known.Expires) || r.Face() != casebook.FaceMark("face.xml") || r.Operator() != casebook.OperatorMark("op_1", "another name") ||
		r.Person() != casebook.PersonMark(c.Inquiry.BirthDate, "ﾔﾏﾀﾞﾊﾅ") || r.Person() == casebook.PersonMark(c.Inquiry.BirthDate, "ﾔﾏﾀﾞﾊﾙ") {
		t.Errorf("%+v", r)
	}
	c.State, c.Cause, c.Known, c.Face = eligibility.Queued, eligibility.CauseTheirsAfter, nil, ""
	r, _ = c.Row()
	if _, known := r.KnownExpires(); !r.EndedAbnormally() || known || r.Face() != 0 || !r.Waits() {
		t.Errorf("%+v", r)
	}
	if c.RecordID = "r01"; func() bool { _, ok := c.Row(); return ok }() {
		t.Error("a row without a proper ID")
	}
}

// A value that is gone or broken when it is read leaves the lists, and is counted if it was
// broken.
func TestAValueThatBrokeLater(t *testing.T) {
	s := &shelf{values: map[string][]byte{}}
	for i := range 3 {
		raw, err := casebook.Encode(long(i))
		if err != nil {
			t.Fatal(err)
		}
		s.values[id(i)] = raw
	}
	b := casebook.New(s)
	if ids, err := b.IDs(t.Context(), func(*casebook.Row) bool { return true }); err != nil || len(ids) != 3 {
		t.Fatalf("%v: %v", ids, err)
	}
	s.values[id(0)] = []byte("broken")
	delete(s.values, id(1))
	cases, unreadable, err := selected(t, b)
	if err != nil || len(cases) != 1 || unreadable != 1 || b.Len() != 1 {
		t.Errorf("%d cases, %d unreadable, %d rows: %v", len(cases), unreadable, b.Len(), err)
	}
}

// A write in doubt is looked for alone: a disk that is full does not cost a walk each time.
func TestADoubtfulWriteIsReadAlone(t *testing.T) {
	s := &shelf{values: map[string][]byte{}}
	b := casebook.New(s)
	if err := b.Put(t.Context(), long(1), long(2)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := selected(t, b); err != nil {
		t.Fatal(err)
	}
	changed := long(1)
	changed.State = eligibility.Voided
	raw, err := casebook.Encode(changed)
	if err != nil {
		t.Fatal(err)
	}
	s.values[id(1)] = raw
	delete(s.values, id(2))
	b.Unsure(id(1), id(2))
	if c, ok, err := b.Get(t.Context(), id(1)); !ok || err != nil || c.State != eligibility.Voided {
		t.Errorf("%v %s: %v", ok, c.State, err)
	}
	if _, ok, err := b.Get(t.Context(), id(2)); ok || err != nil || s.reads != 1 {
		t.Errorf("%v, read %d times whole: %v", ok, s.reads, err)
	}
}

// BenchmarkFirstUse reads 100,000 rows from an encrypted file.
func BenchmarkFirstUse(b *testing.B) {
	dir := b.TempDir()
	key := vault.KeyFile(filepath.Join(dir, "k"))
	if err := key.Create(cryptorand.Reader); err != nil {
		b.Fatal(err)
	}
	v, err := vault.Open(b.Context(), dir, vault.Options{Key: key, Now: time.Now, Rand: cryptorand.Reader, Terminal: "trm_1", MaxBytes: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	const n = 100_000
	for from := 0; from < n; from += 10_000 {
		values := map[string][]byte{}
		for i := from; i < from+10_000; i++ {
			if values[id(i)], err = casebook.Encode(long(i)); err != nil {
				b.Fatal(err)
			}
		}
		if err := v.Shelf(casebook.ShelfName).PutAll(b.Context(), values); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		book := casebook.New(v.Shelf(casebook.ShelfName))
		if ids, err := book.IDs(b.Context(), (*casebook.Row).Waits); err != nil || book.Len() != n {
			b.Fatalf("%d: %v", len(ids), err)
		}
	}
}

// BenchmarkList is a list of 200 among 100,000 rows, as after every change at the desk.
func BenchmarkList(b *testing.B) {
	book := casebook.New(&endless{n: 100_000})
	b.ReportAllocs()
	for b.Loop() {
		if cases, _, err := book.Top(b.Context(), 200, func(r *casebook.Row) int {
			if r.Closed() && r.RecordedAt().Unix()%10 == 0 {
				return -1
			}
			return 0
		}); err != nil || len(cases) != 200 {
			b.Fatal(err)
		}
	}
}
