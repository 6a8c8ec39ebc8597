package childsupport

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
)

var errClosed = fault.At(fault.Conflict, "deadline", "the offer is closed: the counter helps")

// family lets a citizen read their own offers: as themselves, or under child support, which
// their list of who looked does not show.
func family(purpose audit.Purpose) error {
	if purpose != audit.Self && purpose != audit.ChildSupport {
		return errPurpose
	}
	return nil
}

// Offers lists the offers made to the citizen, newest first, at most MaxOffers, and a
// version that changes whenever the list does.
func (x *Desk) Offers(ctx context.Context, who actor.Citizen, purpose audit.Purpose) (out []Offer, version string, err error) {
	if err := family(purpose); err != nil {
		return nil, "", err
	}
	err = x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		found, err := x.Rows.OffersTo(ctx, t, who.ID, MaxOffers)
		if err != nil {
			return err
		}
		sum := sha256.New()
		out = make([]Offer, len(found))
		for n, c := range found {
			out[n] = x.asOffer(c)
			fmt.Fprintln(sum, out[n].ID, out[n].Answer, out[n].AnsweredAt.UnixMicro(), out[n].Open)
		}
		version = hex.EncodeToString(sum.Sum(nil)[:16])
		return x.mine(ctx, t, who, purpose, "offer.list", "")
	})
	return out, version, err
}

// asOffer gives what the family sees of a case: nothing of the case.
func (x *Desk) asOffer(c Stored) Offer {
	s, _ := x.register.Support(c.Support)
	return Offer{ID: c.Offer, Municipality: c.Municipality, Support: s, Notice: c.Notice, SentAt: c.OfferedAt,
		Answer: c.Answer, AnsweredAt: c.AnsweredAt, Open: c.State != Closed}
}

func (x *Desk) mine(ctx context.Context, t tx.Tx, who actor.Citizen, purpose audit.Purpose, action, id string) error {
	return x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: action, CitizenID: who.ID,
		Municipality: who.Municipality, Object: id, Items: []string{"offer"}})
}

func (x *Desk) offerTo(ctx context.Context, t tx.Tx, who actor.Citizen, id string) (Stored, error) {
	c, ok, err := x.Rows.OfferTo(ctx, t, who.ID, id)
	if err == nil && !ok {
		err = errNoOffer
	}
	return c, err
}

// Offer gives one of the citizen's offers. Another's is NotFound.
func (x *Desk) Offer(ctx context.Context, who actor.Citizen, purpose audit.Purpose, id string) (Offer, error) {
	if err := family(purpose); err != nil {
		return Offer{}, err
	}
	var out Offer
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		c, err := x.offerTo(ctx, t, who, id)
		if err != nil {
			return err
		}
		out = x.asOffer(c)
		return x.mine(ctx, t, who, purpose, "offer.read", id)
	})
	return out, err
}

// Answer keeps what the guardian says to an offer. It may be changed until the case is
// closed; the same again changes nothing. No other use case reads it.
func (x *Desk) Answer(ctx context.Context, who actor.Citizen, purpose audit.Purpose, id string, a Answer) (Offer, error) {
	if err := family(purpose); err != nil {
		return Offer{}, err
	}
	if a != Yes && a != No {
		return Offer{}, fault.At(fault.InvalidArgument, "answer", "an offer is accepted or declined")
	}
	var out Offer
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		c, err := x.offerTo(ctx, t, who, id)
		switch {
		case err != nil:
			return err
		case c.State == Closed:
			return errClosed
		case c.Answer != a:
			if c, err = x.answer(ctx, t, who, purpose, c, a); err != nil {
				return err
			}
		}
		out = x.asOffer(c)
		return x.mine(ctx, t, who, purpose, "offer.answer", id)
	})
	return out, err
}

func (x *Desk) answer(ctx context.Context, t tx.Tx, who actor.Citizen, purpose audit.Purpose, c Stored, a Answer) (Stored, error) {
	from := c.State
	c.State, c.Answer, c.AnsweredAt = State(a), a, x.Now().UTC()
	if err := x.move(ctx, t, from, c); err != nil {
		return c, err
	}
	// The case itself is not the family's to read of: its line has child support's purpose.
	return c, x.act(ctx, t, who, audit.ChildSupport, c, Act{What: State(a), By: "family"})
}
