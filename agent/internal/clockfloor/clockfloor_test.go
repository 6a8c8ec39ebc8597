package clockfloor_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/clockfloor"
	"madoguchi.example/agent/internal/vault"
)

var noon = time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)

// place is a terminal whose clock and sources a test sets.
type place struct {
	t                  *testing.T
	dir                string
	now, list, records time.Time
	faults             []error
}

func newPlace(t *testing.T) *place {
	p := &place{t: t, dir: t.TempDir(), now: noon}
	if err := p.key().Create(rand.NewChaCha8([32]byte{1})); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *place) key() vault.KeyFile { return vault.KeyFile(filepath.Join(p.dir, "vault.key")) }

func (p *place) config(shelf clockfloor.Shelf) clockfloor.Config {
	return clockfloor.Config{
		Shelf: shelf, Now: func() time.Time { return p.now },
		Backend: []func() time.Time{func() time.Time { return p.list }},
		Own:     []func() time.Time{func() time.Time { return p.records }},
		Failed:  func(err error) { p.faults = append(p.faults, err) },
	}
}

// session opens the vault as the agent does. What the next one finds is the files as they
// lay on the disk before this one was closed, as after a loss of power.
func (p *place) session(do func(f *clockfloor.Floor)) {
	p.t.Helper()
	v, err := vault.Open(p.t.Context(), p.dir, vault.Options{Key: p.key(), Now: func() time.Time { return p.now }, Rand: rand.NewChaCha8([32]byte{2}), Terminal: "trm_1"})
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	do(clockfloor.Open(p.t.Context(), p.config(v.Shelf(clockfloor.ShelfName))))
	next := p.t.TempDir()
	if err := os.CopyFS(next, os.DirFS(p.dir)); err != nil {
		p.t.Fatal(err)
	}
	p.dir = next
	if err := os.Chmod(string(p.key()), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) wants(f *clockfloor.Floor, at time.Time, back time.Duration) {
	p.t.Helper()
	if r := f.Read(); !r.At.Equal(at) || r.SetBack != back {
		p.t.Errorf("at %s, %s behind; want %s, %s", r.At, r.SetBack, at, back)
	}
}

func TestTheFloorNeverGoesBack(t *testing.T) {
	p := newPlace(t)
	p.session(func(f *clockfloor.Floor) {
		p.wants(f, noon, 0)
		f.Heard(noon.Add(time.Hour))
		p.wants(f, noon.Add(time.Hour), time.Hour)
		f.Heard(noon.Add(-time.Hour)) // an answer that was on its way for long
		p.wants(f, noon.Add(time.Hour), time.Hour)
		p.now = noon.Add(time.Hour - clockfloor.Leeway)
		p.wants(f, p.now, 0)
		p.list = noon.Add(2 * time.Hour)
		p.wants(f, p.list, time.Hour+clockfloor.Leeway)
		p.records = noon.Add(3 * time.Hour)
		p.wants(f, p.records, 2*time.Hour+clockfloor.Leeway)
		p.list, p.records = time.Time{}, time.Time{} // both are gone, as after a lost file
		p.wants(f, noon.Add(3*time.Hour), 2*time.Hour+clockfloor.Leeway)
	})
	p.now = noon.AddDate(-5, 0, 0) // the battery is empty: the machine starts years ago
	p.session(func(f *clockfloor.Floor) {
		p.wants(f, noon.Add(3*time.Hour), noon.Add(3*time.Hour).Sub(p.now))
		p.now = noon.AddDate(0, 0, 1)
		p.wants(f, p.now, 0)
	})
	if p.faults != nil {
		t.Errorf("%v", p.faults)
	}
}

// A clock that stood ahead left records of a time to come. The backend's word ends that, for
// good, and the records of the right time count again once they are later.
func TestTheBackendCorrectsAClockThatStoodAhead(t *testing.T) {
	p := newPlace(t)
	ahead := noon.AddDate(2, 0, 0)
	p.records = ahead
	p.session(func(f *clockfloor.Floor) {
		p.wants(f, ahead, ahead.Sub(noon))
		f.Heard(noon.Add(time.Second))
		p.wants(f, noon, 0)
	})
	p.session(func(f *clockfloor.Floor) {
		p.wants(f, noon, 0)
		p.now = noon.Add(-time.Hour)
		p.wants(f, noon.Add(time.Second), time.Hour+time.Second)
		p.records = ahead.Add(time.Hour)
		p.wants(f, p.records, p.records.Sub(p.now))
	})
	p.list = noon.AddDate(3, 0, 0)
	p.session(func(f *clockfloor.Floor) { p.wants(f, p.list, p.list.Sub(p.now)) })
}

// broken is a shelf that a full or failing disk gives.
type broken struct {
	mu     sync.Mutex
	value  []byte
	puts   int
	failed bool
}

func (b *broken) Get(context.Context, string) ([]byte, bool, error) {
	return b.value, b.value != nil, nil
}

func (b *broken) Put(_ context.Context, _ string, value []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.puts++
	if b.failed {
		return errors.New("disk full")
	}
	b.value = value
	return nil
}

func TestADiskThatFailsHoldsNothingUp(t *testing.T) {
	p := newPlace(t)
	disk := &broken{failed: true}
	f := clockfloor.Open(t.Context(), p.config(disk))
	f.Heard(noon.Add(time.Hour))
	p.wants(f, noon.Add(time.Hour), time.Hour)
	if len(p.faults) == 0 {
		t.Error("nobody was told")
	}
	disk.value = []byte("{")
	f = clockfloor.Open(t.Context(), p.config(disk))
	p.wants(f, noon, 0)
}

// A reading writes only where the floor has grown: a counter reads all day.
func TestReadingsSeldomWrite(t *testing.T) {
	p := newPlace(t)
	disk := &broken{}
	f := clockfloor.Open(t.Context(), p.config(disk))
	for i := range 120 {
		p.now = noon.Add(time.Duration(i) * time.Second)
		p.records = p.now
		f.Heard(p.now)
		f.Read()
	}
	if disk.puts > 3 {
		t.Errorf("%d writes in two minutes", disk.puts)
	}
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() { f.Heard(noon.Add(time.Hour)); f.Read() })
	}
	work.Wait()
	p.wants(f, noon.Add(time.Hour), noon.Add(time.Hour).Sub(p.now))
}

// What the backend said is told apart from what the terminal wrote itself.
func TestTheBackendsOwnTime(t *testing.T) {
	p := newPlace(t)
	f := clockfloor.Open(t.Context(), p.config(&broken{}))
	p.records = noon.Add(48 * time.Hour)
	before := f.Backend()
	f.Heard(noon.Add(time.Hour))
	f.Heard(noon.Add(time.Minute))
	if got := f.Backend(); before.After(noon) || !got.Equal(noon.Add(time.Hour)) {
		t.Errorf("got %v, before %v", got, before)
	}
}

// A shelf that was replaced by what could be salvaged of it gets the floor back.
func TestTheFloorSurvivesItsShelf(t *testing.T) {
	p := newPlace(t)
	s := &casebook.Memory{}
	shelf := memory{s}
	f := clockfloor.Open(t.Context(), p.config(shelf))
	f.Heard(noon.Add(time.Hour))
	if err := s.Delete(t.Context(), "floor"); err != nil {
		t.Fatal(err)
	}
	f.Keep()
	p.wants(clockfloor.Open(t.Context(), p.config(shelf)), noon.Add(time.Hour), time.Hour)
}

// memory is a shelf that is not on disk.
type memory struct{ *casebook.Memory }

func (m memory) Put(ctx context.Context, key string, value []byte) error {
	return m.PutAll(ctx, map[string][]byte{key: value})
}
