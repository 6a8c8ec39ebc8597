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
	text string
	n    int64
	kind kind
}

type kind uint8

const (
	isInt kind = iota + 1
	isBool
	isText
)

var types = [...]Type{isInt: TypeInt, isBool: TypeBool, isText: TypeText}

// Int makes a number; amounts are yen.
func Int(n int64) Value { return Value{kind: isInt, n: n} }

// Bool makes a truth value.
func Bool(b bool) Value {
	if b {
		return Value{kind: isBool, n: 1}
	}
	return Value{kind: isBool}
}

// Text makes a word.
func Text(s string) Value { return Value{kind: isText, text: s} }

// Day makes the text of a day, YYYY-MM-DD.
func Day(d civil.Date) Value {
	b := appendDigits(make([]byte, 0, len("2006-01-02")), d.Year, 4)
	b = appendDigits(append(b, '-'), int(d.Month), 2)
	return Text(string(appendDigits(append(b, '-'), d.Day, 2)))
}

// Known tells whether v has a value.
func (v Value) Known() bool { return v.kind != 0 }

// Type gives the type, empty when v is not known.
func (v Value) Type() Type { return types[v.kind] }

// Int gives the number, 0 for another type.
func (v Value) Int() int64 {
	if v.kind != isInt {
		return 0
	}
	return v.n
}

// True tells whether v is the truth value true.
func (v Value) True() bool { return v.kind == isBool && v.n == 1 }

// Text gives the word, "" for another type.
func (v Value) Text() string { return v.text }

// Native gives v as int64, bool, string or nil.
func (v Value) Native() any {
	switch v.kind {
	case isInt:
		return v.n
	case isBool:
		return v.n == 1
	case isText:
		return v.text
	}
	return nil
}

// String gives v in plain digits or words, "" when not known.
func (v Value) String() string {
	switch v.kind {
	case isInt:
		return strconv.FormatInt(v.n, 10)
	case isBool:
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

// Step is one rule that was applied, with everything it rested on. Decisions share
// Parameters: nobody may change them.
type Step struct {
	Rule       string
	Version    string
	Article    string
	Inputs     Inputs
	Parameters []ParameterUse // the row that the rule names first; then the others it read
	Result     Value          // not known while Needs is not empty
	Needs      []string       // the facts that the rule waits for
	Text       Words          // empty where the texts were not asked for
}

// Inputs are the values that a step looked at, sorted by name; one that is not known was
// missing. Of a child they hold its place and its birth, whatever was looked at.
type Inputs []Input

// Input is one value that a step looked at.
type Input struct {
	Name  string
	Value Value
}

// Get gives the value of name; it is not known when the step did not look at it.
func (in Inputs) Get(name string) Value {
	for i := range in {
		if in[i].Name == name {
			return in[i].Value
		}
	}
	return Value{}
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
