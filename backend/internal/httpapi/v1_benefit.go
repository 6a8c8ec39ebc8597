package httpapi

import (
	"context"
	"errors"
	"net/http"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/award"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/mobile-api/apiv1"
	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/notice"
)

// Benefits gives a citizen the decisions about their own payments. *award.Office
// implements it.
type Benefits interface {
	// Mine lists them, newest first. The version changes whenever the list would.
	Mine(ctx context.Context, who actor.Citizen, purpose audit.Purpose) (list []award.Award, version string, err error)
	// One gives one; NotFound for another's and for none alike.
	One(ctx context.Context, who actor.Citizen, purpose audit.Purpose, id string) (award.Award, error)
	// Refuse notes that the payment is not wanted. Again it changes nothing and answers
	// the same; past the last day it is a Conflict at "deadline".
	Refuse(ctx context.Context, who actor.Citizen, purpose audit.Purpose, id string) (award.Award, error)
}

// benefitRoutes binds what a citizen sees and says of their benefits.
func (f citizenFace) benefitRoutes(all *limiter) []Route {
	return []Route{
		Bind(apiv1.ListBenefit, CitizenOnly, limitedCitizen(all, f.benefits)),
		Bind(apiv1.GetBenefit, CitizenOnly, limitedCitizen(all, f.benefit)),
		Bind(apiv1.Refuse, CitizenOnly, limitedCitizen(all, f.refuse)),
	}
}

func (f citizenFace) benefits(ctx context.Context, who actor.Citizen, in *apiv1.ListBenefits) (*apiv1.Benefits, error) {
	list, version, err := f.Benefits.Mine(ctx, who, audit.Self)
	if err != nil {
		return nil, err
	}
	out := &apiv1.Benefits{ETag: ETag("benefits", string(who.ID), version), CacheControl: revalidated}
	if Matches(in.IfNoneMatch, out.ETag) {
		out.Status = http.StatusNotModified
		return out, nil
	}
	out.Body.Benefits = make([]apiv1.Benefit, len(list))
	for i, a := range list {
		out.Body.Benefits[i] = paid(a)
	}
	return out, nil
}

func (f citizenFace) benefit(ctx context.Context, who actor.Citizen, in *apiv1.ByBenefit) (*apiv1.OneBenefit, error) {
	return oneBenefit(f.Benefits.One(ctx, who, audit.Self, in.ID))
}

// refuse needs no memory of its Idempotency-Key: an award is refused once, and whoever asks
// again, under this key or another, gets the refused award.
func (f citizenFace) refuse(ctx context.Context, who actor.Citizen, in *apiv1.RefuseBenefit) (*apiv1.OneBenefit, error) {
	a, err := f.Benefits.Refuse(ctx, who, audit.Self, in.ID)
	return oneBenefit(a, f.orTheCounter(ctx, who, err))
}

func oneBenefit(a award.Award, err error) (*apiv1.OneBenefit, error) {
	if err != nil {
		return nil, err
	}
	return &apiv1.OneBenefit{CacheControl: privately, Body: paid(a)}, nil
}

// deadlinePlace is the place of a Conflict with a day that has passed.
const deadlinePlace = "deadline"

// orTheCounter adds the counter to call to a conflict with a deadline, where it names none.
func (f citizenFace) orTheCounter(ctx context.Context, who actor.Citizen, err error) error {
	if fault.CodeOf(err) != fault.Conflict || fault.PlaceOf(err) != deadlinePlace {
		return err
	}
	if _, named := errors.AsType[whereToGo](err); named {
		return err
	}
	var at citizen.Municipality
	lookErr := f.Registry.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		m, err := f.Registry.Municipality(ctx, t, who.Municipality)
		at = m
		return err
	})
	if lookErr != nil {
		return err // the refusal itself is what the citizen has to know
	}
	return citizen.AtCounter(err, at)
}

// paid writes an award for its payee.
func paid(a award.Award) apiv1.Benefit {
	return apiv1.Benefit{
		ID: a.ID, Name: phrases(a.Name), Basis: a.Basis, Month: a.Month.String(), Amount: amountOf(a), State: string(a.State),
		AnswerBy: a.AnswerBy.String(), PayOn: a.PayOn.String(), Notice: a.Notice, DecidedAt: a.DecidedAt, Refusable: a.Refusable,
		Children: children(a.Lines), Steps: reasons(a.Steps), Needs: needs(a.Needs), Timeline: milestones(a.History),
	}
}

// amountOf is nil while the amount cannot be told, or is not the office's to pay yet.
func amountOf(a award.Award) *int64 {
	if a.Amount == 0 && (a.State == award.OpenQuestion || a.State == award.MustApply) {
		return nil
	}
	return &a.Amount
}

// children leaves out lines without a birth date: they are the household's.
func children(lines []award.Line) []apiv1.BenefitChild {
	out := []apiv1.BenefitChild{}
	for _, l := range lines {
		if l.Birth.IsZero() {
			continue
		}
		c := apiv1.BenefitChild{Name: l.Name.Kanji(), BirthDate: l.Birth.String()}
		if l.Known() {
			c.Amount = &l.Amount
		}
		out = append(out, c)
	}
	return out
}

func reasons(steps []award.Step) []apiv1.Reason {
	out := make([]apiv1.Reason, len(steps))
	for i, s := range steps {
		out[i] = apiv1.Reason{Article: s.Article, Texts: phrases(s.Text)}
		if len(s.Parameters) > 0 {
			out[i].Parameter = &apiv1.Parameter{Source: s.Parameters[0].Source, ValidFrom: s.Parameters[0].From.String()}
		}
	}
	return out
}

func needs(missing []award.Need) [][]apiv1.Phrase {
	out := make([][]apiv1.Phrase, len(missing))
	for i, n := range missing {
		out[i] = phrases(n.Text)
	}
	return out
}

// told are the events of an award that its payee is told, by the contract's names. What
// happens on an officer's desk in between is none of them.
var told = map[string]string{
	"decided": "decided", "noticed": "noticed", "delivered_app": "delivered", "delivered_letter": "delivered", "deadline": "deadline",
	"refused": "refused", "approved": "approved", "payment": "payment", "withdrawn": "withdrawn",
}

func milestones(history []award.Event) []apiv1.Milestone {
	out := []apiv1.Milestone{}
	for _, e := range history {
		what, ok := told[e.What]
		if !ok {
			continue
		}
		on := e.On
		if on.IsZero() {
			on = civil.In(e.At)
		}
		out = append(out, apiv1.Milestone{What: what, On: on.String()})
	}
	return out
}

// phrases gives the languages that are there, Japanese first.
func phrases(w benefit.Words) []apiv1.Phrase {
	return inLanguages(map[notice.Language]string{notice.Japanese: w.JA, notice.EasyJapanese: w.JAEasy, notice.English: w.EN})
}

func inLanguages(texts map[notice.Language]string) []apiv1.Phrase {
	out := []apiv1.Phrase{}
	for _, language := range notice.Languages() {
		if text := texts[language]; text != "" {
			out = append(out, apiv1.Phrase{Language: string(language), Text: text})
		}
	}
	return out
}
