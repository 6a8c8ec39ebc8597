// Package vault keeps the terminal's one durable file, agent.db, and promises that what
// is in it is encrypted, bound to its place, and never the reason why the agent cannot
// start.
//
// Every value is sealed with AES-256-GCM under the key of its day; terminal, bucket and
// key are bound to it, so that a value that was changed, moved, or copied from another
// terminal does not open. This is also the checksum that bbolt does not have. Keys (names
// of places) are not encrypted: use opaque handles.
//
// Day keys lie outside the file, in keys/, wrapped by a key-encryption key from a TPM, a
// systemd credential, a passphrase or a key file (Choose). A day key is on disk before its
// first use. Shred deletes those that nothing is sealed under any more: what was deleted
// from the file, and lies in its freed pages still, can then be read by nobody. A day key
// that is damaged or missing makes its values ErrDamaged and nothing more.
//
// A file that cannot be read is put aside with a report, and a new one holds all values
// that could be salvaged. A file held by another process, or one that belongs to another
// key or to a newer program, is an error instead: nothing is wrong with it. With
// Options.StandIn a file whose key is not to be had stays where it is, untouched, and Open
// gives a stand-in beside it, under a key file of its own; once the key is back, Open gives
// the file again, and what the stand-in holds can be taken into it (StandIn).
package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"madoguchi.example/shared/fault"
)

// FileName is the file's name below the state directory.
const FileName = "agent.db"

// Level is the layout of the file that this code writes. Files of lower levels are patched
// by copy when they are opened; a file of a newer level is refused, untouched.
const Level = 2

// DefaultMaxBytes is where the file stops growing unless Options says otherwise.
const DefaultMaxBytes = 256 << 20

// fillPercent packs leaf pages of buckets that are filled in key order: 147 MiB instead of
// 200 MiB for 100,000 records of 1 KB (reference offline-agent.md 2.3).
const fillPercent = 0.95

// DefaultLockTimeout is how long Open waits for another process to let go of the file.
const DefaultLockTimeout = time.Second

// DefaultKeyDays is after how many days Shred seals anew what is sealed under a day's key.
const DefaultKeyDays = 14

// ErrLocked is in the chain of Open's error when another process holds the file.
var ErrLocked = errors.New("another process holds the file")

// ErrWrongKey is in the chain of Open's error when file or day keys were written under
// another key or for another terminal.
var ErrWrongKey = errors.New("the file belongs to another key or terminal")

// ErrNoKey is in the chain of Open's error when the key source gives no key.
var ErrNoKey = errors.New("the key is not to be had")

// ErrDamaged is in the chain of an error for a value that does not open at its place.
var ErrDamaged = errors.New("the stored value is damaged")

// Options say how to open a vault. Key, Now, Rand and Terminal are required.
type Options struct {
	Key      KeySource
	Now      func() time.Time
	Rand     io.Reader
	Terminal string // handle; bound into every value

	// Before is an older source that the day keys may still be wrapped under; they are
	// wrapped anew under Key. It is asked only then. See Earlier.
	Before KeySource

	// StandIn lets Open begin a file of its own in StandInDir where the key is not to be had,
	// or is the wrong one. It is for the program that must start; see Report.Unopened.
	StandIn bool

	MaxBytes    int           // the file's largest size, 0: DefaultMaxBytes
	LockTimeout time.Duration // 0: DefaultLockTimeout
	KeyDays     int           // 0: DefaultKeyDays
	// OpenFile opens the file, for tests that make it fail; nil: os.OpenFile.
	OpenFile func(name string, flag int, mode os.FileMode) (*os.File, error)
	// NoSync lets syncs out and sets no room aside, for tests that count them.
	NoSync bool
	// Synced is called before each sync, issued or let out. It may be nil.
	Synced func()
	// FailSync is asked before each sync, for tests that make one fail: the first of a
	// commit fails before anything can be seen, the second when all can. It may be nil.
	FailSync func() error
}

// Report tells what the vault had to do to open the file, at the start or since.
type Report struct {
	PutAside string   // path of the damaged file that was put aside, or ""
	Reason   string   // why, in words for the operator
	Earlier  []string // damaged files that earlier starts put aside, for the operator to look at
	Salvaged Salvaged // what the new file holds of the one put aside
	Level    int      // that the file was patched from; 0: it was not
	Class    Class    // what guards the key-encryption key
	Keys     int      // day keys that open
	LostKeys int      // files of day keys that do not
	ReadOnly bool     // the disk takes no writes
	Unopened Unopened // of a stand-in: the file that it stands in for
}

// Unopened is a file whose key is not to be had. It lies where it always did, untouched.
type Unopened struct {
	Path  string // "": there is none
	Class Class  // what the file was last kept under; "" where that is not known
	Given Class  // the class of the key that was tried
	Cause error  // why that does not open it: ErrWrongKey or ErrNoKey is in its chain
}

// Vault is the open file. Its methods are safe for concurrent use.
type Vault struct {
	path  string
	opts  Options
	ring  *ring
	stamp atomic.Uint64 // of the newest value
	swaps atomic.Uint64
	locks []io.Closer // kept until Close
	uses  atomic.Uint64
	clean bool // it was closed in order, and was under Key already

	earlier func(context.Context) []*wrapping

	reportMu sync.Mutex
	report   Report

	mu       sync.RWMutex // held shared by a transaction, exclusively by what replaces db
	db       *bbolt.DB    // nil after Close, or when reopening failed
	file     *os.File     // of db
	roomTo   int64        // up to where the disk has set aside room; changed inside a write transaction
	readOnly bool
	closed   bool
	unsynced bool // the file has a name that is not durable yet

	writing sync.Mutex // held by a write transaction, from before its beginning to after its end
	doubted *bbolt.DB  // the handle whose last commit failed; guarded by writing

	shredding sync.Mutex // held by Shred
}

// Open opens <dir>/agent.db, or begins it. See the package comment for what happens to a
// damaged file; Report tells of it. ctx bounds the key sources alone.
func Open(ctx context.Context, dir string, o Options) (*Vault, error) {
	if o.Key == nil || o.Now == nil || o.Rand == nil || o.Terminal == "" {
		return nil, errors.New("cannot open the vault: key, clock, randomness and terminal must be given")
	}
	o = o.withDefaults()
	v, err := openIn(ctx, dir, o)
	if err != nil && o.StandIn && ctx.Err() == nil && keyless(err) && inUse(dir) {
		v, err = openStandIn(ctx, dir, o, err)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open the vault: %w", err)
	}
	return v, nil
}

func openIn(ctx context.Context, dir string, o Options) (_ *Vault, err error) {
	v := &Vault{path: filepath.Join(dir, FileName), opts: o}
	if err := v.lock(v.path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			v.unlock()
		}
	}()
	if err := v.openKeys(ctx, filepath.Join(dir, KeysDir)); err != nil {
		return nil, err
	}
	if err := v.open(ctx); err != nil {
		return nil, err
	}
	if err := v.missed(ctx); err != nil {
		return nil, errors.Join(err, v.Close())
	}
	noteClass(v.ring.dir, v.Class())
	return v, nil
}

// missed looks whether something lies under a day key that is whole and under a key that is
// not to be had. Values under it would be taken for damaged, and they are not.
func (v *Vault) missed(ctx context.Context) error {
	if len(v.ring.foreign) == 0 {
		return nil
	}
	_, late, err := v.referred(ctx, v.ring.foreign)
	if err == nil && len(late) > 0 {
		err = ErrWrongKey
	}
	return err
}

func (o Options) withDefaults() Options {
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.LockTimeout <= 0 {
		o.LockTimeout = DefaultLockTimeout
	}
	if o.KeyDays <= 0 {
		o.KeyDays = DefaultKeyDays
	}
	if o.OpenFile == nil {
		o.OpenFile = os.OpenFile
	}
	return o
}

// openKeys asks the key source and reads the day keys.
func (v *Vault) openKeys(ctx context.Context, dir string) error {
	key, err := v.opts.Key.Key(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoKey, err)
	}
	w, err := newWrapping(key, v.opts.Terminal)
	if err != nil {
		return err
	}
	var once sync.Once
	var older []*wrapping
	v.earlier = func(ctx context.Context) []*wrapping {
		once.Do(func() { older = wrappings(ctx, v.opts.Before, v.opts.Terminal) })
		return older
	}
	v.ring = &ring{dir: dir, wrapped: w, class: v.Class(), now: v.opts.Now, random: v.opts.Rand, sync: v.sync, keys: map[keyID]*dayKey{}}
	if err := v.ring.load(ctx, v.earlier); err != nil {
		return err
	}
	v.note(func(r *Report) {
		r.Class, r.Keys, r.LostKeys = v.Class(), len(v.ring.keys), v.ring.damaged+len(v.ring.foreign)
	})
	return nil
}

// Report tells what had to be done to open the file.
func (v *Vault) Report() Report {
	v.reportMu.Lock()
	defer v.reportMu.Unlock()
	return v.report
}

func (v *Vault) note(change func(*Report)) {
	v.reportMu.Lock()
	defer v.reportMu.Unlock()
	change(&v.report)
}

// Class says what guards the key-encryption key.
func (v *Vault) Class() Class { return v.opts.Key.Class() }

// Generation rises each time that the open file was replaced by what was salvaged of it:
// what was remembered of the file must be read anew.
func (v *Vault) Generation() uint64 { return v.swaps.Load() }

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
	defer v.unlock()
	if v.db == nil {
		return nil
	}
	if err := v.db.Close(); err != nil {
		return fmt.Errorf("cannot close the vault: %w", err)
	}
	v.db = nil
	if v.readOnly {
		return nil
	}
	return v.unmark()
}

// View runs fn in a read transaction. fn copies what it keeps and does not call the vault
// but for Get and Open. Where fn comes upon a damaged page, the file is replaced by what
// could be salvaged of it, and the error is fault.Unavailable: it is safe to repeat.
func (v *Vault) View(fn func(*bbolt.Tx) error) error {
	v.mu.RLock()
	db := v.db
	if db == nil { // a disk that failed may work again: who only reads must find out as well
		v.mu.RUnlock()
		if err := v.reopen(nil); err != nil {
			return err
		}
		v.mu.RLock()
		if db = v.db; db == nil {
			v.mu.RUnlock()
			return errClosed()
		}
	}
	err := view(db, fn)
	v.mu.RUnlock()
	v.used()
	if over, ok := errors.AsType[felt](err); ok {
		return v.fellOver(db, over, fault.Unavailable)
	}
	return err
}

func view(db *bbolt.DB, fn func(*bbolt.Tx) error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer catch(&err)
	return db.View(fn)
}

// Update runs fn in a write transaction and returns when its outcome is on disk. An error
// of fn undoes everything and is returned as it is. When the commit itself fails, the file
// is closed and opened again, and the error carries fault.Unknown: what fn wrote may or
// may not be there, and must be read before anybody is told.
func (v *Vault) Update(fn func(*bbolt.Tx) error) error {
	for {
		v.mu.RLock()
		db := v.db
		if db == nil || v.readOnly {
			v.mu.RUnlock()
			return v.revive(db)
		}
		atCommit, err := v.update(db, fn)
		v.mu.RUnlock()
		if errors.Is(err, errDoubted) { // fn did not run yet
			if err := v.reopen(db); err != nil {
				return err
			}
			continue
		}
		v.used()
		if over, ok := errors.AsType[felt](err); ok {
			return v.fellOver(db, over, fault.Unknown)
		}
		if err == nil || !atCommit {
			return err
		}
		unknown := fault.Wrap(fault.Unknown, err, "the terminal's file did not confirm the write")
		return errors.Join(unknown, v.reopen(db))
	}
}

// errDoubted: a commit of this handle failed. Nothing may be built on what it shows before the
// file was opened again: the system may never write that.
var errDoubted = errors.New("an earlier write was not confirmed")

// update tells whether the failing step was the commit.
func (v *Vault) update(db *bbolt.DB, fn func(*bbolt.Tx) error) (atCommit bool, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	v.writing.Lock()
	defer v.writing.Unlock()
	if v.doubted == db {
		return false, errDoubted
	}
	defer func() {
		if atCommit && err != nil {
			v.doubted = db
		}
	}()
	defer catch(&err)
	tx, err := db.Begin(true)
	if err != nil {
		return false, fmt.Errorf("cannot begin a write: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	if err := fn(tx); err != nil {
		return false, err
	}
	if err := v.noteStamp(tx); err != nil {
		return false, err
	}
	if err := v.beforeSync(); err != nil {
		return true, err
	}
	if err := tx.Commit(); err != nil {
		if errors.Is(err, errFull) {
			// The file cannot grow: nothing was written yet, see bbolt's tx.Commit.
			return false, fault.Wrap(fault.QueueFull, err, "the terminal's file is full")
		}
		return true, err
	}
	return true, v.beforeSync()
}

// noteStamp keeps the newest stamp as the sequence of the vault's own bucket, which costs
// no page: the page that leads to all buckets is written in any case.
func (v *Vault) noteStamp(tx *bbolt.Tx) error {
	b := tx.Bucket(metaBucket)
	if b == nil {
		return errors.New("cannot write: the file has lost its marks")
	}
	if s := v.stamp.Load(); s > b.Sequence() {
		return b.SetSequence(s)
	}
	return nil
}

// beforeSync stands before each sync that bbolt makes, or would make.
func (v *Vault) beforeSync() error {
	if v.opts.FailSync != nil {
		if err := v.opts.FailSync(); err != nil {
			return err
		}
	}
	if v.opts.Synced != nil {
		v.opts.Synced()
	}
	return nil
}

// sync makes a file of ours durable.
func (v *Vault) sync(f *os.File) error {
	if err := v.beforeSync(); err != nil || v.opts.NoSync {
		return err
	}
	return f.Sync()
}

// felt is a panic on the way through the file's pages.
type felt struct {
	cause any
	stack []byte
}

func (f felt) Error() string { return fmt.Sprintf("reading the file failed: %v", f.cause) }

func catch(err *error) {
	if r := recover(); r != nil {
		*err = felt{r, debug.Stack()}
	}
}

// fellOver finds out whether a panic came of damage. If it did, the file is replaced; if
// not, it was a fault of the program, and goes on.
func (v *Vault) fellOver(db *bbolt.DB, over felt, code fault.Code) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.db == db && db != nil {
		err := v.checkFile()
		if d, ok := errors.AsType[damage](err); ok {
			err = v.swap(d)
		} else if err == nil {
			panic(fmt.Sprintf("%v\n%s", over.cause, over.stack))
		}
		if err != nil {
			return fault.Wrap(fault.Unavailable, err, "the terminal's file is damaged")
		}
	}
	return fault.Wrap(code, over, "the terminal's file was damaged and was replaced: repeat")
}

// revive opens the file again where an earlier reopening failed, or where the disk took no
// writes.
func (v *Vault) revive(db *bbolt.DB) error {
	if err := v.reopen(db); err != nil {
		return err
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.readOnly {
		return fault.New(fault.Unavailable, "the terminal's disk takes no writes")
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
	v.letGo()
	if err := v.attach(context.Background(), true); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the terminal's file cannot be opened again")
	}
	return nil
}

// letGo closes the handle; its error adds nothing to the one that brought us here.
func (v *Vault) letGo() {
	if v.db != nil {
		_ = v.db.Close()
		v.db = nil
	}
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

func errClosed() error { return fault.New(fault.Unavailable, "the terminal's file is not open") }
