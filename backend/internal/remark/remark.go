// Package remark checks what officers write in their own words: reasons and notes.
//
// It promises that nothing is kept that is not text, is longer than allowed, or holds a
// My Number, and that no fault repeats what was written.
package remark

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/jptext"
)

// Check tells what is wrong with the words of the field named place, which may have least to
// most code points: fault.TooLarge, InvalidArgument or MyNumberRefused at that place.
func Check(place, words string, least, most int) error {
	n := utf8.RuneCountInString(words)
	switch {
	case len(words) > utf8.UTFMax*most || n > most:
		return fault.At(fault.TooLarge, place, "the text is longer than %d characters", most)
	case n < least:
		return fault.At(fault.InvalidArgument, place, "the text needs at least %d characters", least)
	case !utf8.ValidString(words) || strings.ContainsFunc(words, control):
		return fault.At(fault.InvalidArgument, place, "this is not text, or holds control characters")
	case jptext.HoldsMyNumber(words):
		return fault.At(fault.MyNumberRefused, place, "the text holds a My Number; it was not kept")
	}
	return nil
}

// control tells which characters no form sends: all but tabs and line breaks.
func control(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }
