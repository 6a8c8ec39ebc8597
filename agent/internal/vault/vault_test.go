package vault_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"madoguchi.example/agent/internal/vault"
)

func options(dir string) vault.Options {
	return vault.Options{
		Key: vault.KeyFile(filepath.Join(dir, "vault.key")), Rand: rand.Reader, Terminal: "trm_1",
		Now:         func() time.Time { return time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC) },
		LockTimeout: 10 * time.Millisecond, NoSync: true,
	}
}

func open(t *testing.T, dir string) *vault.Vault {
	t.Helper()
	if err := vault.KeyFile(filepath.Join(dir, "vault.key")).Create(rand.Reader); err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(t.Context(), dir, options(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v
}

func TestShelf(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	v := open(t, dir)
	s := v.Shelf("case")
	if _, ok, err := s.Get(ctx, "a"); ok || err != nil {
		t.Fatalf("an empty shelf holds something: %v", err)
	}
	for _, k := range []string{"b", "a", "c"} {
		if err := s.Put(ctx, k, []byte("value of "+k)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.PutAll(ctx, map[string][]byte{"c": []byte("value of c"), "": nil}); err == nil {
		t.Error("a value without a key was taken")
	}
	if err := s.PutAll(ctx, map[string][]byte{"a": []byte("value of a"), "b": []byte("value of b")}); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, "c"); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir).Shelf("case")
	var got []string
	err := s.Each(ctx, func(k string, value []byte) error {
		got = append(got, k+"="+string(value))
		return nil
	})
	if err != nil || strings.Join(got, ",") != "a=value of a,b=value of b" {
		t.Fatalf("got %v, %v", got, err)
	}
	for name, put := range map[string]vault.Put{
		"no key": {Shelf: "x"}, "no shelf": {Key: "x"}, "long key": {Shelf: "x", Key: strings.Repeat("k", vault.MaxKey+1)},
		"large value": {Shelf: "x", Key: "y", Value: make([]byte, vault.MaxValue+1)},
	} {
		if v.Apply(put) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// No plaintext may be in the file, in freed pages neither.
func TestNoPlaintextInTheFile(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	v := open(t, dir)
	secret := []byte("試験 花子 01130012 9876543")
	s := v.Shelf("case")
	for i := range 200 {
		value := append(bytes.Repeat([]byte("filler "), 100), secret...)
		if err := s.Put(ctx, fmt.Sprintf("key%03d", i), value); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			if err := s.Delete(ctx, fmt.Sprintf("key%03d", i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, vault.FileName))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"試験", "花子", "01130012", "9876543", "filler"} {
		if bytes.Contains(raw, []byte(s)) {
			t.Errorf("%q is in the file", s)
		}
	}
	key, err := os.ReadFile(filepath.Join(dir, "vault.key"))
	if err != nil || bytes.Contains(raw, key) {
		t.Errorf("the key is in the file, or cannot be read: %v", err)
	}
}

// A value that was moved to another place, or changed, does not open.
func TestValuesAreBoundToTheirPlace(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	v := open(t, dir)
	for _, k := range []string{"a", "b"} {
		if err := v.Shelf("case").Put(ctx, k, []byte(k)); err != nil {
			t.Fatal(err)
		}
	}
	err := v.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("shelf/case"))
		return b.Put([]byte("b"), bytes.Clone(b.Get([]byte("a"))))
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := v.Shelf("case").Get(ctx, "b"); ok || !errors.Is(err, vault.ErrDamaged) {
		t.Errorf("a moved value opens: %v %v", ok, err)
	}
	if got, ok, err := v.Shelf("case").Get(ctx, "a"); !ok || err != nil || string(got) != "a" {
		t.Errorf("the other value is gone: %v", err)
	}
	damaged := 0
	err = v.Shelf("case").Each(ctx, func(_ string, value []byte) error {
		if value == nil {
			damaged++
		}
		return nil
	})
	if err != nil || damaged != 1 {
		t.Errorf("%d damaged, %v", damaged, err)
	}
}

func TestLockedAndForeignFiles(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	if _, err := vault.Open(t.Context(), dir, options(dir)); !errors.Is(err, vault.ErrLocked) {
		t.Errorf("a second process: got %v", err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	other := options(dir)
	other.Terminal = "trm_2"
	if _, err := vault.Open(t.Context(), dir, other); !errors.Is(err, vault.ErrWrongKey) {
		t.Errorf("another terminal: got %v", err)
	}
	other = options(dir)
	other.Key = vault.KeyFile(filepath.Join(dir, "other.key"))
	if err := other.Key.(vault.KeyFile).Create(rand.Reader); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.Open(t.Context(), dir, other); !errors.Is(err, vault.ErrWrongKey) {
		t.Errorf("another key: got %v", err)
	}
	if v, err := vault.Open(t.Context(), dir, options(dir)); err != nil || v.Report().PutAside != "" {
		t.Errorf("the file was harmed: %v", err)
	} else {
		_ = v.Close()
	}
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k")
	if _, err := vault.KeyFile(path).Key(t.Context()); err == nil {
		t.Error("a missing key is used")
	}
	if err := vault.KeyFile(path).Create(rand.Reader); err != nil {
		t.Fatal(err)
	}
	first, err := vault.KeyFile(path).Key(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := vault.KeyFile(path).Create(rand.Reader); err != nil {
		t.Fatal(err)
	}
	if second, err := vault.KeyFile(path).Key(t.Context()); err != nil || first != second {
		t.Errorf("the key was made anew: %v", err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.KeyFile(path).Key(t.Context()); err == nil {
		t.Error("a key that others may read is used")
	}
	short := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(short, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.KeyFile(short).Key(t.Context()); err == nil {
		t.Error("a short key is used")
	}
}

// fill makes a file worth damaging and gives its bytes.
func fill(t *testing.T, dir string) []byte {
	t.Helper()
	copyKey(t, dir)
	v := open(t, dir)
	for i := range 300 {
		if err := v.Shelf("case").Put(context.Background(), fmt.Sprintf("%04d", i), make([]byte, 500)); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, vault.FileName))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Whatever is done to the file, the agent starts: from the file if it is whole enough, or
// from a new one with the old one put aside and told.
func TestDamagedFiles(t *testing.T) {
	whole := fill(t, t.TempDir())
	page := os.Getpagesize()
	for _, c := range []struct {
		name  string
		harm  func([]byte) []byte
		aside bool
	}{
		{"untouched", func(b []byte) []byte { return b }, false},
		{"empty", func([]byte) []byte { return nil }, false},
		{"one meta page", func(b []byte) []byte { clear(b[:page]); return b }, false},
		{"both meta pages", func(b []byte) []byte { clear(b[:2*page]); return b }, true},
		{"cut to half", func(b []byte) []byte { return b[:len(b)/2] }, true},
		{"cut to one page", func(b []byte) []byte { return b[:page] }, true},
		{"cut to some bytes", func(b []byte) []byte { return b[:100] }, true},
		{"text", func([]byte) []byte { return []byte(strings.Repeat("not a database ", 1000)) }, true},
		{"all pages but the metas", func(b []byte) []byte { clear(b[2*page:]); return b }, true},
		{"page headers", func(b []byte) []byte {
			for at := 2 * page; at < len(b); at += page {
				clear(b[at : at+16])
			}
			return b
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, vault.FileName), c.harm(bytes.Clone(whole)), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, vault.FileName+".open"), nil, 0o600); err != nil { // as after a crash
				t.Fatal(err)
			}
			copyKey(t, dir)
			v := open(t, dir)
			if got := v.Report().PutAside != ""; got != c.aside {
				t.Fatalf("put aside: %v (%s)", got, v.Report().Reason)
			}
			if c.aside {
				if _, err := os.Stat(v.Report().PutAside); err != nil || v.Report().Reason == "" {
					t.Errorf("the report leads nowhere: %+v %v", v.Report(), err)
				}
			}
			if err := v.Shelf("case").Put(t.Context(), "new", []byte("works")); err != nil {
				t.Error(err)
			}
			if err := v.Close(); err != nil {
				t.Fatal(err)
			}
			if again := open(t, dir); c.aside && len(again.Report().Earlier) != 1 {
				t.Errorf("the file put aside is forgotten: %+v", again.Report())
			}
		})
	}
}

// A system that refuses to open the file says nothing of the file: it stays in its place,
// with what waits in it, and the error says why.
func TestARefusingSystemIsNoDamage(t *testing.T) {
	for _, cause := range []syscall.Errno{syscall.EROFS, syscall.EMFILE, syscall.ENOSPC, syscall.EIO, syscall.EACCES} {
		dir := t.TempDir()
		copyKey(t, dir)
		whole := fill(t, dir)
		o := options(dir)
		o.OpenFile = func(name string, _ int, _ os.FileMode) (*os.File, error) {
			return nil, &os.PathError{Op: "open", Path: name, Err: cause}
		}
		if _, err := vault.Open(t.Context(), dir, o); !errors.Is(err, cause) {
			t.Fatalf("%v: got %v", cause, err)
		}
		if b, err := os.ReadFile(filepath.Join(dir, vault.FileName)); err != nil || !bytes.Equal(b, whole) {
			t.Fatalf("%v: the file was touched: %v", cause, err)
		}
		if v := open(t, dir); v.Report().PutAside != "" || len(v.Report().Earlier) != 0 {
			t.Errorf("%v: %+v", cause, v.Report())
		}
	}
}

// A file cut at any page is put aside before a missing page can be touched, which would
// kill the process.
func TestCutAnywhere(t *testing.T) {
	whole, page := fill(t, t.TempDir()), os.Getpagesize()
	for cut := page / 2; cut < len(whole); cut += len(whole) / 16 {
		dir := t.TempDir()
		copyKey(t, dir)
		if err := os.WriteFile(filepath.Join(dir, vault.FileName), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		v, n := open(t, dir), 0
		if err := v.Shelf("case").Put(t.Context(), "new", nil); err != nil {
			t.Fatal(err)
		}
		err := v.Shelf("case").Each(t.Context(), func(_ string, value []byte) error { n++; return nil })
		if want := 301; err != nil || (v.Report().PutAside == "" && n != want) {
			t.Errorf("cut at %d: %d values in a file taken as whole, %v", cut, n, err)
		}
	}
}

// copyKey: every directory of these tests uses one key, so that damage is not taken for a
// foreign file.
func copyKey(t *testing.T, dir string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "vault.key"), oneKey, 0o600); err != nil {
		t.Fatal(err)
	}
}

var oneKey = bytes.Repeat([]byte{7}, vault.KeySize)

// FuzzOpen harms a file in every way and opens it, after a clean end or a crash: it opens,
// takes writes, tells no wrong value, and is whole in the end.
func FuzzOpen(f *testing.F) {
	page := os.Getpagesize()
	f.Add(0, byte(1), 0, 0, true)
	f.Add(page+20, byte(255), 0, 0, false)
	f.Add(3*page+3, byte(16), 2, 0, true)
	f.Add(5*page+8, byte(3), 0, 4, false)
	f.Add(1, byte(0), 0, 2, false)
	f.Add(page+70, byte(7), 0, 0, false)
	for p := range 12 { // heads, counts and tables of each page
		f.Add(p*page+p%3*4+8, byte(1), 0, 0, p%2 == 0)
		f.Add(p*page+24, byte(64), 0, 0, p%2 == 1)
	}
	for p := range 40 { // each page zeroed, the list of free ones among them
		f.Add(-1, byte(0), 0, p, p%2 == 0)
	}
	whole := fuzzed(f)
	f.Fuzz(func(t *testing.T, at int, with byte, cut, zero int, crashed bool) {
		dir := t.TempDir()
		layOut(t, dir, whole)
		b := bytes.Clone(whole[vault.FileName])
		b = b[:len(b)-min(max(cut, 0), len(b))]
		if at >= 0 && at < len(b) {
			b[at] ^= with
		}
		if zero > 0 && zero < len(b)/page {
			clear(b[zero*page : (zero+1)*page])
		}
		path := filepath.Join(dir, vault.FileName)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if crashed {
			if err := os.WriteFile(path+".open", nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		v, err := vault.Open(t.Context(), dir, options(dir))
		if err != nil {
			t.Fatalf("the agent does not start: %v", err)
		}
		defer v.Close()
		survey(t, v)
	})
}

// survey reads and writes through a vault that may come upon damage under way.
func survey(t *testing.T, v *vault.Vault) {
	t.Helper()
	if err := v.Check(t.Context()); err != nil {
		t.Fatalf("check: %v", err)
	}
	for i := range 60 {
		if got, ok, err := v.Shelf("case").Get(t.Context(), fmt.Sprintf("%04d", i)); ok && err == nil && !bytes.Equal(got, value(i, 0)) {
			t.Fatalf("value %d is wrong", i)
		} else if err != nil && !errors.Is(err, vault.ErrDamaged) {
			t.Fatal(err)
		}
	}
	if err := v.Shelf("case").Put(t.Context(), "new", []byte("works")); err != nil {
		t.Fatal(err)
	}
	if err := v.Check(t.Context()); err != nil || v.Generation() > 1 {
		t.Fatalf("check: %v, generation %d", err, v.Generation())
	}
}

// fuzzed makes the files of a vault with values in several pages and gives their bytes.
func fuzzed(t testing.TB) map[string][]byte {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "vault.key"), oneKey, 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(context.Background(), dir, options(dir))
	if err != nil {
		t.Fatal(err)
	}
	for first := 0; first < 60; first += 20 {
		var puts []vault.Put
		for i := first; i < first+20; i++ {
			puts = append(puts, vault.Put{Shelf: "case", Key: fmt.Sprintf("%04d", i), Value: value(i, 0)})
		}
		if err := v.Apply(append(puts, vault.Put{Shelf: "few", Key: fmt.Sprint(first), Value: []byte("inline")})...); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err == nil {
			files[name], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func layOut(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, b := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, b, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzKeyFile opens a vault whose day key's file holds anything: it opens.
func FuzzKeyFile(f *testing.F) {
	whole := fuzzed(f)
	name := ""
	for n, b := range whole {
		if strings.HasSuffix(n, ".key") && n != "vault.key" {
			name = n
			f.Add(b)
			f.Add(b[:len(b)-1])
			f.Add(append(bytes.Clone(b), 0))
		}
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		layOut(t, dir, whole)
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
		v, err := vault.Open(t.Context(), dir, options(dir))
		if err != nil {
			t.Fatalf("the agent does not start: %v", err)
		}
		defer v.Close()
		survey(t, v)
	})
}
