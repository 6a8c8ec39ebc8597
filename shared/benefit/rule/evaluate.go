package rule

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
)

// Evaluate decides one request by the edition in force in its month. The same request
// gives the same decision. A request that cannot be right (a child that is not born yet, a
// fact of another type) is a *fault.Error that names the place and never the value.
func (e *Engine) Evaluate(r benefit.Request) (benefit.Decision, error) {
	c, err := e.program(r.Benefit)
	if err != nil {
		return benefit.Decision{}, err
	}
	data, ed, err := c.edition(r.Month)
	if err != nil {
		return benefit.Decision{}, err
	}
	if err := check(data, ed, r); err != nil {
		return benefit.Decision{}, err
	}
	x := newRun(c, data, ed, r)
	for _, g := range ed.groups {
		if err := x.group(g); err != nil {
			return benefit.Decision{}, err
		}
		if g[0].Gives == data.Rank.Over {
			x.rank(g[0].Gives)
		}
	}
	return x.decision()
}

func check(e *benefit.Edition, ed *edition, r benefit.Request) error {
	if len(r.Children) > benefit.MaxChildren {
		return fault.At(fault.TooLarge, "children", "there are more than %d children", benefit.MaxChildren)
	}
	if err := checkFacts(ed, benefit.Household, "", r.Facts); err != nil {
		return err
	}
	for i, child := range r.Children {
		place := fmt.Sprintf("children[%d]", i)
		switch {
		case !r.AskedOn.IsZero() && child.Birth.After(r.AskedOn):
			return fault.At(fault.InvalidArgument, place+".birth", "the child is born after the day of asking")
		case r.AskedOn.IsZero() && !e.FutureBirths && child.Birth.After(r.Month.Last()):
			return fault.At(fault.InvalidArgument, place+".birth", "the child is born after the month asked for")
		}
		if err := checkFacts(ed, benefit.PerChild, place+".", child.Facts); err != nil {
			return err
		}
	}
	return nil
}

// checkFacts looks at the facts that the edition needs; others may be there.
func checkFacts(ed *edition, s benefit.Scope, place string, facts map[string]benefit.Value) error {
	for name, v := range facts {
		d, ok := ed.declared[name]
		if !ok || d.Scope != s || !v.Known() {
			continue
		}
		if v.Type() != d.Type {
			return fault.At(fault.InvalidArgument, place+name, "must be of type %s", d.Type)
		}
		if n := v.Int(); n > benefit.MaxAmount || n < -benefit.MaxAmount || utf8.RuneCountInString(v.String()) > maxText {
			return fault.At(fault.TooLarge, place+name, "is too large")
		}
	}
	return nil
}

// run is one evaluation.
type run struct {
	c     *compiled
	data  *benefit.Edition
	ed    *edition
	r     benefit.Request
	house *scope
	kids  []*scope
	month benefit.Value // the month asked for, as a text
	steps []benefit.Step
}

// scope holds the values that a rule sees. It is a CEL activation.
type scope struct {
	over    *scope // the household, for a child
	values  map[string]benefit.Value
	needs   map[string][]string // of names without a value: the facts they wait for
	day     civil.Date          // of birth
	birth   benefit.Value       // the same as a text
	unknown []*cel.AttributePatternType
}

// ResolveName gives CEL a value.
func (s *scope) ResolveName(name string) (any, bool) {
	if v := s.get(name); v.Known() {
		return v.Native(), true
	}
	return nil, false
}

// Parent is none: a child's scope looks into the household's itself.
func (s *scope) Parent() cel.Activation { return nil }

func (s *scope) get(name string) benefit.Value {
	if v, ok := s.values[name]; ok || s.over == nil {
		return v
	}
	return s.over.values[name]
}

func (s *scope) set(name string, v benefit.Value, needs []string) {
	s.values[name] = v
	if !v.Known() {
		s.needs[name] = needs
		s.unknown = append(s.unknown, cel.AttributePattern(name))
	}
}

func (s *scope) waitsFor(name string) []string {
	if needs, ok := s.needs[name]; ok || s.over == nil {
		return needs
	}
	return s.over.needs[name]
}

func newScope(over *scope) *scope {
	return &scope{over: over, values: map[string]benefit.Value{}, needs: map[string][]string{}}
}

func newRun(c *compiled, data *benefit.Edition, ed *edition, r benefit.Request) *run {
	x := &run{c: c, data: data, ed: ed, r: r, house: newScope(nil), month: benefit.Text(r.Month.String())}
	maps.Copy(x.house.values, benefit.HouseholdFacts(data, r))
	for _, id := range ed.params {
		row, _ := c.Parameter(id, r.Month)
		x.house.values["param."+id] = benefit.Int(row.Value)
	}
	x.told(x.house, benefit.Household, "", r.Facts)
	for i, child := range r.Children {
		s := newScope(x.house)
		s.day, s.birth = child.Birth, birthText(child.Birth)
		place := fmt.Sprintf("children[%d].", i)
		computed := benefit.ChildFacts(data, r, i)
		for _, f := range benefit.Computed {
			if f.Scope == benefit.PerChild && f.Name != "rank" {
				s.set(f.Name, computed[f.Name], []string{place + "birth"})
			}
		}
		x.told(s, benefit.PerChild, place, child.Facts)
		x.kids = append(x.kids, s)
	}
	return x
}

// told sets the facts that the edition needs from those that were given.
func (x *run) told(s *scope, of benefit.Scope, place string, given map[string]benefit.Value) {
	for _, d := range x.data.Facts {
		if d.Scope != of {
			continue
		}
		v, ok := given[d.Name]
		if !ok {
			v = d.Absent
		}
		s.set(d.Name, v, []string{place + d.Name})
	}
}

// group applies a group of rules to the household or to every child.
func (x *run) group(g []rule) error {
	if g[0].Scope == benefit.Household {
		return x.apply(x.house, g)
	}
	for _, s := range x.kids {
		if err := x.apply(s, g); err != nil {
			return err
		}
	}
	return nil
}

// apply finds the first rule whose condition holds, and records the step.
func (x *run) apply(s *scope, g []rule) error {
	var seen []string // the names that were looked at on the way
	for i := range g {
		r := &g[i]
		if r.when != nil {
			seen = append(seen, r.when.names...)
			holds, needs, err := x.eval(s, r, r.when)
			if err != nil {
				return err
			}
			if len(needs) > 0 {
				x.conclude(s, r, seen, benefit.Value{}, needs)
				return nil
			}
			if !holds.True() {
				continue
			}
		}
		v, needs, err := x.eval(s, r, r.value)
		if err != nil {
			return err
		}
		x.conclude(s, r, append(seen, r.value.names...), v, needs)
		return nil
	}
	return fmt.Errorf("cannot evaluate %s: no rule gives %s", x.c.ID, g[0].Gives)
}

// eval runs one expression. Needs is not empty when a fact is missing.
func (x *run) eval(s *scope, r *rule, e *expr) (v benefit.Value, needs []string, err error) {
	var vars any = s
	patterns := s.unknown
	if s.over != nil {
		patterns = slices.Concat(s.over.unknown, patterns)
	}
	if len(patterns) > 0 {
		if vars, err = cel.PartialVars(s, patterns...); err != nil {
			return v, nil, fmt.Errorf("cannot evaluate rule %s: %w", r.ID, err)
		}
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

// missing tells which facts an unknown result waits for.
func (s *scope) missing(u *types.Unknown) []string {
	var needs []string
	for _, id := range u.IDs() {
		trails, _ := u.GetAttributeTrails(id)
		for _, t := range trails {
			needs = append(needs, s.waitsFor(t.Variable())...)
		}
	}
	slices.Sort(needs)
	return slices.Compact(needs)
}

// conclude sets the group's value and writes its step.
func (x *run) conclude(s *scope, r *rule, names []string, v benefit.Value, needs []string) {
	s.set(r.Gives, v, needs)
	step := benefit.Step{Rule: r.ID, Version: x.data.Version, Article: r.Article, Result: v,
		Inputs: x.inputs(s, append(names, r.text.names()...), r.Gives), Parameters: x.rows(r.reads)}
	if len(needs) > 0 {
		step.Text = x.cannotTell(needs)
	} else {
		step.Text = x.say(r.text, s, v, r.Unit)
	}
	x.steps = append(x.steps, step)
}

func (x *run) rows(ids []string) []benefit.ParameterUse {
	var uses []benefit.ParameterUse
	for _, id := range ids {
		row, _ := x.c.Parameter(id, x.r.Month)
		uses = append(uses, benefit.ParameterUse{ID: id, From: row.From, Source: row.Source})
	}
	return uses
}

// inputs gives what a step looked at; of a child also which one it was.
func (x *run) inputs(s *scope, names []string, gives string) map[string]benefit.Value {
	in := map[string]benefit.Value{}
	if s.over != nil {
		in["child"], in["birth"] = s.get("child"), s.birth
	}
	for _, name := range names {
		if name != gives && name != "value" && name != "birth" && name != "month" {
			in[name] = s.get(name)
		}
	}
	return in
}

func birthText(d civil.Date) benefit.Value {
	if d.IsZero() {
		return benefit.Value{}
	}
	return benefit.Text(d.String())
}

// rank gives every child its place among those that count, the eldest first.
func (x *run) rank(over string) {
	next := int64(1)
	var waiting []string // facts of elder children that decide whether they count
	place := make([]benefit.Value, len(x.kids))
	needs := make([][]string, len(x.kids))
	for _, i := range benefit.BirthOrder(x.r.Children) {
		s := x.kids[i]
		switch v := s.get(over); {
		case !v.Known():
			waiting = append(waiting, s.waitsFor(over)...)
			needs[i] = waiting
		case !v.True():
			place[i] = benefit.Int(0)
		case len(waiting) > 0:
			needs[i] = waiting
		default:
			place[i] = benefit.Int(next)
			next++
		}
	}
	for i, s := range x.kids {
		s.set("rank", place[i], slices.Clone(needs[i]))
		step := benefit.Step{Rule: "rank", Version: x.data.Version, Article: x.data.Rank.Article, Result: place[i],
			Inputs: x.inputs(s, []string{over}, "rank")}
		switch {
		case !place[i].Known():
			step.Text = x.cannotTell(needs[i])
		case place[i].Int() == 0:
			continue // the step before says why it does not count
		default:
			step.Text = x.say(x.ed.rank, s, place[i], benefit.UnitNone)
		}
		x.steps = append(x.steps, step)
	}
}

// decision draws the amount and the outputs together.
func (x *run) decision() (benefit.Decision, error) {
	d := benefit.Decision{Benefit: x.c.ID, Month: x.r.Month, Version: x.data.Version, Steps: x.steps}
	var needs []string
	take := func(s *scope, name string) benefit.Value {
		v := s.get(name)
		if !v.Known() {
			needs = append(needs, s.waitsFor(name)...)
		}
		return v
	}
	amount, whole := int64(0), true
	if g, _ := x.data.Group(x.data.Amount); g.Scope == benefit.Household {
		v := take(x.house, x.data.Amount)
		amount, whole = v.Int(), v.Known()
	} else {
		d.PerChild = []benefit.ChildAmount{}
		for _, s := range x.kids {
			v := take(s, x.data.Amount)
			d.PerChild = append(d.PerChild, benefit.ChildAmount{Birth: s.day, Amount: v})
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
		d.Outputs = append(d.Outputs, benefit.Output{Name: o.Name, Value: take(x.house, o.Group)})
	}
	if whole {
		d.Amount = benefit.Int(amount)
	}
	slices.Sort(needs)
	d.Unknown = slices.Compact(needs)
	return d, nil
}

// say fills a text in the three languages.
func (x *run) say(t texts, s *scope, v benefit.Value, unit benefit.Unit) benefit.Words {
	fill := func(lang benefit.Language, t benefit.Template) string {
		return t.Fill(func(name string) string {
			switch name {
			case "value":
				return benefit.Say(lang, v, unit)
			case "month":
				return benefit.Say(lang, x.month, unit)
			case "birth":
				return benefit.Say(lang, s.birth, unit)
			}
			return benefit.Say(lang, s.get(name), x.ed.units[name])
		})
	}
	return benefit.Words{JA: fill(benefit.JA, t.ja), JAEasy: fill(benefit.JAEasy, t.jaEasy), EN: fill(benefit.EN, t.en)}
}

var birthLabel = benefit.Words{JA: "生年月日", JAEasy: "うまれた 日", EN: "the date of birth"}

// cannotTell says in words which facts are missing.
func (x *run) cannotTell(needs []string) benefit.Words {
	var ja, easy, en []string
	for _, need := range needs {
		w, ok := x.ed.labels[need[strings.LastIndex(need, ".")+1:]]
		if !ok {
			w = birthLabel
		}
		if !slices.Contains(ja, w.JA) {
			ja, easy, en = append(ja, w.JA), append(easy, w.JAEasy), append(en, w.EN)
		}
	}
	return benefit.Words{
		JA:     "まだ判断できません。必要なもの：" + strings.Join(ja, "、"),
		JAEasy: "まだ わかりません。これを おしえて ください：" + strings.Join(easy, "、"),
		EN:     "Cannot tell yet. Needed: " + strings.Join(en, ", "),
	}
}
