package stories_test

import (
	"cmp"
	"slices"
	"testing"
)

// Story 1: thirty patients, five of them at once.
func TestANormalMondayMorning(t *testing.T) {
	s := walk(t, "monday.story")
	s.figures()
}

// Story 2: everything that is recorded while the line is cut is answered for its day.
func TestTheLineIsCutInTheMorning(t *testing.T) { walk(t, "outage.story") }

// Story 3: nothing confirmed and nothing parked is lost.
func TestAPowerCutAtTheCounter(t *testing.T) { walk(t, "powercut.story") }

// figures tells how many keys an entry of numbers took and how long the desk was busy.
func (s *story) figures() {
	s.t.Helper()
	s.t.Logf("number entry: %d keys in the middle, %d at most, of %d entries", middle(s.strokes, 50), middle(s.strokes, 100), len(s.strokes))
	s.t.Logf("from the key that records to the desk ready for the next patient: p50 %.0f ms, p99 %.0f ms, of %d records", middle(s.waits, 50), middle(s.waits, 99), len(s.waits))
	if len(s.waits) < 30 {
		s.t.Errorf("only %d records were measured", len(s.waits))
	}
}

// middle gives the percentile of some figures.
func middle[T cmp.Ordered](all []T, percent int) (figure T) {
	if len(all) == 0 {
		return figure
	}
	all = slices.Sorted(slices.Values(all))
	return all[(len(all)-1)*percent/100]
}
