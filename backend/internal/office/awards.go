package office

import (
	"context"
	"net/url"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
)

// awardsShown is how many awards one page shows; the next ones are one link away.
const awardsShown = 100

type awardTable struct {
	Run    RunDetail
	State  AwardState
	States []states
	All    Tally
	Awards []Award
	leaves
}

// AwardList shows a run's awards by state.
func (o *Office) AwardList(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	state, ok := knownState(r.Query.Get("state"))
	after := r.Query.Get("after")
	if !ok || len(after) > maxCallbackLen {
		return Page{}, fault.New(fault.NotFound, "there is no such state")
	}
	run, err := o.Benefits.Run(ctx, who, r.Param["id"])
	if err != nil {
		return Page{}, err
	}
	body := awardTable{Run: run, State: state, States: statesOf(run.ByState, state), All: allOf(run.ByState)}
	next := ""
	if body.Awards, next, err = o.Benefits.Awards(ctx, who, run.ID, state, after, awardsShown); err != nil {
		return Page{}, err
	}
	body.leaves = leavesOf(runPath(run.ID)+"/awards", string(state), after, next)
	return o.render(ctx, r, &who, "awards", body)
}

// leaves lead through a long table.
type leaves struct {
	Next  string // path of the next page
	First string // path of the first page, where this is not it
}

func leavesOf(path, state, after, next string) leaves {
	to := func(after string) string {
		q := url.Values{}
		if state != "" {
			q.Set("state", state)
		}
		if after != "" {
			q.Set("after", after)
		}
		return path + "?" + q.Encode()
	}
	var l leaves
	if next != "" {
		l.Next = to(next)
	}
	if after != "" {
		l.First = to("")
	}
	return l
}

// QuestionList shows the households that no rule can decide.
func (o *Office) QuestionList(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	after := r.Query.Get("after")
	if len(after) > maxCallbackLen {
		return Page{}, fault.New(fault.NotFound, "there is no such page")
	}
	run, err := o.Benefits.Run(ctx, who, r.Param["id"])
	if err != nil {
		return Page{}, err
	}
	all, next, err := o.Benefits.Questions(ctx, who, run.ID, after, awardsShown)
	if err != nil {
		return Page{}, err
	}
	return o.render(ctx, r, &who, "questions", struct {
		leaves
		Run       RunDetail
		Questions []Question
	}{leavesOf(runPath(run.ID)+"/questions", "", after, next), run, all})
}

func awardPath(id string) string { return "/office/benefits/awards/" + url.PathEscape(id) }

// awarded is one award's page.
type awarded struct {
	sheet
	AwardDetail
	Today civil.Date
	Done  string
}

// AwardPage shows one award.
func (o *Office) AwardPage(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	return o.awardPage(ctx, who, r, newSheet("", nil))
}

func (o *Office) awardPage(ctx context.Context, who actor.Staff, r Request, s sheet) (Page, error) {
	d, err := o.Benefits.Award(ctx, who, r.Param["id"])
	if err != nil {
		return Page{}, err
	}
	if !who.Has(actor.Clerk) && !who.Has(actor.Protector) {
		d.CanLetter, d.CanRefuse = false, false
	}
	return o.sheetPage(ctx, who, r, "award", s, awarded{s, d, civil.In(o.Now()), doneOf(r)})
}

// RecordLetter records that the letter reached the family.
func (o *Office) RecordLetter(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	s := newSheet("letter", r.Form)
	on := s.pastDay("on", civil.In(o.Now()))
	if s.ok() {
		err := o.Benefits.RecordLetter(ctx, who, r.Param["id"], on)
		if err == nil {
			return Page{Location: awardPath(r.Param["id"]) + "?done=letter"}, nil
		}
		if err := s.take(err, "on"); err != nil {
			return Page{}, err
		}
	}
	return o.awardPage(ctx, who, r, s)
}

// RecordRefusal records that the family said no at the office.
func (o *Office) RecordRefusal(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	s := newSheet("refusal", r.Form)
	on := s.pastDay("on", civil.In(o.Now()))
	reason := s.reason("reason")
	if s.ok() {
		err := o.Benefits.RecordRefusal(ctx, who, r.Param["id"], on, reason)
		if err == nil {
			return Page{Location: awardPath(r.Param["id"]) + "?done=refusal"}, nil
		}
		if err := s.take(err, "reason", "on"); err != nil {
			return Page{}, err
		}
	}
	return o.awardPage(ctx, who, r, s)
}

// pastDay reads a day that is not in the future.
func (s *sheet) pastDay(field string, today civil.Date) civil.Date {
	d := s.day(field, true)
	if d.After(today) {
		s.blame(field, "future")
	}
	return d
}
