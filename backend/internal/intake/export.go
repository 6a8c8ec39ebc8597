package intake

import (
	"context"
	"errors"
	"io"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// Imported counts what became of an export's records. Damaged ones had no content any more.
type Imported struct {
	Results map[wire.Status]int
	Damaged int
}

// Import takes in what a terminal's queue was exported as, opened, in the terminal's name:
// its waiting records and its dead letters, on which the word may be the same again. It may
// be repeated: what is stored already is a duplicate. After an error what was taken in until
// then is stored, and the counts tell it.
func (x *Intake) Import(ctx context.Context, _ actor.System, purpose audit.Purpose, terminal actor.Terminal, from *wire.ExportReader) (Imported, error) {
	done := Imported{Results: map[wire.Status]int{}}
	if from.Header().Terminal != terminal.ID {
		return done, fault.At(fault.InvalidArgument, "export.terminal", "must be the terminal that the export is taken in for")
	}
	var batch []wire.Record
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		receipt, err := x.importBatch(ctx, purpose, terminal, batch)
		for _, r := range receipt.Results {
			done.Results[r.Status]++
		}
		batch = nil
		return err
	}
	for {
		e, err := from.Next()
		if errors.Is(err, io.EOF) {
			return done, flush()
		}
		if err != nil {
			return done, errors.Join(err, flush())
		}
		if e.Reason == wire.ReasonDamaged {
			done.Damaged++
			continue
		}
		if len(batch) == wire.MaxBatchRecords || !rises(batch, e.Record) {
			if err := flush(); err != nil {
				return done, err
			}
		}
		batch = append(batch, e.Record)
	}
}

func (x *Intake) importBatch(ctx context.Context, purpose audit.Purpose, terminal actor.Terminal, records []wire.Record) (wire.Receipt, error) {
	b := wire.Batch{Version: wire.Version, Terminal: terminal.ID, SentAt: x.Now(), Records: records}
	if err := b.Validate(); err != nil {
		return wire.Receipt{}, err
	}
	return x.take(ctx, terminal, purpose, b, Backlog)
}

// rises tells whether r may stand in a batch behind these records.
func rises(batch []wire.Record, r wire.Record) bool {
	for _, b := range batch {
		if b.ID == r.ID || b.Epoch == r.Epoch && b.Sequence >= r.Sequence {
			return false
		}
	}
	return true
}
