// Package correction takes what people say is wrong with their vaccination records, and
// brings it to an officer of their municipality and the answer back.
//
// It promises: whoever may ask for a certificate may ask for a correction, whether or not
// there is anything on record, and gets a reference to read to the counter; the same call
// twice asks once; a request is answered once, in words, and whoever asked is told in the
// same transaction; nobody's My Number is kept; somebody who is protected is seen by
// protectors alone. It changes no record: the office does that in the system that keeps
// it, and its correction is imported.
package correction

import (
	"context"
	"log/slog"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/idempotency"
	"madoguchi.example/backend/internal/issuance"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/identity"
)

// Limits.
const (
	MaxWords  = 1000 // code points of what a person or an officer writes
	MaxPerDay = 10   // requests of one person about themselves and their children, a day in Japan
	MaxListed = 100  // requests of one list, the newest
	maxDose   = 20
)

// Kind says what is wrong.
type Kind string

// The kinds.
const (
	Missing Kind = "missing" // a vaccination is not there
	Wrong   Kind = "wrong"   // one is there and is wrong
	Name    Kind = "name"    // the passport's name or birth date is another
)

// State says how far a request is.
type State string

// The states.
const (
	Open             State = "open"
	Corrected        State = "corrected"
	NothingToCorrect State = "nothing_to_correct"
)

// Request is one request with what came of it.
type Request struct {
	Reference    string
	Person       identity.CitizenID // whose record it is about
	AskedBy      identity.CitizenID
	Municipality identity.MunicipalityCode
	Kind         Kind
	Certificate  string // or ""
	Dose         int    // or 0
	Words        string
	AskedAt      time.Time
	State        State
	Answer       string    // the officer's words, "" while it is open
	AnsweredBy   string    // the officer's handle, "" while it is open
	AnsweredAt   time.Time // zero while it is open
	// Counter is who looks into it. It is not stored.
	Counter citizen.Municipality
}

// LogValue shows the reference alone.
func (r Request) LogValue() slog.Value { return slog.StringValue(r.Reference) }

// String shows the reference alone.
func (r Request) String() string { return r.Reference }

// Rows is the storage that Desk needs. store/correction implements it.
type Rows interface {
	Insert(ctx context.Context, t tx.Tx, r Request) error
	Get(ctx context.Context, t tx.Tx, of identity.CitizenID, reference string) (Request, bool, error)
	// AskedSince counts what the citizen asked about these people since a time.
	AskedSince(ctx context.Context, t tx.Tx, by identity.CitizenID, about []identity.CitizenID, since time.Time) (int, error)
	// Newest lists the requests about these people, newest first.
	Newest(ctx context.Context, t tx.Tx, about []identity.CitizenID, limit int) ([]Request, error)
	// Waiting lists the open requests of a municipality, oldest first.
	Waiting(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, limit int) ([]Request, error)
	// ByReference finds a request of the municipality.
	ByReference(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, reference string) (Request, bool, error)
	// Answer stores the answer of an open request, and tells whether it was open.
	Answer(ctx context.Context, t tx.Tx, r Request) (bool, error)
}

// Family says for whom a citizen may act. *citizen.Registry implements it.
type Family interface {
	People(ctx context.Context, t tx.Tx, who actor.Citizen) ([]citizen.Person, error)
	Municipalities(ctx context.Context, t tx.Tx) ([]citizen.Municipality, error)
	HomeOf(ctx context.Context, t tx.Tx, id identity.CitizenID) (citizen.Home, error)
	Named(ctx context.Context, t tx.Tx, ids []identity.CitizenID) (map[identity.CitizenID]citizen.Standing, error)
}

// Records are the records and certificates that requests are about. *issuance.Office
// implements it.
type Records interface {
	OnRecord(ctx context.Context, t tx.Tx, of citizen.Resident) ([]issuance.Record, error)
	Issued(ctx context.Context, t tx.Tx, of identity.CitizenID, id string) (issuance.Certificate, bool, error)
}

// Keeper makes calls repeatable. *idempotency.Keeper implements it.
type Keeper interface {
	Replay(ctx context.Context, t tx.Tx, c idempotency.Call) (response []byte, found bool, err error)
	Keep(ctx context.Context, t tx.Tx, c idempotency.Call, response []byte) error
}

// Mail brings notices. *mailbox.Office implements it.
type Mail interface {
	Post(ctx context.Context, t tx.Tx, who actor.Actor, purpose audit.Purpose, letters []mailbox.Letter) ([]mailbox.Posted, error)
}

// Protection says who must not be found. *protection.Register implements it.
type Protection interface {
	Flagged(ctx context.Context, t tx.Tx, ids []identity.CitizenID) (map[identity.CitizenID]bool, error)
}

// Deps are what a Desk needs; all are required.
type Deps struct {
	Runner     tx.Runner
	Rows       Rows
	Family     Family
	Records    Records
	Keeper     Keeper
	Mail       Mail
	Protection Protection
	Record     citizen.Record
	IDs        handle.Source
	Now        func() time.Time
}

// Desk takes requests and answers. It is safe for concurrent use.
type Desk struct{ Deps }

// New makes a Desk.
func New(d Deps) *Desk { return &Desk{d} }
