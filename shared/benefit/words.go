package benefit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

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

// Fill writes the text with what say gives for each name.
func (t Template) Fill(say func(name string) string) string {
	var b strings.Builder
	for i, w := range t.words {
		b.WriteString(w)
		if i < len(t.names) {
			b.WriteString(say(t.names[i]))
		}
	}
	return b.String()
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
func Say(lang Language, v Value, unit Unit) string {
	switch v.kind {
	case TypeInt:
		if unit == UnitYen {
			return grouped(v.n)
		}
	case TypeText:
		switch len(v.text) {
		case len("2006-01-02"):
			if d, err := civil.Parse(v.text); err == nil {
				return sayDay(lang, d)
			}
		case len("2006-01"):
			if m, err := ParseMonth(v.text); err == nil {
				return sayMonth(lang, m)
			}
		}
	}
	return v.String()
}

func sayDay(lang Language, d civil.Date) string {
	if lang == EN {
		return strconv.Itoa(d.Day) + " " + sayMonth(lang, MonthOf(d))
	}
	return sayMonth(lang, MonthOf(d)) + strconv.Itoa(d.Day) + "日"
}

func sayMonth(lang Language, m Month) string {
	if lang == EN {
		return m.Month.String() + " " + strconv.Itoa(m.Year)
	}
	return strconv.Itoa(m.Year) + "年" + strconv.Itoa(int(m.Month)) + "月"
}

func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}
