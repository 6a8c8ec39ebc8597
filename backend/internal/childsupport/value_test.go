package childsupport

import (
	"testing"
	"time"

	"madoguchi.example/shared/civil"
)

// FuzzDecode: what is not in the form of encode is an error, and never a panic.
func FuzzDecode(f *testing.F) {
	for _, word := range []string{"", kindergarten, missed, "yes"} {
		f.Add(encode(word, civil.Date{}))
		f.Add(encode(word, civil.Date{Year: 2026, Month: time.February, Day: 28}))
	}
	f.Fuzz(func(t *testing.T, value string) {
		got, err := decode(Item{Value: value})
		if err == nil && encode(got.word, got.day) != value {
			t.Errorf("%q was read as %q of %s", value, got.word, got.day)
		}
	})
}

func TestWholeMonths(t *testing.T) {
	date := func(y int, m time.Month, d int) civil.Date { return civil.Date{Year: y, Month: m, Day: d} }
	for from, want := range map[civil.Date]civil.Date{
		date(2026, 9, 21):  date(2026, 11, 21),
		date(2026, 12, 28): date(2027, 2, 28),
		date(2026, 12, 29): date(2027, 3, 1),
		date(2026, 12, 31): date(2027, 3, 1),
		date(2027, 12, 29): date(2028, 2, 29),
		date(2026, 8, 31):  date(2026, 10, 31),
		date(2026, 7, 31):  date(2026, 10, 1), // September has 30 days
		date(2026, 11, 1):  date(2027, 1, 1),
	} {
		if got := monthsAfter(from, 2); got != want {
			t.Errorf("two months after %s: %s, want %s", from, got, want)
		}
	}
}
