package benefit_test

import (
	"fmt"
	"testing"
	"time"

	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/civil"
)

func date(t testing.TB, s string) civil.Date {
	t.Helper()
	d, err := civil.Parse(s)
	if err != nil {
		t.Fatal(s, err)
	}
	return d
}

func month(t testing.TB, s string) benefit.Month {
	t.Helper()
	m, err := benefit.ParseMonth(s)
	if err != nil {
		t.Fatal(s, err)
	}
	return m
}

func TestAnAgeIsAttainedTheDayBeforeTheBirthday(t *testing.T) {
	for _, c := range []struct {
		birth    string
		n        int
		attained string
		yearEnd  string
	}{
		{"2006-04-01", 18, "2024-03-31", "2024-03-31"},
		{"2006-04-02", 18, "2024-04-01", "2025-03-31"},
		{"2024-02-29", 3, "2027-02-28", "2027-03-31"},
		{"2024-02-29", 4, "2028-02-28", "2028-03-31"},
		{"2020-01-01", 6, "2025-12-31", "2026-03-31"},
		{"2020-03-01", 4, "2024-02-29", "2024-03-31"},
	} {
		birth := date(t, c.birth)
		if got := benefit.AttainsAge(birth, c.n); got != date(t, c.attained) {
			t.Errorf("%s attains %d on %s, want %s", c.birth, c.n, got, c.attained)
		}
		if got := benefit.FiscalYearEnd(birth, c.n); got != date(t, c.yearEnd) {
			t.Errorf("%s: the fiscal year of %d ends on %s, want %s", c.birth, c.n, got, c.yearEnd)
		}
		if on := date(t, c.attained); benefit.LegalAge(birth, on) != c.n || benefit.LegalAge(birth, on.AddDays(-1)) != c.n-1 {
			t.Errorf("%s: not %d exactly from %s on", c.birth, c.n, c.attained)
		}
	}
}

func TestLegalAgeAgreesWithTheDaysOnWhichAgesAreAttained(t *testing.T) {
	for _, b := range []string{"2000-02-29", "2001-02-28", "2001-03-01", "2004-04-01", "2004-04-02", "2003-12-31", "2004-01-01"} {
		birth := date(t, b)
		for on := birth.AddDays(-400); on.Before(birth.AddDays(3000)); on = on.AddDays(1) {
			n := benefit.LegalAge(birth, on)
			if benefit.AttainsAge(birth, n).After(on) || !benefit.AttainsAge(birth, n+1).After(on) {
				t.Fatalf("born %s, on %s: %d", birth, on, n)
			}
		}
	}
}

func TestFiscalAgeAgreesWithTheEndsOfFiscalYears(t *testing.T) {
	for birth := date(t, "2003-12-25"); birth.Before(date(t, "2008-05-01")); birth = birth.AddDays(1) {
		for m := month(t, "2024-01"); m.Before(month(t, "2025-06")); m = m.Add(1) {
			n := benefit.FiscalAge(birth, m)
			if benefit.FiscalYearEnd(birth, n).Before(m.Last()) || !benefit.FiscalYearEnd(birth, n-1).Before(m.Last()) {
				t.Fatalf("born %s in %s: %d", birth, m, n)
			}
		}
	}
}

func TestMonthsAndCalendars(t *testing.T) {
	if m := month(t, "2024-12").Add(14); m != month(t, "2026-02") || m.Since(month(t, "2024-12")) != 14 {
		t.Error(m)
	}
	if got := month(t, "2024-02").Last(); got != date(t, "2024-02-29") {
		t.Error(got)
	}
	if month(t, "2025-03").FiscalYear() != 2024 || month(t, "2025-04").FiscalYear() != 2025 {
		t.Error("the fiscal year begins in April")
	}
	for _, bad := range []string{"", "2024-13", "2024-1", "2024-00", "2024-01-01", "24-01"} {
		if _, err := benefit.ParseMonth(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	if benefit.IncomeYear(month(t, "2024-05"), time.June) != 2022 || benefit.IncomeYear(month(t, "2024-06"), time.June) != 2023 {
		t.Error("income counts from June")
	}
	if got := benefit.PaidIn(month(t, "2024-10"), []time.Month{2, 6, 10}); got != month(t, "2025-02") {
		t.Error(got)
	}
}

func TestAddingMonths(t *testing.T) {
	m := month(t, "2024-01")
	for n := range 40 {
		later, earlier := m.Add(n), m.Add(-n)
		if later.Since(m) != n || m.Since(earlier) != n || later.Month < 1 || later.Month > 12 || earlier.Month < 1 || earlier.Month > 12 {
			t.Fatal(n, later, earlier)
		}
	}
}

// Days and months are written in words, whatever only looks like one as it is.
func TestDaysAreSaidWhenTheyExist(t *testing.T) {
	said := func(s string) string {
		return string(benefit.Say(nil, benefit.EN, benefit.Text(s), benefit.UnitNone))
	}
	for d := date(t, "1999-12-01"); d.Before(date(t, "2004-04-01")); d = d.AddDays(1) {
		if want := fmt.Sprintf("%d %s %d", d.Day, d.Month, d.Year); said(d.String()) != want || benefit.Day(d) != benefit.Text(d.String()) {
			t.Fatal(said(d.String()), want)
		}
	}
	for _, s := range []string{"2023-02-29", "2023-13-01", "2023-00-01", "2023-01-00", "2023-01-32", "2023/01/01", "2023-1-011", "---------- ", "----------",
		"2023-13", "2023-00", "2023-0a", "primary", "日本語1", "", "-"} {
		if said(s) != s {
			t.Errorf("%q is said as %q", s, said(s))
		}
	}
	if said("2023-02") != "February 2023" || benefit.Day(civil.Date{Year: 7, Month: time.May, Day: 9}) != benefit.Text("0007-05-09") {
		t.Error(said("2023-02"))
	}
}

func TestTwinsKeepTheirOrder(t *testing.T) {
	born := func(days ...string) (out []benefit.Child) {
		for _, d := range days {
			out = append(out, benefit.Child{Birth: date(t, d)})
		}
		return out
	}
	got := benefit.BirthOrder(nil, born("2020-05-05", "2018-01-01", "2020-05-05"))
	if got[0] != 1 || got[1] != 0 || got[2] != 2 {
		t.Error(got)
	}
}

func TestTemplates(t *testing.T) {
	tmpl, err := benefit.ParseTemplate("{birth}生まれ、{value}円")
	if err != nil {
		t.Fatal(err)
	}
	got := string(tmpl.Append(nil, func(dst []byte, i int) []byte {
		if tmpl.Names()[i] == "value" {
			return benefit.Say(dst, benefit.JA, benefit.Int(-1234567), benefit.UnitYen)
		}
		return benefit.Say(dst, benefit.JA, benefit.Text("2024-02-29"), benefit.UnitNone)
	}))
	if got != "2024年2月29日生まれ、-1,234,567円" {
		t.Error(got)
	}
	for _, bad := range []string{"{", "}", "{}", "{a", "a}", "{a{b}}"} {
		if _, err := benefit.ParseTemplate(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
