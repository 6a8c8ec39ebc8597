package httpapi

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"fmt"
	"io"

	"madoguchi.example/shared/fault"
)

// maxCursor caps a cursor in bytes of text; the contract says the same.
const maxCursor = 512

// Cursors makes the opaque places in lists that callers bring back: encrypted, and bound
// to the operation and to the caller, so that a cursor of another list or of another
// person is refused. It is safe for concurrent use.
type Cursors struct {
	aead cipher.AEAD
	rand io.Reader
}

// NewCursors makes cursors under a key of 32 bytes.
func NewCursors(key []byte, rand io.Reader) (*Cursors, error) {
	if len(key) != 32 {
		return nil, fmt.Errorf("cannot make cursors: the key has %d bytes, not 32", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("cannot make cursors: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("cannot make cursors: %w", err)
	}
	return &Cursors{aead, rand}, nil
}

// Seal hides a place. The empty place gives the empty cursor: there is no next page.
func (c *Cursors) Seal(operation, subject, place string) (string, error) {
	if place == "" {
		return "", nil
	}
	nonce := make([]byte, c.aead.NonceSize())
	if _, err := io.ReadFull(c.rand, nonce); err != nil {
		return "", fmt.Errorf("cannot read random bytes for a cursor: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(c.aead.Seal(nonce, nonce, []byte(place), bound(operation, subject))), nil
}

// Open gives the place back; the empty cursor is the start of the list.
func (c *Cursors) Open(operation, subject, cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	bad := fault.At(fault.InvalidArgument, "query.cursor", "the cursor is not one of this list: start from the first page")
	if len(cursor) > maxCursor {
		return "", bad
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) < c.aead.NonceSize() {
		return "", bad
	}
	place, err := c.aead.Open(nil, raw[:c.aead.NonceSize()], raw[c.aead.NonceSize():], bound(operation, subject))
	if err != nil {
		return "", bad
	}
	return string(place), nil
}

func bound(operation, subject string) []byte { return []byte(operation + "\x00" + subject) }
