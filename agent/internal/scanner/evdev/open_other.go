//go:build !linux

package evdev

import (
	"errors"
	"io"
)

var errNotOnThis = errors.New("this system has no input devices of this kind")

// Open fails: only Linux has such devices.
func Open(string) (io.ReadCloser, error) { return nil, errNotOnThis }
