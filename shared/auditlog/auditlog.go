// Package auditlog holds what one entry of the access record says: who did what to whose
// data, when, and for which purpose.
package auditlog

import "time"

// ActorKind is the face an actor came through.
type ActorKind string

// The kinds of actor.
const (
	ActorCitizen  ActorKind = "citizen"
	ActorStaff    ActorKind = "staff"
	ActorTerminal ActorKind = "terminal"
	ActorSystem   ActorKind = "system" // a job or a command; ID names it
)

// Actor is who acted. ID is an opaque handle.
type Actor struct {
	Kind ActorKind `json:"kind"`
	ID   string    `json:"id"`
}

// Visibility says when the person whose data was touched sees the entry.
type Visibility string

// The classes of visibility.
const (
	VisibleAtOnce Visibility = "at_once"
	VisibleLater  Visibility = "later"
	VisibleNever  Visibility = "never" // leaves no trace on the citizen's screen
)

// Entry is one line of the record. It holds handles and names of items, never values.
type Entry struct {
	ID           string    `json:"id"` // "aud_…"
	At           time.Time `json:"at"`
	Actor        Actor     `json:"actor"`
	Purpose      string    `json:"purpose"`      // a key of the purpose register
	Action       string    `json:"action"`       // "certificate.issue"
	CitizenID    string    `json:"citizen_id"`   // whose data; "" where nobody's
	Municipality string    `json:"municipality"` // whose office answers for it
	Object       string    `json:"object"`       // handle of the thing touched
	Items        []string  `json:"items"`        // which items were seen or changed, by name
}
