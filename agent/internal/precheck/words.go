package precheck

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/notice"
)

// The words of what is wrong with a list: the Messages of Parse's faults.
const (
	wordTooLarge = "too_large"
	wordNotUTF8  = "not_utf8"
	wordHeader   = "header"
	wordCSV      = "csv"
	wordColumns  = "columns"
	wordTooMany  = "too_many"
	wordRequired = "required"
	wordTime     = "time"
	wordTooLong  = "too_long"
	wordOneLine  = "one_line"
	wordBirth    = "birth_date"
	wordInsurer  = "insurer_number"
	wordSymbol   = "symbol"
	wordNumber   = "number"
	wordBranch   = "branch"
	wordVisit    = "visit_day"
	wordTwice    = "twice"
	wordMyNumber = "my_number"
)

// Words lists every word that a fault of a list can say.
func Words() []string {
	return []string{
		wordTooLarge, wordNotUTF8, wordHeader, wordCSV, wordColumns, wordTooMany, wordRequired, wordTime, wordTooLong, wordOneLine,
		wordBirth, wordInsurer, wordSymbol, wordNumber, wordBranch, wordVisit, wordTwice, wordMyNumber,
	}
}

// placeFile is the place of what is wrong with a list as a whole.
const placeFile = "bookings"

//go:embed words/*.json
var wordFiles embed.FS

// catalogues are read once; one that cannot be read shows itself as words without sentences,
// and in the tests.
var catalogues = sync.OnceValue(func() map[notice.Language]map[string]string {
	all := map[notice.Language]map[string]string{}
	for _, lang := range notice.Languages() {
		text := map[string]string{}
		raw, err := wordFiles.ReadFile("words/" + string(lang) + ".json")
		if err != nil || json.Unmarshal(raw, &text) != nil {
			text = nil
		}
		all[lang] = text
	}
	return all
})

// Fault is one thing that is wrong with a list, for whoever mends the list: where it stands
// and what to do. Furigana are written {漢字|かんじ}. Neither holds a value of the list.
type Fault struct{ Where, Mend string }

// Faults tells the faults of Parse and Load in a language. An error that is no fault of the
// list gives none.
func Faults(lang notice.Language, err error) []Fault {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []Fault
		for _, e := range joined.Unwrap() {
			all = append(all, Faults(lang, e)...)
		}
		return all
	}
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || !slices.Contains(Words(), e.Message) {
		return nil
	}
	text := catalogues()[lang]
	return []Fault{{Where: where(text, e.Place), Mend: text[e.Message]}}
}

// where tells a fault's place.
func where(text map[string]string, place string) string {
	var line int
	var column string
	switch n, _ := fmt.Sscanf(place, "line %d column %s", &line, &column); n {
	case 2:
		return fmt.Sprintf(text["column"], line, text["c."+column])
	case 1:
		return fmt.Sprintf(text["line"], line)
	}
	return text["file"]
}
