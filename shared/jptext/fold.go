// Package jptext brings Japanese text as people type it into the forms that programs
// compare: width, kana, hyphens, era dates, municipality codes, names and addresses.
//
// It never changes what is stored or shown: its results are for parsing and comparing.
// Nothing here keeps state or depends on a locale.
package jptext

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// Fold makes full-width ASCII half-width and half-width kana full-width, then composes
// (NFC), without which ｶﾞ would stay two characters. It leaves ①, ㈱ and ㍻ as they are.
func Fold(s string) string { return norm.NFC.String(width.Fold.String(s)) }

// Bare is Fold without blanks and without any of the hyphen family: the form in which
// numbers are read and symbols are compared.
func Bare(s string) string {
	return strings.Map(func(r rune) rune {
		if isBlank(r) || isHyphen(r) {
			return -1
		}
		return r
	}, Fold(s))
}

// NoBlanks is Fold without blanks.
func NoBlanks(s string) string {
	return strings.Map(func(r rune) rune {
		if isBlank(r) {
			return -1
		}
		return r
	}, Fold(s))
}

// IsDigits tells whether s is one or more ASCII digits.
func IsDigits(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return s != ""
}

// Katakana turns hiragana into katakana and half-width kana into full-width.
func Katakana(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'ぁ' && r <= 'ゖ' || r == 'ゝ' || r == 'ゞ' {
			return r + ('ア' - 'あ')
		}
		return r
	}, Fold(s))
}

// Hiragana turns katakana of either width into hiragana. What has no hiragana (ヷ, ー)
// stays.
func Hiragana(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'ァ' && r <= 'ヶ' || r == 'ヽ' || r == 'ヾ' {
			return r - ('ア' - 'あ')
		}
		return r
	}, Fold(s))
}

// HalfKatakana turns kana of either kind into half-width katakana, voiced ones into two
// characters (ガ as ｶﾞ), as the 資格確認端末 writes readings; a full-width blank becomes a
// half-width one. What has no half-width form (ヰ, ヱ, ヮ, ヵ, ヶ, kanji) stays.
func HalfKatakana(s string) string {
	var b strings.Builder
	for _, r := range Katakana(s) {
		if !isKatakana(r) && r != '・' && r != '\u3000' {
			b.WriteRune(r)
			continue
		}
		half := width.Narrow.String(norm.NFD.String(string(r)))
		b.WriteString(strings.NewReplacer("\u3099", "ﾞ", "\u309a", "ﾟ").Replace(half))
	}
	return b.String()
}

// KanaKey is the form in which readings are compared: katakana, no blanks, hyphens after
// katakana taken as the long mark. Small and large kana stay different, as registers
// write them.
func KanaKey(s string) string { return longMarks(NoBlanks(Katakana(s))) }

// isHyphen lists what people and programs put where a hyphen is meant (reference
// insurance-terminal.md section 7); ー and ｰ come from kana keyboards.
func isHyphen(r rune) bool {
	switch r {
	case '-', '‐', '‑', '‒', '–', '—', '―', '−', '－', 'ー', 'ｰ', '﹣', '─':
		return true
	}
	return false
}

func isBlank(r rune) bool {
	return unicode.IsSpace(r) || r == '\u200b' || r == '\ufeff'
}

func isKatakana(r rune) bool { return r >= 'ァ' && r <= 'ヺ' || r == 'ー' }

// isVariant tells variation selectors: they choose a glyph, not another character.
func isVariant(r rune) bool {
	return r >= 0xFE00 && r <= 0xFE0F || r >= 0xE0100 && r <= 0xE01EF
}

// longMarks unifies the hyphen family: the long mark after katakana, "-" elsewhere.
func longMarks(s string) string {
	var b strings.Builder
	last := rune(0)
	for _, r := range s {
		if isHyphen(r) {
			if r = '-'; isKatakana(last) {
				r = 'ー'
			}
		}
		b.WriteRune(r)
		last = r
	}
	return b.String()
}
