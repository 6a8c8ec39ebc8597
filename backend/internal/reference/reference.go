// Package reference makes the numbers that people read to a counter: of a certificate, a
// refusal, a correction.
//
// It promises that a reference is short, holds no two characters that are mistaken for each
// other on paper or aloud in Japanese, is not guessed, and that one wrong character or two
// neighbours exchanged are noticed. It names nobody.
package reference

import (
	"fmt"
	"io"
	"strings"

	"madoguchi.example/shared/jptext"
)

// Kind is the first letter of a reference: what it names.
type Kind byte

// The kinds.
const (
	Certificate Kind = 'C'
	Refusal     Kind = 'R'
	Correction  Kind = 'K'
)

// alphabet leaves out what looks like something else: I and 1, O and 0, L, S and Z. Its
// length is prime, so that the weights of the check character find every single error and
// every exchange of neighbours.
const alphabet = "23456789ABCDEFGHJKMNPQRTUVWXY"

const (
	drawn = 7 // random characters: 29^7, more than 17,000,000,000 references of a kind
	group = 4
	// MaxTyped is the longest text, in bytes, that Parse looks at: people type spaces, and
	// full-width letters of three bytes.
	MaxTyped = 64
)

// New draws a reference, as "K-7H3M-QX9C".
func New(random io.Reader, kind Kind) (string, error) {
	out := make([]byte, 0, drawn+1)
	var one [1]byte
	for len(out) < drawn {
		if _, err := io.ReadFull(random, one[:]); err != nil {
			return "", fmt.Errorf("cannot draw a reference: %w", err)
		}
		// The last values of a byte are thrown away: they would favour the first letters.
		if n := int(one[0]); n < 256-256%len(alphabet) {
			out = append(out, alphabet[n%len(alphabet)])
		}
	}
	return write(kind, append(out, check(kind, out))), nil
}

func write(kind Kind, body []byte) string {
	return string(kind) + "-" + string(body[:group]) + "-" + string(body[group:])
}

// check is the weighted sum over the letters, the kind among them.
func check(kind Kind, body []byte) byte {
	sum := 2 * int(kind)
	for i, c := range body {
		sum += (i + 3) * strings.IndexByte(alphabet, c)
	}
	return alphabet[sum%len(alphabet)]
}

// Parse reads what somebody typed: small or full-width letters, blanks and hyphens as they
// come. It tells whether the text can be a reference.
func Parse(typed string) (ref string, kind Kind, ok bool) {
	if len(typed) > MaxTyped {
		return "", 0, false
	}
	var body []byte
	for _, r := range strings.ToUpper(jptext.Fold(typed)) {
		switch {
		case r == ' ' || r == '-' || r == '\u3000' || r == 'ー' || r == '－' || r == '‐':
		case len(body) == 0 && strings.ContainsRune("CRK", r), len(body) > 0 && r < 0x80 && strings.ContainsRune(alphabet, r):
			body = append(body, byte(r))
		default:
			return "", 0, false
		}
	}
	if len(body) != 1+drawn+1 {
		return "", 0, false
	}
	kind = Kind(body[0])
	if body[drawn+1] != check(kind, body[1:drawn+1]) {
		return "", 0, false
	}
	return write(kind, body[1:]), kind, true
}
