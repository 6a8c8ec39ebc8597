package check

import (
	"context"
	"time"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
)

// CloseTask notes that the operator has looked at the case's task; an answered case is then
// reviewed. Closing twice changes nothing.
func (d *Desk) CloseTask(ctx context.Context, recordID, operator string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok, err := d.Book.Get(ctx, recordID)
	if err != nil {
		return err
	}
	if !ok {
		return fault.New(fault.NotFound, "there is no such case")
	}
	if !c.Task.Open() {
		return nil
	}
	closeTask(&c, d.Now(), operator)
	if c.State == eligibility.Answered {
		c.State = eligibility.Reviewed
	}
	return d.keep(ctx, []casebook.Case{c})
}

// closeTask closes the case's task, if it is open, on a copy: others may read the old one.
func closeTask(c *casebook.Case, at time.Time, operator string) {
	if c.Task.Open() {
		t := *c.Task
		t.ClosedAt, t.ClosedBy = at.UTC(), operator
		c.Task = &t
	}
}

// Case gives one case as the desk shows it now.
func (d *Desk) Case(ctx context.Context, recordID string) (View, error) {
	c, ok, err := d.Book.Get(ctx, recordID)
	if err != nil {
		return View{}, err
	}
	if !ok {
		return View{}, fault.New(fault.NotFound, "there is no such case")
	}
	return d.moment().view(c), nil
}

// Today lists the cases recorded or visited today, those that wait for an answer or a
// person, however old, and those of days to come, which a clock set back leaves: tasks
// first, then newest first, what was taken back last; at most MaxRows. more tells how many
// there are beside these.
func (d *Desk) Today(ctx context.Context) (rows []View, more int, err error) {
	today := civil.In(d.Now())
	midnight := today.Midnight()
	cases, more, err := d.Book.Top(ctx, MaxRows, func(r *casebook.Row) int {
		switch {
		case r.Closed() && r.VisitDay().Before(today) && r.RecordedAt().Before(midnight):
			return -1
		case r.OpenTask() != "":
			return 0
		case r.State() == eligibility.Voided:
			return 2
		}
		return 1
	})
	if err != nil {
		return nil, 0, err
	}
	return d.views(cases), more, nil
}

// MaxRows is how many rows the list shows at once. A day at a clinic has fewer.
const MaxRows = 200
