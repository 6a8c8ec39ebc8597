package benefit

import (
	"errors"
	"strconv"

	"madoguchi.example/shared/civil"
)

// Type is the type of a fact, a parameter or a rule's result. There is no floating type.
type Type string

// The types.
const (
	TypeInt  Type = "int"
	TypeBool Type = "bool"
	TypeText Type = "text"
)

// Value is one int64, bool or text. The zero value is "not known". It is comparable.
type Value struct {
	kind Type
	n    int64
	text string
}

// Int makes a number; amounts are yen.
func Int(n int64) Value { return Value{kind: TypeInt, n: n} }

// Bool makes a truth value.
func Bool(b bool) Value {
	if b {
		return Value{kind: TypeBool, n: 1}
	}
	return Value{kind: TypeBool}
}

// Text makes a word.
func Text(s string) Value { return Value{kind: TypeText, text: s} }

// Known tells whether v has a value.
func (v Value) Known() bool { return v.kind != "" }

// Type gives the type, empty when v is not known.
func (v Value) Type() Type { return v.kind }

// Int gives the number, 0 for another type.
func (v Value) Int() int64 {
	if v.kind != TypeInt {
		return 0
	}
	return v.n
}

// True tells whether v is the truth value true.
func (v Value) True() bool { return v.kind == TypeBool && v.n == 1 }

// Native gives v as int64, bool, string or nil.
func (v Value) Native() any {
	switch v.kind {
	case TypeInt:
		return v.n
	case TypeBool:
		return v.n == 1
	case TypeText:
		return v.text
	}
	return nil
}

// String gives v in plain digits or words, "" when not known.
func (v Value) String() string {
	switch v.kind {
	case TypeInt:
		return strconv.FormatInt(v.n, 10)
	case TypeBool:
		return strconv.FormatBool(v.n == 1)
	}
	return v.text
}

// Limits of one request. Beyond them the request is refused.
const (
	MaxChildren = 100
	MaxAmount   = 1_000_000_000_000 // yen; no fact may be larger in either direction
)

// Request asks what a household is entitled to for one month.
type Request struct {
	ID       string // the caller's own, given back
	Benefit  string
	Month    Month            // of entitlement: it picks the edition and the parameter rows
	AskedOn  civil.Date       // the day of asking, zero when only the month is known
	Facts    map[string]Value // of the household; a zero Value says that it is not known
	Children []Child          // in any order
}

// Child is one child of a request. A zero Birth says that it is not known.
type Child struct {
	Birth civil.Date
	Facts map[string]Value
}

// Decision is what the rules of one programme say about one request.
// While Unknown is not empty there is no amount: it cannot be told yet, and is no refusal.
type Decision struct {
	Benefit  string
	Month    Month
	Version  string        // of the edition that decided
	Amount   Value         // yen; not known while Unknown names what is missing
	PerChild []ChildAmount // as the children were given; nil where the benefit is not per child
	Outputs  []Output      // what else the edition tells
	Unknown  []string      // facts that are missing, such as "income" or "children[1].birth"
	Steps    []Step
}

// ChildAmount is one child's part of the amount.
type ChildAmount struct {
	Birth  civil.Date
	Amount Value
}

// Output is a named result besides the amount.
type Output struct {
	Name  string
	Value Value
}

// Step is one rule that was applied, with everything it rested on.
type Step struct {
	Rule       string
	Version    string
	Article    string
	Inputs     map[string]Value
	Parameters []ParameterUse // the row that the rule names first; then the others it read
	Result     Value          // not known when a fact is missing
	Text       Words
}

// ParameterUse names the dated row that a step read.
type ParameterUse struct {
	ID     string
	From   Month
	Source string
}

// Words is one text in the three languages.
type Words struct {
	JA     string `json:"ja" toml:"ja"`
	JAEasy string `json:"ja_easy" toml:"ja_easy"`
	EN     string `json:"en" toml:"en"`
}

// whole tells whether every language is there.
func (w Words) whole() bool { return w.JA != "" && w.JAEasy != "" && w.EN != "" }

// Errors of a request.
var (
	ErrNoProgram = errors.New("there is no such programme")
	ErrNoEdition = errors.New("no edition of the programme is in force in that month")
)
