package childsupport

import (
	"time"

	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/civil"
)

// Limits of the indicators.
const (
	missedTimes    = 2 // check-ups that did not take place
	grantMonths    = 2 // whole months of use
	firstClass     = 3 // 3歳児クラス
	lastClass      = 5 // 5歳児クラス
	oldestChildren = 7 // years: older children are looked at by no indicator
)

// check tells whether an indicator holds of a child on a day, and on which facts that
// rests. It is called only with what its indicator may read, and when all it needs is there.
type check func(f facts, born, today civil.Date) (rests []fact, holds bool)

// checks are the indicators' rules by id. The same in words stands in the register.
var checks = map[string]check{
	"checkups_missed_twice":     missedTwice,
	"childcare_grant_unclaimed": grantUnclaimed,
}

// missedTwice holds when two check-ups or more did not take place and nobody has seen the
// child or spoken with the family since the day of the last of them, that day included: no
// contact by the health section, no later check-up, no day at childcare. A check-up whose
// contact is not known says nothing. An excused one is neither missed nor a contact.
func missedTwice(f facts, _, today civil.Date) ([]fact, bool) {
	var rests []fact
	var last, seen civil.Date
	count := 0
	for _, part := range checkups {
		result, ok := f.get(itemResult, part)
		contact, known := f.get(itemContact, part)
		if !ok || !known || result.day.After(today) {
			continue
		}
		rests = append(rests, result, contact)
		seen = later(seen, contact.day)
		switch result.word {
		case missed:
			count++
			last = later(last, result.day)
		case attended:
			seen = later(seen, result.day)
		}
	}
	if at, ok := f.get(itemAttendance, ""); ok {
		rests = append(rests, at)
		seen = later(seen, at.day)
	}
	return rests, count >= missedTimes && seen.Before(last)
}

func later(a, b civil.Date) civil.Date {
	if b.After(a) {
		return b
	}
	return a
}

// grantUnclaimed holds for a child of the classes for ages three to five that has used a
// kindergarten or an unlicensed facility for two whole months and is not recognised.
//
// The class is the age attained by the end of the fiscal year before (子ども・子育て支援法
// 第30条の4: 満3歳に達する日以後最初の3月31日を経過した): one less than the fiscal age.
func grantUnclaimed(f facts, born, today civil.Date) ([]fact, bool) {
	place, ok := f.get(itemPlace, "")
	recognised, known := f.get(itemRecognition, "")
	if !ok || !known || place.day.IsZero() {
		return nil, false
	}
	class := benefit.FiscalAge(born, benefit.MonthOf(today)) - 1
	holds := class >= firstClass && class <= lastClass && recognised.word == "no" &&
		(place.word == kindergarten || place.word == unlicensed) &&
		!today.Before(monthsAfter(place.day, grantMonths))
	return []fact{place, recognised}, holds
}

// monthsAfter gives the first day on which n whole months from d have passed (民法 第143条):
// where the last month has no such day, the first of the next.
func monthsAfter(d civil.Date, n int) civil.Date {
	m := benefit.MonthOf(d).Add(n)
	if last := m.Last(); d.Day > last.Day {
		return last.AddDays(1)
	}
	return civil.Date{Year: m.Year, Month: time.Month(m.Month), Day: d.Day}
}

// evaluate checks one indicator. It says nothing where something needed is not there.
func (r *Register) evaluate(i Indicator, f facts, born, today civil.Date) (rests []fact, holds bool) {
	readable := facts{}
	have := map[string]bool{}
	for k, v := range f {
		for _, name := range i.Items {
			if k[0] == name {
				readable[k], have[name] = v, true
			}
		}
	}
	for _, name := range i.Needs {
		if !have[name] {
			return nil, false
		}
	}
	return checks[i.ID](readable, born, today)
}
