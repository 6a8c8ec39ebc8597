package app

import (
	"cmp"
	"context"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/httpapi"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/office"
	"madoguchi.example/backend/internal/push"
	"madoguchi.example/backend/internal/push/fcm"
	authnrows "madoguchi.example/backend/internal/store/authn"
	mailboxrows "madoguchi.example/backend/internal/store/mailbox"
	pushrows "madoguchi.example/backend/internal/store/push"
	"madoguchi.example/shared/notice"
)

// furnishNotices makes what brings notices to citizens. Without a Firebase project
// notices lie in the mailboxes and nothing is pushed.
func (h *house) furnishNotices(ctx context.Context) error {
	var sender push.Sender
	if f := h.config.Push.FCM; f.Project != "" {
		client, err := fcm.New(ctx, fcm.Config{Project: f.Project, CredentialsFile: f.CredentialsFile, Endpoint: f.Endpoint})
		if err != nil {
			return err
		}
		sender = client
	}
	run, rows := h.db.Runner(), pushrows.New(h.db.Reads())
	h.pushes = push.New(push.Deps{Runner: run, Rows: rows, Record: h.record, Protection: h.protection, Sender: sender, IDs: h.ids, Now: h.now, Log: h.log})
	h.notices = mailbox.New(mailbox.Deps{
		Runner: run, Rows: mailboxrows.New(h.db.Reads()), People: h.citizens, Pushes: rows, Protection: h.protection, Queue: h.jobs,
		Record: h.record, IDs: h.ids, Now: h.now,
	})
	return nil
}

// citizenRoutes binds what signed-in citizens do.
func (h *house) citizenRoutes(p *program) ([]httpapi.Route, error) {
	cursors, err := httpapi.NewCursors(h.keys.cursor, p.rand)
	if err != nil {
		return nil, err
	}
	return httpapi.CitizenRoutes(httpapi.CitizenDeps{
		Registry: h.citizens, Issuance: h.issuance, Mailbox: h.notices, Push: h.pushes, Benefits: h.awards, Offers: h.children, Corrections: h.corrections, Cursors: cursors, Now: h.now,
	}), nil
}

// officeNotices lets the console write notices and follow them.
type officeNotices struct {
	mailbox *mailbox.Office
	logins  *authnrows.Rows
}

// Recent implements office.Notices.
func (o officeNotices) Recent(ctx context.Context, who actor.Staff, limit int) ([]office.Summary, error) {
	sent, _, err := o.mailbox.Sent(ctx, who, audit.NoticeWriting, mailbox.Place{}, limit)
	out := make([]office.Summary, len(sent))
	for i, p := range sent {
		out[i] = summary(p)
	}
	return out, err
}

func summary(p mailbox.Progress) office.Summary {
	return office.Summary{
		ID: p.ID, Number: p.Number, Title: p.Texts[notice.Japanese].Title, Kind: p.Kind, SentAt: p.SentAt,
		Counts: office.Counts{All: p.Recipients, InMailbox: p.Recipients, Pushed: p.Pushed, Read: p.Read},
	}
}

// Audience implements office.Notices.
func (o officeNotices) Audience(ctx context.Context, who actor.Staff, refs []string) (office.Audience, error) {
	a, err := o.mailbox.Audience(ctx, who, audit.NoticeWriting, refs)
	out := office.Audience{Found: a.Found}
	for _, line := range a.Unknown {
		out.Missing = append(out.Missing, refs[line-1])
	}
	return out, err
}

// Send implements office.Notices. The officer has seen in the preview which lines name
// nobody; those are left out.
func (o officeNotices) Send(ctx context.Context, who actor.Staff, d office.Draft) (string, error) {
	n, err := o.mailbox.Send(ctx, who, audit.NoticeWriting, mailbox.Draft{
		ClientID: d.Once, Kind: d.Kind, Deadline: d.Deadline, Texts: d.Texts, Recipients: d.Refs, LeaveOut: true,
	})
	return n.ID, err
}

// Show implements office.Notices.
func (o officeNotices) Show(ctx context.Context, who actor.Staff, id string) (office.Sent, error) {
	p, to, err := o.mailbox.Follow(ctx, who, audit.NoticeWriting, id)
	if err != nil {
		return office.Sent{}, err
	}
	author, err := o.logins.StaffName(ctx, p.WrittenBy)
	if err != nil {
		return office.Sent{}, err
	}
	out := office.Sent{Summary: summary(p), SentBy: cmp.Or(author, p.WrittenBy), Deadline: p.Deadline, Texts: p.Texts}
	for _, r := range to[:min(len(to), office.MaxShown)] {
		at := p.SentAt
		if !r.ReadAt.IsZero() {
			at = r.ReadAt
		}
		out.Recipients = append(out.Recipients, office.Recipient{Ref: r.Ref, State: r.State, At: at})
	}
	return out, nil
}
