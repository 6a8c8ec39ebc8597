package authn

import (
	"context"
	"log/slog"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/identity"
)

// Flow is one sign-in in progress as it is kept: hashes alone.
type Flow struct {
	StateHash   []byte
	Face        string // "citizen" or "staff"
	BindingHash []byte // of the secret that the browser holds
	ExpiresAt   time.Time
}

// Session is a citizen's session as it is kept: the family of refresh tokens.
type Session struct {
	Citizen      identity.CitizenID
	ID           string // "ses_…"
	Municipality identity.MunicipalityCode
	RefreshHash  []byte // of the one refresh token that works
	CreatedAt    time.Time
	ExpiresAt    time.Time
}

// StaffMember is an officer as the office lists them. It masks itself.
type StaffMember struct {
	ID           string // "stf_…"
	Subject      string // at the provider of the staff
	Name         string
	Municipality identity.MunicipalityCode
	Roles        []actor.Role
}

// LogValue shows the handle alone.
func (m StaffMember) LogValue() slog.Value { return slog.StringValue(m.ID) }

// String shows the handle alone.
func (m StaffMember) String() string { return m.ID }

// StaffSession is an officer's session as it is kept.
type StaffSession struct {
	Hash      []byte
	StaffID   string
	CreatedAt time.Time
	SeenAt    time.Time
	ExpiresAt time.Time
}

// Rows is the storage that this package needs. store/authn implements it.
type Rows interface {
	InsertFlow(ctx context.Context, t tx.Tx, f Flow) error
	// TakeFlow removes a flow and gives it; a second call finds nothing.
	TakeFlow(ctx context.Context, t tx.Tx, stateHash []byte) (Flow, bool, error)

	InsertSession(ctx context.Context, t tx.Tx, s Session) error
	// Rotate replaces the refresh token of a living session and gives it. It finds nothing
	// unless old is the one that works, or the one before it, replaced less than
	// RefreshAgain ago; that time runs from the first replacement.
	Rotate(ctx context.Context, t tx.Tx, c identity.CitizenID, id string, old, fresh []byte, now time.Time) (Session, bool, error)
	// EndSession ends a session and tells whether it was alive.
	EndSession(ctx context.Context, t tx.Tx, c identity.CitizenID, id string) (bool, error)

	// UpsertStaff keeps an officer under their subject and tells whether anything
	// changed. The ID of an officer who is known stays as it is.
	UpsertStaff(ctx context.Context, t tx.Tx, m StaffMember) (bool, error)
	StaffBySubject(ctx context.Context, t tx.Tx, subject string) (StaffMember, bool, error)
	InsertStaffSession(ctx context.Context, t tx.Tx, s StaffSession) error
	// StaffBySession gives the session and its officer as they are now.
	StaffBySession(ctx context.Context, hash []byte) (StaffSession, StaffMember, bool, error)
	TouchStaffSession(ctx context.Context, t tx.Tx, hash []byte, at time.Time) error
	EndStaffSession(ctx context.Context, t tx.Tx, hash []byte) error

	// SpendAssertion marks an assertion as used and tells whether it was fresh.
	SpendAssertion(ctx context.Context, t tx.Tx, terminal string, hash []byte, until time.Time) (bool, error)

	// Sweep removes what has expired, at most limit rows of each kind, and tells whether
	// more may be left.
	Sweep(ctx context.Context, t tx.Tx, now time.Time, limit int) (more bool, err error)
}
