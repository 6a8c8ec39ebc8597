package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"madoguchi.example/agent/internal/vault"
)

func closed(t *testing.T, vs ...*vault.Vault) {
	t.Helper()
	for _, v := range vs {
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// read gives a file's bytes.
func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Whatever keeps the key away, the program that must start gets a stand-in; the file stays as
// it is and opens again with its key, and then the stand-in opens beside it.
func TestAStandIn(t *testing.T) {
	for name, away := range map[string]func(key string) error{
		"another key": func(key string) error { return os.WriteFile(key, bytes.Repeat([]byte("x"), 32), 0o600) },
		"no key":      os.Remove,
		"half a key":  func(key string) error { return os.WriteFile(key, []byte("half"), 0o600) },
		"open to all": func(key string) error { return os.Chmod(key, 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, ctx := t.TempDir(), t.Context()
			v := open(t, dir)
			put(t, v, "a", "value")
			closed(t, v)
			path, key := filepath.Join(dir, vault.FileName), filepath.Join(dir, "vault.key")
			file, was := read(t, path), read(t, key)
			if err := away(key); err != nil {
				t.Fatal(err)
			}
			o := options(dir)
			if _, err := vault.Open(ctx, dir, o); !errors.Is(err, vault.ErrWrongKey) && !errors.Is(err, vault.ErrNoKey) {
				t.Fatalf("who need not start gets %v", err)
			}
			o.StandIn = true
			for round := range 2 {
				v, err := vault.Open(ctx, dir, o)
				if err != nil {
					t.Fatal(err)
				}
				there := v.Report().Unopened
				if there.Path != path || there.Class != vault.OwnFile || there.Given != vault.OwnFile || there.Cause == nil || v.Class() != vault.OwnFile {
					t.Errorf("%+v", there)
				}
				if _, err := vault.Open(ctx, dir, o); !errors.Is(err, vault.ErrLocked) {
					t.Errorf("a second program gets %v", err)
				}
				for n := range round {
					want(t, v, fmt.Sprint(n), "later")
				}
				put(t, v, fmt.Sprint(round), "later")
				closed(t, v)
			}
			if !bytes.Equal(read(t, path), file) {
				t.Error("the file was touched")
			}
			if err := errors.Join(os.RemoveAll(key), os.WriteFile(key, was, 0o600)); err != nil {
				t.Fatal(err)
			}
			v, err := vault.Open(ctx, dir, o)
			if err != nil || v.Report().Unopened.Path != "" {
				t.Fatalf("the key is back: %v", err)
			}
			want(t, v, "a", "value")
			in, err := vault.OpenStandIn(ctx, dir, o)
			if err != nil {
				t.Fatal(err)
			}
			want(t, in, "1", "later")
			closed(t, in)
			if err := vault.RemoveStandIn(dir); err != nil {
				t.Fatal(err)
			}
			if in, err := vault.OpenStandIn(ctx, dir, o); in != nil || err != nil {
				t.Errorf("it is still there: %v", err)
			}
			closed(t, v)
		})
	}
}

// Where nothing was recorded yet, a missing key is a wrong setting, and no file is begun.
func TestNoStandInForNothing(t *testing.T) {
	dir := t.TempDir()
	o := options(dir)
	o.StandIn = true
	if _, err := vault.Open(t.Context(), dir, o); !errors.Is(err, vault.ErrNoKey) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, vault.StandInDir)); err == nil {
		t.Error("a stand-in was begun")
	}
}

// While the file is replaced under its name, nobody else gets in: who did would write to a
// file that has no name.
func TestOneProcessThroughout(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	path := filepath.Join(dir, vault.FileName)
	if err := errors.Join(os.WriteFile(path+".x", read(t, path), 0o600), os.Rename(path+".x", path)); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.Open(t.Context(), dir, options(dir)); !errors.Is(err, vault.ErrLocked) {
		t.Errorf("got %v", err)
	}
	closed(t, v)
	closed(t, open(t, dir))
}

// A key file is made whole or not at all, and none is made that could open nothing.
func TestKeyFilesThatAreMade(t *testing.T) {
	dir := t.TempDir()
	c := choice(t, dir)
	c.CredentialsDir, c.PassphraseFile = "", ""
	key := filepath.Join(dir, vault.KeyFileName)
	write(t, key, "") // as a power cut leaves it
	source, err := vault.Choose(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source.Key(t.Context()); err != nil {
		t.Errorf("nothing was under it yet: %v", err)
	}
	v := open(t, dir)
	put(t, v, "a", "value")
	closed(t, v)
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if source, err = vault.Choose(c); err != nil {
		t.Fatal(err)
	}
	if _, err := source.Key(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a key was made that opens nothing: %v", err)
	}
	if left, _ := filepath.Glob(key + "*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Copies of a day key that somebody made go with it, and so does what a power cut left of
// writing one.
func TestShredFindsEveryCopy(t *testing.T) {
	dir, now := t.TempDir(), clock()
	v := openWith(t, dir, at(dir, now))
	put(t, v, "a", "value")
	closed(t, v)
	first := keyFiles(t, dir)[0]
	write(t, filepath.Join(dir, vault.KeysDir, "copy of it.key"), string(read(t, first)))
	write(t, first+".new", string(read(t, first)))
	days(now, 40)
	v = openWith(t, dir, at(dir, now))
	want(t, v, "a", "value")
	put(t, v, "b", "value")
	if n, err := v.Shred(t.Context()); n != 1 || err != nil {
		t.Fatalf("%d: %v", n, err)
	}
	left, err := filepath.Glob(filepath.Join(dir, vault.KeysDir, "*key*"))
	if err != nil || len(left) != 1 {
		t.Errorf("left: %v %v", left, err)
	}
	want(t, v, "a", "value")
}

// A disk that takes no writes keeps nobody out after a change of class; the next start goes on.
func TestAChangeOfClassOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	put(t, v, "a", "value")
	closed(t, v)
	o := options(dir)
	o.Before, o.Key = o.Key, vault.KeyFile(filepath.Join(dir, "next.key"))
	full := true
	o.FailSync = func() error {
		if full {
			full = false
			return syscall.ENOSPC
		}
		return nil
	}
	v = openWith(t, dir, o)
	want(t, v, "a", "value")
	closed(t, v)
	before := o.Before
	o.Before = nil
	if _, err := vault.Open(t.Context(), dir, o); !errors.Is(err, vault.ErrWrongKey) {
		t.Errorf("without the key that it is under still: %v", err)
	}
	o.Before = before
	v = openWith(t, dir, o)
	want(t, v, "a", "value")
	closed(t, v)
	o.Before = nil
	v = openWith(t, dir, o)
	want(t, v, "a", "value")
}

// A day key under a key that is not to be had makes nothing damaged: the whole file waits for
// it. One that nothing lies under is in nobody's way.
func TestOneDayUnderAnotherKey(t *testing.T) {
	for _, used := range []bool{true, false} {
		dir, now := t.TempDir(), clock()
		v := openWith(t, dir, at(dir, now))
		put(t, v, "a", "value")
		closed(t, v)
		first := keyFiles(t, dir)[0]
		old := read(t, first)
		days(now, 1)
		o := at(dir, now)
		o.Before, o.Key = o.Key, vault.KeyFile(filepath.Join(dir, "next.key"))
		v = openWith(t, dir, o)
		put(t, v, "b", "value")
		if !used {
			put(t, v, "a", "value")
		}
		closed(t, v)
		write(t, first, string(old))
		o.Before = nil
		v, err := vault.Open(t.Context(), dir, o)
		if used {
			if !errors.Is(err, vault.ErrWrongKey) {
				t.Errorf("got %v", err)
			}
			continue
		}
		if err != nil || v.Report().LostKeys != 1 {
			t.Fatalf("got %v", err)
		}
		want(t, v, "a", "value")
		closed(t, v)
	}
}

// The key of a class that was left goes when nothing needs it any more, and not before.
func TestEarlierKeysGo(t *testing.T) {
	dir := t.TempDir()
	c := choice(t, dir)
	key := filepath.Join(dir, vault.KeyFileName)
	full := 0 // syncs that fail
	begin := func(kind vault.Class) *vault.Vault {
		t.Helper()
		c.Kind = string(kind)
		source, err := vault.Choose(c)
		if err != nil {
			t.Fatal(err)
		}
		o := options(dir)
		o.Key, o.Before = source, vault.Earlier(c, source)
		o.FailSync = func() error {
			if full--; full >= 0 {
				return syscall.ENOSPC
			}
			return nil
		}
		v, err := vault.Open(context.Background(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	keeps := func(when string, v *vault.Vault, want bool) {
		t.Helper()
		removed, err := vault.RemoveEarlier(c, v)
		_, stat := os.Stat(key)
		if err != nil || (stat == nil) != want || (len(removed) == 0) != want {
			t.Errorf("%s: %v, %v, %v", when, removed, err, stat)
		}
	}
	v := begin(vault.OwnFile)
	put(t, v, "a", "value")
	keeps("its own", v, true)
	closed(t, v)

	for range 2 {
		full = 1
		v = begin(vault.SystemdCredential)
		keeps("a day key could not be wrapped anew", v, true)
		closed(t, v)
	}
	v = begin(vault.SystemdCredential)
	keeps("at the change", v, true)
	crash := t.TempDir()
	if err := os.CopyFS(crash, os.DirFS(dir)); err != nil { // while it is open
		t.Fatal(err)
	}
	closed(t, v)
	aside := filepath.Join(dir, vault.FileName+".damaged-x")
	write(t, aside, "x")
	v = begin(vault.SystemdCredential)
	keeps("a file aside may need it", v, true)
	closed(t, v)
	if err := errors.Join(os.Remove(aside), os.Mkdir(filepath.Join(dir, vault.StandInDir), 0o700)); err != nil {
		t.Fatal(err)
	}
	v = begin(vault.SystemdCredential)
	keeps("a stand-in is there", v, true)
	closed(t, v)
	if err := os.Remove(filepath.Join(dir, vault.StandInDir)); err != nil {
		t.Fatal(err)
	}
	v = begin(vault.SystemdCredential)
	keeps("after a start in order", v, false)
	closed(t, v)
	v = begin(vault.SystemdCredential)
	want(t, v, "a", "value")
	closed(t, v)

	was, wasKey := dir, key
	dir, key, c.Dir = crash, filepath.Join(crash, vault.KeyFileName), crash
	v = begin(vault.SystemdCredential)
	keeps("after a crash", v, true)
	closed(t, v)
	dir, key, c.Dir = was, wasKey, was

	if left := strings.TrimSpace(string(read(t, filepath.Join(dir, vault.KeysDir, "class")))); left != string(vault.SystemdCredential) {
		t.Errorf("the folder of keys says %q", left)
	}
}
