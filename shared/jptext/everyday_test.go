package jptext_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"golang.org/x/text/encoding/japanese"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/jptext"
)

// Every day from 1868 to 2100, there and back, against the table as people learn it.
func TestEveryDayHasItsEra(t *testing.T) {
	starts := []struct {
		from      string
		name, key string
		zero      int
	}{
		{"2019-05-01", "令和", "5", 2018}, {"1989-01-08", "平成", "4", 1988}, {"1926-12-25", "昭和", "3", 1925},
		{"1912-07-30", "大正", "2", 1911}, {"1873-01-01", "明治", "1", 1867},
	}
	n := 0
	for at := time.Date(1868, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() <= 2100; at = at.AddDate(0, 0, 1) {
		day := at.Format(time.DateOnly)
		d := civil.Date{Year: at.Year(), Month: at.Month(), Day: at.Day()}
		want := ""
		for _, s := range starts {
			if day < s.from {
				continue
			}
			year := fmt.Sprint(at.Year() - s.zero)
			if year == "1" {
				year = "元"
			}
			want = fmt.Sprintf("%s%s年%d月%d日", s.name, year, int(at.Month()), at.Day())
			if at.Year()-s.zero < 100 {
				typed := fmt.Sprintf("%s%02d%02d%02d", s.key, at.Year()-s.zero, int(at.Month()), at.Day())
				if got, hint, err := jptext.ParseDate(typed); err != nil || got != d || hint != jptext.HintNone {
					t.Fatalf("%s: %s %s %v", day, got, hint, err)
				}
			}
			break
		}
		if got := jptext.Wareki(d); got != want {
			t.Fatalf("%s: %s, want %s", day, got, want)
		}
		forms := []string{day}
		if at.Day() == 1 {
			forms = append(forms, at.Format("20060102"), at.Format("2006/1/2"))
		}
		if want != "" {
			forms = append(forms, want)
		}
		for _, typed := range forms {
			if got, hint, err := jptext.ParseDate(typed); err != nil || got != d || hint != jptext.HintNone {
				t.Fatalf("%s as %d characters: %s %s %v", day, len(typed), got, hint, err)
			}
		}
		n++
	}
	t.Logf("%d days", n)
}

// Every character of JIS X 0208, by row and cell, there and back to the same bytes.
func TestShiftJISCarriesAllOfJISX0208(t *testing.T) {
	n := 0
	for row := 1; row <= 84; row++ {
		if row >= 9 && row <= 15 {
			continue // not assigned
		}
		for cell := 1; cell <= 94; cell++ {
			lead := (row-1)/2 + 0x81
			if row > 62 {
				lead += 0x40
			}
			trail := cell + 0x9e
			if row%2 == 1 {
				trail = cell + 0x3f
				if cell >= 64 {
					trail++
				}
			}
			b := []byte{byte(lead), byte(trail)}
			if c, err := japanese.ShiftJIS.NewDecoder().Bytes(b); err != nil || string(c) == "\ufffd" || bytes.ContainsRune(c, '\ufffd') {
				continue // not assigned
			}
			text, err := jptext.FromShiftJIS(b)
			if err != nil {
				t.Fatalf("row %d cell %d: %v", row, cell, err)
			}
			if back, err := jptext.ShiftJIS(text); err != nil || !bytes.Equal(back, b) || len(jptext.Unsendable(text)) > 0 {
				t.Errorf("row %d cell %d: % x, unsendable %d: %v", row, cell, back, len(jptext.Unsendable(text)), err)
			}
			n++
		}
	}
	if n != 6879 {
		t.Errorf("%d characters of 6879", n)
	}
}
