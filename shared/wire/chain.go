package wire

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"

	"madoguchi.example/shared/fault"
)

// Hash is a value of the chain that binds a terminal's records to their order. In JSON it is
// 64 hexadecimal digits in lower case.
type Hash [sha256.Size]byte

// MarshalText writes the digits.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads exactly 64 digits in lower case.
func (h *Hash) UnmarshalText(text []byte) error {
	var into Hash
	if len(text) != 2*len(h) {
		return fault.New(fault.InvalidArgument, "a hash has 64 hexadecimal digits")
	}
	if _, err := hex.Decode(into[:], text); err != nil || hex.EncodeToString(into[:]) != string(text) {
		return fault.New(fault.InvalidArgument, "a hash has 64 hexadecimal digits in lower case")
	}
	*h = into
	return nil
}

// String gives the digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// IsZero tells the absent hash.
func (h Hash) IsZero() bool { return h == Hash{} }

// Genesis is the chain's hash before the first record of an epoch.
func Genesis(terminal, epoch string) Hash {
	return labelled("madoguchi chain 1", []byte(terminal), []byte(epoch))
}

// Next is the chain's hash after a record with this Digest.
func Next(prev Hash, digest [sha256.Size]byte) Hash {
	return labelled("madoguchi link 1", prev[:], digest[:])
}

// After is the chain's hash after r, whose Prev is set.
func After(r Record) Hash { return Next(r.Prev, Digest(r)) }

// SignMark countersigns a mark for a terminal in a life of the backend's store.
func SignMark(key ed25519.PrivateKey, terminal, serverEpoch string, m Mark) []byte {
	return ed25519.Sign(key, markBytes(terminal, serverEpoch, m))
}

// VerifyMark tells whether the mark was countersigned with this key.
func VerifyMark(key ed25519.PublicKey, terminal, serverEpoch string, m Mark) bool {
	return len(key) == ed25519.PublicKeySize && ed25519.Verify(key, markBytes(terminal, serverEpoch, m), m.Signature)
}

func markBytes(terminal, serverEpoch string, m Mark) []byte {
	h := labelled("madoguchi mark 1", []byte(terminal), []byte(serverEpoch), []byte(m.Epoch), number(m.Through), m.Head[:], []byte(m.Key))
	return h[:]
}

// labelled is SHA-256 over a label and parts, each after its length (8 bytes, big-endian).
func labelled(label string, parts ...[]byte) (sum Hash) {
	h := sha256.New()
	for _, part := range append([][]byte{[]byte(label)}, parts...) {
		_, _ = h.Write(number(uint64(len(part))))
		_, _ = h.Write(part)
	}
	h.Sum(sum[:0])
	return sum
}
