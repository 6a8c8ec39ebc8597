package population

import (
	"strconv"
	"strings"
	"time"
)

// passportState is the state of nobody's passports: Doc 9303 part 4 shows its specimens
// under it.
const passportState = "UTO"

// Fields of the lines at the foot of a passport's page (Doc 9303 part 4 section 4.2.2).
const (
	lineLength     = 44
	nameLength     = 39
	numberLength   = 9
	personalLength = 14
	passportYears  = 6 // that a passport of the cast is still good for
)

// passport gives the two lines of an invented passport. nth makes the number.
func (p *person) passport(nth int, asOf time.Time) [2]string {
	return [2]string{
		"P<" + passportState + filled(latin(p.family.latin)+"<<"+latin(p.given.latin), nameLength),
		secondLine(numbered("TZ", numberLength-2, nth), passportState, p.born, p.sex, asOf.AddDate(passportYears, 0, 0), ""),
	}
}

// secondLine writes the line of numbers: number, state, birth, sex, expiry, personal
// number, each but state and sex with its check digit, and the digit over all of them.
func secondLine(number, state string, born time.Time, s sex, expires time.Time, personal string) string {
	const day = "060102"
	a := withZoneCheck(filled(number, numberLength))
	b := withZoneCheck(born.Format(day))
	c := withZoneCheck(expires.Format(day)) + withZoneCheck(filled(personal, personalLength))
	if personal == "" {
		c = c[:len(c)-1] + "<" // nothing to check is also written as a filler
	}
	mark := "M"
	if s == female {
		mark = "F"
	}
	line := a + state + b + mark + c
	return line + zoneCheck(a+b+c)
}

// latin writes a name in capital letters with fillers between its parts.
func latin(name string) string {
	return strings.ReplaceAll(strings.ToUpper(name), " ", "<")
}

func filled(text string, width int) string {
	return (text + strings.Repeat("<", lineLength))[:width]
}

func withZoneCheck(text string) string { return text + zoneCheck(text) }

// zoneCheck is the check digit of Doc 9303 part 3 section 4.9: the characters' values (a
// digit its own, A to Z from 10 to 35, a filler 0) times 7, 3, 1, 7, 3, 1 …, the last
// digit of the sum.
func zoneCheck(text string) string {
	weights := [...]int{7, 3, 1}
	sum := 0
	for i := range len(text) {
		value := 0
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			value = int(c - '0')
		case c >= 'A' && c <= 'Z':
			value = int(c-'A') + 10
		}
		sum += value * weights[i%len(weights)]
	}
	return strconv.Itoa(sum % 10)
}
