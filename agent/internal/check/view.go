package check

import (
	"time"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/shared/eligibility"
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
type Match string

// The matches.
const (
	MatchUnknown  Match = ""         // one side tells no name
	MatchSame     Match = "same"     //
	MatchWildcard Match = "wildcard" // the answer has ● for characters that it cannot tell
	MatchDiffers  Match = "differs"  //
)

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

func (d *Desk) view(c casebook.Case) View {
	v := View{Case: c}
	waited := d.Now().Sub(c.RecordedAt)
	inTime := waited >= 0 && waited < d.answerTimeout() // a clock set back says nothing
	waited = max(waited, 0)
	switch {
	case c.State == eligibility.Answered && c.Answer != nil:
		v.Display = Display(c.Answer.Validity)
	case c.State == eligibility.Refused:
		v.Display = DisplayRefused
	case inTime && (c.State == eligibility.Sent || d.Line().Up):
		v.Display, v.Waiting = DisplayChecking, waited
	case c.State == eligibility.Sent, d.Line().Up:
		v.Display, v.Waiting = DisplayLate, waited
	default:
		v.Display, v.Waiting = DisplayOffline, waited
	}
	return v
}

// DefaultAnswerTimeout is how long an answer is awaited where the profile does not say.
const DefaultAnswerTimeout = 10 * time.Second

func (d *Desk) answerTimeout() time.Duration {
	if ms := d.Profile().AnswerTimeoutMS; ms > 0 {
		return time.Duration(ms) * time.Millisecond
	}
	return DefaultAnswerTimeout
}
