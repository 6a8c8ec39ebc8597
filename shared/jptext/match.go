package jptext

import (
	"regexp"
	"strconv"
	"strings"
)

// NameKey is the form in which two writings of a person's name are compared when a
// sign-in is linked to a resident. In this order: Fold; glyph selectors dropped; the
// hyphen family after katakana becomes ー; blanks, other hyphens, "・", "." and "," are
// dropped; Latin letters are upper case.
//
// Hiragana and katakana, and variants of kanji that have their own code (高 and 髙), stay
// different: they are different names in the register, and a person at a counter decides.
func NameKey(name string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '-', '・', '.', ',', '\'', '’':
			return -1
		}
		if isVariant(r) {
			return -1
		}
		return r
	}, strings.ToUpper(longMarks(NoBlanks(name))))
}

var (
	kanjiCount = regexp.MustCompile(`([〇一二三四五六七八九十百]+)(丁目|番地|番|号|線|条)`)
	countWord  = regexp.MustCompile(`(\d)(?:丁目|番地の|番地|番の|番|号室|号|の)`)
	hyphenRun  = regexp.MustCompile(`-+`)
)

// AddressKey is the form in which two writings of an address are compared when a sign-in
// is linked to a resident. In this order: Fold; glyph selectors, blanks and 大字 dropped;
// ヶ as ケ, ヵ as カ; kanji numbers before 丁目, 番地, 番, 号, 線, 条 become digits (二十三番 as
// 23番); 丁目, 番地, 番, 号, 号室 and の after a digit become hyphens; the hyphen family becomes
// one "-" (ー after katakana stays the long mark); a hyphen before the end or before a
// letter is dropped; Latin letters are upper case. So 一丁目２番３号 and 1-2-3 are equal.
//
// Building names must agree. It never equates different numbers.
func AddressKey(address string) string {
	s := strings.Map(func(r rune) rune {
		switch {
		case isVariant(r), r == ',', r == '、':
			return -1
		case r == 'ヶ':
			return 'ケ'
		case r == 'ヵ':
			return 'カ'
		}
		return r
	}, strings.ToUpper(longMarks(NoBlanks(address))))
	s = strings.ReplaceAll(s, "大字", "")
	s = kanjiCount.ReplaceAllStringFunc(s, func(m string) string {
		p := kanjiCount.FindStringSubmatch(m)
		if n, ok := kanjiNumber(p[1]); ok {
			return strconv.Itoa(n) + p[2]
		}
		return m
	})
	s = countWord.ReplaceAllString(s, "$1-")
	return looseHyphens(hyphenRun.ReplaceAllString(s, "-"))
}

// looseHyphens keeps a hyphen only between two ASCII letters or digits.
func looseHyphens(s string) string {
	rs := []rune(s)
	var b strings.Builder
	for i, r := range rs {
		if r == '-' && (i == 0 || i == len(rs)-1 || !alnum(rs[i-1]) || !alnum(rs[i+1])) {
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func alnum(r rune) bool { return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' }

// kanjiNumber reads 〇 to 九百九十九, positional (一〇二) or with 十 and 百.
func kanjiNumber(s string) (int, bool) {
	total, digit := 0, 0
	positional := !strings.ContainsAny(s, "十百")
	for _, r := range s {
		switch r {
		case '百', '十':
			unit := 10
			if r == '百' {
				unit = 100
			}
			total += max(digit, 1) * unit
			digit = 0
		default:
			d := strings.Index("〇一二三四五六七八九", string(r)) / len("〇")
			if positional {
				digit = digit*10 + d
			} else {
				digit = d
			}
		}
	}
	return total + digit, len([]rune(s)) <= 4
}
