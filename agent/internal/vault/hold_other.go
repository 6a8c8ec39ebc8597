//go:build !unix

package vault

import (
	"errors"
	"os"
	"syscall"

	"go.etcd.io/bbolt"
)

// lockFile: where locks are mandatory, bbolt's own keeps others from the file.
func lockFile(*os.File) bool { return true }

// noRoom tells that the disk is full.
func noRoom(err error) bool { return errors.Is(err, syscall.ENOSPC) }

func unlockFile(*os.File) {}

func dropPages(*bbolt.Tx) error { return nil }
