// Package vault keeps the terminal's one durable file, agent.db, and promises that what
// is in it is encrypted, bound to its place, and never the reason why the agent cannot
// start.
//
// Every value is sealed with AES-256-GCM under a random nonce; the associated data names
// the terminal, the level of the layout and the place, so that a value that was changed,
// moved, or copied from another terminal does not open. This is also the checksum that
// bbolt does not have. Keys (names of places) are not encrypted: use opaque handles.
//
// A file that cannot be read is put aside with a report and a new one is begun. A file
// held by another process, or one that belongs to another key, is an error instead:
// nothing is wrong with it.
package vault

import (
	"context"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"madoguchi.example/shared/fault"
)

// FileName is the file's name below the state directory.
const FileName = "agent.db"

// Level is the layout of the file that this code writes. A file of a newer level is
// refused, untouched.
const Level = 1

// DefaultMaxBytes is where the file stops growing unless Options says otherwise.
const DefaultMaxBytes = 256 << 20

// fillPercent packs leaf pages of buckets that are filled in key order: 147 MiB instead of
// 200 MiB for 100,000 records of 1 KB (reference offline-agent.md 2.3).
const fillPercent = 0.95

// DefaultLockTimeout is how long Open waits for another process to let go of the file.
const DefaultLockTimeout = time.Second

// ErrLocked is in the chain of Open's error when another process holds the file.
var ErrLocked = errors.New("another process holds the file")

// ErrWrongKey is in the chain of Open's error when the file was written under another key
// or for another terminal.
var ErrWrongKey = errors.New("the file belongs to another key or terminal")

// ErrDamaged is in the chain of an error for a value that does not open at its place.
var ErrDamaged = errors.New("the stored value is damaged")

// Options say how to open a vault. Key, Now, Rand and Terminal are required.
type Options struct {
	Key      KeySource
	Now      func() time.Time
	Rand     io.Reader
	Terminal string // handle; bound into every value

	MaxBytes    int           // the file's largest size, 0: DefaultMaxBytes
	LockTimeout time.Duration // 0: DefaultLockTimeout
	// Before is an older source whose key the file may still be under; it is used once, to
	// wrap the day keys anew under Key.
	Before KeySource
	// NoSync counts syncs (Synced) instead of issuing them: for tests alone.
	NoSync bool
	// Synced is called at each sync, issued or not; it may be nil.
	Synced func()
	// OpenFile opens the file, for tests that make it fail; nil: os.OpenFile.
	OpenFile func(name string, flag int, mode os.FileMode) (*os.File, error)
}

// Report tells what Open had to do.
type Report struct {
	PutAside string   // path of the damaged file that Open put aside, or ""
	Reason   string   // why, in words for the operator
	Earlier  []string // damaged files that earlier starts put aside, for the operator to look at
	Class    Class    // what guards the key-encryption key
	Level    int      // level that the file was patched from, 0: it was not patched
	Salvaged Salvaged
}

// Salvaged tells what was brought over from a damaged file.
type Salvaged struct {
	Values int            // that opened and are in the new file
	Lost   int            // values that do not open and pages that could not be read
	By     map[string]int // Values by bucket
}

// Vault is the open file. Its methods are safe for concurrent use.
type Vault struct {
	path   string
	opts   Options
	aead   cipher.AEAD
	report Report

	mu     sync.RWMutex // held shared by a transaction, exclusively by Close and Reopen
	db     *bbolt.DB    // nil after Close, or when reopening failed
	closed bool
}

// Open opens <dir>/agent.db, or begins it. See the package comment for what happens to a
// damaged file; Report tells of it. ctx bounds the key source alone.
func Open(ctx context.Context, dir string, o Options) (*Vault, error) {
	if o.Key == nil || o.Now == nil || o.Rand == nil || o.Terminal == "" {
		return nil, errors.New("cannot open the vault: key, clock, randomness and terminal must be given")
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.LockTimeout <= 0 {
		o.LockTimeout = DefaultLockTimeout
	}
	if o.OpenFile == nil {
		o.OpenFile = os.OpenFile
	}
	key, err := o.Key.Key(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot open the vault: %w", err)
	}
	aead, mark, err := keys(key, o.Terminal)
	if err != nil {
		return nil, fmt.Errorf("cannot open the vault: %w", err)
	}
	v := &Vault{path: filepath.Join(dir, FileName), opts: o, aead: aead}
	if err := v.open(mark); err != nil {
		return nil, fmt.Errorf("cannot open the vault: %w", err)
	}
	return v, nil
}

// Report tells what Open had to do.
func (v *Vault) Report() Report { return v.report }

// Terminal is the handle that values are bound to.
func (v *Vault) Terminal() string { return v.opts.Terminal }

// MaxBytes is the file's largest size.
func (v *Vault) MaxBytes() int { return v.opts.MaxBytes }

// FileBytes is the file's present size.
func (v *Vault) FileBytes() int64 { return size(v.path) }

// Close ends all use of the file. It waits for transactions under way.
func (v *Vault) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return nil
	}
	v.closed = true
	if v.db == nil {
		return nil
	}
	if err := v.db.Close(); err != nil {
		return fmt.Errorf("cannot close the vault: %w", err)
	}
	v.db = nil
	return os.Remove(v.path + openSuffix)
}

// View runs fn in a read transaction. fn copies what it keeps and does not call the vault.
func (v *Vault) View(fn func(*bbolt.Tx) error) error {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.db == nil {
		return errClosed()
	}
	return v.db.View(fn)
}

// Update runs fn in a write transaction and returns when its outcome is on disk. An error
// of fn undoes everything and is returned as it is. When the commit itself fails, the file
// is closed and opened again, and the error carries fault.Unknown: what fn wrote may or
// may not be there, and must be read before anybody is told.
func (v *Vault) Update(fn func(*bbolt.Tx) error) error {
	v.mu.RLock()
	db := v.db
	if db == nil {
		v.mu.RUnlock()
		return v.revive(errClosed())
	}
	committed, err := update(db, fn)
	v.mu.RUnlock()
	if err == nil || !committed {
		return err
	}
	unknown := fault.Wrap(fault.Unknown, err, "the terminal's file did not confirm the write")
	return errors.Join(unknown, v.reopen(db))
}

// update tells whether the failing step was the commit.
func update(db *bbolt.DB, fn func(*bbolt.Tx) error) (atCommit bool, err error) {
	tx, err := db.Begin(true)
	if err != nil {
		return false, fmt.Errorf("cannot begin a write: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	if err := fn(tx); err != nil {
		return false, err
	}
	if err := tx.Commit(); err != nil {
		if errors.Is(err, errFull) {
			// The file cannot grow: nothing was written yet, see bbolt's tx.Commit.
			return false, fault.Wrap(fault.QueueFull, err, "the terminal's file is full")
		}
		return true, err
	}
	return false, nil
}

// revive opens the file again where an earlier reopening failed.
func (v *Vault) revive(otherwise error) error {
	if err := v.reopen(nil); err != nil {
		return otherwise
	}
	return fault.New(fault.Unavailable, "the terminal's file was opened again: repeat")
}

// reopen replaces the database handle, if it is still the one that failed.
func (v *Vault) reopen(failed *bbolt.DB) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return errClosed()
	}
	if v.db != failed {
		return nil
	}
	if v.db != nil {
		_ = v.db.Close() // its error adds nothing to the one that brought us here
		v.db = nil
	}
	db, err := v.openBolt()
	if err != nil {
		return fmt.Errorf("cannot open the file again: %w", err)
	}
	if err := checkPages(db); err != nil {
		_ = db.Close()
		return fmt.Errorf("cannot use the file again: %w", err)
	}
	v.db = db
	return nil
}

func (v *Vault) boltOptions() *bbolt.Options {
	return &bbolt.Options{
		Timeout:      v.opts.LockTimeout,
		FreelistType: bbolt.FreelistMapType,
		MaxSize:      v.opts.MaxBytes,
		NoStatistics: true,
		NoSync:       v.opts.NoSync,
		NoGrowSync:   v.opts.NoSync,
	}
}

// Fill sets the bucket to be packed tightly; for buckets that are filled in key order.
func Fill(b *bbolt.Bucket) *bbolt.Bucket {
	b.FillPercent = fillPercent
	return b
}

// Seal encrypts plain for its place.
func (v *Vault) Seal(place string, plain []byte) []byte {
	return v.aead.Seal(nil, nil, plain, v.bound(place))
}

// Unseal decrypts what Seal made for the same place. Its error is ErrDamaged.
func (v *Vault) Unseal(place string, sealed []byte) ([]byte, error) {
	plain, err := v.aead.Open(nil, nil, sealed, v.bound(place))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", place, ErrDamaged)
	}
	return plain, nil
}

// bound is the associated data: terminal, level and place, each after its length.
func (v *Vault) bound(place string) []byte { return associate(v.opts.Terminal, place) }

func associate(terminal, place string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(terminal)))
	b = append(b, terminal...)
	b = binary.BigEndian.AppendUint32(b, Level)
	return append(b, place...)
}

func errClosed() error { return fault.New(fault.Unavailable, "the terminal's file is not open") }
