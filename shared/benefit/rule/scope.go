package rule

import (
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"madoguchi.example/shared/benefit"
)

// slot is where a name's value stands. Names are turned into slots when an edition is
// compiled, so that an evaluation looks nothing up by name.
type slot struct {
	of owner
	at int
}

// owner is whose values a slot is in.
type owner uint8

const (
	ofParameters owner = iota
	ofHousehold
	ofChild
	owners
)

func ownerOf(s benefit.Scope) owner {
	if s == benefit.PerChild {
		return ofChild
	}
	return ofHousehold
}

// scope holds the values that a rule sees: of the household, or of a child and its
// household. It is a CEL activation.
type scope struct {
	ed    *edition
	over  *scope // the household, for a child
	vals  [owners][]benefit.Value
	waits []waiting
}

// waiting is a name without a value, and the facts it waits for.
type waiting struct {
	at    slot
	needs []string
}

func (s *scope) get(at slot) benefit.Value { return s.vals[at.of][at.at] }

func (s *scope) set(at slot, v benefit.Value) { s.vals[at.of][at.at] = v }

// wait tells that the slot's value waits for facts.
func (s *scope) wait(at slot, needs ...string) { s.waits = append(s.waits, waiting{at, needs}) }

func (s *scope) waitsFor(at slot) []string {
	for i := range s.waits {
		if s.waits[i].at == at {
			return s.waits[i].needs
		}
	}
	if s.over == nil {
		return nil
	}
	return s.over.waitsFor(at)
}

// ResolveName gives CEL a value.
func (s *scope) ResolveName(name string) (any, bool) {
	at, ok := s.ed.slots[name]
	if !ok || len(s.vals[at.of]) <= at.at {
		return nil, false
	}
	v := s.get(at)
	return v.Native(), v.Known()
}

// Parent is none: a child's scope holds the household's values itself.
func (s *scope) Parent() cel.Activation { return nil }

// activation gives what CEL evaluates e over, with the names that have no value marked.
func (s *scope) activation(e *expr) (any, error) {
	var unknown []*cel.AttributePatternType
	for i, at := range e.slots {
		if !s.get(at).Known() {
			unknown = append(unknown, cel.AttributePattern(e.names[i]))
		}
	}
	if len(unknown) == 0 {
		return s, nil
	}
	return cel.PartialVars(s, unknown...)
}

// missing tells which facts an unknown result waits for.
func (s *scope) missing(u *types.Unknown) []string {
	var needs []string
	for _, id := range u.IDs() {
		trails, _ := u.GetAttributeTrails(id)
		for _, t := range trails {
			needs = append(needs, s.waitsFor(s.ed.slots[t.Variable()])...)
		}
	}
	slices.Sort(needs)
	return slices.Compact(needs)
}
