package charge_test

import (
	"testing"
	"time"

	"madoguchi.example/shared/charge"
	"madoguchi.example/shared/civil"
)

// Every birth date of 90 years, on the days around each border, against the rules as the
// counters' leaflets say them.
func TestBandsAroundEveryBirthday(t *testing.T) {
	date := func(at time.Time) civil.Date {
		return civil.Date{Year: at.Year(), Month: at.Month(), Day: at.Day()}
	}
	on := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	for birth := on(1936, 1, 1); birth.Year() < 2026; birth = birth.AddDate(0, 0, 1) {
		y, m, d := birth.Date()
		school := on(y+7, time.April, 1)
		if m < time.April || m == time.April && d == 1 { // 早生まれ
			school = on(y+6, time.April, 1)
		}
		elderly := on(y+70, m+1, 1)
		if d == 1 {
			elderly = on(y+70, m, 1)
		}
		late := on(y+75, m, d) // of 29 February: 1 March
		for _, border := range []struct {
			at            time.Time
			before, since charge.Band
		}{{birth, "", charge.Preschool}, {school, charge.Preschool, charge.School}, {elderly, charge.School, charge.From70}, {late, charge.From70, charge.LateStage}} {
			eve := charge.BandOn(date(birth), date(border.at.AddDate(0, 0, -1)))
			then := charge.BandOn(date(birth), date(border.at))
			if eve != border.before || then != border.since {
				t.Fatalf("born %s: on the eve of %s %q, then %q", date(birth), date(border.at), eve, then)
			}
		}
	}
}
