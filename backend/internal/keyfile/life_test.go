package keyfile_test

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/keyfile"
)

// A key is placed once, read back, and gone with its public part when it is destroyed; the
// blocks that it lay in hold zeros.
func TestLifeOfAKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "key.pem")
	key, err := keyfile.ECDSA(filepath.Join(t.TempDir(), "made.pem"), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keyfile.Read(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a key that is not there: %v", err)
	}
	if err := keyfile.Place(path, key); err != nil {
		t.Fatal(err)
	}
	other, err := keyfile.ECDSA(filepath.Join(t.TempDir(), "other.pem"), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := keyfile.Place(path, other); err != nil {
		t.Fatal(err)
	}
	if got, err := keyfile.Read(path); err != nil || !got.Equal(key) {
		t.Errorf("another key lies there, %v", err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := keyfile.Read(path); err == nil || !strings.Contains(err.Error(), "0600") {
		t.Errorf("a key that others may read: %v", err)
	}
	second := filepath.Join(t.TempDir(), "link.pem")
	if err := os.Link(path, second); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := keyfile.Destroy(path); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is still there, %v", err)
	}
	if raw, err := os.ReadFile(second); err != nil || strings.Trim(string(raw), "\x00") != "" {
		t.Errorf("its blocks still hold the key, %v", err)
	}
}

func TestLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(path, []byte("12 34\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := keyfile.Line(path); err != nil || got != "12 34" {
		t.Errorf("%q, %v", got, err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := keyfile.Line(path); err == nil {
		t.Error("a PIN that others may read was read")
	}
}
