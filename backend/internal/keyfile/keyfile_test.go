package keyfile_test

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"madoguchi.example/backend/internal/keyfile"
)

func TestMadeOnceAndKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	path := filepath.Join(dir, "a.pem")
	first, err := keyfile.ECDSA(path, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	second, err := keyfile.ECDSA(path, rand.Reader)
	if err != nil || !first.Equal(second) {
		t.Errorf("the second start has another key: %v", err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	raw, err := os.ReadFile(path + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	if public, err := keyfile.ParsePublic(raw); err != nil || !public.Equal(&first.PublicKey) {
		t.Errorf("the public file holds another key: %v", err)
	}
}

func TestManyStartsAtOnceEndWithOneKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.key")
	keys := make([][]byte, 16)
	var wait sync.WaitGroup
	for i := range keys {
		wait.Go(func() {
			k, err := keyfile.Secret(path, 32, rand.Reader)
			if err != nil {
				t.Error(err)
			}
			keys[i] = k
		})
	}
	wait.Wait()
	for _, k := range keys {
		if !bytes.Equal(k, keys[0]) {
			t.Fatal("two starts have two keys")
		}
	}
}

func TestBadFiles(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		content string
		mode    os.FileMode
	}{
		"others may read": {"00", 0o644}, "not hexadecimal": {"zz", 0o600}, "too short": {"00", 0o600}, "empty": {"", 0o600},
		"too large": {string(bytes.Repeat([]byte("0"), keyfile.MaxBytes+1)), 0o600},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(c.content), c.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := keyfile.Secret(path, 32, rand.Reader); err == nil {
			t.Errorf("%s: taken as a secret", name)
		}
		if _, err := keyfile.ECDSA(path, rand.Reader); err == nil {
			t.Errorf("%s: taken as a key", name)
		}
		if after, _ := os.ReadFile(path); string(after) != c.content {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

func FuzzParseECDSA(f *testing.F) {
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if key, err := keyfile.ParseECDSA(raw); err == nil && key == nil {
			t.Error("neither a key nor an error")
		}
		_, _ = keyfile.ParsePublic(raw)
	})
}
