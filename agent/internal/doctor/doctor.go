// Package doctor promises to name what keeps a terminal from its work, and the mend, in
// words that a receptionist can act on.
package doctor

import (
	"context"
	"time"
)

// Part is what a finding is about.
type Part string

// Finding is what was found of one part.
type Finding struct {
	Part  Part
	OK    bool
	Code  int    // the part's exit code where it is not OK, else 0
	Fault string // a word of the catalogue; "" where all is well
	Hint  string // OK all the same, but worth knowing: a word of the catalogue
	Args  []string
	Since time.Time
}

// Parts are what is looked at; a nil one is not.
type Parts struct {
	Now func() time.Time
}

// Examine looks at every part.
func Examine(context.Context, Parts) []Finding { return nil }
