// Package fence keeps a restored store from acting on the world until people have looked at
// what the world knows and the store does not.
//
// It promises: the fence is raised in the transaction that restores, so no restored store is
// ever without it; while it stands, every route and every job that table.go declares outward
// is refused or waits, and what nobody declared counts as outward; the fence lifts only when
// every payment list that was open in the copy was named sent or not sent, and what happens
// to waiting pushes was said; a list named sent is booked in the same transaction that lifts,
// so its money does not move again; all of it stands in the access record.
package fence

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
)

// CursorRise is what a restoration adds to the last answer cursor of every terminal, so that
// cursors rise strictly although the store forgot some: no terminal gets so many answers
// between a backup and its restoration.
const CursorRise = 1 << 32

// fresh is how long a word on the fence is believed, and that the store gave none: an act
// that begins this long after the fence was raised or lifted meets it as it is.
const fresh = time.Second

// askTime ends a question to the store, for which every act of this process waits.
const askTime = 2 * time.Second

// How says how the store came back.
type How string

// The ways.
const (
	Restored How = "restored" // from a backup of ours
	Adopted  How = "adopted"  // by other means, as PostgreSQL's own
)

// Raised is one restoration.
type Raised struct {
	Epoch    string // the life of the store that began with it
	Prior    string // the life that its rows come from
	How      How
	CopiedAt time.Time // zero: not known
	At       time.Time
}

// State tells what stands.
type State struct {
	Epoch string  // of the store, now
	Open  *Raised // the newest restoration that is not lifted; nil: none
}

// Rows is the storage that a Fence needs. store/fence implements it.
type Rows interface {
	State(ctx context.Context) (State, error)
	// Renew gives the store another epoch and tells the one before, "" for none.
	Renew(ctx context.Context, t tx.Tx, epoch string, at time.Time) (prior string, err error)
	Raise(ctx context.Context, t tx.Tx, r Raised) error
	// RaiseCursors adds to the last answer cursor of every terminal, those without one included.
	RaiseCursors(ctx context.Context, t tx.Tx, by uint64) error
	// EndSessions ends what was given to people and programs to come in by: sessions, refresh
	// tokens, sign-ins in progress, wallets' grants, codes that enrol. A token that was taken
	// back after the copy would else work again.
	EndSessions(ctx context.Context, t tx.Tx, at time.Time) error
	// OweAgain forgets which pushes were asked for a second time: their jobs are not in a
	// copy, and each is asked for again once only.
	OweAgain(ctx context.Context, t tx.Tx) error
	Review
}

// Record is the access record. *audit.Log implements it.
type Record interface {
	Append(ctx context.Context, t tx.Tx, a actor.Actor, e audit.Event) error
}

// Deps are what a Fence needs; Queue and Pushes only to reconcile, all others always.
type Deps struct {
	Runner tx.Runner
	Rows   Rows
	Record Record
	Pushes Pushes
	Queue  Dropper
	IDs    handle.Source
	Now    func() time.Time
	// Epoch is the one that this process found when it opened the store.
	Epoch string
	// InPlace tells whether the store that this process has open is still the one that lies
	// where it was opened; nil: it always is.
	InPlace func() bool
	Log     *slog.Logger
}

// Fence is safe for concurrent use.
type Fence struct {
	Deps
	mu    sync.Mutex // guards what follows
	until time.Time
	last  error
}

// New makes a Fence.
func New(d Deps) *Fence { return &Fence{Deps: d} }

// Held is the answer to what is outward while the fence stands.
type Held struct{ error }

// Unwrap gives the fault.
func (h *Held) Unwrap() error { return h.error }

// Explain gives the reason that faces have words for.
func (h *Held) Explain() (reason, reference, correction string) { return Reason, "", "" }

// Reason is what an answer carries that is refused because the fence stands.
const Reason = "restored"

var (
	errHeld  = &Held{fault.New(fault.Restored, "the office's records are being checked after a restoration: nothing new is given out until that is done, try again later")}
	errStale = &Held{fault.New(fault.Restored, "the store was restored while this program ran: start it again")}
)

// Check answers nil when nothing keeps the store from acting on the world. A store that
// cannot be asked is taken for fenced.
func (f *Fence) Check(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.Now()
	if now.Before(f.until) && now.After(f.until.Add(-2*fresh)) {
		return f.last
	}
	f.last = f.look(ctx)
	f.until = f.Now().Add(fresh)
	return f.last
}

// look asks the store, for everybody: the one caller whose turn it is may give up without
// the others' hearing of it.
func (f *Fence) look(ctx context.Context) error {
	if f.InPlace != nil && !f.InPlace() {
		return errStale
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
	defer cancel()
	s, err := f.Rows.State(ctx)
	switch {
	case err != nil:
		return &Held{fault.Wrap(fault.Unavailable, err, "the store cannot be asked whether it was restored")}
	case f.Epoch != "" && s.Epoch != f.Epoch:
		return errStale
	case s.Open != nil:
		return errHeld
	}
	return nil
}

// Forget makes the next Check ask the store.
func (f *Fence) Forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.until = time.Time{}
}

// Current answers an error when the store was restored under the running program: what it
// takes in may go to a store that is no more, and its answers to terminals would name a life
// that is over. Inward acts wait for a new start as well.
func (f *Fence) Current(ctx context.Context) error {
	if err := f.Check(ctx); err == errStale {
		return err
	}
	return nil
}

// Holds tells whether a route waits for the fence.
func (f *Fence) Holds(method, path string) bool { return RouteSide(method, path) == Outward }

// HoldsJob tells whether jobs of the kind have to wait now.
func (f *Fence) HoldsJob(ctx context.Context, kind string) bool {
	err := f.Check(ctx)
	return err == errStale || err != nil && JobSide(kind) == Outward
}

// Begin starts another life of the store in the caller's transaction, which restores it: its
// epoch, the cursors, the end of sessions, the fence.
func (f *Fence) Begin(ctx context.Context, t tx.Tx, who actor.System, how How, copied time.Time) (Raised, error) {
	id, err := f.IDs.New("epo")
	if err != nil {
		return Raised{}, err
	}
	r := Raised{Epoch: id, How: how, CopiedAt: copied, At: f.Now().UTC()}
	if r.Prior, err = f.Rows.Renew(ctx, t, id, r.At); err != nil {
		return r, err
	}
	for _, step := range []func() error{
		func() error { return f.Rows.RaiseCursors(ctx, t, CursorRise) },
		func() error { return f.Rows.EndSessions(ctx, t, r.At) },
		func() error { return f.Rows.OweAgain(ctx, t) },
		func() error { return f.Rows.Raise(ctx, t, r) },
		func() error {
			return f.Record.Append(ctx, t, who, audit.Event{Purpose: audit.Restoration, Action: "store." + string(how), Object: id})
		},
	} {
		if err := step(); err != nil {
			return r, err
		}
	}
	return r, nil
}

// Adopt fences a store that came back by other means. Programs that have it open hold all
// that is outward from then on, and want to be started again.
func (f *Fence) Adopt(ctx context.Context, who actor.System, copied time.Time) (r Raised, err error) {
	err = f.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		r, err = f.Begin(ctx, t, who, Adopted, copied)
		return err
	})
	return r, err
}
