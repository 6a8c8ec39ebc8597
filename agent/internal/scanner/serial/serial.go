// Package serial promises the codes of a scanner in USB-COM mode (CDC-ACM), byte for byte:
// no keyboard layout and no input method stands between, so binary codes and Shift_JIS come
// as they were printed.
//
// A code ends at CR or LF, or when nothing more comes for a while. Bytes that are no text
// hold CR and LF as any other, so a code that has begun as none ends by silence alone, and
// one line end behind it is the scanner's. What is over scanner.MaxScanBytes is dropped and
// told. A port that goes away is waited for.
package serial

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"time"

	usb "go.bug.st/serial"

	"madoguchi.example/agent/internal/scanner"
	"madoguchi.example/agent/internal/scanner/device"
)

// Auto looks for the scanner among the USB ports.
const Auto = "auto"

// Defaults.
const (
	DefaultBaud    = 9600
	DefaultSilence = 100 * time.Millisecond
	// silentChars is how many characters' time is silence at a slow speed.
	silentChars = 30
	bitsAChar   = 10
)

// Config is what a scanner's port is opened with. Now is required.
type Config struct {
	Port string // a name, Auto, or "" for none
	Baud int    // 0: DefaultBaud; a USB port ignores it
	Now  func() time.Time
	Log  *slog.Logger // nil: none

	Silence time.Duration // 0: DefaultSilence, or longer for a slow port
	Retry   time.Duration // how long a port that is not there is waited for; 0: device.DefaultRetry
	// Changed is told when Health changed but for LastScan. It may be nil and must not block.
	Changed func()
	// List and Open reach the machine's ports; nil: List and Open of this package.
	List func() ([]Port, error)
	Open func(name string, baud int) (io.ReadCloser, error)
}

// New gives the scanner at a port. It opens nothing until Run.
func New(c Config) *device.Loop {
	if c.Baud <= 0 {
		c.Baud = DefaultBaud
	}
	if c.Silence <= 0 {
		c.Silence = max(DefaultSilence, time.Duration(silentChars*bitsAChar)*time.Second/time.Duration(c.Baud))
	}
	if c.List == nil {
		c.List = List
	}
	if c.Open == nil {
		c.Open = Open
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return device.New(device.Config{
		Used: c.Port != "", Automatic: c.Port == Auto, Silence: c.Silence, Retry: c.Retry, Now: c.Now, Log: c.Log, Changed: c.Changed,
		Find: c.find, Fault: faultOf,
		Open:  func(name string) (io.ReadCloser, error) { return c.Open(name, c.Baud) },
		Frame: func(take func(scanner.Scan)) device.Framer { return &framer{take: take} },
	})
}

// Open opens a port for this program alone: 8 bits, no parity, one stop bit. Closing it ends
// a read under way.
func Open(name string, baud int) (io.ReadCloser, error) {
	return usb.Open(name, &usb.Mode{BaudRate: baud, DataBits: 8, Parity: usb.NoParity, StopBits: usb.OneStopBit})
}

// find gives the configured port, or looks for the one that is a scanner's.
func (c Config) find() (name, fault string) {
	if c.Port != Auto {
		return c.Port, ""
	}
	ports, err := c.List()
	if err != nil {
		c.Log.Warn("the ports cannot be listed", "error", err)
		return "", scanner.Failed
	}
	return Choose(ports)
}

func faultOf(err error) string {
	if e, ok := errors.AsType[*usb.PortError](err); ok {
		switch e.Code() {
		case usb.PortBusy:
			return scanner.Busy
		case usb.PortNotFound:
			return scanner.NoDevice
		case usb.PermissionDenied:
			return scanner.NoPermission
		}
		return scanner.NoScanner
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) || gone(err):
		return scanner.NoDevice
	case errors.Is(err, fs.ErrPermission):
		return scanner.NoPermission
	}
	return scanner.Failed
}
