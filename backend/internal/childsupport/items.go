package childsupport

import (
	"errors"
	"slices"
	"strings"

	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
)

// The items of the register, by name.
const (
	itemPlace       = "childcare_place"
	itemRecognition = "childcare_recognition"
	itemAttendance  = "childcare_attendance"
	itemResult      = "checkup_result"
	itemContact     = "checkup_contact"
)

// Kinds of facility.
const (
	licensed     = "licensed"
	kindergarten = "kindergarten"
	unlicensed   = "unlicensed"
	noFacility   = "none"
)

// Check-ups, in the order of age, and how they ended.
var checkups = []string{"m4", "m18", "y3"}

const (
	attended = "attended"
	missed   = "missed"
	excused  = "excused"
)

// fact is an item that was read: its value taken apart.
type fact struct {
	Item
	word string     // kind of facility, yes or no, result
	day  civil.Date // since, last attended, due on, contacted on; zero: not known
}

var errValue = errors.New("cannot read a stored item: its value is not in the form it was written in")

// encode writes what decode reads: a word and a day, either of which may be empty.
func encode(word string, day civil.Date) string { return word + " " + day.String() }

func decode(i Item) (fact, error) {
	word, day, ok := strings.Cut(i.Value, " ")
	if !ok {
		return fact{}, errValue
	}
	f := fact{Item: i, word: word}
	if day == "" {
		return f, nil
	}
	var err error
	if f.day, err = civil.Parse(day); err != nil {
		return fact{}, errValue
	}
	return f, nil
}

// facts are what is known of one child, by item and part.
type facts map[[2]string]fact

func (f facts) get(item, part string) (fact, bool) {
	v, ok := f[[2]string{item, part}]
	return v, ok
}

// allowed refuses to read items for anything but their own purpose, and for an indicator
// that they do not serve.
func (r *Register) allowed(purpose audit.Purpose, indicator string, items []string) error {
	for _, name := range items {
		rule, ok := r.Item(name)
		if !ok || rule.Purpose != purpose || !slices.Contains(rule.Serves, indicator) {
			return errPurpose
		}
	}
	return nil
}

// purposeOf refuses every purpose that no item has.
func (r *Register) purposeOf(purpose audit.Purpose) error {
	if !slices.ContainsFunc(r.Items, func(i ItemRule) bool { return i.Purpose == purpose }) {
		return errPurpose
	}
	return nil
}

// until gives the last day on which an item may be kept.
func (r *Register) until(item string, asOf civil.Date) (civil.Date, error) {
	rule, ok := r.Item(item)
	if !ok {
		return civil.Date{}, fault.New(fault.Internal, "an item is not in the register")
	}
	return asOf.AddDays(rule.RetentionDays), nil
}
