package vault

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"
)

// A sealed value is
//
//	id of the day key (8) | stamp (8) | length of the rest (4) | nonce (12) | ciphertext | tag (16)
//
// and its plaintext is
//
//	length of bucket (1) | bucket | length of key (2) | key | what was put
//
// The head and the terminal are associated data. Since a value tells its own length and
// place, it can be found and put back from any bytes that it lies in.
const (
	sealedHead = idSize + 8 + 4
	sealedMin  = sealedHead + 12 + 16 + 3
	sealFormat = 2
	// maxSealed is the longest sealed value that is written or looked for, in bytes.
	maxSealed = sealedMin + 255 + MaxKey + MaxValue
)

func (v *Vault) seal(bucket string, key, plain []byte) ([]byte, error) {
	k, err := v.ring.sealing()
	if err != nil {
		return nil, err
	}
	inner := make([]byte, 0, 3+len(bucket)+len(key)+len(plain))
	inner = append(append(inner, byte(len(bucket))), bucket...)
	inner = binary.BigEndian.AppendUint16(inner, uint16(len(key)))
	inner = append(append(inner, key...), plain...)
	out := make([]byte, 0, sealedHead+k.aead.Overhead()+len(inner))
	out = append(out, k.id[:]...)
	out = binary.BigEndian.AppendUint64(out, v.stamp.Add(1))
	out = binary.BigEndian.AppendUint32(out, uint32(k.aead.Overhead()+len(inner)))
	return k.aead.Seal(out, nil, inner, v.bound(out)), nil
}

// bound is the associated data: format, head and terminal.
func (v *Vault) bound(head []byte) []byte {
	b := append(make([]byte, 0, 1+sealedHead+len(v.opts.Terminal)), sealFormat)
	return append(append(b, head...), v.opts.Terminal...)
}

// opened is a value with the place that it tells.
type opened struct {
	bucket string
	key    []byte
	plain  []byte
}

// unseal opens a value wherever it lies.
func (v *Vault) unseal(sealed []byte) (o opened, ok bool) {
	size, ok := sealedSize(sealed)
	if !ok || size != len(sealed) {
		return o, false
	}
	k := v.ring.find(keyID(sealed[:idSize]))
	if k == nil {
		return o, false
	}
	inner, err := k.aead.Open(nil, nil, sealed[sealedHead:], v.bound(sealed[:sealedHead]))
	if err != nil || len(inner) < 3 {
		return o, false
	}
	n := 1 + int(inner[0])
	if len(inner) < n+2 {
		return o, false
	}
	o.bucket, inner = string(inner[1:n]), inner[n:]
	n = 2 + int(binary.BigEndian.Uint16(inner))
	if len(inner) < n {
		return o, false
	}
	o.key, o.plain = inner[2:n], inner[n:]
	return o, true
}

// sealedSize gives the length of the value that begins here; b may be its head alone.
func sealedSize(b []byte) (size int, ok bool) {
	if len(b) < sealedHead {
		return 0, false
	}
	n := binary.BigEndian.Uint32(b[idSize+8:])
	return sealedHead + int(n), n >= sealedMin-sealedHead && n <= maxSealed-sealedHead
}

func stampOf(sealed []byte) uint64 { return binary.BigEndian.Uint64(sealed[idSize:]) }

// Put seals plain and stores it under key in a top-level bucket, which is made when it is
// not there. It must run inside Update. The name of a bucket is at most 255 bytes, a key
// MaxKey, a value MaxValue; ApplyIn's callers have used CheckPuts, others keep to it.
func (v *Vault) Put(tx *bbolt.Tx, bucket string, key, plain []byte) error {
	if len(bucket) > 255 || len(key) > MaxKey || len(plain) > MaxValue {
		return fmt.Errorf("cannot write to %.40s: it is larger than the vault takes", bucket)
	}
	b := tx.Bucket([]byte(bucket))
	if b == nil {
		var err error
		if b, err = tx.CreateBucket([]byte(bucket)); err != nil {
			return fmt.Errorf("cannot open bucket %s: %w", bucket, err)
		}
	}
	sealed, err := v.seal(bucket, key, plain)
	if err != nil {
		return err
	}
	if err := b.Put(key, sealed); err != nil {
		return fmt.Errorf("cannot write to %s: %w", bucket, err)
	}
	return nil
}

// Get gives a copy of the value under key, nil where there is none (an empty value is not
// nil). A value that does not open is an error with ErrDamaged.
func (v *Vault) Get(tx *bbolt.Tx, bucket string, key []byte) ([]byte, error) {
	b := tx.Bucket([]byte(bucket))
	if b == nil {
		return nil, nil
	}
	sealed := b.Get(key)
	if sealed == nil {
		return nil, nil
	}
	return v.Open(bucket, key, sealed)
}

// Delete removes key. A key or bucket that is not there is no error.
func (v *Vault) Delete(tx *bbolt.Tx, bucket string, key []byte) error {
	b := tx.Bucket([]byte(bucket))
	if b == nil {
		return nil
	}
	if err := b.Delete(key); err != nil {
		return fmt.Errorf("cannot delete from %s: %w", bucket, err)
	}
	return nil
}

// Open gives the plaintext of a sealed value that a cursor found under key in bucket. Its
// error is ErrDamaged; the result is never nil without one.
func (v *Vault) Open(bucket string, key, sealed []byte) ([]byte, error) {
	o, ok := v.unseal(sealed)
	if !ok || o.bucket != bucket || string(o.key) != string(key) {
		return nil, fmt.Errorf("cannot read a value of %s: %w", bucket, ErrDamaged)
	}
	return o.plain, nil
}
