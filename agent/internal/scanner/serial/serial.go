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
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	usb "go.bug.st/serial"

	"madoguchi.example/agent/internal/scanner"
)

// Auto looks for the scanner among the USB ports.
const Auto = "auto"

// Defaults.
const (
	DefaultBaud    = 9600
	DefaultSilence = 100 * time.Millisecond
	DefaultRetry   = 2 * time.Second
	// silentChars is how many characters' time is silence at a slow speed.
	silentChars = 30
	bitsAChar   = 10
)

// Config is what a Reader is made of. Now is required.
type Config struct {
	Port string // a name, Auto, or "" for none
	Baud int    // 0: DefaultBaud; a USB port ignores it
	Now  func() time.Time
	Log  *slog.Logger // nil: none

	Silence time.Duration // 0: DefaultSilence, or longer for a slow port
	Retry   time.Duration // how long a port that is not there is waited for; 0: DefaultRetry
	// Changed is told when Health changed but for LastScan. It may be nil and must not block.
	Changed func()
	// List and Open reach the machine's ports; nil: List and Open of this package.
	List func() ([]Port, error)
	Open func(name string, baud int) (io.ReadCloser, error)
}

// Reader reads one scanner. It is a scanner.Source.
type Reader struct {
	config Config

	mu     sync.Mutex
	health scanner.Health
}

var _ scanner.Source = (*Reader)(nil)

// New makes a Reader. It opens nothing until Run.
func New(c Config) *Reader {
	if c.Baud <= 0 {
		c.Baud = DefaultBaud
	}
	if c.Silence <= 0 {
		c.Silence = max(DefaultSilence, time.Duration(silentChars*bitsAChar)*time.Second/time.Duration(c.Baud))
	}
	if c.Retry <= 0 {
		c.Retry = DefaultRetry
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
	return &Reader{config: c, health: scanner.Health{Used: c.Port != "", Automatic: c.Port == Auto}}
}

// Open opens a port for this program alone: 8 bits, no parity, one stop bit. Closing it ends
// a read under way.
func Open(name string, baud int) (io.ReadCloser, error) {
	return usb.Open(name, &usb.Mode{BaudRate: baud, DataBits: 8, Parity: usb.NoParity, StopBits: usb.OneStopBit})
}

// Health tells how the scanner is. It is safe for concurrent use.
func (r *Reader) Health() scanner.Health {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.health
}

func (r *Reader) is(ready bool, fault, device string) {
	r.mu.Lock()
	h := &r.health
	changed := h.Since.IsZero() || h.Ready != ready || h.Fault != fault || h.Device != device
	if changed {
		h.Ready, h.Fault, h.Device, h.Since = ready, fault, device, r.config.Now()
	}
	r.mu.Unlock()
	if !changed {
		return
	}
	r.config.Log.Info("scanner", "port", device, "ready", ready, "fault", fault)
	if r.config.Changed != nil {
		r.config.Changed()
	}
}

// Run hands each code on, in order, until ctx ends, and gives ctx's error. take must not
// block for long: codes wait in the machine's own buffer meanwhile.
func (r *Reader) Run(ctx context.Context, take func(scanner.Scan)) error {
	for ctx.Err() == nil {
		if r.config.Port == "" {
			<-ctx.Done()
			break
		}
		r.once(ctx, take)
		wait(ctx, r.config.Retry)
	}
	return ctx.Err()
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// once finds the port, opens it and listens until it goes away.
func (r *Reader) once(ctx context.Context, take func(scanner.Scan)) {
	name, fault := r.config.Port, ""
	if name == Auto {
		name, fault = r.find()
	}
	if fault != "" {
		r.is(false, fault, name)
		return
	}
	port, err := r.config.Open(name, r.config.Baud)
	if err != nil {
		r.is(false, faultOf(err), name)
		return
	}
	r.is(true, "", name)
	err = r.listen(ctx, port, func(s scanner.Scan) {
		r.mu.Lock()
		r.health.LastScan = r.config.Now()
		r.mu.Unlock()
		take(s)
	})
	if ctx.Err() == nil {
		r.config.Log.Warn("the scanner's port was lost", "port", name, "error", err)
		r.is(false, scanner.NoDevice, name)
	}
}

// find looks for the one port that is a scanner's.
func (r *Reader) find() (name, fault string) {
	ports, err := r.config.List()
	if err != nil {
		r.config.Log.Warn("the ports cannot be listed", "error", err)
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

// listen frames what the port delivers until it fails or ctx ends, and closes it. A code
// begun when the port fails is lost with it: half a code is none.
func (r *Reader) listen(ctx context.Context, port io.ReadCloser, take func(scanner.Scan)) error {
	chunks, failed, done := make(chan []byte), make(chan error, 1), make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			chunk := make([]byte, 1024)
			n, err := port.Read(chunk)
			if n > 0 {
				select {
				case chunks <- chunk[:n]:
				case <-done:
					return
				}
			}
			if err != nil {
				failed <- err
				return
			}
		}
	})
	defer reading.Wait()
	defer func() { _ = port.Close() }()
	defer close(done)
	f := framer{take: take}
	silence := time.NewTimer(r.config.Silence)
	defer silence.Stop()
	for {
		select {
		case chunk := <-chunks:
			f.feed(chunk)
			silence.Reset(r.config.Silence)
		case <-silence.C:
			f.silent()
		case err := <-failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
