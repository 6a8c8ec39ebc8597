// Package push wakes phones: it knows the devices of citizens, makes one opaque handle for
// each notice and device, and hands handles to a push service.
//
// It promises: what leaves the house is a handle that means nothing to anybody but its
// owner; a device whose push the service took is not woken again for the same notice,
// however often the job runs; a token that the service calls dead is forgotten; a token
// that came to another person's phone is not used for its former owner.
package push

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
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

// Batch is the job that wakes the devices of a notice's recipients. It holds handles only.
type Batch struct {
	Notice     string               `json:"notice"`
	Recipients []identity.CitizenID `json:"recipients"` // at most MaxRecipients
}

// Kind names the job.
func (Batch) Kind() string { return "push_send" }

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
	// Open lists the sends of a notice to the citizens that have no outcome.
	Open(ctx context.Context, t tx.Tx, notice string, to []identity.CitizenID) ([]Send, error)
	AddOutcomes(ctx context.Context, t tx.Tx, ended []Ended) error
	// Done notes that all pushes of the notice have ended.
	Done(ctx context.Context, t tx.Tx, notice string, at time.Time) error
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
	}
	Sender Sender
	IDs    handle.Source
	Now    func() time.Time
	Log    *slog.Logger
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

// ErrLocked: the push service does not know our credentials. An operator must act.
var ErrLocked = errors.New("cannot push: the push service refuses our credentials")

// Deliver wakes every device of the recipients that has not been woken for this notice.
// It is safe to repeat, and asks to be repeated by an error as long as a push is open.
func (x *Desk) Deliver(ctx context.Context, who actor.System, purpose audit.Purpose, b Batch) error {
	if x.Sender == nil || len(b.Recipients) == 0 {
		return x.finish(ctx, b.Notice)
	}
	if len(b.Recipients) > MaxRecipients {
		return fault.At(fault.TooLarge, "recipients", "a batch has at most %d recipients", MaxRecipients)
	}
	open, tokens, err := x.plan(ctx, who, purpose, b)
	if err != nil {
		return err
	}
	later := 0
	for part := range slices.Chunk(open, chunk) {
		n, err := x.send(ctx, part, tokens)
		if err != nil {
			return err
		}
		later += n
	}
	if later > 0 {
		return fault.Wrap(fault.Unavailable, fmt.Errorf("%d of %d pushes are still open", later, len(open)), "the push service is busy")
	}
	return x.finish(ctx, b.Notice)
}

func (x *Desk) finish(ctx context.Context, notice string) error {
	return x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error { return x.Rows.Done(ctx, t, notice, x.Now()) })
}

// spot is one citizen's device.
type spot struct {
	citizen identity.CitizenID
	device  string
}

// plan makes the sends that are missing and gives those that are open, with the tokens of
// the devices that are there.
func (x *Desk) plan(ctx context.Context, who actor.System, purpose audit.Purpose, b Batch) (open []Send, tokens map[spot]string, err error) {
	err = x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		devices, err := x.Rows.Devices(ctx, t, b.Recipients)
		if err != nil {
			return err
		}
		sends := make([]Send, len(devices))
		tokens = map[spot]string{}
		for i, d := range devices {
			id, err := x.IDs.New(HandlePrefix)
			if err != nil {
				return err
			}
			sends[i] = Send{d.Citizen, b.Notice, d.Device, id, x.Now()}
			tokens[spot{d.Citizen, d.Device}] = d.Token
		}
		if err := x.Rows.AddSends(ctx, t, sends); err != nil {
			return err
		}
		if open, err = x.Rows.Open(ctx, t, b.Notice, b.Recipients); err != nil {
			return err
		}
		if err := x.recordNew(ctx, t, who, purpose, sends, open); err != nil {
			return err
		}
		return x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: "push.send", Object: b.Notice})
	})
	return open, tokens, err
}

// recordNew records for each citizen, at the first attempt, that their devices were looked up.
func (x *Desk) recordNew(ctx context.Context, t tx.Tx, who actor.System, purpose audit.Purpose, made, open []Send) error {
	mine := map[string]bool{} // handles that this attempt made
	for _, s := range made {
		mine[s.Handle] = true
	}
	done := map[identity.CitizenID]bool{}
	for _, s := range open {
		if !mine[s.Handle] || done[s.Citizen] {
			continue
		}
		done[s.Citizen] = true
		if err := x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: "push.send", CitizenID: s.Citizen,
			Object: s.Notice, Items: []string{"device"}}); err != nil {
			return err
		}
	}
	return nil
}

// send hands over one part and notes how each push ended; later counts those to try again.
func (x *Desk) send(ctx context.Context, part []Send, tokens map[spot]string) (later int, err error) {
	var messages []Message
	var asked []Send
	var ended []Ended
	for _, s := range part {
		token, ok := tokens[spot{s.Citizen, s.Device}]
		if !ok { // the device left since the push was planned
			ended = append(ended, Ended{s, Gone, x.Now()})
			continue
		}
		asked, messages = append(asked, s), append(messages, Message{token, s.Handle})
	}
	locked := false
	var dead []Ended
	for i, r := range x.Sender.Send(ctx, messages) {
		switch r {
		case Taken:
			ended = append(ended, Ended{asked[i], Accepted, x.Now()})
		case Dead:
			dead = append(dead, Ended{asked[i], Gone, x.Now()})
		case Rejected:
			x.Log.ErrorContext(ctx, "a push was rejected as malformed", "handle", asked[i].Handle)
			ended = append(ended, Ended{asked[i], Refused, x.Now()})
		case Locked:
			locked = true
		default:
			later++
		}
	}
	if err := x.keep(ctx, append(ended, dead...), dead, tokens); err != nil {
		return later, err
	}
	if locked {
		x.Log.ErrorContext(ctx, "the push service refuses our credentials", "alarm", "push_credentials")
		return later, ErrLocked
	}
	return later, nil
}

// keep stores outcomes, then forgets dead tokens, each citizen's in its own transaction.
// It does so even when the job is being stopped: what was sent must be known.
func (x *Desk) keep(ctx context.Context, ended, dead []Ended, tokens map[spot]string) error {
	ctx = context.WithoutCancel(ctx)
	if len(ended) > 0 {
		if err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error { return x.Rows.AddOutcomes(ctx, t, ended) }); err != nil {
			return err
		}
	}
	for _, e := range dead {
		err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
			return x.Rows.Drop(ctx, t, e.Citizen, e.Device, TokenHash(tokens[spot{e.Citizen, e.Device}]))
		})
		if err != nil {
			return err
		}
	}
	return nil
}
