// Package rule promises that the rules of a programme are type-checked and bounded in cost
// when they are loaded, and that evaluating them gives every step, in words where they are
// asked for.
//
// It is the only user of CEL. An Engine is compiled once, is never changed and may be used
// by goroutines at once. A fact that is missing makes a decision "cannot tell yet", never a
// refusal. No expression may hold a floating-point number.
package rule

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"cel.dev/cel-go/cel"

	"madoguchi.example/shared/benefit"
)

// Limits of one expression. The cost is CEL's own measure, about one per operation; it is
// estimated at load and enforced again at every evaluation.
const (
	MaxExpression = 1000 // characters
	MaxCost       = 100
	maxText       = 100 // characters of a text fact, for the estimate; longer facts are refused
)

// Engine evaluates the programmes it was made from.
type Engine struct {
	programs map[string]*compiled
}

type compiled struct {
	*benefit.Program
	editions map[*benefit.Edition]*edition
}

// edition is one edition whose rules are ready to run.
type edition struct {
	groups   [][]rule
	rank     birthOrder
	periods  []period
	slots    map[string]slot
	size     [owners]int
	told     [owners][]told
	calendar map[string][]lookup // what the texts of the calendar name
	words    map[string]*wording // by the name of the rule that a step names
	units    map[string]benefit.Unit
	labels   map[string]benefit.Words
	birth    slot        // of the text
	steps    [owners]int // at most, of the household or of one child
	inputs   [owners]int // at most, in those steps
}

// rule is one rule, ready to run. Its number counts through the edition.
type rule struct {
	benefit.Rule
	number      int
	gives       slot
	when, value *expr
	reads       []string // parameters, the one that the rule names first
	looked      []lookup // what its step looked at
	waiting     []lookup // what its step looked at when the condition cannot be told
}

// lookup is a name that a step tells of, and where its value stands.
type lookup struct {
	name string
	at   slot
}

// told is a fact that somebody has to tell.
type told struct {
	*benefit.FactDecl
	at slot
}

// birthOrder is the ranking of children that count.
type birthOrder struct {
	over, gives slot
	looked      []lookup
}

// expr is a compiled expression and the names it uses, in the order in which they stand.
type expr struct {
	quick func(*scope) (benefit.Value, bool) // may be nil, and may decline
	run   cel.Program
	names []string
	slots []slot
}

// Load reads and compiles the programmes of a folder. The error joins every
// *benefit.Fault; no programme is given then.
func Load(fsys fs.FS) (*Engine, error) {
	programs, err := benefit.Load(fsys)
	if err != nil {
		return nil, err
	}
	return Compile(programs)
}

// Compile makes an engine of programmes that were loaded.
func Compile(programs map[string]*benefit.Program) (*Engine, error) {
	e := &Engine{programs: map[string]*compiled{}}
	var faults []*benefit.Fault
	for id, p := range programs {
		c := &compiled{Program: p, editions: map[*benefit.Edition]*edition{}}
		for i := range p.Editions {
			w := compiler{program: p, edition: &p.Editions[i]}
			c.editions[w.edition] = w.compile()
			faults = append(faults, w.faults...)
		}
		e.programs[id] = c
	}
	if len(faults) > 0 {
		return nil, benefit.Join(faults)
	}
	return e, nil
}

// compiler compiles one edition and collects its faults.
type compiler struct {
	program *benefit.Program
	edition *benefit.Edition
	out     *edition
	params  []string // in the order of their slots
	env     map[benefit.Scope]*cel.Env
	defined map[string]bool // names that have a value where the compiler is
	faults  []*benefit.Fault
}

func (c *compiler) fault(at benefit.Place, format string, args ...any) {
	c.faults = append(c.faults, benefit.Faultf(at, format, args...))
}

func (c *compiler) compile() *edition {
	c.out = &edition{slots: map[string]slot{}, calendar: map[string][]lookup{}, words: map[string]*wording{},
		units: map[string]benefit.Unit{}, labels: map[string]benefit.Words{}}
	c.defined = map[string]bool{}
	if err := c.environments(); err != nil {
		c.fault(c.edition.Place, "the rules' names cannot be declared: %v", err)
		return c.out
	}
	rules := c.edition.Rules
	for i := 0; i < len(rules); {
		n := 1
		for i+n < len(rules) && rules[i+n].Gives == rules[i].Gives {
			n++
		}
		c.group(rules[i:i+n], i)
		i += n
	}
	c.calendar()
	c.periods()
	return c.out
}

// environments declares what household rules and child rules may name, and gives every
// name its slot.
func (c *compiler) environments() error {
	names := map[benefit.Scope][]cel.EnvOption{}
	declare := func(s benefit.Scope, name string, t benefit.Type, unit benefit.Unit) {
		v := cel.Variable(name, typeOf(t))
		names[benefit.PerChild] = append(names[benefit.PerChild], v)
		if s == benefit.Household {
			names[s] = append(names[s], v)
		}
		c.out.units[name] = unit
	}
	c.names(declare)
	c.env = map[benefit.Scope]*cel.Env{}
	for _, s := range []benefit.Scope{benefit.Household, benefit.PerChild} {
		env, err := cel.NewEnv(append(names[s], cel.ClearMacros(), cel.ParserExpressionSizeLimit(MaxExpression))...)
		if err != nil {
			return err
		}
		c.env[s] = env
	}
	return nil
}

// names goes through everything that a rule may name. The facts that Go computes come
// first, in the order in which benefit gives them.
func (c *compiler) names(declare func(benefit.Scope, string, benefit.Type, benefit.Unit)) {
	for _, f := range benefit.Computed {
		declare(f.Scope, f.Name, f.Type, f.Unit)
		c.slot(ownerOf(f.Scope), f.Name)
		c.defined[f.Name] = f.Name != "rank"
	}
	c.out.birth = c.slot(ofChild, "birth")
	for i := range c.edition.Facts {
		f := &c.edition.Facts[i]
		declare(f.Scope, f.Name, f.Type, f.Unit)
		of := ownerOf(f.Scope)
		c.out.told[of] = append(c.out.told[of], told{f, c.slot(of, f.Name)})
		c.out.labels[f.Name] = f.Label
		c.defined[f.Name] = true
	}
	c.params = slices.Sorted(maps.Keys(c.program.Parameters))
	for _, id := range c.params {
		declare(benefit.Household, "param."+id, benefit.TypeInt, c.program.Parameters[id][0].Unit)
		c.slot(ofParameters, "param."+id)
	}
	for i, r := range c.edition.Rules {
		if i == 0 || c.edition.Rules[i-1].Gives != r.Gives {
			declare(r.Scope, r.Gives, r.Type, r.Unit)
			c.slot(ownerOf(r.Scope), r.Gives)
		}
	}
}

// slot gives a new name the next place.
func (c *compiler) slot(of owner, name string) slot {
	at := slot{of, c.out.size[of]}
	c.out.size[of]++
	c.out.slots[name] = at
	return at
}

// group compiles the rules that give one name; the first of them is the edition's rule
// of that number.
func (c *compiler) group(in []benefit.Rule, number int) {
	var out []rule
	for i, r := range in {
		v := rule{Rule: r, number: number + i, gives: c.out.slots[r.Gives]}
		if r.When.Source != "" {
			v.when = c.expr(r.Scope, r.When, benefit.TypeBool)
		}
		v.value = c.expr(r.Scope, r.Value, r.Type)
		out = append(out, v)
	}
	c.defined[in[0].Gives] = true
	var seen []string // the names that were looked at on the way
	most := 0
	for i := range out {
		r := &out[i]
		text := c.wording(r.Place, r.Text, r.Scope, r.Unit)
		c.out.words[r.ID] = &text
		c.reads(r, text)
		seen = append(seen, r.when.uses()...)
		r.waiting = c.lookups(r.Scope, r.Gives, seen, text.names())
		r.looked = c.lookups(r.Scope, r.Gives, seen, r.value.uses(), text.names())
		most = max(most, len(r.looked))
	}
	c.out.steps[out[0].gives.of]++
	c.out.inputs[out[0].gives.of] += most
	c.out.groups = append(c.out.groups, out)
	if c.edition.Rank.Over == in[0].Gives {
		c.rank()
	}
}

func (c *compiler) rank() {
	c.defined["rank"] = true
	text := c.wording(c.edition.Rank.Place, c.edition.Rank.Text, benefit.PerChild, benefit.UnitNone)
	c.out.words["rank"] = &text
	c.out.rank = birthOrder{over: c.out.slots[c.edition.Rank.Over], gives: c.out.slots["rank"],
		looked: c.lookups(benefit.PerChild, "rank", []string{c.edition.Rank.Over}, text.names())}
	c.out.steps[ofChild]++
	c.out.inputs[ofChild] += len(c.out.rank.looked)
}

// lookups gives what a step that gives a name tells of: of a child always its place and
// birth, and the names that were looked at, sorted.
func (c *compiler) lookups(s benefit.Scope, gives string, names ...[]string) []lookup {
	all := slices.Concat(names...)
	all = slices.DeleteFunc(all, func(name string) bool { return name == gives || name == "value" || name == "month" })
	if s == benefit.PerChild {
		all = append(all, "child", "birth")
	}
	slices.Sort(all)
	var out []lookup
	for _, name := range slices.Compact(all) {
		if at, ok := c.out.slots[name]; ok {
			out = append(out, lookup{name, at})
		}
	}
	return out
}

func (c *compiler) calendar() {
	for name, t := range map[string]struct {
		at   benefit.Place
		text benefit.Words
		more []string
	}{
		paymentMonth: {c.edition.Payment.Place, c.edition.Payment.Text, nil},
		startMonth:   {c.edition.Start.Place, c.edition.Start.Text, []string{"event", "application", "grace_days"}},
	} {
		text := c.wording(t.at, t.text, benefit.Household, benefit.UnitNone, t.more...)
		c.out.words[name] = &text
		c.out.calendar[name] = c.lookups(benefit.Household, "", text.names())
	}
}

// Programs gives the ids of the programmes, sorted.
func (e *Engine) Programs() []string {
	var ids []string
	for id := range e.programs {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Program gives one programme's data.
func (e *Engine) Program(id string) (*benefit.Program, error) {
	c, err := e.program(id)
	if err != nil {
		return nil, err
	}
	return c.Program, nil
}

func (e *Engine) program(id string) (*compiled, error) {
	c, ok := e.programs[id]
	if !ok {
		return nil, fmt.Errorf("cannot evaluate: %w", benefit.ErrNoProgram)
	}
	return c, nil
}

func (c *compiled) edition(m benefit.Month) (*benefit.Edition, *edition, error) {
	e, ok := c.Edition(m)
	if !ok {
		return nil, nil, fmt.Errorf("cannot evaluate %s: %w", c.ID, benefit.ErrNoEdition)
	}
	return e, c.editions[e], nil
}
