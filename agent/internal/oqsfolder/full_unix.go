//go:build unix

package oqsfolder

import (
	"errors"
	"syscall"
)

// isFull tells whether no room is left, of the disk or of a quota.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
