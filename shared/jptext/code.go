package jptext

import "strings"

// MunicipalityCheckDigit gives the sixth digit of 全国地方公共団体コード for its first five,
// and false where they are not five ASCII digits. Weights 6, 5, 4, 3, 2; 11 less the sum
// modulo 11, its last digit.
func MunicipalityCheckDigit(code5 string) (digit byte, ok bool) {
	if len(code5) != 5 || !IsDigits(code5) {
		return 0, false
	}
	sum := 0
	for i := range 5 {
		sum += int(code5[i]-'0') * (6 - i)
	}
	return byte('0' + (11-sum%11)%10), true
}

// ValidMunicipalityCode tells whether s is six ASCII digits with the right check digit.
func ValidMunicipalityCode(s string) bool {
	if len(s) != 6 {
		return false
	}
	digit, ok := MunicipalityCheckDigit(s[:5])
	return ok && s[5] == digit
}

// LooksLikeMyNumber tells whether s as a whole is a My Number: 12 digits with the right
// check digit (平成26年総務省令第85号 第5条), after folding and without blanks and hyphens.
// Free input for which it says yes is refused and not kept. Identifiers that machines made
// are not asked: one in ten timestamps would pass.
func LooksLikeMyNumber(s string) bool {
	if len(s) > 256 {
		return false
	}
	return isMyNumber(Bare(s))
}

// HoldsMyNumber tells whether a My Number stands anywhere in a longer free text: in a run
// of digits by itself, or in digits with single blanks or hyphens between them.
func HoldsMyNumber(text string) bool {
	if LooksLikeMyNumber(text) {
		return true
	}
	var run, joined strings.Builder
	gap := false
	settle := func(all bool) bool {
		found := isMyNumber(run.String())
		run.Reset()
		if all {
			found = found || isMyNumber(joined.String())
			joined.Reset()
		}
		return found
	}
	for _, r := range Fold(text) {
		switch {
		case r >= '0' && r <= '9':
			gap = false
			run.WriteRune(r)
			joined.WriteRune(r)
		case (isBlank(r) || isHyphen(r)) && !gap:
			gap = true
			if settle(false) {
				return true
			}
		default:
			gap = false
			if settle(true) {
				return true
			}
		}
	}
	return settle(true)
}

func isMyNumber(s string) bool {
	if len(s) != 12 || !IsDigits(s) {
		return false
	}
	sum := 0
	for n := 1; n <= 11; n++ { // n counts from the right of the first eleven
		q := n + 1
		if n >= 7 {
			q = n - 5
		}
		sum += int(s[11-n]-'0') * q
	}
	r := sum % 11
	if r <= 1 {
		return s[11] == '0'
	}
	return int(s[11]-'0') == 11-r
}
