package office

import (
	"context"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/shared/auditlog"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

// Draft is a notice that is being written.
type Draft struct {
	Once     string // made at the preview: the same draft sent twice is one notice
	Kind     notice.Kind
	Deadline civil.Date // of an Action
	Texts    map[notice.Language]notice.Text
	Refs     []string // resident references of the officer's municipality
}

// Audience is whom a draft would reach.
type Audience struct {
	Found   int
	Missing []string // references that are no resident here, as typed
}

// Counts is how far a notice has come. A person who opened it counts in Pushed and in
// InMailbox only if those happened too.
type Counts struct{ All, InMailbox, Pushed, Read int }

// Summary is one line of the list of notices.
type Summary struct {
	ID, Number, Title string
	Kind              notice.Kind
	SentAt            time.Time
	Counts            Counts
}

// Recipient is one person's line.
type Recipient struct {
	Ref   string
	State notice.DeliveryState
	At    time.Time
}

// Sent is one notice with whom it reached.
type Sent struct {
	Summary
	SentBy     string
	Deadline   civil.Date
	Texts      map[notice.Language]notice.Text
	Recipients []Recipient // by reference, at most MaxShown
}

// MaxShown caps the lines of one table.
const MaxShown = 1000

// Notices is what the console does with notices. Each call is scoped to the officer's
// municipality.
type Notices interface {
	Recent(ctx context.Context, who actor.Staff, limit int) ([]Summary, error)
	Audience(ctx context.Context, who actor.Staff, refs []string) (Audience, error)
	Send(ctx context.Context, who actor.Staff, d Draft) (id string, err error)
	Show(ctx context.Context, who actor.Staff, id string) (Sent, error)
}

// Terminal is one line of the list of terminals.
type Terminal struct {
	ID, Office, Class string
	LastContact       time.Time // zero before the first
	Disabled          bool
	Checks            *Checks // nil where it may check no insurance
	Health            *Health // nil where it said nothing and nothing happened
}

// Health is what a terminal last said of itself, under its own signature, and the security
// events that the backend noted of it in the last 30 days.
type Health struct {
	Said         time.Time // zero where it said nothing
	Pending      int       // records that wait at the terminal
	Oldest       time.Time // of those, zero without any
	Stale        int       // of those, over the age limit
	LastAck      time.Time
	DeadLetters  int
	File, Used   int64 // bytes
	PutAside     int   // damaged files that lie beside
	Lost         int   // records that could not be salvaged
	KeyClass     string
	ClockTrusted bool
	ClockOff     time.Duration // the backend's clock less the terminal's
	Version      string
	Faults       []string
	Events       []Happened
	Cloned       bool // two terminals speak under its name
}

// Happened is how often something happened, by its word.
type Happened struct {
	Word string
	N    int
}

// Checks counts a terminal's insurance checks: those that await an answer, those of them
// for more than a day, and those of the last 30 days that were taken back or replaced.
type Checks struct{ Open, Late, Voided int }

// Place is an office that terminals can be enrolled at.
type Place struct{ Ref, Name, Class string }

// Code is an enrolment code. It is shown once.
type Code struct {
	Text  string
	Until time.Time
}

// Terminals is what the console does with terminals, in the officer's municipality.
type Terminals interface {
	List(ctx context.Context, who actor.Staff) ([]Terminal, error)
	Places(ctx context.Context, who actor.Staff) ([]Place, error)
	IssueCode(ctx context.Context, who actor.Staff, placeRef string) (Code, error)
	// Stop takes a terminal out of use for good; NotFound where none of this ID is in use.
	Stop(ctx context.Context, who actor.Staff, id string) error
}

// Trail shows an auditor the access record of their municipality, newest first.
type Trail interface {
	Newest(ctx context.Context, who actor.Staff, limit int) ([]auditlog.Entry, error)
	// PurposeName gives the purpose's name in the language.
	PurposeName(purpose string, l notice.Language) string
}

// SignIn signs officers in and out. *authn.Staff implements it.
type SignIn interface {
	Start(ctx context.Context) (authorizationURL, binding string, err error)
	Finish(ctx context.Context, code, state, binding string) (session string, err error)
	SignOut(ctx context.Context, who actor.Staff, session string) error
}

// Names gives a municipality's name in the language.
type Names interface {
	Municipality(ctx context.Context, code identity.MunicipalityCode, l notice.Language) (string, error)
}
