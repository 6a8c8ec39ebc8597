// Package rule promises that the rules of a programme are type-checked and bounded in cost
// when they are loaded, and that evaluating them gives every step in words.
//
// It is the only user of CEL. An Engine is compiled once, is never changed and may be used
// by goroutines at once. A fact that is missing makes a decision "cannot tell yet", never a
// refusal. No expression may hold a floating-point number.
package rule

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"

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
	rank     texts
	payment  texts
	start    texts
	params   []string // every parameter that a rule reads
	units    map[string]benefit.Unit
	labels   map[string]benefit.Words
	declared map[string]benefit.FactDecl
}

type rule struct {
	benefit.Rule
	when, value *expr
	text        texts
	reads       []string // parameters, the one that the rule names first
}

// expr is a compiled expression and the names it uses, in the order in which they stand.
type expr struct {
	run   cel.Program
	names []string
}

// texts is a text in the three languages.
type texts struct{ ja, jaEasy, en benefit.Template }

func (t texts) names() []string {
	return slices.Concat(t.ja.Names(), t.jaEasy.Names(), t.en.Names())
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
	var faults []error
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
		slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return nil, errors.Join(faults...)
	}
	return e, nil
}

// compiler compiles one edition and collects its faults.
type compiler struct {
	program *benefit.Program
	edition *benefit.Edition
	out     *edition
	env     map[benefit.Scope]*cel.Env
	defined map[string]bool // names that have a value where the compiler is
	faults  []error
}

func (c *compiler) fault(at benefit.Place, format string, args ...any) {
	c.faults = append(c.faults, benefit.Faultf(at, format, args...))
}

func (c *compiler) compile() *edition {
	c.out = &edition{units: map[string]benefit.Unit{}, labels: map[string]benefit.Words{}, declared: map[string]benefit.FactDecl{}}
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
		c.group(rules[i : i+n])
		i += n
	}
	c.calendar()
	return c.out
}

// environments declares what household rules and child rules may name.
func (c *compiler) environments() error {
	names := map[benefit.Scope][]cel.EnvOption{}
	declare := func(s benefit.Scope, name string, t benefit.Type) {
		v := cel.Variable(name, typeOf(t))
		names[benefit.PerChild] = append(names[benefit.PerChild], v)
		if s == benefit.Household {
			names[s] = append(names[s], v)
		}
	}
	for _, f := range slices.Concat(benefit.Computed, c.edition.Facts) {
		declare(f.Scope, f.Name, f.Type)
		c.out.units[f.Name] = f.Unit
		c.defined[f.Name] = f.Name != "rank"
	}
	for _, f := range c.edition.Facts {
		c.out.labels[f.Name], c.out.declared[f.Name] = f.Label, f
	}
	for id, rows := range c.program.Parameters {
		declare(benefit.Household, "param."+id, benefit.TypeInt)
		c.out.units["param."+id] = rows[0].Unit
	}
	done := map[string]bool{}
	for _, r := range c.edition.Rules {
		if !done[r.Gives] {
			declare(r.Scope, r.Gives, r.Type)
			c.out.units[r.Gives] = r.Unit
		}
		done[r.Gives] = true
	}
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

func typeOf(t benefit.Type) *cel.Type {
	switch t {
	case benefit.TypeInt:
		return cel.IntType
	case benefit.TypeBool:
		return cel.BoolType
	}
	return cel.StringType
}

func (c *compiler) group(in []benefit.Rule) {
	var out []rule
	for _, r := range in {
		v := rule{Rule: r}
		if r.When.Source != "" {
			v.when = c.expr(r.Scope, r.When, benefit.TypeBool)
		}
		v.value = c.expr(r.Scope, r.Value, r.Type)
		out = append(out, v)
	}
	c.defined[in[0].Gives] = true
	for i := range out {
		v := &out[i]
		v.text = c.texts(v.Place, v.Text, v.Scope)
		c.reads(v)
	}
	if c.edition.Rank.Over == in[0].Gives {
		c.defined["rank"] = true
		c.out.rank = c.texts(c.edition.Rank.Place, c.edition.Rank.Text, benefit.PerChild)
	}
	c.out.groups = append(c.out.groups, out)
}

// expr compiles one expression, checks its type, that it holds no floating-point number,
// that every name has a value by then, and what it may cost.
func (c *compiler) expr(s benefit.Scope, in benefit.Expr, want benefit.Type) *expr {
	env := c.env[s]
	checked, issues := env.Compile(in.Source)
	if issues.Err() != nil {
		for _, e := range issues.Errors() {
			c.fault(in.Place, "expression, column %d: %s", e.Location.Column()+1, e.Message)
		}
		return nil
	}
	if got := checked.OutputType(); !got.IsExactType(typeOf(want)) {
		c.fault(in.Place, "the expression is of type %s and must be %s", got, want)
		return nil
	}
	for _, t := range checked.NativeRep().TypeMap() {
		if t.Kind() == types.DoubleKind {
			c.fault(in.Place, "the expression holds a floating-point number; amounts are whole yen")
			return nil
		}
	}
	out := &expr{names: namesOf(checked.NativeRep())}
	for _, name := range out.names {
		if _, isParam := strings.CutPrefix(name, "param."); !isParam && !c.defined[name] {
			c.fault(in.Place, "%s has no value yet where it is used", name)
			return nil
		}
	}
	estimate, err := env.EstimateCost(checked, sizes{})
	if err != nil || estimate.Max > MaxCost {
		c.fault(in.Place, "the expression may cost %d and the limit is %d", estimate.Max, MaxCost)
		return nil
	}
	out.run, err = env.Program(checked, cel.EvalOptions(cel.OptPartialEval), cel.CostLimit(MaxCost))
	if err != nil {
		c.fault(in.Place, "the expression cannot be planned: %v", err)
		return nil
	}
	return out
}

// sizes bounds text facts for the estimate.
type sizes struct{}

func (sizes) EstimateSize(cost.AstNode) *cost.SizeEstimate {
	return &cost.SizeEstimate{Max: maxText}
}

func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}

// namesOf lists the variables of an expression in the order in which they stand.
func namesOf(a *ast.AST) []string {
	refs := a.ReferenceMap()
	ids := make([]int64, 0, len(refs))
	for id := range refs {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	var names []string
	for _, id := range ids {
		if r := refs[id]; r.Name != "" && len(r.OverloadIDs) == 0 && !slices.Contains(names, r.Name) {
			names = append(names, r.Name)
		}
	}
	return names
}

// reads lists the parameters of a rule and checks that rows cover the whole edition.
func (c *compiler) reads(r *rule) {
	var names []string
	if r.Parameter != "" {
		names = append(names, "param."+r.Parameter)
	}
	for _, e := range []*expr{r.when, r.value} {
		if e != nil {
			names = append(names, e.names...)
		}
	}
	names = append(names, r.text.names()...)
	for _, name := range names {
		id, isParam := strings.CutPrefix(name, "param.")
		if !isParam || slices.Contains(r.reads, id) {
			continue
		}
		r.reads = append(r.reads, id)
		if !c.program.Covers(id, c.edition.From, c.edition.To) {
			c.fault(r.Place, "the rows of parameter %s leave a gap in the edition from %s", id, c.edition.From)
		}
		if !slices.Contains(c.out.params, id) {
			c.out.params = append(c.out.params, id)
		}
	}
}

// texts compiles a text and checks the names in it.
func (c *compiler) texts(at benefit.Place, w benefit.Words, s benefit.Scope, more ...string) texts {
	var out texts
	for _, t := range []struct {
		in   string
		into *benefit.Template
	}{{w.JA, &out.ja}, {w.JAEasy, &out.jaEasy}, {w.EN, &out.en}} {
		parsed, err := benefit.ParseTemplate(t.in)
		if err != nil {
			c.fault(at, "text: %v", err)
			continue
		}
		for _, name := range parsed.Names() {
			if !c.known(name, s) && !slices.Contains(more, name) {
				c.fault(at, "text: there is no %s to write", name)
			}
		}
		*t.into = parsed
	}
	return out
}

func (c *compiler) known(name string, s benefit.Scope) bool {
	if id, ok := strings.CutPrefix(name, "param."); ok {
		return c.program.Covers(id, c.edition.From, c.edition.To)
	}
	switch name {
	case "value", "month":
		return true
	case "birth":
		return s == benefit.PerChild
	}
	if !c.defined[name] {
		return false
	}
	_, issues := c.env[s].Compile(name) // household texts may not name what only a child has
	return issues.Err() == nil
}

func (c *compiler) calendar() {
	c.out.payment = c.texts(c.edition.Payment.Place, c.edition.Payment.Text, benefit.Household)
	c.out.start = c.texts(c.edition.Start.Place, c.edition.Start.Text, benefit.Household, "event", "application", "grace_days")
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
