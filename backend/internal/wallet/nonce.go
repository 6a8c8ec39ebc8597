package wallet

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// A nonce is its end of life, random bytes, and a mark of ours over the two: nothing is
// kept of it until it is used.
const (
	nonceRandom = 16
	nonceMark   = 16
	nonceBytes  = 8 + nonceRandom + nonceMark
)

// Nonce makes a c_nonce. It can be used once, within NonceLifetime.
func (d *Desk) Nonce(context.Context) (string, error) {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, nonceBytes), uint64(d.Now().Add(NonceLifetime).UnixMicro()))
	b = b[:8+nonceRandom]
	if _, err := io.ReadFull(d.Rand, b[8:]); err != nil {
		return "", fmt.Errorf("cannot read random bytes for a nonce: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(append(b, d.mark("nonce", string(b))[:nonceMark]...)), nil
}

// lives tells until when a nonce of ours can be used; false for one that is not ours, or
// whose time is over.
func (d *Desk) lives(nonce string) (until time.Time, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(nonce)
	if err != nil || len(b) != nonceBytes {
		return time.Time{}, false
	}
	body, mark := b[:8+nonceRandom], b[8+nonceRandom:]
	if !hmac.Equal(mark, d.mark("nonce", string(body))[:nonceMark]) {
		return time.Time{}, false
	}
	until = time.UnixMicro(int64(binary.BigEndian.Uint64(body))).UTC()
	return until, d.Now().Before(until)
}
