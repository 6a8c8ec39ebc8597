package award

import (
	"context"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/approval"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

// Programs evaluates benefits. *rule.Engine implements it.
type Programs interface {
	// Decide decides without words; Explain writes them.
	Decide(r benefit.Request) (benefit.Decision, error)
	Explain(d *benefit.Decision) error
	Program(id string) (*benefit.Program, error)
	Programs() []string
}

// People knows the families. *citizen.Registry implements it.
type People interface {
	Families(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, after string, limit int) ([]citizen.Family, error)
	Named(ctx context.Context, t tx.Tx, ids []identity.CitizenID) (map[identity.CitizenID]citizen.Standing, error)
	Housemates(ctx context.Context, t tx.Tx, ids []identity.CitizenID) (map[identity.CitizenID][]identity.CitizenID, error)
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

// Mail posts notices and knows which were delivered. *mailbox.Office implements it.
type Mail interface {
	Post(ctx context.Context, t tx.Tx, who actor.Actor, purpose audit.Purpose, letters []mailbox.Letter) ([]mailbox.Posted, error)
	Proofs(ctx context.Context, t tx.Tx, of []mailbox.Delivered) (map[string]mailbox.Proof, error)
	RecordLetter(ctx context.Context, t tx.Tx, who actor.Staff, purpose audit.Purpose, of identity.CitizenID, notice string, deliveredOn civil.Date) error
}

// ListKind is the kind of request under which lists wait for approval.
const ListKind = "benefit_list"

// Approvals is the two-person rule. *approval.Desk implements it.
type Approvals interface {
	Ask(ctx context.Context, t tx.Tx, who actor.Actor, purpose audit.Purpose, r approval.Request) (approval.Request, error)
	Decide(ctx context.Context, t tx.Tx, who actor.Staff, purpose audit.Purpose, id string, verdict approval.Verdict, reason string) (approval.Request, error)
	Of(ctx context.Context, t tx.Tx, kind, object string) (approval.Request, approval.Decision, bool, error)
}
