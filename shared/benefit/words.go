package benefit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"madoguchi.example/shared/civil"
)

// Template is a text with {names}, in one language.
type Template struct {
	words []string // one more than names
	names []string
}

// ParseTemplate reads a text. Braces stand around names only.
func ParseTemplate(s string) (Template, error) {
	var t Template
	for {
		before, rest, open := strings.Cut(s, "{")
		if strings.Contains(before, "}") {
			return t, fmt.Errorf("a } has no {")
		}
		t.words = append(t.words, before)
		if !open {
			return t, nil
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || name == "" || strings.Contains(name, "{") {
			return t, fmt.Errorf("a { has no name and }")
		}
		t.names = append(t.names, name)
		s = after
	}
}

// Names gives the names in the text, in order.
func (t Template) Names() []string { return slices.Clone(t.names) }

// Append writes the text, with what put writes for each of Names by its place there.
func (t Template) Append(dst []byte, put func(dst []byte, i int) []byte) []byte {
	for i, w := range t.words {
		dst = append(dst, w...)
		if i < len(t.names) {
			dst = put(dst, i)
		}
	}
	return dst
}

// Language is one of the three languages of every text.
type Language string

// The languages.
const (
	JA     Language = "ja"
	JAEasy Language = "ja_easy"
	EN     Language = "en"
)

// Say writes v for people: yen in groups of three, a day or month in words.
func Say(dst []byte, lang Language, v Value, unit Unit) []byte {
	switch v.kind {
	case isInt:
		if unit == UnitYen {
			return grouped(dst, v.n)
		}
		return strconv.AppendInt(dst, v.n, 10)
	case isText:
		if d, ok := parseDay(v.text); ok {
			return sayDay(dst, lang, d)
		}
		if m, ok := parseMonth(v.text); ok {
			return sayMonth(dst, lang, m)
		}
	}
	return append(dst, v.String()...)
}

// parseDay reads a day written YYYY-MM-DD, as civil.Parse does.
func parseDay(s string) (civil.Date, bool) {
	if len(s) != len("2006-01-02") || s[4] != '-' || s[7] != '-' {
		return civil.Date{}, false
	}
	var part [3]int
	for i, n := 0, 0; i < len(s); i++ {
		switch {
		case i == 4 || i == 7:
			n++
		case s[i] < '0' || s[i] > '9':
			return civil.Date{}, false
		default:
			part[n] = part[n]*10 + int(s[i]-'0')
		}
	}
	d := civil.Date{Year: part[0], Month: time.Month(part[1]), Day: part[2]}
	if d.Month < time.January || d.Month > time.December || d.Day < 1 || d.Day > 28 && d.Day > MonthOf(d).Last().Day {
		return civil.Date{}, false
	}
	return d, true
}

// parseMonth reads a month written YYYY-MM.
func parseMonth(s string) (Month, bool) {
	if len(s) != len("2006-01") {
		return Month{}, false
	}
	d, ok := parseDay(s + "-01")
	return MonthOf(d), ok
}

// Say writes m for people.
func (m Month) Say(dst []byte, lang Language) []byte { return sayMonth(dst, lang, m) }

func sayDay(dst []byte, lang Language, d civil.Date) []byte {
	if lang == EN {
		return sayMonth(append(strconv.AppendInt(dst, int64(d.Day), 10), ' '), lang, MonthOf(d))
	}
	dst = sayMonth(dst, lang, MonthOf(d))
	return append(strconv.AppendInt(dst, int64(d.Day), 10), "日"...)
}

func sayMonth(dst []byte, lang Language, m Month) []byte {
	if lang == EN {
		dst = append(append(dst, m.Month.String()...), ' ')
		return strconv.AppendInt(dst, int64(m.Year), 10)
	}
	dst = append(strconv.AppendInt(dst, int64(m.Year), 10), "年"...)
	return append(strconv.AppendInt(dst, int64(m.Month), 10), "月"...)
}

// grouped writes n with a comma between every three digits.
func grouped(dst []byte, n int64) []byte {
	var digits [20]byte
	s := strconv.AppendInt(digits[:0], n, 10)
	if s[0] == '-' {
		dst, s = append(dst, '-'), s[1:]
	}
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, c)
	}
	return dst
}
