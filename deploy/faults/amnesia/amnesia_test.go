package amnesia_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"madoguchi.example/deploy/faults/amnesia"
)

// mounted gives a file system on a folder of the test.
func mounted(t *testing.T) (*amnesia.FS, string) {
	t.Helper()
	if err := amnesia.Possible(); err != nil {
		t.Skip(err)
	}
	f, dir := amnesia.New(rand.New(rand.NewPCG(1, 2))), t.TempDir()
	must(t, f.Mount(dir))
	t.Cleanup(func() { must(t, f.Unmount()) })
	return f, dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func restart(t *testing.T, f *amnesia.FS, torn bool) {
	t.Helper()
	must(t, f.Restart(torn))
}

// put writes a file, and syncs it and its folder as told.
func put(dir, name string, content []byte, syncFile, syncFolder bool) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(content, 0)
	if err == nil && syncFile {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil && syncFolder {
		err = syncDir(dir)
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func content(dir, name string) string {
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return "none"
	}
	return string(raw)
}

func TestWhatWasNotSyncedIsForgotten(t *testing.T) {
	for _, c := range []struct {
		name         string
		file, folder bool
		want         string
	}{
		{"nothing synced", false, false, "none"},
		{"only the file", true, false, "none"}, // the name is the folder's
		{"only the folder", false, true, ""},
		{"both", true, true, "one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, dir := mounted(t)
			must(t, put(dir, "a", []byte("one"), c.file, c.folder))
			if got := content(dir, "a"); got != "one" {
				t.Errorf("before: %q", got)
			}
			restart(t, f, false)
			if got := content(dir, "a"); got != c.want {
				t.Errorf("after: %q, want %q", got, c.want)
			}
		})
	}
}

func TestChangesOfWhatIsThereAreForgotten(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(dir string) error
	}{
		{"overwritten", func(dir string) error { return put(dir, "a", []byte("two"), false, true) }},
		{"grown", func(dir string) error { return os.Truncate(filepath.Join(dir, "a"), 9000) }},
		{"cut", func(dir string) error { return os.Truncate(filepath.Join(dir, "a"), 1) }},
		{"removed", func(dir string) error { return os.Remove(filepath.Join(dir, "a")) }},
		{"renamed", func(dir string) error { return os.Rename(filepath.Join(dir, "a"), filepath.Join(dir, "b")) }},
		{"replaced", func(dir string) error {
			return errors.Join(put(dir, "b", []byte("two"), true, false), os.Rename(filepath.Join(dir, "b"), filepath.Join(dir, "a")))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, dir := mounted(t)
			must(t, put(dir, "a", []byte("one"), true, true))
			must(t, c.do(dir))
			if content(dir, "a") == "one" {
				t.Error("nothing was changed")
			}
			restart(t, f, false)
			if got := content(dir, "a"); got != "one" {
				t.Errorf("after: %q", got)
			}
			must(t, c.do(dir))
			must(t, syncDir(dir))
			restart(t, f, false)
			renames := c.name == "removed" || c.name == "renamed" || c.name == "replaced"
			if (content(dir, "a") == "one") == renames {
				t.Errorf("after the folder was synced: %q", content(dir, "a"))
			}
		})
	}
}

func TestFoldersWithin(t *testing.T) {
	f, dir := mounted(t)
	in := filepath.Join(dir, "in")
	must(t, os.Mkdir(in, 0o700))
	must(t, put(in, "a", []byte("one"), true, true))
	if os.Remove(in) == nil {
		t.Error("a folder that holds something was removed")
	}
	restart(t, f, false)
	if _, err := os.Stat(in); err == nil {
		t.Error("a folder is there whose name was not synced")
	}
	must(t, os.Mkdir(in, 0o700))
	must(t, put(in, "a", []byte("one"), true, true))
	must(t, syncDir(dir))
	restart(t, f, false)
	if got := content(in, "a"); got != "one" {
		t.Errorf("after: %q", got)
	}
	if list, err := os.ReadDir(in); err != nil || len(list) != 1 {
		t.Errorf("%v %v", list, err)
	}
}

func TestATornRestartKeepsSomeSectors(t *testing.T) {
	f, dir := mounted(t)
	old, fresh := bytes.Repeat([]byte("o"), 64*512), bytes.Repeat([]byte("n"), 64*512)
	must(t, put(dir, "a", old, true, true))
	must(t, put(dir, "a", fresh, false, false))
	restart(t, f, true)
	got := []byte(content(dir, "a"))
	kept := bytes.Count(got, []byte("n"))
	if len(got) != len(old) || kept == 0 || kept == len(old) || kept%512 != 0 {
		t.Errorf("%d of %d bytes were kept", kept, len(got))
	}
	for at := 0; at < len(got); at += 512 {
		if s := got[at : at+512]; bytes.Count(s, s[:1]) != 512 {
			t.Errorf("the sector at %d is half", at)
		}
	}
}

// A mapping that is shared and read-only sees what is written beside it.
func TestAMappingSeesWrites(t *testing.T) {
	_, dir := mounted(t)
	must(t, put(dir, "a", make([]byte, 8192), true, true))
	file, err := os.OpenFile(filepath.Join(dir, "a"), os.O_RDWR, 0)
	must(t, err)
	defer file.Close()
	m, err := syscall.Mmap(int(file.Fd()), 0, 8192, syscall.PROT_READ, syscall.MAP_SHARED)
	must(t, err)
	defer func() { must(t, syscall.Munmap(m)) }()
	for _, text := range []string{"one", "two"} {
		if _, err := file.WriteAt([]byte(text), 4096); err != nil {
			t.Fatal(err)
		}
		if got := string(m[4096:4099]); got != text {
			t.Errorf("the mapping shows %q instead of %q", got, text)
		}
	}
}

// mappingVariable names a file for this program to map and write, instead of its tests: what
// serves a file may not wait for a page of it.
const mappingVariable = "MADOGUCHI_AMNESIA_MAPPING"

func TestMain(m *testing.M) {
	if path := os.Getenv(mappingVariable); path != "" {
		if err := mapAndWrite(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const (
	mappedPages = 8
	mappedRound = 4000 // writes
)

// mapAndWrite writes whole pages beside a mapping, while others open the file and look at the
// mapping.
func mapAndWrite(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	m, err := syscall.Mmap(int(file.Fd()), 0, mappedPages*4096, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return err
	}
	var over atomic.Bool
	var others sync.WaitGroup
	defer others.Wait()
	defer over.Store(true)
	others.Go(func() {
		for !over.Load() {
			if f, err := os.Open(path); err == nil {
				_ = f.Close()
			}
		}
	})
	others.Go(func() {
		for n := 0; !over.Load(); n++ {
			_ = bytes.IndexByte(m[n%mappedPages*4096:][:8], 1)
		}
	})
	for n := range uint64(mappedRound) {
		at := n % mappedPages * 4096
		if _, err := file.WriteAt(bytes.Repeat(binary.BigEndian.AppendUint64(nil, n), 512), int64(at)); err != nil {
			return err
		}
		if got := binary.BigEndian.Uint64(m[at:]); got != n {
			return fmt.Errorf("after write %d the mapping shows %d", n, got)
		}
	}
	return nil
}

// The same while the file is opened again and again: the kernel may not read a page anew
// beside a write that is on its way.
func TestAMappingStaysTrueWhenTheFileIsOpenedAgain(t *testing.T) {
	_, dir := mounted(t)
	must(t, put(dir, "a", make([]byte, mappedPages*4096), true, true))
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), mappingVariable+"="+filepath.Join(dir, "a"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestTheNthSyncFails(t *testing.T) {
	for _, lost := range []bool{false, true} {
		f, dir := mounted(t)
		must(t, put(dir, "a", []byte("one"), true, true))
		before := f.Count()
		f.FailSync(2, lost)
		must(t, put(dir, "a", []byte("two"), true, false))
		if err := put(dir, "a", []byte("six"), true, false); !errors.Is(err, syscall.EIO) {
			t.Errorf("the second sync: %v", err)
		}
		if got := content(dir, "a"); got != "six" {
			t.Errorf("before the restart: %q", got)
		}
		must(t, put(dir, "a", nil, true, false)) // what failed is not tried again
		if got := f.Count(); got.Syncs != before.Syncs+3 || got.Failed != before.Failed+1 {
			t.Errorf("counted %+v after %+v", got, before)
		}
		restart(t, f, false)
		if got, want := content(dir, "a"), map[bool]string{true: "two", false: "six"}[lost]; got != want {
			t.Errorf("lost %v: %q, want %q", lost, got, want)
		}
	}
}

func TestThePowerGoesAtAnyChange(t *testing.T) {
	f, dir := mounted(t)
	must(t, put(dir, "a", []byte("one"), true, true))
	for n := range 2 {
		gone := f.CutAfter(n)
		if err := put(dir, "a", []byte("two"), true, false); !errors.Is(err, syscall.EIO) {
			t.Errorf("%d steps were enough: %v", n, err)
		}
		<-gone
		restart(t, f, false)
		if got := content(dir, "a"); got != "one" {
			t.Errorf("after %d steps: %q", n, got)
		}
	}
	f.CutAfter(2)
	must(t, put(dir, "a", []byte("two"), true, false))
	restart(t, f, false)
	if got := content(dir, "a"); got != "two" {
		t.Errorf("after all steps: %q", got)
	}
}

func TestAFullDiskAndAReadOnlyOne(t *testing.T) {
	f, dir := mounted(t)
	must(t, put(dir, "a", make([]byte, 4096), true, true))
	f.SetCapacity(f.Used() + 4096)
	must(t, put(dir, "a", make([]byte, 8192), true, true))
	if err := put(dir, "a", make([]byte, 8193), true, true); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk: %v", err)
	}
	must(t, put(dir, "a", make([]byte, 8192), true, true)) // what it has may be written again
	must(t, os.Remove(filepath.Join(dir, "a")))
	must(t, put(dir, "b", make([]byte, 8192), true, true)) // what was removed is free
	f.SetCapacity(0)
	f.SetReadOnly(true)
	if err := put(dir, "b", []byte("x"), false, false); !errors.Is(err, syscall.EROFS) {
		t.Errorf("a read-only disk: %v", err)
	}
	if _, err := os.ReadFile(filepath.Join(dir, "b")); err != nil {
		t.Error(err)
	}
	if f.Count().Refused < 2 {
		t.Errorf("%+v", f.Count())
	}
}

// A deaf disk is how a test that looks for lost writes must come out badly.
func TestADeafDiskKeepsNothing(t *testing.T) {
	f, dir := mounted(t)
	must(t, put(dir, "a", []byte("one"), true, true))
	f.SetDeaf(true)
	must(t, put(dir, "a", []byte("two"), true, true))
	restart(t, f, false)
	if got := content(dir, "a"); got != "one" {
		t.Errorf("after: %q", got)
	}
}
