package vault

import (
	"os"

	"golang.org/x/sys/unix"
)

// allocate has the disk set aside room for a part of the file, beyond its end as well, without
// making it longer.
func allocate(f *os.File, from, to int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, from, to-from)
		if err != unix.EINTR {
			return err
		}
	}
}
