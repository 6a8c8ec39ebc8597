package reception_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"madoguchi.example/agent/internal/precheck"
	"madoguchi.example/agent/internal/reception"
	"madoguchi.example/shared/civil"
)

// parsedBookings takes what Parse takes and keeps nothing.
type parsedBookings struct{}

func (parsedBookings) Load(_ context.Context, csv []byte) (int, error) {
	list, err := precheck.Parse(csv, civil.In(noon))
	return len(list), err
}

func (parsedBookings) Bookings(context.Context, civil.Date) ([]precheck.Standing, error) {
	return nil, nil
}
func (parsedBookings) Cancel(context.Context, string) error { return nil }
func (parsedBookings) Run(context.Context) error            { return nil }

// What is wrong with a list of bookings is told line by line in the page's language.
func TestTheFaultsOfAListAreTold(t *testing.T) {
	const list = "time,patient,kana,birth_date,insurer_number,symbol,number,branch,visit_day\n25:00,1,,1980-02-30,06139997,1,2,01,2026-11-21\n"
	for lang, want := range map[string][]string{
		"ja": {"2行目・時刻", "09:30", "2行目・カナ氏名"}, "ja-easy": {"<ruby>行<", "カナの"}, "en": {"Line 2, time", "Line 2, name in kana", "Fill it in"},
	} {
		s := open(t, func(c *reception.Config) { c.Bookings = parsedBookings{} })
		status, body := s.post(t, "/bookings?lang="+lang, url.Values{"text": {list}})
		if status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", lang, status)
		}
		for _, text := range want {
			if !strings.Contains(body, text) {
				t.Errorf("%s: %q is not said", lang, text)
			}
		}
		if strings.Contains(body, "25:00") || strings.Contains(body, "line 2 column") {
			t.Errorf("%s: a value or a word of the program is on the page", lang)
		}
	}
}
