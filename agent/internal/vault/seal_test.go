package vault_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/fault"
)

// A value opens in its bucket alone, and with the head that it was sealed with.
func TestBucketAndHeadAreBound(t *testing.T) {
	v := open(t, t.TempDir())
	put(t, v, "a", "value")
	if err := v.Shelf("other").Put(t.Context(), "b", []byte("b")); err != nil {
		t.Fatal(err)
	}
	err := v.Update(func(tx *bbolt.Tx) error {
		sealed := bytes.Clone(tx.Bucket([]byte("shelf/case")).Get([]byte("a")))
		other := tx.Bucket([]byte("shelf/other")).Put([]byte("a"), sealed)
		newer := bytes.Clone(sealed)
		newer[15]++ // the stamp
		return errors.Join(other, tx.Bucket([]byte("shelf/case")).Put([]byte("a"), newer))
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := get(t, v, "a"); !errors.Is(err, vault.ErrDamaged) {
		t.Errorf("a value with another stamp: %v", err)
	}
	if _, _, err := v.Shelf("other").Get(t.Context(), "a"); !errors.Is(err, vault.ErrDamaged) {
		t.Errorf("a value of another bucket: %v", err)
	}
}

// Stamps rise over restarts, so that salvage finds the newest copy.
func TestStampsRiseOverRestarts(t *testing.T) {
	dir := t.TempDir()
	copyKey(t, dir)
	for _, value := range []string{"one", "two", "three", "four"} {
		v := open(t, dir)
		put(t, v, "a", value)
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, vault.FileName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(b[:2*os.Getpagesize()])
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, open(t, dir), "a", "four")
}

// Both syncs of a commit are heeded: the outcome is unknown, and what can be seen is told
// by reading.
func TestBothSyncsOfACommit(t *testing.T) {
	for n, seen := range map[int]string{1: "before", 2: "after"} {
		dir, left := t.TempDir(), 0
		copyKey(t, dir)
		o := options(dir)
		o.FailSync = func() error {
			if left--; left == 0 {
				return errors.New("the disk failed")
			}
			return nil
		}
		v := openWith(t, dir, o)
		put(t, v, "a", "before")
		left = n
		if err := v.Shelf("case").Put(t.Context(), "a", []byte("after")); fault.CodeOf(err) != fault.Unknown {
			t.Errorf("sync %d: got %v", n, err)
		}
		want(t, v, "a", seen)
	}
}

// A day key's file, its name and its new folder are synced before the first value under it, and only then.
func TestSyncsAreCounted(t *testing.T) {
	dir, syncs := t.TempDir(), 0
	copyKey(t, dir)
	o := options(dir)
	o.Synced = func() { syncs++ }
	v := openWith(t, dir, o)
	for i, n := range []int{5, 2, 2} {
		syncs = 0
		put(t, v, "a", "value")
		if syncs != n {
			t.Errorf("write %d: %d syncs, want %d", i+1, syncs, n)
		}
	}
}

// A list of free pages that names a page in use, or leaves one out, is damage: the one
// would be written over, of the other nobody knows what it held.
func TestTheListOfFreePages(t *testing.T) {
	n := binary.NativeEndian
	for name, harm := range map[string]func(ids []byte, count []byte){
		"leaves one out": func(_ []byte, count []byte) { n.PutUint16(count, n.Uint16(count)-1) },
		"names one in use": func(ids []byte, count []byte) {
			free := int(n.Uint16(count))
			n.PutUint64(ids[8*free:], n.Uint64(ids[8*(free-1):])+1)
			n.PutUint16(count, uint16(free+1))
		},
	} {
		v, _ := harmed(t, func(b []byte) []byte {
			for p := 2; (p+1)*os.Getpagesize() <= len(b); p++ {
				page := b[p*os.Getpagesize():]
				if n.Uint16(page[8:]) == 0x10 && n.Uint64(page) == uint64(p) && n.Uint16(page[10:]) > 0 {
					harm(page[16:], page[10:12])
				}
			}
			return b
		})
		if v.Report().PutAside == "" {
			t.Errorf("%s: it was not seen", name)
		}
		if right, old, _ := count(t, v); right != values-10 || old != 0 {
			t.Errorf("%s: %d right, %d old", name, right, old)
		}
	}
}

// A stamp that a write took which did not stand is not given again: its pages may still lie
// in the file.
func TestStampsOfWritesThatDidNotStand(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	put(t, v, "a", "value")
	undone := errors.New("undone")
	stamp := func(v *vault.Vault) (s uint64) {
		err := v.Update(func(tx *bbolt.Tx) error {
			if err := v.Put(tx, "shelf/case", []byte("b"), []byte("value")); err != nil {
				return err
			}
			s = binary.BigEndian.Uint64(tx.Bucket([]byte("shelf/case")).Get([]byte("b"))[8:])
			return undone
		})
		if !errors.Is(err, undone) {
			t.Fatal(err)
		}
		return s
	}
	last := uint64(0)
	for range 20 {
		last = stamp(v)
	}
	closed(t, v)
	if v = open(t, dir); stamp(v) <= last {
		t.Error("a stamp is given twice")
	}
}
