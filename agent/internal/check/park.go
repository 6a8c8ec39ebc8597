package check

import (
	"context"
	"time"

	"madoguchi.example/shared/fault"
)

// MaxParked is how many half-typed entries wait at most.
const MaxParked = 20

// Parked is a half-typed entry that was put aside.
type Parked struct {
	ID    string
	At    time.Time
	Entry Entry
}

// Park puts a half-typed entry aside.
func (d *Desk) Park(ctx context.Context, e Entry) (string, error) {
	return "", fault.New(fault.Unavailable, "entries are not put aside yet")
}

// Parked lists what was put aside, newest first.
func (d *Desk) Parked(ctx context.Context) ([]Parked, error) { return nil, nil }

// Unpark gives an entry back and removes it from what is put aside.
func (d *Desk) Unpark(ctx context.Context, id string) (Entry, error) {
	return Entry{}, fault.New(fault.Unavailable, "entries are not put aside yet")
}
