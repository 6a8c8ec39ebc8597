package childsupport_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/childsupport"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/shared/notice"
)

// missedCases are children of whom check-ups and childcare say something; the day is
// 2026-11-21. Cells: check-up, due on, result, contacted on.
var missedCases = map[string]struct {
	checkups  []string
	childcare string // last day of attendance; "-" where there is no row
	flagged   bool
}{
	"two missed":                          {[]string{"m18,2025-06-01,missed,", "y3,2026-09-01,missed,"}, "-", true},
	"one missed":                          {[]string{"y3,2026-09-01,missed,"}, "-", false},
	"three missed":                        {[]string{"m4,2024-02-01,missed,", "m18,2025-06-01,missed,", "y3,2026-09-01,missed,"}, "-", true},
	"one missed, one excused":             {[]string{"m18,2025-06-01,excused,", "y3,2026-09-01,missed,"}, "-", false},
	"two missed, attended between":        {[]string{"m4,2024-02-01,missed,", "m18,2025-06-01,attended,", "y3,2026-09-01,missed,"}, "-", true},
	"two missed, attended after":          {[]string{"m4,2024-02-01,missed,", "m18,2025-06-01,missed,", "y3,2026-09-01,attended,"}, "-", false},
	"contact the day before the last":     {[]string{"m18,2025-06-01,missed,", "y3,2026-09-01,missed,2026-08-31"}, "-", true},
	"contact on the day of the last":      {[]string{"m18,2025-06-01,missed,", "y3,2026-09-01,missed,2026-09-01"}, "-", false},
	"contact after, noted at the earlier": {[]string{"m18,2025-06-01,missed,2026-10-01", "y3,2026-09-01,missed,"}, "-", false},
	"contact after the first alone":       {[]string{"m18,2025-06-01,missed,2025-06-02", "y3,2026-09-01,missed,"}, "-", true},
	"at childcare the day before":         {[]string{"m18,2025-06-01,missed,", "y3,2026-09-01,missed,"}, "2026-08-31", true},
	"at childcare on the day":             {[]string{"m18,2025-06-01,missed,", "y3,2026-09-01,missed,"}, "2026-09-01", false},
	"at childcare after":                  {[]string{"m18,2025-06-01,missed,", "y3,2026-09-01,missed,"}, "2026-11-01", false},
	"no day at childcare":                 {[]string{"m18,2025-06-01,missed,", "y3,2026-09-01,missed,"}, "", true},
	"the last one is due today":           {[]string{"m18,2025-06-01,missed,", "y3,2026-11-20,missed,"}, "-", true},
	"no check-up known":                   {nil, "", false},
}

// grantCases: born, facility, recognised, since. In fiscal 2026 the classes for ages three
// to five hold the children born from 2020-04-02 to 2023-04-01.
var grantCases = map[string]struct {
	born, row string
	flagged   bool
}{
	"kindergarten, age three":           {"2023-03-01", "kindergarten,no,2026-04-01", true},
	"unlicensed, age five":              {"2020-06-01", "unlicensed,no,2026-04-01", true},
	"the youngest: born on 1 April":     {"2023-04-01", "kindergarten,no,2026-04-01", true},
	"born on 2 April: a year too young": {"2023-04-02", "kindergarten,no,2026-04-01", false},
	"the oldest: born on 2 April":       {"2020-04-02", "kindergarten,no,2026-04-01", true},
	"born on 1 April: at school":        {"2020-04-01", "kindergarten,no,2026-04-01", false},
	"born on 29 February":               {"2020-02-29", "kindergarten,no,2025-04-01", false},
	"recognised":                        {"2022-08-10", "kindergarten,yes,2026-04-01", false},
	"licensed":                          {"2022-08-10", "licensed,no,2026-04-01", false},
	"nowhere":                           {"2022-08-10", "none,no,", false},
	"two months to the day":             {"2022-08-10", "kindergarten,no,2026-09-21", true},
	"two months less a day":             {"2022-08-10", "kindergarten,no,2026-09-22", false},
}

func TestIndicators(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		want, n := map[string]string{}, 0
		var families []family
		var childcare, checkups []string
		name := func(of string, born string, flagged bool, indicator string) string {
			n++
			f := family{fmt.Sprintf("F%02d", n), born}
			families = append(families, f)
			if flagged {
				want[f.name+"c "+indicator] = of
			}
			return f.name
		}
		for of, c := range missedCases {
			f := name(of, "2023-08-10", c.flagged, "checkups_missed_twice")
			for _, row := range c.checkups {
				checkups = append(checkups, f+"c,990019,2026-11-20,"+row+"\n")
			}
			if c.childcare != "-" {
				childcare = append(childcare, f+"c,990019,2026-11-20,licensed,no,2025-04-01,"+c.childcare+"\n")
			}
		}
		for of, c := range grantCases {
			f := name(of, c.born, c.flagged, "childcare_grant_unclaimed")
			childcare = append(childcare, f+"c,990019,2026-11-20,"+c.row+",2026-11-19\n")
		}
		b.settle(t, families)
		if r := b.childcare(t, childcare...); r.Refused() > 0 {
			t.Fatal(r)
		}
		if r := b.checkups(t, checkups...); r.Refused() > 0 {
			t.Fatal(r)
		}
		b.indicate(t)
		got := map[string]bool{}
		for _, line := range b.open(t) {
			c, err := b.Case(t.Context(), ann, why, line.ID)
			must(t, err)
			k := c.Child.Ref.Resident + " " + c.Indicator.ID
			if got[k] = true; want[k] == "" {
				t.Errorf("flagged without ground: %s", k)
			}
			readable(t, c)
		}
		for k, of := range want {
			if !got[k] {
				t.Errorf("not flagged: %s", of)
			}
		}
		b.indicate(t)
		if again := len(b.open(t)); again != len(want) {
			t.Errorf("%d cases after a second look, want %d", again, len(want))
		}
		t.Logf("%d children, %d flags", n, len(want))
	})
}

var score = regexp.MustCompile(`(?i)%|％|percent|パーセント|score|スコア|点数|確率|probab|risk|リスク`)

// readable checks that every reason is a sentence in three languages with source, ground
// and age, and that no number judges anybody.
func readable(t *testing.T, c childsupport.Case) {
	t.Helper()
	if len(c.Reasons) == 0 || !c.Holds {
		t.Errorf("%s: %d reasons, holds %v", c.Indicator.ID, len(c.Reasons), c.Holds)
	}
	for _, r := range c.Reasons {
		for _, l := range notice.Languages() {
			end := map[notice.Language]string{notice.English: "."}[l]
			if end == "" {
				end = "。"
			}
			if !strings.HasSuffix(r.Text[l], end) || r.Source[l] == "" || r.Ground[l] == "" || score.MatchString(r.Text[l]) {
				t.Errorf("%s in %s: %q", r.Item, l, r.Text[l])
			}
		}
		if r.AsOf.String() != "2026-11-20" || !r.Until.After(r.AsOf) || r.Expired {
			t.Errorf("%s: of %s until %s, expired %v", r.Item, r.AsOf, r.Until, r.Expired)
		}
	}
}

func TestTheRegisterHasNoScore(t *testing.T) {
	r, err := childsupport.Load()
	must(t, err)
	for _, i := range r.Indicators {
		for _, l := range notice.Languages() {
			if score.MatchString(i.Name[l] + i.Rule[l]) {
				t.Errorf("%s in %s judges by a number", i.ID, l)
			}
		}
	}
	for _, i := range r.Items {
		if i.Purpose != audit.ChildSupport || i.RetentionDays == 0 || i.Ground[notice.Japanese] == "" || len(i.Serves) == 0 {
			t.Errorf("%s: purpose %q, %d days", i.ID, i.Purpose, i.RetentionDays)
		}
	}
}

// A pass ends in the page where another process took over, sees what came after it began,
// and looks again on the next day.
func TestIndicateSeesNewDeliveriesAndNewDays(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, family{"A", "2022-08-10"}, family{"B", "2022-08-11"})
		b.indicate(t)
		if n := b.Count(t, `SELECT count(*) FROM child_pass`); n != 0 {
			t.Errorf("%d passes though nothing was delivered", n)
		}
		if r := b.childcare(t, "Ac,990019,2026-11-20,kindergarten,no,2026-09-22,\n"); r.Refused() > 0 {
			t.Fatal(r)
		}
		b.indicate(t)
		looks := b.Count(t, `SELECT count(*) FROM audit_entry WHERE action = 'items.read'`)
		b.indicate(t)
		if n := b.Count(t, `SELECT count(*) FROM audit_entry WHERE action = 'items.read'`); n != looks || looks != 2 || len(b.open(t)) != 0 {
			t.Errorf("%d looks after %d, %d cases", n, looks, len(b.open(t)))
		}
		b.Advance(day)
		b.indicate(t)
		if n := len(b.open(t)); n != 1 {
			t.Errorf("%d cases on the day on which two months are over, want 1", n)
		}
		if r := b.childcare(t, unclaimed("B", "2026-11-22")); r.Refused() > 0 {
			t.Fatal(r)
		}
		b.indicate(t)
		if n := len(b.open(t)); n != 2 {
			t.Errorf("%d cases after another delivery, want 2", n)
		}
	})
}

// Two processes that look at once flag each child once.
func TestIndicateTwiceAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var families []family
		var rows []string
		for n := range 130 {
			f := family{fmt.Sprintf("F%03d", n), "2022-08-10"}
			families, rows = append(families, f), append(rows, unclaimed(f.name, "2026-11-20"))
		}
		b := open(t, db, families...)
		b.childcareAll(t, rows)
		done := make(chan error)
		for range 2 {
			go func() { done <- b.Indicate(context.WithoutCancel(t.Context()), system, why) }()
		}
		must(t, errors.Join(<-done, <-done))
		b.indicate(t)
		if n, acts := b.Count(t, `SELECT count(*) FROM child_case`), b.Count(t, `SELECT count(*) FROM child_act`); n != 130 || acts != 130 {
			t.Errorf("%d cases with %d acts, want 130 each", n, acts)
		}
	})
}
