// Package citizen knows the residents of the cell: what the offices' registers say of
// them, who a person that signs in is, and for which children they may act.
//
// It promises: a sign-in is linked to a resident only when exactly one living resident who
// has not moved out has the same name, address, birth date and sex; otherwise the answer
// names the counter to go to and never says what did not match. Every read of a person's
// data is recorded in its transaction.
package citizen

import (
	"context"
	"io"
	"log/slog"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/auditlog"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/identity"
)

// AdultAge is the age in completed years from which nobody acts for a person as their
// child (民法 第4条).
const AdultAge = 18

// Municipality is one municipality of the cell with its counter.
type Municipality struct {
	Code     identity.MunicipalityCode
	NameJA   string
	NameEasy string
	NameEN   string
	Counter  Counter
}

// Counter is where a person goes.
type Counter struct{ Name, Place, Phone, Hours string }

// Ref is a resident as the municipality's own register names them. It is no secret, but
// it says nothing outside the municipality.
type Ref struct {
	Municipality identity.MunicipalityCode
	Resident     string
}

// Resident is one person of a municipality's register.
type Resident struct {
	ID         identity.CitizenID
	Ref        Ref
	Name       identity.PersonName
	BirthDate  identity.BirthDate
	Sex        identity.Sex
	PostalCode string
	Address    string
	Since      civil.Date // the day they became a resident
}

// LogValue shows the handle alone.
func (r Resident) LogValue() slog.Value { return slog.StringValue(string(r.ID)) }

// String shows the handle alone.
func (r Resident) String() string { return string(r.ID) }

// MoveKind says in which direction somebody moved.
type MoveKind string

// The kinds of move.
const (
	MoveIn     MoveKind = "in"
	MoveOut    MoveKind = "out"
	MoveWithin MoveKind = "within"
)

// Member is one line of a household.
type Member struct {
	Household string
	Relation  Relation
	Since     civil.Date
}

// Relation is a person's place in the household.
type Relation string

// The relations.
const (
	Head   Relation = "head"
	Spouse Relation = "spouse"
	Child  Relation = "child"
	Parent Relation = "parent"
	Other  Relation = "other"
)

// Birth is one entry of the register of births.
type Birth struct{ BornOn, RegisteredOn civil.Date }

// Move is one move.
type Move struct {
	Kind  MoveKind
	On    civil.Date
	Other identity.MunicipalityCode // where from or to; "" where not known
}

// Death is one entry of the register of deaths.
type Death struct{ DiedOn, RegisteredOn civil.Date }

// Income is what a tax year says of a person. Amounts are yen.
type Income struct {
	TaxYear, IncomeYen, ResidentTaxYen, Dependants int64
	Exempt                                         bool
}

// LogValue masks the amounts.
func (Income) LogValue() slog.Value { return slog.StringValue(identity.Mask) }

// String masks the amounts.
func (Income) String() string { return identity.Mask }

// Fact is one imported row about a citizen.
type Fact[T any] struct {
	Citizen identity.CitizenID
	Digest  []byte // of the row; equal content has an equal digest
	Value   T
}

// Standing is a resident with what decides whether they are still one.
type Standing struct {
	Resident Resident
	DiedOn   civil.Date // zero while alive
	Moves    []Move     // in any order
}

// Alive tells whether the person lives on the day.
func (s Standing) Alive(on civil.Date) bool { return s.DiedOn.IsZero() || s.DiedOn.After(on) }

// MovedOut tells whether the person has left the municipality by the day: the last move
// in or out up to then was out, and the register does not say that they came back later.
func (s Standing) MovedOut(on civil.Date) bool {
	var last Move
	for _, m := range s.Moves {
		if m.Kind == MoveWithin || m.On.After(on) || m.On.Before(last.On) {
			continue
		}
		if m.On == last.On && m.Kind == MoveIn {
			continue // out and in on one day: out counts, a counter will know
		}
		last = m
	}
	return last.Kind == MoveOut && !s.Resident.Since.After(last.On)
}

// Lives tells whether the person is a living resident on the day. The zero Standing, which
// is nobody's, does not live.
func (s Standing) Lives(on civil.Date) bool {
	return s.Resident.ID != "" && s.Alive(on) && !s.MovedOut(on)
}

// Resolver finds citizens by their municipality's own key.
type Resolver interface {
	// Resolve gives the citizens of the refs that exist; the others are absent.
	Resolve(ctx context.Context, t tx.Tx, refs []Ref) (map[Ref]identity.CitizenID, error)
}

// Rows is the storage that Registry needs. store/citizen implements it. Methods that take
// facts answer one result per fact, in order: Added, Unchanged, or Changed where another
// content is stored under the same key, which they leave as it is.
type Rows interface {
	Resolver

	AddMunicipalities(ctx context.Context, t tx.Tx, rows []importing.Entry[Municipality]) ([]importing.Result, error)
	ReplaceMunicipality(ctx context.Context, t tx.Tx, row importing.Entry[Municipality]) error
	// AddResidents stores residents under the citizen ids given, unless their ref is
	// stored already under another.
	AddResidents(ctx context.Context, t tx.Tx, rows []Fact[Resident]) ([]importing.Result, error)
	ReplaceResident(ctx context.Context, t tx.Tx, row Fact[Resident]) error
	AddMembers(ctx context.Context, t tx.Tx, municipality []identity.MunicipalityCode, rows []Fact[Member]) ([]importing.Result, error)
	ReplaceMember(ctx context.Context, t tx.Tx, municipality identity.MunicipalityCode, row Fact[Member]) error
	AddBirths(ctx context.Context, t tx.Tx, rows []Fact[Birth]) ([]importing.Result, error)
	AddMoves(ctx context.Context, t tx.Tx, rows []Fact[Move]) ([]importing.Result, error)
	AddDeaths(ctx context.Context, t tx.Tx, rows []Fact[Death]) ([]importing.Result, error)
	AddIncome(ctx context.Context, t tx.Tx, rows []Fact[Income]) ([]importing.Result, error)
	ReplaceIncome(ctx context.Context, t tx.Tx, row Fact[Income]) error

	// Municipalities lists all of the cell by code.
	Municipalities(ctx context.Context, t tx.Tx) ([]Municipality, error)
	// BornOn lists the residents with this birth date and one of the sexes, at most limit.
	BornOn(ctx context.Context, t tx.Tx, day civil.Date, sexes []identity.Sex, limit int) ([]Resident, error)
	// BornSince lists residents of the municipality born on from or later, by id, after the
	// id given.
	BornSince(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, from civil.Date, after identity.CitizenID, limit int) ([]identity.CitizenID, error)
	// Standings gives the citizens that exist.
	Standings(ctx context.Context, t tx.Tx, ids []identity.CitizenID) (map[identity.CitizenID]Standing, error)
	// Household lists the members of the citizen's household, the citizen among them.
	Household(ctx context.Context, t tx.Tx, id identity.CitizenID) (map[identity.CitizenID]Member, error)
	// Families gives up to limit households of the municipality after the one given, in
	// order, that have a member born after young who is neither head nor spouse.
	Families(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, after string, young civil.Date, limit int) ([]Family, error)
	// Housemates gives the members of each citizen's household, the citizen among them.
	Housemates(ctx context.Context, t tx.Tx, ids []identity.CitizenID) (map[identity.CitizenID][]identity.CitizenID, error)
	AddFacts(ctx context.Context, t tx.Tx, rows []Fact[Told]) ([]importing.Result, error)
	ReplaceFact(ctx context.Context, t tx.Tx, row Fact[Told]) error
	// Linked gives the citizen of a provider's subject.
	Linked(ctx context.Context, t tx.Tx, issuer, subject string) (identity.CitizenID, bool, error)
	// Link keeps the link unless the subject has one, and gives the citizen it has now.
	Link(ctx context.Context, t tx.Tx, issuer, subject string, id identity.CitizenID, at time.Time) (identity.CitizenID, error)
}

// Record is the part of the access record that use cases write. *audit.Log implements it.
type Record interface {
	Append(ctx context.Context, t tx.Tx, a actor.Actor, e audit.Event) error
}

// Looked is the part of the access record that shows a citizen who looked.
// *audit.Log implements it.
type Looked interface {
	VisibleIn(ctx context.Context, t tx.Tx, id identity.CitizenID, cursor string, limit int) (audit.Page, error)
}

// Deps are what a Registry needs; all are required.
type Deps struct {
	Runner tx.Runner
	Rows   Rows
	Record Record
	Looked Looked
	Now    func() time.Time
	Rand   io.Reader
}

// Registry answers who the citizens are. It is safe for concurrent use.
type Registry struct {
	Deps
	ids handle.Source
}

// New makes a Registry.
func New(d Deps) *Registry {
	return &Registry{Deps: d, ids: handle.Source{Now: d.Now, Rand: d.Rand}}
}

// today is the day in Japan.
func (x *Registry) today() civil.Date { return civil.In(x.Now()) }

// Seen is one line of "who looked at my data".
type Seen struct {
	auditlog.Entry
	// Who is the office's name, "you" for the citizen, or "ご家族" for a parent.
	Who string
}
