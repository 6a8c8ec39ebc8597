// Package childsupport helps families who did not ask: it links a few items that the
// municipality holds already, shows an officer what they say in words, and, when people
// decide so, offers a support.
//
// It promises: nothing reaches a family before a named officer's assessment with a reason
// and the approval of a second person in another role; a protection of the child or of
// anybody of the household beats the offer in the same transaction and brings the case to a
// person; an offer names a support and never why; what a family answers has no effect on
// anything else. Items lie under a pseudonym for each source, under a named purpose, legal ground
// and retention, and are erased with proof when it ends. There is no score. Every read and
// change is recorded in its transaction under a purpose that the family's list of who
// looked does not show.
//
// Facts: reference/benefits.md section 4.
package childsupport

import (
	"fmt"
	"log/slog"
	"time"

	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

// Limits.
const (
	MaxCases  = 500  // of one list
	MaxOffers = 200  // of one family
	MinReason = 4    // code points of an assessment or a decision
	MaxReason = 1000 // code points of an assessment, a decision or a closing note
	KeyBytes  = 32   // of the secret from which the sources' keys are made
)

// Times of a case.
const (
	FlagDays     = 60  // days until a flag that nobody reviewed lapses
	DecideDays   = 14  // days in which contact should be decided
	QuietDays    = 180 // days after a closed case without a new flag of the same indicator
	CaseDays     = 365 // days for which a closed case is kept
	pageChildren = 100 // children of one transaction
	eraseRows    = 100 // rows that one transaction erases
)

// Texts is one text by language; all three are there.
type Texts map[notice.Language]string

// State says where a case is.
type State string

// The states.
const (
	Flagged    State = "flagged"     // waits for an officer's assessment
	Assessed   State = "assessed"    // contact proposed, waits for the second role
	Returned   State = "returned"    // contact not approved, waits for another assessment
	Offered    State = "offered"     // the family has the offer
	WithPerson State = "with_person" // a protection holds: nothing was sent, people take it on
	Accepted   State = "accepted"
	Declined   State = "declined"
	Closed     State = "closed"
)

// The states of open cases: those that wait for an officer, and those that wait for the
// family or for the people who took the case on.
var (
	waiting = []State{Flagged, Assessed, Returned, Accepted, Declined}
	resting = []State{Offered, WithPerson}
)

// Outcome says how a case ended.
type Outcome string

// The outcomes.
const (
	NoAction   Outcome = "no_action"   // assessed: nothing to do
	NotAsSaid  Outcome = "not_as_said" // assessed: the data was wrong or too old
	Started    Outcome = "started"     // the support began
	Refused    Outcome = "refused"     // the family said no
	InPerson   Outcome = "in_person"   // people helped without an offer
	NotReached Outcome = "not_reached" // no answer
)

// Outcomes lists those with which Close ends a case.
func Outcomes() []Outcome { return []Outcome{Started, Refused, InPerson, NotReached, NotAsSaid} }

// Answer is what a family says to an offer.
type Answer string

// The answers.
const (
	Yes Answer = "accepted"
	No  Answer = "declined"
)

// Act is one line of a case's history.
type Act struct {
	What   State  // the state that it led to
	By     string // the officer's handle, "family", or the job's name
	At     time.Time
	Reason string // of an assessment, a decision (also at Offered and WithPerson) or a close
}

// Case is one flag and what became of it. Reads of a list leave Child, Guardian, Reasons,
// Support and History out: a queue names nobody.
type Case struct {
	ID           string // "chc_…"
	Municipality identity.MunicipalityCode
	Indicator    Indicator
	State        State
	FlaggedAt    time.Time
	Due          civil.Date // the flag lapses, or the approval is due; zero: none
	Own          bool       // the caller assessed it, and can never approve it
	Child        citizen.Resident
	Guardian     citizen.Resident // zero: nobody of age in the household
	Reasons      []Reason
	Holds        bool     // the newest items still show what was flagged
	Support      *Support // once contact was proposed
	Notice       string   // of the offer
	Outcome      Outcome
	ClosedAt     time.Time
	History      []Act // oldest first
}

// LogValue shows the handle alone.
func (c Case) LogValue() slog.Value { return slog.StringValue(c.ID) }

// String shows the handle alone.
func (c Case) String() string { return c.ID }

// Reason is one item in words, with its source, legal ground and age.
type Reason struct {
	Item    string
	Text    Texts // of an item that is gone: that it has expired
	Source  Texts
	Ground  Texts
	AsOf    civil.Date // the day of which the source speaks
	Until   civil.Date // kept up to and with this day
	Expired bool       // the item is gone, past its retention
}

// LogValue masks what the item says.
func (Reason) LogValue() slog.Value { return slog.StringValue(identity.Mask) }

// String masks what the item says.
func (Reason) String() string { return identity.Mask }

// Assessment is an officer's word on a case.
type Assessment struct {
	Contact bool   // propose an offer; otherwise the case closes with NoAction
	Support string // id of the catalogue, with Contact
	Wrong   bool   // without Contact: the data was wrong or too old (NotAsSaid)
	Reason  string
}

// Offer is a support as its family sees it.
type Offer struct {
	ID           string // "off_…"
	Municipality identity.MunicipalityCode
	Support      Support
	Notice       string
	SentAt       time.Time
	Answer       Answer // "" until answered
	AnsweredAt   time.Time
	Open         bool // it can be answered, or the answer changed
}

// LogValue shows the handle alone.
func (o Offer) LogValue() slog.Value { return slog.StringValue(o.ID) }

// String shows the handle alone.
func (o Offer) String() string { return o.ID }

// Erasure is the proof that items are gone.
type Erasure struct {
	Source string // of the register; "case" for cases
	Item   string // of the register; of cases, their indicator
	Why    Why
	Count  int
	Cutoff civil.Date // what was kept until before this day is gone
	Digest []byte     // SHA-256 over the sorted keys of what was erased, each with a line break
	At     time.Time
}

// Evaluation counts one indicator's cases over all time. It holds no person's data.
type Evaluation struct {
	Indicator                                               string
	Flagged, Reviewed, Contacted, Accepted, Declined, Wrong int
}

// Desk reviews flags and makes offers. It is safe for concurrent use.
type Desk struct {
	Deps
	register *Register
	ids      handle.Source
	keys     map[string][]byte // by source
}

// New makes a Desk. It fails when Key does not have KeyBytes, and where the embedded
// register is at fault.
func New(d Deps) (*Desk, error) {
	if len(d.Key) != KeyBytes {
		return nil, fmt.Errorf("cannot link items: the key has %d bytes, not %d", len(d.Key), KeyBytes)
	}
	r, err := Load()
	if err != nil {
		return nil, err
	}
	keys, err := sourceKeys(d.Key, r.Sources)
	if err != nil {
		return nil, err
	}
	return &Desk{Deps: d, register: r, ids: handle.Source{Now: d.Now, Rand: d.Rand}, keys: keys}, nil
}

// Register gives the register of items, indicators and supports.
func (x *Desk) Register() *Register { return x.register }

func (x *Desk) today() civil.Date { return civil.In(x.Now()) }

var (
	errNoCase    = fault.New(fault.NotFound, "there is no such case")
	errNoOffer   = fault.New(fault.NotFound, "there is no such offer")
	errOvertaken = fault.New(fault.Conflict, "the case has moved on: look at it again")
	errPurpose   = fault.At(fault.Forbidden, "purpose", "linked items may be read for child support alone")
)
