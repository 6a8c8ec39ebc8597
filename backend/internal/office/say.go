package office

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/notice"
)

// Say writes a text in the officer's language; where it falls back to Japanese on an
// English page, it says so to screen readers.
func (v view) Say(t Texts) template.HTML {
	text := template.HTMLEscapeString(t.In(v.Lang))
	if v.Lang == notice.English && t[notice.English] == "" && text != "" {
		text = `<span lang="ja">` + text + `</span>`
	}
	return template.HTML(text)
}

// Tongue gives the lang attribute of a text in a language.
func (v view) Tongue(l notice.Language) template.HTMLAttr {
	if l == notice.English {
		return ` lang="en"`
	}
	return ` lang="ja"`
}

// Yen writes an amount.
func (v view) Yen(n int64) string {
	if v.Lang == notice.English {
		return "¥" + grouped(n)
	}
	return grouped(n) + "円"
}

// Number writes a number in groups of three digits.
func (v view) Number(n int) string { return grouped(int64(n)) }

func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "−", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// Month writes a month by its first day.
func (v view) Month(d civil.Date) string {
	switch {
	case d.IsZero():
		return ""
	case v.Lang == notice.English:
		return fmt.Sprintf("%s %d", d.Month, d.Year)
	}
	return fmt.Sprintf("%d年%d月", d.Year, d.Month)
}

// oldAfter is from when on a fact is shown as old, in days.
const oldAfter = 180

// Aged tells whether a fact of that day is old by now.
func (v view) Aged(d civil.Date) bool {
	return !d.IsZero() && d.AddDays(oldAfter).Before(civil.In(v.office.Now()))
}

// DayOf writes the day of a time in Japan.
func (v view) DayOf(t time.Time) string { return v.Day(civil.In(t)) }

// aged is a day with its age in words; Word says that it is old.
type aged struct {
	Day, Text, Word string
	Old             bool
}

// AgeOf gives the day of a fact with its age.
func (v view) AgeOf(d civil.Date) aged {
	a := aged{Day: v.Day(d), Text: v.Age(d), Old: v.Aged(d)}
	if a.Old {
		a.Word = v.T("age.old")
	}
	return a
}

// Years gives somebody's age.
func (v view) Years(birth civil.Date) int { return birth.AgeOn(civil.In(v.office.Now())) }

// Age writes how old a fact is: in days, and from two months on in months.
func (v view) Age(d civil.Date) string {
	if d.IsZero() {
		return v.T("age.unknown")
	}
	days := int(civil.In(v.office.Now()).Midnight().Sub(d.Midnight()) / (24 * time.Hour))
	switch {
	case days <= 0:
		return v.T("age.today")
	case days == 1:
		return v.T("age.day")
	case days < 61:
		return v.Fill("age.days", days)
	case days < 730:
		return v.Fill("age.months", days/30)
	}
	return v.Fill("age.years", days/365)
}

// Fill gives a sentence with its {1}, {2}, … filled in; numbers are written in groups.
func (v view) Fill(key string, with ...any) string {
	pairs := make([]string, 0, 2*len(with))
	for i, w := range with {
		text := fmt.Sprint(w)
		if n, ok := w.(int); ok {
			text = v.Number(n)
		}
		pairs = append(pairs, "{"+strconv.Itoa(i+1)+"}", text)
	}
	return strings.NewReplacer(pairs...).Replace(v.T(key))
}

// Joined writes names one after the other.
func (v view) Joined(names []string) string {
	if v.Lang == notice.English {
		return strings.Join(names, ", ")
	}
	return strings.Join(names, "、")
}
