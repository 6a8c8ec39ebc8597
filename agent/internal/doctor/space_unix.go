//go:build unix

package doctor

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"madoguchi.example/agent/internal/vault"
)

func left(dir string) (Space, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return Space{}, err
	}
	block := uint64(s.Bsize)
	return Space{Free: uint64(s.Bavail) * block, Total: uint64(s.Blocks) * block, NoFiles: s.Files > 0 && s.Ffree == 0}, nil
}

// inUse tells whether another process holds the vault's file, without opening it as a vault
// does: that writes.
func inUse(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was recorded yet
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return vault.ErrLocked
	}
	return err // closing the file gives the lock back
}
