package mrz

import (
	"errors"
	"strings"
)

// ErrLetter is returned for a name with a letter that no transliteration is known for.
var ErrLetter = errors.New("a letter that a machine readable zone has no transliteration for")

// transliterations are those of Doc 9303-3 section 6 A that are not one plain letter or
// that a rule must choose: the Latin letters that names of passports have.
var transliterations = map[rune]string{
	'Á': "A", 'À': "A", 'Â': "A", 'Ä': "AE", 'Ã': "A", 'Ă': "A", 'Å': "AA", 'Ā': "A", 'Ą': "A",
	'Ć': "C", 'Ĉ': "C", 'Č': "C", 'Ċ': "C", 'Ç': "C", 'Ď': "D", 'Đ': "D",
	'É': "E", 'È': "E", 'Ê': "E", 'Ë': "E", 'Ě': "E", 'Ė': "E", 'Ē': "E", 'Ę': "E", 'Ĕ': "E",
	'Ĝ': "G", 'Ğ': "G", 'Ġ': "G", 'Ģ': "G", 'Ħ': "H", 'Ĥ': "H",
	'Í': "I", 'Ì': "I", 'Î': "I", 'Ï': "I", 'Ĩ': "I", 'İ': "I", 'Ī': "I", 'Į': "I", 'Ĭ': "I", 'ı': "I",
	'Ĵ': "J", 'Ķ': "K", 'Ł': "L", 'Ĺ': "L", 'Ľ': "L", 'Ļ': "L", 'Ŀ': "L",
	'Ń': "N", 'Ñ': "N", 'Ň': "N", 'Ņ': "N", 'Ŋ': "N",
	'Ø': "OE", 'Ó': "O", 'Ò': "O", 'Ô': "O", 'Ö': "OE", 'Õ': "O", 'Ő': "O", 'Ō': "O", 'Ŏ': "O",
	'Ŕ': "R", 'Ř': "R", 'Ŗ': "R", 'Ś': "S", 'Ŝ': "S", 'Š': "S", 'Ş': "S", 'Ș': "S", 'ẞ': "SS", 'ß': "SS",
	'Ť': "T", 'Ţ': "T", 'Ț': "T", 'Ŧ': "T",
	'Ú': "U", 'Ù': "U", 'Û': "U", 'Ü': "UE", 'Ũ': "U", 'Ŭ': "U", 'Ű': "U", 'Ů': "U", 'Ū': "U", 'Ų': "U",
	'Ŵ': "W", 'Ý': "Y", 'Ŷ': "Y", 'Ÿ': "Y", 'Ź': "Z", 'Ž': "Z", 'Ż': "Z",
	'Þ': "TH", 'Æ': "AE", 'Œ': "OE", 'Ĳ': "IJ",
}

// Transliterate gives a name in the letters of a machine readable zone: capitals, with the
// filler < for each run of blanks and hyphens; apostrophes, full stops and commas are left
// out (Doc 9303-3 sections 4.6 and 6 A).
func Transliterate(name string) (string, error) {
	var b strings.Builder
	gap := false
	put := func(s string) {
		if gap && b.Len() > 0 {
			b.WriteByte(filler)
		}
		gap = false
		b.WriteString(s)
	}
	for _, c := range strings.ToUpper(name) {
		switch {
		case c >= 'A' && c <= 'Z':
			put(string(c))
		case c == ' ', c == '-', c == '‐', c == '　', c == filler:
			gap = true
		case c == '\'', c == '’', c == '.', c == ',', c == '`':
		default:
			s, known := transliterations[c]
			if !known {
				return "", ErrLetter
			}
			put(s)
		}
	}
	return b.String(), nil
}
