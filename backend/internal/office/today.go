package office

import (
	"context"
	"net/url"
	"slices"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/shared/civil"
)

const (
	// quietAfter is when a terminal that says nothing is worth a look.
	quietAfter = 24 * time.Hour
	// queueShown is how many of each kind the first page shows.
	queueShown = 100
)

// task is one line of the queue.
type task struct {
	Key    string // word "task.<key>"
	Name   Texts  // of what it is about; nobody's name
	To     string // path, "" for own work that is only told
	Since  time.Time
	Due    civil.Date
	Late   bool
	Own    bool
	Others []string
}

type today struct {
	Write   bool
	Tasks   []task
	Notices []Summary
	Quiet   []Terminal
}

// Today is the first page: what waits for this officer, oldest first.
func (o *Office) Today(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	var body today
	var err error
	if body.Tasks, err = o.queue(ctx, who); err != nil {
		return Page{}, err
	}
	if o.Notices != nil && (who.Has(actor.Clerk) || who.Has(actor.Approver)) {
		if body.Notices, err = o.Notices.Recent(ctx, who, 5); err != nil {
			return Page{}, err
		}
		body.Write = who.Has(actor.Clerk)
	}
	if o.Terminals != nil && who.Has(actor.TerminalManager) {
		all, err := o.Terminals.List(ctx, who)
		if err != nil {
			return Page{}, err
		}
		for _, t := range all {
			if o.quiet(t) {
				body.Quiet = append(body.Quiet, t)
			}
		}
	}
	return o.render(ctx, r, &who, "today", body)
}

func (o *Office) quiet(t Terminal) bool {
	return !t.Disabled && o.Now().Sub(t.LastContact) > quietAfter
}

// queue gathers what the officer's roles ask of them.
func (o *Office) queue(ctx context.Context, who actor.Staff) ([]task, error) {
	var all []task
	for _, gather := range []func(context.Context, actor.Staff) ([]task, error){o.approvalTasks, o.caseTasks, o.withheldTasks, o.runTasks, o.correctionTasks} {
		some, err := gather(ctx, who)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	today := civil.In(o.Now())
	for i, t := range all {
		all[i].Late = !t.Due.IsZero() && t.Due.Before(today)
	}
	slices.SortStableFunc(all, func(a, b task) int { return a.Since.Compare(b.Since) })
	return all, nil
}

func (o *Office) approvalTasks(ctx context.Context, who actor.Staff) ([]task, error) {
	if o.Approvals == nil || !who.Has(actor.Approver) && !who.Has(actor.ChildApprover) {
		return nil, nil
	}
	waiting, err := o.Approvals.Waiting(ctx, who)
	if err != nil {
		return nil, err
	}
	var out []task
	for _, a := range waiting {
		t := task{Since: a.AskedAt, Due: a.Due, Own: a.Own, Others: a.Others}
		switch a.Kind {
		case ListApproval:
			t.Key, t.To = "approve_list", listPath(a.Object)
		case ContactApproval:
			t.Key, t.To = "approve_contact", casePath(a.Object)
		default:
			continue
		}
		out = append(out, t)
	}
	return out, nil
}

// caseWork is what a case's state asks of its officer.
var caseWork = map[CaseState]string{
	CaseFlagged: "assess", CaseReturned: "assess_again", CaseAccepted: "close_accepted", CaseDeclined: "close_declined",
}

func (o *Office) caseTasks(ctx context.Context, who actor.Staff) ([]task, error) {
	if o.Children == nil || !who.Has(actor.ChildOfficer) {
		return nil, nil
	}
	cases, err := o.Children.Cases(ctx, who, queueShown)
	if err != nil {
		return nil, err
	}
	var out []task
	for _, c := range cases {
		if key := caseWork[c.State]; key != "" {
			out = append(out, task{Key: key, Name: c.Indicator, To: casePath(c.ID), Since: c.Since, Due: c.Due})
		}
	}
	return out, nil
}

func (o *Office) withheldTasks(ctx context.Context, who actor.Staff) ([]task, error) {
	if o.Protection == nil || !who.Has(actor.Protector) {
		return nil, nil
	}
	waiting, err := o.Protection.Waiting(ctx, who, queueShown)
	if err != nil {
		return nil, err
	}
	var out []task
	for _, w := range waiting {
		out = append(out, task{Key: "withheld", Name: w.What, To: withheldPath(w.ID), Since: w.Since})
	}
	return out, nil
}

func (o *Office) runTasks(ctx context.Context, who actor.Staff) ([]task, error) {
	if o.Benefits == nil || !who.Has(actor.Clerk) {
		return nil, nil
	}
	runs, err := o.Benefits.Runs(ctx, who, queueShown)
	if err != nil {
		return nil, err
	}
	var out []task
	for _, run := range runs {
		if run.State == RunCounted || run.State == RunPaused || run.State == RunDrafted {
			out = append(out, task{Key: "run_" + string(run.State), Name: run.Name, To: runPath(run.ID), Since: run.CreatedAt})
		}
	}
	return out, nil
}

func withheldPath(id string) string { return protectionPath + "/withheld/" + url.PathEscape(id) }
