package evdev

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// grab is EVIOCGRAB of linux/input.h: with 1, no other program sees the device's events.
const grab = 0x40044590

// Open opens an input device and takes it from every other program. Closing it gives it back
// and ends a read under way.
func Open(path string) (io.ReadCloser, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open the scanner: %w", err)
	}
	if err := take(f); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("cannot take the scanner: %w", err)
	}
	return f, nil
}

func take(f *os.File) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var refused error
	if err := c.Control(func(fd uintptr) { refused = unix.IoctlSetInt(int(fd), grab, 1) }); err != nil {
		return err
	}
	switch {
	case errors.Is(refused, unix.EBUSY):
		return errHeld
	case errors.Is(refused, unix.ENOTTY) || errors.Is(refused, unix.EINVAL):
		return errNoDevice
	}
	return refused
}
