package award

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

// oldestChild is the fiscal age up to which any benefit counts a child; older members of a
// household are not asked about.
const oldestChild = 22

// maxChildren is how many children of one household a notice can name: a letter tells of so
// many people, its payee among them.
const maxChildren = mailbox.MaxAbout - 1

// pass is what every family of one run is measured by.
type pass struct {
	run     Run
	program *benefit.Program
	edition *benefit.Edition
	today   civil.Date
}

// pass prepares the decisions of a run.
func (x *Office) pass(r Run) (pass, error) {
	p, err := x.Programs.Program(r.Benefit)
	if err != nil {
		return pass{}, fmt.Errorf("cannot decide %s: %w", r.Benefit, err)
	}
	e, ok := p.Edition(r.Month)
	if !ok {
		return pass{}, fmt.Errorf("cannot decide %s: %w", r.Benefit, benefit.ErrNoEdition)
	}
	return pass{run: r, program: p, edition: e, today: x.today()}, nil
}

// considered is what the rules say of one family, before anybody's claim is checked.
type considered struct {
	id       string // of the award to be, "" where nothing is due
	family   citizen.Family
	payee    *citizen.Relative // nil: nobody can be paid
	state    State             // "": nothing is due
	amount   int64
	decision Decision
	order    []identity.CitizenID // the children as the rules were given them
	troubles []Question
	rules    benefit.Decision
}

// consider decides one family. It never fails: what no rule can decide is a trouble.
func (x *Office) consider(p pass, f citizen.Family) considered {
	out := considered{family: f}
	children := out.children(p)
	if len(children) == 0 {
		return out
	}
	var why Step
	if out.payee, why = x.payee(p, f); out.payee == nil {
		out.trouble(NoParent, children[0])
		return out
	}
	facts, used := out.householdFacts(p)
	r := benefit.Request{ID: f.Household, Benefit: p.run.Benefit, Month: p.run.Month, Facts: facts}
	for _, c := range children {
		told, more := out.told(p, benefit.PerChild, c)
		used = append(append(used, birthOf(p, c)), more...)
		out.order = append(out.order, c.Resident.ID)
		r.Children = append(r.Children, benefit.Child{Birth: c.Resident.BirthDate.Date, Facts: told})
	}
	d, err := x.Programs.Decide(r)
	if err != nil || len(children) > maxChildren {
		out.trouble(NotEvaluated, out.payee)
		return out
	}
	out.decision = Decision{Version: d.Version, Facts: used, Steps: []Step{why}, Unknown: d.Unknown}
	out.conclude(p, d, children)
	out.rules = d
	return out
}

// explain adds the steps in words. They are not asked for where nothing is told to anybody.
func (x *Office) explain(c *considered) error {
	if c.state == "" {
		return nil
	}
	if err := x.Programs.Explain(&c.rules); err != nil {
		return err
	}
	c.decision.Steps = append(c.decision.Steps, steps(c.rules.Steps)...)
	return nil
}

func (c *considered) trouble(t Trouble, of *citizen.Relative) {
	c.troubles = append(c.troubles, Question{Citizen: of.Resident.ID, Household: c.family.Household, Trouble: t})
}

// children gives the living children of the household whom the month may concern. None are
// given when one is gone and the others' birth order rests on it: a person looks.
func (c *considered) children(p pass) []*citizen.Relative {
	month := p.edition.Reference(p.run.Month)
	first := civil.Date{Year: month.Year, Month: month.Month, Day: 1}
	var out []*citizen.Relative
	gone := false
	for i := range c.family.Members {
		m := &c.family.Members[i]
		born := m.Resident.BirthDate.Date
		switch {
		case m.Relation != citizen.Child:
			c.stray(p, m)
		case benefit.FiscalAge(born, month) > oldestChild:
		case born.After(p.today):
			c.trouble(NotBorn, m)
		case !p.edition.FutureBirths && born.After(p.run.Month.Last()):
			c.trouble(BornLater, m)
		case m.Lives(p.today) && cameAfter(m, month.Last()):
			c.trouble(MovedIn, m)
			gone = true
		case m.Lives(p.today):
			out = append(out, m)
		case m.Lives(first) || born.After(first):
			c.trouble(ChildGone, m)
			gone = true
		}
	}
	if gone && p.edition.Rank.Over != "" {
		return nil
	}
	return out
}

// cameAfter tells whether the person came from elsewhere after the day.
func cameAfter(m *citizen.Relative, day civil.Date) bool {
	return slices.ContainsFunc(m.Moves, func(v citizen.Move) bool { return v.Kind == citizen.MoveIn && v.On.After(day) })
}

// stray notes a minor who is nobody's child in the household.
func (c *considered) stray(p pass, m *citizen.Relative) {
	if m.Relation != citizen.Head && m.Relation != citizen.Spouse && m.Lives(p.today) && m.Resident.BirthDate.AgeOn(p.today) < citizen.AdultAge {
		c.trouble(RelationOpen, m)
	}
}

// householdFacts gives what is known of the payee: the income of the counting year, and
// what a file told.
func (c *considered) householdFacts(p pass) (map[string]benefit.Value, []Fact) {
	facts, used := c.told(p, benefit.Household, c.payee)
	income, ok := incomeOf(c.payee, p.incomeYear())
	if !ok {
		return facts, used
	}
	for name, n := range map[string]int64{"income": income.IncomeYen, "dependants": income.Dependants} {
		d, ok := declared(p.edition, name, benefit.Household)
		if _, there := facts[name]; !ok || there {
			continue
		}
		facts[name] = benefit.Int(n)
		used = append(used, Fact{Name: name, Label: d.Label, Of: c.payee.Resident.ID, Value: strconv.FormatInt(n, 10),
			Source: sourceTax, AsOf: civil.Date{Year: int(income.TaxYear), Month: 12, Day: 31}})
	}
	slices.SortFunc(used, func(a, b Fact) int { return strings.Compare(a.Name, b.Name) })
	return facts, used
}

// The registers that facts come from, as officers and families read them.
const (
	sourceResidents = "住民基本台帳"
	sourceTax       = "市町村民税課税台帳"
)

func (p pass) incomeYear() int {
	return benefit.IncomeYear(p.edition.Reference(p.run.Month), p.edition.IncomeYearStarts)
}

func incomeOf(m *citizen.Relative, year int) (citizen.Income, bool) {
	i := slices.IndexFunc(m.Incomes, func(v citizen.Income) bool { return v.TaxYear == int64(year) })
	if i < 0 {
		return citizen.Income{}, false
	}
	return m.Incomes[i], true
}

func declared(e *benefit.Edition, name string, s benefit.Scope) (benefit.FactDecl, bool) {
	i := slices.IndexFunc(e.Facts, func(d benefit.FactDecl) bool { return d.Name == name && d.Scope == s })
	if i < 0 {
		return benefit.FactDecl{}, false
	}
	return e.Facts[i], true
}

// told gives the facts of a person that the edition asks for in a scope. One that is not of
// the type that the rule needs is not known, and a trouble.
func (c *considered) told(p pass, s benefit.Scope, m *citizen.Relative) (map[string]benefit.Value, []Fact) {
	values := map[string]benefit.Value{}
	var used []Fact
	for _, t := range m.Facts {
		d, ok := declared(p.edition, t.Fact, s)
		if !ok {
			continue
		}
		v, err := benefit.ParseValue(d.Type, t.Value)
		values[t.Fact] = v
		if err != nil {
			c.trouble(FactUnreadable, m)
			continue
		}
		used = append(used, Fact{Name: t.Fact, Label: d.Label, Of: m.Resident.ID, Value: v.String(), Source: t.Source, AsOf: t.Since})
	}
	return values, used
}

var birthLabel = benefit.Words{JA: "生年月日", JAEasy: "うまれた 日", EN: "the date of birth"}

func birthOf(p pass, c *citizen.Relative) Fact {
	return Fact{Name: "birth", Label: birthLabel, Of: c.Resident.ID, Value: c.Resident.BirthDate.Date.String(), Source: sourceResidents, AsOf: p.today}
}

// conclude turns the rules' answer into the family's: lines, needs and state.
func (c *considered) conclude(p pass, d benefit.Decision, children []*citizen.Relative) {
	if d.Amount.Known() && d.Amount.Int() == 0 {
		return
	}
	for i, part := range d.PerChild {
		if part.Amount.Int() == 0 && part.Amount.Known() {
			continue
		}
		c.line(children[i].Resident.ID, children[i].Resident.BirthDate.Date, part.Amount, len(d.Unknown) > 0)
	}
	if d.PerChild == nil {
		// the eldest child stands for the household, because the payee may be another next time
		c.line(children[0].Resident.ID, civil.Date{}, d.Amount, len(d.Unknown) > 0)
	}
	switch {
	case len(d.Unknown) > 0:
		c.state, c.decision.Needs = OpenQuestion, needs(p.edition, d.Unknown)
		return
	case p.program.Procedure != benefit.OptOut || output(d, "application") == "required":
		c.state = MustApply
	default:
		c.state = Noticed
	}
	c.amount = d.Amount.Int()
}

func (c *considered) line(id identity.CitizenID, birth civil.Date, amount benefit.Value, unknown bool) {
	l := Line{Citizen: id, Birth: birth, Amount: amount.Int()}
	if unknown {
		l.Amount = unknownAmount
	}
	c.decision.Lines = append(c.decision.Lines, l)
}

func output(d benefit.Decision, name string) string {
	for _, o := range d.Outputs {
		if o.Name == name {
			return o.Value.String()
		}
	}
	return ""
}

// keep leaves the lines for which mine is true, and the steps of the other children's
// amounts out.
func (c *considered) keep(e *benefit.Edition, mine func(Line) bool) {
	c.decision.Lines = slices.DeleteFunc(c.decision.Lines, func(l Line) bool { return !mine(l) })
	c.amount = 0
	kept := map[string]bool{}
	for _, l := range c.decision.Lines {
		c.amount += max(l.Amount, 0)
		kept[strconv.Itoa(slices.Index(c.order, l.Citizen)+1)] = true
	}
	c.decision.Steps = slices.DeleteFunc(c.decision.Steps, func(s Step) bool {
		child, of := s.Inputs["child"]
		return of && !kept[child] && gives(e, s.Rule) == e.Amount
	})
}

func gives(e *benefit.Edition, rule string) string {
	for _, r := range e.Rules {
		if r.ID == rule {
			return r.Gives
		}
	}
	return ""
}

// asks names what the family is asked, the same for the same question.
func (c *considered) asks() string {
	return string(c.state) + ":" + strings.Join(slices.Sorted(slices.Values(c.decision.Unknown)), ",")
}

// people lists everybody of the family: all of them were read.
func (c *considered) people() []identity.CitizenID {
	out := make([]identity.CitizenID, len(c.family.Members))
	for i, m := range c.family.Members {
		out[i] = m.Resident.ID
	}
	return out
}

func (c *considered) beneficiaries() []identity.CitizenID {
	out := make([]identity.CitizenID, len(c.decision.Lines))
	for i, l := range c.decision.Lines {
		out[i] = l.Citizen
	}
	return out
}
