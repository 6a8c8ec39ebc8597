//go:build unix

package vault

import (
	"errors"
	"os"
	"unsafe"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// lockFile takes the lock that bbolt takes, without waiting. Where locks are not to be had,
// bbolt says so when it opens the file.
func lockFile(f *os.File) bool {
	return !errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// noRoom tells that the disk is full, or what this user may have of it.
func noRoom(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }

func unlockFile(f *os.File) { _ = unix.Flock(int(f.Fd()), unix.LOCK_UN) }

// dropPages lets the mapped pages of the file go from memory; they are read again when they
// are needed. It runs inside a transaction, during which the mapping stays where it is.
func dropPages(tx *bbolt.Tx) error {
	info := tx.DB().Info()
	data := *(*unsafe.Pointer)(unsafe.Pointer(&info.Data))
	if data == nil || tx.Size() <= 0 {
		return nil
	}
	_ = unix.Madvise(unsafe.Slice((*byte)(data), tx.Size()), unix.MADV_DONTNEED) // a hint
	return nil
}
