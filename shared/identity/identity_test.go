package identity_test

import (
	"fmt"
	"strings"
	"testing"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

func TestFormattingIsNotShowing(t *testing.T) {
	n := identity.PersonName{FamilyKanji: "髙橋", GivenKanji: "花", FamilyLatin: "TAKAHASHI", GivenLatin: "HANA"}
	b := identity.BirthDate{Date: civil.Date{Year: 1980, Month: 4, Day: 1}}
	s := fmt.Sprintf("%v %s %v %s", n, n, b, b)
	for _, personal := range []string{"髙橋", "HANA", "1980"} {
		if strings.Contains(s, personal) {
			t.Errorf("%q stands in %q", personal, s)
		}
	}
	if n.Kanji() != "髙橋 花" || n.Latin() != "HANA TAKAHASHI" {
		t.Errorf("%q %q", n.Kanji(), n.Latin())
	}
}
