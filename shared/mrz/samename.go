package mrz

import "strings"

// SameName tells whether two Latin names may be of one person, where a register wrote one
// and a passport the other. It forgives what romanisations of one Japanese name differ in:
// long vowels (OO, OU, OH and O; UU and U), N or M before B, M and P, and TCH or CCH; and
// blanks, hyphens, apostrophes and accents. Two empty names are not the same.
//
// It is for a question to a person or a check beside birth date and number: names that are
// not the same may pass (Ono and Oono).
func SameName(a, b string) bool {
	x, y := fold(a), fold(b)
	return x != "" && x == y
}

// fold gives a name in the plainest romanisation, empty where it is not in Latin letters.
func fold(name string) string {
	text, err := Transliterate(name)
	if err != nil {
		return ""
	}
	out := make([]byte, 0, len(text))
	for word := range strings.SplitSeq(strings.ReplaceAll(text, "TCH", "CCH"), string(filler)) {
		out = append(out, foldWord(word)...)
	}
	return string(out)
}

func foldWord(word string) []byte {
	out := make([]byte, 0, len(word))
	for i := range len(word) {
		c, last, next := word[i], byte(0), byte(0)
		if i+1 < len(word) {
			next = word[i+1]
		}
		if len(out) > 0 {
			last = out[len(out)-1]
		}
		switch {
		case last == 'O' && (c == 'O' || c == 'U'), last == 'U' && c == 'U':
		case last == 'O' && c == 'H' && !strings.ContainsRune("AEIOU", rune(next)):
		case c == 'N' && (next == 'B' || next == 'M' || next == 'P'):
			out = append(out, 'M')
		default:
			out = append(out, c)
		}
	}
	return out
}
