package jptext

import (
	"errors"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/japanese"
)

// ErrShiftJIS is the error of text that Shift_JIS cannot carry and of bytes that are no
// Shift_JIS. It does not repeat the text; Unsendable tells the characters.
var ErrShiftJIS = errors.New("not text that Shift_JIS carries")

// oneGlyph maps characters that Shift_JIS has only under another code point of the same
// glyph: keyboards and programs write either.
var oneGlyph = strings.NewReplacer("−", "－", "〜", "～", "‖", "∥", "—", "―", "¢", "￠", "£", "￡", "¬", "￢")

// ShiftJIS writes text as Shift_JIS with the extensions of Windows (髙, ①), after taking −
// as －, 〜 as ～ and the like. Text with a character that it cannot carry is ErrShiftJIS.
func ShiftJIS(text string) ([]byte, error) {
	if !utf8.ValidString(text) {
		return nil, ErrShiftJIS
	}
	b, err := japanese.ShiftJIS.NewEncoder().Bytes([]byte(oneGlyph.Replace(text)))
	if err != nil {
		return nil, ErrShiftJIS
	}
	return b, nil
}

// FromShiftJIS reads what ShiftJIS writes. Bytes that are no character are ErrShiftJIS:
// nothing is replaced in silence.
func FromShiftJIS(b []byte) (string, error) {
	out, err := japanese.ShiftJIS.NewDecoder().Bytes(b)
	if err != nil {
		return "", ErrShiftJIS
	}
	text := string(out)
	if strings.ContainsFunc(text, func(r rune) bool { return r == utf8.RuneError || r >= 0x80 && r < 0xa0 }) {
		return "", ErrShiftJIS
	}
	return text, nil
}

// Unsendable lists the characters of text that Shift_JIS cannot carry, each once, in their
// order: for a person to see and write otherwise (𠮷 as 吉). They are part of a name and
// belong on the screen, never in a log.
func Unsendable(text string) []rune {
	var found []rune
	seen := map[rune]bool{}
	for _, r := range oneGlyph.Replace(text) {
		if r < utf8.RuneSelf || seen[r] {
			continue
		}
		seen[r] = true
		if _, err := japanese.ShiftJIS.NewEncoder().Bytes([]byte(string(r))); err != nil || r == utf8.RuneError {
			found = append(found, r)
		}
	}
	return found
}
