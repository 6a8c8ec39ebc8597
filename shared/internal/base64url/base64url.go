// Package base64url promises RFC 4648's URL alphabet in its one canonical form: no
// padding, no blanks or line ends, no loose bits in the last character. So no two texts
// mean the same bytes.
package base64url

import (
	"encoding/base64"
	"errors"
)

// ErrText is returned for text that is not canonical base64url.
var ErrText = errors.New("not canonical base64url")

var encoding = base64.RawURLEncoding.Strict()

// EncodedLen gives the number of characters for n bytes.
func EncodedLen(n int) int { return encoding.EncodedLen(n) }

// DecodedLen gives the number of bytes in n characters, for DecodeInto.
func DecodedLen(n int) int { return encoding.DecodedLen(n) }

// Encode writes b.
func Encode(b []byte) string { return encoding.EncodeToString(b) }

// Decode reads text, whose length the caller has bounded.
func Decode(text []byte) ([]byte, error) {
	out := make([]byte, encoding.DecodedLen(len(text)))
	if err := DecodeInto(out, text); err != nil {
		return nil, err
	}
	return out, nil
}

// DecodeInto reads text into out, whose length must be exactly that of the bytes.
func DecodeInto(out, text []byte) error {
	if !Alphabet(text) || encoding.DecodedLen(len(text)) != len(out) {
		return ErrText
	}
	if _, err := encoding.Decode(out, text); err != nil {
		return ErrText
	}
	return nil
}

// Alphabet tells whether text has the alphabet's characters alone. The library's decoder
// would pass over line ends.
func Alphabet[T []byte | string](text T) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}
