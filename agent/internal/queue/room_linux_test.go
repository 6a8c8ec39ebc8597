package queue_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// smallDisk names the environment variable by which the test runs itself with a disk of its own.
const smallDisk = "MADOGUCHI_TEST_SMALL_DISK"

// On a disk that is full, new work is refused, and all that waits is settled: room for it was
// set aside before, where no other program can take it. What is settled makes room for new work.
func TestAFullDiskStillSettles(t *testing.T) {
	dir := os.Getenv(smallDisk)
	if dir == "" {
		alone(t)
		return
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=12m"); err != nil {
		t.Skip("no disk of its own: ", err)
	}
	p := newPlace(t)
	p.noSync = false
	if err := os.CopyFS(dir, os.DirFS(p.dir)); err != nil {
		t.Fatal(err)
	}
	p.dir = dir
	if err := os.Chmod(filepath.Join(dir, "k"), 0o600); err != nil {
		t.Fatal(err)
	}
	q := p.begin()
	d := draft(0)
	d.Body = []byte(`{"s":"` + strings.Repeat("x", 1000) + `"}`)
	stored, err := 0, error(nil)
	for ; err == nil; stored++ {
		_, err = q.Append(t.Context(), d)
	}
	if stored--; fault.CodeOf(err) != fault.QueueFull || stored < 1000 {
		t.Fatalf("after %d: %v", stored, err)
	}
	others(t, filepath.Join(dir, "others"))
	q = p.again(q)
	if s := q.Stats(); s.Pending != stored {
		t.Fatalf("%d of %d wait", s.Pending, stored)
	}
	for left := stored; left > 0; {
		rs, err := q.Peek(t.Context(), wire.MaxBatchRecords, wire.BatchBudget)
		if err != nil || len(rs) == 0 {
			t.Fatalf("%d left: %v", left, err)
		}
		settle(t, q, wire.Accepted, rs...)
		left -= len(rs)
	}
	for n := range 50 { // what the backend has makes room
		d.ID = ""
		if _, err := q.Append(t.Context(), d); err != nil {
			t.Fatalf("new work %d: %v", n, err)
		}
	}
	if s := q.Stats(); s.Kept == 0 || s.Kept >= stored || s.Pending != 50 {
		t.Errorf("%+v", s)
	}
}

// others fills the disk to the last byte.
func others(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for n := 1 << 16; n > 0; {
		if _, err := f.Write(make([]byte, n)); errors.Is(err, syscall.ENOSPC) {
			n /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// alone runs the test by itself where it may mount. A container, or a kernel that restricts
// namespaces, may forbid it: then the test is skipped, and says so.
func alone(t *testing.T) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), smallDisk+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	switch {
	case errors.As(err, &failed):
		t.Errorf("%s", out)
	case err != nil:
		t.Skip("no namespace of its own: ", err)
	case bytes.Contains(out, []byte("--- SKIP")):
		t.Skipf("%s", out)
	default:
		t.Logf("%s", out)
	}
}
