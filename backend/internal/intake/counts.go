package intake

import (
	"context"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/shared/fault"
)

// Checks counts one terminal's insurance checks as the console shows them. Those that the
// clinic's own terminal is asked for are not here: the backend learns of them when they
// have their outcome.
type Checks struct {
	Open   int // a payer's answer is awaited
	Late   int // of those, for longer than LateAfter
	Voided int // taken back or replaced, of those that came within VoidedWithin
}

// When a check is late, and how far back the console counts what was taken back.
const (
	LateAfter    = 24 * time.Hour
	VoidedWithin = 30 * 24 * time.Hour
)

// Counts counts the checks of these terminals, which the caller may see. Terminals without
// any are absent. It tells no more than numbers.
func (x *Intake) Counts(ctx context.Context, who actor.Staff, _ audit.Purpose, terminals []string) (map[string]Checks, error) {
	if !who.Has(actor.TerminalManager) {
		return nil, fault.New(fault.Forbidden, "the officer does not manage terminals")
	}
	now := x.Now()
	return x.Rows.Counts(ctx, terminals, now.Add(-LateAfter), now.Add(-VoidedWithin))
}
