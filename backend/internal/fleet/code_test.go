package fleet

import (
	"bytes"
	"strings"
	"testing"
)

func FuzzParseCode(f *testing.F) {
	c, err := newCode(bytes.NewReader(make([]byte, 64)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(c.Reveal())
	f.Add(" oOiIlL-0000-0000-0000-0000 ")
	f.Fuzz(func(t *testing.T, typed string) {
		c, ok := parseCode(typed)
		if !ok {
			return
		}
		again, ok := parseCode(strings.ToLower(c.Reveal()))
		if !ok || again != c || len(c.hash()) != 32 || len(c.selector) != selectorSize {
			t.Fatalf("a code reads differently when it is shown and typed again")
		}
	})
}
