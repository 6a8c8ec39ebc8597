package jptext

import "unicode/utf8"

// Match tells how a name that another system told compares with the own writing.
type Match string

// The matches.
const (
	MatchUntold   Match = ""         // one of the two is not known: nothing is compared
	MatchSame     Match = "same"     // equal but for width, blanks and glyph selectors
	MatchWildcard Match = "wildcard" // equal where ● may stand for any one character
	MatchDiffers  Match = "differs"
)

// Wildcard stands for one character that the telling system cannot write.
const Wildcard = '●'

// MaxNameText is the longest name that is compared, in characters; longer ones differ.
const MaxNameText = 400

// MatchName compares a person's name as the clinic writes it with the name as told. A ● in
// what was told matches exactly one character; a ● in the own writing is only itself.
// Names that are all kana are compared as readings (KanaKey), others by NameKey.
//
// The own writing stays what it is: a ● is shown, never written over a kanji.
func MatchName(own, told string) Match {
	key := NameKey
	if isKana(own) && isKana(told) {
		key = KanaKey
	}
	a, b := key(own), key(told)
	switch {
	case a == "" || b == "":
		return MatchUntold
	case a == b:
		return MatchSame
	case utf8.RuneCountInString(a) > MaxNameText || !matchesWildcard([]rune(a), []rune(b)):
		return MatchDiffers
	}
	return MatchWildcard
}

func matchesWildcard(own, told []rune) bool {
	if len(own) != len(told) {
		return false
	}
	for i, r := range told {
		if r != Wildcard && r != own[i] {
			return false
		}
	}
	return true
}

// isKana tells whether a text is kana of either kind and width, marks and wildcards alone.
func isKana(s string) bool {
	for _, r := range Katakana(s) {
		if !isKatakana(r) && !isBlank(r) && !isHyphen(r) && r != '・' && r != Wildcard {
			return false
		}
	}
	return true
}
