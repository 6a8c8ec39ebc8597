package vault

import (
	"context"
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
)

// KeysDir is the folder of the wrapped day keys below the state directory.
const KeysDir = "keys"

const (
	keySuffix  = ".key"
	nextSuffix = ".new" // of a file that is to take another's place
)

// keyRetry is how long a day key that could not be made (a full disk) is not tried again;
// values are sealed under the newest key that there is.
const keyRetry = time.Minute

type keyID [idSize]byte

// dayKey seals the values of one day. The file's name tells day and id; only its content
// counts.
type dayKey struct {
	day     uint32 // yyyymmdd in Japan
	id      keyID
	secret  [KeySize]byte
	aead    cipher.AEAD
	paths   []string // of its files: one, but for copies that somebody made
	retired bool     // no longer sealed under, for it to be deleted when nothing refers to it
}

func newDayKey(day uint32, id keyID, secret [KeySize]byte) (*dayKey, error) {
	aead, err := newAEAD(secret[:])
	return &dayKey{day: day, id: id, secret: secret, aead: aead}, err
}

func (k *dayKey) name() string {
	return fmt.Sprintf("%08d-%s%s", k.day, hex.EncodeToString(k.id[:]), keySuffix)
}

func dayOf(t time.Time) uint32 {
	d := civil.In(t)
	return uint32(d.Year)*10000 + uint32(d.Month)*100 + uint32(d.Day)
}

// ring is the day keys in use and their folder. Its methods are safe for concurrent use.
type ring struct {
	dir     string
	wrapped *wrapping
	class   Class // of what they are wrapped under
	now     func() time.Time
	random  io.Reader
	sync    func(*os.File) error

	mu      sync.RWMutex
	keys    map[keyID]*dayKey
	current *dayKey
	retryAt time.Time
	damaged int            // key files that do not open
	foreign map[keyID]bool // keys under a key that is not to be had
	moved   int            // keys that were under an earlier key when they were read
	stuck   int            // those of them that could not be wrapped anew
}

// load reads the key files. Those under an earlier key are wrapped anew. Where there are
// whole ones but none that opens, the key is the wrong one.
func (r *ring) load(ctx context.Context, earlier func(context.Context) []*wrapping) error {
	names, err := filepath.Glob(filepath.Join(r.dir, "*"+keySuffix))
	if err != nil {
		return fmt.Errorf("cannot look for the day keys: %w", err)
	}
	if err := r.sweep(); err != nil {
		return err
	}
	r.foreign = map[keyID]bool{}
	for _, name := range names {
		b, err := readSmall(name, wrappedSize)
		if refusedForNow(err) {
			return fmt.Errorf("cannot read a day key: %w", err)
		}
		w, ok := readWrapped(b)
		if !ok {
			r.damaged++
			continue
		}
		if !r.take(ctx, name, w, earlier) {
			r.foreign[w.id] = true
		}
	}
	for id := range r.keys {
		delete(r.foreign, id) // a copy of before it was wrapped anew
	}
	if len(r.foreign) > 0 && len(r.keys) == 0 {
		return ErrWrongKey
	}
	return nil
}

// sweep removes what a power cut left of writing a key: a wrapped key in it would outlive
// its shredding.
func (r *ring) sweep() error {
	names, err := filepath.Glob(filepath.Join(r.dir, "*"+nextSuffix))
	if err != nil {
		return fmt.Errorf("cannot look for unfinished keys: %w", err)
	}
	for _, name := range names {
		if err := os.Remove(name); err != nil && !errors.Is(err, syscall.EROFS) {
			return fmt.Errorf("cannot remove an unfinished key: %w", err)
		}
	}
	return nil
}

// refusedForNow tells an error that is not the key file's: it may be whole.
func refusedForNow(err error) bool {
	return slices.ContainsFunc([]error{os.ErrPermission, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM}, func(e error) bool {
		return errors.Is(err, e)
	})
}

// take adds a key to the ring; known is false where its mark is of no key that we have. A
// disk that takes no writes leaves a key under the earlier one until the next start.
func (r *ring) take(ctx context.Context, name string, w wrapped, earlier func(context.Context) []*wrapping) (known bool) {
	by := r.wrapped
	if w.mark != by.mark {
		all := earlier(ctx)
		i := slices.IndexFunc(all, func(before *wrapping) bool { return before.mark == w.mark })
		if i < 0 {
			return false
		}
		by = all[i]
	}
	k, err := by.unwrap(w)
	if err != nil {
		r.damaged++
		return true
	}
	if by != r.wrapped {
		r.moved++
		if r.write(name, r.wrapped.wrap(k)) != nil {
			r.stuck++
		}
	}
	if twin := r.keys[k.id]; twin != nil {
		twin.paths = append(twin.paths, name)
		return true
	}
	k.paths = []string{name}
	r.keys[k.id] = k
	return true
}

// find gives the key with this id, or nil.
func (r *ring) find(id keyID) *dayKey {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.keys[id]
}

// sealing gives the key of today, made and on disk before its first use. When it cannot be
// made, the newest other key serves, so that a full disk takes no marks away.
func (r *ring) sealing() (*dayKey, error) {
	now := r.now()
	day := dayOf(now)
	r.mu.RLock()
	k := r.current
	r.mu.RUnlock()
	if k != nil && k.day == day {
		return k, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	newest := (*dayKey)(nil)
	for _, k := range r.keys {
		switch {
		case k.retired:
		case k.day == day:
			r.current = k
			return k, nil
		case newest == nil || k.day > newest.day:
			newest = k
		}
	}
	if newest != nil && now.Before(r.retryAt) && r.retryAt.Sub(now) <= keyRetry {
		return newest, nil
	}
	k, err := r.make(day)
	if err != nil {
		if r.retryAt = now.Add(keyRetry); newest != nil {
			return newest, nil
		}
		return nil, fault.Wrap(fault.Unavailable, err, "no key could be made to seal with")
	}
	r.current = k
	return k, nil
}

func (r *ring) make(day uint32) (*dayKey, error) {
	var id keyID
	var secret [KeySize]byte
	if _, err := io.ReadFull(r.random, id[:]); err != nil {
		return nil, fmt.Errorf("cannot make a day key: %w", err)
	}
	if _, err := io.ReadFull(r.random, secret[:]); err != nil {
		return nil, fmt.Errorf("cannot make a day key: %w", err)
	}
	k, err := newDayKey(day, id, secret)
	if err != nil {
		return nil, err
	}
	if err := makeFolder(r.dir, r.sync); err != nil {
		return nil, fmt.Errorf("cannot make the folder of the day keys: %w", err)
	}
	k.paths = []string{filepath.Join(r.dir, k.name())}
	if err := r.write(k.paths[0], r.wrapped.wrap(k)); err != nil {
		return nil, err
	}
	noteClass(r.dir, r.class)
	r.keys[k.id] = k
	return k, nil
}

// makeFolder makes the keys' folder with a name that lasts: without it the loss of power
// would take the folder with every key in it.
func makeFolder(dir string, sync func(*os.File) error) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the folder of the keys: %w", err)
	}
	return syncDir(filepath.Dir(dir), sync)
}

func (r *ring) write(name string, b []byte) error { return writeWhole(name, b, r.sync) }

// retire ends the sealing under the keys of some days, and gives their ids.
func (r *ring) retire(of func(day uint32) bool) map[keyID]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := map[keyID]bool{}
	for id, k := range r.keys {
		if of(k.day) {
			k.retired, old[id] = true, true
			if r.current == k {
				r.current = nil
			}
		}
	}
	return old
}

// remove deletes the keys' files and forgets the keys.
func (r *ring) remove(ids []keyID) (removed int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		k := r.keys[id]
		if k == nil {
			continue
		}
		for _, path := range k.paths {
			if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				return removed, fmt.Errorf("cannot delete a day key: %w", err)
			}
		}
		delete(r.keys, id)
		removed++
	}
	if removed > 0 {
		err = syncDir(r.dir, r.sync)
	}
	return removed, err
}

// writeWhole replaces a file at once and durably.
func writeWhole(name string, b []byte, sync func(*os.File) error) error {
	next := name + nextSuffix
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("cannot write a key: %w", err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = sync(f)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(next, name)
	}
	if err != nil {
		return fmt.Errorf("cannot write a key: %w", errors.Join(err, os.Remove(next)))
	}
	return syncDir(filepath.Dir(name), sync)
}

// readSmall reads at most max+1 bytes, so that a longer file is seen to be one.
func readSmall(name string, max int) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, int64(max)+1))
}
