package cards

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"madoguchi.example/deploy/practice/card"
	"madoguchi.example/deploy/stage"
)

const (
	pcscdProgram = "/usr/sbin/pcscd"
	runDir       = "/run/pcscd"
	patience     = 60 * time.Second // a broken test fails after it; none needs it
)

// readerConfig is a reader of two slots, at the ports in slots.
const readerConfig = `FRIENDLYNAME "Virtual PCD"
DEVICENAME   /dev/null:0x8C7B
LIBPATH      ` + vpcdLibrary + `
CHANNELID    0x8C7B
`

// slots are where vpcd listens, and readers are their names.
var (
	slots   = []string{"127.0.0.1:35963", "127.0.0.1:35964"}
	readers = []string{"Virtual PCD 00 00", "Virtual PCD 00 01"}
)

// daemon is pcscd with two empty readers.
type daemon struct {
	t       testing.TB
	config  string
	process *stage.Process
}

func startDaemon(t testing.TB) *daemon {
	t.Helper()
	d := &daemon{t: t, config: filepath.Join(t.TempDir(), "reader.conf")}
	if err := os.WriteFile(d.config, []byte(readerConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	d.start()
	t.Cleanup(func() {
		d.kill()
		if t.Failed() {
			t.Logf("pcscd said:\n%s", d.process.Output())
		}
	})
	return d
}

// in is the same daemon for a part of the test.
func (d *daemon) in(t *testing.T) *daemon {
	part := *d
	part.t = t
	return &part
}

func (d *daemon) start() {
	d.t.Helper()
	for _, name := range []string{"pcscd.comm", "pcscd.pid"} {
		if err := os.RemoveAll(filepath.Join(runDir, name)); err != nil {
			d.t.Fatal(err)
		}
	}
	var err error
	d.process, err = stage.Start(stage.Command{Name: "pcscd", Path: pcscdProgram, Args: []string{"--foreground", "--info", "--config", d.config}})
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.process.Said(soon(d.t), "daemon ready"); err != nil {
		d.t.Fatal(err, d.process.Output())
	}
}

// kill ends the daemon as a power cut would.
func (d *daemon) kill() { d.process.Kill() }

func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// Made once: keys take their time.
var (
	authority = sync.OnceValues(func() (*card.Authority, error) { return card.NewAuthority(rand.Reader, time.Now()) })
	keys      = sync.OnceValues(func() (*card.Keys, error) { return card.NewKeys(rand.Reader) })
)

// holder is a synthetic person with everything that is hard to carry.
var holder = card.Person{Name: "髙橋﨑　ヴァシリエヴィチ", Address: "架空県みなと市汐見一丁目２番３号", BirthDate: time.Date(1980, 4, 1, 0, 0, 0, 0, time.UTC), Sex: 2}

// makeCard makes a card that nobody asks for the number; what o leaves out is the tests' own.
func makeCard(t testing.TB, o card.Options) *card.Card {
	t.Helper()
	c := anyCard(t, o)
	t.Cleanup(func() {
		for _, v := range c.Violations() {
			t.Error("a card was asked for what nobody may ask for: ", v)
		}
	})
	return c
}

func anyCard(t testing.TB, o card.Options) *card.Card {
	t.Helper()
	var err error
	if o.Authority == nil {
		if o.Authority, err = authority(); err != nil {
			t.Fatal(err)
		}
	}
	if o.Keys, err = keys(); err != nil {
		t.Fatal(err)
	}
	if o.Person.Name == "" {
		o.Person = holder
	}
	o.Rand, o.Now = rand.Reader, time.Now()
	c, err := card.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// lying is a card in a slot that the daemon knows.
type lying struct {
	*card.Inserted
	takenOut int // cards before it
}

// insert puts a card into a slot until the test ends, and waits until the daemon knows.
func (d *daemon) insert(slot int, c *card.Card, f card.Faults) lying {
	d.t.Helper()
	before, out := d.takenUp(), d.takenOut()
	in := d.put(slot, c, f)
	until(d.t, "the daemon sees the card", func() bool { return d.takenUp() > before })
	return lying{in, out}
}

// takenUp counts the cards that the daemon has taken up.
func (d *daemon) takenUp() int { return strings.Count(d.process.Output(), "Card ATR: ") }

// put puts a card into a slot until the test ends.
func (d *daemon) put(slot int, c *card.Card, f card.Faults) *card.Inserted {
	d.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	d.t.Cleanup(cancel)
	defer context.AfterFunc(soon(d.t), cancel)()
	in, err := card.Insert(ctx, slots[slot], c, f)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(in.Remove)
	return in
}

// until waits until something is so.
func until(t testing.TB, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ctx := soon(t); !so(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
}

// empty takes a card out, unless it is, and waits until the daemon knows.
func (d *daemon) empty(in lying) {
	d.t.Helper()
	in.Remove()
	until(d.t, "the daemon misses the card", func() bool { return d.takenOut() > in.takenOut })
}

// takenOut counts the cards that the daemon has missed.
func (d *daemon) takenOut() int { return strings.Count(d.process.Output(), "Card Removed From ") }

// unplug takes the readers away before the next start.
func (d *daemon) unplug() {
	d.t.Helper()
	if err := os.WriteFile(d.config, nil, 0o600); err != nil {
		d.t.Fatal(err)
	}
}
