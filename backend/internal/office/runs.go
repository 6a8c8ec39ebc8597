package office

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
)

// MinAnswerDays is how many days a family has at least to say no.
const MinAnswerDays = 14

// RunList shows the runs.
func (o *Office) RunList(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	runs, err := o.Benefits.Runs(ctx, who, MaxShown)
	if err != nil {
		return Page{}, err
	}
	return o.render(ctx, r, &who, "runs", struct {
		Write bool
		Runs  []Run
	}{who.Has(actor.Clerk), runs})
}

type drafting struct {
	sheet
	Programs []Choice
	Earliest civil.Date
}

// NewRun shows the form of a new run.
func (o *Office) NewRun(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	once, err := o.IDs.New("onc")
	if err != nil {
		return Page{}, err
	}
	return o.drafting(ctx, who, r, newSheet("draft", url.Values{"once": {once}}))
}

func (o *Office) drafting(ctx context.Context, who actor.Staff, r Request, s sheet) (Page, error) {
	programs, err := o.Benefits.Programs(ctx, who)
	if err != nil {
		return Page{}, err
	}
	return o.sheetPage(ctx, who, r, "run-new", s, drafting{s, programs, civil.In(o.Now()).AddDays(MinAnswerDays)})
}

// sheetPage writes a page with a form; with faults it says so in its status.
func (o *Office) sheetPage(ctx context.Context, who actor.Staff, r Request, name string, s sheet, body any) (Page, error) {
	page, err := o.render(ctx, r, &who, name, body)
	if !s.ok() {
		page.Status = http.StatusUnprocessableEntity
	}
	return page, err
}

// DraftRun makes the run that was asked for.
func (o *Office) DraftRun(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	s := newSheet("draft", r.Form)
	d := RunDraft{Once: r.Form.Get("once"), Month: civil.Date{}}
	programs, err := o.Benefits.Programs(ctx, who)
	if err != nil {
		return Page{}, err
	}
	d.Benefit = s.oneOf("benefit", keysOf(programs)...)
	d.Month = s.month("month")
	d.Deadline = s.day("deadline", true)
	d.PayOn = s.day("pay_on", true)
	if !d.Deadline.IsZero() && d.Deadline.Before(civil.In(o.Now()).AddDays(MinAnswerDays)) {
		s.blame("deadline", "answer_days")
	}
	if !d.PayOn.IsZero() && !d.PayOn.After(d.Deadline) {
		s.blame("pay_on", "pay_on")
	}
	if d.Once == "" || len(d.Once) > maxRefBytes {
		return Page{}, fault.At(fault.InvalidArgument, "once", "open the form again")
	}
	if s.ok() {
		id, err := o.Benefits.Draft(ctx, who, d)
		if err == nil {
			return Page{Location: runPath(id)}, nil
		}
		if err := s.take(err, "benefit", "month", "deadline", "pay_on"); err != nil {
			return Page{}, err
		}
	}
	return o.drafting(ctx, who, r, s)
}

func keysOf(choices []Choice) []string {
	out := make([]string, 0, len(choices))
	for _, c := range choices {
		out = append(out, c.Key)
	}
	return out
}

func runPath(id string) string { return "/office/benefits/runs/" + url.PathEscape(id) }

// running is a run's page.
type running struct {
	sheet
	RunDetail
	progress
	Samples []Sample
	Fields  []field
	Acts    []RunAct
	Propose bool
	Done    string
}

// RunPage shows one run.
func (o *Office) RunPage(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	return o.runPage(ctx, who, r, newSheet("", nil))
}

func (o *Office) runPage(ctx context.Context, who actor.Staff, r Request, s sheet) (Page, error) {
	body, err := o.running(ctx, who, r.Param["id"])
	if err != nil {
		return Page{}, err
	}
	if body.Samples, err = o.Benefits.Samples(ctx, who, body.ID); err != nil {
		return Page{}, err
	}
	body.sheet, body.Done = s, doneOf(r)
	if !body.Working && (body.Done == "count" || body.Done == "start" || body.Done == "resume") {
		body.Done = "" // what began has ended: the state says so
	}
	return o.sheetPage(ctx, who, r, "run", s, body)
}

func (o *Office) running(ctx context.Context, who actor.Staff, id string) (running, error) {
	d, err := o.Benefits.Run(ctx, who, id)
	if err != nil {
		return running{}, err
	}
	body := running{RunDetail: d, progress: progressOf(d, o.Now()), Fields: textFields}
	if who.Has(actor.Clerk) {
		body.Acts = actsOf(d)
		body.Propose = d.ByState[Silent].Awards > 0 && d.State == RunDone
	}
	return body, nil
}

// actsOf gives what can be done to a run, the next step first.
func actsOf(d RunDetail) []RunAct {
	switch d.State {
	case RunDrafted:
		return []RunAct{RunCount}
	case RunCounted:
		return []RunAct{RunStart, RunCount}
	case RunCounting, RunRunning:
		return []RunAct{RunPause}
	case RunPaused:
		return []RunAct{RunResume}
	}
	return nil
}

// RunProgress gives the part of a run's page that changes while it works. The words that
// a screen reader says come along only when they are others than those it said last.
func (o *Office) RunProgress(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	if !r.Partial {
		return Page{Location: runPath(r.Param["id"])}, nil
	}
	body, err := o.running(ctx, who, r.Param["id"])
	if err != nil {
		return Page{}, err
	}
	body.Spoken = r.Query.Get("said") != body.Said
	return o.render(ctx, r, &who, "run-progress", body)
}

// ActOnRun counts, starts, pauses or resumes.
func (o *Office) ActOnRun(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	s := newSheet("act", r.Form)
	act := RunAct(r.Form.Get("act"))
	if !slices.Contains([]RunAct{RunCount, RunStart, RunPause, RunResume}, act) {
		s.blame(whole, "choose")
	}
	if s.ok() {
		err := o.Benefits.Act(ctx, who, r.Param["id"], act)
		if err == nil {
			return Page{Location: runPath(r.Param["id"]) + "?done=" + string(act)}, nil
		}
		if err := s.take(err); err != nil {
			return Page{}, err
		}
	}
	return o.runPage(ctx, who, r, s)
}

// Propose makes the list of what closed in silence and asks a second person.
func (o *Office) Propose(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	id, err := o.Benefits.Propose(ctx, who, r.Param["id"])
	if err == nil {
		return Page{Location: listPath(id) + "?done=proposed"}, nil
	}
	s := newSheet("propose", r.Form)
	if err := s.take(err); err != nil {
		return Page{}, err
	}
	return o.runPage(ctx, who, r, s)
}

// doneWords are what a page may say was just done.
var doneWords = map[string]bool{
	"count": true, "start": true, "pause": true, "resume": true, "proposed": true, "letter": true, "refusal": true,
	"approved": true, "returned": true, "assessed": true, "closed": true, "settled": true, "set": true, "lifted": true, "stopped": true,
}

// doneOf gives what the page before did, nothing for what nobody of ours writes.
func doneOf(r Request) string {
	if d := r.Query.Get("done"); r.Method == http.MethodGet && doneWords[d] {
		return d
	}
	return ""
}

// states lists the states that a table can be narrowed to, with how many are in each.
type states struct {
	State AwardState
	Tally Tally
	Here  bool
}

func statesOf(by map[AwardState]Tally, here AwardState) []states {
	var out []states
	for _, s := range AwardStates() {
		if by[s].Awards > 0 || s == here {
			out = append(out, states{s, by[s], s == here})
		}
	}
	return out
}

func allOf(by map[AwardState]Tally) Tally {
	var all Tally
	for t := range maps.Values(by) {
		all.Awards += t.Awards
		all.Yen += t.Yen
	}
	return all
}

func knownState(s string) (AwardState, bool) {
	return AwardState(s), s == "" || slices.Contains(AwardStates(), AwardState(s))
}
