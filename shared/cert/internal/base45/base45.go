// Package base45 promises RFC 9285 in its one strict form: upper-case alphabet, groups of
// three characters for two bytes and a last pair for one byte, no group above what its
// bytes can hold, nothing trimmed (the blank is a character of the alphabet). So no two
// texts mean the same bytes.
package base45

import "errors"

// Faults of a text.
var (
	ErrAlphabet = errors.New("a character outside of base45")
	ErrLength   = errors.New("base45 text cut short")
	ErrRange    = errors.New("a group above what base45 can mean")
)

const (
	alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
	base     = len(alphabet)
	none     = 0xff
	maxPair  = 0xffff // of three characters
	maxByte  = 0xff   // of the last two characters
)

var values = func() (out [256]byte) {
	for i := range out {
		out[i] = none
	}
	for i := range len(alphabet) {
		out[alphabet[i]] = byte(i)
	}
	return out
}()

// DecodedLen gives the number of bytes that a text of n characters means.
func DecodedLen(n int) int { return n/3*2 + n%3/2 }

// EncodedLen gives the number of characters for n bytes.
func EncodedLen(n int) int { return n/2*3 + n%2*2 }

// AppendDecode appends the bytes that text means to dst. It allocates only where dst is
// too small (see DecodedLen).
func AppendDecode(dst, text []byte) ([]byte, error) {
	if len(text)%3 == 1 {
		return dst, ErrLength
	}
	for ; len(text) >= 3; text = text[3:] {
		a, b, c := values[text[0]], values[text[1]], values[text[2]]
		if a == none || b == none || c == none {
			return dst, ErrAlphabet
		}
		n := int(a) + int(b)*base + int(c)*base*base
		if n > maxPair {
			return dst, ErrRange
		}
		dst = append(dst, byte(n>>8), byte(n))
	}
	if len(text) == 2 {
		a, b := values[text[0]], values[text[1]]
		if a == none || b == none {
			return dst, ErrAlphabet
		}
		n := int(a) + int(b)*base
		if n > maxByte {
			return dst, ErrRange
		}
		dst = append(dst, byte(n))
	}
	return dst, nil
}

// AppendEncode appends the text of data to dst.
func AppendEncode(dst, data []byte) []byte {
	for ; len(data) >= 2; data = data[2:] {
		n := int(data[0])<<8 | int(data[1])
		dst = append(dst, alphabet[n%base], alphabet[n/base%base], alphabet[n/base/base])
	}
	if len(data) == 1 {
		n := int(data[0])
		dst = append(dst, alphabet[n%base], alphabet[n/base])
	}
	return dst
}
