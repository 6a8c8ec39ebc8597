package check

import (
	"time"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/jptext"
)

// Display is the one word that a row and a banner show. It is worked out when asked for:
// the line's state is the screen's, not the record's.
type Display string

// The words. Those of an answer are the payer's own; none of the others says anything
// about the patient's coverage.
const (
	DisplayChecking Display = "checking" // recorded, the line is up, the answer is awaited
	DisplayLate     Display = "late"     // no answer in time, though the record was sent or the line is up
	DisplayOffline  Display = "offline"  // 未確認（通信不可）: recorded, will be sent
	DisplayRefused  Display = "refused"  // the backend did not take the record
	DisplayRecorded Display = "recorded" // recorded; numbers are missing, so nothing can be asked: see View.Need
	DisplayVoided   Display = "voided"   // taken back, or another record stands in its place
	DisplayError    Display = "error"    // the check ended with an error: says nothing of the coverage
	DisplayReviewed Display = "reviewed" // a person has looked at an answer that differed; Answer has the word
)

// Need is the one thing to ask the patient for now.
type Need string

// The needs.
const (
	NeedNothing     Need = ""
	NeedNumber      Need = "ask_number"      // 資格情報のお知らせ, the マイナポータル screen, or a 申立書
	NeedDeclaration Need = "ask_declaration" // no coverage was found: 申立書
	NeedReport      Need = "ask_report"      // 申立書 is here; the number is told when it is known
	NeedCharge      Need = "ask_charge"      // the share that the patient remembers may differ: ask
)

// Level is how long a case has waited.
type Level string

// The levels.
const (
	Calm  Level = ""
	Amber Level = "amber" // AmberAfter
	Red   Level = "red"   // RedAfter
)

// How long a case may be unresolved before it shows amber and red.
const (
	AmberAfter = 12 * time.Hour
	RedAfter   = 24 * time.Hour
)

// Match is how the name of an answer agrees with the desk's.
type Match = jptext.Match

// View is a case as the desk shows it now.
type View struct {
	casebook.Case
	Display Display
	Waiting time.Duration // since it was recorded, while there is no answer
	Need    Need
	Age     Level
	Names   Match
	// OtherPerson (別人の可能性): birth date or name of the answer contradict the row.
	OtherPerson bool
	Why         Why // what keeps it from being resolved; "" where it is
}

// Masked gives the number's last three digits, for lists that the next patient may see.
func (v View) Masked() string {
	n := []rune(v.Inquiry.Number)
	if len(n) <= 3 {
		return "***"
	}
	return "***" + string(n[len(n)-3:])
}

// moment is what views of one time have in common: it is asked for once, however many rows
// there are.
type moment struct {
	now           time.Time
	line, folder  bool // who is asked can be reached
	answerTimeout time.Duration
}

func (d *Desk) moment() moment {
	return moment{
		now: d.Now(), line: d.Line().Up, folder: d.causeOfOnline() == eligibility.CauseNone, answerTimeout: d.answerTimeout(),
	}
}

// views gives the cases as the desk shows them now.
func (d *Desk) views(cases []casebook.Case) []View {
	at := d.moment()
	views := make([]View, 0, len(cases))
	for _, c := range cases {
		views = append(views, at.view(c))
	}
	return views
}

func (m moment) view(c casebook.Case) View {
	now := m.now
	if c.Known != nil && !now.Before(c.Known.Expires) {
		c.Known = nil
	}
	v := View{Case: c, Need: need(&c), Why: why(c.OpenTask(), c.State)}
	if v.Why != "" {
		v.Age = level(now.Sub(c.RecordedAt))
	}
	v.Display = m.display(&c)
	if c.Waits() {
		v.Waiting = max(now.Sub(c.RecordedAt), 0)
	}
	if c.Answer != nil && c.State != eligibility.Voided {
		v.Names = names(&c, *c.Answer)
		v.OtherPerson = c.Task != nil && c.Task.Kind == casebook.TaskOtherPerson
	}
	return v
}

func (m moment) display(c *casebook.Case) Display {
	switch c.State {
	case eligibility.Answered:
		if c.Answer == nil {
			return DisplayLate // not a row of ours: it has no word
		}
		return Display(c.Answer.Validity)
	case eligibility.Reviewed:
		return DisplayReviewed
	case eligibility.Voided:
		return DisplayVoided
	case eligibility.Refused:
		return DisplayRefused
	case eligibility.Recorded:
		return DisplayRecorded
	}
	if endedAbnormally(c) {
		return DisplayOffline // the terminal is there, and what is behind it is not
	}
	reachable, since := m.line, c.RecordedAt
	if c.Route == eligibility.RouteTerminal {
		reachable = m.folder
		if !c.AskedAt.IsZero() {
			since = c.AskedAt
		}
	}
	waited := m.now.Sub(since)
	inTime := waited >= 0 && waited < m.answerTimeout // a clock set back says nothing
	switch {
	case inTime && (c.State == eligibility.Sent || reachable):
		return DisplayChecking
	case c.State == eligibility.Sent, reachable:
		return DisplayLate
	}
	return DisplayOffline
}

func need(c *casebook.Case) Need {
	switch {
	case c.State == eligibility.Recorded && c.Declared == nil:
		return NeedNumber
	case c.State == eligibility.Recorded:
		return NeedReport
	case c.State == eligibility.Answered && c.Answer != nil && c.Task.Open() && c.Declared == nil &&
		(c.Answer.Validity == eligibility.Invalid || c.Answer.Validity == eligibility.NoneFound):
		return NeedDeclaration
	case c.Waits() && c.Charge.Asked:
		return NeedCharge
	}
	return NeedNothing
}

// why says what keeps a case with this open task and state from being resolved.
func why(task casebook.TaskKind, state eligibility.State) Why {
	switch task {
	case casebook.TaskOtherPerson:
		return WhyOtherPerson
	case casebook.TaskFailed:
		return WhyFailed
	case casebook.TaskRefused:
		return WhyRefused
	case casebook.TaskDiffers:
		return WhyDiffers
	}
	switch state {
	case eligibility.Recorded:
		return WhyNoNumber
	case eligibility.Queued:
		return WhyQueued
	case eligibility.Sent:
		return WhySent
	}
	return ""
}

func level(waited time.Duration) Level {
	switch {
	case waited >= RedAfter:
		return Red
	case waited >= AmberAfter:
		return Amber
	}
	return Calm
}

// DefaultAnswerTimeout is how long an answer is awaited where the profile does not say.
const DefaultAnswerTimeout = 10 * time.Second

func (d *Desk) answerTimeout() time.Duration {
	if ms := d.Profile().AnswerTimeoutMS; ms > 0 {
		return time.Duration(ms) * time.Millisecond
	}
	return DefaultAnswerTimeout
}
