package vault

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

const (
	openSuffix    = ".open"    // exists while a process has the file; left behind by a crash
	damagedSuffix = ".damaged" // with the time, of files put aside
)

// alwaysChecked is the size in bytes up to which every start walks all pages (some
// milliseconds); a larger file is walked after a crash alone.
const alwaysChecked = 32 << 20

var errFull = bolterrors.ErrMaxSizeReached

var (
	metaBucket = []byte("vault")
	levelKey   = []byte("level")
	markKey    = []byte("mark")
	proofKey   = []byte("proof")
)

const proofPlace = "vault/proof"

// damage is an error that means: put the file aside and begin a new one.
type damage struct{ reason string }

func (d damage) Error() string { return d.reason }

func (v *Vault) open(mark []byte) error {
	earlier, err := filepath.Glob(v.path + damagedSuffix + "*")
	if err != nil {
		return fmt.Errorf("cannot look for files put aside: %w", err)
	}
	slices.Sort(earlier)
	v.report.Earlier = earlier
	err = v.try(mark)
	if d, ok := errors.AsType[damage](err); ok {
		if err := v.putAside(d.reason); err != nil {
			return err
		}
		err = v.try(mark)
	}
	return err
}

// try opens the file and proves that it is whole and ours.
func (v *Vault) try(mark []byte) error {
	crashed := exists(v.path + openSuffix)
	if err := inspect(v.path); err != nil {
		return err
	}
	db, err := v.openBolt()
	if err != nil {
		return err
	}
	if crashed || size(v.path) <= alwaysChecked {
		err = checkPages(db)
	}
	if err == nil {
		err = v.introduce(db, mark)
	}
	if err == nil {
		err = os.WriteFile(v.path+openSuffix, nil, 0o600)
	}
	if err != nil {
		return errors.Join(err, db.Close())
	}
	v.db = db
	return nil
}

// openBolt opens the file. bbolt panics on some damage; the file is then let go of, for it
// to be put aside. A damaged meta page is mended from the good one, under the file's lock.
func (v *Vault) openBolt() (db *bbolt.DB, err error) {
	var file *os.File
	o := v.boltOptions()
	o.OpenFile = func(name string, flag int, mode os.FileMode) (*os.File, error) {
		f, err := v.opts.OpenFile(name, flag, mode)
		file = f
		return f, err
	}
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, damage{fmt.Sprintf("bbolt cannot open the file: %v", r)}
			_ = file.Close()
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	db, err = bbolt.Open(v.path, 0o600, o)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, ErrLocked
	case refusedBySystem(err):
		return nil, err
	case err != nil:
		return nil, damage{"bbolt refuses the file: " + err.Error()}
	}
	if err := mendMeta(file, int64(db.Info().PageSize)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// refusedBySystem tells an error of the operating system (no permission, a read-only or
// full disk, no memory, too many files) from one of the file's content: the file may be
// whole, so it stays where it is.
func refusedBySystem(err error) bool {
	_, ok := errors.AsType[syscall.Errno](err)
	return ok
}

// introduce writes the vault's marks into a new file and checks them in an old one.
func (v *Vault) introduce(db *bbolt.DB, mark []byte) (err error) {
	defer recoverDamage(&err)
	known := false
	err = db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(metaBucket)
		if known = b != nil; known {
			return v.recognise(b, mark)
		}
		return nil
	})
	if known || err != nil {
		return err
	}
	return db.Update(func(tx *bbolt.Tx) error {
		if k, _ := tx.Cursor().First(); k != nil {
			return damage{"the file holds data but no marks of the vault"}
		}
		b, err := tx.CreateBucket(metaBucket)
		if err != nil {
			return fmt.Errorf("cannot begin the file: %w", err)
		}
		return errors.Join(
			b.Put(levelKey, binary.BigEndian.AppendUint32(nil, Level)),
			b.Put(markKey, mark),
			b.Put(proofKey, v.Seal(proofPlace, mark)),
		)
	})
}

func (v *Vault) recognise(b *bbolt.Bucket, mark []byte) error {
	level := b.Get(levelKey)
	if len(level) != 4 {
		return damage{"the file does not tell its level"}
	}
	if n := binary.BigEndian.Uint32(level); n > Level {
		return fmt.Errorf("the file has level %d, this program knows %d: use a newer program", n, Level)
	}
	if !bytes.Equal(b.Get(markKey), mark) {
		return ErrWrongKey
	}
	if plain, err := v.Unseal(proofPlace, b.Get(proofKey)); err != nil || !bytes.Equal(plain, mark) {
		return damage{"the file's proof does not open under its own key"}
	}
	return nil
}

func (v *Vault) putAside(reason string) error {
	to := v.path + damagedSuffix + v.opts.Now().UTC().Format("-20060102T150405.000000000Z")
	if err := os.Rename(v.path, to); err != nil {
		return fmt.Errorf("cannot put the damaged file aside: %w", err)
	}
	_ = os.Remove(v.path + openSuffix) // the mark of the file that is gone
	v.report.PutAside, v.report.Reason = to, reason
	return syncDir(filepath.Dir(v.path))
}

// checkPages walks every page. bbolt panics on some damage, and a page that is not there
// is a fault of memory; both become damage here.
func checkPages(db *bbolt.DB) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer recoverDamage(&err)
	return db.View(func(tx *bbolt.Tx) error {
		var first error
		for e := range tx.Check() {
			if first == nil {
				first = damage{"a page check failed: " + e.Error()}
			}
		}
		return first
	})
}

func recoverDamage(err *error) {
	if r := recover(); r != nil {
		*err = damage{fmt.Sprintf("reading the file failed: %v", r)}
	}
}

// The layout of a bbolt meta page, version 2 (bbolt internal/common: Page, Meta). Only
// what tells a truncated file from a whole one is read; bbolt checks the rest.
const (
	pageHeader  = 16
	metaLength  = 64
	boltMagic   = 0xED0CDAED
	boltVersion = 2
)

// inspect finds a truncated file before it is mapped, since touching a missing page of a
// mapped file kills the process. A missing or empty file is fine: it will be begun.
func inspect(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read the file: %w", err)
	}
	defer f.Close()
	i, err := f.Stat()
	if err != nil {
		return fmt.Errorf("cannot read the file: %w", err)
	}
	if !i.Mode().IsRegular() {
		return errors.New("cannot use agent.db: it is not a regular file")
	}
	if i.Size() == 0 {
		return nil
	}
	need, ok := bytesNeeded(f)
	if !ok {
		return damage{"both meta pages are damaged"}
	}
	if i.Size() < need {
		return damage{fmt.Sprintf("the file is cut short: %d of %d bytes", i.Size(), need)}
	}
	return nil
}

// meta is what a meta page tells.
type meta struct {
	pageSize uint32
	pages    uint64
	txid     uint64
}

// readMeta reads the meta page at an offset; ok is false where there is no good one.
func readMeta(f io.ReaderAt, at int64) (m meta, ok bool) {
	var page [pageHeader + metaLength]byte
	if _, err := f.ReadAt(page[:], at); err != nil {
		return m, false
	}
	b, n := page[pageHeader:], binary.NativeEndian
	sum := fnv.New64a()
	_, _ = sum.Write(b[:metaLength-8])
	if n.Uint32(b) != boltMagic || n.Uint32(b[4:]) != boltVersion || n.Uint64(b[56:]) != sum.Sum64() {
		return m, false
	}
	m = meta{pageSize: n.Uint32(b[8:]), pages: n.Uint64(b[40:]), txid: n.Uint64(b[48:])}
	return m, m.pages <= 1<<40 && m.pageSize >= 1024 && m.pageSize <= 1<<20
}

// bytesNeeded gives the size that the newer good meta page implies.
func bytesNeeded(f io.ReaderAt) (need int64, ok bool) {
	first, ok0 := readMeta(f, 0)
	second, ok1 := meta{}, false
	if ok0 {
		second, ok1 = readMeta(f, int64(first.pageSize))
	}
	for size := int64(1024); !ok0 && !ok1 && size <= 64<<10; size *= 2 { // the first is gone: look where the second may be
		second, ok1 = readMeta(f, size)
	}
	newest := first
	if ok1 && (!ok0 || second.txid > first.txid) {
		newest = second
	}
	return int64(newest.pages) * int64(newest.pageSize), ok0 || ok1
}

// mendMeta writes a damaged meta page anew from the good one. Until then the file opens,
// but every later page check would fail on it.
func mendMeta(f *os.File, pageSize int64) error {
	_, ok0 := readMeta(f, 0)
	_, ok1 := readMeta(f, pageSize)
	if ok0 == ok1 {
		return nil
	}
	from, to := int64(0), pageSize
	if ok1 {
		from, to = pageSize, 0
	}
	page := make([]byte, pageSize)
	if _, err := f.ReadAt(page, from); err != nil {
		return fmt.Errorf("cannot read a meta page: %w", err)
	}
	binary.NativeEndian.PutUint64(page, uint64(to/pageSize)) // a page begins with its own number
	if _, err := f.WriteAt(page, to); err != nil {
		return fmt.Errorf("cannot mend a meta page: %w", err)
	}
	return f.Sync()
}

func size(path string) int64 {
	i, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return i.Size()
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func syncDir(dir string) error {
	if strings.HasPrefix(dir, `\\`) {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("cannot open the state directory: %w", err)
	}
	defer d.Close()
	_ = d.Sync() // not every system can sync a directory; the rename itself is atomic
	return nil
}
