// Package trust promises what a verifier believes without a network: pinned issuers,
// their keys and revocation lists, as one snapshot of a known age.
//
// A Snapshot is read once from the layout that `madoguchi-agent verify --trust` and the
// terminals' bundle share (Load), is never changed afterwards and is safe for concurrent
// use. It has no clock: every question takes the time it is asked for. One issuer's bad
// key or list never locks the others out; it is left out and told in Notes. The layout
// is written by Bundle, so that both sides share it.
package trust

import (
	"time"
)

// Snapshot is what is believed, as of a moment. The zero value trusts nobody and is
// never stale. It never changes and is safe for concurrent use.
type Snapshot struct {
	asOf     time.Time
	maxAge   time.Duration
	sections map[string]any
	notes    []Note
	loaded   *byte // one for each loading: two snapshots of one are the same
}

// Note tells of something in the layout that was left out. Place is a file's name and
// what in it; neither holds personal data.
type Note struct {
	Place  string
	Reason string
}

// Same tells whether both are of one loading, so that what was found with the one holds with
// the other.
func (s Snapshot) Same(other Snapshot) bool { return s.loaded == other.loaded }

// Section gives what the section of this name loaded; nil where it was not loaded.
func (s Snapshot) Section(name string) any { return s.sections[name] }

// AsOf gives when the snapshot was made; zero where it does not say.
func (s Snapshot) AsOf() time.Time { return s.asOf }

// MaxAge gives how old the snapshot may grow; zero means any age.
func (s Snapshot) MaxAge() time.Duration { return s.maxAge }

// Stale tells whether the snapshot is too old at the given time.
func (s Snapshot) Stale(at time.Time) bool {
	return s.maxAge > 0 && at.Sub(s.asOf) > s.maxAge
}

// Age gives how old the snapshot is at the given time; zero where it does not say when
// it was made, or is from later.
func (s Snapshot) Age(at time.Time) time.Duration {
	if s.asOf.IsZero() || at.Before(s.asOf) {
		return 0
	}
	return at.Sub(s.asOf)
}

// Notes gives what was left out of the layout.
func (s Snapshot) Notes() []Note { return append([]Note(nil), s.notes...) }
