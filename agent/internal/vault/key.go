package vault

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// KeySize is the length of the key-encryption key in bytes.
const KeySize = 32

// Class says what guards the key-encryption key.
type Class string

// The classes, strongest first.
const (
	TPM2              Class = "tpm2"
	SystemdCredential Class = "systemd_credential"
	Passphrase        Class = "passphrase"
	OwnFile           Class = "key_file"
)

// KeySource gives the key-encryption key, under which the day keys are wrapped.
type KeySource interface {
	// Key gives the key: the same one each time, over restarts too.
	Key(ctx context.Context) ([KeySize]byte, error)
	// Class says what guards it.
	Class() Class
}

// KeyFile is the weakest KeySource: a file of exactly KeySize bytes that only its owner
// may read, on the same disk as what it guards.
type KeyFile string

// Class is OwnFile.
func (f KeyFile) Class() Class { return OwnFile }

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

// Create makes the file with a fresh key unless it exists already: whole, and with a name
// that lasts, before anything is sealed under it.
func (f KeyFile) Create(random io.Reader) error {
	if exists(string(f)) {
		return nil
	}
	var key [KeySize]byte
	if _, err := io.ReadFull(random, key[:]); err != nil {
		return fmt.Errorf("cannot make the vault's key: %w", err)
	}
	next, err := os.CreateTemp(filepath.Dir(string(f)), filepath.Base(string(f))+".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("cannot make the vault's key: %w", err)
	}
	_, err = next.Write(key[:])
	if err = errors.Join(err, next.Sync(), next.Close()); err == nil {
		err = linkNew(next.Name(), string(f))
	}
	_ = os.Remove(next.Name()) // after a rename it is gone
	if err != nil {
		return fmt.Errorf("cannot make the vault's key: %w", err)
	}
	return syncDir(filepath.Dir(string(f)), (*os.File).Sync)
}

// linkNew gives a file its name unless another has it. Where there are no hard links, only
// the time of one look lies between two programs.
func linkNew(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, os.ErrExist) {
		return nil
	}
	if exists(to) {
		return nil
	}
	return os.Rename(from, to)
}

const markSize = 16

// wrapping is what a key-encryption key does: it wraps day keys, and its mark names key
// and terminal without telling either. The mark stands in clear in the file and beside
// each wrapped key, so that a wrong key is told from damage.
type wrapping struct {
	master   [KeySize]byte
	terminal string
	aead     cipher.AEAD
	mark     [markSize]byte
}

func newWrapping(master [KeySize]byte, terminal string) (*wrapping, error) {
	k, err := hkdf.Key(sha256.New, master[:], nil, "madoguchi vault day keys 2", KeySize)
	if err != nil {
		return nil, fmt.Errorf("cannot derive the wrapping key: %w", err)
	}
	aead, err := newAEAD(k)
	if err != nil {
		return nil, err
	}
	mark, err := hkdf.Key(sha256.New, master[:], []byte(terminal), "madoguchi vault mark 2", markSize)
	if err != nil {
		return nil, fmt.Errorf("cannot derive the key's mark: %w", err)
	}
	return &wrapping{master: master, terminal: terminal, aead: aead, mark: [markSize]byte(mark)}, nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("cannot use a key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("cannot use a key: %w", err)
	}
	return aead, nil
}

// A wrapped day key is one small file: magic, day (yyyymmdd), id, mark of the wrapping
// key, the wrapped key, and a checksum that tells damage from a foreign mark.
const (
	wrappedMagic = "MDK2"
	idSize       = 8
	wrappedHead  = len(wrappedMagic) + 4 + idSize + markSize
	wrappedSize  = wrappedHead + 12 + KeySize + 16 + 8
)

func (w *wrapping) wrap(k *dayKey) []byte {
	b := append(make([]byte, 0, wrappedSize), wrappedMagic...)
	b = binary.BigEndian.AppendUint32(b, k.day)
	b = append(b, k.id[:]...)
	b = append(b, w.mark[:]...)
	b = w.aead.Seal(b, nil, k.secret[:], w.bound(k.day, k.id))
	sum := sha256.Sum256(b)
	return append(b, sum[:8]...)
}

func (w *wrapping) bound(day uint32, id keyID) []byte {
	b := binary.BigEndian.AppendUint32([]byte("day key\x00"), day)
	return append(append(b, id[:]...), w.terminal...)
}

// wrapped is the readable part of a key file.
type wrapped struct {
	day  uint32
	id   keyID
	mark [markSize]byte
	ct   []byte
}

// readWrapped tells whether the bytes are a whole key file, whoever can open it.
func readWrapped(b []byte) (w wrapped, ok bool) {
	if len(b) != wrappedSize || string(b[:len(wrappedMagic)]) != wrappedMagic {
		return w, false
	}
	sum := sha256.Sum256(b[:wrappedSize-8])
	if [8]byte(sum[:8]) != [8]byte(b[wrappedSize-8:]) {
		return w, false
	}
	b = b[len(wrappedMagic):]
	w.day, b = binary.BigEndian.Uint32(b), b[4:]
	w.id, b = keyID(b[:idSize]), b[idSize:]
	w.mark = [markSize]byte(b[:markSize])
	w.ct = b[markSize : len(b)-8]
	return w, true
}

// unwrap gives the day key, or an error where it does not open.
func (w *wrapping) unwrap(from wrapped) (*dayKey, error) {
	secret, err := w.aead.Open(nil, nil, from.ct, w.bound(from.day, from.id))
	if err != nil || len(secret) != KeySize {
		return nil, errors.New("cannot open a day key")
	}
	return newDayKey(from.day, from.id, [KeySize]byte(secret))
}
