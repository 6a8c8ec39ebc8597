package app

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/award"
	"madoguchi.example/backend/internal/office"
	awardrows "madoguchi.example/backend/internal/store/award"
	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/benefit/programs"
	"madoguchi.example/shared/benefit/rule"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/notice"
)

// programmes are the benefits that this backend decides: those that ship, or a folder's.
func programmes(dir string) (*rule.Engine, error) {
	var from fs.FS = programs.FS
	if dir != "" {
		from = os.DirFS(dir)
	}
	return rule.Load(from)
}

// furnishBenefits makes what decides benefits, and the rule of two persons.
func (h *house) furnishBenefits(p *program) (err error) {
	run, reads := h.db.Runner(), h.db.Reads()
	if h.rules, err = programmes(h.config.Benefit.Programs); err != nil {
		return errors.Join(errors.New("cannot use the programmes of [benefit] programs"), err)
	}
	h.awards, err = award.New(award.Deps{
		Runner: run, Rows: awardrows.New(reads), People: h.citizens, Programs: h.rules, Mail: h.notices,
		Approvals: h.approvals, Protections: h.protection, Queue: h.jobs, Record: h.record,
		Now: h.now, Rand: p.rand,
	})
	return err
}

// officeBenefits lets the console decide benefits.
type officeBenefits struct{ house *house }

// Programs implements office.Benefits.
func (o officeBenefits) Programs(context.Context, actor.Staff) ([]office.Choice, error) {
	var out []office.Choice
	for _, id := range o.house.rules.Programs() {
		p, err := o.house.rules.Program(id)
		if err != nil {
			return nil, err
		}
		out = append(out, office.Choice{Key: id, Name: texts(p.Name)})
	}
	return out, nil
}

// texts gives words as the console has them.
func texts(w benefit.Words) office.Texts {
	return office.Texts{notice.Japanese: w.JA, notice.EasyJapanese: w.JAEasy, notice.English: w.EN}
}

// firstOf gives the first day of the month, zero for no month.
func firstOf(m benefit.Month) civil.Date {
	if m.Year == 0 {
		return civil.Date{}
	}
	return civil.Date{Year: m.Year, Month: m.Month, Day: 1}
}

// Runs implements office.Benefits.
func (o officeBenefits) Runs(ctx context.Context, who actor.Staff, limit int) ([]office.Run, error) {
	all, err := o.house.awards.Runs(ctx, who, audit.BenefitDecision, limit)
	if err != nil {
		return nil, err
	}
	out := make([]office.Run, len(all))
	for i, r := range all {
		if out[i], err = o.run(ctx, r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (o officeBenefits) run(ctx context.Context, r award.Run) (office.Run, error) {
	name, err := o.house.staffName(ctx, cmp.Or(r.StartedBy, r.DraftedBy))
	out := office.Run{
		ID: r.ID, Name: texts(r.Name), Month: firstOf(r.Month), Deadline: r.Deadline, PayOn: r.PayOn,
		State: office.RunState(r.State), StartedBy: name, CreatedAt: r.DraftedAt,
	}
	switch {
	case r.State == award.Counting, r.State == award.Paused && r.StartedAt.IsZero():
		out.Seen = r.Counted.Households
	case !r.StartedAt.IsZero():
		out.Seen, out.All = r.Result.Households, r.Counted.Households
		out.WorkingSince = r.StartedAt
	}
	if r.State != award.Running {
		out.WorkingSince = time.Time{}
	}
	return out, err
}

// Draft implements office.Benefits.
func (o officeBenefits) Draft(ctx context.Context, who actor.Staff, d office.RunDraft) (string, error) {
	r, err := o.house.awards.Draft(ctx, who, audit.BenefitDecision, award.RunDraft{
		ClientID: d.Once, Benefit: d.Benefit, Month: benefit.MonthOf(d.Month), Deadline: d.Deadline, PayOn: d.PayOn,
	})
	return r.ID, err
}

// Run implements office.Benefits.
func (o officeBenefits) Run(ctx context.Context, who actor.Staff, id string) (office.RunDetail, error) {
	r, funnel, err := o.house.awards.Progress(ctx, who, audit.BenefitDecision, id)
	if err != nil {
		return office.RunDetail{}, err
	}
	out := office.RunDetail{ByState: map[office.AwardState]office.Tally{}}
	if out.Run, err = o.run(ctx, r); err != nil {
		return out, err
	}
	for state, tally := range funnel.ByState {
		out.ByState[office.AwardState(state)] = office.Tally(tally)
	}
	for _, n := range funnel.ForPerson {
		out.ForPerson += n
	}
	if r.State != award.Drafted && r.State != award.Counting {
		out.Count = &office.Count{
			Households: r.Counted.Households, Awards: r.Counted.Awards, Children: r.Counted.Children, Yen: r.Counted.Yen,
			Questions: r.Counted.Questions, MustApply: r.Counted.MustApply, Already: r.Counted.Already,
		}
	}
	for _, l := range r.Lists {
		line, err := o.list(ctx, l)
		if err != nil {
			return out, err
		}
		out.Lists = append(out.Lists, line)
	}
	return out, nil
}

// Samples implements office.Benefits.
func (o officeBenefits) Samples(ctx context.Context, who actor.Staff, id string) ([]office.Sample, error) {
	_, _, samples, err := o.house.awards.Show(ctx, who, audit.BenefitDecision, id)
	out := make([]office.Sample, len(samples))
	for i, s := range samples {
		out[i] = office.Sample{Texts: s.Texts, Yen: s.Amount, Children: s.Children}
	}
	return out, err
}

// Questions implements office.Benefits.
func (o officeBenefits) Questions(ctx context.Context, who actor.Staff, run, after string, limit int) ([]office.Question, string, error) {
	all, next, err := o.house.awards.Questions(ctx, who, audit.BenefitDecision, run, after, limit)
	out := make([]office.Question, len(all))
	for i, q := range all {
		out[i] = office.Question{Ref: q.Ref, Name: q.Name.Kanji(), Trouble: string(q.Trouble)}
	}
	return out, next, err
}

// Act implements office.Benefits.
func (o officeBenefits) Act(ctx context.Context, who actor.Staff, run string, a office.RunAct) error {
	acts := map[office.RunAct]func(context.Context, actor.Staff, audit.Purpose, string) error{
		office.RunCount: o.house.awards.Count, office.RunStart: o.house.awards.Start,
		office.RunPause: o.house.awards.Pause, office.RunResume: o.house.awards.Resume,
	}
	act, known := acts[a]
	if !known {
		return fault.At(fault.InvalidArgument, "act", "a run is counted, started, paused or resumed")
	}
	return act(ctx, who, audit.BenefitDecision, run)
}

// Propose implements office.Benefits.
func (o officeBenefits) Propose(ctx context.Context, who actor.Staff, run string) (string, error) {
	l, err := o.house.awards.Propose(ctx, who, audit.BenefitDecision, run)
	return l.ID, err
}

// RecordLetter implements office.Benefits.
func (o officeBenefits) RecordLetter(ctx context.Context, who actor.Staff, id string, on civil.Date) error {
	return o.house.awards.RecordLetter(ctx, who, audit.BenefitDecision, id, on)
}

// RecordRefusal implements office.Benefits.
func (o officeBenefits) RecordRefusal(ctx context.Context, who actor.Staff, id string, on civil.Date, reason string) error {
	return o.house.awards.RecordRefusal(ctx, who, audit.BenefitDecision, id, on, reason)
}

// Approve implements office.Benefits.
func (o officeBenefits) Approve(ctx context.Context, who actor.Staff, list string, count int, total int64, reason string) error {
	return o.house.awards.Approve(ctx, who, audit.BenefitDecision, list, count, total, reason)
}

// Return implements office.Benefits.
func (o officeBenefits) Return(ctx context.Context, who actor.Staff, list, reason string) error {
	return o.house.awards.Return(ctx, who, audit.BenefitDecision, list, reason)
}
