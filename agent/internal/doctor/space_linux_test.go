package doctor_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"madoguchi.example/agent/internal/doctor"
)

// ownMounts runs do on a thread whose mounts nobody else sees.
func ownMounts(t *testing.T, do func() error) {
	t.Helper()
	ended := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its mounts
		if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
			ended <- err
			return
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			ended <- err
			return
		}
		ended <- do()
	}()
	if err := <-ended; errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		t.Skipf("mounts of its own need the superuser here: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
}

// TestARealDisk fills a file system of 64 KB and makes it read-only.
func TestARealDisk(t *testing.T) {
	dir := t.TempDir()
	var before, full, readOnly error
	ownMounts(t, func() error {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=65536"); err != nil {
			return err
		}
		_, before = doctor.Room(dir)()
		fill, err := os.Create(filepath.Join(dir, "fill"))
		if err != nil {
			return err
		}
		for err == nil {
			_, err = fill.Write(make([]byte, 4096))
		}
		if err := fill.Close(); err != nil {
			return err
		}
		var space doctor.Space
		space, full = doctor.Room(dir)()
		if space.Free != 0 || space.Total != 65536 {
			return errors.New("the full disk has another size")
		}
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			return err
		}
		_, readOnly = doctor.Room(dir)()
		return nil
	})
	if before != nil || !errors.Is(full, syscall.ENOSPC) || !errors.Is(readOnly, syscall.EROFS) {
		t.Errorf("%v, %v, %v", before, full, readOnly)
	}
	for _, err := range []error{full, readOnly} {
		f := only(t, doctor.Parts{Disk: func() (doctor.Space, error) { return doctor.Space{}, err }})
		if f.OK() || f.Code() != 13 {
			t.Errorf("%v: %s", err, told(f))
		}
	}
}

func TestRoomLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	space, err := doctor.Room(dir)()
	if err != nil || space.Total == 0 {
		t.Errorf("%+v %v", space, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v %v", left, err)
	}
	if _, err := doctor.Room(filepath.Join(dir, "gone"))(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if os.Geteuid() != 0 {
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		if _, err := doctor.Room(dir)(); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%v", err)
		}
	}
}
