// Package identity holds who a person is: the opaque handle the systems use, and the
// name and birth date that people use.
//
// The personal types mask themselves in logs (slog.LogValuer) and in %v formatting;
// code that shows them to their owner says so by calling Kanji, Latin or Date.
package identity

import (
	"log/slog"
	"strings"

	"madoguchi.example/shared/civil"
)

// Mask stands in logs and formatted text where a person's data would be.
const Mask = "***"

// CitizenID is the opaque handle of one resident in one cell ("ctz_…"). It may be logged.
type CitizenID string

// MunicipalityCode is 全国地方公共団体コード, 6 digits with its check digit.
type MunicipalityCode string

// Sex is ISO/IEC 5218.
type Sex int

// The four values of ISO/IEC 5218.
const (
	SexUnknown       Sex = 0
	SexMale          Sex = 1
	SexFemale        Sex = 2
	SexNotApplicable Sex = 9
)

// PersonName is a name in the three scripts that forms use. Any part may be empty.
type PersonName struct {
	FamilyKanji string `json:"family_kanji,omitempty"`
	GivenKanji  string `json:"given_kanji,omitempty"`
	FamilyKana  string `json:"family_kana,omitempty"`
	GivenKana   string `json:"given_kana,omitempty"`
	FamilyLatin string `json:"family_latin,omitempty"`
	GivenLatin  string `json:"given_latin,omitempty"`
}

// Kanji gives family and given name as the register writes them, with a blank between.
func (n PersonName) Kanji() string { return join(n.FamilyKanji, n.GivenKanji) }

// Kana gives the reading, with a blank between.
func (n PersonName) Kana() string { return join(n.FamilyKana, n.GivenKana) }

// Latin gives given name then family name, as English text writes them.
func (n PersonName) Latin() string { return join(n.GivenLatin, n.FamilyLatin) }

// LogValue masks the name.
func (n PersonName) LogValue() slog.Value { return slog.StringValue(Mask) }

// String masks the name: formatting is not showing.
func (n PersonName) String() string { return Mask }

// BirthDate is a day of birth. It masks itself; Date shows it.
type BirthDate struct{ civil.Date }

// LogValue masks the day.
func (b BirthDate) LogValue() slog.Value { return slog.StringValue(Mask) }

// String masks the day: formatting is not showing. Use Date.String.
func (b BirthDate) String() string { return Mask }

func join(a, b string) string { return strings.TrimSpace(a + " " + b) }
