package benefit

import (
	"errors"
	"fmt"
	"time"

	"madoguchi.example/shared/civil"
)

// Month is a calendar month in Japan. The zero value is "no month". It is comparable.
type Month struct {
	Year  int
	Month time.Month
}

// ErrMonth is returned for text that is not a real month written YYYY-MM.
var ErrMonth = errors.New("not a month written YYYY-MM")

// ParseMonth reads YYYY-MM strictly.
func ParseMonth(s string) (Month, error) {
	d, err := civil.Parse(s + "-01")
	if err != nil || len(s) != len("2006-01") {
		return Month{}, ErrMonth
	}
	return MonthOf(d), nil
}

// MonthOf gives the month that d lies in.
func MonthOf(d civil.Date) Month { return Month{d.Year, d.Month} }

// IsZero tells whether m is "no month".
func (m Month) IsZero() bool { return m == Month{} }

// String gives YYYY-MM, or "" for no month.
func (m Month) String() string {
	if m.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d", m.Year, m.Month)
}

// MarshalText writes YYYY-MM.
func (m Month) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// Add gives the month n months later (earlier when n is negative).
func (m Month) Add(n int) Month {
	t := time.Date(m.Year, m.Month+time.Month(n), 1, 0, 0, 0, 0, civil.Japan)
	return Month{t.Year(), t.Month()}
}

// Since gives the number of months from earlier to m, negative when m comes first.
func (m Month) Since(earlier Month) int {
	return (m.Year-earlier.Year)*12 + int(m.Month-earlier.Month)
}

// Before tells whether m is earlier than other.
func (m Month) Before(other Month) bool { return m.Since(other) < 0 }

// Last gives the last day of m.
func (m Month) Last() civil.Date {
	next := m.Add(1)
	return civil.Date{Year: next.Year, Month: next.Month, Day: 1}.AddDays(-1)
}

// FiscalYear gives the year in which m's fiscal year (April to March) begins.
func (m Month) FiscalYear() int {
	if m.Month < time.April {
		return m.Year - 1
	}
	return m.Year
}

// Number gives m as YYYYMM, the form that rules compare.
func (m Month) Number() int64 { return int64(m.Year)*100 + int64(m.Month) }

// inForce tells whether m lies from from to to, both included; a zero to is open.
func inForce(m, from, to Month) bool {
	return !m.Before(from) && (to.IsZero() || !to.Before(m))
}
