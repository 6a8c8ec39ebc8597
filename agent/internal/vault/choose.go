package vault

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"

	"madoguchi.example/agent/internal/vault/tpm"
)

// Auto is the Choice.Kind that takes the strongest class that is there.
const Auto = "auto"

const (
	// CredentialName is the name of the systemd credential (LoadCredentialEncrypted=).
	CredentialName = "madoguchi-vault-key"
	// MinPassphrase is the shortest passphrase that is taken, in bytes.
	MinPassphrase = 12
	// minCredential and maxCredential bound a credential, maxPassphrase a passphrase's
	// file, in bytes.
	minCredential = KeySize
	maxCredential = 4096
	maxPassphrase = 4096
)

// KeyFileName is the key file's name below the state directory unless Choice says otherwise.
const KeyFileName = "vault.key"

// tpmTrial bounds the first use of a TPM that nothing is sealed to yet.
const tpmTrial = time.Minute

// Choice says where the key-encryption key may come from. Dir, Terminal and Rand are
// required.
type Choice struct {
	Kind           string // Auto, "" for the same, or the name of a Class
	Dir            string // state directory: the TPM's sealed blob lies in its keys/, twice
	Terminal       string // handle; salts the passphrase
	TPM            string // device, or "unix:" and the path of a socket; "": tpm.DefaultDevice
	CredentialsDir string // $CREDENTIALS_DIRECTORY, or ""
	PassphraseFile string // or ""
	KeyFile        string // "": KeyFileName in Dir; made when it is needed and not there
	Rand           io.Reader
}

// Choose gives the source of the kind, or with Auto the strongest that is there: a TPM that
// something is sealed to already or that seals now, the systemd credential, the passphrase,
// and last the key file. Once a TPM was chosen it stays chosen, reachable or not: another
// key would open nothing.
func Choose(c Choice) (KeySource, error) {
	c = c.withDefaults()
	if c.Dir == "" || c.Terminal == "" || c.Rand == nil {
		return nil, errors.New("cannot choose a key: state directory, terminal and randomness must be given")
	}
	switch Class(c.Kind) {
	case TPM2:
		return c.tpm(), nil
	case SystemdCredential:
		return c.credential(), nil
	case Passphrase:
		return c.passphrase(), nil
	case OwnFile:
		return c.ownFile()
	case Auto:
		return c.strongest()
	}
	return nil, fmt.Errorf("cannot choose a key: the kind must be %s, %s, %s, %s or %s", Auto, TPM2, SystemdCredential, Passphrase, OwnFile)
}

func (c Choice) withDefaults() Choice {
	if c.Kind == "" {
		c.Kind = Auto
	}
	if c.TPM == "" {
		c.TPM = tpm.DefaultDevice
	}
	if c.KeyFile == "" {
		c.KeyFile = filepath.Join(c.Dir, KeyFileName)
	}
	return c
}

func (c Choice) strongest() (KeySource, error) {
	t := c.tpm()
	if t.sealed() {
		return t, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), tpmTrial)
	defer cancel()
	if _, err := t.Key(ctx); err == nil {
		return t, nil
	}
	if c.CredentialsDir != "" && exists(filepath.Join(c.CredentialsDir, CredentialName)) {
		return c.credential(), nil
	}
	if c.PassphraseFile != "" && exists(c.PassphraseFile) {
		return c.passphrase(), nil
	}
	return c.ownFile()
}

// ownFile makes the key file where it is needed. A fresh one opens nothing of what is there
// already, so it is made beside day keys only where an earlier source can open those. One
// that a power cut left unfinished has nothing under it.
func (c Choice) ownFile() (KeySource, error) {
	key := KeyFile(c.KeyFile)
	switch used := inUse(c.Dir); {
	case used && Earlier(c, key) == nil:
		return key, nil
	case !used && exists(c.KeyFile) && size(c.KeyFile) < KeySize:
		if err := os.Remove(c.KeyFile); err != nil {
			return nil, fmt.Errorf("cannot make the vault's key: %w", err)
		}
	}
	return key, key.Create(c.Rand)
}

// Earlier gives the sources of other classes that are there, for Options.Before: day keys
// that are wrapped under one of them are wrapped anew under the chosen one. nil where there
// are none.
func Earlier(c Choice, chosen KeySource) KeySource {
	c = c.withDefaults()
	var all sources
	if t := c.tpm(); chosen.Class() != TPM2 && t.sealed() {
		all = append(all, t)
	}
	if chosen.Class() != SystemdCredential && c.CredentialsDir != "" && exists(filepath.Join(c.CredentialsDir, CredentialName)) {
		all = append(all, c.credential())
	}
	if chosen.Class() != Passphrase && c.PassphraseFile != "" && exists(c.PassphraseFile) {
		all = append(all, c.passphrase())
	}
	if chosen.Class() != OwnFile && exists(c.KeyFile) {
		all = append(all, KeyFile(c.KeyFile))
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// RemoveEarlier deletes the key file, or the TPM's sealed blobs, that a change of class left
// behind, and tells which: whoever finds such a file could open everything with it. It does
// nothing before v was opened again after the change, in order and with all day keys under
// the chosen source, nor while a file that was put aside, or a stand-in, may need the key.
func RemoveEarlier(c Choice, v *Vault) (removed []string, err error) {
	c = c.withDefaults()
	if !v.settled() || exists(filepath.Join(c.Dir, StandInDir)) {
		return nil, nil
	}
	var old []string
	if v.Class() != OwnFile {
		old = append(old, c.KeyFile)
	}
	if v.Class() != TPM2 {
		old = append(old, c.tpm().paths[:]...)
	}
	for _, path := range old {
		if !exists(path) {
			continue
		}
		if err := wipe(path); err != nil {
			return removed, fmt.Errorf("cannot remove an earlier key: %w", err)
		}
		removed = append(removed, path)
	}
	return removed, nil
}

// settled tells that nothing needs an earlier key any more.
func (v *Vault) settled() bool {
	r := v.Report()
	return v.clean && v.ring.moved == 0 && !r.ReadOnly && r.LostKeys == 0 && r.Level == 0 &&
		r.PutAside == "" && len(r.Earlier) == 0 && r.Unopened.Path == ""
}

// wipe overwrites a key and removes it. What a disk keeps of it elsewhere is out of reach.
func wipe(path string) error {
	i, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if i.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.Write(make([]byte, i.Size()))
		if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path), (*os.File).Sync)
}

// sources are several sources to look for an earlier key in.
type sources []KeySource

func (s sources) Class() Class { return s[0].Class() }

func (s sources) Key(ctx context.Context) ([KeySize]byte, error) { return s[0].Key(ctx) }

// wrappings asks the earlier sources. One that does not answer is passed over: it matters
// only where day keys are still under it, and then the key is told to be the wrong one.
func wrappings(ctx context.Context, before KeySource, terminal string) []*wrapping {
	all, ok := before.(sources)
	if !ok && before != nil {
		all = sources{before}
	}
	var found []*wrapping
	for _, s := range all {
		key, err := s.Key(ctx)
		if err != nil {
			continue
		}
		if w, err := newWrapping(key, terminal); err == nil {
			found = append(found, w)
		}
	}
	return found
}

func (c Choice) credential() KeySource {
	return derived{SystemdCredential, sync.OnceValues(func() ([KeySize]byte, error) {
		if c.CredentialsDir == "" {
			return [KeySize]byte{}, errors.New("cannot read the credential: systemd gave no directory of credentials")
		}
		b, err := readSmall(filepath.Join(c.CredentialsDir, CredentialName), maxCredential)
		if err != nil {
			return [KeySize]byte{}, fmt.Errorf("cannot read the credential %s: %w", CredentialName, err)
		}
		if len(b) < minCredential || len(b) > maxCredential {
			return [KeySize]byte{}, fmt.Errorf("cannot use the credential %s: it must have %d to %d bytes", CredentialName, minCredential, maxCredential)
		}
		key, err := hkdf.Key(sha256.New, b, nil, "madoguchi vault credential 2", KeySize)
		if err != nil {
			return [KeySize]byte{}, fmt.Errorf("cannot use the credential: %w", err)
		}
		return [KeySize]byte(key), nil
	})}
}

// The parameters of argon2id: the second choice of RFC 9106 section 4 with less memory, for
// a terminal of 1 GB. They are part of the key and cannot change alone.
const (
	argonTime    = 3
	argonMemory  = 32 << 10 // KiB
	argonThreads = 4
)

func (c Choice) passphrase() KeySource {
	return derived{Passphrase, sync.OnceValues(func() ([KeySize]byte, error) {
		b, err := readSmall(c.PassphraseFile, maxPassphrase)
		if err != nil {
			return [KeySize]byte{}, fmt.Errorf("cannot read the passphrase: %w", err)
		}
		phrase := strings.TrimRight(string(b), "\r\n")
		if len(phrase) < MinPassphrase || len(b) > maxPassphrase {
			return [KeySize]byte{}, fmt.Errorf("cannot use the passphrase: it must have %d to %d bytes", MinPassphrase, maxPassphrase)
		}
		salt := sha256.Sum256([]byte("madoguchi vault passphrase 2\x00" + c.Terminal))
		key := argon2.IDKey([]byte(phrase), salt[:], argonTime, argonMemory, argonThreads, KeySize)
		debug.FreeOSMemory() // the agent stays small; this was its largest need
		return [KeySize]byte(key), nil
	})}
}

// derived is a source that computes its key, once.
type derived struct {
	class Class
	key   func() ([KeySize]byte, error)
}

func (d derived) Class() Class { return d.class }

func (d derived) Key(context.Context) ([KeySize]byte, error) { return d.key() }

// tpmKey is a key that a TPM has sealed. The blob is on the disk twice; a damaged one is
// mended from the other.
type tpmKey struct {
	device string
	paths  [2]string
	random io.Reader

	mu    sync.Mutex
	key   [KeySize]byte
	known bool
}

func (c Choice) tpm() *tpmKey {
	dir := filepath.Join(c.Dir, KeysDir)
	return &tpmKey{
		device: c.TPM, random: c.Rand,
		paths: [2]string{filepath.Join(dir, "tpm.sealed"), filepath.Join(dir, "tpm.sealed.copy")},
	}
}

func (t *tpmKey) Class() Class { return TPM2 }

// sealed tells whether a blob is there, whole or not.
func (t *tpmKey) sealed() bool { return slices.ContainsFunc(t.paths[:], exists) }

// Key asks the TPM, once. Where nothing is sealed yet, a fresh key is.
func (t *tpmKey) Key(ctx context.Context) (key [KeySize]byte, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known {
		return t.key, nil
	}
	if !t.sealed() {
		err = t.begin(ctx)
	} else {
		err = t.ask(ctx)
	}
	t.known = err == nil
	return t.key, err
}

func (t *tpmKey) begin(ctx context.Context) error {
	var key [KeySize]byte
	if _, err := io.ReadFull(t.random, key[:]); err != nil {
		return fmt.Errorf("cannot make the vault's key: %w", err)
	}
	blob, err := tpm.Seal(ctx, t.device, key[:])
	if err != nil {
		return err
	}
	if err := makeFolder(filepath.Dir(t.paths[0]), (*os.File).Sync); err != nil {
		return err
	}
	for _, path := range t.paths {
		if err := writeWhole(path, framed(blob), (*os.File).Sync); err != nil {
			return err
		}
	}
	t.key = key
	return nil
}

func (t *tpmKey) ask(ctx context.Context) error {
	var blob []byte
	whole := [2]bool{}
	for i, path := range t.paths {
		b, err := readSmall(path, maxFramed)
		if err != nil {
			continue
		}
		if b, whole[i] = unframed(b); whole[i] && blob == nil {
			blob = b
		}
	}
	if blob == nil {
		return errors.New("cannot use the TPM: both copies of the sealed key are damaged")
	}
	secret, err := tpm.Unseal(ctx, t.device, blob)
	if errors.Is(err, tpm.ErrForeign) {
		return fmt.Errorf("%w: %w", ErrWrongKey, err)
	}
	if err != nil {
		return err
	}
	if len(secret) != KeySize {
		return errors.New("cannot use the TPM: the sealed key has another length")
	}
	t.key = [KeySize]byte(secret)
	for i, path := range t.paths {
		if !whole[i] {
			_ = writeWhole(path, framed(blob), (*os.File).Sync) // the other copy serves; the next start tries again
		}
	}
	return nil
}

const (
	framedMagic = "MDT2"
	maxFramed   = 8 << 10
)

// framed adds magic, length and checksum.
func framed(blob []byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte(framedMagic), uint32(len(blob)))
	return summed(append(b, blob...))
}

func unframed(b []byte) ([]byte, bool) {
	b, ok := unsummed(b)
	n := len(framedMagic)
	if !ok || len(b) < n+4 || string(b[:n]) != framedMagic || int(binary.BigEndian.Uint32(b[n:])) != len(b)-n-4 {
		return nil, false
	}
	return b[n+4:], true
}
