package shc_test

import (
	"testing"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/fault"
)

// What a record holds stands on the card as it is, whatever the characters.
func TestTextsAreWrittenAsTheyAre(t *testing.T) {
	for _, text := range []string{`a "quoted" \ word`, "tab\tand\nline", "\x00\x1f", "</script>&", "髙﨑 𠮷 👪", "\u2028\u2029"} {
		c := claims(1)
		c.Doses[0].Performer, c.Doses[0].Lot = text, text
		v := shc.VerifyJWS([]byte(issue(t, c, shc.Options{})), believe(t, testKey(t, 7)), at)
		if v.Outcome != cert.Valid {
			t.Fatalf("%q: %s %s", text, v.Outcome, v.Reason)
		}
		if d := v.Certificate.Doses[0]; d.Performer != text || d.Lot != text {
			t.Errorf("%q became %q and %q", text, d.Performer, d.Lot)
		}
	}
	c := claims(1)
	c.Doses[0].Performer = "not \xff UTF-8"
	if _, err := shc.Issue(testKey(t, 7), iss, at, c, shc.Options{}); fault.CodeOf(err) != fault.InvalidArgument {
		t.Errorf("a text that is no UTF-8: %v", err)
	}
}
