package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

const (
	openSuffix    = ".open"    // exists while a process has the file; left behind by a crash
	newSuffix     = ".new"     // a copy that is to take the file's place
	damagedSuffix = ".damaged" // with the time, of files put aside
	lockSuffix    = ".lock"    // held by the process that has the file, and never replaced
)

// asideFormat is the time in the name of a file put aside.
const asideFormat = "-20060102T150405.000000000Z"

var errFull = bolterrors.ErrMaxSizeReached

// The vault's own bucket: level and mark of the key, each with a checksum. Its sequence is
// the newest stamp.
var (
	metaBucket = []byte("vault")
	levelKey   = []byte("level")
	markKey    = []byte("mark")
)

// stampStep is what a start leaves out, so that a stamp is never given twice: not even
// where values were written that no commit knows.
const stampStep = 1 << 20

// damage is an error that means: put the file aside and begin a new one.
type damage struct{ reason string }

func (d damage) Error() string { return d.reason }

func (v *Vault) open(ctx context.Context) error {
	earlier, err := filepath.Glob(v.path + damagedSuffix + "*")
	if err != nil {
		return fmt.Errorf("cannot look for files put aside: %w", err)
	}
	slices.Sort(earlier)
	v.note(func(r *Report) { r.Earlier = earlier })
	crashed := exists(v.path + openSuffix)
	v.clean = !crashed
	return v.attach(ctx, crashed)
}

// attach opens the file, whatever its state: a damaged one is replaced by what could be
// salvaged of it. All pages are walked where thorough is set, as after a crash. The caller
// holds mu or is Open.
func (v *Vault) attach(ctx context.Context, thorough bool) error {
	if v.unsynced {
		if err := v.syncNames(); err != nil {
			return err
		}
	}
	if err := v.finishReplacing(); err != nil {
		return err
	}
	err := v.try(ctx, thorough)
	if d, ok := errors.AsType[damage](err); ok {
		if err := v.replace(d); err != nil {
			return err
		}
		err = v.try(ctx, false)
	}
	return err
}

// finishReplacing ends what a crash cut off: a copy beside the file is not finished, one
// without the file is what was to take its place.
func (v *Vault) finishReplacing() error {
	next := v.path + newSuffix
	if !exists(next) {
		return nil
	}
	if exists(v.path) {
		if err := os.Remove(next); err != nil && !errors.Is(err, syscall.EROFS) {
			return fmt.Errorf("cannot remove an unfinished copy: %w", err)
		}
		return nil
	}
	return v.takePlace(next)
}

// takePlace puts a whole copy in the file's place. Nothing is written to it before its
// name is durable: a power cut would bring the old file back.
func (v *Vault) takePlace(next string) error {
	if err := os.Rename(next, v.path); err != nil {
		return fmt.Errorf("cannot put the new file in its place: %w", err)
	}
	return v.syncNames()
}

// syncNames makes renames durable. Until it could, the file is not opened.
func (v *Vault) syncNames() error {
	v.unsynced = true
	err := syncDir(filepath.Dir(v.path), v.sync)
	v.unsynced = err != nil
	return err
}

// try opens the file and proves that it is whole and ours.
func (v *Vault) try(ctx context.Context, thorough bool) error {
	if err := v.inspect(thorough); err != nil {
		return err
	}
	db, readOnly, err := v.openBolt(thorough)
	if err != nil {
		return err
	}
	level, err := v.introduce(ctx, db, readOnly)
	if err == nil && level < Level {
		if err := db.Close(); err != nil {
			return fmt.Errorf("cannot close the file: %w", err)
		}
		if err := v.patch(ctx, level); err != nil {
			return err
		}
		if db, readOnly, err = v.openBolt(false); err == nil {
			_, err = v.introduce(ctx, db, readOnly)
		}
	}
	if err == nil && !readOnly {
		err = v.markOpen()
	}
	if err != nil && db != nil {
		return errors.Join(err, db.Close())
	}
	v.db, v.readOnly = db, readOnly
	v.note(func(r *Report) { r.ReadOnly = readOnly })
	return err
}

// markOpen leaves the sign by which the next start knows of a crash. A full disk is no
// reason to keep out: then the next start trusts the file until Check has walked it.
func (v *Vault) markOpen() error {
	err := os.WriteFile(v.path+openSuffix, nil, 0o600)
	if err != nil && !noRoom(err) {
		return fmt.Errorf("cannot mark the file as open: %w", err)
	}
	return syncDir(filepath.Dir(v.path), v.sync) // the name of a new file too is durable now
}

func (v *Vault) unmark() error {
	if err := os.Remove(v.path + openSuffix); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot close the vault: %w", err)
	}
	return nil
}

// inspect looks at the file before it is mapped, since touching a missing page of a mapped
// file kills the process. A missing or empty file is fine: it will be begun.
func (v *Vault) inspect(thorough bool) error {
	f, err := holdFile(v.path, v.opts.LockTimeout)
	if f == nil || err != nil {
		return err
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
	m, alone, ok := newestMeta(f)
	if !ok {
		return damage{"both meta pages are damaged"}
	}
	if need := int64(m.pages) * int64(m.pageSize); i.Size() < need {
		return damage{fmt.Sprintf("the file is cut short: %d of %d bytes", i.Size(), need)}
	}
	if alone {
		if err := v.lonelyMeta(f); err != nil {
			return err
		}
	}
	if thorough {
		return asDamage(checkImage(image{f, m}, nil))
	}
	if _, err := (image{f, m}).freePages(); err != nil { // the one page that bbolt reads at once
		return damage{err.Error()}
	}
	return nil
}

// lonelyMeta decides what one damaged meta page means: where it told of a later commit, whose
// values are there, it is damage; else the good page is the newest.
func (v *Vault) lonelyMeta(f *os.File) error {
	s, err := v.look(f)
	if err != nil {
		return err
	}
	if s.after() {
		return damage{"the meta page of the last commit is damaged"}
	}
	return nil
}

// asDamage makes damage of what a page check found, and leaves errors of the system.
func asDamage(err error) error {
	if errors.Is(err, errPages) {
		return damage{err.Error()}
	}
	return err
}

// growStep is by how much the file grows at once, in bytes. bbolt's own 16 MiB would make
// the file of a small queue look half empty.
const growStep = 1 << 20

// openBolt opens the file, mapped to its largest size from the start: bbolt cannot map anew
// while a reader stays open, so a commit that grows the file would wait for it. Where the
// disk takes no writes, the file is opened for reading alone. bbolt panics on some damage;
// the file is then let go of, for it to be put aside. A damaged meta page is mended from
// the good one, under the file's lock. After a crash or a failed sync, firm is set: what
// can be seen is made durable before anything is built on it.
func (v *Vault) openBolt(firm bool) (db *bbolt.DB, readOnly bool, err error) {
	o := v.boltOptions()
	if runtime.GOOS != "windows" { // there a mapping makes the file as large as itself
		o.InitialMmapSize = v.opts.MaxBytes
	}
	db, file, err := v.openWith(o)
	if errors.Is(err, syscall.EROFS) && size(v.path) > 0 {
		o.ReadOnly = true
		db, _, err = v.openWith(o)
		return db, true, err
	}
	if err != nil {
		return nil, false, err
	}
	db.AllocSize = growStep
	pageSize := int64(db.Info().PageSize)
	v.file, v.roomTo = file, 0
	err = v.mendMeta(file, pageSize)
	if err == nil && firm {
		err = v.firmMetas(file, pageSize)
	}
	if err != nil {
		return nil, false, errors.Join(err, db.Close())
	}
	return db, false, nil
}

// firmMetas writes both meta pages again as they are and syncs. After a sync that failed,
// the system may show a page that it will never write: the next commit would reuse pages
// that the older meta page on disk still leads to.
func (v *Vault) firmMetas(f *os.File, pageSize int64) error {
	pages := make([]byte, 2*pageSize)
	if _, err := f.ReadAt(pages, 0); err != nil {
		return fmt.Errorf("cannot read the meta pages: %w", err)
	}
	if _, err := f.WriteAt(pages, 0); err != nil {
		return fmt.Errorf("cannot write the meta pages: %w", err)
	}
	return v.sync(f)
}

func (v *Vault) openWith(o *bbolt.Options) (db *bbolt.DB, file *os.File, err error) {
	o.OpenFile = func(name string, flag int, mode os.FileMode) (*os.File, error) {
		f, err := v.opts.OpenFile(name, flag, mode)
		file = f
		return f, err
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, damage{fmt.Sprintf("bbolt cannot open the file: %v", r)}
			unlockFile(file) // the mapping that is left behind would keep the lock
			_ = file.Close()
		}
	}()
	db, err = bbolt.Open(v.path, 0o600, o)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, nil, ErrLocked
	case refusedBySystem(err):
		return nil, nil, err
	case err != nil:
		return nil, nil, damage{"bbolt refuses the file: " + err.Error()}
	}
	return db, file, nil
}

// refusedBySystem tells an error of the operating system (no permission, a read-only or
// full disk, no memory, too many files) from one of the file's content: the file may be
// whole, so it stays where it is.
func refusedBySystem(err error) bool {
	_, ok := errors.AsType[syscall.Errno](err)
	return ok
}

// introduce writes the vault's marks into a new file and checks them in an old one.
func (v *Vault) introduce(ctx context.Context, db *bbolt.DB, readOnly bool) (level int, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer recoverDamage(&err)
	known, right := false, false
	err = db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(metaBucket)
		if known = b != nil; known {
			v.riseTo(b.Sequence() + stampStep)
			level, right, err = v.recognise(ctx, b)
			return err
		}
		if k, _ := tx.Cursor().First(); k != nil {
			return damage{"the file holds data but no marks of the vault"}
		}
		return nil
	})
	if err != nil || readOnly || right || level == 1 {
		return level, err
	}
	v.clean = v.clean && !known // a new file was under no other key
	_, err = v.update(db, v.writeMarks)
	return Level, err
}

func (v *Vault) writeMarks(tx *bbolt.Tx) error {
	b, err := tx.CreateBucketIfNotExists(metaBucket)
	if err != nil {
		return fmt.Errorf("cannot begin the file: %w", err)
	}
	return errors.Join(
		b.Put(levelKey, summed(binary.BigEndian.AppendUint32(nil, Level))),
		b.Put(markKey, summed(v.ring.wrapped.mark[:])),
	)
}

// recognise reads level and mark. right is false where the mark must be written anew: the
// file was under an earlier key, or its mark is damaged.
func (v *Vault) recognise(ctx context.Context, b *bbolt.Bucket) (level int, right bool, err error) {
	raw := b.Get(levelKey)
	if len(raw) == 4 { // as level 1 wrote it
		if n := binary.BigEndian.Uint32(raw); n != 1 {
			return 0, false, newer(n)
		}
		_, err := v.oldMaster(ctx, b.Get(markKey))
		return 1, false, err
	}
	raw, ok := unsummed(raw)
	if !ok || len(raw) != 4 {
		return 0, false, damage{"the file does not tell its level"}
	}
	if n := binary.BigEndian.Uint32(raw); n > Level {
		return 0, false, newer(n)
	}
	mark, ok := unsummed(b.Get(markKey))
	switch {
	case !ok:
		return Level, false, nil
	case bytes.Equal(mark, v.ring.wrapped.mark[:]):
		return Level, true, nil
	}
	for _, w := range v.earlier(ctx) {
		if bytes.Equal(mark, w.mark[:]) {
			return Level, false, nil
		}
	}
	return 0, false, ErrWrongKey
}

func newer(level uint32) error {
	return fmt.Errorf("the file has level %d, this program knows %d: use a newer program", level, Level)
}

// summed adds a checksum: a flipped bit in a mark must not look like another mark.
func summed(b []byte) []byte {
	sum := sha256.Sum256(b)
	return append(bytes.Clone(b), sum[:4]...)
}

func unsummed(b []byte) (plain []byte, ok bool) {
	if len(b) < 4 {
		return nil, false
	}
	plain = b[:len(b)-4]
	return plain, bytes.Equal(summed(plain), b)
}

// riseTo lets stamps go on from s.
func (v *Vault) riseTo(s uint64) {
	for {
		old := v.stamp.Load()
		if old >= s || v.stamp.CompareAndSwap(old, s) {
			return
		}
	}
}

// replace puts the damaged file aside, and what could be salvaged of it in its place. A
// crash on the way leaves the damaged file, or the new one to be put in place.
func (v *Vault) replace(d damage) error {
	f, err := holdFile(v.path, v.opts.LockTimeout)
	if err != nil {
		return err
	}
	if f == nil {
		return errors.New("cannot find the damaged file any more")
	}
	defer f.Close()
	s, err := v.look(f)
	if err != nil {
		return err
	}
	if len(s.found) == 0 { // values of this level tell what they are
		if err := s.scanOld(context.Background()); err != nil {
			return err
		}
	}
	next := v.path + newSuffix
	if err := v.build(next, s.writeTo); err != nil {
		return fmt.Errorf("cannot salvage the damaged file: %w", err)
	}
	first := v.path + damagedSuffix + v.opts.Now().UTC().Format(asideFormat)
	to := first
	for n := 2; exists(to); n++ {
		to = fmt.Sprintf("%s-%d", first, n)
	}
	_ = f.Close() // a file in use cannot be renamed everywhere
	if err := os.Rename(v.path, to); err != nil {
		return fmt.Errorf("cannot put the damaged file aside: %w", errors.Join(err, os.Remove(next)))
	}
	_ = os.Remove(v.path + openSuffix) // the mark of the file that is gone
	v.note(func(r *Report) { r.PutAside, r.Reason, r.Salvaged = to, d.reason, s.report() })
	return v.takePlace(next)
}

// build makes a whole file at path, durably; fill writes what it holds.
func (v *Vault) build(path string, fill func(*bbolt.DB) error) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot begin a copy: %w", err)
	}
	o := v.boltOptions()
	o.NoSync, o.NoGrowSync, o.MaxSize = true, true, 0 // synced as a whole; no larger than its source
	var file *os.File
	o.OpenFile = func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
		file, err = v.opts.OpenFile(name, flag, mode)
		return file, err
	}
	db, err := bbolt.Open(path, 0o600, o)
	if err != nil {
		return fmt.Errorf("cannot begin a copy: %w", err)
	}
	err = fill(db)
	if err == nil {
		err = db.Update(func(tx *bbolt.Tx) error { return errors.Join(v.writeMarks(tx), v.noteStamp(tx)) })
	}
	if err == nil {
		err = v.sync(file)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func recoverDamage(err *error) {
	if r := recover(); r != nil {
		*err = damage{fmt.Sprintf("reading the file failed: %v", r)}
	}
}

// mendMeta writes a damaged meta page anew from the good one. Until then the file opens,
// but has only one page to lose.
func (v *Vault) mendMeta(f *os.File, pageSize int64) error {
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
	return v.sync(f)
}

// holdPoll is how often a file that another process holds is tried again.
const holdPoll = 10 * time.Millisecond

// holdFile opens the file for reading and holds it against other processes until it is
// closed; nil without an error where there is none.
func holdFile(path string, patience time.Duration) (*os.File, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the file: %w", err)
	}
	if err := waitFor(f, patience); err != nil {
		return nil, err
	}
	return f, nil
}

// waitFor takes the lock on f, or closes it.
func waitFor(f *os.File, patience time.Duration) error {
	for ; !lockFile(f); patience -= holdPoll {
		if patience <= 0 {
			_ = f.Close()
			return ErrLocked
		}
		<-time.After(holdPoll)
	}
	return nil
}

// lock keeps other processes out for as long as the vault is open, while the file itself is
// replaced as well: who waits for a file's own lock may get that of one that has no name any
// more. Where the disk takes no new file, the lock of the file itself must do.
func (v *Vault) lock(path string) error {
	f, err := os.OpenFile(path+lockSuffix, os.O_RDONLY|os.O_CREATE, 0o600)
	switch {
	case err == nil:
	case noRoom(err), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EIO):
		return nil
	default:
		return fmt.Errorf("cannot lock the file: %w", err)
	}
	if err := waitFor(f, v.opts.LockTimeout); err != nil {
		return err
	}
	v.locks = append(v.locks, f)
	return nil
}

func (v *Vault) unlock() {
	for _, l := range v.locks {
		_ = l.Close()
	}
	v.locks = nil
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

// syncDir makes renames in a directory durable.
func syncDir(dir string, sync func(*os.File) error) error {
	if strings.HasPrefix(dir, `\\`) {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("cannot open the state directory: %w", err)
	}
	defer d.Close()
	if err := sync(d); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("cannot sync the state directory: %w", err)
	}
	return nil
}
