// Package award brings a benefit from its rule to an approved list of payments: a run finds
// the families, each gets a decision with its steps and a notice, refuses or says nothing,
// and a second person approves the list of those who were silent.
//
// It promises: money moves once, unique by beneficiary, benefit, month and kind over all
// payees and runs; a refusal in time always wins; silence counts only after proven delivery
// and until AnswerDays later; a list balances and is approved by somebody who did not make
// it; a page of a run is stored whole or not at all, and the same page again changes
// nothing; what cannot be decided is named as a question for a person and never a refusal.
// Protected people do not appear to officers who do not work for them, and stay in counts.
package award

import (
	"encoding/json"
	"io"
	"log/slog"
	"time"

	"madoguchi.example/backend/internal/job"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

// Limits and times.
const (
	// NoticeDays is the least time in days between the start of a run and its deadline.
	NoticeDays = 14
	// AnswerDays is how long a family may answer after the proven delivery of its notice,
	// where the run's deadline comes sooner.
	AnswerDays = 7

	PageHouseholds = 100  // of one transaction of a run
	MaxList        = 2000 // awards of one list
	MaxListed      = 100  // of one page of a table
	MaxMine        = 200  // awards that a citizen's list shows
	MaxReason      = 1000 // code points of a reason
	gatherPage     = 200  // awards looked at in one transaction of a list
	samples        = 3    // decisions shown before a run starts
	sampleFamilies = 50   // families looked at for the decisions that are shown
	maxOfficer     = 50   // runs of one table
)

// lastMinute is how long after 24:00 of an award's last day it can be put on a list: a
// refusal of the last minute is stored by then.
const lastMinute = 10 * time.Minute

// State says where one award is. Each award is in exactly one state.
type State string

// The states.
const (
	OpenQuestion State = "open_question" // a fact is missing: no money, no refusal
	MustApply    State = "must_apply"    // the family has to apply: silence never means yes
	Noticed      State = "noticed"       // told, delivery not proven
	Proven       State = "proven"        // delivery proven, the time to answer not over
	Silent       State = "silent"        // closed in silence, ready for a list
	Refused      State = "refused"
	Listed       State = "listed"    // on a list that waits for approval
	Approved     State = "approved"  // on an approved list
	Withdrawn    State = "withdrawn" // a later decision took its place
)

// States lists them in the order of the way.
func States() []State {
	return []State{OpenQuestion, MustApply, Noticed, Proven, Silent, Refused, Listed, Approved, Withdrawn}
}

// Award is one decision about one household.
type Award struct {
	ID           string // "awd_…"
	Run          string
	Municipality identity.MunicipalityCode
	Benefit      string
	Name         benefit.Words // of the benefit
	Basis        string        // the law or budget it rests on, Japanese
	Month        benefit.Month // of entitlement
	Payee        identity.CitizenID
	PayeeRef     string // the municipality's own key; for officers
	PayeeName    identity.PersonName
	Household    string
	// Amount is yen, all lines together: 0 while it cannot be told, what is to be expected
	// where the family must apply.
	Amount    int64
	State     State
	Deadline  civil.Date // of the run
	AnswerBy  civil.Date // the last day to refuse; zero while delivery is not proven: no end
	PayOn     civil.Date
	Notice    string // "ntc_…"
	Withheld  bool   // the notice was not sent: a protection holds
	DecidedAt time.Time
	Proof     mailbox.Proof // zero while delivery is not proven
	Settled   Settlement
	List      string // the list it stands on, "" for none
	Refusable bool   // by the payee in the app, now
	Decision
	History []Event // oldest first
}

// LogValue shows the handle alone.
func (a Award) LogValue() slog.Value { return slog.StringValue(a.ID) }

// String shows the handle alone.
func (a Award) String() string { return a.ID }

// Decision is what a decision rests on and says. It is stored with the award.
type Decision struct {
	Version string   `json:"version"` // of the programme's edition
	Lines   []Line   `json:"lines"`
	Facts   []Fact   `json:"facts"`
	Steps   []Step   `json:"steps"`
	Needs   []Need   `json:"needs,omitempty"`
	Unknown []string `json:"unknown,omitempty"` // the same as the rules name it
}

// Line is one beneficiary's part.
type Line struct {
	Citizen identity.CitizenID `json:"citizen"`
	// Birth is zero where the part is the household's: its eldest child stands for it.
	Birth civil.Date `json:"birth,omitzero"`
	// Amount is yen; negative while it cannot be told.
	Amount int64 `json:"amount"`
	// Name is read from the register when the award is shown; it is not stored.
	Name identity.PersonName `json:"-"`
}

// Known tells whether the line's amount can be told.
func (l Line) Known() bool { return l.Amount >= 0 }

// unknownAmount stands for an amount that cannot be told.
const unknownAmount = -1

// Fact is one thing that the decision rests on, with where it comes from and how old it is.
type Fact struct {
	Name   string             `json:"name"`
	Label  benefit.Words      `json:"label"`
	Of     identity.CitizenID `json:"of"`
	Value  string             `json:"value"`
	Source string             `json:"source"`
	AsOf   civil.Date         `json:"as_of,omitzero"`
}

// Step is one rule that was applied.
type Step struct {
	Rule       string            `json:"rule"`
	Version    string            `json:"version"`
	Article    string            `json:"article"`
	Inputs     map[string]string `json:"inputs,omitempty"`
	Parameters []Parameter       `json:"parameters,omitempty"`
	Result     string            `json:"result"`
	Text       benefit.Words     `json:"text"`
}

// Parameter names the dated row that a step read.
type Parameter struct {
	ID     string        `json:"id"`
	From   benefit.Month `json:"from"`
	Source string        `json:"source"`
}

// UnmarshalJSON reads what encoding/json writes.
func (p *Parameter) UnmarshalJSON(raw []byte) error {
	var f struct{ ID, From, Source string }
	if err := json.Unmarshal(raw, &f); err != nil {
		return err
	}
	from, err := benefit.ParseMonth(f.From)
	*p = Parameter{ID: f.ID, From: from, Source: f.Source}
	return err
}

// Need is a fact that is missing, in words.
type Need struct {
	Fact string        `json:"fact"`
	Text benefit.Words `json:"text"`
}

// How says how an award ended.
type How string

// The ends.
const (
	HowRefused   How = "refused"
	HowApproved  How = "approved"
	HowWithdrawn How = "withdrawn"
)

// Settlement is how an award ended. The first one stands.
type Settlement struct {
	How        How // "" while it has not
	At         time.Time
	By         string // a handle: the citizen, an officer, a job
	ReceivedOn civil.Date
	Channel    notice.Channel // of a refusal
	Reason     string         // an officer's, of a refusal received at the office
	List       string         // of an approval
}

// Event is one line of an award's history.
type Event struct {
	// What is decided, noticed, delivered_app, delivered_letter, deadline, refused, listed,
	// returned, approved, payment or withdrawn.
	What string
	At   time.Time  // zero where only the day is known
	On   civil.Date // in Japan
	By   string     // a handle
	Note string
}

// Deps are what an Office needs; all are required.
type Deps struct {
	Runner      tx.Runner
	Rows        Rows
	People      People
	Programs    Programs
	Mail        Mail
	Approvals   Approvals
	Protections Protections
	Queue       job.Queue
	Record      Record
	Now         func() time.Time
	Rand        io.Reader
}

// Office decides benefits and makes their lists. It is safe for concurrent use.
type Office struct {
	Deps
	ids   handle.Source
	words catalogue
}

// New makes an Office.
func New(d Deps) (*Office, error) {
	words, err := loadWords()
	if err != nil {
		return nil, err
	}
	return &Office{Deps: d, ids: handle.Source{Now: d.Now, Rand: d.Rand}, words: words}, nil
}

func (x *Office) today() civil.Date { return civil.In(x.Now()) }

// now is the time as the store keeps it.
func (x *Office) now() time.Time { return x.Now().UTC().Truncate(time.Microsecond) }

var (
	errNoAward = fault.New(fault.NotFound, "there is no such award")
	errNoRun   = fault.New(fault.NotFound, "there is no such run")
	errNoList  = fault.New(fault.NotFound, "there is no such list")
)
