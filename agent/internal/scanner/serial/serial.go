// Package serial promises the codes of a scanner in USB-COM mode, byte for byte.
package serial

import usb "go.bug.st/serial"

// Mode is how a port is set.
type Mode = usb.Mode
