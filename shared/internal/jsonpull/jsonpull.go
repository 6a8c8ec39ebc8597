// Package jsonpull promises that two readers can never see different things in one JSON
// text that somebody else signed or published: member names are unique and compared
// exactly, strings are valid UTF-8 without lone surrogates, nothing follows the value,
// and depth and members are bounded. Unknown members are the caller's to judge.
//
// Reader pulls values from a string: what it returns are substrings, so reading allocates
// only where a string has escapes. The first fault sticks; loops end and later reads give
// zero values. Faults name the offset, never the text.
package jsonpull

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits of every document.
const (
	MaxDepth   = 32  // nested objects and arrays
	MaxMembers = 256 // members of one object
)

// Kind is the first character of a value: one of { [ " 0 t f n, with 0 for any number,
// and the zero byte where no value starts.
type Kind byte

// The kinds.
const (
	None   Kind = 0
	Object Kind = '{'
	Array  Kind = '['
	String Kind = '"'
	Number Kind = '0'
	True   Kind = 't'
	False  Kind = 'f'
	Null   Kind = 'n'
)

// Reader reads one JSON text from left to right. Make it with New. It is not safe for
// concurrent use.
type Reader struct {
	text  string
	pos   int
	depth int
	names []string // names of the open objects, innermost last
	err   error
}

// usualNames is room for the names of a card's open objects, without growing.
const usualNames = 24

// New starts at the beginning of text, whose size the caller has bounded.
func New(text string) *Reader { return &Reader{text: text, names: make([]string, 0, usualNames)} }

// Reset makes the reader start anew with another text and forget the last one.
func (r *Reader) Reset(text string) {
	clear(r.names[:cap(r.names)])
	*r = Reader{text: text, names: r.names[:0]}
}

// Err gives the first fault, or nil.
func (r *Reader) Err() error { return r.err }

// Fault makes the reader fail for a reason of the caller's, unless it failed before.
func (r *Reader) Fault(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("at byte %d: %w", r.pos, fmt.Errorf(format, args...))
	}
}

// End gives the first fault; anything but blanks after the value is one.
func (r *Reader) End() error {
	r.blanks()
	if r.err == nil && r.pos != len(r.text) {
		r.Fault("text after the value")
	}
	return r.err
}

// Fork gives a reader at the same place, to look ahead with. It is of use until the
// original is read on: the two share the room for names.
func (r *Reader) Fork() Reader {
	return Reader{text: r.text, pos: r.pos, depth: r.depth, err: r.err, names: r.names[len(r.names):]}
}

// Kind tells what value comes next.
func (r *Reader) Kind() Kind {
	r.blanks()
	if r.err != nil || r.pos >= len(r.text) {
		return None
	}
	switch c := r.text[r.pos]; c {
	case '{', '[', '"', 't', 'f', 'n':
		return Kind(c)
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return Number
	}
	return None
}

// Members goes through the members of an object:
//
//	for m := r.Object(); m.Next(); {
//		switch m.Name {
//		case "iss":
//			iss = r.Text()
//		}
//	}
//
// The loop's body reads the member's value, or leaves it and it is checked and skipped.
type Members struct {
	Name   string
	r      *Reader
	base   int // names of the objects around it
	before int // where the value starts; -1 before the first
}

// Object begins to read an object.
func (r *Reader) Object() Members {
	r.open('{')
	return Members{r: r, base: len(r.names), before: -1}
}

// Next moves to the next member and tells whether there is one.
func (m *Members) Next() bool {
	if !m.r.next('}', m.before) {
		m.r.names = m.r.names[:m.base]
		return false
	}
	m.Name = m.r.name(m.base)
	m.before = m.r.pos
	return m.r.err == nil
}

// Items goes through the items of an array, as Members does.
type Items struct {
	Index  int
	r      *Reader
	before int
}

// Array begins to read an array.
func (r *Reader) Array() Items {
	r.open('[')
	return Items{Index: -1, r: r, before: -1}
}

// Next moves to the next item and tells whether there is one.
func (a *Items) Next() bool {
	if !a.r.next(']', a.before) {
		return false
	}
	a.r.blanks()
	a.before = a.r.pos
	a.Index++
	return true
}

// next ends a value that started at before (none: -1), skipping it where the body has not
// read it, and tells whether another follows. The closing character ends the loop.
func (r *Reader) next(closing byte, before int) bool {
	if r.err == nil && before >= 0 && r.pos == before {
		r.Skip()
	}
	r.blanks()
	switch {
	case r.err != nil:
		return false
	case r.take(closing):
		r.depth--
		return false
	case before >= 0 && !r.take(','):
		r.Fault("neither comma nor end after a value")
		return false
	}
	return true
}

func (r *Reader) name(base int) string {
	r.blanks()
	name := r.Text()
	r.blanks()
	if !r.take(':') {
		r.Fault("no colon after a name")
	}
	r.blanks()
	if len(r.names)-base >= MaxMembers {
		r.Fault("more than %d members", MaxMembers)
	}
	for _, earlier := range r.names[base:] {
		if earlier == name {
			r.Fault("a member is named twice")
		}
	}
	r.names = append(r.names, name)
	return name
}

func (r *Reader) open(c byte) {
	r.blanks()
	if !r.take(c) {
		r.Fault("not the expected type of value")
	}
	if r.depth++; r.depth > MaxDepth {
		r.Fault("nested deeper than %d", MaxDepth)
	}
}

// Text reads a string.
func (r *Reader) Text() string {
	r.blanks()
	if !r.take('"') {
		r.Fault("not a string")
		return ""
	}
	rest := r.text[r.pos:]
	var high byte
	for i := range len(rest) {
		c := rest[i]
		if c >= ' ' && c != '"' && c != '\\' {
			high |= c
			continue
		}
		start := r.pos
		r.pos += i
		switch {
		case c == '\\':
			return r.escaped(start)
		case c < ' ':
			r.Fault("a control character in a string")
			return ""
		case high >= utf8.RuneSelf && !utf8.ValidString(rest[:i]):
			r.Fault("not UTF-8")
			return ""
		}
		r.pos++
		return rest[:i]
	}
	r.pos = len(r.text)
	r.Fault("a string without end")
	return ""
}

// escaped goes on with a string that has escapes: r.pos is at the first.
func (r *Reader) escaped(start int) string {
	var b strings.Builder
	b.WriteString(r.text[start:r.pos])
	for r.err == nil && r.pos < len(r.text) {
		c := r.text[r.pos]
		r.pos++
		switch {
		case c == '"':
			if !utf8.ValidString(b.String()) {
				r.Fault("not UTF-8")
				return ""
			}
			return b.String()
		case c == '\\':
			b.WriteRune(r.escape())
		case c < ' ':
			r.Fault("a control character in a string")
		default:
			b.WriteByte(c)
		}
	}
	r.Fault("a string without end")
	return ""
}

const (
	escapeNames  = `"\/bfnrt`
	escapeValues = "\"\\/\b\f\n\r\t"
)

func (r *Reader) escape() rune {
	if r.pos >= len(r.text) {
		return utf8.RuneError
	}
	c := r.text[r.pos]
	r.pos++
	if i := strings.IndexByte(escapeNames, c); i >= 0 {
		return rune(escapeValues[i])
	}
	if c != 'u' {
		r.Fault("an unknown escape")
		return utf8.RuneError
	}
	unit := r.hex4()
	if !utf16.IsSurrogate(unit) {
		return unit
	}
	if !strings.HasPrefix(r.text[r.pos:], `\u`) {
		r.Fault("a lone surrogate")
		return utf8.RuneError
	}
	r.pos += len(`\u`)
	pair := utf16.DecodeRune(unit, r.hex4())
	if pair == utf8.RuneError {
		r.Fault("a lone surrogate")
	}
	return pair
}

func (r *Reader) hex4() rune {
	const digits = 4
	if r.pos+digits > len(r.text) {
		r.Fault("a cut escape")
		return 0
	}
	n, err := strconv.ParseUint(r.text[r.pos:r.pos+digits], 16, 16)
	if err != nil {
		r.Fault("an escape that is not hexadecimal")
	}
	r.pos += digits
	return rune(n)
}

// Float reads a number. One that no float64 holds is a fault.
func (r *Reader) Float() float64 {
	f, err := strconv.ParseFloat(r.number(), 64)
	if err != nil {
		r.Fault("not a number in range")
		return 0
	}
	return f
}

// Int reads a number without fraction or exponent.
func (r *Reader) Int() int64 {
	n, err := strconv.ParseInt(r.number(), 10, 64)
	if err != nil {
		r.Fault("not an integer in range")
		return 0
	}
	return n
}

// number passes over a number by RFC 8259's grammar and gives its text.
func (r *Reader) number() string {
	r.blanks()
	start := r.pos
	r.take('-')
	if !r.take('0') && r.digits() == 0 {
		r.Fault("not a number")
		return ""
	}
	if r.take('.') && r.digits() == 0 {
		r.Fault("no digit after the point")
	}
	if r.take('e') || r.take('E') {
		if !r.take('+') {
			r.take('-')
		}
		if r.digits() == 0 {
			r.Fault("no digit in the exponent")
		}
	}
	return r.text[start:r.pos]
}

func (r *Reader) digits() int {
	start := r.pos
	for r.pos < len(r.text) && r.text[r.pos] >= '0' && r.text[r.pos] <= '9' {
		r.pos++
	}
	return r.pos - start
}

// Skip checks one value of any kind and passes it.
func (r *Reader) Skip() {
	switch r.Kind() {
	case Object:
		for m := r.Object(); m.Next(); {
			continue // Next skips the value
		}
	case Array:
		for a := r.Array(); a.Next(); {
			continue
		}
	case String:
		r.Text()
	case Number:
		r.number()
	case True:
		r.word("true")
	case False:
		r.word("false")
	case Null:
		r.word("null")
	default:
		r.Fault("no value")
	}
}

// Raw gives the text of one value, checked, without the blanks around it.
func (r *Reader) Raw() string {
	r.blanks()
	start := r.pos
	r.Skip()
	if r.err != nil {
		return ""
	}
	return r.text[start:r.pos]
}

func (r *Reader) word(w string) {
	if !strings.HasPrefix(r.text[r.pos:], w) {
		r.Fault("no value")
		return
	}
	r.pos += len(w)
}

func (r *Reader) take(c byte) bool {
	if r.err == nil && r.pos < len(r.text) && r.text[r.pos] == c {
		r.pos++
		return true
	}
	return false
}

func (r *Reader) blanks() {
	for r.pos < len(r.text) {
		switch r.text[r.pos] {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return
		}
	}
}
