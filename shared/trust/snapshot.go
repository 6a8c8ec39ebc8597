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
// never stale.
type Snapshot struct {
	asOf   time.Time
	maxAge time.Duration
	shc    map[string]*Issuer
	notes  []Note
}

// Note tells of something in the layout that was left out. Place is a file's name and
// what in it; neither holds personal data.
type Note struct {
	Place  string
	Reason string
}

// Issuer is a pinned issuer of SMART Health Cards.
type Issuer struct {
	ISS  string
	keys map[string]Key
	crls map[string]CRL
	// unlisted: the snapshot is undated, so nothing in it is stale, and it holds no list of
	// this issuer, good or bad.
	unlisted bool
}

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

// Issuers gives the number of pinned issuers of SMART Health Cards.
func (s Snapshot) Issuers() int { return len(s.shc) }

// SHCIssuer gives the pinned issuer with exactly this iss.
func (s Snapshot) SHCIssuer(iss string) (*Issuer, bool) {
	issuer, ok := s.shc[iss]
	return issuer, ok
}

// Key gives the issuer's own key with this kid. A key is valid for its own issuer alone.
func (i *Issuer) Key(kid string) (Key, bool) {
	key, ok := i.keys[kid]
	return key, ok
}

// Revocation is what a snapshot knows of one card's revocation.
type Revocation int

// The answers.
const (
	NotRevoked        Revocation = iota // the list in force does not name it, or there is no list to ask
	IsRevoked                           // a list of its key names it
	RevocationUnknown                   // the issuer keeps a list, and the snapshot has not that version of it
	RevocationUnasked                   // the issuer keeps a list; the snapshot is undated and made without lists
)

// Revocation tells what is known of the card with this rid (may be empty), signed by key
// at nbf. A card without a rid can be on no list.
func (i *Issuer) Revocation(key Key, rid string, nbf time.Time) Revocation {
	if rid == "" {
		return NotRevoked
	}
	crl, held := i.crls[key.ID]
	switch {
	case held && crl.Revokes(rid, nbf):
		return IsRevoked
	case key.CRLVersion == 0, held && crl.Version == key.CRLVersion:
		return NotRevoked
	case i.unlisted:
		return RevocationUnasked
	default:
		return RevocationUnknown
	}
}
