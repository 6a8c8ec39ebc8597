package award

import (
	"context"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

// Programs evaluates benefits. *rule.Engine implements it.
type Programs interface {
	Evaluate(r benefit.Request) (benefit.Decision, error)
	Program(id string) (*benefit.Program, error)
	Programs() []string
}

// People knows the families. *citizen.Registry implements it.
type People interface {
	Families(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, after string, limit int) ([]citizen.Family, error)
	Named(ctx context.Context, t tx.Tx, ids []identity.CitizenID) (map[identity.CitizenID]citizen.Standing, error)
	Municipality(ctx context.Context, t tx.Tx, code identity.MunicipalityCode) (citizen.Municipality, error)
}

// Record is the part of the access record that awards write. *audit.Log implements it.
type Record interface {
	Append(ctx context.Context, t tx.Tx, a actor.Actor, e audit.Event) error
	AppendAll(ctx context.Context, t tx.Tx, a actor.Actor, entries []audit.Event) error
}

// Protections knows who must not be contacted or disclosed. *protection.Register
// implements it.
type Protections interface {
	Flagged(ctx context.Context, t tx.Tx, ids []identity.CitizenID) (map[identity.CitizenID]bool, error)
}

// Proof says when and how a notice was delivered.
type Proof struct {
	At      time.Time
	Channel notice.Channel
}

// Letter is a notice for one person.
type Letter struct {
	To           identity.CitizenID
	About        []identity.CitizenID
	Municipality identity.MunicipalityCode
	Kind         notice.Kind
	Deadline     civil.Date
	Texts        map[notice.Language]notice.Text
	Subject      notice.Subject
	Once         string
}

// Posted is what became of a letter.
type Posted struct {
	Notice   string
	Withheld bool
}

// Delivered names one person's notice.
type Delivered struct {
	Citizen identity.CitizenID
	Notice  string
}

// Mail posts notices and knows which were delivered.
type Mail interface {
	Post(ctx context.Context, t tx.Tx, who actor.Actor, purpose audit.Purpose, letters []Letter) ([]Posted, error)
	Proofs(ctx context.Context, t tx.Tx, of []Delivered) (map[string]Proof, error)
	RecordLetter(ctx context.Context, t tx.Tx, who actor.Staff, purpose audit.Purpose, of identity.CitizenID, notice string, deliveredOn civil.Date) error
}

// ListKind is the kind of request under which lists wait for approval.
const ListKind = "benefit_list"

// Request asks a second person.
type Request struct {
	ID           string
	Municipality identity.MunicipalityCode
	Kind         string
	Object       string
	Role         actor.Role
	AskedBy      string
	AskedAt      time.Time
	Due          civil.Date
	Involved     []string
}

// Verdict is a second person's word.
type Verdict string

// The verdicts.
const (
	VerdictApproved Verdict = "approved"
	VerdictReturned Verdict = "returned"
)

// Decided is a verdict with its reason.
type Decided struct {
	Verdict Verdict
	By      string
	At      time.Time
	Reason  string
}

// Approvals is the two-person rule.
type Approvals interface {
	Ask(ctx context.Context, t tx.Tx, who actor.Actor, purpose audit.Purpose, r Request) (Request, error)
	Decide(ctx context.Context, t tx.Tx, who actor.Staff, purpose audit.Purpose, id string, verdict Verdict, reason string) (Request, error)
	Of(ctx context.Context, t tx.Tx, kind, object string) (Request, Decided, bool, error)
}
