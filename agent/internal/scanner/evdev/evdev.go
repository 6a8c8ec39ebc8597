// Package evdev promises the codes of a scanner that acts as a keyboard, heard by the agent
// alone: on a kiosk no window needs to have the focus, and no key of a code can be a
// shortcut, because the device is taken from the desktop.
//
// Keys come with their numbers, so a wrong layout loses nothing: where the configured one
// makes no known form of a code and the other does, the other is taken and told. Keys that
// are no characters mean nothing. A code ends with Enter or Tab, or when nothing more comes.
package evdev

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"madoguchi.example/agent/internal/scanner"
	"madoguchi.example/agent/internal/scanner/device"
	"madoguchi.example/agent/internal/scanner/keys"
)

// DefaultSilence ends a code of a scanner that sends no Enter.
const DefaultSilence = 150 * time.Millisecond

// Config is what a scanner's input device is opened with. Now is required.
type Config struct {
	// Device is a path below /dev/input/by-id, which stays the same over unplugging, or a
	// pattern such as /dev/input/by-id/*-event-kbd; "" for none. Of what a pattern matches
	// only a device whose name says that it is a scanner is taken: never the keyboard.
	Device string
	Layout keys.Layout // "": US
	Now    func() time.Time
	Log    *slog.Logger // nil: none

	Silence time.Duration // 0: DefaultSilence
	Retry   time.Duration // 0: device.DefaultRetry
	Changed func()        // told when Health changed but for LastScan; may be nil; must not block
	// Open opens a device for this program alone; nil: Open of this package.
	Open func(path string) (io.ReadCloser, error)
}

// New gives the scanner at an input device. It opens nothing until Run.
func New(c Config) *device.Loop {
	if c.Layout == "" {
		c.Layout = keys.US
	}
	if c.Silence <= 0 {
		c.Silence = DefaultSilence
	}
	if c.Open == nil {
		c.Open = Open
	}
	return device.New(device.Config{
		Used: c.Device != "", Silence: c.Silence, Retry: c.Retry, Now: c.Now, Log: c.Log, Changed: c.Changed,
		Find: c.find, Open: c.Open, Fault: faultOf,
		Frame: func(take func(scanner.Scan)) device.Framer {
			return &framer{events: decoder{size: eventBytes}, typist: newTypist(c.Layout, take)}
		},
	})
}

// find gives the configured device, or the one scanner among those that match.
func (c Config) find() (name, fault string) {
	if !strings.ContainsAny(c.Device, "*?[") {
		return c.Device, ""
	}
	matches, err := filepath.Glob(c.Device)
	if err != nil {
		return c.Device, scanner.Failed
	}
	var sure []string
	for _, m := range matches {
		if scanner.Named(filepath.Base(m)) {
			sure = append(sure, m)
		}
	}
	switch {
	case len(sure) == 1:
		return sure[0], ""
	case len(sure) > 1:
		return strings.Join(sure, " "), scanner.SeveralPorts
	case len(matches) > 0:
		return strings.Join(matches, " "), scanner.UnknownPort
	}
	return "", scanner.NoDevice
}

// Errors of Open besides those of the file system.
var (
	errHeld     = errors.New("another program holds the device")
	errNoDevice = errors.New("it is no input device")
)

func faultOf(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return scanner.NoDevice
	case errors.Is(err, fs.ErrPermission):
		return scanner.NoPermission
	case errors.Is(err, errHeld):
		return scanner.Busy
	case errors.Is(err, errNoDevice):
		return scanner.NoScanner
	}
	return scanner.Failed
}

// eventBytes is the size of the kernel's struct input_event: two words of time, then type,
// code and value.
const eventBytes = 2*strconv.IntSize/8 + 8

// Of the kinds of events, and of what they say, the ones that matter here.
const (
	kindSync    = 0
	kindKey     = 1
	syncReport  = 0
	syncDropped = 3
	released    = 0
	pressed     = 1
)

// event is one input event without its time.
type event struct {
	kind, code uint16
	value      int32
}

// decoder cuts bytes into events of size bytes, in the machine's own byte order.
type decoder struct {
	size int
	rest []byte // of an event that has not come whole
}

func (d *decoder) feed(chunk []byte, each func(event)) {
	d.rest = append(d.rest, chunk...)
	for len(d.rest) >= d.size {
		tail := d.rest[d.size-8 : d.size]
		each(event{
			kind: binary.NativeEndian.Uint16(tail), code: binary.NativeEndian.Uint16(tail[2:]),
			value: int32(binary.NativeEndian.Uint32(tail[4:])),
		})
		d.rest = d.rest[d.size:]
	}
	d.rest = append([]byte(nil), d.rest...)
}

// framer is the device.Framer of an input device.
type framer struct {
	events decoder
	typist *typist
}

// Feed takes what came next.
func (f *framer) Feed(chunk []byte) { f.events.feed(chunk, f.typist.take) }

// Silent is told that nothing came for a while.
func (f *framer) Silent() { f.typist.end() }
