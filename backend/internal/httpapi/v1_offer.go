package httpapi

import (
	"context"
	"net/http"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/childsupport"
	"madoguchi.example/mobile-api/apiv1"
)

// Offers gives a family the support that is offered to it. *childsupport.Desk implements it.
type Offers interface {
	// Offers lists them, newest first. The version changes whenever the list would.
	Offers(ctx context.Context, who actor.Citizen, purpose audit.Purpose) (list []childsupport.Offer, version string, err error)
	// Offer gives one; NotFound for another's and for none alike.
	Offer(ctx context.Context, who actor.Citizen, purpose audit.Purpose, id string) (childsupport.Offer, error)
	// Answer says yes or no, also after another answer; past the end it is a Conflict at
	// "deadline".
	Answer(ctx context.Context, who actor.Citizen, purpose audit.Purpose, id string, a childsupport.Answer) (childsupport.Offer, error)
}

// offerRoutes binds what a family sees and says of the offers made to it.
func (f citizenFace) offerRoutes(all *limiter) []Route {
	return []Route{
		Bind(apiv1.ListOffer, CitizenOnly, limitedCitizen(all, f.offers)),
		Bind(apiv1.GetOffer, CitizenOnly, limitedCitizen(all, f.offer)),
		Bind(apiv1.Answer, CitizenOnly, limitedCitizen(all, f.answer)),
	}
}

func (f citizenFace) offers(ctx context.Context, who actor.Citizen, in *apiv1.ListOffers) (*apiv1.Offers, error) {
	list, version, err := f.Offers.Offers(ctx, who, audit.Self)
	if err != nil {
		return nil, err
	}
	out := &apiv1.Offers{ETag: ETag("offers", string(who.ID), version), CacheControl: revalidated}
	if Matches(in.IfNoneMatch, out.ETag) {
		out.Status = http.StatusNotModified
		return out, nil
	}
	out.Body.Offers = make([]apiv1.Offer, len(list))
	for i, o := range list {
		out.Body.Offers[i] = offered(o)
	}
	return out, nil
}

func (f citizenFace) offer(ctx context.Context, who actor.Citizen, in *apiv1.ByOffer) (*apiv1.OneOffer, error) {
	return oneOffer(f.Offers.Offer(ctx, who, audit.Self, in.ID))
}

func (f citizenFace) answer(ctx context.Context, who actor.Citizen, in *apiv1.AnswerOffer) (*apiv1.OneOffer, error) {
	o, err := f.Offers.Answer(ctx, who, audit.Self, in.ID, childsupport.Answer(in.Body.Answer))
	return oneOffer(o, f.orTheCounter(ctx, who, err))
}

func oneOffer(o childsupport.Offer, err error) (*apiv1.OneOffer, error) {
	if err != nil {
		return nil, err
	}
	return &apiv1.OneOffer{CacheControl: privately, Body: offered(o)}, nil
}

// offered writes an offer for its family: the support, and nothing of why.
func offered(o childsupport.Offer) apiv1.Offer {
	s := o.Support
	out := apiv1.Offer{
		ID: o.ID, Name: inLanguages(s.Name), What: inLanguages(s.What), From: inLanguages(s.From), Cost: inLanguages(s.Cost), How: inLanguages(s.How),
		Notice: o.Notice, SentAt: o.SentAt, Answer: string(o.Answer), Open: o.Open,
	}
	if !o.AnsweredAt.IsZero() {
		out.AnsweredAt = &o.AnsweredAt
	}
	return out
}
