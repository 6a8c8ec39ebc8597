package award

import (
	"time"

	"madoguchi.example/backend/internal/approval"
	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

// ListState says where a list is.
type ListState string

// The states of a list.
const (
	Gathering ListState = "gathering"
	Waiting   ListState = "waiting" // for a second person
	Passed    ListState = "approved"
	Returned  ListState = "returned" // its awards are free for the next one
	Empty     ListState = "empty"    // nobody was ready
)

// List is one list of payments.
type List struct {
	ID           string // "lst_…"
	Run          string
	Municipality identity.MunicipalityCode
	Benefit      string
	Name         benefit.Words
	Month        benefit.Month
	PayOn        civil.Date
	State        ListState
	Count        int
	Total        int64 // yen
	MadeBy       string
	MadeAt       time.Time
	Cursor       string // the last award that was looked at
	Page         int
	// Balanced tells that count and total are those of the lines and of their awards, and
	// that the ledger's entries sum to zero and, once approved, pay the total. Given by List.
	Balanced bool
	Request  approval.Request  // zero while it gathers
	Verdict  approval.Decision // zero while it waits
}

// ListLine is one award's payment.
type ListLine struct {
	Award    string
	Payee    identity.CitizenID
	Ref      string
	Name     identity.PersonName
	Children int
	Amount   int64
	Withheld bool // the notice was: nothing of it stands on the payee's own screen
}
