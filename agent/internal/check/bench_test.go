package check_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/shared/eligibility"
)

// filled is a clinic's desk with n rows of today, one in ten still open and one in a hundred
// with a task.
func filled(b testing.TB, n int) *bench {
	b.Helper()
	d := newClinic(b)
	values := map[string][]byte{}
	for i := range n {
		id, err := d.queue.NewID()
		if err != nil {
			b.Fatal(err)
		}
		c := casebook.Case{
			RecordID: id, RecordedAt: d.now.Add(-time.Duration(n-i) * time.Second), Operator: "受付１", OperatorID: "op_1",
			Label: "ヤマダ ハナ", Evidence: eligibility.EvidenceCertificate, Cause: eligibility.CauseNone, Route: eligibility.RouteTerminal,
			State: eligibility.Answered, Asked: 1, AskedAt: d.now, SentAt: d.now, AnsweredAt: d.now,
		}
		e := entry()
		c.Inquiry = eligibility.Inquiry{RecordID: id, InsurerNumber: e.Insurer, Symbol: "12", Number: fmt.Sprint(i), Branch: "01"}
		c.Inquiry.BirthDate.Year, c.Inquiry.BirthDate.Month, c.Inquiry.BirthDate.Day = 1980, time.Month(i%12+1), i%28+1
		c.VisitDay.Year, c.VisitDay.Month, c.VisitDay.Day = 2026, 11, 21
		c.Answer = &eligibility.Answer{
			RecordID: id, VisitDay: c.VisitDay, Validity: eligibility.Valid, InsurerNumber: e.Insurer, Number: c.Inquiry.Number,
			HolderKana: "ﾔﾏﾀﾞ ﾊﾅ", HolderKanji: "山田　花", BirthDate: c.Inquiry.BirthDate,
		}
		switch {
		case i%100 == 0:
			c.Task = &casebook.Task{Kind: casebook.TaskDiffers, RaisedAt: d.now}
		case i%10 == 0:
			c.State, c.Answer = eligibility.Sent, nil
		}
		if values[id], err = casebook.Encode(c); err != nil {
			b.Fatal(err)
		}
	}
	if err := d.vault.Shelf(casebook.ShelfName).PutAll(b.Context(), values); err != nil {
		b.Fatal(err)
	}
	if rows, more, err := d.Today(b.Context()); err != nil || len(rows)+more != n {
		b.Fatalf("%d rows: %v", len(rows)+more, err)
	}
	return d
}

// BenchmarkRecord is Enter to "recorded", on the disk, with 10,000 rows present.
func BenchmarkRecord(b *testing.B) {
	d := filled(b, 10_000)
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		if _, _, err := d.Record(b.Context(), entry()); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms/p50")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms/p99")
}

// BenchmarkToday is the desk's list with 10,000 rows present: it is made anew after every
// change.
func BenchmarkToday(b *testing.B) {
	d := filled(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		if rows, _, err := d.Today(b.Context()); err != nil || len(rows) == 0 {
			b.Fatal(err)
		}
	}
}

// BenchmarkChase looks through 10,000 rows for what is due, of which none is.
func BenchmarkChase(b *testing.B) {
	d := filled(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Chase(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPast looks for a returning patient among 10,000 rows.
func BenchmarkPast(b *testing.B) {
	d := filled(b, 10_000)
	birth, _, _ := d.Desk.Book.Top(b.Context(), 1, func(*casebook.Row) int { return 0 })
	for b.Loop() {
		if past, err := d.Past(b.Context(), birth[0].Inquiry.BirthDate, "ヤマダ ハナ"); err != nil || len(past) == 0 {
			b.Fatal(err)
		}
	}
}

// A list must not become slow as the days of a busy clinic go by: what it makes anew does
// not grow with the rows that it does not show.
func TestTheListStaysFast(t *testing.T) {
	made := func(n int) float64 {
		d := filled(t, n)
		return testing.AllocsPerRun(5, func() {
			if _, _, err := d.Today(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, many := made(300), made(3000); many > few*1.2 {
		t.Errorf("%.0f allocations with 300 rows, %.0f with 3,000", few, many)
	}
}
