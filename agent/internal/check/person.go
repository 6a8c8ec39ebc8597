package check

import (
	"strings"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/jptext"
)

// contradictions tells in what an answer speaks of another person than the row (別人の可能性):
// the birth date, or the name. Kana decide where both sides have them, since a name's kanji
// have variants that are told apart only in registers; the kanji count where kana are
// missing. A ● stands for any one character.
func contradictions(c *casebook.Case, a eligibility.Answer) []eligibility.Difference {
	var found []eligibility.Difference
	if own := c.Inquiry.BirthDate; !own.IsZero() && !a.BirthDate.IsZero() && own != a.BirthDate {
		found = append(found, eligibility.Difference{Field: eligibility.FieldBirthDate, Assumed: own.String(), Answered: a.BirthDate.String()})
	}
	if own, told, match := compared(c, a); match == jptext.MatchDiffers {
		found = append(found, eligibility.Difference{Field: eligibility.FieldName, Assumed: own, Answered: told})
	}
	return found
}

// names tells how the names agree, the kanji first where both sides have them: that is what
// is shown.
func names(c *casebook.Case, a eligibility.Answer) Match {
	if match := jptext.MatchName(c.Kanji(), a.HolderKanji); match != jptext.MatchUntold {
		return match
	}
	_, _, match := compared(c, a)
	return match
}

// compared gives the two names that decide whether it is the same person.
func compared(c *casebook.Case, a eligibility.Answer) (own, told string, match Match) {
	if own = c.Kana(); own != "" && a.HolderKana != "" {
		if familyAlone(own, a.HolderKana) {
			return own, a.HolderKana, jptext.MatchUntold
		}
		return own, a.HolderKana, jptext.MatchName(own, a.HolderKana)
	}
	own = c.Kanji()
	if own == "" || familyAlone(own, a.HolderKanji) {
		return own, a.HolderKanji, jptext.MatchUntold
	}
	return own, a.HolderKanji, jptext.MatchName(own, a.HolderKanji)
}

// familyAlone tells that the desk wrote the family name only: too little to contradict.
func familyAlone(own, told string) bool {
	family, _, whole := strings.Cut(strings.Join(strings.Fields(jptext.Fold(told)), " "), " ")
	return whole && jptext.MatchName(own, family) == jptext.MatchSame
}
