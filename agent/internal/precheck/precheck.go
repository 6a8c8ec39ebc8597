// Package precheck is the evening's check of tomorrow's booked patients: from a list of
// bookings to a "last known valid, as of" that a check without a line may show.
//
// It promises that what it knows is encrypted, expires at the end of the day after the
// visit, and is never an answer for the day itself.
package precheck

import (
	"context"
	"time"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/check"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
)

// Shelf names.
const (
	ShelfBookings = "booking"
	ShelfKnown    = "known"
)

// Asker asks the clinic's own terminal for many at once. oqsfolder.Exchange is one.
type Asker interface {
	AskMany(ctx context.Context, batch string, qs []eligibility.Inquiry) error
	Collect(ctx context.Context, batch, reception string) error
}

// Config is what a Precheck is made of. Every field but Online must be set.
type Config struct {
	Bookings, Known casebook.Shelf
	Online          Asker // nil: bookings are kept and nothing is asked
	Now             func() time.Time
	NewID           func() (string, error) // UUID version 7
}

// Precheck is safe for concurrent use.
type Precheck struct{ Config }

// New makes a Precheck.
func New(c Config) *Precheck { return &Precheck{Config: c} }

// Booking is one booked patient. It masks itself in logs.
type Booking struct {
	ID        string              `json:"id"` // a record id, by which its answer is found
	Time      string              `json:"time"`
	Patient   string              `json:"patient,omitempty"`
	Kana      string              `json:"kana"`
	Inquiry   eligibility.Inquiry `json:"inquiry"`
	Cancelled bool                `json:"cancelled,omitempty"`
}

// Load reads a list of bookings (CSV).
func (p *Precheck) Load(ctx context.Context, csv []byte) (int, error) {
	return 0, fault.New(fault.Unavailable, "bookings are not read yet")
}

// Run asks for what is due.
func (p *Precheck) Run(ctx context.Context) error { return nil }

// Bookings lists the booked patients of a day, in order of time.
func (p *Precheck) Bookings(ctx context.Context, day civil.Date) ([]Booking, error) { return nil, nil }

// Cancel notes that the patient does not come: nothing more is asked or kept about them.
func (p *Precheck) Cancel(ctx context.Context, id string) error {
	return fault.New(fault.NotFound, "there is no such booking")
}

// Known gives the last known word about a booked patient.
func (p *Precheck) Known(ctx context.Context, who check.Booked) (*casebook.Known, error) {
	return nil, nil
}

// Trim removes what has expired and says how much.
func (p *Precheck) Trim(ctx context.Context) (int, error) { return 0, nil }
