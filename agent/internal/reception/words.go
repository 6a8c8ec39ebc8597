package reception

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"regexp"

	"madoguchi.example/shared/notice"
)

//go:embed words/*.json
var wordFiles embed.FS

// words is the desk's catalogue in one language. A key that is missing shows itself.
type words struct {
	Lang notice.Language
	text map[string]string
}

// loadWords reads the catalogue of every language.
func loadWords() (map[notice.Language]words, error) {
	all := map[notice.Language]words{}
	for _, lang := range notice.Languages() {
		raw, err := wordFiles.ReadFile("words/" + string(lang) + ".json")
		if err != nil {
			return nil, fmt.Errorf("cannot read the desk's words: %w", err)
		}
		w := words{Lang: lang, text: map[string]string{}}
		if err := json.Unmarshal(raw, &w.text); err != nil {
			return nil, fmt.Errorf("cannot read the desk's words in %s: %w", lang, err)
		}
		all[lang] = w
	}
	return all, nil
}

// plain gives the words of key without ruby, for titles and attributes.
func (w words) plain(key string, args ...any) string {
	return ruby.ReplaceAllString(w.format(key, args), "$1")
}

// rich gives the words of key with furigana as <ruby>; everything else is escaped.
func (w words) rich(key string, args ...any) template.HTML {
	escaped := template.HTMLEscapeString(w.format(key, args))
	return template.HTML(ruby.ReplaceAllString(escaped, "<ruby>$1<rp>（</rp><rt>$2</rt><rp>）</rp></ruby>"))
}

// written shows words of another catalogue, with their readings.
func (w words) written(text string) template.HTML {
	return template.HTML(ruby.ReplaceAllString(template.HTMLEscapeString(text), "<ruby>$1<rp>（</rp><rt>$2</rt><rp>）</rp></ruby>"))
}

func (w words) format(key string, args []any) string {
	text, ok := w.text[key]
	if !ok {
		return "[" + key + "]"
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// ruby is 漢字 with its reading, written {漢字|かんじ} in the catalogue.
var ruby = regexp.MustCompile(`\{([^{|}]+)\|([^{|}]+)\}`)

// Catalogue gives the desk's words in one language as they are written, for whoever checks
// or translates them; nil for a language that it does not have.
func Catalogue(lang string) map[string]string {
	all, err := loadWords()
	if err != nil {
		return nil
	}
	return all[notice.Language(lang)].text
}
