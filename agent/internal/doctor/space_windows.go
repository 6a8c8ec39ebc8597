package doctor

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"

	"madoguchi.example/agent/internal/vault"
)

func left(dir string) (Space, error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return Space{}, err
	}
	var s Space
	if err := windows.GetDiskFreeSpaceEx(name, &s.Free, &s.Total, nil); err != nil {
		return Space{}, err
	}
	return s, nil
}

// inUse tells whether another process holds the vault's file.
func inUse(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // nothing was recorded yet
	case errors.Is(err, windows.ERROR_SHARING_VIOLATION):
		return vault.ErrLocked
	case err != nil:
		return err
	}
	defer func() { _ = f.Close() }()
	var at windows.Overlapped
	const exclusiveNow = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	if err := windows.LockFileEx(windows.Handle(f.Fd()), exclusiveNow, 0, 1, 0, &at); err != nil {
		return vault.ErrLocked
	}
	return nil // closing the file gives the lock back
}
