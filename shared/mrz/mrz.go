// Package mrz promises the machine readable zones of travel documents (ICAO Doc 9303):
// passports (TD3, two lines of 44), and cards of two sizes (TD2, two lines of 36; TD1,
// three lines of 30). A zone is taken only where every check digit is right; which one is
// not is told, so that a person who typed it knows where to look.
//
// What people do when they type is forgiven where it can mean one thing alone: lower case,
// wide letters, blanks between or for fillers, fillers left out at the end of a name. The
// letter O typed for a zero is never changed silently: a Fault may carry a suggestion.
//
// Sources: Doc 9303-3 (8th edition) sections 4 and 6, Doc 9303-4, -5 and -6.
package mrz

import (
	"log/slog"
	"strings"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

const (
	// MaxInput bounds what is looked at, in bytes of all lines.
	MaxInput = 1 << 10

	filler   = '<'
	maxLines = 3
)

// Kind is the form of a document.
type Kind string

// The forms.
const (
	TD1 Kind = "td1" // a card: three lines of 30
	TD2 Kind = "td2" // a larger card: two lines of 36
	TD3 Kind = "td3" // a passport: two lines of 44
)

// Document is what a zone says.
type Document struct {
	Kind        Kind
	Code        string // P, PD, I, AC, …
	Issuer      string // the issuing state, one to three letters
	Number      string // of the document
	Primary     string // family name, blanks for fillers
	Secondary   string // given names
	NameCut     bool   // the name fills its place, so it may be longer than is written
	Nationality string // one to three letters
	Birth       civil.Date
	BirthText   string // where day or month are unknown: "1974", "1974-08"; empty too where the year is
	Sex         string // M, F, or X for "not said"
	Expires     civil.Date
	Optional    string // personal number of a passport, optional data of a card
	Optional2   string // of a card's second line
}

// LogValue masks the whole document.
func (Document) LogValue() slog.Value { return slog.StringValue(identity.Mask) }

// String masks the whole document.
func (Document) String() string { return identity.Mask }

// Field is a part of a zone that has a check digit of its own, or a form.
type Field string

// The fields.
const (
	FieldForm        Field = "form" // number and length of lines, letters that no zone has
	FieldCode        Field = "code"
	FieldIssuer      Field = "issuer"
	FieldName        Field = "name"
	FieldNumber      Field = "number"
	FieldNationality Field = "nationality"
	FieldBirth       Field = "birth"
	FieldSex         Field = "sex"
	FieldExpiry      Field = "expiry"
	FieldPersonal    Field = "personal_number"
	FieldComposite   Field = "composite" // the last digit, over the others: one of them is wrong in two ways
)

// Fault says what is wrong with a zone. Its words hold none of the zone's characters.
type Fault struct {
	Field Field
	Line  int  // from 1
	Check bool // the check digit does not fit; else the field is not of its form

	// Suggestion is the zone with letters O and digits 0 exchanged, where exactly one such
	// exchange makes a right one: to be shown and confirmed by a person. It is personal data.
	Suggestion []string
}

// Error names field and line.
func (f *Fault) Error() string {
	what := "is not of its form"
	if f.Check {
		what = "does not fit its check digit"
	}
	return "line " + string(rune('0'+f.Line)) + ": " + strings.ReplaceAll(string(f.Field), "_", " ") + " " + what
}

// LogValue gives the words without the suggestion.
func (f *Fault) LogValue() slog.Value { return slog.StringValue(f.Error()) }

// weights are those of Doc 9303-3 section 4.9.
var weights = [...]int{7, 3, 1}

// CheckDigit gives the check digit of a field, '0' to '9'. Characters that no zone has
// count as fillers.
func CheckDigit(field string) byte {
	sum := 0
	for i := range len(field) {
		sum += value(field[i]) * weights[i%len(weights)]
	}
	return byte('0' + sum%10)
}

func value(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'Z':
		return int(c-'A') + 10
	}
	return 0
}
