package office

import (
	"context"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/notice"
)

// Benefits is what the console does with benefits. Each call is scoped to the officer's
// municipality, and checks their role again; a protected person does not appear to an
// officer without actor.Protector.
//
// A fault of what was typed is told with the field's name in its place: "benefit", "month",
// "deadline", "pay_on", "on", "reason", "count", "total". One's own work is
// fault.Forbidden at "own_work".
type Benefits interface {
	Programs(ctx context.Context, who actor.Staff) ([]Choice, error)
	Runs(ctx context.Context, who actor.Staff, limit int) ([]Run, error)
	// Draft makes a run. The same Once makes one run and gives it again.
	Draft(ctx context.Context, who actor.Staff, d RunDraft) (run string, err error)
	// Run is asked again every two seconds while a run works: it only reads counts.
	Run(ctx context.Context, who actor.Staff, id string) (RunDetail, error)
	// Samples gives a few decisions of the run, evaluated now.
	Samples(ctx context.Context, who actor.Staff, run string) ([]Sample, error)
	Act(ctx context.Context, who actor.Staff, run string, a RunAct) error
	// Propose gathers what closed in silence and asks for approval.
	Propose(ctx context.Context, who actor.Staff, run string) (list string, err error)
	// Awards gives a page of a run's awards in one state, or in any for "", from a cursor.
	Awards(ctx context.Context, who actor.Staff, run string, state AwardState, after string, limit int) (_ []Award, next string, err error)
	// Questions gives a page of the run's households that no rule can decide.
	Questions(ctx context.Context, who actor.Staff, run, after string, limit int) (_ []Question, next string, err error)
	Award(ctx context.Context, who actor.Staff, id string) (AwardDetail, error)
	RecordLetter(ctx context.Context, who actor.Staff, award string, on civil.Date) error
	RecordRefusal(ctx context.Context, who actor.Staff, award string, receivedOn civil.Date, reason string) error
	List(ctx context.Context, who actor.Staff, id string) (ListDetail, error)
	Approve(ctx context.Context, who actor.Staff, list string, count int, total int64, reason string) error
	Return(ctx context.Context, who actor.Staff, list, reason string) error
}

// RunDraft is a run as an officer asks for it.
type RunDraft struct {
	Once     string     // made with the form
	Benefit  string     // key of Programs
	Month    civil.Date // the first of the month of entitlement
	Deadline civil.Date // for a family's answer
	PayOn    civil.Date
}

// RunState says where a run is.
type RunState string

// The states of a run.
const (
	RunDrafted  RunState = "draft"
	RunCounting RunState = "counting" // the dry run works
	RunCounted  RunState = "counted"  // can be started
	RunRunning  RunState = "running"
	RunPaused   RunState = "paused" // of counting or running
	RunDone     RunState = "done"
)

// RunAct is what an officer does to a run.
type RunAct string

// The acts.
const (
	RunCount  RunAct = "count"
	RunStart  RunAct = "start"
	RunPause  RunAct = "pause"
	RunResume RunAct = "resume"
)

// Run is one line of the list of runs.
type Run struct {
	ID              string
	Name            Texts // of the benefit
	Month           civil.Date
	Deadline, PayOn civil.Date
	State           RunState
	StartedBy       string // a name, "" when it is not known
	CreatedAt       time.Time
	Seen, All       int       // households looked at, and how many there are (0: not known yet)
	WorkingSince    time.Time // when the work that goes on began, zero when nothing works
}

// Count is what the dry run counted; nothing of it is stored as a decision.
type Count struct {
	Households, Awards, Children  int
	Yen                           int64
	Questions, MustApply, Already int // households that cannot be told yet, must apply, have it already
}

// AwardState says where one award is. Each award is in exactly one state.
type AwardState string

// The states of an award.
const (
	OpenQuestion AwardState = "open_question" // a fact is missing
	MustApply    AwardState = "must_apply"    // the family has to apply
	Noticed      AwardState = "noticed"       // told, delivery not proven
	Proven       AwardState = "proven"        // delivery proven, the deadline not over
	Silent       AwardState = "silent"        // closed in silence, ready for a list
	Refused      AwardState = "refused"
	Listed       AwardState = "listed" // on a list that waits for approval
	Approved     AwardState = "approved"
	Withdrawn    AwardState = "withdrawn" // a later decision took its place
)

// AwardStates lists them in the order of the way.
func AwardStates() []AwardState {
	return []AwardState{OpenQuestion, MustApply, Noticed, Proven, Silent, Refused, Listed, Approved, Withdrawn}
}

// Tally is how many awards are in one state, and their yen.
type Tally struct {
	Awards int
	Yen    int64
}

// RunDetail is one run's page.
type RunDetail struct {
	Run
	Count     *Count               // nil before the dry run is done
	ByState   map[AwardState]Tally // all awards, protected people too
	ForPerson int                  // households that no rule can decide; Questions lists them
	Lists     []List               // newest first
}

// Question is a household that no rule can decide.
type Question struct {
	Ref, Name string // of a person of it
	Trouble   string // a key of award.Troubles
}

// Sample is one decision as a family would read it.
type Sample struct {
	Texts    map[notice.Language]notice.Text
	Yen      int64
	Children int
}

// Award is one line of a table of awards.
type Award struct {
	ID, Ref, Name string // of the payee: resident reference, name
	Yen           int64
	Children      int
	State         AwardState
	AnswerBy      civil.Date // zero: no end yet
}

// AwardDetail is one award's page.
type AwardDetail struct {
	Award
	Run, List   string // handles; List is "" when it is on none
	RunName     Texts
	Month       civil.Date
	PayOn       civil.Date
	Basis       Texts // the law
	NoticeID    string
	Shares      []Share
	Facts       []Fact
	Steps       []Step
	Needs       []Texts // what is missing, in words
	History     []Event // oldest first
	CanLetter   bool    // a letter may be recorded as delivered
	CanRefuse   bool    // a refusal may be recorded as received
	NoticedOn   civil.Date
	RefusalEnds civil.Date // a refusal counts when received until this day; zero: no end yet
}

// Share is one child's part.
type Share struct {
	Name  string
	Birth civil.Date
	Yen   int64
}

// Fact is one thing that the decision rests on.
type Fact struct {
	Name, Value Texts
	Source      Texts
	AsOf        civil.Date // zero: not known
}

// Step is one rule that was applied.
type Step struct {
	Text       Texts
	Article    string
	Parameters []ParameterRow
}

// ParameterRow is the dated row that a step read.
type ParameterRow struct {
	Source string
	From   civil.Date
}

// Event is one line of a history. What is a key of the catalogue under "event.".
type Event struct {
	At   time.Time
	On   civil.Date // where only the day is known
	What string     // decided, noticed, delivered_app, delivered_letter, deadline, refused, listed, returned, approved, payment, withdrawn
	By   string
	Note string
}

// List is one payment list.
type List struct {
	ID     string
	Count  int
	Yen    int64
	State  string // "gathering", "waiting", "approved", "returned", "empty" (nobody was ready)
	MadeAt time.Time
	MadeBy string
}

// ListDetail is one list's page.
type ListDetail struct {
	List
	Run      string
	RunName  Texts
	Month    civil.Date
	PayOn    civil.Date
	Balanced bool       // the ledger's entries of this list sum to zero and agree with Yen
	Lines    []ListLine // at most MaxShown, without protected people
	Approval *Approval  // while it waits
	Decided  Decided
}

// ListLine is one payment.
type ListLine struct {
	Award, Ref, Name string
	Children         int
	Yen              int64
}
