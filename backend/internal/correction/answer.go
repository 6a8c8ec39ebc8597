package correction

import (
	"context"
	"slices"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/issuance"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/reference"
	"madoguchi.example/backend/internal/remark"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

// Detail is a request beside what is on record.
type Detail struct {
	Request
	Person citizen.Resident
	// BySelf: the person asked; else a parent did.
	BySelf      bool
	OnRecord    []issuance.Record
	Certificate *issuance.Certificate // that the request names; nil without one
}

var (
	errNoRequest = fault.At(fault.NotFound, "reference", "there is no such request in this municipality")
	errAnswered  = fault.At(fault.Conflict, "state", "the request is answered already")
)

// mayWork tells who works on corrections.
func mayWork(who actor.Staff) bool { return who.Has(actor.Clerk) || who.Has(actor.Approver) }

// Waiting gives an officer the open requests of their municipality, oldest first. Those
// about somebody who is protected are for protectors who work on corrections alone.
func (x *Desk) Waiting(ctx context.Context, who actor.Staff, purpose audit.Purpose, limit int) ([]Request, error) {
	if !mayWork(who) {
		return nil, fault.New(fault.Forbidden, "corrections are clerks' work")
	}
	var out []Request
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
		if out, err = x.visible(ctx, t, who, limit); err != nil {
			return err
		}
		return x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: "correction.queue", Municipality: who.Municipality})
	})
	return out, err
}

// maxLooked caps the open requests that are looked at for a queue.
const maxLooked = 4000

// visible lists the oldest open requests that the officer may see: those that they may not
// take nobody's place.
func (x *Desk) visible(ctx context.Context, t tx.Tx, who actor.Staff, limit int) ([]Request, error) {
	for looked := limit; ; looked = min(4*looked, maxLooked) {
		all, err := x.Rows.Waiting(ctx, t, who.Municipality, looked)
		if err != nil {
			return nil, err
		}
		about := make([]identity.CitizenID, len(all))
		for i, r := range all {
			about[i] = r.Person
		}
		flagged, err := x.Protection.Flagged(ctx, t, about)
		if err != nil {
			return nil, err
		}
		out := slices.DeleteFunc(slices.Clone(all), func(r Request) bool { return flagged[r.Person] && !who.Has(actor.Protector) })
		if len(out) >= limit || len(all) < looked || looked >= maxLooked {
			return out[:min(limit, len(out))], nil
		}
	}
}

// Show gives an officer one request with the person's records of today.
func (x *Desk) Show(ctx context.Context, who actor.Staff, purpose audit.Purpose, typed string) (Detail, error) {
	var out Detail
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		r, err := x.find(ctx, t, who, typed)
		if err != nil {
			return err
		}
		people, err := x.Family.Named(ctx, t, []identity.CitizenID{r.Person})
		if err != nil {
			return err
		}
		out = Detail{Request: r, Person: people[r.Person].Resident, BySelf: r.AskedBy == r.Person}
		if out.OnRecord, err = x.Records.OnRecord(ctx, t, out.Person); err != nil {
			return err
		}
		if r.Certificate != "" {
			c, ok, err := x.Records.Issued(ctx, t, r.Person, r.Certificate)
			if err != nil {
				return err
			}
			if ok {
				out.Certificate = &c
			}
		}
		return x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: "correction.read", CitizenID: r.Person,
			Municipality: r.Municipality, Object: r.Reference, Items: []string{"name", "birth_date", "vaccinations", "correction"}})
	})
	return out, err
}

func (x *Desk) find(ctx context.Context, t tx.Tx, who actor.Staff, typed string) (Request, error) {
	ref, kind, ok := reference.Parse(typed)
	if !ok || kind != reference.Correction || !mayWork(who) {
		return Request{}, errNoRequest
	}
	r, ok, err := x.Rows.ByReference(ctx, t, who.Municipality, ref)
	if err != nil {
		return Request{}, err
	}
	if !ok {
		return Request{}, errNoRequest
	}
	flagged, err := x.Protection.Flagged(ctx, t, []identity.CitizenID{r.Person})
	if err != nil {
		return Request{}, err
	}
	if flagged[r.Person] && !who.Has(actor.Protector) {
		return Request{}, errNoRequest
	}
	return r, nil
}

// Answer closes a request with words that whoever asked reads. A request is answered once;
// after that it is a Conflict at "state".
func (x *Desk) Answer(ctx context.Context, who actor.Staff, purpose audit.Purpose, typed string, state State, words string) error {
	if state != Corrected && state != NothingToCorrect {
		return fault.At(fault.InvalidArgument, "answer", "a request is answered as corrected, or as nothing to correct")
	}
	if err := remark.Check("words", words, 1, MaxWords); err != nil {
		return err
	}
	return x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		r, err := x.find(ctx, t, who, typed)
		if err != nil {
			return err
		}
		r.State, r.Answer, r.AnsweredBy, r.AnsweredAt = state, words, who.ID, x.Now().UTC()
		open, err := x.Rows.Answer(ctx, t, r)
		if err != nil {
			return err
		}
		if !open {
			return errAnswered
		}
		if err := x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: "correction.answer", CitizenID: r.Person,
			Municipality: r.Municipality, Object: r.Reference, Items: []string{"correction"}}); err != nil {
			return err
		}
		return x.tell(ctx, t, who, purpose, r)
	})
}

// tell posts the answer to whoever asked, where they still live here. A protection of
// anybody of a child's household withholds it.
func (x *Desk) tell(ctx context.Context, t tx.Tx, who actor.Staff, purpose audit.Purpose, r Request) error {
	people, err := x.Family.Named(ctx, t, []identity.CitizenID{r.AskedBy})
	if err != nil || !people[r.AskedBy].Lives(civil.In(x.Now())) || people[r.AskedBy].Resident.Ref.Municipality != r.Municipality {
		return err
	}
	about, err := x.concerned(ctx, t, r)
	if err != nil {
		return err
	}
	_, err = x.Mail.Post(ctx, t, who, purpose, []mailbox.Letter{{
		To: r.AskedBy, About: about, Municipality: r.Municipality, Kind: notice.Information, Texts: answerTexts(r),
		Subject: notice.Subject{Kind: notice.Correction, ID: r.Reference}, Once: "correction.answered:" + r.Reference,
	}})
	return err
}

// concerned are those whose protection withholds the answer: the person, and of a child the
// household. Those who are protected stand first, where there are too many.
func (x *Desk) concerned(ctx context.Context, t tx.Tx, r Request) ([]identity.CitizenID, error) {
	about := []identity.CitizenID{r.Person}
	if r.AskedBy == r.Person {
		return about, nil
	}
	home, err := x.Family.HomeOf(ctx, t, r.Person)
	if err != nil {
		if fault.CodeOf(err) == fault.NotFound {
			err = nil
		}
		return about, err
	}
	about = append(about, home.Members...)
	if len(about) <= mailbox.MaxAbout {
		return about, nil
	}
	flagged, err := x.Protection.Flagged(ctx, t, about)
	var first, rest []identity.CitizenID
	for _, id := range about {
		if flagged[id] {
			first = append(first, id)
		} else {
			rest = append(rest, id)
		}
	}
	return append(first, rest...)[:mailbox.MaxAbout], err
}
