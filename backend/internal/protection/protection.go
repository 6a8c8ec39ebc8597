// Package protection knows who must not be contacted (連絡禁止) and whose data must not be
// disclosed (支援措置, 不開示), and keeps the list of what was held back because of it.
//
// It promises: whoever sends asks inside the transaction that sends, so a protection that
// is stored beats the sending; what is held back is stored in that same transaction and
// waits for a person, for a protection leads to people and never to silence; only
// protectors read any of it, each for their own municipality; every entry it writes into
// the access record has a purpose that nobody sees in the app.
package protection

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/identity"
)

// Limits.
const (
	MaxListed = 200  // of one list
	MaxNote   = 1000 // code points of a settlement's note
	maxText   = 200  // bytes of what a withheld thing is and of its handle
)

// Kind says what a protection forbids. Either one keeps everything from being sent.
type Kind string

// The kinds.
const (
	DoNotContact  Kind = "do_not_contact" // 連絡禁止
	NonDisclosure Kind = "non_disclosure" // 不開示
)

// Kinds lists them.
func Kinds() []Kind { return []Kind{DoNotContact, NonDisclosure} }

// Flag is one protection of one person.
type Flag struct {
	Citizen      identity.CitizenID
	Municipality identity.MunicipalityCode
	Kind         Kind
	Since        civil.Date
	Until        civil.Date // the last day; zero: no end
}

// InForce tells whether the protection holds on the day.
func (f Flag) InForce(on civil.Date) bool {
	return !f.Since.IsZero() && !f.Since.After(on) && (f.Until.IsZero() || !f.Until.Before(on))
}

// LogValue masks whom it protects.
func (Flag) LogValue() slog.Value { return slog.StringValue(identity.Mask) }

// String masks whom it protects.
func (Flag) String() string { return identity.Mask }

// Withheld is something that was not sent because a protection holds.
type Withheld struct {
	ID           string // "wth_…"; empty: one is made
	Citizen      identity.CitizenID
	Municipality identity.MunicipalityCode
	Object       string // handle of what was not sent: a notice, an offer, a case
	What         string // key of what it is: see the constants
	Title        string // its title in Japanese, "" where it has none
	At           time.Time
}

// What can be withheld.
const (
	Notice = "notice" // a notice was kept out of the mailbox
	Push   = "push"   // a notice lies in the mailbox, its push was not sent
	Offer  = "offer"  // an offer of support
)

// LogValue shows the handle alone.
func (w Withheld) LogValue() slog.Value { return slog.StringValue(w.ID) }

// String shows the handle alone.
func (w Withheld) String() string { return w.ID }

// How says in which way a person dealt with what was withheld.
type How string

// The ways.
const (
	InPerson How = "in_person"
	ByPhone  How = "by_phone"
	ByLawyer How = "by_lawyer"
	NotSent  How = "not_sent"
)

// Settlement ends one withheld thing. There is one at most.
type Settlement struct {
	Citizen identity.CitizenID
	ID      string // of the withheld thing
	How     How
	Note    string
	By      string // the officer
	At      time.Time
}

// Rows is the storage that Register needs. store/protection implements it.
type Rows interface {
	// Add answers as citizen.Rows does: one result per row.
	Add(ctx context.Context, t tx.Tx, rows []citizen.Fact[Flag]) ([]importing.Result, error)
	Replace(ctx context.Context, t tx.Tx, row citizen.Fact[Flag]) error
	Get(ctx context.Context, t tx.Tx, of identity.CitizenID, k Kind) (Flag, bool, error)
	// Put stores the protection over the one of its kind. What an import said last stays
	// known, so that the same file again changes nothing.
	Put(ctx context.Context, t tx.Tx, f Flag) error
	// Protected gives those of the citizens whom any protection covers on the day.
	Protected(ctx context.Context, t tx.Tx, ids []identity.CitizenID, on civil.Date) (map[identity.CitizenID]bool, error)
	// InForce lists the municipality's protections on the day, the newest first.
	InForce(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, on civil.Date, limit int) ([]Flag, error)
	// AddWithheld stores those that are not there yet, by citizen, object and what it is.
	AddWithheld(ctx context.Context, t tx.Tx, w []Withheld) error
	// Waiting lists what nobody has settled, oldest first.
	Waiting(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, limit int) ([]Withheld, error)
	ByID(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, id string) (Withheld, bool, error)
	// Settle stores the settlement unless there is one, and gives the one that is there.
	Settle(ctx context.Context, t tx.Tx, s Settlement) (Settlement, error)
}

// People knows the residents. store/citizen implements it.
type People interface {
	citizen.Resolver
	Standings(ctx context.Context, t tx.Tx, ids []identity.CitizenID) (map[identity.CitizenID]citizen.Standing, error)
}

// Record is the access record. *audit.Log implements it.
type Record interface {
	Append(ctx context.Context, t tx.Tx, a actor.Actor, e audit.Event) error
	AppendAll(ctx context.Context, t tx.Tx, a actor.Actor, entries []audit.Event) error
}

// Deps are what a Register needs; all are required.
type Deps struct {
	Runner tx.Runner
	Rows   Rows
	People People
	Record Record
	IDs    handle.Source
	Now    func() time.Time
}

// Register answers who is protected. It is safe for concurrent use.
type Register struct{ Deps }

// New makes a Register.
func New(d Deps) *Register { return &Register{d} }

func (x *Register) today() civil.Date { return civil.In(x.Now()) }

// Flagged gives those of the citizens whom a protection covers today, of whatever kind. It
// reads in the caller's transaction and records nothing: the caller's own act is recorded,
// and an entry of its own would tell of the protection.
func (x *Register) Flagged(ctx context.Context, t tx.Tx, ids []identity.CitizenID) (map[identity.CitizenID]bool, error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	if len(ids) == 0 {
		return map[identity.CitizenID]bool{}, nil
	}
	return x.Rows.Protected(ctx, t, ids, x.today())
}

// Withhold puts what was not sent on the list of the municipality's protectors, in the
// caller's transaction. The same thing again for the same person changes nothing.
func (x *Register) Withhold(ctx context.Context, t tx.Tx, withheld []Withheld) error {
	if len(withheld) == 0 {
		return nil
	}
	all := slices.Clone(withheld)
	for i := range all {
		w := &all[i]
		if w.Citizen == "" || w.Municipality == "" || w.Object == "" || w.What == "" || len(w.Object) > maxText || len(w.What) > maxText {
			return fault.At(fault.Internal, "withheld", "what is withheld names its person, its municipality and itself")
		}
		if w.ID == "" {
			id, err := x.IDs.New("wth")
			if err != nil {
				return err
			}
			w.ID = id
		}
		if w.At.IsZero() {
			w.At = x.Now()
		}
	}
	return x.Rows.AddWithheld(ctx, t, all)
}

var (
	errNotProtector = fault.New(fault.Forbidden, "only protectors work with protections")
	errPurpose      = fault.At(fault.Internal, "purpose", "protections are read and changed for the purpose of protection alone")
)

// may keeps everybody else out, and every entry out of the app.
func may(who actor.Staff, purpose audit.Purpose) error {
	if !who.Has(actor.Protector) || who.Municipality == "" {
		return errNotProtector
	}
	if purpose != audit.Protection {
		return errPurpose
	}
	return nil
}
