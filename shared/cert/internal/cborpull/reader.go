// Package cborpull promises that two readers can never see different things in one CBOR
// item that somebody else signed: lengths are stated (no indefinite ones), keys of a map
// are integers or texts and unique, texts are valid UTF-8, nothing follows the item, and
// depth and pairs are bounded. Longer spellings of the same number are read as that number.
//
// Reader pulls values from a string that holds the item's bytes: what it returns are
// substrings, so reading allocates nothing. The first fault sticks; loops end and later reads give zero values.
// Faults name the offset, never the content. Append… write the deterministic form.
//
// Source: RFC 8949.
package cborpull

import (
	"fmt"
	"math"
	"unicode/utf8"
)

// Limits of every item.
const (
	MaxDepth = 16 // nested arrays, maps and tags
	MaxPairs = 32 // of one map
)

// Kind tells what an item is.
type Kind byte

// The kinds. None stands where no item starts.
const (
	None Kind = iota
	Integer
	Bytes
	Text
	List
	Dict
	Tag
	Bool
	Null
	Float
	Other // undefined and simple values without meaning
)

// Reader reads one item from left to right. Make it with New. It is not safe for
// concurrent use.
type Reader struct {
	data  string
	at    int
	depth int
	err   error
}

// New starts at the beginning of data, whose size the caller has bounded.
func New(data string) Reader { return Reader{data: data} }

// Err gives the first fault, or nil.
func (r *Reader) Err() error { return r.err }

// Fault makes the reader fail for a reason of the caller's, unless it failed before.
func (r *Reader) Fault(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("at byte %d: %w", r.at, fmt.Errorf(format, args...))
	}
}

// End gives the first fault; anything after the item is one.
func (r *Reader) End() error {
	if r.err == nil && r.at != len(r.data) {
		r.Fault("data after the item")
	}
	return r.err
}

// Major types of RFC 8949 section 3.1, and what stands in the low bits of the first byte.
const (
	majorUnsigned = 0
	majorNegative = 1
	majorBytes    = 2
	majorText     = 3
	majorArray    = 4
	majorMap      = 5
	majorTag      = 6
	majorOther    = 7

	infoByte       = 24
	infoEight      = 27
	infoIndefinite = 31

	simpleFalse     = 20
	simpleTrue      = 21
	simpleNull      = 22
	simpleUndefined = 23
	floatHalf       = 25
	floatSingle     = 26
	floatDouble     = 27
	firstLongSimple = 32
)

// Kind tells what comes next.
func (r *Reader) Kind() Kind {
	if r.err != nil || r.at >= len(r.data) {
		return None
	}
	first := r.data[r.at]
	switch first >> 5 {
	case majorUnsigned, majorNegative:
		return Integer
	case majorBytes:
		return Bytes
	case majorText:
		return Text
	case majorArray:
		return List
	case majorMap:
		return Dict
	case majorTag:
		return Tag
	}
	switch first & 0x1f {
	case simpleFalse, simpleTrue:
		return Bool
	case simpleNull:
		return Null
	case floatHalf, floatSingle, floatDouble:
		return Float
	}
	return Other
}

// head reads the first byte of an item and its argument.
func (r *Reader) head() (major byte, info byte, argument uint64) {
	if r.err != nil {
		return 0, 0, 0
	}
	if r.at >= len(r.data) {
		r.Fault("cut short")
		return 0, 0, 0
	}
	first := r.data[r.at]
	major, info = first>>5, first&0x1f
	if info < infoByte {
		r.at++
		return major, info, uint64(info)
	}
	if info > infoEight {
		r.Fault("a length that is not stated")
		return 0, 0, 0
	}
	size := 1 << (info - infoByte)
	if len(r.data)-r.at-1 < size {
		r.Fault("cut short")
		return 0, 0, 0
	}
	for i := range size {
		argument = argument<<8 | uint64(r.data[r.at+1+i])
	}
	r.at += 1 + size
	return major, info, argument
}

// want reads the head of an item of one kind.
func (r *Reader) want(kind Kind) (major, info byte, argument uint64) {
	if got := r.Kind(); got != kind && r.err == nil {
		r.Fault("%s", wanted[kind])
		return 0, 0, 0
	}
	return r.head()
}

var wanted = [...]string{
	None: "an item", Integer: "not an integer", Bytes: "not a byte string", Text: "not a text", List: "not an array",
	Dict: "not a map", Tag: "not a tag", Bool: "not true or false", Null: "not null", Float: "not a float", Other: "not a simple value",
}

// Int reads an integer that fits 64 bits with sign.
func (r *Reader) Int() int64 {
	major, _, n := r.want(Integer)
	if n > math.MaxInt64 {
		r.Fault("an integer out of range")
		return 0
	}
	if major == majorNegative {
		return -1 - int64(n)
	}
	return int64(n)
}

// Number reads an integer or a float of any width.
func (r *Reader) Number() float64 {
	if r.Kind() == Integer {
		return float64(r.Int())
	}
	_, info, bits := r.want(Float)
	switch {
	case r.err != nil:
		return 0
	case info == floatHalf:
		return half(uint16(bits))
	case info == floatSingle:
		return float64(math.Float32frombits(uint32(bits)))
	}
	return math.Float64frombits(bits)
}

// half gives the value of a float of 16 bits (RFC 8949 appendix D).
func half(bits uint16) float64 {
	const fraction, exponents = 1 << 10, 31
	exponent, mantissa := int(bits>>10&exponents), float64(bits%fraction)
	var value float64
	switch exponent {
	case 0:
		value = math.Ldexp(mantissa, -24)
	case exponents:
		value = math.Inf(1)
		if mantissa != 0 {
			value = math.NaN()
		}
	default:
		value = math.Ldexp(mantissa+fraction, exponent-25)
	}
	if bits>>15 != 0 {
		return -value
	}
	return value
}

// Bytes reads a byte string.
func (r *Reader) Bytes() string {
	_, _, n := r.want(Bytes)
	return r.take(n)
}

// Text reads a text.
func (r *Reader) Text() string {
	_, _, n := r.want(Text)
	text := r.take(n)
	if !utf8.ValidString(text) {
		r.Fault("a text that is not UTF-8")
		return ""
	}
	return text
}

func (r *Reader) take(n uint64) string {
	if r.err != nil {
		return ""
	}
	if n > uint64(len(r.data)-r.at) {
		r.Fault("cut short")
		return ""
	}
	out := r.data[r.at : r.at+int(n)]
	r.at += int(n)
	return out
}

// Tag reads a tag's number; its content comes next.
func (r *Reader) Tag() uint64 {
	_, _, n := r.want(Tag)
	return n
}

// Null reads null.
func (r *Reader) Null() { r.want(Null) }

// Skip reads one item of any kind and gives its bytes, checked as everything is.
func (r *Reader) Skip() string {
	start := r.at
	r.skip()
	if r.err != nil {
		return ""
	}
	return r.data[start:r.at]
}

func (r *Reader) skip() {
	switch r.Kind() {
	case Integer, Bool, Null, Float:
		r.head()
	case Bytes:
		r.Bytes()
	case Text:
		r.Text()
	case List:
		for a := r.Array(); a.Next(); {
			r.skip()
		}
	case Dict:
		for m := r.Map(); m.Next(); {
			r.skip()
		}
	case Tag:
		r.Tag()
		if r.enter() {
			r.skip()
			r.depth--
		}
	case Other:
		if _, info, n := r.head(); info == infoByte && n < firstLongSimple {
			r.Fault("a simple value in its long form")
		}
	case None:
		r.head()
	}
}

func (r *Reader) enter() bool {
	if r.depth >= MaxDepth {
		r.Fault("nested deeper than %d", MaxDepth)
	}
	if r.err != nil {
		return false
	}
	r.depth++
	return true
}
