package vault_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/fault"
)

// harmed makes a file with rewritten and deleted values, does harm to it, and opens it as
// after a crash.
func harmed(t *testing.T, harm func([]byte) []byte) (v *vault.Vault, dir string) {
	t.Helper()
	dir = t.TempDir()
	copyKey(t, dir)
	v = open(t, dir)
	for round := range 2 {
		for first := 0; first < values; first += 50 {
			puts := make([]vault.Put, 0, 50)
			for i := first; i < first+50; i++ {
				puts = append(puts, vault.Put{Shelf: "case", Key: fmt.Sprintf("%04d", i), Value: value(i, round)})
			}
			if err := v.Apply(puts...); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range 10 {
		if err := v.Shelf("case").Delete(t.Context(), fmt.Sprintf("%04d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Update(func(tx *bbolt.Tx) error {
		return errors.Join(v.Put(tx, "queue/records", binary.BigEndian.AppendUint64(nil, 77), []byte("record")),
			tx.Bucket([]byte("queue/records")).SetSequence(99))
	}); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, vault.FileName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(path, harm(b), 0o600), os.WriteFile(path+".open", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	return open(t, dir), dir
}

const values = 400

func value(i, round int) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "value %d of round %d;", i, round), 1+i%30*3)
}

// count tells how many values are there and right, wrong, and how many came back.
func count(t *testing.T, v *vault.Vault) (right, old, undead int) {
	t.Helper()
	for i := range values {
		switch got, err := get(t, v, fmt.Sprintf("%04d", i)); {
		case errors.Is(err, os.ErrNotExist), errors.Is(err, vault.ErrDamaged):
		case err != nil:
			t.Fatal(err)
		case i < 10:
			undead++
		case got == string(value(i, 1)):
			right++
		default:
			old++
		}
	}
	return right, old, undead
}

func pageFlags(b []byte, page int) uint16 { return binary.NativeEndian.Uint16(b[page*4096+8:]) }

// leaves calls harm for every page that calls itself a leaf.
func leaves(b []byte, harm func(page []byte)) []byte {
	for p := 2; (p+1)*4096 <= len(b); p++ {
		if pageFlags(b, p) == 2 && binary.NativeEndian.Uint64(b[p*4096:]) == uint64(p) {
			harm(b[p*4096 : (p+1)*4096])
		}
	}
	return b
}

func TestWhatWasSalvageableIsSalvaged(t *testing.T) {
	if os.Getpagesize() != 4096 {
		t.Skip("the pages of this machine have another size")
	}
	const all = values - 10
	zeroed := 0
	for _, c := range []struct {
		name        string
		harm        func([]byte) []byte
		right       int // at least
		undead, old int // at most
		lost        int // at least
	}{
		{"page headers", func(b []byte) []byte { return leaves(b, func(p []byte) { clear(p[:16]) }) }, all, 0, 0, 0},
		{"counts", func(b []byte) []byte { return leaves(b, func(p []byte) { p[10]-- }) }, all, 0, 0, 0},
		{"branches", func(b []byte) []byte {
			for p := 2; (p+1)*4096 <= len(b); p++ {
				if pageFlags(b, p) == 1 {
					clear(b[p*4096 : (p+1)*4096])
				}
			}
			return b
		}, all, 0, 0, 1},
		{"tables of entries", func(b []byte) []byte {
			return leaves(b, func(p []byte) { clear(p[16 : 16+16*int(binary.NativeEndian.Uint16(p[10:]))]) })
		}, all, 0, 0, 0},
		{"both metas", func(b []byte) []byte { clear(b[:2*4096]); return b }, all, 10, 0, 0},
		{"one leaf zeroed", func(b []byte) []byte {
			zeroed = 0
			return leaves(b, func(p []byte) {
				if zeroed++; zeroed == 5 {
					clear(p)
				}
			})
		}, all - 60, 0, 0, 1},
		{"cut to two thirds", func(b []byte) []byte { return b[:len(b)/3*2] }, 1, 10, all, 0},
		{"list of free pages", func(b []byte) []byte {
			for p := 2; (p+1)*4096 <= len(b); p++ {
				if pageFlags(b, p) == 0x10 {
					b[p*4096+16+7] = 0xFF
				}
			}
			return b
		}, all, 0, 0, 0},
		{"all but the metas", func(b []byte) []byte { clear(b[2*4096:]); return b }, 0, 0, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, _ := harmed(t, c.harm)
			r := v.Report()
			right, old, undead := count(t, v)
			t.Logf("%d right, %d old, %d came back; %+v", right, old, undead, r)
			if r.PutAside == "" || right < c.right || old > c.old || undead > c.undead || r.Salvaged.Lost < c.lost {
				t.Errorf("not what was to be: %+v", c)
			}
			if r.Salvaged.By["shelf/case"] < right || r.Salvaged.Values < right {
				t.Errorf("the report counts wrong: %+v", r.Salvaged)
			}
			if c.right == all {
				if err := v.View(func(tx *bbolt.Tx) error {
					if got, err := v.Get(tx, "queue/records", binary.BigEndian.AppendUint64(nil, 77)); err != nil || string(got) != "record" {
						t.Errorf("the record is lost: %v", err)
					}
					if s := tx.Bucket([]byte("queue/records")).Sequence(); s < 77 {
						t.Errorf("the sequence fell to %d", s)
					}
					return nil
				}); err != nil {
					t.Fatal(err)
				}
			}
			put(t, v, "0000", "works")
			want(t, v, "0000", "works")
		})
	}
}

// Flipped bits in values leave the file in place; the values are seen to be damaged.
func TestFlippedValues(t *testing.T) {
	v, _ := harmed(t, func(b []byte) []byte {
		return leaves(b, func(p []byte) {
			n := binary.NativeEndian
			if n.Uint32(p[24:]) == 4 { // the key is a number of four digits: the page is not the root
				p[16+n.Uint32(p[20:])+4+60] ^= 4 // in the first value
			}
		})
	})
	right, old, undead := count(t, v)
	if v.Report().PutAside != "" || right > values-20 || right < values/2 || old != 0 || undead != 0 {
		t.Errorf("%d right, %d old, %d undead, %+v", right, old, undead, v.Report())
	}
}

// The meta page of the last commit is damaged: bbolt would go back to the commit before.
// What the last commit wrote is there all the same.
func TestTheLastCommitIsNotLost(t *testing.T) {
	for page := range 2 {
		dir := t.TempDir()
		copyKey(t, dir)
		v := open(t, dir)
		for i := range 7 { // an odd or even number of commits: both pages are the last one's in turn
			put(t, v, fmt.Sprint(i), "value")
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, vault.FileName)
		if err := flip(path, page*os.Getpagesize()+16+50); err != nil {
			t.Fatal(err)
		}
		v = open(t, dir)
		for i := range 7 {
			want(t, v, fmt.Sprint(i), "value")
		}
		t.Logf("page %d: %+v", page, v.Report())
		_ = v.Close()
		if v = open(t, dir); v.Report().PutAside != "" {
			t.Error("the file is not mended")
		}
	}
}

// breakLeaf damages the head of a page that holds values, behind the back of an open vault.
func breakLeaf(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, vault.FileName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	leaves(b, func(p []byte) { p[8] = 0x77 })
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(b[2*4096:], 2*4096)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// many fills a vault with values that go over many pages.
func many(t *testing.T, v *vault.Vault) {
	t.Helper()
	puts := make([]vault.Put, 0, 200)
	for i := range 200 {
		puts = append(puts, vault.Put{Shelf: "case", Key: fmt.Sprintf("%04d", i), Value: value(i, 1)})
	}
	if err := v.Apply(puts...); err != nil {
		t.Fatal(err)
	}
}

// A page that is damaged while the vault is open, or was while it was closed, is found by
// Check, by a reader or by a writer: the file is replaced under way and nothing is lost.
func TestDamageWhileOpen(t *testing.T) {
	for name, find := range map[string]func(*testing.T, *vault.Vault){
		"check": func(t *testing.T, v *vault.Vault) {
			if err := v.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
		"reader": func(t *testing.T, v *vault.Vault) {
			if _, err := get(t, v, "0100"); fault.CodeOf(err) != fault.Unavailable {
				t.Fatalf("got %v", err)
			}
		},
		"writer": func(t *testing.T, v *vault.Vault) {
			if err := v.Shelf("case").Put(t.Context(), "0100", value(100, 1)); fault.CodeOf(err) != fault.Unknown {
				t.Fatalf("got %v", err)
			}
		},
	} {
		for _, reopened := range []bool{false, true} {
			t.Run(fmt.Sprint(name, reopened), func(t *testing.T) {
				dir := t.TempDir()
				v := open(t, dir)
				many(t, v)
				if err := v.Check(t.Context()); err != nil || v.Generation() != 0 {
					t.Fatalf("a whole file: %v", err)
				}
				if reopened {
					if err := v.Close(); err != nil {
						t.Fatal(err)
					}
				}
				breakLeaf(t, dir)
				if reopened {
					v = open(t, dir) // after a clean end no page is walked
				}
				if v.Report().PutAside != "" {
					t.Skip("bbolt read the damaged page at the start")
				}
				find(t, v)
				if r := v.Report(); r.PutAside == "" || v.Generation() != 1 || r.Salvaged.Values < 200 {
					t.Errorf("%+v", r)
				}
				for i := range 200 {
					want(t, v, fmt.Sprintf("%04d", i), string(value(i, 1)))
				}
				put(t, v, "new", "works")
				if err := v.Check(t.Context()); err != nil || v.Generation() != 1 {
					t.Errorf("the new file: %v", err)
				}
			})
		}
	}
}

// A fault of the caller is not taken for damage.
func TestAPanicOfTheCallerGoesOn(t *testing.T) {
	v := open(t, t.TempDir())
	many(t, v)
	for name, act := range map[string]func(func(*bbolt.Tx) error) error{"view": v.View, "update": v.Update} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s swallowed a panic", name)
				}
			}()
			_ = act(func(*bbolt.Tx) error { panic("a fault of the program") })
		}()
	}
	put(t, v, "new", "works")
	if v.Generation() != 0 || v.Report().PutAside != "" {
		t.Error("the file was replaced")
	}
}

// The file is cut short while it is open: a reader gets an error, not a signal.
func TestCutShortWhileOpen(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	many(t, v)
	path := filepath.Join(dir, vault.FileName)
	if err := os.Truncate(path, v.FileBytes()/8); err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		if _, err := get(t, v, fmt.Sprintf("%04d", i)); err != nil && !errors.Is(err, os.ErrNotExist) && fault.CodeOf(err) != fault.Unavailable {
			t.Fatal(err)
		}
	}
	put(t, v, "new", "works")
	if v.Generation() != 1 {
		t.Errorf("generation %d", v.Generation())
	}
}

// Check runs beside writers and finds a whole file whole.
func TestCheckBesideWriters(t *testing.T) {
	v := open(t, t.TempDir())
	var wg sync.WaitGroup
	for w := range 2 {
		wg.Go(func() {
			for i := range 100 {
				if err := v.Shelf("case").Put(t.Context(), fmt.Sprintf("%d-%d", w, i%20), value(i, w)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 20 {
		if err := v.Check(t.Context()); err != nil && fault.CodeOf(err) != fault.Unavailable {
			t.Error(err)
		}
	}
	wg.Wait()
	if v.Generation() != 0 {
		t.Errorf("a whole file was replaced: %+v", v.Report())
	}
}

// Every sync of a life fails once: at the start, in writes, in compaction, in shredding.
// What was confirmed is there afterwards, and the vault goes on.
func TestTheNthSyncFails(t *testing.T) {
	eio := &os.PathError{Op: "sync", Path: "agent.db", Err: syscall.EIO}
	for n := 1; ; n++ {
		dir, now := t.TempDir(), clock()
		left := n
		o := at(dir, now)
		o.FailSync = func() error {
			if left--; left == 0 {
				return eio
			}
			return nil
		}
		copyKey(t, dir)
		confirmed := life(t, dir, o, now)
		o.FailSync = nil
		v := openWith(t, dir, o)
		for k, value := range confirmed {
			want(t, v, k, value)
		}
		put(t, v, "last", "works")
		if r := v.Report(); r.PutAside != "" {
			t.Fatalf("sync %d: the file was put aside: %s", n, r.Reason)
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		if left > 0 {
			t.Logf("%d syncs", n-left)
			return
		}
	}
}

// life does a bit of everything and tells what was confirmed. After an error it goes on
// with the same vault, or where that did not open, with a new one.
func life(t *testing.T, dir string, o vault.Options, now interface {
	Load() *time.Time
	Store(*time.Time)
}) map[string]string {
	t.Helper()
	v, err := vault.Open(t.Context(), dir, o)
	if err != nil {
		if v, err = vault.Open(t.Context(), dir, o); err != nil {
			t.Fatalf("the second start fails as well: %v", err)
		}
	}
	confirmed := map[string]string{}
	for day := range 4 {
		for i := range 3 {
			k, val := fmt.Sprint(day%2, "-", i), fmt.Sprint("value of day ", day)
			err := v.Shelf("case").Put(t.Context(), k, []byte(val))
			if err != nil {
				err = v.Shelf("case").Put(t.Context(), k, []byte(val)) // as the caller does after Unknown
			}
			if err != nil {
				t.Fatalf("day %d: the second attempt fails as well: %v", day, err)
			}
			confirmed[k] = val
		}
		next := now.Load().AddDate(0, 0, 10)
		now.Store(&next)
		if _, err := v.Shred(t.Context()); err != nil && !errors.Is(err, syscall.EIO) {
			t.Fatal(err)
		}
		if _, err := v.Compact(t.Context()); err != nil && !errors.Is(err, syscall.EIO) {
			t.Fatal(err)
		}
	}
	_ = v.Close()
	return confirmed
}

// A disk that takes no writes is read, and written again when it does.
func TestAReadOnlyDisk(t *testing.T) {
	dir := t.TempDir()
	copyKey(t, dir)
	v := open(t, dir)
	put(t, v, "a", "value")
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	refuse := true
	o := options(dir)
	o.OpenFile = func(name string, flag int, mode os.FileMode) (*os.File, error) {
		if refuse && flag&(os.O_WRONLY|os.O_RDWR|os.O_CREATE) != 0 {
			return nil, &os.PathError{Op: "open", Path: name, Err: syscall.EROFS}
		}
		return os.OpenFile(name, flag, mode)
	}
	v, err := vault.Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	want(t, v, "a", "value")
	if !v.Report().ReadOnly {
		t.Error("the report does not say so")
	}
	if err := v.Shelf("case").Put(t.Context(), "b", nil); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
	want(t, v, "a", "value")
	refuse = false
	if err := v.Shelf("case").Put(t.Context(), "b", []byte("later")); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
	put(t, v, "b", "later")
	if v.Report().ReadOnly {
		t.Error("the report still says so")
	}
}

// What can be seen after a crash may never have reached the disk: both meta pages are
// written again and synced before anything is built on them, and where that fails the vault
// does not open. After an orderly end nothing is written.
func TestWhatIsSeenAfterACrashIsMadeDurableFirst(t *testing.T) {
	long := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, crashed := range []bool{false, true} {
		dir := t.TempDir()
		copyKey(t, dir)
		v := open(t, dir)
		put(t, v, "a", "value")
		path := filepath.Join(dir, vault.FileName)
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		if crashed { // the mark of a vault that is open is still there
			if err := os.WriteFile(path+".open", nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chtimes(path, long, long); err != nil {
			t.Fatal(err)
		}
		syncs := 0
		o := options(dir)
		o.FailSync = func() error {
			if syncs++; syncs == 1 {
				return nil // of the folder's names
			}
			return &os.PathError{Op: "sync", Path: path, Err: syscall.EIO}
		}
		again, err := vault.Open(t.Context(), dir, o)
		info, statErr := os.Stat(path)
		if statErr != nil {
			t.Fatal(statErr)
		}
		if written := !info.ModTime().Equal(long); written != crashed || (syncs > 1) != crashed || (err != nil) != crashed {
			t.Errorf("crashed %v: written %v, %d syncs, %v", crashed, written, syncs, err)
		}
		if err == nil {
			_ = again.Close() // its own sync fails
		}
		want(t, open(t, dir), "a", "value")
	}
}
