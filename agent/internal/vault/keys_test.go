package vault_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/agent/internal/vault/tpm/tpmtest"
)

// at is options with a clock that the test sets.
func at(dir string, now *atomic.Pointer[time.Time]) vault.Options {
	o := options(dir)
	o.Now = func() time.Time { return *now.Load() }
	return o
}

func clock() *atomic.Pointer[time.Time] {
	var now atomic.Pointer[time.Time]
	first := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	now.Store(&first)
	return &now
}

func days(now *atomic.Pointer[time.Time], n int) {
	next := now.Load().AddDate(0, 0, n)
	now.Store(&next)
}

func openWith(t *testing.T, dir string, o vault.Options) *vault.Vault {
	t.Helper()
	if f, ok := o.Key.(vault.KeyFile); ok {
		if err := f.Create(rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	v, err := vault.Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v
}

func put(t *testing.T, v *vault.Vault, key, value string) {
	t.Helper()
	if err := v.Shelf("case").Put(t.Context(), key, []byte(value)); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, v *vault.Vault, key string) (string, error) {
	t.Helper()
	value, ok, err := v.Shelf("case").Get(t.Context(), key)
	if err == nil && !ok {
		return "", os.ErrNotExist
	}
	return string(value), err
}

func want(t *testing.T, v *vault.Vault, key, value string) {
	t.Helper()
	if got, err := get(t, v, key); err != nil || got != value {
		t.Errorf("%s: got %.40q, %v", key, got, err)
	}
}

func keyFiles(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, vault.KeysDir, "*.key"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestEachDayHasItsKey(t *testing.T) {
	dir, now := t.TempDir(), clock()
	o := at(dir, now)
	o.NoSync = false
	v := openWith(t, dir, o)
	for day := range 3 {
		put(t, v, fmt.Sprint(day), "value")
		put(t, v, fmt.Sprint(day), "value again")
		days(now, 1)
	}
	names := keyFiles(t, dir)
	if len(names) != 3 || !strings.HasPrefix(filepath.Base(names[0]), "20261121-") || !strings.HasPrefix(filepath.Base(names[2]), "20261123-") {
		t.Fatalf("got %v", names)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	days(now, -1) // the last day again
	v = openWith(t, dir, at(dir, now))
	put(t, v, "more", "value")
	if again := keyFiles(t, dir); len(again) != 3 {
		t.Errorf("a day got a second key: %v", again)
	}
	if r := v.Report(); r.Keys != 3 || r.LostKeys != 0 || v.Class() != vault.OwnFile {
		t.Errorf("%+v %s", r, v.Class())
	}
	for day := range 3 {
		want(t, v, fmt.Sprint(day), "value again")
	}
}

// A day key that is gone or damaged takes its values with it and nothing else.
func TestLostDayKeys(t *testing.T) {
	for name, harm := range map[string]func(string) error{
		"missing":   os.Remove,
		"empty":     func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"a flipped": func(path string) error { return flip(path, 40) },
		"magic":     func(path string) error { return flip(path, 0) },
		"mark":      func(path string) error { return flip(path, 20) },
		"long":      func(path string) error { return os.WriteFile(path, make([]byte, 5000), 0o600) },
		"directory": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, now := t.TempDir(), clock()
			v := openWith(t, dir, at(dir, now))
			put(t, v, "first", "day one")
			days(now, 1)
			put(t, v, "second", "day two")
			if err := v.Close(); err != nil {
				t.Fatal(err)
			}
			if err := harm(keyFiles(t, dir)[0]); err != nil {
				t.Fatal(err)
			}
			v = openWith(t, dir, at(dir, now))
			if _, err := get(t, v, "first"); !errors.Is(err, vault.ErrDamaged) {
				t.Errorf("got %v", err)
			}
			want(t, v, "second", "day two")
			put(t, v, "first", "written anew")
			want(t, v, "first", "written anew")
			if v.Report().PutAside != "" {
				t.Error("the file was put aside")
			}
			if lost := v.Report().LostKeys; lost != 1 && name != "missing" {
				t.Errorf("%d lost keys are reported", lost)
			}
		})
	}
}

func flip(path string, at int) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b[at] ^= 1
	return os.WriteFile(path, b, 0o600)
}

// Where no day key can be made, the newest one serves: a full disk at midnight takes no
// marks away.
func TestNoRoomForADayKey(t *testing.T) {
	dir, now := t.TempDir(), clock()
	v := openWith(t, dir, at(dir, now))
	put(t, v, "a", "before")
	folder := filepath.Join(dir, vault.KeysDir)
	if err := errors.Join(os.Rename(folder, folder+"-away"), os.WriteFile(folder, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	days(now, 1)
	put(t, v, "b", "without a key of its own")
	if err := errors.Join(os.Remove(folder), os.Rename(folder+"-away", folder)); err != nil {
		t.Fatal(err)
	}
	later := now.Load().Add(2 * time.Minute)
	now.Store(&later)
	put(t, v, "c", "after")
	if n := len(keyFiles(t, dir)); n != 2 {
		t.Errorf("%d keys", n)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	v = openWith(t, dir, at(dir, now))
	want(t, v, "b", "without a key of its own")
	want(t, v, "c", "after")
}

// The wrong key is told, and harms nothing; a damaged mark is no wrong key.
func TestTheWrongKeyIsNoDamage(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	put(t, v, "a", "value")
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, vault.FileName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	wrong := options(dir)
	wrong.Key = vault.KeyFile(filepath.Join(dir, "wrong.key"))
	if err := wrong.Key.(vault.KeyFile).Create(rand.Reader); err != nil {
		t.Fatal(err)
	}
	harmed := bytes.Clone(whole)
	clear(harmed[:2*os.Getpagesize()])
	for name, content := range map[string][]byte{"whole": whole, "damaged": harmed} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := vault.Open(t.Context(), dir, wrong); !errors.Is(err, vault.ErrWrongKey) {
			t.Errorf("%s: got %v", name, err)
		}
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, content) {
			t.Errorf("%s: the file was touched: %v", name, err)
		}
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	v = open(t, dir)
	want(t, v, "a", "value")
}

// swtpm starts an emulated TPM of its own.
func swtpm(t *testing.T) string {
	t.Helper()
	device, _ := tpmtest.Emulate(t, t.TempDir())
	return device
}

// choice has every source but the TPM.
func choice(t *testing.T, dir string) vault.Choice {
	t.Helper()
	c := vault.Choice{
		Dir: dir, Terminal: "trm_1", Rand: rand.Reader, TPM: "/does/not/exist",
		CredentialsDir: t.TempDir(), PassphraseFile: filepath.Join(t.TempDir(), "phrase"),
	}
	err := errors.Join(
		os.WriteFile(filepath.Join(c.CredentialsDir, vault.CredentialName), bytes.Repeat([]byte("c"), 40), 0o600),
		os.WriteFile(c.PassphraseFile, []byte("a long enough phrase\n"), 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestChooseTakesTheStrongest(t *testing.T) {
	dir := t.TempDir()
	c := choice(t, dir)
	c.TPM = swtpm(t)
	seen := map[[vault.KeySize]byte]bool{}
	for _, class := range []vault.Class{vault.TPM2, vault.SystemdCredential, vault.Passphrase, vault.OwnFile} {
		source, err := vault.Choose(c)
		if err != nil || source.Class() != class {
			t.Fatalf("got %v, %v; want %s", source, err, class)
		}
		key, err := source.Key(t.Context())
		if err != nil || seen[key] {
			t.Errorf("%s: %v, or the key of another class", class, err)
		}
		seen[key] = true
		again, err := vault.Choose(c)
		if err != nil {
			t.Fatal(err)
		}
		if second, err := again.Key(t.Context()); err != nil || second != key {
			t.Errorf("%s: another key the second time: %v", class, err)
		}
		switch class { // take the strongest away
		case vault.TPM2:
			c.Dir, c.TPM, c.KeyFile = t.TempDir(), "/does/not/exist", filepath.Join(dir, "k")
		case vault.SystemdCredential:
			c.CredentialsDir = ""
		case vault.Passphrase:
			c.PassphraseFile = ""
		}
	}
	c.Kind = "other"
	if _, err := vault.Choose(c); err == nil {
		t.Error("an unknown kind is taken")
	}
}

func TestSourcesThatCannotServe(t *testing.T) {
	for name, change := range map[string]func(*vault.Choice){
		"no TPM":         func(c *vault.Choice) { c.Kind = string(vault.TPM2) },
		"no credentials": func(c *vault.Choice) { c.Kind, c.CredentialsDir = string(vault.SystemdCredential), "" },
		"no credential":  func(c *vault.Choice) { c.Kind, c.CredentialsDir = string(vault.SystemdCredential), t.TempDir() },
		"no phrase":      func(c *vault.Choice) { c.Kind, c.PassphraseFile = string(vault.Passphrase), "/does/not/exist" },
		"short phrase":   func(c *vault.Choice) { c.Kind = string(vault.Passphrase); write(t, c.PassphraseFile, "short") },
		"short credential": func(c *vault.Choice) {
			c.Kind = string(vault.SystemdCredential)
			write(t, filepath.Join(c.CredentialsDir, vault.CredentialName), "short")
		},
	} {
		c := choice(t, t.TempDir())
		change(&c)
		source, err := vault.Choose(c)
		if err == nil {
			_, err = source.Key(t.Context())
		}
		if err == nil || strings.Contains(err.Error(), "short\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The blob of the TPM's key is there twice; one copy mends the other.
func TestASealedKeyIsMended(t *testing.T) {
	c := choice(t, t.TempDir())
	c.Kind, c.TPM = string(vault.TPM2), swtpm(t)
	ask := func() ([vault.KeySize]byte, error) {
		source, err := vault.Choose(c)
		if err != nil {
			t.Fatal(err)
		}
		return source.Key(t.Context())
	}
	first, err := ask()
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{filepath.Join(c.Dir, vault.KeysDir, "tpm.sealed"), filepath.Join(c.Dir, vault.KeysDir, "tpm.sealed.copy")}
	for i, path := range paths {
		if i == 0 {
			err = flip(path, 30)
		} else {
			err = os.Remove(path)
		}
		if err != nil {
			t.Fatal(err)
		}
		if key, err := ask(); err != nil || key != first {
			t.Fatalf("%s: %v", path, err)
		}
	}
	for _, path := range paths {
		if err := flip(path, 30); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ask(); err == nil {
		t.Error("two damaged copies were taken")
	}
	c.Kind = vault.Auto
	if source, err := vault.Choose(c); err != nil || source.Class() != vault.TPM2 {
		t.Errorf("a terminal that has used its TPM chose %v, %v", source, err)
	}
}

// A change of class wraps the day keys anew; the old key then opens nothing.
func TestAChangeOfClass(t *testing.T) {
	dir := t.TempDir()
	c := choice(t, dir)
	c.TPM = swtpm(t)
	before := vault.KeySource(nil)
	for i, kind := range []vault.Class{vault.OwnFile, vault.TPM2, vault.Passphrase, vault.SystemdCredential, vault.OwnFile} {
		c.Kind = string(kind)
		source, err := vault.Choose(c)
		if err != nil {
			t.Fatal(err)
		}
		o := options(dir)
		o.Key = source
		if i > 0 {
			if _, err := vault.Open(t.Context(), dir, o); !errors.Is(err, vault.ErrWrongKey) {
				t.Fatalf("%s without the source before it: %v", kind, err)
			}
		}
		o.Before = vault.Earlier(c, source)
		v := openWith(t, dir, o)
		for n := range i {
			want(t, v, fmt.Sprint(n), "value")
		}
		put(t, v, fmt.Sprint(i), "value")
		if v.Class() != kind {
			t.Errorf("class %s", v.Class())
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		o.Before = nil
		if v, err = vault.Open(t.Context(), dir, o); err != nil {
			t.Fatalf("%s alone: %v", kind, err)
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		if before != nil && kind != vault.OwnFile {
			o.Key = before
			if _, err := vault.Open(t.Context(), dir, o); !errors.Is(err, vault.ErrWrongKey) {
				t.Errorf("the source before %s still opens: %v", kind, err)
			}
		}
		before = source
	}
}

// A change of class that is cut off at any sync goes on at the next start.
func TestACutOffChangeOfClass(t *testing.T) {
	for n := 1; ; n++ {
		dir, now := t.TempDir(), clock()
		v := openWith(t, dir, at(dir, now))
		for day := range 3 {
			put(t, v, fmt.Sprint(day), "value")
			days(now, 1)
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		o := at(dir, now)
		o.Before = o.Key
		o.Key = vault.KeyFile(filepath.Join(dir, "next.key"))
		if err := o.Key.(vault.KeyFile).Create(rand.Reader); err != nil {
			t.Fatal(err)
		}
		left := n
		o.FailSync = func() error {
			if left--; left == 0 {
				return errors.New("the disk failed")
			}
			return nil
		}
		v, err := vault.Open(context.Background(), dir, o)
		if err == nil {
			_ = v.Close()
		}
		o.FailSync = nil
		v = openWith(t, dir, o)
		for day := range 3 {
			want(t, v, fmt.Sprint(day), "value")
		}
		_ = v.Close()
		if left > 0 {
			t.Logf("%d syncs", n-left)
			return
		}
	}
}

// A wrapped day key is bound to its id: under another one it seals nothing and opens nothing.
func TestADayKeyIsBoundToItsID(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	put(t, v, "a", "value")
	closed(t, v)
	file := keyFiles(t, dir)[0]
	b := read(t, file)
	b[8] ^= 1
	sum := sha256.Sum256(b[:len(b)-8])
	write(t, file, string(append(b[:len(b)-8], sum[:8]...)))
	v = open(t, dir)
	if r := v.Report(); r.LostKeys != 1 || r.Keys != 0 {
		t.Errorf("%+v", r)
	}
	put(t, v, "b", "value")
	want(t, v, "b", "value")
}
