package award

import (
	"time"

	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

// RunDraft is a run as an officer asks for it.
type RunDraft struct {
	// ClientID is made by the console when the form is opened.
	ClientID string
	Benefit  string
	// Month picks the edition and the parameter rows.
	Month benefit.Month
	// Deadline is the last day on which a family may refuse, at least NoticeDays ahead.
	Deadline civil.Date
	// PayOn is the day planned for the payment, after the deadline.
	PayOn civil.Date
}

// RunState says where a run is.
type RunState string

// The states of a run.
const (
	Drafted  RunState = "draft"
	Counting RunState = "counting" // the dry run works
	Counted  RunState = "counted"  // can be started
	Running  RunState = "running"
	Paused   RunState = "paused" // of counting or running
	Done     RunState = "done"
)

// Run is one pass over the families of a municipality.
type Run struct {
	ID           string // "run_…"
	Municipality identity.MunicipalityCode
	ClientID     string
	Fingerprint  []byte // of the draft
	Benefit      string
	Name         benefit.Words
	Procedure    benefit.Procedure
	Month        benefit.Month // asked for
	Entitlement  benefit.Month // that the money is for
	Deadline     civil.Date
	PayOn        civil.Date
	State        RunState
	DraftedBy    string
	DraftedAt    time.Time
	StartedBy    string
	StartedAt    time.Time
	MovedAt      time.Time // the last page or act
	Cursor       string    // the last household that was looked at
	Page         int       // pages stored since the state began
	Counted      Counts    // by the dry run
	Result       Counts    // of the run itself
	Lists        []List    // newest first; given by Show
}

// Counts is what a pass over the families found. It names nobody.
type Counts struct {
	Households int   `json:"households"` // families looked at
	Awards     int   `json:"awards"`     // decisions with money
	Children   int   `json:"children"`   // beneficiaries of them
	Yen        int64 `json:"yen"`
	Questions  int   `json:"questions"`  // decisions that wait for a fact
	MustApply  int   `json:"must_apply"` // families that have to apply
	Already    int   `json:"already"`    // families for whom everything was decided before
	Nothing    int   `json:"nothing"`    // families that are due nothing
	// ForPerson counts by reason what no rule can decide.
	ForPerson map[Trouble]int `json:"for_person,omitempty"`
}

// Trouble says why a case needs a person.
type Trouble string

// The troubles.
const (
	NoParent       Trouble = "no_parent"       // nobody of the household can be paid
	NotBorn        Trouble = "not_born"        // a child's birth lies after today
	BornLater      Trouble = "born_later"      // a child was born after the month of the rule
	ChildGone      Trouble = "child_gone"      // a child died or moved out since the month of the rule
	MovedIn        Trouble = "moved_in"        // a child came after the month of the rule: it may have been paid elsewhere
	RelationOpen   Trouble = "relation_open"   // a minor is in the household and nobody's child there
	FactUnreadable Trouble = "fact_unreadable" // a fact is not of the type that the rule needs
	NotEvaluated   Trouble = "not_evaluated"   // the rules refused the household as it stands
	PayeeGone      Trouble = "payee_gone"      // the payee died or moved out before a list was made
)

// Troubles lists them.
func Troubles() []Trouble {
	return []Trouble{NoParent, NotBorn, BornLater, ChildGone, MovedIn, RelationOpen, FactUnreadable, NotEvaluated, PayeeGone}
}

// Question is a case that needs a person.
type Question struct {
	Citizen   identity.CitizenID
	Ref       string // the municipality's own key of the person
	Name      identity.PersonName
	Household string
	Trouble   Trouble
}

// Tally is how many awards are in one state, and their yen.
type Tally struct {
	Awards int
	Yen    int64
}

// Funnel is how far a run's awards have come, protected people among them.
type Funnel struct {
	Households int // families looked at
	ByState    map[State]Tally
	ForPerson  map[Trouble]int
}

// Sample is one decision as a family would read it.
type Sample struct {
	Texts    map[notice.Language]notice.Text
	Amount   int64
	Children int
	State    State // Noticed, OpenQuestion or MustApply
}

// Phase says what a job does.
type Phase string

// The phases.
const (
	PhaseCount  Phase = "count"
	PhaseRun    Phase = "run"
	PhaseGather Phase = "gather"
	PhaseSweep  Phase = "sweep"
)

// RunJob is one page of a run or of a list. It names no person.
type RunJob struct {
	Phase Phase  `json:"phase"`
	Run   string `json:"run,omitempty"`
	List  string `json:"list,omitempty"`
	Page  int    `json:"page,omitempty"`
}

// Kind names the job in the queue.
func (RunJob) Kind() string { return "award_run" }
