// Package jcs promises the canonical form of JSON (RFC 8785) within what signed documents
// need: members in the order of their names' UTF-16 code units, no blanks, the shortest
// escapes, strings as they are and never normalised, integers as they are.
//
// Numbers that two readers could hold to be different are refused: fractions, exponents,
// a negative zero, and integers that no IEEE 754 double holds exactly. So are repeated
// names, lone surrogates and whatever else jsonpull refuses.
package jcs

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"madoguchi.example/shared/internal/jsonpull"
)

// MaxInteger is the largest magnitude of a number: beyond it doubles have gaps.
const MaxInteger = 1<<53 - 1

// usualMembers is room for one object's members without growing.
const usualMembers = 8

// Transform gives the canonical form of one JSON text, whose size the caller has bounded.
func Transform(text string) ([]byte, error) {
	r := jsonpull.New(text)
	out := Append(make([]byte, 0, len(text)), r)
	if err := r.End(); err != nil {
		return nil, err
	}
	return out, nil
}

// Append appends the canonical form of the reader's next value. What it appended is of use
// only while the reader has no fault.
func Append(out []byte, r *jsonpull.Reader) []byte {
	switch r.Kind() {
	case jsonpull.Object:
		return appendObject(out, r)
	case jsonpull.Array:
		out = append(out, '[')
		for a := r.Array(); a.Next(); {
			if a.Index > 0 {
				out = append(out, ',')
			}
			out = Append(out, r)
		}
		return append(out, ']')
	case jsonpull.String:
		return appendString(out, r.Text())
	case jsonpull.Number:
		return appendInteger(out, r)
	default:
		return append(out, r.Raw()...)
	}
}

// member is one member of an object, written at out[from:to].
type member struct {
	name     string
	from, to int
}

func appendObject(out []byte, r *jsonpull.Reader) []byte {
	var room [usualMembers]member
	members := room[:0]
	out = append(out, '{')
	begin, sorted := len(out), true
	for m := r.Object(); m.Next(); {
		if n := len(members); n > 0 {
			out = append(out, ',')
			sorted = sorted && Compare(members[n-1].name, m.Name) < 0
		}
		from := len(out)
		out = append(appendString(out, m.Name), ':')
		out = Append(out, r)
		members = append(members, member{m.Name, from, len(out)})
	}
	if !sorted {
		out = rearrange(out, begin, members)
	}
	return append(out, '}')
}

// rearrange puts the members, written from begin to the end of out, in their order. It
// writes them once more behind and copies them back.
func rearrange(out []byte, begin int, members []member) []byte {
	slices.SortFunc(members, func(a, b member) int { return Compare(a.name, b.name) })
	end := len(out)
	for i, m := range members {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, out[m.from:m.to]...)
	}
	copy(out[begin:end], out[end:])
	return out[:end]
}

// Compare orders names as RFC 8785 section 3.2.3 does, by UTF-16 code units. Both are
// valid UTF-8.
func Compare(a, b string) int {
	n := min(len(a), len(b))
	i := 0
	for i < n && a[i] == b[i] {
		i++
	}
	if i == n {
		return cmp.Compare(len(a), len(b))
	}
	if a[i] < utf8.RuneSelf && b[i] < utf8.RuneSelf {
		return cmp.Compare(a[i], b[i])
	}
	for i > 0 && !(utf8.RuneStart(a[i]) && utf8.RuneStart(b[i])) {
		i--
	}
	x, _ := utf8.DecodeRuneInString(a[i:])
	y, _ := utf8.DecodeRuneInString(b[i:])
	return cmp.Compare(unitOrder(x), unitOrder(y))
}

// unitOrder moves the characters that UTF-16 writes as surrogates (D800 to DFFF) to where
// surrogates stand: before E000 to FFFF.
func unitOrder(c rune) rune {
	const (
		afterSurrogates = 0xE000
		twoUnits        = 0x10000
		above           = 0x200000 // more than any character
	)
	if c >= afterSurrogates && c < twoUnits {
		return c + above
	}
	return c
}

const hexDigits = "0123456789abcdef"

// appendString writes a string by RFC 8785 section 3.2.2.2.
func appendString(out []byte, s string) []byte {
	out = append(out, '"')
	plain := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		out = append(append(out, s[plain:i]...), '\\')
		plain = i + 1
		if j := strings.IndexByte("\b\t\n\f\r\"\\", c); j >= 0 {
			out = append(out, `btnfr"\`[j])
		} else {
			out = append(out, 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xF])
		}
	}
	return append(append(out, s[plain:]...), '"')
}

func appendInteger(out []byte, r *jsonpull.Reader) []byte {
	text := r.Raw()
	n, err := strconv.ParseInt(text, 10, 64)
	if r.Err() != nil {
		return out
	}
	if err != nil || n > MaxInteger || n < -MaxInteger || text == "-0" {
		r.Fault("a number that is not an exact integer")
		return out
	}
	return append(out, text...)
}
