package rule

import (
	"fmt"
	"slices"
	"sync"

	"madoguchi.example/shared/benefit"
)

// run is one evaluation. Its memory is used again by the next one; what a decision holds
// is its own.
type run struct {
	c      *compiled
	data   *benefit.Edition
	ed     *edition
	r      *benefit.Request
	period *period
	house  scope
	kids   []scope
	values []benefit.Value // of the household, then of each child
	order  []int
	steps  []benefit.Step
	inputs []benefit.Input // room for the inputs of the steps to come
}

var runs = sync.Pool{New: func() any { return new(run) }}

// newRun sets the facts that are computed and told. The run is done with by done.
func newRun(c *compiled, data *benefit.Edition, ed *edition, r *benefit.Request) *run {
	x := runs.Get().(*run)
	x.c, x.data, x.ed, x.r, x.period = c, data, ed, r, ed.period(r.Month)
	n := len(r.Children)
	whole := ed.size[ofHousehold] + n*ed.size[ofChild]
	x.values = slices.Grow(x.values[:0], whole)[:whole] // nothing is known in it yet: done cleared it
	x.kids = slices.Grow(x.kids[:0], n)[:n]
	x.household(x.values[:ed.size[ofHousehold]:ed.size[ofHousehold]])
	for i := range x.kids {
		from := ed.size[ofHousehold] + i*ed.size[ofChild]
		x.child(i, x.values[from:from+ed.size[ofChild]:from+ed.size[ofChild]])
	}
	x.steps = make([]benefit.Step, 0, ed.steps[ofHousehold]+n*ed.steps[ofChild])
	x.inputs = make([]benefit.Input, 0, ed.inputs[ofHousehold]+n*ed.inputs[ofChild])
	return x
}

// done gives the run's memory back, without what a decision or a request holds.
func (x *run) done() {
	clear(x.values)
	for i := range x.kids {
		x.kids[i] = scope{waits: x.kids[i].waits[:0]}
	}
	*x = run{kids: x.kids[:0], values: x.values[:0], order: x.order[:0]}
	runs.Put(x)
}

// household sets what is known of the household. Computed facts are written in place: their
// slots come first, in the order in which benefit gives them.
func (x *run) household(values []benefit.Value) {
	benefit.HouseholdFacts(values[:0], x.data, x.r)
	x.house = scope{ed: x.ed}
	x.house.vals[ofParameters], x.house.vals[ofHousehold] = x.period.values, values
	x.house.tell(x.ed.told[ofHousehold], x.r.Facts, -1)
}

// child sets what is known of the child at place i.
func (x *run) child(i int, values []benefit.Value) {
	c := &x.r.Children[i]
	benefit.ChildFacts(values[:0], x.data, x.r, i)
	s := &x.kids[i]
	*s = scope{ed: x.ed, over: &x.house, vals: x.house.vals, waits: s.waits[:0]}
	s.vals[ofChild] = values
	if c.Birth.IsZero() {
		needs := ofChildAt(i, "birth")
		for j, f := range perChild {
			if !values[j].Known() && f != "rank" {
				s.wait(slot{ofChild, j}, needs)
			}
		}
	} else {
		s.set(x.ed.birth, benefit.Day(c.Birth))
	}
	s.tell(x.ed.told[ofChild], c.Facts, i)
}

// perChild names the facts that Go computes of a child.
var perChild = func() (names []string) {
	for _, f := range benefit.Computed {
		if f.Scope == benefit.PerChild {
			names = append(names, f.Name)
		}
	}
	return names
}()

// tell sets the facts that the edition needs from those that were given, of the household
// or of the child at place i.
func (s *scope) tell(facts []told, given map[string]benefit.Value, i int) {
	for _, d := range facts {
		v, ok := given[d.Name]
		if !ok {
			v = d.Absent
		}
		s.set(d.at, v)
		switch {
		case v.Known():
		case i < 0:
			s.wait(d.at, d.Name)
		default:
			s.wait(d.at, ofChildAt(i, d.Name))
		}
	}
}

// look gives what a step looked at.
func (x *run) look(s *scope, names []lookup) benefit.Inputs {
	if cap(x.inputs)-len(x.inputs) < len(names) {
		x.inputs = make([]benefit.Input, 0, 2*len(names))
	}
	from := len(x.inputs)
	for i := range names {
		x.inputs = append(x.inputs, benefit.Input{Name: names[i].name, Value: s.get(names[i].at)})
	}
	return x.inputs[from:len(x.inputs):len(x.inputs)]
}

// decision draws the amount and the outputs together.
func (x *run) decision() (benefit.Decision, error) {
	d := benefit.Decision{Benefit: x.c.ID, Month: x.r.Month, Version: x.data.Version, Steps: x.steps}
	amount, whole := int64(0), true
	if at := x.ed.slots[x.data.Amount]; at.of == ofHousehold {
		v := x.house.take(at, &d)
		amount, whole = v.Int(), v.Known()
	} else {
		d.PerChild = make([]benefit.ChildAmount, 0, len(x.kids))
		for i := range x.kids {
			v := x.kids[i].take(at, &d)
			d.PerChild = append(d.PerChild, benefit.ChildAmount{Birth: x.r.Children[i].Birth, Amount: v})
			if v.Int() < 0 || v.Int() > benefit.MaxAmount {
				return benefit.Decision{}, fmt.Errorf("cannot evaluate %s: the rules give a child an amount that cannot be paid", x.c.ID)
			}
			amount, whole = amount+v.Int(), whole && v.Known()
		}
	}
	if amount < 0 || amount > benefit.MaxAmount*benefit.MaxChildren {
		return benefit.Decision{}, fmt.Errorf("cannot evaluate %s: the rules give an amount that cannot be paid", x.c.ID)
	}
	for _, o := range x.data.Outputs {
		d.Outputs = append(d.Outputs, benefit.Output{Name: o.Name, Value: x.house.take(x.ed.slots[o.Group], &d)})
	}
	if whole {
		d.Amount = benefit.Int(amount)
	}
	slices.Sort(d.Unknown)
	d.Unknown = slices.Compact(d.Unknown)
	return d, nil
}

// take gives a value for the decision, which is told what the value waits for.
func (s *scope) take(at slot, d *benefit.Decision) benefit.Value {
	v := s.get(at)
	if !v.Known() {
		d.Unknown = append(d.Unknown, s.waitsFor(at)...)
	}
	return v
}
