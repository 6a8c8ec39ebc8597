package intake

import (
	"context"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// Settlement is what became of one open record: a sealed answer, or the code of why the
// payer could not read the inquiry.
type Settlement struct {
	RecordID string
	Sealed   []byte
	Code     fault.Code
}

// OpenChecks lists the open records of a batch. All are one terminal's.
func (x *Intake) OpenChecks(ctx context.Context, _ actor.System, _ audit.Purpose, batch string) ([]Stored, error) {
	return x.Rows.OpenRecords(ctx, batch, wire.MaxBatchRecords)
}

// OpenBatches lists batches with open records that are due before the time.
func (x *Intake) OpenBatches(ctx context.Context, _ actor.System, _ audit.Purpose, before time.Time, limit int) ([]string, error) {
	return x.Rows.OpenBatches(ctx, before, limit)
}

// Postpone sets when open records are to be asked about again. Records that are not open
// any more are passed over.
func (x *Intake) Postpone(ctx context.Context, _ actor.System, _ audit.Purpose, terminal string, all []Postponement) error {
	return x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		return x.Rows.Postpone(ctx, t, terminal, all)
	})
}

// Settle closes open records and puts their answers where the terminal finds them, in one
// transaction with what also writes; it then wakes the terminal. A record that was closed
// or withdrawn before is passed over: also learns by id which ones were not, and may be called again
// for a transaction that is repeated.
func (x *Intake) Settle(ctx context.Context, _ actor.System, _ audit.Purpose, terminal string, all []Settlement,
	also func(ctx context.Context, t tx.Tx, closed map[string]bool) error) error {
	closings := make([]Closing, len(all))
	for i, s := range all {
		closings[i] = Closing{RecordID: s.RecordID, State: Answered}
		if s.Code != "" {
			closings[i].State, closings[i].Code = Refused, s.Code
		}
	}
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		closed, err := x.Rows.Close(ctx, t, terminal, closings)
		if err != nil {
			return err
		}
		var answers []wire.Answer
		for _, s := range all {
			if closed[s.RecordID] {
				answers = append(answers, wire.Answer{RecordID: s.RecordID, Sealed: s.Sealed, Code: string(s.Code)})
			}
		}
		if err := x.Rows.AppendAnswers(ctx, t, terminal, answers, x.Now()); err != nil {
			return err
		}
		return also(ctx, t, closed)
	})
	if err == nil {
		x.bell.ringAll(terminal)
	}
	return err
}
