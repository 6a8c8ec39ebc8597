package award

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/notice"
)

// Every key that the code asks for is in the catalogue, and the longest notice fits, in
// whole sentences.
func TestTheLongestNoticeFits(t *testing.T) {
	words, err := loadWords()
	if err != nil {
		t.Fatal(err)
	}
	x := &Office{words: words}
	long := strings.Repeat("長", 90)
	day := civil.Date{Year: 2026, Month: 12, Day: 5}
	p := pass{program: &benefit.Program{Name: benefit.Words{JA: long, JAEasy: long, EN: long}, Basis: long}}
	m := citizen.Municipality{NameJA: "市", NameEasy: "し", NameEN: "City", Counter: citizen.Counter{Name: "係", Phone: "03-0000-0001"}}
	for _, state := range []State{Noticed, OpenQuestion, MustApply} {
		a := Award{State: state, Amount: 1_234_567, Month: benefit.Month{Year: 2026, Month: time.February}, Deadline: day, PayOn: day.AddDays(16)}
		for range maxChildren {
			a.Lines = append(a.Lines, Line{Birth: civil.Date{Year: 2020, Month: 2, Day: 29}, Amount: 20000})
			a.Steps = append(a.Steps, Step{Article: long, Text: benefit.Words{JA: long + long, JAEasy: long + long, EN: long + long}})
			a.Needs = append(a.Needs, Need{Text: benefit.Words{JA: "なに", JAEasy: "なに", EN: "what"}})
		}
		for l, text := range x.texts(p, m, a) {
			if n := utf8.RuneCountInString(text.Title); n == 0 || n > notice.MaxTitle {
				t.Errorf("%s %s: the title has %d characters", state, l, n)
			}
			if n := utf8.RuneCountInString(text.Body); n > notice.MaxBody {
				t.Errorf("%s %s: the body has %d characters", state, l, n)
			}
			if strings.ContainsAny(text.Body, "{}") || strings.Contains(text.Body, "\n\n") || !strings.Contains(text.Body, "03-0000-0001") {
				t.Errorf("%s %s:\n%s", state, l, text.Body)
			}
		}
	}
}

func TestTheLanguagesHaveTheSameNames(t *testing.T) {
	for _, w := range []benefit.Words{{JA: "{a}", JAEasy: "{a}", EN: "{b}"}, {JA: "a", JAEasy: "", EN: "b"}, {JA: "a", JAEasy: "{", EN: "b"}} {
		if _, err := parse(w); err == nil {
			t.Errorf("%+v was taken", w)
		}
	}
}

func TestDaysAndAmountsInWords(t *testing.T) {
	day := onDay(civil.Date{Year: 2026, Month: 12, Day: 5})
	if day.JA != "2026年12月5日（土）" || day.EN != "Saturday 5 December 2026" || yen(20000).JA != "20,000" {
		t.Errorf("%+v %+v", day, yen(20000))
	}
}

// The day ends at 24:00 in Japan: proof at 23:59 counts as that day's.
func TestAnswerBy(t *testing.T) {
	deadline := civil.Date{Year: 2026, Month: 12, Day: 5}
	for _, c := range []struct {
		proven time.Time
		want   civil.Date
	}{
		{civil.Date{Year: 2026, Month: 11, Day: 21}.Midnight(), deadline},
		{civil.Date{Year: 2026, Month: 11, Day: 29}.Midnight().Add(-time.Second), deadline},
		{civil.Date{Year: 2026, Month: 11, Day: 29}.Midnight(), deadline.AddDays(1)},
		{civil.Date{Year: 2026, Month: 12, Day: 20}.Midnight(), civil.Date{Year: 2026, Month: 12, Day: 27}},
	} {
		if got := answerBy(deadline, c.proven); got != c.want {
			t.Errorf("proven at %s: until %s, want %s", c.proven, got, c.want)
		}
	}
}
