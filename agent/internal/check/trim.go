package check

import (
	"context"
	"errors"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/shared/civil"
)

// keepParked is how many days an entry that was put aside stays, today counted.
const keepParked = 2

// Trim removes what is kept for a while only: closed cases of before day, entries that were
// put aside before yesterday, the face reader's results of days past, and what the evening's
// check said where it has expired. It gives how many cases that were.
func (d *Desk) Trim(ctx context.Context, day civil.Date) (int, error) {
	removed, err := d.Book.Trim(ctx, day)
	return removed, errors.Join(err, d.trimKnown(ctx), d.trimParked(ctx), d.trimFaces(ctx))
}

func (d *Desk) trimKnown(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.Now()
	old, _, err := d.Book.Top(ctx, maxTrim, func(r *casebook.Row) int {
		if expires, known := r.KnownExpires(); known && !now.Before(expires) {
			return 0
		}
		return -1
	})
	if err != nil {
		return err
	}
	for i := range old {
		old[i].Known = nil
	}
	return d.keep(ctx, old)
}

// maxTrim is how many rows one Trim changes in one commit.
const maxTrim = 1000

func (d *Desk) trimParked(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	waiting, err := d.Parked(ctx)
	if err != nil {
		return err
	}
	from := civil.In(d.Now()).AddDays(1 - keepParked)
	for _, p := range waiting {
		if civil.In(p.At).Before(from) {
			if err := d.Shelf(ShelfParked).Delete(ctx, p.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Desk) trimFaces(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	kept, err := d.keptFaces(ctx)
	if err != nil {
		return err
	}
	today := civil.In(d.Now())
	for _, k := range kept {
		if civil.In(k.TakenAt).Before(today) {
			if err := d.Shelf(ShelfFaces).Delete(ctx, k.ID); err != nil {
				return err
			}
		}
	}
	return nil
}
