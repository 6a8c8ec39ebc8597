package vault

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"

	"go.etcd.io/bbolt"

	"madoguchi.example/shared/fault"
)

// Check walks all pages of the open file, beside other work and without keeping them in
// memory. On damage it replaces the file by what could be salvaged (Report, Generation)
// and returns nil; its errors mean that the file could not be read or replaced.
func (v *Vault) Check(ctx context.Context) error {
	v.mu.RLock()
	db := v.db
	if db == nil {
		v.mu.RUnlock()
		return errClosed()
	}
	err := v.walkOpen(ctx, db, nil)
	if err == nil {
		err = view(db, dropPages)
	}
	v.mu.RUnlock()
	d, damaged := errors.AsType[damage](err)
	if !damaged {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.db != db {
		return nil // somebody came before
	}
	return v.swap(d)
}

// imageTries is how often a state is looked for that both a transaction and the file show:
// each commit replaces one of the two meta pages.
const imageTries = 20

// Forget lets the file's pages go from the process's memory, where they only mirror what is
// on disk; they are read again when they are needed.
func (v *Vault) Forget() error {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.db == nil {
		return nil
	}
	return view(v.db, dropPages)
}

// forgetEvery is after how many transactions the pages that they came by are let go, so that
// the process stays small beside a large file.
const forgetEvery = 128

// used counts a transaction that has ended.
func (v *Vault) used() {
	if v.uses.Add(1)%forgetEvery == 0 {
		_ = v.Forget() // where the file is damaged, its next use finds that out
	}
}

// walkOpen walks the pages of the open file as one transaction sees them.
func (v *Vault) walkOpen(ctx context.Context, db *bbolt.DB, visit func(bucket string, sequence uint64, key, value []byte) error) error {
	f, err := os.Open(v.path)
	if err != nil {
		return fmt.Errorf("cannot read the file: %w", err)
	}
	defer f.Close()
	for range imageTries {
		found := false
		err := view(db, func(tx *bbolt.Tx) error {
			var im image
			if im, found = imageOf(f, tx); !found {
				return nil
			}
			return checkImage(im, func(bucket string, sequence uint64, key, value []byte) error {
				if err := ctx.Err(); err != nil || visit == nil {
					return err
				}
				return visit(bucket, sequence, key, value)
			})
		})
		if found || err != nil {
			return asDamage(err)
		}
	}
	if _, _, ok := newestMeta(f); !ok {
		return damage{"both meta pages are damaged"}
	}
	return fault.New(fault.Unavailable, "the terminal's file is too busy to be checked")
}

// checkFile walks the pages of a file that nobody uses.
func (v *Vault) checkFile() error {
	f, err := os.Open(v.path)
	if err != nil {
		return fmt.Errorf("cannot read the file: %w", err)
	}
	defer f.Close()
	m, _, ok := newestMeta(f)
	if !ok {
		return damage{"both meta pages are damaged"}
	}
	if i, err := f.Stat(); err == nil && i.Size() < int64(m.pages)*int64(m.pageSize) {
		return damage{"the file was cut short"}
	}
	return asDamage(checkImage(image{f, m}, nil))
}

// swap replaces the open file by what can be salvaged of it. The caller holds mu.
func (v *Vault) swap(d damage) error {
	v.letGo()
	if err := v.replace(d); err != nil {
		return errors.Join(err, v.attach(context.Background(), false)) // what there is is better than nothing
	}
	v.swaps.Add(1)
	return v.attach(context.Background(), false)
}

// Usage tells the file's size and how much of it is in use, in bytes.
func (v *Vault) Usage() (file, used int64) {
	file = v.FileBytes()
	used = file
	f, err := os.Open(v.path)
	if err != nil {
		return file, used
	}
	defer f.Close()
	m, _, ok := newestMeta(f)
	if !ok {
		return file, used
	}
	free, err := image{f, m}.freeCount()
	if err != nil || free > m.pages {
		return file, used
	}
	return file, int64(m.pages-free) * int64(m.pageSize)
}

// reserveShare is which part of the file's largest size is kept for what must always fit: the
// backend's word on records, and answers.
const reserveShare = 8

// diskReserve is how many bytes of the disk are kept for the same beyond what the file uses:
// the marks of as many records as a queue holds unless it is told otherwise.
const diskReserve = 4 << 20

// roomStep is by how many bytes that room grows at once.
const roomStep = 32 << 10

// Scarce tells, inside a write transaction, that only the reserve is left, of the file or of
// the disk. New records and rows are refused then; what frees the file still goes through.
func (v *Vault) Scarce(tx *bbolt.Tx) bool {
	if !v.roomBeyond(tx.Size()) {
		return true
	}
	most := int64(v.opts.MaxBytes - growStep) // bbolt refuses what would not leave a whole step
	most -= most / reserveShare
	if tx.Size() <= most {
		return false
	}
	_, used := v.Usage()
	return used > most
}

// roomBeyond has the disk set aside the reserve beyond the file's last page, so that no other
// program can take it. What it has given stays with the file.
func (v *Vault) roomBeyond(end int64) bool {
	most := int64(v.opts.MaxBytes)
	if v.opts.NoSync || v.roomTo >= min(end+diskReserve, most) {
		return true
	}
	_, used := v.Usage() // free pages of the file are room as well
	for _, to := range []int64{end + diskReserve + roomStep, end + diskReserve, used + diskReserve} {
		if to = min(to, most); to <= v.roomTo {
			return true
		}
		switch err := allocate(v.file, v.roomTo, to); {
		case err == nil:
			v.roomTo = to
			return true
		case !noRoom(err): // not to be had here: the disk says so when it is written to
			v.roomTo = math.MaxInt64
			return true
		}
	}
	return false
}

// Compaction tells the file's size before and after Compact, in bytes.
type Compaction struct{ Before, After int64 }

// compactGroup is how many bytes ride in one transaction of a compaction.
const compactGroup = 4 << 20

// Compact copies what is in use to a new file and puts it in the old one's place. Other
// work waits. A crash at any step leaves one whole file.
func (v *Vault) Compact(ctx context.Context) (c Compaction, err error) {
	if err := ctx.Err(); err != nil {
		return c, fault.Wrap(fault.Unavailable, err, "gave up before anything was done")
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.db == nil || v.readOnly {
		return c, errClosed()
	}
	c.Before, c.After = size(v.path), size(v.path)
	next := v.path + newSuffix
	if err := v.build(next, func(to *bbolt.DB) error { return compact(to, v.db) }); err != nil {
		if over, ok := errors.AsType[felt](err); ok {
			return c, errors.Join(over, v.swap(damage{over.Error()}))
		}
		return c, fmt.Errorf("cannot compact the file: %w", err)
	}
	v.letGo()
	if err = errors.Join(v.takePlace(next), v.attach(ctx, false)); err != nil {
		return c, fmt.Errorf("cannot put the compacted file in its place: %w", err)
	}
	c.After = size(v.path)
	return c, nil
}

func compact(to, from *bbolt.DB) (err error) {
	defer catch(&err)
	return bbolt.Compact(to, from, compactGroup)
}

// straggler is a value under an old day key.
type straggler struct{ bucket, key string }

// resealGroup is how many values are sealed anew in one commit.
const resealGroup = 200

// errWriters ends a write that was only to wait for those under way, which may have sealed
// under a key that has been retired since.
var errWriters = errors.New("no write is under way")

// Shred seals what lies under keys of days more than Options.KeyDays ago anew, and deletes
// the day keys that nothing is sealed under any more: their values are gone for good, in
// freed pages and in files put aside as well. Values that do not open hold no key. It
// tells how many keys were deleted.
func (v *Vault) Shred(ctx context.Context) (keys int, err error) {
	v.shredding.Lock()
	defer v.shredding.Unlock()
	now := v.opts.Now()
	today, first := dayOf(now), dayOf(now.AddDate(0, 0, -v.opts.KeyDays))
	if k, err := v.ring.sealing(); err != nil || k.day != today || v.Report().ReadOnly {
		return 0, err // no key to seal anew with, or nowhere to: another time
	}
	// A day to come is one by a clock that was wrong.
	old := v.ring.retire(func(day uint32) bool { return day < first || day > today })
	past := v.ring.retire(func(day uint32) bool { return day != today })
	if len(past) == 0 {
		return 0, nil
	}
	if err := v.Update(func(*bbolt.Tx) error { return errWriters }); !errors.Is(err, errWriters) {
		return 0, err
	}
	used, late, err := v.referred(ctx, old)
	if err != nil {
		return 0, fmt.Errorf("cannot look for what old keys seal: %w", err)
	}
	for len(late) > 0 {
		n := min(len(late), resealGroup)
		if err := ctx.Err(); err != nil {
			return 0, fault.Wrap(fault.Unavailable, err, "gave up before all was sealed anew")
		}
		if err := v.Update(func(tx *bbolt.Tx) error { return v.reseal(tx, late[:n], old) }); err != nil {
			return 0, fmt.Errorf("cannot seal anew what old keys seal: %w", err)
		}
		late = late[n:]
	}
	var unused []keyID
	for id := range past {
		if !used[id] {
			unused = append(unused, id)
		}
	}
	v.mu.Lock() // a reader may see a state in which a deleted key was still used
	defer v.mu.Unlock()
	return v.ring.remove(unused)
}

// referred walks the file and tells which keys are used, and what lies under old ones. An
// old key itself counts as used by what cannot be sealed anew alone.
func (v *Vault) referred(ctx context.Context, old map[keyID]bool) (used map[keyID]bool, late []straggler, err error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.db == nil {
		return nil, nil, errClosed()
	}
	used = map[keyID]bool{}
	err = v.walkOpen(ctx, v.db, func(bucket string, _ uint64, key, value []byte) error {
		if len(value) < sealedMin || bucket == string(metaBucket) {
			return nil
		}
		if id := keyID(value[:idSize]); old[id] {
			late = append(late, straggler{bucket, string(key)})
		} else {
			used[id] = true
		}
		return nil
	})
	return used, late, err
}

// reseal seals values anew that are still under an old key.
func (v *Vault) reseal(tx *bbolt.Tx, late []straggler, old map[keyID]bool) error {
	for _, s := range late {
		b := tx.Bucket([]byte(s.bucket))
		if b == nil {
			continue
		}
		sealed := b.Get([]byte(s.key))
		if len(sealed) < sealedMin || !old[keyID(sealed[:idSize])] {
			continue
		}
		plain, err := v.Open(s.bucket, []byte(s.key), sealed)
		if err != nil {
			continue // nobody can read it, with the key or without
		}
		if err := v.Put(tx, s.bucket, []byte(s.key), plain); err != nil {
			return err
		}
	}
	return nil
}
