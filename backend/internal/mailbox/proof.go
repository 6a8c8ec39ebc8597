package mailbox

import (
	"context"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

// Proof is proof of delivery: read in the app, or a letter that is recorded as delivered.
type Proof struct {
	At      time.Time // of a letter: the end of the day, in Japan
	Channel notice.Channel
}

// Delivered names one person's copy of a notice.
type Delivered struct {
	Citizen identity.CitizenID
	Notice  string
}

// Proofs gives, by notice, the earliest proof that the notice reached the person; a notice
// without one is absent. It is part of another use case's transaction and records nothing:
// the caller records what it reads of whom. Each notice is asked about for one person.
func (x *Office) Proofs(ctx context.Context, t tx.Tx, of []Delivered) (map[string]Proof, error) {
	copies, err := x.Rows.Proven(ctx, t, of)
	if err != nil {
		return nil, err
	}
	out := map[string]Proof{}
	for _, c := range copies {
		if p, ok := out[c.Notice]; !ok || c.ReadAt.Before(p.At) {
			out[c.Notice] = Proof{c.ReadAt, c.Channel}
		}
	}
	return out, nil
}

var errNotPoster = fault.New(fault.Forbidden, "only clerks and protectors record letters")

// RecordLetter notes, in the caller's transaction, that the notice reached the person as a
// letter on the day: proof of delivery from the end of that day. The first day recorded
// counts; later ones change nothing.
func (x *Office) RecordLetter(ctx context.Context, t tx.Tx, who actor.Staff, purpose audit.Purpose, of identity.CitizenID, id string, deliveredOn civil.Date) error {
	if !who.Has(actor.Clerk) && !who.Has(actor.Protector) {
		return errNotPoster
	}
	c, ok, err := x.Rows.CopyOf(ctx, t, of, id)
	if err != nil {
		return err
	}
	switch {
	case !ok || c.Municipality != who.Municipality:
		return errNoNotice
	case deliveredOn.IsZero():
		return fault.At(fault.InvalidArgument, "delivered_on", "the day is missing")
	case deliveredOn.After(civil.In(x.Now())):
		return fault.At(fault.InvalidArgument, "delivered_on", "the day lies in the future")
	case deliveredOn.Before(civil.In(c.SentAt)):
		return fault.At(fault.InvalidArgument, "delivered_on", "the day lies before the notice was sent")
	}
	letter := Copy{Citizen: of, Notice: id, Channel: notice.Letter, Municipality: c.Municipality, SentAt: c.SentAt,
		ReadAt: deliveredOn.AddDays(1).Midnight().Add(-time.Microsecond)}
	stored, err := x.Rows.AddCopies(ctx, t, []Copy{letter})
	if err != nil || stored == 0 {
		return err
	}
	return x.Record.Append(ctx, t, who, audit.Event{Purpose: hiding(purpose, c.Channel == Withheld), Action: "notice.letter",
		CitizenID: of, Municipality: c.Municipality, Object: id, Items: []string{"delivery"}})
}
