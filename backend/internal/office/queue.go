package office

import (
	"context"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/shared/civil"
)

// The kinds of approval, as the approval desk names them.
const (
	ListApproval    = "benefit_list"  // Object is a payment list
	ContactApproval = "child_contact" // Object is a case of child support
)

// Approval is one decision that waits for a second person.
type Approval struct {
	Kind, Object string
	AskedBy      string // a name, "" when it is not known
	AskedAt      time.Time
	Due          civil.Date // zero: none
	Own          bool       // the officer worked on it and can never decide it
	Others       []string   // names of who else could decide
}

// Approvals is the queue of the two-person rule: what the officer's roles may decide, in
// their municipality, their own work too, oldest first.
type Approvals interface {
	Waiting(ctx context.Context, who actor.Staff) ([]Approval, error)
}

// Decided is how a second person decided.
type Decided struct {
	Verdict string // "approved", "returned"; "" when nobody has decided
	By      string // a name
	At      time.Time
	Reason  string
}
