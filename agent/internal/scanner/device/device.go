// Package device promises one life for every scanner that the agent listens to by itself:
// it is found, opened, listened to until it goes away, and waited for; what it delivers is
// cut into codes by what comes and by silence; how it is can be asked at any time.
package device

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"madoguchi.example/agent/internal/scanner"
)

// DefaultRetry is how long a device that is not there is waited for.
const DefaultRetry = 2 * time.Second

// chunkBytes is how much is read at once.
const chunkBytes = 1024

// Framer cuts what a device delivers into codes. Its calls never overlap.
type Framer interface {
	Feed(chunk []byte)
	Silent() // nothing came for Config.Silence
}

// Config is what a Loop is made of. Retry may be 0, Log and Changed nil.
type Config struct {
	Used      bool // false: Run does nothing
	Automatic bool
	Silence   time.Duration
	Retry     time.Duration // 0: DefaultRetry
	Now       func() time.Time
	Log       *slog.Logger
	Changed   func() // told when Health changed but for LastScan; must not block

	Find  func() (name, fault string)              // the device to open, or why there is none
	Open  func(name string) (io.ReadCloser, error) // closing ends a read under way
	Fault func(error) string                       // the word for an error of Open
	Frame func(take func(scanner.Scan)) Framer     // a new one for each opening
}

// Loop is one scanner's life. It is a scanner.Source.
type Loop struct {
	config Config

	mu     sync.Mutex
	health scanner.Health
}

var _ scanner.Source = (*Loop)(nil)

// New makes a Loop. It opens nothing until Run.
func New(c Config) *Loop {
	if c.Retry <= 0 {
		c.Retry = DefaultRetry
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Loop{config: c, health: scanner.Health{Used: c.Used, Automatic: c.Automatic}}
}

// Health tells how the scanner is. It is safe for concurrent use.
func (l *Loop) Health() scanner.Health {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.health
}

func (l *Loop) is(ready bool, fault, device string) {
	l.mu.Lock()
	h := &l.health
	changed := h.Since.IsZero() || h.Ready != ready || h.Fault != fault || h.Device != device
	if changed {
		h.Ready, h.Fault, h.Device, h.Since = ready, fault, device, l.config.Now()
	}
	l.mu.Unlock()
	if !changed {
		return
	}
	l.config.Log.Info("scanner", "device", device, "ready", ready, "fault", fault)
	if l.config.Changed != nil {
		l.config.Changed()
	}
}

// Run hands each code on, in order, until ctx ends, and gives ctx's error. take must not
// block for long: codes wait in the machine's own buffer meanwhile.
func (l *Loop) Run(ctx context.Context, take func(scanner.Scan)) error {
	if !l.config.Used {
		<-ctx.Done()
	}
	for ctx.Err() == nil {
		l.once(ctx, take)
		wait(ctx, l.config.Retry)
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

// Check finds and opens the device once, closes it again and gives its health, for a program
// that does not run on.
func (l *Loop) Check() scanner.Health {
	if !l.config.Used {
		return l.Health()
	}
	if port, _ := l.open(); port != nil {
		_ = port.Close()
	}
	return l.Health()
}

// open finds the device and opens it; nil where that cannot be.
func (l *Loop) open() (port io.ReadCloser, name string) {
	name, fault := l.config.Find()
	if fault == "" {
		var err error
		if port, err = l.config.Open(name); err != nil {
			fault = l.config.Fault(err)
		}
	}
	if fault != "" {
		l.is(false, fault, name)
		return nil, name
	}
	l.is(true, "", name)
	return port, name
}

// once opens the device and listens until it goes away.
func (l *Loop) once(ctx context.Context, take func(scanner.Scan)) {
	port, name := l.open()
	if port == nil {
		return
	}
	err := l.listen(ctx, port, func(s scanner.Scan) {
		l.mu.Lock()
		l.health.LastScan = l.config.Now()
		l.mu.Unlock()
		take(s)
	})
	if ctx.Err() == nil {
		l.config.Log.Warn("the scanner was lost", "device", name, "error", err)
		l.is(false, scanner.NoDevice, name)
	}
}

// listen reads until the device fails or ctx ends, and closes it. A code begun when it fails
// is lost with it: half a code is none.
func (l *Loop) listen(ctx context.Context, port io.ReadCloser, take func(scanner.Scan)) error {
	chunks, failed, done := make(chan []byte), make(chan error, 1), make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() { failed <- read(port, chunks, done) })
	defer reading.Wait()
	defer func() { _ = port.Close() }()
	defer close(done)
	framer := l.config.Frame(take)
	silence := time.NewTimer(l.config.Silence)
	defer silence.Stop()
	for {
		select {
		case chunk := <-chunks:
			framer.Feed(chunk)
			silence.Reset(l.config.Silence)
		case <-silence.C:
			framer.Silent()
		case err := <-failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func read(port io.Reader, chunks chan<- []byte, done <-chan struct{}) error {
	for {
		chunk := make([]byte, chunkBytes)
		n, err := port.Read(chunk)
		if n > 0 {
			select {
			case chunks <- chunk[:n]:
			case <-done:
				return nil
			}
		}
		if err != nil {
			return err
		}
	}
}
