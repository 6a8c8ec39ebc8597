package app

import (
	"testing"
	"time"

	"madoguchi.example/agent/internal/scanner"
)

// A scan is given once, to whoever asks soon; what was scanned at a locked desk is not shown
// to whoever signs in later.
func TestAScanThatNobodyTookIsForgotten(t *testing.T) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	s := scans{now: func() time.Time { return now }}
	for _, c := range []struct {
		passes time.Duration
		given  bool
	}{{0, true}, {scanLife - 1, true}, {scanLife, false}, {-time.Second, false}} {
		s.put(scanner.Scan{Bytes: []byte("shc:/1")}, now)
		now = now.Add(c.passes)
		if _, ok := s.Take(); ok != c.given {
			t.Errorf("after %s: %v", c.passes, ok)
		}
		if _, ok := s.Take(); ok {
			t.Errorf("after %s it is given twice", c.passes)
		}
		if s.newest != nil {
			t.Errorf("after %s it is kept", c.passes)
		}
	}
}
