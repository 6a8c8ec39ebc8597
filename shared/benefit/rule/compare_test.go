package rule_test

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/civil"
)

// household draws a family and a month from June 2012 to 2027, with the months of the
// reforms and the incomes and births at the edges more often than chance would have them.
func household(t *rapid.T) benefit.Request {
	m := benefit.Month{Year: 2012, Month: time.June}.Add(rapid.IntRange(0, 186).Draw(t, "month"))
	if rapid.IntRange(0, 3).Draw(t, "reform") == 0 {
		m = rapid.SampledFrom([]benefit.Month{oct2022.Add(-1), oct2022, oct2024.Add(-1), oct2024, oct2024.Add(6)}).Draw(t, "reform month")
	}
	dependants := rapid.Int64Range(0, 6).Draw(t, "dependants")
	income := rapid.Int64Range(0, 12_000_000).Draw(t, "income")
	if rapid.Bool().Draw(t, "edge") {
		edge := rapid.SampledFrom([]int64{incomeLimit, upperLimit, incomeLimit + perDependant*dependants, upperLimit + perDependant*dependants}).Draw(t, "limit")
		income = edge + rapid.Int64Range(-1, 1).Draw(t, "by")
	}
	r := benefit.Request{Benefit: "child_allowance", Month: m,
		Facts: map[string]benefit.Value{"income": benefit.Int(income), "dependants": benefit.Int(dependants)}}
	for range rapid.IntRange(0, 7).Draw(t, "children") {
		r.Children = append(r.Children, child(t, m))
	}
	return r
}

func child(t *rapid.T, m benefit.Month) benefit.Child {
	born := m.Add(-rapid.IntRange(0, 24*12).Draw(t, "months old"))
	switch rapid.IntRange(0, 4).Draw(t, "kind of birth") {
	case 0:
		born = rapid.SampledFrom([]benefit.Month{m, m.Add(-1), m.Add(-35), m.Add(-36), m.Add(-37)}).Draw(t, "near")
	case 1:
		born.Month = time.April
		if m.Before(born) {
			born.Year--
		}
	case 2:
		born = benefit.Month{Year: 2012, Month: time.February}
	}
	c := benefit.Child{Birth: civil.Date{Year: born.Year, Month: born.Month, Day: 1}}
	if days := born.Last().Day; rapid.Bool().Draw(t, "not the 1st") {
		c.Birth.Day = rapid.SampledFrom([]int{2, 15, days - 1, days}).Draw(t, "day")
	}
	if rapid.Bool().Draw(t, "told of costs") {
		c.Facts = map[string]benefit.Value{"cost_confirmed": benefit.Bool(rapid.Bool().Draw(t, "costs"))}
	}
	return c
}

// The programme as data gives what the same law written by hand gives, step by step and
// word by word.
func TestTheProgrammeIsTheLawWrittenByHand(t *testing.T) {
	e := shipped(t)
	rapid.Check(t, func(t *rapid.T) {
		r := household(t)
		for _, texts := range []bool{true, false} {
			evaluate := e.Decide
			if texts {
				evaluate = e.Evaluate
			}
			got, err := evaluate(r)
			if err != nil {
				t.Fatal(err)
			}
			want := byHand(&r, texts)
			if len(got.Steps) != len(want.Steps) {
				t.Fatalf("%d steps, want %d: %+v", len(got.Steps), len(want.Steps), got.Steps)
			}
			for i := range want.Steps {
				if !reflect.DeepEqual(got.Steps[i], want.Steps[i]) {
					t.Fatalf("step %d:\n%+v\nwant\n%+v", i, got.Steps[i], want.Steps[i])
				}
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%+v\nwant\n%+v", got, want)
			}
		}
	})
}

// A decision that was made without texts is explained later in the same words.
func TestExplainAddsTheSameWords(t *testing.T) {
	e := shipped(t)
	rapid.Check(t, func(t *rapid.T) {
		r := household(t)
		for i := range r.Children {
			if rapid.IntRange(0, 9).Draw(t, "birth not known") == 0 {
				r.Children[i].Birth = civil.Date{}
			}
		}
		if rapid.Bool().Draw(t, "income not known") {
			delete(r.Facts, "income")
		}
		want, err := e.Evaluate(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.Decide(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range got.Steps {
			if s.Text != (benefit.Words{}) || s.Result.Known() == (len(s.Needs) > 0) {
				t.Fatalf("%+v", s)
			}
		}
		if err := e.Explain(&got); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%v\n%+v\nwant\n%+v", err, got, want)
		}
	})
}

// town gives households for the benchmarks: no, one or more children over all ages, incomes
// on both sides of the limits; the months are July 2023 and July 2025 in turn.
func town(t testing.TB) []benefit.Request {
	births := []string{"2007-04-02", "2009-04-01", "2012-02-29", "2015-08-01", "2017-11-30", "2020-03-31", "2022-07-01", "2023-05-15", "2005-09-09"}
	var all []benefit.Request
	for i := range 1000 {
		r := benefit.Request{Benefit: "child_allowance", Month: benefit.Month{Year: 2023 + i%2*2, Month: time.July}, Facts: map[string]benefit.Value{
			"income": benefit.Int(int64(i%23) * 450_000), "dependants": benefit.Int(int64(i % 5))}}
		for j := range 1 + i*7%4 {
			r.Children = append(r.Children, benefit.Child{Birth: day(t, births[(i+3*j)%len(births)])})
		}
		all = append(all, r)
	}
	return all
}
