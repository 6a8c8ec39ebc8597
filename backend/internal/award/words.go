package award

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/BurntSushi/toml"

	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/notice"
)

//go:embed words.toml
var wordsFile string

// sentence is one text of the catalogue in the three languages.
type sentence map[benefit.Language]benefit.Template

// catalogue holds whole sentences by key.
type catalogue map[string]sentence

// spoken is what stands in a {name}, by language.
type spoken benefit.Words

func (s spoken) in(l benefit.Language) string { return in(l, benefit.Words(s)) }

func in(l benefit.Language, w benefit.Words) string {
	switch l {
	case benefit.JA:
		return w.JA
	case benefit.JAEasy:
		return w.JAEasy
	}
	return w.EN
}

// languages leads from the languages of a notice to those of a programme.
var languages = map[notice.Language]benefit.Language{notice.Japanese: benefit.JA, notice.EasyJapanese: benefit.JAEasy, notice.English: benefit.EN}

// loadWords reads the catalogue. Every text stands in the three languages with the same
// names.
func loadWords() (catalogue, error) {
	var file map[string]benefit.Words
	meta, err := toml.Decode(wordsFile, &file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the words of awards: %w", err)
	}
	if left := meta.Undecoded(); len(left) > 0 {
		return nil, fmt.Errorf("cannot read the words of awards: %s is no language", left[0])
	}
	out := catalogue{}
	for _, key := range slices.Sorted(maps.Keys(file)) {
		s, err := parse(file[key])
		if err != nil {
			return nil, fmt.Errorf("cannot read the words of awards: %s: %w", key, err)
		}
		out[key] = s
	}
	return out, nil
}

func parse(w benefit.Words) (sentence, error) {
	s := sentence{}
	for _, l := range languages {
		t, err := benefit.ParseTemplate(in(l, w))
		if err != nil {
			return nil, err
		}
		if in(l, w) == "" {
			return nil, fmt.Errorf("the language %s is missing", l)
		}
		s[l] = t
	}
	for _, t := range s {
		if !slices.Equal(names(t), names(s[benefit.JA])) {
			return nil, errors.New("the languages have different names in braces")
		}
	}
	return s, nil
}

func names(t benefit.Template) []string {
	return slices.Compact(slices.Sorted(slices.Values(t.Names())))
}

// fill writes a sentence in one language.
func (c catalogue) fill(l benefit.Language, key string, values map[string]spoken) string {
	t := c[key][l]
	names := t.Names()
	return string(t.Append(nil, func(to []byte, i int) []byte { return append(to, values[names[i]].in(l)...) }))
}

// say writes a sentence in the three languages.
func (c catalogue) say(key string, values map[string]spoken) benefit.Words {
	return benefit.Words{JA: c.fill(benefit.JA, key, values), JAEasy: c.fill(benefit.JAEasy, key, values), EN: c.fill(benefit.EN, key, values)}
}

// same is a text that is written alike in the three languages.
func same(s string) spoken { return spoken{JA: s, JAEasy: s, EN: s} }

func number(n int64) spoken { return same(strconv.FormatInt(n, 10)) }

// yen writes an amount in groups of three.
func yen(n int64) spoken {
	return same(string(benefit.Say(nil, benefit.JA, benefit.Int(n), benefit.UnitYen)))
}

func eachLanguage(v benefit.Value) spoken {
	say := func(l benefit.Language) string { return string(benefit.Say(nil, l, v, benefit.UnitNone)) }
	return spoken{JA: say(benefit.JA), JAEasy: say(benefit.JAEasy), EN: say(benefit.EN)}
}

func inMonth(m benefit.Month) spoken { return eachLanguage(benefit.Text(m.String())) }

// born writes a day without its day of the week.
func born(d civil.Date) spoken { return eachLanguage(benefit.Text(d.String())) }

var weekdays = []string{"日", "月", "火", "水", "木", "金", "土"}

// onDay writes a day with its day of the week: 2026年12月5日（土）.
func onDay(d civil.Date) spoken {
	s, at := born(d), d.Midnight().Weekday()
	return spoken{JA: s.JA + "（" + weekdays[at] + "）", JAEasy: s.JAEasy + "（" + weekdays[at] + "）", EN: at.String() + " " + s.EN}
}
