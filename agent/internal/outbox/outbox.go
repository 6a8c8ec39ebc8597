// Package outbox is what a person may see of the terminal's queue, and do with it: its figures,
// its records without what they hold in clear, a dead letter that is to be tried again, and
// an export.
//
// It promises that an export leaves the terminal sealed to the office alone, and that a
// record is told by what the backend would get of it and no more. The same acts work on a
// running agent, over its control socket, and on the file where none runs.
package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"filippo.io/age"

	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// Figures are how the outgoing records, their file and the line stand. They hold nothing of a
// person.
type Figures struct {
	Terminal    string    `json:"terminal"`
	Version     string    `json:"version"`
	Pending     int       `json:"pending"`
	OldestAt    time.Time `json:"oldest_at,omitzero"`
	Stale       int       `json:"stale"` // of the pending ones, those over queue.max_age
	Unanswered  int       `json:"unanswered"`
	DeadLetters int       `json:"dead_letters"`
	Damaged     int       `json:"damaged"` // of the dead letters, those whose bytes do not open
	Kept        int       `json:"kept"`    // accepted, and kept for a backend that is restored
	LastAck     time.Time `json:"last_ack,omitzero"`
	Exported    bool      `json:"exported"` // all that waits and all dead letters are in an export
	MaxRecords  int       `json:"max_records"`

	Bytes     int64 `json:"bytes"` // of what waits
	MaxBytes  int64 `json:"max_bytes"`
	FileBytes int64 `json:"file_bytes"`
	UsedBytes int64 `json:"used_bytes"`
	PutAside  int   `json:"put_aside"` // damaged files that lie beside
	Lost      int   `json:"lost"`      // records and rows that could not be read any more

	KeyClass string `json:"key_class"` // what guards the file: tpm2, systemd_credential, passphrase, key_file

	Running       bool       `json:"running"` // an agent runs; else the next four are not known
	LineUp        bool       `json:"line_up"`
	LineReason    fault.Code `json:"line_reason,omitempty"`
	LineSince     time.Time  `json:"line_since,omitzero"`
	ClockOffsetMS int64      `json:"clock_offset_ms"` // the backend's clock less ours
	ClockTrusted  bool       `json:"clock_trusted"`   // it was measured since the machine started
}

// Count fills in what the queue tells.
func (f *Figures) Count(s queue.Stats) {
	f.Pending, f.OldestAt, f.Stale, f.Unanswered = s.Pending, s.OldestAt, s.Stale, s.SentUnanswered
	f.DeadLetters, f.Damaged, f.Kept, f.LastAck, f.Exported = s.Dead, s.Damaged, s.Kept, s.LastAck, s.Exported
	f.MaxRecords, f.Bytes, f.MaxBytes, f.FileBytes, f.UsedBytes = s.MaxRecords, s.Bytes, s.MaxBytes, s.FileBytes, s.UsedBytes
}

// Shown is one record: what the backend gets of it. Whatever of a person its body holds is
// sealed to whom it is for.
type Shown struct {
	ID       string          `json:"id"`
	Epoch    string          `json:"epoch,omitempty"`
	Sequence uint64          `json:"seq,omitempty"`
	Kind     wire.Kind       `json:"kind,omitempty"`
	At       time.Time       `json:"at,omitzero"`
	State    queue.State     `json:"state"`
	Code     string          `json:"code,omitempty"`
	Body     json.RawMessage `json:"body,omitempty"`
}

// Export is an export that was written.
type Export struct {
	Records int    `json:"records"`
	Through uint64 `json:"through"` // nothing up to this position is missing in it
}

// Parts of the queue by their names.
var parts = map[string]queue.Which{"waiting": queue.Waiting, "kept": queue.Kept, "dead": queue.Dead}

// Part gives the part of the queue of that name: waiting, kept or dead.
func Part(name string) (queue.Which, error) {
	which, ok := parts[name]
	if !ok {
		return 0, fault.At(fault.InvalidArgument, "what", "must be waiting, kept or dead")
	}
	return which, nil
}

// Queue is what the outbox needs of the offline queue.
type Queue interface {
	List(ctx context.Context, what queue.Which, after uint64, limit int) ([]queue.Entry, error)
	Find(ctx context.Context, id string) (wire.Record, bool, error)
	Fates(ctx context.Context, ids []string) (map[string]queue.Fate, error)
	Retry(ctx context.Context, id string) error
	Export(ctx context.Context, w io.Writer) (n int, through uint64, err error)
	MarkExported(ctx context.Context, through uint64) error
}

// Box is the outbox of the process that has the file open. It is safe for concurrent use.
type Box struct {
	Queue     Queue
	Recipient func() string // to whom exports are sealed, an age recipient; "" while nobody has told
	Now       func() Figures
	Retried   func() // told after Retry; nil: nobody is
}

// Figures tells how everything stands.
func (b *Box) Figures(context.Context) (Figures, error) { return b.Now(), nil }

// List gives at most limit entries of a part of the queue after a position.
func (b *Box) List(ctx context.Context, what string, after uint64, limit int) ([]queue.Entry, error) {
	which, err := Part(what)
	if err != nil {
		return nil, err
	}
	return b.Queue.List(ctx, which, after, limit)
}

// Show gives one record; NotFound where the queue has none of that ID, or no longer.
func (b *Box) Show(ctx context.Context, id string) (Shown, error) {
	fates, err := b.Queue.Fates(ctx, []string{id})
	if err != nil {
		return Shown{}, err
	}
	f := fates[id]
	switch {
	case f.Gone():
		return Shown{}, fault.New(fault.NotFound, "the queue has no record of that ID, or no longer")
	case f.Damaged:
		return Shown{ID: id, State: queue.Damaged}, nil
	}
	r, ok, err := b.Queue.Find(ctx, id)
	switch {
	case errors.Is(err, vault.ErrDamaged):
		return Shown{ID: id, State: queue.Damaged}, nil
	case err != nil:
		return Shown{}, err
	case !ok:
		return Shown{}, fault.New(fault.NotFound, "the queue no longer has that record")
	}
	s := Shown{ID: r.ID, Epoch: r.Epoch, Sequence: r.Sequence, Kind: r.Kind, At: r.At, State: queue.StateWaiting, Code: f.Code, Body: r.Body}
	if !f.Waiting {
		s.State = queue.State(f.Status)
	}
	return s, nil
}

// Retry has a dead letter wait again, as it is. Faults: NotFound, and Conflict for one that
// is no dead letter or is damaged.
func (b *Box) Retry(ctx context.Context, id string) error {
	if err := b.Queue.Retry(ctx, id); err != nil {
		return err
	}
	if b.Retried != nil {
		b.Retried()
	}
	return nil
}

// Export writes all that waits and all dead letters to w, sealed to the office. What is
// written is safe to leave the terminal; MarkExported notes that it did.
func (b *Box) Export(ctx context.Context, w io.Writer) (Export, error) {
	to := b.Recipient()
	if to == "" {
		return Export{}, fault.New(fault.Conflict, "the office has not told yet to whom an export is sealed: connect the terminal once")
	}
	recipient, err := age.ParseX25519Recipient(to)
	if err != nil {
		return Export{}, fault.Wrap(fault.Conflict, err, "the profile's recipient of exports is none")
	}
	sealed, err := age.Encrypt(w, recipient)
	if err != nil {
		return Export{}, fmt.Errorf("cannot seal the export: %w", err)
	}
	n, through, err := b.Queue.Export(ctx, sealed)
	if err == nil {
		err = sealed.Close()
	}
	if err != nil {
		return Export{}, fmt.Errorf("cannot write the export: %w", err)
	}
	return Export{Records: n, Through: through}, nil
}

// MarkExported notes that an export up to a position is where it is safe.
func (b *Box) MarkExported(ctx context.Context, through uint64) error {
	return b.Queue.MarkExported(ctx, through)
}
