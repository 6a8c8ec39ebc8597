package childsupport

import (
	"context"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/protection"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

// contact offers the support to the first guardian, or brings the case to a person where a
// protection of anybody of the household holds (the register does not say who is whose
// parent), where nobody is left to whom the offer could go, or where the household is too
// large for one letter. reason is the approver's.
func (x *Desk) contact(ctx context.Context, t tx.Tx, who actor.Staff, purpose audit.Purpose, c Stored, reason string) error {
	home, err := x.home(ctx, t, c.Child)
	if err != nil {
		return err
	}
	concerned := append([]identity.CitizenID{c.Child}, home.Members...)
	flagged, err := x.Protection.Flagged(ctx, t, concerned)
	if err != nil {
		return err
	}
	for _, id := range concerned {
		if flagged[id] {
			return x.withhold(ctx, t, who, purpose, c, home, reason)
		}
	}
	if len(home.Guardians) == 0 || len(concerned) > mailbox.MaxAbout {
		return x.reach(ctx, t, who, purpose, c, WithPerson, reason)
	}
	return x.offer(ctx, t, who, purpose, c, home.Guardians[0].ID, concerned, reason)
}

// withhold puts the case on the protectors' list instead of sending.
func (x *Desk) withhold(ctx context.Context, t tx.Tx, who actor.Staff, purpose audit.Purpose, c Stored, home citizen.Home, reason string) error {
	s, _ := x.register.Support(c.Support)
	to := c.Child
	if len(home.Guardians) > 0 {
		to = home.Guardians[0].ID
	}
	err := x.Protection.Withhold(ctx, t, []protection.Withheld{{Citizen: to, Municipality: c.Municipality,
		Object: c.ID, What: protection.Offer, Title: s.Name[notice.Japanese], At: x.Now().UTC()}})
	if err != nil {
		return err
	}
	return x.reach(ctx, t, who, purpose, c, WithPerson, reason)
}

// reach stores how far an approved case came.
func (x *Desk) reach(ctx context.Context, t tx.Tx, who actor.Staff, purpose audit.Purpose, c Stored, s State, reason string) error {
	from := c.State
	c.State = s
	if err := x.move(ctx, t, from, c); err != nil {
		return err
	}
	return x.act(ctx, t, who, purpose, c, Act{What: s, By: who.ID, Reason: reason})
}

// offer posts the notice and stores the offer. The notice's texts come from the catalogue
// alone: nothing of the case reaches them.
func (x *Desk) offer(ctx context.Context, t tx.Tx, who actor.Staff, purpose audit.Purpose, c Stored, to identity.CitizenID, about []identity.CitizenID, reason string) error {
	id, err := x.ids.New("off")
	if err != nil {
		return err
	}
	s, _ := x.register.Support(c.Support)
	posted, err := x.Mail.Post(ctx, t, who, purpose, []mailbox.Letter{{
		To: to, About: about, Municipality: c.Municipality, Kind: notice.Information, Texts: s.letter(),
		Subject: notice.Subject{Kind: notice.Offer, ID: id}, Once: "offer:" + c.ID,
	}})
	if err != nil {
		return err
	}
	if len(posted) != 1 || posted[0].Withheld {
		return x.reach(ctx, t, who, purpose, c, WithPerson, reason)
	}
	c.Guardian, c.Offer, c.Notice, c.OfferedAt = to, id, posted[0].Notice, x.Now().UTC()
	return x.reach(ctx, t, who, purpose, c, Offered, reason)
}

// frame is what stands around a support's words in a notice, in one language.
type frame struct{ title, from, cost, how, free string }

var frames = map[notice.Language]frame{
	notice.Japanese:     {"のご案内", "行うところ：", "費用：", "利用するには：", "ことわっても、ほかの手続きに影響はありません。"},
	notice.EasyJapanese: {"の おしらせ", "する ところ：", "お金：", "つかいたい とき：", "ことわっても だいじょうぶです。ほかの 手続き（てつづき）は かわりません。"},
	notice.English:      {"", "From: ", "Cost: ", "How: ", "You may say no. It changes nothing in any other procedure."},
}

// letter gives the notice of an offer: each part of the catalogue on lines of its own.
func (s Support) letter() map[notice.Language]notice.Text {
	out := map[notice.Language]notice.Text{}
	for l, f := range frames {
		out[l] = notice.Text{
			Title: s.Name[l] + f.title,
			Body:  s.What[l] + "\n\n" + f.from + s.From[l] + "\n" + f.cost + s.Cost[l] + "\n" + f.how + s.How[l] + "\n\n" + f.free,
		}
	}
	return out
}
