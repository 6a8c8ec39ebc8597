package hcert

import (
	"strings"

	"madoguchi.example/shared/fault"
)

const (
	uvciBegin    = "URN:UVCI:01:" // version 1 of the form
	uvciAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/:"
	maxUVCI      = 72 // characters (vaccination certificate guidelines, annex 2)
)

// NewUVCI gives a certificate's id (UVCI) from the country's alpha-2 code and an opaque
// text of A to Z, 0 to 9 and /, which the caller draws at random and never uses twice. The
// character behind # checks the others by Luhn's algorithm over their alphabet.
func NewUVCI(country, opaque string) (string, error) {
	id := uvciBegin + country + ":" + opaque
	switch {
	case len(country) != 2 || !isUpper(country):
		return "", fault.At(fault.InvalidArgument, PlaceID, "the country is not an alpha-2 code")
	case opaque == "" || strings.Trim(opaque, strings.TrimSuffix(uvciAlphabet, ":")) != "":
		return "", fault.At(fault.InvalidArgument, PlaceID, "the opaque part is not of A to Z, 0 to 9 and /")
	case len(id)+2 > maxUVCI:
		return "", fault.At(fault.InvalidArgument, PlaceID, "the id is longer than %d characters", maxUVCI)
	}
	return id + "#" + string(uvciCheck(id)), nil
}

// ValidUVCI tells whether an id has the form of NewUVCI and its check character. Ids of
// other issuers may leave the check character out.
func ValidUVCI(id string) bool {
	body, check, found := strings.Cut(id, "#")
	return found && len(id) <= maxUVCI && strings.HasPrefix(body, uvciBegin) && len(check) == 1 &&
		strings.Trim(body, uvciAlphabet) == "" && check[0] == uvciCheck(body)
}

// uvciCheck is Luhn's algorithm modulo the size of the alphabet.
func uvciCheck(body string) byte {
	const n = len(uvciAlphabet)
	sum := 0
	factor := 2
	for i := len(body) - 1; i >= 0; i-- {
		addend := factor * strings.IndexByte(uvciAlphabet, body[i])
		sum += addend/n + addend%n
		factor = 3 - factor
	}
	return uvciAlphabet[(n-sum%n)%n]
}

func isUpper(s string) bool { return strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" }
