package charge

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"unicode"
	"unicode/utf8"

	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/internal/strictjson"
)

// Schema is the version of the table's format.
const Schema = 1

// Limits of a table, checked before it is decoded, and of its parts.
const (
	MaxTableBytes = 64 << 10
	MaxRules      = 64
	maxText       = 200 // characters of a title or a source
)

var idForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,47}$`)

var versionForm = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.-]{0,31}$`)

// ParseTable reads an unsigned table, strictly, and joins every fault in it with its place.
func ParseTable(data []byte) (Table, error) {
	if len(data) > MaxTableBytes {
		return Table{}, fault.At(fault.TooLarge, "table", "must be at most %d bytes", MaxTableBytes)
	}
	var t Table
	if err := strictjson.Decode(data, &t); err != nil {
		return Table{}, fault.At(fault.InvalidArgument, "table", "%s", err.Error())
	}
	if err := t.Validate(); err != nil {
		return Table{}, err
	}
	return t, nil
}

// Encode writes the table after Validate, in the one form that is signed: indented, in the
// order of its members.
func (t Table) Encode() ([]byte, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot write a table: %w", err)
	}
	return append(b, '\n'), nil
}

// Validate joins every fault in t, each naming its place.
func (t Table) Validate() error {
	var v validator
	v.must(t.Schema == Schema, "schema", "must be %d", Schema)
	v.must(versionForm.MatchString(t.Version), "version", "must be letters, digits, dots and hyphens, at most 32")
	v.must(!t.Issued.IsZero(), "issued", "must be a day")
	v.must(len(t.Rules) > 0 && len(t.Rules) <= MaxRules, "rules", "must be 1 to %d", MaxRules)
	seen := map[string]bool{}
	for i, r := range t.Rules[:min(len(t.Rules), MaxRules)] {
		place := fmt.Sprintf("rules[%d].", i)
		v.must(idForm.MatchString(r.ID) && !seen[r.ID], place+"id", "must be a short name in lower case that no other rule has")
		seen[r.ID] = true
		v.rule(place, r)
	}
	return errors.Join(v.faults...)
}

type validator struct{ faults []error }

func (v *validator) must(ok bool, place, format string, args ...any) {
	if !ok {
		v.faults = append(v.faults, fault.At(fault.InvalidArgument, place, format, args...))
	}
}

func (v *validator) rule(place string, r Rule) {
	for _, t := range []struct{ place, text string }{
		{"title.ja", r.Title.JA}, {"title.ja_easy", r.Title.JAEasy}, {"title.en", r.Title.EN}, {"source", r.Source},
	} {
		v.must(readable(t.text), place+t.place, "must be a line of at most %d characters", maxText)
	}
	v.must(!r.ValidFrom.IsZero(), place+"valid_from", "must be a day")
	v.must(r.ValidTo.IsZero() || !r.ValidTo.Before(r.ValidFrom), place+"valid_to", "must not be before valid_from")
	v.must(share(r.Percent), place+"percent", "must be 10, 20 or 30")
	for i, s := range r.Stated {
		v.must(share(s) && !slices.Contains(r.Stated[:i], s), place+"stated", "must be 10, 20 or 30, each once")
	}
	for i, b := range r.When.Bands {
		v.must(slices.Contains(bands, b) && !slices.Contains(r.When.Bands[:i], b), place+"when.bands", "must be known bands, each once")
	}
	for i, e := range r.When.Evidence {
		known := slices.Contains(eligibility.Evidences(), e)
		v.must(known && !slices.Contains(r.When.Evidence[:i], e), place+"when.evidence", "must be known kinds of evidence, each once")
	}
}

var bands = []Band{Preschool, School, From70, LateStage}

func share(percent int) bool { return percent == 10 || percent == 20 || percent == 30 }

func readable(s string) bool {
	if s == "" || !utf8.ValidString(s) || utf8.RuneCountInString(s) > maxText {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
