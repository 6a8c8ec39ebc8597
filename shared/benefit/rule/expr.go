package rule

import (
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"

	"madoguchi.example/shared/benefit"
)

// uses gives the names in e; no expression has none.
func (e *expr) uses() []string {
	if e == nil {
		return nil
	}
	return e.names
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
	tree := checked.NativeRep()
	out := &expr{names: namesOf(tree), quick: planner{tree, c.out.slots}.plan(tree.Expr())}
	for _, name := range out.names {
		out.slots = append(out.slots, c.out.slots[name])
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
func (c *compiler) reads(r *rule, text wording) {
	var names []string
	if r.Parameter != "" {
		names = append(names, "param."+r.Parameter)
	}
	names = slices.Concat(names, r.when.uses(), r.value.uses(), text.names())
	for _, name := range names {
		id, isParam := strings.CutPrefix(name, "param.")
		if !isParam || slices.Contains(r.reads, id) {
			continue
		}
		r.reads = append(r.reads, id)
		if !c.program.Covers(id, c.edition.From, c.edition.To) {
			c.fault(r.Place, "the rows of parameter %s leave a gap in the edition from %s", id, c.edition.From)
		}
	}
}
