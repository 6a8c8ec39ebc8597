package doctor

import (
	"errors"
	"fmt"
	"os"
)

// probeBytes is what is written to see whether a disk takes it.
const probeBytes = 4 << 10

// Room looks at the file system of a folder: it writes a file of its own there, takes it away
// and asks what is left. The error says why nothing can be written.
func Room(dir string) func() (Space, error) {
	return func() (Space, error) {
		s, err := left(dir)
		if err != nil {
			return s, fmt.Errorf("cannot look at the disk: %w", err)
		}
		s.FastCommit = fastCommit(dir)
		if err := tryWriting(dir); err != nil {
			return s, fmt.Errorf("cannot write to the disk: %w", err)
		}
		return s, nil
	}
}

func tryWriting(dir string) error {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, probeBytes))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}
