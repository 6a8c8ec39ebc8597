package rule

import (
	"fmt"

	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
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
	x := newRun(c, data, ed, benefit.Request{Benefit: program, Month: m})
	v := benefit.Text(paid.String())
	return x.calendar("payment_month", "paid_in", data.Payment.Article, ed.payment, v,
		map[string]benefit.Value{"entitlement_month": benefit.Text(m.String())}), nil
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
	x := newRun(c, data, ed, benefit.Request{Benefit: program, Month: month})
	v := benefit.Text(benefit.StartMonth(event, application, data.Start.GraceDays).String())
	return x.calendar("start_month", "start", data.Start.Article, ed.start, v, map[string]benefit.Value{
		"event": benefit.Text(event.String()), "application": benefit.Text(application.String()),
		"grace_days": benefit.Int(int64(data.Start.GraceDays))}), nil
}

// calendar makes a decision of one step that gives a month.
func (x *run) calendar(rule, output, article string, t texts, v benefit.Value, inputs map[string]benefit.Value) benefit.Decision {
	for name, in := range inputs {
		x.house.values[name] = in
	}
	return benefit.Decision{
		Benefit: x.c.ID, Month: x.r.Month, Version: x.data.Version,
		Outputs: []benefit.Output{{Name: output, Value: v}},
		Steps: []benefit.Step{{Rule: rule, Version: x.data.Version, Article: article, Inputs: inputs, Result: v,
			Text: x.say(t, x.house, v, benefit.UnitNone)}},
	}
}
