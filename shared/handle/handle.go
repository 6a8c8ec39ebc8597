// Package handle makes opaque identifiers: a short prefix that says the kind and 26
// characters that say nothing ("ntc_01jd…").
//
// The characters are a UUID version 7 (RFC 9562 section 5.7) in lower-case Crockford
// base32, so handles made later sort later. Handles are exempt from the search for My
// Numbers by their type: they are made by machines, never typed by people.
package handle

import (
	"encoding/base32"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"
)

var crockford = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// Source makes handles from an injected clock and an injected random source.
// It is safe for concurrent use when both functions are.
type Source struct {
	Now  func() time.Time
	Rand io.Reader
}

// New makes a handle "prefix_…". It fails only when the random source fails.
func (s Source) New(prefix string) (string, error) {
	u, err := s.UUID()
	if err != nil {
		return "", err
	}
	return prefix + "_" + crockford.EncodeToString(u[:]), nil
}

// UUID makes a UUID version 7.
func (s Source) UUID() (uuid.UUID, error) {
	var u uuid.UUID
	if _, err := io.ReadFull(s.Rand, u[6:]); err != nil {
		return uuid.Nil, fmt.Errorf("cannot read random bytes for an id: %w", err)
	}
	ms := uint64(s.Now().UnixMilli())
	for i := range 6 {
		u[i] = byte(ms >> (8 * (5 - i)))
	}
	u[6] = u[6]&0x0f | 0x70
	u[8] = u[8]&0x3f | 0x80
	return u, nil
}

// Valid tells whether s is a handle with this prefix.
func Valid(prefix, s string) bool {
	body, ok := strings.CutPrefix(s, prefix+"_")
	if !ok || len(body) != 26 {
		return false
	}
	_, err := crockford.DecodeString(body)
	return err == nil
}
