package fence

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

// Word is what a person says about a payment list that was open in the copy.
type Word string

// The words.
const (
	Sent    Word = "sent"     // its file left the house: it is booked, and never leaves again
	NotSent Word = "not_sent" // it stays where it is
)

// PushWord is what happens to the pushes that waited.
type PushWord string

// The words.
const (
	Kept    PushWord = "kept"    // they are sent once the fence has lifted
	Dropped PushWord = "dropped" // the notices lie in the mailboxes; nobody is woken for them
)

// List is a payment list that may have left the house after the copy was made.
type List struct {
	ID           string `json:"id"`
	Municipality string `json:"municipality"`
	State        string `json:"state"` // gathering, waiting or approved
	Count        int    `json:"count"`
	Total        int64  `json:"total"` // yen
	Word         Word   `json:"word,omitempty"`
}

// Terminals counts terminals since the restoration.
type Terminals struct {
	All      int `json:"all"`       // in use
	Heard    int `json:"heard"`     // that were heard of
	CaughtUp int `json:"caught_up"` // of those, that know the new epoch and have nothing waiting
}

// Status is what is to be looked at before the fence lifts.
type Status struct {
	Fenced    bool      `json:"fenced"`
	Epoch     string    `json:"server_epoch"`
	Prior     string    `json:"prior_epoch,omitempty"`
	How       How       `json:"how,omitempty"`
	CopiedAt  time.Time `json:"copied_at,omitzero"`
	RaisedAt  time.Time `json:"raised_at,omitzero"`
	Lists     []List    `json:"payment_lists"`
	Pushes    int       `json:"pushes"`               // notices and postings whose pushes are owed
	Revoked   int       `json:"revoked_certificates"` // in the copy
	RevokedAt time.Time `json:"revoked_at,omitzero"`  // the newest of them
	Terminals Terminals `json:"terminals"`
}

// Review is the storage of what people look at.
type Review interface {
	// OpenLists gives the lists that are neither returned nor empty nor exported, with what
	// was said about them in this life of the store, by ID.
	OpenLists(ctx context.Context, t tx.Tx, epoch string) ([]List, error)
	// Counts fills the numbers of a Status.
	Counts(ctx context.Context, t tx.Tx, since time.Time, s *Status) error
	Say(ctx context.Context, t tx.Tx, epoch, list string, w Word, by string, at time.Time) error
	// Said gives what was said about a list in this life of the store, "" for nothing.
	Said(ctx context.Context, t tx.Tx, epoch, list string) (Word, error)
	// BookSent makes a list an approved one that has left: its awards end as approved, the
	// ledger gets its entries, and it is marked as exported. It is a Conflict when an award
	// on it ended otherwise.
	BookSent(ctx context.Context, t tx.Tx, list, by string, at time.Time) error
	// BookPaid books awards that a list paid which the copy does not know, or knew only in
	// part: each is put on list, of the award's run, which is approved and has left. An award
	// that is booked so already is passed over. NotFound names one that is none, Conflict one
	// that ended otherwise or stands on another open list. A list that was still being gathered
	// is given up instead, and so is one that waited and was named not sent in this life.
	BookPaid(ctx context.Context, t tx.Tx, epoch string, awards []string, newList func() (string, error), by string, at time.Time) error
	// TakePaid takes entitlements whose awards the copy does not know, so that no run decides
	// them again; one that is taken already stays as it is. It tells how many it took. NotFound
	// names the first whose resident the store has not.
	TakePaid(ctx context.Context, t tx.Tx, all []Entitlement, newAward func() (string, error), at time.Time) (int, error)
	// Standing gives the newest epoch whose restoration stands, "" for none.
	Standing(ctx context.Context, t tx.Tx) (string, error)
	// Lift ends every restoration that stands. Pushes that were dropped are done with: no later
	// restoration owes them again.
	Lift(ctx context.Context, t tx.Tx, by string, pushes PushWord, at time.Time) error
}

// Pushes are the pushes that are owed. *mailbox.Office implements it.
type Pushes interface {
	// AskAgainAll asks for every push that is owed, however old; DropAll for none of them.
	AskAgainAll(ctx context.Context, who actor.System, purpose audit.Purpose) (int, error)
	DropAll(ctx context.Context, who actor.System, purpose audit.Purpose) (int, error)
}

// Entitlement is one month of a benefit for one resident, which was paid by an award that the
// copy does not know.
type Entitlement struct {
	Municipality identity.MunicipalityCode
	Resident     string // the register's reference
	Benefit      string
	Month        benefit.Month
}

// String names it without the resident.
func (e Entitlement) String() string {
	return string(e.Municipality) + " " + e.Benefit + " " + e.Month.String()
}

// LogValue shows nobody.
func (e Entitlement) LogValue() slog.Value { return slog.StringValue(e.String()) }

// Dropper takes jobs of a kind out of the queue. *job.Engine implements it.
type Dropper interface {
	Drop(ctx context.Context, t tx.Tx, kind string) (int64, error)
}

// pushKind is the job that wakes phones.
const pushKind = "push_send"

// Status tells what is to be looked at.
func (f *Fence) Status(ctx context.Context) (s Status, err error) {
	state, err := f.Rows.State(ctx)
	if err != nil {
		return s, err
	}
	s = Status{Fenced: state.Open != nil, Epoch: state.Epoch, Lists: []List{}}
	if r := state.Open; r != nil {
		s.Epoch, s.Prior, s.How, s.CopiedAt, s.RaisedAt = r.Epoch, r.Prior, r.How, r.CopiedAt, r.At
	}
	err = f.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		if !s.Fenced {
			return nil
		}
		lists, err := f.Rows.OpenLists(ctx, t, s.Epoch)
		if err != nil {
			return err
		}
		s.Lists = append(s.Lists[:0], lists...)
		return f.Rows.Counts(ctx, t, s.RaisedAt, &s)
	})
	return s, err
}

// Decision is a person's word on what Status showed.
type Decision struct {
	By      string   // who says so
	Sent    []string // payment lists
	NotSent []string // payment lists
	// Paid are awards whose money left by a list that Status does not show.
	Paid []string
	// Entitled is what was paid by awards that the copy does not know.
	Entitled []Entitlement
	Pushes   PushWord
}

// MaxPaid is how many awards and entitlements one reconciliation takes, and paidPage how many of them one
// transaction.
const (
	MaxPaid  = 20_000
	paidPage = 100
)

// MaxName is the longest name in bytes of who reconciles.
const MaxName = 100

var (
	errNobody    = fault.At(fault.InvalidArgument, "by", "say who looked: a name of at most %d bytes", MaxName)
	errPushes    = fault.At(fault.InvalidArgument, "pushes", "say whether waiting pushes are kept or dropped")
	errNotFenced = fault.New(fault.Conflict, "the store is not fenced: there is nothing to reconcile")
)

// Reconcile takes a person's words. Each counts at once; with the last one, when every open
// list has one, the fence lifts. Lists without a word are the answer: then it stands.
func (f *Fence) Reconcile(ctx context.Context, d Decision) (open []List, err error) {
	if d.By == "" || len(d.By) > MaxName {
		return nil, errNobody
	}
	if d.Pushes != Kept && d.Pushes != Dropped {
		return nil, errPushes
	}
	if len(d.Paid)+len(d.Entitled) > MaxPaid {
		return nil, fault.At(fault.TooLarge, "paid", "at most %d awards are taken at once", MaxPaid)
	}
	who := actor.System{Name: "restore reconcile"}
	if err := f.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error { return f.say(ctx, t, who, d) }); err != nil {
		return nil, err
	}
	if err := errors.Join(f.paid(ctx, who, d), f.entitled(ctx, who, d)); err != nil {
		return nil, err
	}
	if err := f.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		open, err = f.open(ctx, t)
		return err
	}); err != nil || len(open) > 0 {
		return open, err
	}
	if err := f.pushes(ctx, who, d.Pushes); err != nil {
		return nil, err
	}
	err = f.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error { return f.lift(ctx, t, who, d) })
	f.Forget()
	return open, err
}

// paid books what lists paid that the copy does not know. What was booked before is passed
// over, so that a call which failed half way is repeated as it was.
func (f *Fence) paid(ctx context.Context, who actor.System, d Decision) error {
	for part := range slices.Chunk(d.Paid, paidPage) {
		err := f.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
			epoch, err := f.standing(ctx, t)
			if err != nil {
				return err
			}
			if err := f.Rows.BookPaid(ctx, t, epoch, part, func() (string, error) { return f.IDs.New("lst") }, d.By, f.Now().UTC()); err != nil {
				return err
			}
			return f.Record.Append(ctx, t, who, audit.Event{Purpose: audit.Restoration, Action: "payment.booked", Object: epoch, Items: append([]string{"by: " + d.By}, part...)})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// entitled takes what was paid by awards that the copy does not know.
func (f *Fence) entitled(ctx context.Context, who actor.System, d Decision) error {
	for part := range slices.Chunk(d.Entitled, paidPage) {
		err := f.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
			epoch, err := f.standing(ctx, t)
			if err != nil {
				return err
			}
			n, err := f.Rows.TakePaid(ctx, t, part, func() (string, error) { return f.IDs.New("awd") }, f.Now().UTC())
			if err != nil || n == 0 {
				return err
			}
			return f.Record.Append(ctx, t, who, audit.Event{Purpose: audit.Restoration, Action: "entitlement.taken", Object: epoch,
				Items: []string{"by: " + d.By, "count: " + strconv.Itoa(n)}})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// say notes the words.
func (f *Fence) say(ctx context.Context, t tx.Tx, who actor.System, d Decision) error {
	epoch, err := f.standing(ctx, t)
	if err != nil {
		return err
	}
	lists, err := f.Rows.OpenLists(ctx, t, epoch)
	if err != nil {
		return err
	}
	said := map[string]bool{}
	for w, ids := range map[Word][]string{Sent: d.Sent, NotSent: d.NotSent} {
		for _, id := range ids {
			if said[id] {
				return fault.At(fault.InvalidArgument, "list", "%s was named twice", id)
			}
			said[id] = true
			if err := f.sayOne(ctx, t, who, epoch, lists, id, w, d.By); err != nil {
				return err
			}
		}
	}
	return nil
}

// sayOne notes the word on a list. The same word again changes nothing, also where the list
// was given up since.
func (f *Fence) sayOne(ctx context.Context, t tx.Tx, who actor.System, epoch string, lists []List, id string, w Word, by string) error {
	before, err := f.Rows.Said(ctx, t, epoch, id)
	if err != nil || before == w {
		return err
	}
	i := slices.IndexFunc(lists, func(l List) bool { return l.ID == id })
	switch {
	case i < 0:
		return fault.At(fault.NotFound, "list", "%s is no open payment list of the copy", id)
	case w == Sent && lists[i].State == "gathering":
		return fault.At(fault.Conflict, "list", "%s was still being gathered in the copy: name what it paid with --paid", id)
	}
	return f.note(ctx, t, who, epoch, id, w, by)
}

// open gives the lists that have no word yet.
func (f *Fence) open(ctx context.Context, t tx.Tx) ([]List, error) {
	epoch, err := f.standing(ctx, t)
	if err != nil {
		return nil, err
	}
	lists, err := f.Rows.OpenLists(ctx, t, epoch)
	return slices.DeleteFunc(lists, func(l List) bool { return l.Word != "" }), err
}

func (f *Fence) note(ctx context.Context, t tx.Tx, who actor.System, epoch, list string, w Word, by string) error {
	if err := f.Rows.Say(ctx, t, epoch, list, w, by, f.Now().UTC()); err != nil {
		return err
	}
	return f.Record.Append(ctx, t, who, audit.Event{Purpose: audit.Restoration, Action: "payment_list." + string(w), Object: list, Items: []string{"by: " + by}})
}

// pushes does with the pushes that are owed what was said. The jobs that wait are taken out
// of the queue either way: what is owed is asked for once, also where a store that came back
// by other means brought its queue along, and where an earlier call ended half way.
func (f *Fence) pushes(ctx context.Context, who actor.System, w PushWord) error {
	err := f.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		if _, err := f.Queue.Drop(ctx, t, pushKind); err != nil {
			return err
		}
		return f.Rows.OweAgain(ctx, t)
	})
	if err != nil {
		return err
	}
	if w == Kept {
		_, err = f.Pushes.AskAgainAll(ctx, who, audit.Restoration)
	} else {
		_, err = f.Pushes.DropAll(ctx, who, audit.Restoration)
	}
	return err
}

// lift books what was sent and lifts the fence, unless a list has appeared that has no word.
func (f *Fence) lift(ctx context.Context, t tx.Tx, who actor.System, d Decision) error {
	epoch, err := f.standing(ctx, t)
	if err != nil {
		return err
	}
	lists, err := f.Rows.OpenLists(ctx, t, epoch)
	if err != nil {
		return err
	}
	for _, l := range lists {
		switch l.Word {
		case "":
			return fault.At(fault.Conflict, "list", "%s has appeared meanwhile: name it too", l.ID)
		case Sent:
			if err := f.Rows.BookSent(ctx, t, l.ID, d.By, f.Now().UTC()); err != nil {
				return err
			}
		}
	}
	if err := f.Rows.Lift(ctx, t, d.By, d.Pushes, f.Now().UTC()); err != nil {
		return err
	}
	return f.Record.Append(ctx, t, who, audit.Event{Purpose: audit.Restoration, Action: "store.reconciled", Object: epoch,
		Items: []string{"by: " + d.By, "pushes: " + string(d.Pushes)}})
}

// standing gives the epoch of the restoration that stands.
func (f *Fence) standing(ctx context.Context, t tx.Tx) (string, error) {
	epoch, err := f.Rows.Standing(ctx, t)
	if err == nil && epoch == "" {
		err = errNotFenced
	}
	return epoch, err
}
