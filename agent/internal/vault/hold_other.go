//go:build !unix

package vault

import (
	"os"

	"go.etcd.io/bbolt"
)

// lockFile: where locks are mandatory, bbolt's own keeps others from the file.
func lockFile(*os.File) bool { return true }

func unlockFile(*os.File) {}

func dropPages(*bbolt.Tx) error { return nil }
