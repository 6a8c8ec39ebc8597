package office

import (
	"context"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/shared/civil"
)

// Protection is what the console does for people who must not be contacted or disclosed.
// It is for actor.Protector alone; every call is recorded.
//
// A fault of what was typed is told with the field's name in its place: "ref", "kind",
// "until", "how", "note".
type Protection interface {
	// Waiting gives what was withheld and nobody has settled, oldest first.
	Waiting(ctx context.Context, who actor.Staff, limit int) ([]Withheld, error)
	// InForce gives who is protected now, newest first.
	InForce(ctx context.Context, who actor.Staff, limit int) ([]Protected, error)
	Settle(ctx context.Context, who actor.Staff, id, how, note string) error
	Set(ctx context.Context, who actor.Staff, f Flag) error
	Lift(ctx context.Context, who actor.Staff, ref, kind string) error
}

// The kinds of protection.
const (
	DoNotContact  = "do_not_contact"
	NonDisclosure = "non_disclosure"
)

// The ways in which a withheld thing is settled.
const (
	InPerson = "in_person"
	ByPhone  = "by_phone"
	ByLawyer = "by_lawyer"
	NotSent  = "not_sent"
)

// Withheld is one thing that was not sent.
type Withheld struct {
	ID, Ref, Name string
	What          Texts  // what was not sent
	Link          string // path of its page in the console, "" when there is none
	Since         time.Time
}

// Protected is a person with a protection in force.
type Protected struct {
	Ref, Name, Kind string
	Since, Until    civil.Date // Until zero: no end
}

// Flag is a protection as a protector sets it.
type Flag struct {
	Ref, Kind string
	Until     civil.Date // zero: no end
}
