package office

import (
	"cmp"

	"madoguchi.example/shared/notice"
)

// Texts is one text by language. A language that is not there falls back to Japanese.
type Texts map[notice.Language]string

// In gives the text in the language, else in Japanese.
func (t Texts) In(l notice.Language) string { return cmp.Or(t[l], t[notice.Japanese]) }

// SameText is a text that is alike in every language, such as a name.
func SameText(s string) Texts { return Texts{notice.Japanese: s} }

// Choice is one of several that a form offers.
type Choice struct {
	Key  string
	Name Texts
}
