package authn

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"madoguchi.example/shared/wire"
)

// NonceLifetime is how long a terminal may use a nonce, by our clock alone.
const NonceLifetime = 5 * time.Minute

// A nonce is its end of life, random bytes, and our mark over the two: nothing is kept of it
// until it is used.
const (
	nonceRandom = 16
	nonceMark   = 16
	nonceBytes  = 8 + nonceRandom + nonceMark
)

// Nonce makes a value that stands in an assertion for the time that a terminal with a wrong
// clock cannot give.
func (s *Terminals) Nonce(context.Context) (wire.Nonce, error) {
	now := s.Now()
	b := binary.BigEndian.AppendUint64(make([]byte, 0, nonceBytes), uint64(now.Add(NonceLifetime).UnixMicro()))
	b = b[:8+nonceRandom]
	if _, err := io.ReadFull(s.Rand, b[8:]); err != nil {
		return wire.Nonce{}, fmt.Errorf("cannot read random bytes for a nonce: %w", err)
	}
	return wire.Nonce{Nonce: base64.RawURLEncoding.EncodeToString(append(b, s.nonceMark(b)...)), ServerTime: now.UTC()}, nil
}

// nonceLives tells until when a nonce of ours may be used; false for one that is not ours or
// whose time is over.
func (s *Terminals) nonceLives(nonce string) (until time.Time, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(nonce)
	if err != nil || len(b) != nonceBytes {
		return time.Time{}, false
	}
	if !hmac.Equal(b[8+nonceRandom:], s.nonceMark(b[:8+nonceRandom])) {
		return time.Time{}, false
	}
	until = time.UnixMicro(int64(binary.BigEndian.Uint64(b))).UTC()
	return until, s.Now().Before(until)
}

func (s *Terminals) nonceMark(body []byte) []byte {
	h := hmac.New(sha256.New, s.Secret)
	_, _ = h.Write([]byte("madoguchi terminal nonce 1"))
	_, _ = h.Write(body)
	return h.Sum(nil)[:nonceMark]
}
