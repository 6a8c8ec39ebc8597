package civil_test

import (
	"testing"
	"time"

	"madoguchi.example/shared/civil"
)

func TestParseIsStrict(t *testing.T) {
	for _, good := range []string{"2024-02-29", "1912-07-30", "0001-01-01"} {
		d, err := civil.Parse(good)
		if err != nil || d.String() != good {
			t.Errorf("Parse(%q) = %v, %v", good, d, err)
		}
	}
	for _, bad := range []string{"", "2023-02-29", "2024-2-9", "2024-02-30", "２０２４-01-01", "2024-01-01 ", "24-01-01"} {
		if _, err := civil.Parse(bad); err == nil {
			t.Errorf("Parse(%q) was accepted", bad)
		}
	}
}

func TestTheDayIsJapans(t *testing.T) {
	at := time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)
	if got := civil.In(at).String(); got != "2026-11-21" {
		t.Errorf("15:00 UTC is %s in Japan", got)
	}
	if got := civil.In(at.Add(-time.Second)).String(); got != "2026-11-20" {
		t.Errorf("14:59:59 UTC is %s in Japan", got)
	}
}

func TestAge(t *testing.T) {
	born := civil.Date{Year: 2008, Month: 2, Day: 29}
	for on, want := range map[string]int{"2026-02-28": 17, "2026-03-01": 18, "2028-02-29": 20, "2008-02-29": 0} {
		d, _ := civil.Parse(on)
		if got := born.AgeOn(d); got != want {
			t.Errorf("age on %s = %d, want %d", on, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("2024-02-29")
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := civil.Parse(s); err == nil && d.String() != s {
			t.Errorf("%q reads as %s", s, d)
		}
	})
}
