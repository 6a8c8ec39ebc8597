package office

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/notice"
)

//go:embed words/*.json
var wordFiles embed.FS

// catalogue holds every sentence of the console by language and key.
type catalogue map[notice.Language]map[string]string

func loadWords() (catalogue, error) {
	c := catalogue{}
	for _, l := range notice.Languages() {
		raw, err := wordFiles.ReadFile("words/" + string(l) + ".json")
		if err != nil {
			return nil, fmt.Errorf("cannot read the words: %w", err)
		}
		words := map[string]string{}
		if err := json.Unmarshal(raw, &words); err != nil {
			return nil, fmt.Errorf("cannot read the words of %s: %w", l, err)
		}
		c[l] = words
	}
	return c, nil
}

// word gives a sentence; a key that does not exist shows itself, so that a test finds it.
func (c catalogue) word(l notice.Language, key string) string {
	if w, ok := c[l][key]; ok {
		return w
	}
	return "⟦" + key + "⟧"
}

func (c catalogue) has(key string) bool {
	_, ok := c[notice.Japanese][key]
	return ok
}

const languageCookie = "madoguchi_office_language"

// languageOf takes the officer's choice, else what the browser prefers, else Japanese.
func languageOf(r Request) notice.Language {
	if l, ok := parseLanguage(r.Cookie[languageCookie]); ok {
		return l
	}
	if strings.HasPrefix(strings.ToLower(r.Accept), "en") {
		return notice.English
	}
	return notice.Japanese
}

func parseLanguage(s string) (notice.Language, bool) {
	for _, l := range notice.Languages() {
		if string(l) == s {
			return l, true
		}
	}
	return "", false
}

var weekdays = map[notice.Language][]string{
	notice.Japanese:     {"日", "月", "火", "水", "木", "金", "土"},
	notice.EasyJapanese: {"日", "月", "火", "水", "木", "金", "土"},
	notice.English:      {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"},
}

func dayText(l notice.Language, d civil.Date) string {
	if d.IsZero() {
		return ""
	}
	t := d.Midnight()
	week := weekdays[l][t.Weekday()]
	if l == notice.English {
		return fmt.Sprintf("%s %d %s %d", week, d.Day, t.Month(), d.Year)
	}
	return fmt.Sprintf("%d年%d月%d日（%s）", d.Year, d.Month, d.Day, week)
}

func timeText(l notice.Language, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return dayText(l, civil.In(t)) + " " + t.In(civil.Japan).Format("15:04")
}
