package mailbox

import (
	"cmp"
	"context"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/protection"
	"madoguchi.example/backend/internal/push"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

// parcel is everything that goes out with stored notices.
type parcel struct {
	purpose  audit.Purpose
	action   string
	copies   []Copy
	withheld []protection.Withheld
	entries  []audit.Event
	batch    push.Batch
}

// add puts in one recipient's copy. A withheld one goes to the protectors and into no push.
func (p *parcel) add(n Notice, to identity.CitizenID, withheld bool) {
	c := Copy{Citizen: to, Notice: n.ID, Channel: notice.App, Municipality: n.Municipality, SentAt: n.SentAt}
	if withheld {
		c.Channel = Withheld
		p.withheld = append(p.withheld, protection.Withheld{Citizen: to, Municipality: n.Municipality,
			Object: cmp.Or(n.Subject.ID, n.ID), What: protection.Notice, Title: n.Texts[notice.Japanese].Title, At: n.SentAt})
	} else {
		p.batch.Add(to, n.ID)
	}
	p.copies = append(p.copies, c)
	p.entries = append(p.entries, audit.Event{Purpose: hiding(p.purpose, withheld), Action: p.action, CitizenID: to,
		Municipality: n.Municipality, Object: n.ID, Items: []string{"notice"}})
}

// hiding gives the purpose under which an act on a copy is recorded. The app shows nothing
// of a withheld notice, so it must not show either that somebody sent it or looked after it.
func hiding(purpose audit.Purpose, withheld bool) audit.Purpose {
	if withheld {
		return audit.Protection
	}
	return purpose
}

// dispatch stores the copies, what is withheld, the access record and the push job.
func (x *Office) dispatch(ctx context.Context, t tx.Tx, who actor.Actor, p parcel) error {
	if _, err := x.Rows.AddCopies(ctx, t, p.copies); err != nil {
		return err
	}
	if err := x.Protection.Withhold(ctx, t, p.withheld); err != nil {
		return err
	}
	if err := x.Record.AppendAll(ctx, t, who, p.entries); err != nil {
		return err
	}
	return x.Queue.Enqueue(ctx, t, p.batch)
}
