package check

import (
	"context"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
)

// Family starts the entry of the same family's next member: insurer, symbol, number and
// address are kept; name, birth date and branch are empty.
func (d *Desk) Family(ctx context.Context, recordID string) (Entry, error) {
	return Entry{}, fault.New(fault.Unavailable, "families are not known yet")
}

// Past lists own records of this person that hold numbers, newest first.
func (d *Desk) Past(ctx context.Context, birth civil.Date, label string) ([]View, error) {
	return nil, nil
}
