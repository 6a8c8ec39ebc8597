package benefit

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

type editionFile struct {
	Version          string      `toml:"version"`
	From             string      `toml:"valid_from"`
	To               string      `toml:"valid_to"`
	ReferenceMonth   string      `toml:"reference_month"`
	FutureBirths     bool        `toml:"future_births"`
	IncomeYearStarts int         `toml:"income_year_starts"`
	Amount           string      `toml:"amount"`
	Facts            []factFile  `toml:"fact"`
	Rules            []ruleFile  `toml:"rule"`
	Rank             rankFile    `toml:"rank"`
	Outputs          []outFile   `toml:"output"`
	Payment          paymentFile `toml:"payment"`
	Start            startFile   `toml:"start"`
}

type factFile struct {
	Name   string  `toml:"name"`
	Scope  string  `toml:"scope"`
	Type   string  `toml:"type"`
	Unit   string  `toml:"unit"`
	Absent *string `toml:"absent"`
	Label  Words   `toml:"label"`
}

type ruleFile struct {
	ID        string `toml:"id"`
	Gives     string `toml:"gives"`
	Scope     string `toml:"scope"`
	Type      string `toml:"type"`
	Unit      string `toml:"unit"`
	Article   string `toml:"article"`
	Parameter string `toml:"parameter"`
	When      string `toml:"when"`
	Value     string `toml:"value"`
	Text      Words  `toml:"text"`
}

type rankFile struct {
	Over    string `toml:"over"`
	Article string `toml:"article"`
	Text    Words  `toml:"text"`
}

type outFile struct {
	Name string `toml:"name"`
	From string `toml:"from"`
}

type paymentFile struct {
	Months  []int  `toml:"months"`
	Once    string `toml:"once"`
	Article string `toml:"article"`
	Text    Words  `toml:"text"`
}

type startFile struct {
	GraceDays int    `toml:"grace_days"`
	Article   string `toml:"article"`
	Text      Words  `toml:"text"`
}

func (l *loader) readEdition(p *Program, name string) {
	var f editionFile
	x, ok := l.decode(name, &f)
	if !ok {
		return
	}
	e := Edition{Version: f.Version, FutureBirths: f.FutureBirths, IncomeYearStarts: time.Month(f.IncomeYearStarts),
		Amount: f.Amount, Place: x.at("", "valid_from")}
	e.From, e.To = l.span(x, "", f.From, f.To)
	if f.ReferenceMonth != "" {
		e.ReferenceMonth = l.month(x.at("", "reference_month"), f.ReferenceMonth)
	}
	if f.Version == "" {
		l.fault(x.at("", "version"), "the version is missing")
	}
	if f.IncomeYearStarts == 0 {
		e.IncomeYearStarts = time.January
	} else if f.IncomeYearStarts < 1 || f.IncomeYearStarts > 12 {
		l.fault(x.at("", "income_year_starts"), "a month is 1 to 12")
	}
	e.Facts = l.facts(x, f.Facts)
	e.Rules = l.rules(x, f.Rules)
	l.rest(x, f, &e)
	l.groups(x, &e)
	p.Editions = append(p.Editions, e)
}

// rest reads the birth order, the other outputs and the calendar.
func (l *loader) rest(x index, f editionFile, e *Edition) {
	e.Rank = Rank{Over: f.Rank.Over, Article: f.Rank.Article, Text: f.Rank.Text, Place: x.at("rank", "")}
	if e.Rank.Over != "" && !e.Rank.Text.whole() {
		l.fault(e.Rank.Place, "the birth order has no text in ja, ja_easy and en")
	}
	for i, o := range f.Outputs {
		e.Outputs = append(e.Outputs, OutputDecl{Name: o.Name, Group: o.From, Place: x.at(fmt.Sprintf("output[%d]", i), "")})
		if !nameForm.MatchString(o.Name) || o.Name == "amount" || o.Name == "per_child" {
			l.fault(x.at(fmt.Sprintf("output[%d]", i), "name"), "that is no name for an output")
		}
	}
	e.Payment = Payment{Article: f.Payment.Article, Text: f.Payment.Text, Place: x.at("payment", "")}
	e.Payment.Months = l.months(x.at("payment", "months"), f.Payment.Months)
	if f.Payment.Once != "" {
		e.Payment.Once = l.month(x.at("payment", "once"), f.Payment.Once)
	}
	if len(e.Payment.Months) == 0 == e.Payment.Once.IsZero() || !e.Payment.Text.whole() {
		l.fault(e.Payment.Place, "the payment needs either months or once, and its text in ja, ja_easy and en")
	}
	e.Start = Start{GraceDays: f.Start.GraceDays, Article: f.Start.Article, Text: f.Start.Text, Place: x.at("start", "")}
	if f.Start != (startFile{}) && (!e.Start.Text.whole() || e.Start.GraceDays < 0 || e.Start.GraceDays > maxDays) {
		l.fault(e.Start.Place, "the start needs its days of grace and its text in ja, ja_easy and en")
	}
}

func (l *loader) facts(x index, in []factFile) []FactDecl {
	var out []FactDecl
	seen := map[string]bool{}
	for i, f := range in {
		table := fmt.Sprintf("fact[%d]", i)
		d := FactDecl{Name: f.Name, Scope: Scope(f.Scope), Type: Type(f.Type), Unit: Unit(f.Unit), Label: f.Label, Place: x.at(table, "")}
		switch {
		case computed(f.Name):
			l.fault(x.at(table, "name"), "fact %s has the name of a fact that is computed", f.Name)
		case !nameForm.MatchString(f.Name) || seen[f.Name]:
			l.fault(x.at(table, "name"), "the fact's name is taken or not of a-z, 0-9 and _")
		}
		seen[f.Name] = true
		l.kind(x, table, d.Scope, d.Type)
		if !d.Label.whole() {
			l.fault(d.Place, "fact %s has no label in ja, ja_easy and en", f.Name)
		}
		if f.Absent != nil {
			v, err := ParseValue(d.Type, *f.Absent)
			if err != nil {
				l.fault(x.at(table, "absent"), "%v", err)
			}
			d.Absent = v
		}
		out = append(out, d)
	}
	return out
}

// computed tells whether a name belongs to what is computed, texts and parameters included.
func computed(name string) bool {
	return name == "birth" || name == "param" || name == "value" || slices.ContainsFunc(Computed, func(f FactDecl) bool { return f.Name == name })
}

func (l *loader) kind(x index, table string, s Scope, t Type) {
	if s != Household && s != PerChild {
		l.fault(x.at(table, "scope"), "the scope is neither %s nor %s", Household, PerChild)
	}
	if t != TypeInt && t != TypeBool && t != TypeText {
		l.fault(x.at(table, "type"), "the type is none of %s, %s, %s", TypeInt, TypeBool, TypeText)
	}
}

// ParseValue reads the plain text of a value.
func ParseValue(t Type, s string) (Value, error) {
	switch t {
	case TypeInt:
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n > MaxAmount || n < -MaxAmount {
			return Value{}, fmt.Errorf("not a whole number of at most %d", int64(MaxAmount))
		}
		return Int(n), nil
	case TypeBool:
		if s != "true" && s != "false" {
			return Value{}, fmt.Errorf("neither true nor false")
		}
		return Bool(s == "true"), nil
	}
	return Text(s), nil
}

// ownRules are the ids of the steps that no rule of an edition writes.
var ownRules = []string{"rank", "payment_month", "start_month"}

func (l *loader) rules(x index, in []ruleFile) []Rule {
	var out []Rule
	seen := map[string]bool{}
	for i, f := range in {
		table := fmt.Sprintf("rule[%d]", i)
		r := Rule{ID: f.ID, Gives: f.Gives, Scope: Scope(f.Scope), Type: Type(f.Type), Unit: Unit(f.Unit), Article: f.Article,
			Parameter: f.Parameter, Text: f.Text, Place: x.at(table, "")}
		r.When, r.Value = Expr{f.When, x.at(table, "when")}, Expr{f.Value, x.at(table, "value")}
		if !nameForm.MatchString(f.ID) || !nameForm.MatchString(f.Gives) || seen[f.ID] || slices.Contains(ownRules, f.ID) {
			l.fault(x.at(table, "id"), "a rule needs an id of its own, and the name of what it gives")
		}
		seen[f.ID] = true
		l.kind(x, table, r.Scope, r.Type)
		if f.Value == "" || f.Article == "" || !f.Text.whole() {
			l.fault(r.Place, "rule %s needs a value, an article, and its text in ja, ja_easy and en", f.ID)
		}
		out = append(out, r)
	}
	return out
}

// groups checks that the rules of a group stand together and end with one that always
// holds, and that the names the edition rests on exist.
func (l *loader) groups(x index, e *Edition) {
	taken := map[string]bool{}
	for _, f := range e.Facts {
		taken[f.Name] = true
	}
	for i, r := range e.Rules {
		first := i == 0 || e.Rules[i-1].Gives != r.Gives
		last := i == len(e.Rules)-1 || e.Rules[i+1].Gives != r.Gives
		if first && (taken[r.Gives] || computed(r.Gives)) {
			l.fault(r.Place, "%s is the name of something else, or its rules do not stand together", r.Gives)
		}
		taken[r.Gives] = true
		if !first && (e.Rules[i-1].Scope != r.Scope || e.Rules[i-1].Type != r.Type) {
			l.fault(r.Place, "the rules that give %s differ in scope or type", r.Gives)
		}
		if last != (r.When.Source == "") {
			l.fault(r.Place, "the last rule that gives %s, and no other, holds always: it has no when", r.Gives)
		}
	}
	if g, ok := e.Group(e.Amount); !ok || g.Type != TypeInt {
		l.fault(x.at("", "amount"), "no rules give the amount as an int")
	}
	if g, ok := e.Group(e.Rank.Over); e.Rank.Over != "" && (!ok || g.Type != TypeBool || g.Scope != PerChild) {
		l.fault(e.Rank.Place, "no rules tell of each child whether it counts")
	}
	for _, o := range e.Outputs {
		if g, ok := e.Group(o.Group); !ok || g.Scope != Household {
			l.fault(o.Place, "no rules of the household give that output")
		}
	}
}

// Group gives the first of the rules that give name.
func (e *Edition) Group(name string) (Rule, bool) {
	i := slices.IndexFunc(e.Rules, func(r Rule) bool { return r.Gives == name })
	if i < 0 {
		return Rule{}, false
	}
	return e.Rules[i], true
}
