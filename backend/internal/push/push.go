// Package push wakes phones: it knows the devices of citizens, makes one opaque handle for
// each notice and device, and hands handles to a push service.
//
// It promises: what leaves the house is a handle that means nothing to anybody but its
// owner; a device whose push the service took is not woken again for the same notice,
// however often the job runs; a protection that is stored before
// a push leaves stops it, and a person learns of that; a token that the service calls dead is forgotten; a token
// that came to another person's phone is not used for its former owner.
package push

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"slices"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/protection"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

// Limits.
const (
	MaxRecipients = 500 // citizens of one batch
	MaxDevices    = 10  // of one citizen; the oldest gives way
	chunk         = 100 // pushes between two notes of what was sent
)

// Transport names a push service.
type Transport string

// FCM is Firebase Cloud Messaging, the only one now.
const FCM Transport = "fcm"

// HandlePrefix begins every push handle.
const HandlePrefix = "psh"

// Batch is the job that wakes the devices of recipients: of one notice, or of notices that
// were posted together. It holds handles only.
type Batch struct {
	Notice     string               `json:"notice"`     // or the posting, whose notices Notices names
	Recipients []identity.CitizenID `json:"recipients"` // at most MaxRecipients
	// Notices are those of the Recipients, in their order. Empty: all get Notice.
	Notices []string `json:"notices,omitempty"`
}

// Kind names the job.
func (Batch) Kind() string { return "push_send" }

// Add adds a recipient of a notice.
func (b *Batch) Add(to identity.CitizenID, notice string) {
	b.Recipients = append(b.Recipients, to)
	if notice != b.Notice || len(b.Notices) > 0 {
		b.Notices = append(b.Notices, notice)
	}
}

// wakes gives who is woken for what.
func (b Batch) wakes() ([]Wake, error) {
	switch {
	case len(b.Recipients) > MaxRecipients:
		return nil, fault.At(fault.TooLarge, "recipients", "a batch has at most %d recipients", MaxRecipients)
	case len(b.Notices) > 0 && len(b.Notices) != len(b.Recipients):
		return nil, fault.At(fault.Internal, "notices", "a batch names the notice of each recipient")
	}
	out := make([]Wake, len(b.Recipients))
	for i, id := range b.Recipients {
		out[i] = Wake{id, b.Notice}
		if len(b.Notices) > 0 {
			out[i].Notice = b.Notices[i]
		}
	}
	return out, nil
}

// Wake is one person to be woken for one notice.
type Wake struct {
	Citizen identity.CitizenID
	Notice  string
}

// Device is where pushes of a citizen go.
type Device struct {
	Citizen   identity.CitizenID
	Device    string // made by the app
	Transport Transport
	Token     string
	Language  notice.Language
	UpdatedAt time.Time
}

// LogValue masks the token.
func (d Device) LogValue() slog.Value { return slog.StringValue(d.Device) }

// String masks the token.
func (d Device) String() string { return d.Device }

// TokenHash names a token without being one.
func TokenHash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// Send is one push: a notice to a device.
type Send struct {
	Citizen identity.CitizenID
	Notice  string
	Device  string
	Handle  string // "psh_…"
	MadeAt  time.Time
}

// Outcome is how a push ended for good.
type Outcome string

// The outcomes.
const (
	Accepted Outcome = "accepted" // the service took it
	Gone     Outcome = "gone"     // the token is dead, and forgotten
	Refused  Outcome = "refused"  // the service will never take it
	Stopped  Outcome = "stopped"  // a protection came before it was sent
)

// Ended is a push with its outcome.
type Ended struct {
	Send
	Outcome Outcome
	At      time.Time
}

// Rows is the storage that Desk needs. store/push implements it.
type Rows interface {
	PutDevice(ctx context.Context, t tx.Tx, d Device) error
	// TakeToken makes the token this device's, whoever's it was.
	TakeToken(ctx context.Context, t tx.Tx, hash []byte, of identity.CitizenID, device string) error
	// Drop forgets a device; with a hash only when it still has that token.
	Drop(ctx context.Context, t tx.Tx, of identity.CitizenID, device string, hash []byte) error
	// Devices lists the devices of the citizens whose token is still theirs, the newest
	// first for each citizen.
	Devices(ctx context.Context, t tx.Tx, of []identity.CitizenID) ([]Device, error)
	// AddSends stores those that are not there yet, by citizen, notice and device.
	AddSends(ctx context.Context, t tx.Tx, sends []Send) error
	// Open lists the sends for the wakes that have no outcome.
	Open(ctx context.Context, t tx.Tx, wakes []Wake) ([]Send, error)
	// Matters gives what each notice is about. A notice that is not there is absent.
	Matters(ctx context.Context, t tx.Tx, notices []string) (map[string]Matter, error)
	AddOutcomes(ctx context.Context, t tx.Tx, ended []Ended) error
	// Done notes that all pushes of the notice or the posting have ended.
	Done(ctx context.Context, t tx.Tx, id string, at time.Time) error
}

// Matter is what decides, besides its recipient, whether a notice may be pushed, and how
// that is recorded.
type Matter struct {
	Municipality identity.MunicipalityCode
	About        []identity.CitizenID
	Title        string // in Japanese
	Subject      notice.SubjectKind
}

// recordedAs gives the purpose under which a push is recorded. One that brings an offer of
// support belongs to child support: the person's list of who looked shows nothing of it.
func (m Matter) recordedAs(purpose audit.Purpose) audit.Purpose {
	if m.Subject == notice.Offer {
		return audit.ChildSupport
	}
	return purpose
}

// Protection knows whom nothing may be sent to. *protection.Register implements it.
type Protection interface {
	Flagged(ctx context.Context, t tx.Tx, ids []identity.CitizenID) (map[identity.CitizenID]bool, error)
	Withhold(ctx context.Context, t tx.Tx, withheld []protection.Withheld) error
}

// Message is what a push service is asked to bring to a device.
type Message struct{ Token, Handle string }

// LogValue shows the handle alone.
func (m Message) LogValue() slog.Value { return slog.StringValue(m.Handle) }

// String shows the handle alone.
func (m Message) String() string { return m.Handle }

// Result is a push service's answer to one message.
type Result int

// The results.
const (
	Taken    Result = iota // it will be delivered, as far as the service can
	Dead                   // the token is no longer, or never was, one of ours
	Rejected               // our fault; the same message will be rejected again
	Later                  // try again later
	Locked                 // our credentials do not work: nothing will be taken
)

// Sender hands messages to a push service and answers one result for each, in order. It
// returns when all are decided, or ctx is done; what was not decided is Later.
type Sender interface {
	Send(ctx context.Context, messages []Message) []Result
}

// Deps are what a Desk needs. Sender is nil where no push service is set up; all others
// are required.
type Deps struct {
	Runner tx.Runner
	Rows   Rows
	Record interface {
		Append(ctx context.Context, t tx.Tx, a actor.Actor, e audit.Event) error
		AppendAll(ctx context.Context, t tx.Tx, a actor.Actor, entries []audit.Event) error
	}
	Protection Protection
	Sender     Sender
	IDs        handle.Source
	Now        func() time.Time
	Log        *slog.Logger
}

// Desk registers devices and sends pushes. It is safe for concurrent use.
type Desk struct{ Deps }

// New makes a Desk.
func New(d Deps) *Desk { return &Desk{d} }

// Register tells where pushes of the citizen's app go. The same device id again replaces
// the token; a token that another device had moves to this one.
func (x *Desk) Register(ctx context.Context, who actor.Citizen, purpose audit.Purpose, d Device) error {
	if d.Transport != FCM {
		return fault.At(fault.InvalidArgument, "body.transport", "the transport is fcm")
	}
	if d.Device == "" || d.Token == "" {
		return fault.At(fault.InvalidArgument, "body.token", "a device has an id and a token")
	}
	d.Citizen, d.UpdatedAt = who.ID, x.Now()
	return x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		if err := x.makeRoom(ctx, t, d); err != nil {
			return err
		}
		if err := x.Rows.PutDevice(ctx, t, d); err != nil {
			return err
		}
		if err := x.Rows.TakeToken(ctx, t, TokenHash(d.Token), d.Citizen, d.Device); err != nil {
			return err
		}
		return x.note(ctx, t, who, purpose, "device.register")
	})
}

// makeRoom drops the oldest devices of a citizen who has too many.
func (x *Desk) makeRoom(ctx context.Context, t tx.Tx, d Device) error {
	have, err := x.Rows.Devices(ctx, t, []identity.CitizenID{d.Citizen})
	if err != nil {
		return err
	}
	have = slices.DeleteFunc(have, func(h Device) bool { return h.Device == d.Device })
	for len(have) >= MaxDevices {
		oldest := have[len(have)-1]
		if err := x.Rows.Drop(ctx, t, oldest.Citizen, oldest.Device, nil); err != nil {
			return err
		}
		have = have[:len(have)-1]
	}
	return nil
}

// Unregister sends no more pushes to the device. A device that is not there is no fault.
func (x *Desk) Unregister(ctx context.Context, who actor.Citizen, purpose audit.Purpose, device string) error {
	return x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		if err := x.Rows.Drop(ctx, t, who.ID, device, nil); err != nil {
			return err
		}
		return x.note(ctx, t, who, purpose, "device.forget")
	})
}

func (x *Desk) note(ctx context.Context, t tx.Tx, who actor.Citizen, purpose audit.Purpose, action string) error {
	return x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: action, CitizenID: who.ID,
		Municipality: who.Municipality, Items: []string{"device"}})
}
