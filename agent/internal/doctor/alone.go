package doctor

import (
	"context"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/agent/internal/card/counter"
	"madoguchi.example/agent/internal/clockfloor"
	"madoguchi.example/agent/internal/scanner"
	"madoguchi.example/agent/internal/scanner/device"
	"madoguchi.example/agent/internal/terminal"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/trust"
)

// Machine is what is examined where no agent runs. Nothing of it is opened as the agent would
// open it: no PIN is asked about, no record is read.
type Machine struct {
	StateDir  string
	Backend   string // where the terminal is not enrolled yet
	Transport http.RoundTripper
	Timeout   time.Duration // of reaching the backend
	Now       func() time.Time
	Rand      io.Reader

	Readers card.Readers   // nil: no cards are read here
	Reader  string         // the only reader to use; "": any
	Devices []*device.Loop // scanners
}

// Parts gives what can be looked at without an agent. The caller may add to it.
func (m Machine) Parts() Parts {
	var load sync.Once
	var t *terminal.Terminal
	var loadErr error
	loaded := func() (*terminal.Terminal, error) {
		load.Do(func() {
			t, loadErr = terminal.Load(terminal.Options{StateDir: m.StateDir, Now: m.Now, Rand: m.Rand, HTTP: m.Transport})
		})
		return t, loadErr
	}
	probe := sync.OnceValue(func() *Probe {
		p := &Probe{URL: m.Backend, Transport: m.Transport, Now: m.Now, Timeout: m.Timeout}
		if t, err := loaded(); err == nil {
			p.URL = t.State().Backend
		}
		return p
	})
	reached := onceReached(probe)
	file := filepath.Join(m.StateDir, vault.FileName)
	parts := Parts{
		Now:       m.Now,
		Enrolment: func(context.Context) error { _, err := loaded(); return err },
		Store:     func(context.Context) (Store, error) { return Store{}, inUse(file) },
		Disk:      Room(m.StateDir),
		Backend:   reached,
		Trust: func(ctx context.Context) (trust.Snapshot, error) {
			t, err := loaded()
			if err != nil {
				return trust.Snapshot{}, fault.Wrap(fault.NotFound, terminal.ErrNoTrust, "no terminal, no trust list")
			}
			return t.Trust(ctx)
		},
		Clock: func(ctx context.Context) Time {
			own := ""
			if reached(ctx) != nil { // whose answer would tell the time
				own = file
			}
			return Time{Reading: clockfloor.Read(m.Now(), m.floor(ctx, loaded, own)), Skew: probe().Skew()}
		},
	}
	if m.Readers != nil {
		parts.Card = m.card
	}
	for _, d := range m.Devices {
		parts.Scanners = append(parts.Scanners, func(context.Context) scanner.Health { return d.Check() })
	}
	return parts
}

// onceReached asks the backend once for all who want to know.
func onceReached(probe func() *Probe) func(context.Context) error {
	var once sync.Once
	var err error
	return func(ctx context.Context) error {
		once.Do(func() { err = probe().Reach(ctx) })
		return err
	}
}

// floor is the newest time that the machine has reason to believe: the trust list's and, with
// nobody to ask, when the terminal's own file was last written; "" for none. What the
// terminal wrote by a clock that was ahead is not believed against the backend.
func (m Machine) floor(ctx context.Context, loaded func() (*terminal.Terminal, error), file string) time.Time {
	var floor time.Time
	if t, err := loaded(); err == nil {
		if snap, err := t.Trust(ctx); err == nil {
			floor = snap.AsOf()
		}
	}
	var info fs.FileInfo
	info, err := os.Stat(file)
	if err == nil && info.ModTime().After(floor) {
		floor = info.ModTime()
	}
	return floor
}

// card looks at the readers without talking to what lies in them.
func (m Machine) card(ctx context.Context) counter.Status {
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	s := counter.Status{PINLeft: -1}
	err := m.Readers.Watch(watching, func(readers []card.Reader) {
		s.Reachable, s.Readers = true, readers
		cancel()
	})
	if err != nil {
		s.Fault = card.WordOf(err)
		return s
	}
	s.Fault = card.NoReader
	for _, r := range s.Readers {
		switch {
		case m.Reader != "" && r.Name != m.Reader:
			s.Fault = card.ReaderUnknown
			continue
		case r.State == card.Gone:
			s.Fault = card.ReaderGone
			continue
		case r.State == card.Mute:
			s.Fault = card.MuteCard
		default:
			s.Fault = ""
		}
		s.Reader = r.Name
		break
	}
	return s
}
