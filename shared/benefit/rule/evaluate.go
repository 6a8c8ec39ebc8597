package rule

import (
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/fault"
)

// Evaluate decides one request by the edition in force in its month. The same request
// gives the same decision. A request that cannot be right (a child that is not born yet, a
// fact of another type) is a *fault.Error that names the place and never the value.
func (e *Engine) Evaluate(r benefit.Request) (benefit.Decision, error) {
	d, ed, err := e.decide(&r)
	if err == nil {
		err = ed.explain(&d)
	}
	if err != nil {
		return benefit.Decision{}, err
	}
	return d, nil
}

// Decide is Evaluate without the texts, for whoever counts or compares. Explain adds them.
func (e *Engine) Decide(r benefit.Request) (benefit.Decision, error) {
	d, _, err := e.decide(&r)
	return d, err
}

func (e *Engine) decide(r *benefit.Request) (benefit.Decision, *edition, error) {
	c, err := e.program(r.Benefit)
	if err != nil {
		return benefit.Decision{}, nil, err
	}
	data, ed, err := c.edition(r.Month)
	if err != nil {
		return benefit.Decision{}, nil, err
	}
	if err := check(data, ed, r); err != nil {
		return benefit.Decision{}, nil, err
	}
	x := newRun(c, data, ed, r)
	defer x.done()
	for _, g := range ed.groups {
		if err := x.group(g); err != nil {
			return benefit.Decision{}, nil, err
		}
		if g[0].Gives == data.Rank.Over {
			x.rank()
		}
	}
	d, err := x.decision()
	return d, ed, err
}

func check(e *benefit.Edition, ed *edition, r *benefit.Request) error {
	if len(r.Children) > benefit.MaxChildren {
		return fault.At(fault.TooLarge, "children", "there are more than %d children", benefit.MaxChildren)
	}
	if place, err := checkFacts(ed.told[ofHousehold], r.Facts); err != nil {
		return fault.At(err.Code, place, "%s", err.Message)
	}
	for i := range r.Children {
		child := &r.Children[i]
		switch {
		case !r.AskedOn.IsZero() && child.Birth.After(r.AskedOn):
			return fault.At(fault.InvalidArgument, ofChildAt(i, "birth"), "the child is born after the day of asking")
		case r.AskedOn.IsZero() && !e.FutureBirths && r.Month.Before(benefit.MonthOf(child.Birth)):
			return fault.At(fault.InvalidArgument, ofChildAt(i, "birth"), "the child is born after the month asked for")
		}
		if place, err := checkFacts(ed.told[ofChild], child.Facts); err != nil {
			return fault.At(err.Code, ofChildAt(i, place), "%s", err.Message)
		}
	}
	return nil
}

// ofChildAt names a fact of the child at place i.
func ofChildAt(i int, name string) string { return "children[" + strconv.Itoa(i) + "]." + name }

// checkFacts looks at the facts that the edition needs; others may be there.
func checkFacts(declared []told, facts map[string]benefit.Value) (place string, err *fault.Error) {
	if len(facts) == 0 {
		return "", nil
	}
	for _, d := range declared {
		v := facts[d.Name]
		if !v.Known() {
			continue
		}
		if v.Type() != d.Type {
			return d.Name, fault.New(fault.InvalidArgument, "must be of type "+string(d.Type))
		}
		if n := v.Int(); n > benefit.MaxAmount || n < -benefit.MaxAmount || tooLong(v.Text()) {
			return d.Name, fault.New(fault.TooLarge, "is too large")
		}
	}
	return "", nil
}

func tooLong(text string) bool { return len(text) > maxText && utf8.RuneCountInString(text) > maxText }

// group applies a group of rules to the household or to every child.
func (x *run) group(g []rule) error {
	if g[0].Scope == benefit.Household {
		return x.apply(&x.house, g)
	}
	for i := range x.kids {
		if err := x.apply(&x.kids[i], g); err != nil {
			return err
		}
	}
	return nil
}

// apply finds the first rule whose condition holds, and records the step.
func (x *run) apply(s *scope, g []rule) error {
	for i := range g {
		r := &g[i]
		if r.when != nil {
			holds, needs, err := eval(s, r, r.when)
			switch {
			case err != nil:
				return err
			case len(needs) > 0:
				x.conclude(s, r, r.waiting, benefit.Value{}, needs)
				return nil
			case !holds.True():
				continue
			}
		}
		v, needs, err := eval(s, r, r.value)
		if err != nil {
			return err
		}
		if tooLong(v.Text()) {
			return fmt.Errorf("cannot evaluate rule %s at %s: it gives a text that is too long", r.ID, r.Place)
		}
		x.conclude(s, r, r.looked, v, needs)
		return nil
	}
	return fmt.Errorf("cannot evaluate %s: no rule gives %s", x.c.ID, g[0].Gives)
}

// eval runs one expression. Needs is not empty when a fact is missing.
func eval(s *scope, r *rule, e *expr) (v benefit.Value, needs []string, err error) {
	if e.quick != nil {
		if v, ok := e.quick(s); ok {
			return v, nil, nil
		}
	}
	vars, err := s.activation(e)
	if err != nil {
		return v, nil, fmt.Errorf("cannot evaluate rule %s: %w", r.ID, err)
	}
	out, _, err := e.run.Eval(vars)
	if err != nil {
		return v, nil, fmt.Errorf("cannot evaluate rule %s at %s: %w", r.ID, r.Place, err)
	}
	if u, ok := out.(*types.Unknown); ok {
		if needs = s.missing(u); len(needs) == 0 {
			return v, nil, fmt.Errorf("cannot evaluate rule %s at %s: it cannot be told what is missing", r.ID, r.Place)
		}
		return v, needs, nil
	}
	return native(out), nil, nil
}

func native(out ref.Val) benefit.Value {
	switch v := out.(type) {
	case types.Int:
		return benefit.Int(int64(v))
	case types.Bool:
		return benefit.Bool(bool(v))
	case types.String:
		return benefit.Text(string(v))
	}
	return benefit.Value{}
}

// conclude sets the group's value and writes its step.
func (x *run) conclude(s *scope, r *rule, looked []lookup, v benefit.Value, needs []string) {
	s.set(r.gives, v)
	if len(needs) > 0 {
		s.wait(r.gives, needs...)
	}
	x.steps = append(x.steps, benefit.Step{Rule: r.ID, Version: x.data.Version, Article: r.Article, Result: v, Needs: needs,
		Inputs: x.look(s, looked), Parameters: x.period.uses[r.number]})
}

// rank gives every child its place among those that count, the eldest first. The step
// before says why a child does not count.
func (x *run) rank() {
	order := &x.ed.rank
	next := int64(1)
	var waiting []string // facts of elder children that decide whether they count
	x.order = benefit.BirthOrder(x.order[:0], x.r.Children)
	for _, i := range x.order {
		s := &x.kids[i]
		counted := s.get(order.over)
		if !counted.Known() {
			waiting = append(waiting, s.waitsFor(order.over)...)
			slices.Sort(waiting)
			waiting = slices.Compact(waiting)
		}
		switch {
		case counted.Known() && !counted.True():
			s.set(order.gives, benefit.Int(0))
		case len(waiting) > 0:
			s.wait(order.gives, slices.Clone(waiting)...)
		default:
			s.set(order.gives, benefit.Int(next))
			next++
		}
	}
	for i := range x.kids {
		s := &x.kids[i]
		v := s.get(order.gives)
		if v == benefit.Int(0) {
			continue
		}
		step := benefit.Step{Rule: "rank", Version: x.data.Version, Article: x.data.Rank.Article, Result: v,
			Inputs: x.look(s, order.looked)}
		if !v.Known() {
			step.Needs = s.waitsFor(order.gives)
		}
		x.steps = append(x.steps, step)
	}
}
