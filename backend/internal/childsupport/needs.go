package childsupport

import (
	"context"
	"io"
	"log/slog"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/approval"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/protection"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

// Record is the part of the access record that this package writes. *audit.Log
// implements it.
type Record interface {
	Append(ctx context.Context, t tx.Tx, a actor.Actor, e audit.Event) error
	AppendAll(ctx context.Context, t tx.Tx, a actor.Actor, entries []audit.Event) error
}

// People finds children and who stands for them. *citizen.Registry implements it.
type People interface {
	Municipalities(ctx context.Context, t tx.Tx) ([]citizen.Municipality, error)
	Young(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, from civil.Date, after identity.CitizenID, limit int) ([]citizen.Resident, identity.CitizenID, error)
	HomeOf(ctx context.Context, t tx.Tx, child identity.CitizenID) (citizen.Home, error)
}

// Mail brings an offer's notice to the guardian. *mailbox.Office implements it.
type Mail interface {
	Post(ctx context.Context, t tx.Tx, who actor.Actor, purpose audit.Purpose, letters []mailbox.Letter) ([]mailbox.Posted, error)
}

// Approvals asks the second role. *approval.Desk implements it.
type Approvals interface {
	Ask(ctx context.Context, t tx.Tx, who actor.Actor, purpose audit.Purpose, r approval.Request) (approval.Request, error)
	Decide(ctx context.Context, t tx.Tx, who actor.Staff, purpose audit.Purpose, id string, v approval.Verdict, reason string) (approval.Request, error)
	Of(ctx context.Context, t tx.Tx, kind, object string) (approval.Request, approval.Decision, bool, error)
}

// Protection knows who must not be contacted. *protection.Register implements it.
type Protection interface {
	Flagged(ctx context.Context, t tx.Tx, ids []identity.CitizenID) (map[identity.CitizenID]bool, error)
	Withhold(ctx context.Context, t tx.Tx, withheld []protection.Withheld) error
}

// Item is one stored item of one child. Its owner is a pseudonym: nothing in it leads to
// the child without the source's key.
type Item struct {
	Source    string
	Pseudonym string
	Name      string // of the register
	Part      string // which of several of the name: a check-up's key; "" where there is one
	AsOf      civil.Date
	Value     string // as encode wrote it
	ExpiresOn civil.Date
}

// LogValue masks the item.
func (Item) LogValue() slog.Value { return slog.StringValue(identity.Mask) }

// String masks the item.
func (Item) String() string { return identity.Mask }

// Delivery is one part of a source's file that brought something new.
type Delivery struct {
	ID           string // "cdl_…"
	Source       string
	Municipality identity.MunicipalityCode
	AsOf         civil.Date
	At           time.Time
}

// Pass is how far the indicators of a municipality have been looked at.
type Pass struct {
	Municipality identity.MunicipalityCode
	Day          civil.Date         // on which the pass began
	Seen         int64              // deliveries that were there when it began
	After        identity.CitizenID // children up to here are done
	Done         bool
}

// Stored is a case as it is kept.
type Stored struct {
	ID           string
	Child        identity.CitizenID
	Municipality identity.MunicipalityCode
	Indicator    string
	Episode      int // counts the child's cases of the indicator
	State        State
	FlaggedAt    time.Time
	LapsesOn     civil.Date
	Refs         []Ref // what the flag rests on
	Support      string
	DecideBy     civil.Date
	Guardian     identity.CitizenID // to whom the offer went, "" before
	Offer        string             // "off_…", "" before
	Notice       string
	OfferedAt    time.Time
	AnsweredAt   time.Time
	Answer       Answer
	Outcome      Outcome
	ClosedAt     time.Time
	EraseOn      civil.Date // zero: open
}

// LogValue shows the handle alone.
func (c Stored) LogValue() slog.Value { return slog.StringValue(c.ID) }

// String shows the handle alone.
func (c Stored) String() string { return c.ID }

// Ref names an item that a flag rests on. It holds no value.
type Ref struct {
	Source string     `json:"source"`
	Item   string     `json:"item"`
	Part   string     `json:"part,omitempty"`
	AsOf   civil.Date `json:"as_of"`
}

// Rows is the storage that Desk needs. store/childsupport implements it.
type Rows interface {
	// Newest gives the newest day of which the source spoke for the municipality.
	Newest(ctx context.Context, t tx.Tx, source string, m identity.MunicipalityCode) (civil.Date, error)
	// AddItems stores the items whose key is not there, and answers one result for each:
	// Added, Unchanged, or Changed where another value is stored, which it leaves. All
	// are of one source.
	AddItems(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, items []Item) ([]importing.Result, error)
	ReplaceItem(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, i Item) error
	Delivered(ctx context.Context, t tx.Tx, d Delivery) error
	// Deliveries counts the municipality's deliveries.
	Deliveries(ctx context.Context, t tx.Tx, m identity.MunicipalityCode) (int64, error)
	// Items gives the newest of each item and part, of those named, under the pseudonyms.
	Items(ctx context.Context, t tx.Tx, source string, names, pseudonyms []string) ([]Item, error)

	Pass(ctx context.Context, t tx.Tx, m identity.MunicipalityCode) (Pass, error)
	// Step stores the pass if it still stands as before, and tells whether it did.
	Step(ctx context.Context, t tx.Tx, before, now Pass) (bool, error)

	// CasesOf gives the cases of the children with their episodes.
	CasesOf(ctx context.Context, t tx.Tx, children []identity.CitizenID) ([]Stored, error)
	// Flag stores new cases but those whose child, indicator and episode are there, and
	// gives the ids that were stored.
	Flag(ctx context.Context, t tx.Tx, cases []Stored) ([]string, error)
	// Open lists the municipality's cases in these states, oldest first.
	Open(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, states []State, limit int) ([]Stored, error)
	Get(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, id string) (Stored, bool, error)
	// Move stores the case if its state is still from, and tells whether it did.
	Move(ctx context.Context, t tx.Tx, from State, c Stored) (bool, error)
	// AddFirst stores the act that opened each of the cases.
	AddFirst(ctx context.Context, t tx.Tx, cases []Stored, a Act) error
	AddAct(ctx context.Context, t tx.Tx, c Stored, a Act) error
	Acts(ctx context.Context, t tx.Tx, c Stored) ([]Act, error)

	// OffersTo lists the cases that were offered to the guardian, newest first.
	OffersTo(ctx context.Context, t tx.Tx, guardian identity.CitizenID, limit int) ([]Stored, error)
	OfferTo(ctx context.Context, t tx.Tx, guardian identity.CitizenID, offer string) (Stored, bool, error)

	// EraseItems erases at most limit items of the batch and gives the keys of those.
	EraseItems(ctx context.Context, t tx.Tx, b Batch, limit int) ([]string, error)
	// EraseCases erases at most limit cases of the batch with their acts.
	EraseCases(ctx context.Context, t tx.Tx, b Batch, limit int) ([]Stored, error)
	AddErasure(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, id string, e Erasure) error
	Erasures(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, limit int) ([]Erasure, error)

	// Tally stores what evaluations keep of erased cases.
	Tally(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, id string, at time.Time, e Evaluation) error
	// Evaluate counts stored and erased cases by indicator; one may come twice, to be added.
	Evaluate(ctx context.Context, t tx.Tx, m identity.MunicipalityCode) ([]Evaluation, error)
}

// Why says why something is erased.
type Why string

// The reasons of an erasure.
const (
	PastRetention Why = "retention"
	Superseded    Why = "superseded" // newer data of the same item is there
	Lapsed        Why = "lapsed"     // a flag that nobody reviewed
)

// Batch names what is erased together. Cutoff is the first day that is kept.
type Batch struct {
	Municipality identity.MunicipalityCode
	Source       string
	Item         string // of cases: the indicator
	Why          Why
	Cutoff       civil.Date
}

// Deps are what a Desk needs; all are required.
type Deps struct {
	Runner     tx.Runner
	Rows       Rows
	Residents  citizen.Resolver
	People     People
	Mail       Mail
	Approvals  Approvals
	Protection Protection
	Record     Record
	Key        []byte // KeyBytes, secret: from it come the keys of the pseudonyms
	Now        func() time.Time
	Rand       io.Reader
}
