package keyfile_test

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"

	"madoguchi.example/backend/internal/keyfile"
)

func TestEd25519IsMadeOnceAndReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "receipt.key")
	first, err := keyfile.Ed25519(path, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	again, err := keyfile.Ed25519(path, rand.Reader)
	if err != nil || !first.Equal(again) {
		t.Errorf("another key at the second start, error %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := keyfile.ECDSA(path, rand.Reader); err == nil {
		t.Error("an Ed25519 key is taken for another kind")
	}
	if err := os.WriteFile(path, []byte("nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keyfile.Ed25519(path, rand.Reader); err == nil {
		t.Error("a file without a key is taken")
	}
}
