//go:build unix

package oqsfolder

import (
	"os"
	"syscall"
)

// openShared opens for reading without waiting for a writer and without following links.
// Others may write, move and remove the file meanwhile.
func openShared(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
}
