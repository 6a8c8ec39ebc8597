// Package clockfloor promises a time that does not go back: the newest that the terminal has
// good reason to believe, from the backend's answers, the trust list and its own records.
//
// A clock that is behind it by more than Leeway was set back, or has lost its battery: what
// is judged is then judged at the floor, and a person is told. Nothing else is held up by it.
//
// What the backend said is believed for good. What the terminal wrote itself is believed
// until the backend says that it is earlier: a clock that once stood years ahead must not
// make every certificate expired for ever. The floor is kept durably and survives a restart
// and a loss of power but for its last minute, which the records themselves tell.
package clockfloor

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// Leeway is how far a clock may be behind without a word: clocks differ.
const Leeway = 5 * time.Minute

// step is how much the floor grows before it is written anew.
const step = time.Minute

// ShelfName is the shelf of the vault that holds the floor, and key the key there.
const (
	ShelfName = "clock"
	key       = "floor"
)

// Shelf is encrypted, durable storage by key. The vault's shelves are one.
type Shelf interface {
	Get(ctx context.Context, key string) (value []byte, ok bool, err error)
	Put(ctx context.Context, key string, value []byte) error
}

// Reading is what the clock says, checked.
type Reading struct {
	At      time.Time     // to judge at: never before the floor less Leeway
	SetBack time.Duration // how far the clock is behind the floor; 0: within Leeway
}

// Read checks a clock that says now against a floor.
func Read(now, floor time.Time) Reading {
	if behind := floor.Sub(now); behind > Leeway {
		return Reading{At: floor, SetBack: behind}
	}
	return Reading{At: now}
}

// Config is what a floor is made of. Shelf and Now are required.
type Config struct {
	Shelf Shelf
	Now   func() time.Time
	// Backend are times that the backend vouches for, asked at each reading: when the trust
	// list was made. Zero: none.
	Backend []func() time.Time
	// Own are times that the terminal wrote by its own clock: its newest record. Zero: none.
	Own []func() time.Time
	// Failed is told of a floor that could not be written. It may be nil.
	Failed func(error)
}

// state is what is stored.
type state struct {
	Backend   time.Time `json:"backend"`            // the newest that the backend said
	Own       time.Time `json:"own"`                // the newest that the terminal wrote
	Disproved time.Time `json:"disproved,omitzero"` // own times up to here were ahead of the backend's
}

func (s state) floor() time.Time {
	if s.Own.After(s.Backend) && s.Own.After(s.Disproved) {
		return s.Own
	}
	return s.Backend
}

// Floor keeps the newest trusted time. It is safe for concurrent use.
type Floor struct {
	config Config

	mu     sync.Mutex
	now    state
	stored state
}

// Open reads the floor as it was kept. One that cannot be read any more begins anew from
// the other sources: it is never in the way of work.
func Open(ctx context.Context, c Config) *Floor {
	f := &Floor{config: c}
	raw, ok, err := c.Shelf.Get(ctx, key)
	if err == nil && ok {
		err = json.Unmarshal(raw, &f.now)
	}
	if err != nil {
		f.now = state{}
		f.failed(fmt.Errorf("cannot read the kept time: %w", err))
	}
	f.stored = f.now
	return f
}

func (f *Floor) failed(err error) {
	if f.config.Failed != nil {
		f.config.Failed(err)
	}
}

// Heard takes a time that the backend said, such as the date of an answer.
func (f *Floor) Heard(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gather()
	f.hear(at)
	f.keep()
}

// hear raises the floor. The terminal's own times that are well after it were wrong.
func (f *Floor) hear(at time.Time) {
	if at.After(f.now.Backend) {
		f.now.Backend = at.UTC()
	}
	if f.now.Own.Sub(at) > Leeway && f.now.Own.After(f.now.Disproved) {
		f.now.Disproved = f.now.Own
	}
}

// Backend is the newest time that the backend vouched for; zero where there is none. It is at
// least that late.
func (f *Floor) Backend() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gather()
	return f.now.Backend
}

// Read gives the time to judge at.
func (f *Floor) Read() Reading {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gather()
	f.keep()
	return Read(f.config.Now(), f.now.floor())
}

// gather asks the sources. A trust list may be days old, so it disproves nothing.
func (f *Floor) gather() {
	for _, ask := range f.config.Backend {
		if at := ask(); at.After(f.now.Backend) {
			f.now.Backend = at.UTC()
		}
	}
	for _, ask := range f.config.Own {
		if at := ask(); at.After(f.now.Own) {
			f.now.Own = at.UTC()
		}
	}
}

// Keep writes the floor anew, as it is in memory: for a shelf that was replaced by what could
// be salvaged of it.
func (f *Floor) Keep() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stored = state{}
	f.keep()
}

// keep writes the floor where it has grown by a step or has been corrected.
func (f *Floor) keep() {
	grown := f.now.Backend.Sub(f.stored.Backend) >= step || f.now.Own.Sub(f.stored.Own) >= step
	if !grown && f.now.Disproved.Equal(f.stored.Disproved) {
		return
	}
	raw, err := json.Marshal(f.now)
	if err == nil {
		err = f.config.Shelf.Put(context.Background(), key, raw)
	}
	if err != nil {
		f.failed(fmt.Errorf("cannot keep the time: %w", err))
		return
	}
	f.stored = f.now
}
