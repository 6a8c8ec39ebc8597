package rule

import (
	"fmt"
	"slices"
	"strings"

	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
)

// The names of the calendar's rules in a step.
const (
	paymentMonth = "payment_month"
	startMonth   = "start_month"
)

// PaidIn tells in which month the entitlement of month m is paid; the output is "paid_in".
func (e *Engine) PaidIn(program string, m benefit.Month) (benefit.Decision, error) {
	c, err := e.program(program)
	if err != nil {
		return benefit.Decision{}, err
	}
	data, ed, err := c.edition(m)
	if err != nil {
		return benefit.Decision{}, err
	}
	paid := data.Payment.Once
	if len(data.Payment.Months) > 0 {
		paid = benefit.PaidIn(m, data.Payment.Months)
	}
	step := benefit.Step{Rule: paymentMonth, Article: data.Payment.Article, Result: benefit.Text(paid.String()),
		Inputs: benefit.Inputs{{Name: "entitlement_month", Value: benefit.Text(m.String())}}}
	return calendar(c, data, ed, m, "paid_in", step)
}

// StartsIn tells the first month of an entitlement from the day of its event and the day
// of the application; the output is "start". Month picks the edition.
func (e *Engine) StartsIn(program string, month benefit.Month, event, application civil.Date) (benefit.Decision, error) {
	c, err := e.program(program)
	if err != nil {
		return benefit.Decision{}, err
	}
	data, ed, err := c.edition(month)
	if err != nil {
		return benefit.Decision{}, err
	}
	if data.Start.Text == (benefit.Words{}) {
		return benefit.Decision{}, fmt.Errorf("cannot tell when %s starts: it has no such rule: %w", program, benefit.ErrNoProgram)
	}
	if application.Before(event) {
		return benefit.Decision{}, fault.At(fault.InvalidArgument, "application", "is before the event")
	}
	start := benefit.StartMonth(event, application, data.Start.GraceDays)
	step := benefit.Step{Rule: startMonth, Article: data.Start.Article, Result: benefit.Text(start.String()),
		Inputs: benefit.Inputs{
			{Name: "application", Value: benefit.Text(application.String())},
			{Name: "event", Value: benefit.Text(event.String())},
			{Name: "grace_days", Value: benefit.Int(int64(data.Start.GraceDays))},
		}}
	return calendar(c, data, ed, month, "start", step)
}

// calendar makes a decision of one step that gives a month.
func calendar(c *compiled, data *benefit.Edition, ed *edition, m benefit.Month, output string, step benefit.Step) (benefit.Decision, error) {
	x := newRun(c, data, ed, &benefit.Request{Benefit: c.ID, Month: m})
	defer x.done()
	for _, l := range ed.calendar[step.Rule] {
		step.Inputs = append(step.Inputs, benefit.Input{Name: l.name, Value: x.house.get(l.at)})
	}
	slices.SortFunc(step.Inputs, func(a, b benefit.Input) int { return strings.Compare(a.Name, b.Name) })
	step.Version = data.Version
	d := benefit.Decision{Benefit: c.ID, Month: m, Version: data.Version,
		Outputs: []benefit.Output{{Name: output, Value: step.Result}}, Steps: []benefit.Step{step}}
	return d, ed.explain(&d)
}
