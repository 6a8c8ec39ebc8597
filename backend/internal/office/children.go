package office

import (
	"context"
	"strconv"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/shared/civil"
)

// Children is what the console does with child support. Each call is scoped to the
// officer's municipality, checks their role again and is recorded.
//
// A fault of what was typed is told with the field's name in its place: "contact",
// "support", "reason", "outcome", "note". One's own work is fault.Forbidden at "own_work".
type Children interface {
	// Cases gives the open ones: those that wait for an officer first, each oldest first.
	Cases(ctx context.Context, who actor.Staff, limit int) ([]Case, error)
	Case(ctx context.Context, who actor.Staff, id string) (CaseDetail, error)
	Assess(ctx context.Context, who actor.Staff, id string, a Assessment) error
	Approve(ctx context.Context, who actor.Staff, id, reason string) error
	Return(ctx context.Context, who actor.Staff, id, reason string) error
	Close(ctx context.Context, who actor.Staff, id, outcome, note string) error
	Erasures(ctx context.Context, who actor.Staff) ([]Erasure, error)
	Evaluation(ctx context.Context, who actor.Staff) ([]Evaluation, error)
}

// CaseState says where a case is.
type CaseState string

// The states of a case.
const (
	CaseFlagged    CaseState = "flagged"     // waits for an officer's assessment
	CaseAssessed   CaseState = "assessed"    // contact proposed, waits for a second role
	CaseReturned   CaseState = "returned"    // contact not approved, waits for another assessment
	CaseOffered    CaseState = "offered"     // the family has the offer
	CaseWithPerson CaseState = "with_person" // a protection holds: nothing was sent, people take it on
	CaseAccepted   CaseState = "accepted"
	CaseDeclined   CaseState = "declined"
	CaseClosed     CaseState = "closed"
	CaseLapsed     CaseState = "lapsed" // nobody reviewed the flag in its time
)

// Case is one line of the queue. It names nobody.
type Case struct {
	ID        string
	Indicator Texts // the readable rule's name
	State     CaseState
	Since     time.Time
	Due       civil.Date // the flag lapses, or the approval is due; zero: none
	Own       bool       // the officer assessed it
}

// CaseDetail is one case's page.
type CaseDetail struct {
	Case
	Child      Child
	Rule       Texts // the indicator's rule in one sentence
	Reasons    []Reason
	Holds      bool // the newest items still show what was flagged
	Support    *Support
	Assessed   *Assessed
	Approval   *Approval // while it waits for the second role
	Decided    Decided
	Outcome    Texts // of a closed case
	Note       string
	History    []Event
	Supports   []Support // that may be offered here, while CanAssess
	Outcomes   []Choice  // with which it may be closed, while CanClose
	CanAssess  bool
	CanApprove bool // by state and role; own work is told by Approval
	CanClose   bool
}

// Child is whom a case is about.
type Child struct {
	Name, Kana string
	Birth      civil.Date
	Guardian   string
}

// Reason is one item in words, with where it comes from and how old it is.
type Reason struct {
	Text   Texts
	Source Texts
	Ground Texts // the legal ground
	AsOf   civil.Date
	Until  civil.Date // it is erased after this day
	// Expired tells that the item is gone, past its retention; Text says only that.
	Expired bool
}

// Assessed is what the officer wrote.
type Assessed struct {
	By      string // a name
	At      time.Time
	Contact bool
	Reason  string
}

// Stamp tells this assessment from every other of its case.
func (a *Assessed) Stamp() string { return strconv.FormatInt(a.At.UnixMicro(), 10) }

// Support is one entry of the catalogue, as the offer will name it.
type Support struct {
	Key                   string
	Name, What, From, How Texts
	Cost                  Texts
}

// Assessment is an officer's word on a case.
type Assessment struct {
	Contact bool
	Wrong   bool   // without Contact: the data was wrong or too old
	Support string // key of Supports, with Contact
	Reason  string
}

// Erasure proves that items are gone.
type Erasure struct {
	Source, Item Texts
	Why          string // "retention", "superseded", "lapsed"
	Count        int
	Cutoff       civil.Date
	Digest       string
	At           time.Time
}

// Evaluation counts one indicator's cases.
type Evaluation struct {
	Indicator                                               Texts
	Flagged, Reviewed, Contacted, Accepted, Declined, Wrong int
}
