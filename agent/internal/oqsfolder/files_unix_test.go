//go:build unix

package oqsfolder_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"madoguchi.example/agent/internal/oqsfolder"
)

func TestOnlyFilesAreRead(t *testing.T) {
	w := newWorld(t, nil)
	secret := w.put(w.req, "secret", answer(record(1), "1", "1", ""), 0)
	if err := os.Symlink(secret, filepath.Join(w.res, ours(1))); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(w.res, ours(2)), 0o600); err != nil {
		t.Fatal(err)
	}
	w.scan()
	w.want("")
	// Exchanged between listing and reading.
	w.put(w.res, ours(3), answer(record(3), "1", "1", ""), 0)
	w.x.Use(oqsfolder.Disk{Read: func(path string) {
		if err := errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)); err != nil {
			t.Error(err)
		}
	}})
	w.scan()
	w.want("")
}
