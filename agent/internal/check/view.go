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
)

// View is a case as the desk shows it now.
type View struct {
	casebook.Case
	Display Display
	Waiting time.Duration // since it was recorded, while there is no answer
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
