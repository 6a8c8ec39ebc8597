package benefit

import (
	"errors"
	"strconv"
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
	b := appendDigits(make([]byte, 0, len("2006-01")), m.Year, 4)
	return string(appendDigits(append(b, '-'), int(m.Month), 2))
}

// appendDigits writes n with leading zeros to at least width digits.
func appendDigits(dst []byte, n, width int) []byte {
	for least := 10; width > 1; width, least = width-1, least*10 {
		if n < least && n >= 0 {
			return strconv.AppendInt(append(dst, "000"[:width-1]...), int64(n), 10)
		}
	}
	return strconv.AppendInt(dst, int64(n), 10)
}

// MarshalText writes YYYY-MM.
func (m Month) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// Add gives the month n months later (earlier when n is negative).
func (m Month) Add(n int) Month {
	n += m.Year*12 + int(m.Month) - 1
	year, month := n/12, n%12
	if month < 0 {
		year, month = year-1, month+12
	}
	return Month{year, time.Month(month + 1)}
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
