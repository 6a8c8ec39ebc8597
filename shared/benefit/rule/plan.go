package rule

import (
	"math"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"madoguchi.example/shared/benefit"
)

// A plan is a checked expression as Go functions over slots. It gives exactly what CEL
// gives, or says that it cannot: where a value is missing, a sum cannot be held, or the
// expression is not made of the plain operators. CEL's own interpreter decides then.
type (
	ints  func(*scope) (n int64, ok bool)
	bools func(*scope) (holds, ok bool)
	texts func(*scope) (text string, ok bool)
)

// planner plans the expressions of one checked tree.
type planner struct {
	tree  *ast.AST
	slots map[string]slot
}

// plan gives the expression as one function, or nil.
func (p planner) plan(e ast.Expr) func(*scope) (benefit.Value, bool) {
	if at, ok := p.slot(e); ok {
		return func(s *scope) (benefit.Value, bool) { v := s.get(at); return v, v.Known() }
	}
	if v := native(e.AsLiteral()); v.Known() {
		return func(*scope) (benefit.Value, bool) { return v, true }
	}
	switch p.tree.GetType(e.ID()).Kind() {
	case types.IntKind:
		if f := p.ints(e); f != nil {
			return func(s *scope) (benefit.Value, bool) { n, ok := f(s); return benefit.Int(n), ok }
		}
	case types.BoolKind:
		if f := p.bools(e); f != nil {
			return func(s *scope) (benefit.Value, bool) { b, ok := f(s); return benefit.Bool(b), ok }
		}
	case types.StringKind:
		if f := p.texts(e); f != nil {
			return func(s *scope) (benefit.Value, bool) { t, ok := f(s); return benefit.Text(t), ok }
		}
	}
	return nil
}

// slot tells where the variable stands that e names.
func (p planner) slot(e ast.Expr) (slot, bool) {
	if kind := e.Kind(); kind != ast.IdentKind && kind != ast.SelectKind {
		return slot{}, false
	}
	r, ok := p.tree.ReferenceMap()[e.ID()]
	if !ok {
		return slot{}, false
	}
	at, ok := p.slots[r.Name]
	return at, ok
}

func (p planner) ints(e ast.Expr) ints {
	if at, ok := p.slot(e); ok {
		return func(s *scope) (int64, bool) {
			v := &s.vals[at.of][at.at]
			return v.Int(), v.Known()
		}
	}
	if n, ok := e.AsLiteral().(types.Int); ok {
		return func(*scope) (int64, bool) { return int64(n), true }
	}
	if e.Kind() != ast.CallKind {
		return nil
	}
	call := e.AsCall()
	if call.FunctionName() == operators.Conditional {
		return choose(p, call.Args(), p.ints)
	}
	op, ok := arithmetic[call.FunctionName()]
	if !ok || len(call.Args()) != 2 {
		return nil
	}
	a, b := p.ints(call.Args()[0]), p.ints(call.Args()[1])
	if a == nil || b == nil {
		return nil
	}
	return func(s *scope) (int64, bool) {
		n, ok := a(s)
		if !ok {
			return 0, false
		}
		m, ok := b(s)
		if !ok {
			return 0, false
		}
		return op(n, m)
	}
}

var arithmetic = map[string]func(a, b int64) (int64, bool){
	operators.Add: func(a, b int64) (int64, bool) { return a + b, (a+b > a) == (b > 0) },
	operators.Subtract: func(a, b int64) (int64, bool) {
		return a - b, (a-b < a) == (b > 0)
	},
	operators.Multiply: func(a, b int64) (int64, bool) {
		if a == 0 || b == 0 {
			return 0, true
		}
		held := a != math.MinInt64 && b != math.MinInt64 && a*b != math.MinInt64 && a*b/b == a
		return a * b, held
	},
}

func (p planner) bools(e ast.Expr) bools {
	if at, ok := p.slot(e); ok {
		return func(s *scope) (bool, bool) {
			v := &s.vals[at.of][at.at]
			return v.True(), v.Known()
		}
	}
	if b, ok := e.AsLiteral().(types.Bool); ok {
		return func(*scope) (bool, bool) { return bool(b), true }
	}
	if e.Kind() != ast.CallKind {
		return nil
	}
	call := e.AsCall()
	switch args := call.Args(); call.FunctionName() {
	case operators.LogicalAnd:
		return p.until(false, args)
	case operators.LogicalOr:
		return p.until(true, args)
	case operators.LogicalNot:
		f := p.bools(args[0])
		if f == nil {
			return nil
		}
		return func(s *scope) (bool, bool) { b, ok := f(s); return !b, ok }
	case operators.Conditional:
		return choose(p, args, p.bools)
	}
	return p.comparison(call)
}

// until evaluates from left to right and ends with the first that is what ends.
func (p planner) until(ends bool, args []ast.Expr) bools {
	var terms []bools
	for _, e := range args {
		f := p.bools(e)
		if f == nil {
			return nil
		}
		terms = append(terms, f)
	}
	return func(s *scope) (bool, bool) {
		for _, f := range terms {
			if b, ok := f(s); !ok || b == ends {
				return b, ok
			}
		}
		return !ends, true
	}
}

// choose plans a condition with its two branches.
func choose[T any, F ~func(*scope) (T, bool)](p planner, args []ast.Expr, plan func(ast.Expr) F) F {
	when, yes, no := p.bools(args[0]), plan(args[1]), plan(args[2])
	if when == nil || yes == nil || no == nil {
		return nil
	}
	return func(s *scope) (T, bool) {
		holds, ok := when(s)
		if !ok {
			var none T
			return none, false
		}
		if holds {
			return yes(s)
		}
		return no(s)
	}
}

// comparison plans two values of one type against each other.
func (p planner) comparison(call ast.CallExpr) bools {
	if len(call.Args()) != 2 {
		return nil
	}
	a, b := call.Args()[0], call.Args()[1]
	kind, function := p.tree.GetType(a.ID()).Kind(), call.FunctionName()
	if p.tree.GetType(b.ID()).Kind() != kind {
		return nil
	}
	switch kind {
	case types.IntKind:
		return compare(p.ints(a), p.ints(b), orders[function])
	case types.BoolKind:
		return compare(p.bools(a), p.bools(b), equals[bool](function))
	case types.StringKind:
		return compare(p.texts(a), p.texts(b), equals[string](function))
	}
	return nil
}

var orders = map[string]func(a, b int64) bool{
	operators.Less:          func(a, b int64) bool { return a < b },
	operators.LessEquals:    func(a, b int64) bool { return a <= b },
	operators.Greater:       func(a, b int64) bool { return a > b },
	operators.GreaterEquals: func(a, b int64) bool { return a >= b },
	operators.Equals:        equals[int64](operators.Equals),
	operators.NotEquals:     equals[int64](operators.NotEquals),
}

func equals[T comparable](function string) func(a, b T) bool {
	switch function {
	case operators.Equals:
		return func(a, b T) bool { return a == b }
	case operators.NotEquals:
		return func(a, b T) bool { return a != b }
	}
	return nil
}

func compare[T any, F ~func(*scope) (T, bool)](a, b F, holds func(a, b T) bool) bools {
	if a == nil || b == nil || holds == nil {
		return nil
	}
	return func(s *scope) (bool, bool) {
		x, ok := a(s)
		if !ok {
			return false, false
		}
		y, ok := b(s)
		return ok && holds(x, y), ok
	}
}

func (p planner) texts(e ast.Expr) texts {
	if at, ok := p.slot(e); ok {
		return func(s *scope) (string, bool) {
			v := &s.vals[at.of][at.at]
			return v.Text(), v.Known()
		}
	}
	if t, ok := e.AsLiteral().(types.String); ok {
		return func(*scope) (string, bool) { return string(t), true }
	}
	if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.Conditional {
		return choose(p, e.AsCall().Args(), p.texts)
	}
	return nil
}
