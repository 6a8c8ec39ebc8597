package wallet

import (
	"context"

	"madoguchi.example/backend/internal/tx"
)

// sweepRows caps what one transaction of Sweep removes of each kind.
const sweepRows = 500

// Sweep removes what has expired. A schedule calls it.
func (d *Desk) Sweep(ctx context.Context) error {
	for more := true; more && ctx.Err() == nil; {
		if err := d.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
			now := d.Now()
			more, err = d.Rows.Sweep(ctx, t, now, now.Add(-TokenLifetime), sweepRows)
			return err
		}); err != nil {
			return err
		}
	}
	return ctx.Err()
}
