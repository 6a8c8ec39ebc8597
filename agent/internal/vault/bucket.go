package vault

import (
	"fmt"

	"go.etcd.io/bbolt"
)

// Put seals plain and stores it under key in a top-level bucket, which is made when it is
// not there. It must run inside Update.
func (v *Vault) Put(tx *bbolt.Tx, bucket string, key, plain []byte) error {
	b, err := tx.CreateBucketIfNotExists([]byte(bucket))
	if err != nil {
		return fmt.Errorf("cannot open bucket %s: %w", bucket, err)
	}
	if err := b.Put(key, v.Seal(bucket+"\x00"+string(key), plain)); err != nil {
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
	plain, err := v.Unseal(bucket+"\x00"+string(key), sealed)
	if err == nil && plain == nil {
		plain = []byte{}
	}
	return plain, err
}
