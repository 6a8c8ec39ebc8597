package app

import (
	"context"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/award"
	"madoguchi.example/backend/internal/office"
)

// Awards implements office.Benefits.
func (o officeBenefits) Awards(ctx context.Context, who actor.Staff, run string, state office.AwardState, after string, limit int) ([]office.Award, string, error) {
	all, next, err := o.house.awards.Awards(ctx, who, audit.BenefitDecision, run, award.State(state), after, limit)
	out := make([]office.Award, len(all))
	for i, a := range all {
		out[i] = awardLine(a)
	}
	return out, next, err
}

func awardLine(a award.Award) office.Award {
	return office.Award{
		ID: a.ID, Ref: a.PayeeRef, Name: a.PayeeName.Kanji(), Yen: a.Amount, Children: len(a.Lines),
		State: office.AwardState(a.State), AnswerBy: a.AnswerBy,
	}
}

// Award implements office.Benefits.
func (o officeBenefits) Award(ctx context.Context, who actor.Staff, id string) (office.AwardDetail, error) {
	a, err := o.house.awards.Award(ctx, who, audit.BenefitDecision, id)
	if err != nil {
		return office.AwardDetail{}, err
	}
	open := a.Settled.How == "" && a.List == ""
	out := office.AwardDetail{
		Award: awardLine(a), Run: a.Run, List: a.List, RunName: texts(a.Name), Month: firstOf(a.Month), PayOn: a.PayOn,
		Basis: office.SameText(a.Basis), NoticeID: a.Notice, RefusalEnds: a.AnswerBy,
		CanLetter: open && a.Notice != "" && a.Proof.At.IsZero(),
		CanRefuse: a.Open(),
	}
	for _, l := range a.Lines {
		out.Shares = append(out.Shares, office.Share{Name: l.Name.Kanji(), Birth: l.Birth, Yen: max(l.Amount, 0)})
	}
	for _, f := range a.Facts {
		out.Facts = append(out.Facts, office.Fact{
			Name: texts(f.Label), Value: office.SameText(f.Value), Source: office.SameText(f.Source), AsOf: f.AsOf,
		})
	}
	for _, s := range a.Steps {
		step := office.Step{Text: texts(s.Text), Article: s.Article}
		for _, p := range s.Parameters {
			step.Parameters = append(step.Parameters, office.ParameterRow{Source: p.Source, From: firstOf(p.From)})
		}
		out.Steps = append(out.Steps, step)
	}
	for _, n := range a.Needs {
		out.Needs = append(out.Needs, texts(n.Text))
	}
	return o.history(ctx, a, out)
}

// history adds what happened to the award, with names for officers.
func (o officeBenefits) history(ctx context.Context, a award.Award, out office.AwardDetail) (office.AwardDetail, error) {
	for _, e := range a.History {
		name, err := o.house.staffName(ctx, e.By)
		if err != nil {
			return out, err
		}
		if e.What == "noticed" {
			out.NoticedOn = e.On
		}
		out.History = append(out.History, office.Event{At: e.At, On: e.On, What: e.What, By: name, Note: e.Note})
	}
	return out, nil
}

func (o officeBenefits) list(ctx context.Context, l award.List) (office.List, error) {
	name, err := o.house.staffName(ctx, l.MadeBy)
	return office.List{ID: l.ID, Count: l.Count, Yen: l.Total, State: string(l.State), MadeAt: l.MadeAt, MadeBy: name}, err
}

// List implements office.Benefits.
func (o officeBenefits) List(ctx context.Context, who actor.Staff, id string) (office.ListDetail, error) {
	l, lines, err := o.house.awards.List(ctx, who, audit.BenefitDecision, id)
	if err != nil {
		return office.ListDetail{}, err
	}
	out := office.ListDetail{Run: l.Run, RunName: texts(l.Name), Month: firstOf(l.Month), PayOn: l.PayOn, Balanced: l.Balanced}
	if out.List, err = o.list(ctx, l); err != nil {
		return out, err
	}
	for _, line := range lines[:min(len(lines), office.MaxShown)] {
		out.Lines = append(out.Lines, office.ListLine{
			Award: line.Award, Ref: line.Ref, Name: line.Name.Kanji(), Children: line.Children, Yen: line.Amount,
		})
	}
	if l.State == award.Waiting {
		if out.Approval, err = o.house.waitingFor(ctx, who, office.ListApproval, l.ID); err != nil {
			return out, err
		}
	}
	by, err := o.house.staffName(ctx, l.Verdict.By)
	out.Decided = office.Decided{Verdict: string(l.Verdict.Verdict), By: by, At: l.Verdict.At, Reason: l.Verdict.Reason}
	return out, err
}
