package stage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// clockVariable names the clock's file to programs that were built with the tag practice.
const clockVariable = "MADOGUCHI_PRACTICE_CLOCK"

// clockName is the clock's file in the stage's folder.
const clockName = "clock"

// Clock is what every program of the stage takes for the time: the machine's clock, put
// forward. It goes forward only, since what was stored must not lie in the future. Jobs'
// waits and retries, time limits and a browser's own clock stay the machine's. A program
// sees a move at its next look at the clock. It is safe for concurrent use.
type Clock struct {
	file string // empty: the programs have no practice clock

	mu    sync.Mutex
	ahead time.Duration
}

// errNoClock says why a clock stands where it is.
var errNoClock = errors.New("cannot move the clock: the programs were built without the tag practice")

// Now gives the time that the programs have.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

// Advance puts the clock forward by d.
func (c *Clock) Advance(d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.file == "":
		return errNoClock
	case d < 0:
		return errors.New("cannot put the clock back")
	}
	// Renamed into its place, so that no program reads half of it.
	next := c.file + ".next"
	if err := os.WriteFile(next, []byte((c.ahead+d).String()+"\n"), 0o600); err != nil {
		return fmt.Errorf("cannot move the clock: %w", err)
	}
	if err := os.Rename(next, c.file); err != nil {
		return fmt.Errorf("cannot move the clock: %w", err)
	}
	c.ahead += d
	return nil
}

// behind makes a clock that stands this far behind c.
func (c *Clock) behind(d time.Duration, file string) (*Clock, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == "" {
		return nil, errNoClock
	}
	own := &Clock{file: file, ahead: c.ahead - d}
	if err := os.WriteFile(file, []byte(own.ahead.String()+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("cannot set a clock back: %w", err)
	}
	return own, nil
}

// SetTo puts the clock forward to at; it goes on from there.
func (c *Clock) SetTo(at time.Time) error { return c.Advance(at.Sub(c.Now())) }

// clock makes the stage's clock. One that an earlier stage left in the folder goes on.
func (s *Stage) clock() (*Clock, error) {
	moves, err := s.Programs.MoveClocks()
	if err != nil || !moves {
		return &Clock{}, err
	}
	c := &Clock{file: filepath.Join(s.Dir, clockName)}
	raw, err := os.ReadFile(c.file)
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	if err == nil {
		c.ahead, err = time.ParseDuration(strings.TrimSpace(string(raw)))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot go on with the clock: %w", err)
	}
	return c, nil
}

// environment names the clock to a program.
func (c *Clock) environment() []string {
	if c == nil || c.file == "" {
		return nil
	}
	return []string{clockVariable + "=" + c.file}
}
