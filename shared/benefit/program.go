// Package benefit promises programmes as data: what a benefit is called, what it rests on,
// which facts it needs, its dated parameter rows, its rules and its calendar, read from a
// directory of files and refused with file and line when anything in it does not hold.
//
// It computes the facts that rules stand on (legal ages, fiscal years, months of
// entitlement, birth order, the year whose income counts). Amounts are int64 yen; there is
// no floating-point number. The package evaluates nothing: that is benefit/rule. Everything
// here is pure; a loaded Program is never changed and may be shared by goroutines.
package benefit

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"madoguchi.example/shared/civil"
)

// Procedure says what a household has to do, and whether its silence may mean yes.
type Procedure string

// The kinds of procedure.
const (
	Application Procedure = "application" // nothing is paid before somebody applies
	OptOut      Procedure = "opt_out"     // paid unless refused in time, after proven delivery of the notice
)

// Scope says of whom a fact or rule speaks.
type Scope string

// The scopes.
const (
	Household Scope = "household"
	PerChild  Scope = "child"
)

// Unit says how a number is written for people.
type Unit string

// The units.
const (
	UnitNone Unit = ""
	UnitYen  Unit = "yen"
)

// Program is one benefit with all its editions.
type Program struct {
	ID         string
	Name       Words
	Basis      string // the law or budget it rests on
	Procedure  Procedure
	Deadlines  []Deadline
	Parameters map[string][]Parameter // rows of one id in order, without gap or overlap
	Editions   []Edition              // in order, without gap or overlap
}

// Deadline is a last day, fixed or counted from an event.
type Deadline struct {
	ID          string
	Article     string
	On          civil.Date // fixed, or zero
	After       string     // the event it counts from, such as "notice_delivered"
	Days        int
	MonthsAfter int
	Text        Words
}

// Parameter is one dated row.
type Parameter struct {
	ID     string
	From   Month
	To     Month // included; zero is open
	Value  int64
	Unit   Unit
	Source string
	Place  Place
}

// Edition is the rules of a programme while they stay the same.
type Edition struct {
	Version          string
	From, To         Month // included; a zero To is open
	ReferenceMonth   Month // facts are those of this month; zero: of the month asked for
	FutureBirths     bool  // children born after the month asked for are part of the rule
	IncomeYearStarts time.Month
	Facts            []FactDecl
	Rules            []Rule
	Rank             Rank
	Amount           string // the group of rules that gives the amount
	Outputs          []OutputDecl
	Payment          Payment
	Start            Start
	Place            Place
}

// Reference gives the month whose facts count when m is asked for.
func (e *Edition) Reference(m Month) Month {
	if e.ReferenceMonth.IsZero() {
		return m
	}
	return e.ReferenceMonth
}

// FactDecl is a fact that somebody has to tell, or that Go computes.
type FactDecl struct {
	Name   string
	Scope  Scope
	Type   Type
	Unit   Unit
	Absent Value // what an absent fact means; not known: it has to be asked for
	Label  Words
	Place  Place
}

// Rule is one condition with its result. Rules that give the same name form a group, and
// the first whose condition holds gives the group's value.
type Rule struct {
	ID        string
	Gives     string
	Scope     Scope
	Type      Type
	Unit      Unit
	Article   string
	Parameter string // the row a step names first; empty: the first that is read
	When      Expr   // empty: always
	Value     Expr
	Text      Words // a template with {names}
	Place     Place
}

// Expr is a CEL expression and where it stands.
type Expr struct {
	Source string
	Place  Place
}

// Rank says which children have a place in the birth order.
type Rank struct {
	Over    string // the group of rules that says who counts; empty: there is no birth order
	Article string
	Text    Words
	Place   Place
}

// OutputDecl names a result besides the amount and the group of rules that gives it.
type OutputDecl struct {
	Name, Group string
	Place       Place
}

// Payment says when an entitlement is paid: in the first paying month after it, or once.
type Payment struct {
	Months  []time.Month
	Once    Month
	Article string
	Text    Words
	Place   Place
}

// Start says how an application becomes a first month.
type Start struct {
	GraceDays int
	Article   string
	Text      Words // empty: the programme has no such rule
	Place     Place
}

// Edition gives the edition in force in m.
func (p *Program) Edition(m Month) (*Edition, bool) {
	for i := range p.Editions {
		if e := &p.Editions[i]; inForce(m, e.From, e.To) {
			return e, true
		}
	}
	return nil, false
}

// Parameter gives the row of id in force in m.
func (p *Program) Parameter(id string, m Month) (Parameter, bool) {
	for _, row := range p.Parameters[id] {
		if inForce(m, row.From, row.To) {
			return row, true
		}
	}
	return Parameter{}, false
}

// Covers tells whether the rows of id are in force in every month from from to to.
func (p *Program) Covers(id string, from, to Month) bool {
	rows := p.Parameters[id]
	if len(rows) == 0 || from.Before(rows[0].From) {
		return false
	}
	last := rows[len(rows)-1].To
	return last.IsZero() || !to.IsZero() && !last.Before(to)
}

// Place is where something stands in a programme's files.
type Place struct {
	File string // relative to the folder of programmes
	Line int    // from 1; 0: the file as a whole
}

// String gives "file:line".
func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Fault is one thing that is wrong in a programme's files.
type Fault struct {
	Place
	Message string
}

// Error gives "file:line: message".
func (f *Fault) Error() string { return f.Place.String() + ": " + f.Message }

// Faultf makes a Fault at the place.
func Faultf(at Place, format string, args ...any) *Fault {
	return &Fault{Place: at, Message: fmt.Sprintf(format, args...)}
}

// Join makes one error of faults, in the order of their files and lines.
func Join(faults []*Fault) error {
	slices.SortStableFunc(faults, func(a, b *Fault) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	var all []error
	for _, f := range faults {
		all = append(all, f)
	}
	return errors.Join(all...)
}
