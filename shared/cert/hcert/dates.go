package hcert

import (
	"strconv"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/internal/cborpull"
	"madoguchi.example/shared/civil"
)

// period is one end of the days that a content itself states.
type period struct{ day civil.Date }

// excludes tells whether the time lies before the first day or after the last, wherever on
// earth it is that day.
func (p period) excludes(at time.Time, first bool) bool {
	if p.day.IsZero() {
		return false
	}
	const hoursAround = 14 // the earliest place is 14 hours ahead of UTC, the latest 12 behind
	if first {
		return civil.Of(at.UTC().Add(hoursAround * time.Hour)).Before(p.day)
	}
	return civil.Of(at.UTC().Add(-hoursAround * time.Hour)).After(p.day)
}

// tagDateTime is RFC 8949 section 3.4.1: a date and time as text.
const tagDateTime = 0

// readDateText reads a text that may stand in tag 0, as some issuers' encoders write every
// time.
func (d *document) readDateText(r *cborpull.Reader) string {
	if r.Kind() == cborpull.Tag {
		if r.Tag() != tagDateTime {
			r.Fault("a tag that no date has")
		}
		d.find(DateTagged)
	}
	return r.Text()
}

// readDay reads a day; a time behind it is a finding.
func (d *document) readDay(r *cborpull.Reader) civil.Date {
	text := d.readDateText(r)
	day, ok := cutDay(text)
	if !ok {
		r.Fault("not a day written YYYY-MM-DD")
		return civil.Date{}
	}
	if len(text) > len(time.DateOnly) {
		d.find(DateWithTime)
	}
	return day
}

// cutDay reads the day of YYYY-MM-DD, with or without a time behind it.
func cutDay(text string) (civil.Date, bool) {
	if len(text) > len(time.DateOnly) {
		if !isTimeBehind(text[len(time.DateOnly):]) {
			return civil.Date{}, false
		}
		text = text[:len(time.DateOnly)]
	}
	day, err := civil.Parse(text)
	return day, err == nil
}

// isTimeBehind tells whether the text is a time of day as it stands behind a day.
func isTimeBehind(text string) bool {
	const longest = len("T00:00:00.000000000+00:00")
	if text[0] != 'T' || len(text) > longest {
		return false
	}
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case '0' <= c && c <= '9', c == ':', c == '.', c == '+', c == '-', c == 'Z':
		default:
			return false
		}
	}
	return true
}

// Forms of a time that issuers wrote, other than RFC 3339.
var timeForms = [...]string{
	"2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999Z07",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04:05.999999999",
}

// readMoment reads a date and time.
func (d *document) readMoment(r *cborpull.Reader) time.Time {
	const longest = len("2006-01-02T15:04:05.999999999+00:00")
	text := d.readDateText(r)
	if len(text) > longest {
		r.Fault("not a date and time")
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err == nil {
		return t.UTC()
	}
	for _, form := range timeForms {
		if t, err := time.Parse(form, text); err == nil {
			d.find(DateTimeForm)
			return t.UTC()
		}
	}
	r.Fault("not a date and time")
	return time.Time{}
}

// readBirth reads a date of birth: YYYY-MM-DD, YYYY-MM, YYYY or nothing, from 1900 to 2099
// (DCC schema, dob).
func (d *document) readBirth(r *cborpull.Reader) {
	const month = len("2006-01")
	text := d.readDateText(r)
	c := &d.certificate
	if len(text) > len(time.DateOnly) && isTimeBehind(text[len(time.DateOnly):]) {
		d.find(DateWithTime)
		text = text[:len(time.DateOnly)]
	}
	if text == "" {
		return
	}
	if !isBirth(text) {
		r.Fault("not a date of birth of 1900 to 2099")
		return
	}
	c.BirthText = text
	if len(text) <= month {
		d.find(cert.PartialDate)
		return
	}
	day, err := civil.Parse(text)
	if err != nil {
		d.find(NoSuchBirthDate)
		return
	}
	c.BirthDate, c.BirthText = day, ""
}

// isBirth holds a text against the schema's pattern ((19|20)\d\d(-\d\d){0,2}).
func isBirth(text string) bool {
	for i := range len(text) {
		switch digit := text[i] >= '0' && text[i] <= '9'; {
		case i == 4 || i == 7:
			if text[i] != '-' {
				return false
			}
		case !digit:
			return false
		}
	}
	return (len(text) == 4 || len(text) == 7 || len(text) == 10) && (text[:2] == "19" || text[:2] == "20")
}

// doseNumber reads what a DVC says of the dose; 0 where it is no number ("B", "Primary").
func doseNumber(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 99 {
		return 0
	}
	return n
}
