// Package civil promises calendar dates without a time of day, as Japan's offices count them.
//
// Visit days, deadlines and ages are Japan's (+09:00), wherever the program runs.
package civil

import (
	"errors"
	"fmt"
	"time"
)

// Japan is +09:00; Japan has had no summer time since 1951.
var Japan = time.FixedZone("JST", 9*60*60)

// Date is a day of the proleptic Gregorian calendar. The zero value is "no date".
// It is comparable and safe to copy.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// ErrDate is returned for text that is not a real day written YYYY-MM-DD.
var ErrDate = errors.New("not a day written YYYY-MM-DD")

// Parse reads YYYY-MM-DD strictly: four, two and two ASCII digits, a day that exists.
func Parse(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || len(s) != len(time.DateOnly) {
		return Date{}, ErrDate
	}
	return Of(t), nil
}

// Of gives t's day in t's own location.
func Of(t time.Time) Date {
	y, m, d := t.Date()
	return Date{y, m, d}
}

// In gives t's day in Japan.
func In(t time.Time) Date { return Of(t.In(Japan)) }

// IsZero tells whether d is "no date".
func (d Date) IsZero() bool { return d == Date{} }

// String gives YYYY-MM-DD, or "" for no date.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day)
}

// Midnight gives the first instant of d in Japan.
func (d Date) Midnight() time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, Japan) }

// AddDays gives the day n days later (earlier when n is negative).
func (d Date) AddDays(n int) Date { return Of(d.Midnight().AddDate(0, 0, n)) }

// Compare gives -1, 0 or +1, as time does.
func (d Date) Compare(other Date) int {
	switch {
	case d == other:
		return 0
	case d.Year != other.Year:
		return sign(d.Year - other.Year)
	case d.Month != other.Month:
		return sign(int(d.Month) - int(other.Month))
	default:
		return sign(d.Day - other.Day)
	}
}

// Before tells whether d is earlier than other.
func (d Date) Before(other Date) bool { return d.Compare(other) < 0 }

// After tells whether d is later than other.
func (d Date) After(other Date) bool { return d.Compare(other) > 0 }

// AgeOn gives the completed years of a person born on d as of the day on, by birthdays.
// Japan's law reaches an age at the end of the day before the birthday; rules that
// count so state it themselves.
func (d Date) AgeOn(on Date) int {
	age := on.Year - d.Year
	if on.Month < d.Month || (on.Month == d.Month && on.Day < d.Day) {
		age--
	}
	return age
}

// MarshalText writes YYYY-MM-DD, empty for no date.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText writes and nothing else.
func (d *Date) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = Date{}
		return nil
	}
	v, err := Parse(string(b))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

func sign(n int) int {
	if n < 0 {
		return -1
	}
	return 1
}
