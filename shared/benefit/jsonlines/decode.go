// Package jsonlines promises the line form of `madoguchi-backend benefit evaluate`: one JSON
// object a line in, one a line out, in the vocabulary of the published benefit cases.
//
// A line holds either inputs for a month (children with their births, and facts of the
// household by name) or a household's members on a day. A fact that is null is not known.
// What cannot be understood is refused with its place; no value is repeated.
package jsonlines

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
)

// MaxLine is the largest line in bytes.
const MaxLine = 1 << 20

// Question is one line, understood.
type Question struct {
	benefit.Request
	Household   bool       // the line told a household's members, not inputs
	Event       civil.Date // of a start month
	Application civil.Date
}

var (
	monthForm  = []string{"id", "benefit", "month", "asked_on", "inputs", "expect", "note"}
	memberForm = []string{"id", "benefit", "date", "members", "given", "dependants_implied", "source", "source_index", "name",
		"household", "expect", "law_expect", "flags"}
)

// Decode reads one line. What was understood before a fault is given with the error, so
// that the answer can name the line's id.
func Decode(line []byte) (Question, error) {
	var q Question
	if len(line) > MaxLine {
		return q, fault.New(fault.TooLarge, "the line is too long")
	}
	o, err := parse(line)
	if err != nil {
		return q, err
	}
	for _, f := range []struct {
		name string
		into *string
	}{{"id", &q.ID}, {"benefit", &q.Benefit}} {
		if *f.into, err = text(o, f.name); err != nil {
			return q, err
		}
	}
	if _, ok := o["members"]; ok {
		q.Household = true
		return q, q.members(o)
	}
	return q, q.inputs(o)
}

func text(o object, name string) (string, error) {
	s, ok := o[name].(string)
	if !ok || len(s) > 200 {
		return "", fault.At(fault.InvalidArgument, name, "must be a text of at most 200 bytes")
	}
	return s, nil
}

func onlyKnown(o object, known []string) error {
	for name := range o {
		if !slices.Contains(known, name) {
			return fault.New(fault.InvalidArgument, "there is a member that no form of a line has")
		}
	}
	return nil
}

func day(v any, place string) (civil.Date, error) {
	s, _ := v.(string)
	d, err := civil.Parse(s)
	if err != nil {
		return d, fault.At(fault.InvalidArgument, place, "must be a day written YYYY-MM-DD")
	}
	return d, nil
}

// inputs reads the form that is asked for a month.
func (q *Question) inputs(o object) error {
	if err := onlyKnown(o, monthForm); err != nil {
		return err
	}
	s, err := text(o, "month")
	if err != nil {
		return err
	}
	if q.Month, err = benefit.ParseMonth(s); err != nil {
		return fault.At(fault.InvalidArgument, "month", "must be a month written YYYY-MM")
	}
	if v, ok := o["asked_on"]; ok {
		if q.AskedOn, err = day(v, "asked_on"); err != nil {
			return err
		}
	}
	in, ok := o["inputs"].(object)
	if !ok {
		return fault.At(fault.InvalidArgument, "inputs", "must be an object")
	}
	for name, into := range map[string]*civil.Date{"event": &q.Event, "application": &q.Application} {
		if v, ok := in[name].(string); ok {
			if *into, err = day(v, "inputs."+name); err != nil {
				return err
			}
		}
	}
	if err := q.children(in["children"]); err != nil {
		return err
	}
	q.Facts, err = facts(in, "inputs.", "children")
	return err
}

// children reads a list of births, or of objects with a birth and facts.
func (q *Question) children(v any) error {
	if v == nil {
		return nil
	}
	list, ok := v.([]any)
	if !ok || len(list) > benefit.MaxChildren {
		return fault.At(fault.InvalidArgument, "inputs.children", "must be a list of at most %d", benefit.MaxChildren)
	}
	for i, v := range list {
		place := fmt.Sprintf("inputs.children[%d]", i)
		if o, ok := v.(object); ok {
			if err := q.child(o, place, nil); err != nil {
				return err
			}
			continue
		}
		birth, err := day(v, place)
		if err != nil {
			return err
		}
		q.Children = append(q.Children, benefit.Child{Birth: birth})
	}
	return nil
}

func (q *Question) child(o object, place string, more map[string]benefit.Value) error {
	var c benefit.Child
	var err error
	if v := o["birth"]; v != nil {
		if c.Birth, err = day(v, place+".birth"); err != nil {
			return err
		}
	}
	if c.Facts, err = facts(o, place+".", "birth"); err != nil {
		return err
	}
	for name, v := range more {
		if _, told := c.Facts[name]; !told {
			c.Facts[name] = v
		}
	}
	q.Children = append(q.Children, c)
	return nil
}

// nameForm keeps what somebody typed as a name out of the messages.
var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

func facts(o object, place string, except string) (map[string]benefit.Value, error) {
	out := map[string]benefit.Value{}
	for name, v := range o {
		if name == except {
			continue
		}
		if !nameForm.MatchString(name) {
			return nil, fault.At(fault.InvalidArgument, strings.TrimSuffix(place, "."), "holds a name that no fact can have")
		}
		f, err := scalar(v, place+name)
		if err != nil {
			return nil, err
		}
		out[name] = f
	}
	return out, nil
}

// members reads the form that tells a household on a day. Its children past the
// senior-high years are taken as cost-confirmed; its income is after deductions.
func (q *Question) members(o object) error {
	if err := onlyKnown(o, memberForm); err != nil {
		return err
	}
	var err error
	if q.AskedOn, err = day(o["date"], "date"); err != nil {
		return err
	}
	q.Month = benefit.MonthOf(q.AskedOn)
	list, ok := o["members"].([]any)
	if !ok || len(list) > benefit.MaxChildren {
		return fault.At(fault.InvalidArgument, "members", "must be a list of at most %d", benefit.MaxChildren)
	}
	for i, v := range list {
		place := fmt.Sprintf("members[%d]", i)
		m, ok := v.(object)
		if !ok {
			return fault.At(fault.InvalidArgument, place, "must be an object")
		}
		switch m["role"] {
		case "child":
			if err := q.child(m, place, map[string]benefit.Value{"cost_confirmed": benefit.Bool(true)}); err != nil {
				return err
			}
		case "parent", "grandparent":
		default:
			return fault.At(fault.InvalidArgument, place+".role", "is none of parent, child, grandparent")
		}
	}
	return q.given(o)
}

func (q *Question) given(o object) error {
	given, ok := o["given"].(object)
	if o["given"] != nil && !ok {
		return fault.At(fault.InvalidArgument, "given", "must be an object")
	}
	var err error
	if q.Facts, err = facts(given, "given.", ""); err != nil {
		return err
	}
	if v, ok := q.Facts["income_after_deductions"]; ok {
		q.Facts["income"] = v
	}
	if v, ok := o["dependants_implied"]; ok {
		q.Facts["dependants"], err = scalar(v, "dependants_implied")
	}
	return err
}
