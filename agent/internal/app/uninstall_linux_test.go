package app_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"madoguchi.example/agent/internal/app"
	"madoguchi.example/agent/internal/vault"
)

// watchDeleted tells what is deleted in the folders from now on, in its order.
func watchDeleted(t *testing.T, folders ...string) func() []string {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "inotify")
	t.Cleanup(func() { _ = f.Close() })
	for _, folder := range folders {
		if _, err := unix.InotifyAddWatch(fd, folder, unix.IN_DELETE|unix.IN_MOVED_FROM); err != nil {
			t.Fatal(err)
		}
	}
	return func() (names []string) {
		raw := make([]byte, 1<<16)
		n, err := unix.Read(fd, raw)
		if err != nil {
			t.Fatal(err)
		}
		for raw = raw[:n]; len(raw) > 0; {
			size := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(raw[12:]))
			names = append(names, string(bytes.TrimRight(raw[unix.SizeofInotifyEvent:size], "\x00")))
			raw = raw[size:]
		}
		return slices.DeleteFunc(names, func(name string) bool { return name == "" })
	}
}

// Keys go before anything else: a power cut at any step leaves nothing that opens.
func TestUninstallDeletesTheKeysFirst(t *testing.T) {
	c := enrolled(t, newOffice(t))
	elsewhere := filepath.Join(t.TempDir(), "guard.key")
	c.env["MADOGUCHI_AGENT_VAULT_KEY_FILE"] = elsewhere
	c.says(app.ExitOK, "queue", "status") // makes the file and its keys
	deleted := watchDeleted(t, c.dir, filepath.Dir(elsewhere))
	c.says(app.ExitOK, "uninstall", "--yes")
	names := deleted()
	file := slices.Index(names, vault.FileName)
	if file < 0 {
		t.Fatalf("the terminal's file was not deleted: %v", names)
	}
	for _, key := range []string{vault.KeysDir, "terminal.key", "answers.key", "guard.key"} {
		if at := slices.Index(names, key); at < 0 || at > file {
			t.Errorf("%s went at %d, the terminal's file at %d: %v", key, at, file, names)
		}
	}
}
