package vault

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
)

// KeySize is the length of the master key in bytes.
const KeySize = 32

// KeySource gives the vault's master key. A file today; a TPM or a systemd credential
// can stand behind the same interface.
type KeySource interface {
	Key(ctx context.Context) ([KeySize]byte, error)
	// Class says what guards the key.
	Class() Class
}

// KeyFile is a KeySource: a file of exactly KeySize bytes that only its owner may read.
type KeyFile string

// Class is key_file.
func (f KeyFile) Class() Class { return "key_file" }

// Key reads the file. A file that others may read is refused.
func (f KeyFile) Key(context.Context) ([KeySize]byte, error) {
	var key [KeySize]byte
	i, err := os.Stat(string(f))
	if err != nil {
		return key, fmt.Errorf("cannot read the vault's key: %w", err)
	}
	if !ownerOnly(i.Mode()) {
		return key, errors.New("cannot use the vault's key: others may read its file; set its mode to 0600")
	}
	b, err := os.ReadFile(string(f))
	if err != nil {
		return key, fmt.Errorf("cannot read the vault's key: %w", err)
	}
	if len(b) != KeySize {
		return key, fmt.Errorf("cannot use the vault's key: its file must hold %d bytes", KeySize)
	}
	return [KeySize]byte(b), nil
}

// Create makes the file with a fresh key unless it exists already.
func (f KeyFile) Create(random io.Reader) error {
	var key [KeySize]byte
	if _, err := io.ReadFull(random, key[:]); err != nil {
		return fmt.Errorf("cannot make the vault's key: %w", err)
	}
	out, err := os.OpenFile(string(f), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot make the vault's key: %w", err)
	}
	_, err = out.Write(key[:])
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return fmt.Errorf("cannot make the vault's key: %w", errors.Join(err, os.Remove(string(f))))
	}
	return nil
}

// keys derives the record key, and a mark that names key and terminal without telling
// either (kept in clear in the file, so that a wrong key is told from damage).
func keys(master [KeySize]byte, terminal string) (cipher.AEAD, []byte, error) {
	k, err := hkdf.Key(sha256.New, master[:], nil, "madoguchi agent.db records 1", 32)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot derive the record key: %w", err)
	}
	mark, err := hkdf.Key(sha256.New, master[:], []byte(terminal), "madoguchi agent.db mark 1", 16)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot derive the key's mark: %w", err)
	}
	block, err := aes.NewCipher(k)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot use the record key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot use the record key: %w", err)
	}
	return aead, mark, nil
}
