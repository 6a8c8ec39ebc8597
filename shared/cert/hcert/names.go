package hcert

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// spellings are the letters that Doc 9303-3 section 6 A spells with others than their base
// letter, in capitals. Where it allows several spellings the first is taken.
var spellings = map[rune]string{
	'Ä': "AE", 'Å': "AA", 'Æ': "AE", 'Ð': "D", 'Ñ': "N", 'Ö': "OE", 'Ø': "OE", 'Ü': "UE", 'Þ': "TH",
	'Đ': "D", 'Ħ': "H", 'ı': "I", 'Ĳ': "IJ", 'ĸ': "Q", 'Ł': "L", 'Ŋ': "N", 'Œ': "OE", 'Ŧ': "T", 'ẞ': "SS", 'ß': "SS",
}

// standardise writes a name in Latin letters as Doc 9303-3 has it for a machine: A to Z,
// with < between its parts, apostrophes and full stops left out. It fails on a letter that
// has no such spelling.
func standardise(name string) (string, bool) {
	var out strings.Builder
	for _, letter := range norm.NFC.String(strings.ToUpper(name)) {
		switch {
		case letter >= 'A' && letter <= 'Z':
			out.WriteRune(letter)
		case letter == ' ', letter == '-', letter == ',', letter == '\u3000':
			out.WriteByte('<')
		case strings.ContainsRune("'’`.", letter):
		case spellings[letter] != "":
			out.WriteString(spellings[letter])
		default:
			base := rune(norm.NFD.String(string(letter))[0])
			if base < 'A' || base > 'Z' {
				return "", false
			}
			out.WriteRune(base)
		}
	}
	parts := strings.FieldsFunc(out.String(), func(r rune) bool { return r == '<' })
	return strings.Join(parts, "<"), true
}
