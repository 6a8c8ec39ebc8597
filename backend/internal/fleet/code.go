package fleet

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

// What a one-time code is worth.
const (
	CodeLife     = 15 * time.Minute
	CodeAttempts = 5   // wrong secrets, then the code is dead
	MaxCodeBytes = 64  // as typed, with blanks and hyphens
	secretBytes  = 10  // 80 bits
	selectorSize = 4   // characters; they find the row and prove nothing
	codeSize     = 20  // characters: selector and secret
	codeGroup    = "-" // between groups of four
)

var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// Code is a one-time enrolment code. It masks itself in logs and formatted text;
// Reveal shows it, once, to the person who carries it to the terminal.
type Code struct {
	selector, secret string
	Office           string
	OfficeName       string
	ExpiresAt        time.Time
}

// Reveal gives the code in groups of four characters.
func (c Code) Reveal() string {
	whole := c.selector + c.secret
	var groups []string
	for len(whole) > 0 {
		groups = append(groups, whole[:4])
		whole = whole[4:]
	}
	return strings.Join(groups, codeGroup)
}

// LogValue masks the code.
func (c Code) LogValue() slog.Value { return slog.StringValue("***") }

// String masks the code.
func (c Code) String() string { return "***" }

func (c Code) hash() []byte {
	h := sha256.Sum256([]byte("madoguchi enrolment code 0\x00" + c.selector + "\x00" + c.secret))
	return h[:]
}

func newCode(random io.Reader) (Code, error) {
	var b [selectorSize + secretBytes]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return Code{}, fmt.Errorf("cannot read random bytes for a code: %w", err)
	}
	return Code{
		selector: crockford.EncodeToString(b[:selectorSize])[:selectorSize],
		secret:   crockford.EncodeToString(b[selectorSize:]),
	}, nil
}

// confusable maps what people type for a character that the alphabet leaves out.
var confusable = strings.NewReplacer("O", "0", "I", "1", "L", "1", "-", "", " ", "")

// parseCode forgives case, blanks, hyphens and look-alike characters. It tells nothing
// about whether the code exists.
func parseCode(typed string) (Code, bool) {
	if len(typed) > MaxCodeBytes {
		return Code{}, false
	}
	s := confusable.Replace(strings.ToUpper(typed))
	if len(s) != codeSize {
		return Code{}, false
	}
	if _, err := crockford.DecodeString(s[selectorSize:]); err != nil {
		return Code{}, false
	}
	return Code{selector: s[:selectorSize], secret: s[selectorSize:]}, true
}
