package intaketest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/fence"
	"madoguchi.example/backend/internal/intake"
	storefence "madoguchi.example/backend/internal/store/fence"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/wire"
)

// Record is one stored record.
type Record struct {
	wire.Record
	Terminal string
	Digest   [32]byte // as stored
	State    string   // open, answered, refused, kept, withdrawn
}

// Records lists all that is stored: batches in the order in which they came, and each in the
// order of its sequences.
func (s *Server) Records(ctx context.Context) (found []Record, err error) {
	err = s.use(ctx, func(ctx context.Context, l *life) error {
		return l.db.Reads().Each(ctx, `
			SELECT terminal_id, record_id, epoch, seq, kind, at, body, digest, state FROM intake_record
			 ORDER BY MIN(rowid) OVER (PARTITION BY batch_id), epoch, seq`, nil,
			func(scan func(...any) error) error {
				var r Record
				var seq, at int64
				var body, digest []byte
				if err := scan(&r.Terminal, &r.ID, &r.Epoch, &seq, &r.Kind, &at, &body, &digest, &r.State); err != nil {
					return err
				}
				if len(digest) != len(r.Digest) {
					return fmt.Errorf("cannot read record %s: its digest has %d bytes", r.ID, len(digest))
				}
				r.Sequence, r.At, r.Body, r.Digest = uint64(seq), sqltx.Time(at), body, [32]byte(digest)
				found = append(found, r)
				return nil
			})
	})
	return found, err
}

// Event is one security event.
type Event struct {
	Terminal, Kind, Epoch string
	Sequence              uint64
	RecordID              string
}

// Events lists the security events.
func (s *Server) Events(ctx context.Context) (found []Event, err error) {
	err = s.use(ctx, func(ctx context.Context, l *life) error {
		return l.db.Reads().Each(ctx, `SELECT terminal_id, kind, epoch, seq, record_id FROM intake_event ORDER BY rowid`, nil,
			func(scan func(...any) error) error {
				var e Event
				var seq int64
				err := scan(&e.Terminal, &e.Kind, &e.Epoch, &seq, &e.RecordID)
				e.Sequence = uint64(seq)
				found = append(found, e)
				return err
			})
	})
	return found, err
}

// answerBatches bounds one call of AnswerOpen.
const answerBatches = 1000

// AnswerOpen gives every open check the sealed answer and tells how many there were.
func (s *Server) AnswerOpen(ctx context.Context, sealed []byte) (answered int, err error) {
	who := actor.System{Name: "intaketest"}
	err = s.use(ctx, func(ctx context.Context, l *life) error {
		batches, err := l.intake.OpenBatches(ctx, who, audit.TerminalOperation, s.cfg.Now().Add(24*time.Hour), answerBatches)
		if err != nil {
			return err
		}
		for _, b := range batches {
			open, err := l.intake.OpenChecks(ctx, who, audit.TerminalOperation, b)
			if err != nil {
				return err
			}
			settlements := make([]intake.Settlement, len(open))
			for i, r := range open {
				settlements[i] = intake.Settlement{RecordID: r.ID, Sealed: sealed}
			}
			nothing := func(context.Context, tx.Tx, map[string]bool) error { return nil }
			if err := l.intake.Settle(ctx, who, audit.TerminalOperation, open[0].Terminal, settlements, nothing); err != nil {
				return err
			}
			answered += len(open)
		}
		return nil
	})
	return answered, err
}

// Snapshot is a store as a backup holds it.
type Snapshot struct{ file, log []byte }

// Snapshot takes the store as it is, while it serves: nothing is written meanwhile.
func (s *Server) Snapshot(ctx context.Context) (taken Snapshot, err error) {
	err = s.use(ctx, func(ctx context.Context, l *life) error {
		return l.db.Runner().Do(ctx, func(context.Context, tx.Tx) error {
			var err error
			if taken.file, err = os.ReadFile(s.path()); err != nil {
				return err
			}
			taken.log, err = os.ReadFile(s.path() + "-wal")
			return err
		})
	})
	return taken, err
}

// Restore ends the calls under way, puts the store back to what it was, and begins a new
// life with a new epoch.
func (s *Server) Restore(ctx context.Context, to Snapshot) error {
	if err := s.Close(); err != nil {
		return err
	}
	err := errors.Join(os.WriteFile(s.path(), to.file, 0o600), os.WriteFile(s.path()+"-wal", to.log, 0o600))
	for _, left := range []string{"-shm", "-journal"} {
		if gone := os.Remove(s.path() + left); gone != nil && !errors.Is(gone, os.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	if err != nil {
		return fmt.Errorf("cannot restore the store: %w", err)
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	if err := s.use(ctx, s.renew); err != nil {
		return err
	}
	if err := s.Close(); err != nil { // the intake reads its epoch when it is made
		return err
	}
	return s.start(ctx)
}

// renew is what a restoration does for the terminals.
func (s *Server) renew(ctx context.Context, l *life) error {
	epoch, err := handle.Source{Now: s.cfg.Now, Rand: s.cfg.Rand}.New("epo")
	if err != nil {
		return err
	}
	rows := storefence.New(l.db.Reads())
	return l.db.Runner().Do(ctx, func(ctx context.Context, t tx.Tx) error {
		if _, err := rows.Renew(ctx, t, epoch, s.cfg.Now()); err != nil {
			return err
		}
		return rows.RaiseCursors(ctx, t, fence.CursorRise)
	})
}
