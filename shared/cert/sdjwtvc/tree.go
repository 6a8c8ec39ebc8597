package sdjwtvc

import (
	"encoding/json"
	"strings"

	"madoguchi.example/shared/internal/jsonpull"
)

// node is one JSON value. Names and kids go in pairs for an object; an array has kids
// alone.
type node struct {
	kind  jsonpull.Kind
	text  string // of a string its value, of a number its digits
	names []string
	kids  []*node
	// hidden counts the array's entries that nobody disclosed.
	hidden int
}

// store makes the values of one credential, at most maxNodes of them, several at a time.
type store struct {
	made int
	room []node
}

const roomSize = 64

func (s *store) node(r *jsonpull.Reader) *node {
	if s.made++; s.made > maxNodes {
		r.Fault("more than %d values", maxNodes)
	}
	if len(s.room) == 0 {
		s.room = make([]node, roomSize)
	}
	n := &s.room[0]
	s.room = s.room[1:]
	return n
}

// read reads one value.
func (s *store) read(r *jsonpull.Reader) *node {
	n := s.node(r)
	n.kind = r.Kind()
	switch n.kind {
	case jsonpull.Object:
		for m := r.Object(); m.Next(); {
			n.add(m.Name, s.read(r))
		}
	case jsonpull.Array:
		for a := r.Array(); a.Next(); {
			n.kids = append(n.kids, s.read(r))
		}
	case jsonpull.String:
		n.text = r.Text()
	default:
		n.text = r.Raw()
	}
	return n
}

func (s *store) parse(text []byte) (*node, error) {
	r := jsonpull.New(string(text))
	n := s.read(r)
	return n, r.End()
}

func (n *node) add(name string, kid *node) {
	n.names = append(n.names, name)
	n.kids = append(n.kids, kid)
}

// get gives an object's member, or nil: also where n is nil or no object.
func (n *node) get(name string) *node {
	if n == nil {
		return nil
	}
	for i, have := range n.names {
		if have == name {
			return n.kids[i]
		}
	}
	return nil
}

// remove takes a member out and gives it.
func (n *node) remove(name string) *node {
	for i, have := range n.names {
		if have == name {
			kid := n.kids[i]
			n.names = append(n.names[:i], n.names[i+1:]...)
			n.kids = append(n.kids[:i], n.kids[i+1:]...)
			return kid
		}
	}
	return nil
}

func (n *node) is(kind jsonpull.Kind) bool { return n != nil && n.kind == kind }

// str gives a string's value, "" for anything else.
func (n *node) str() string {
	if n.is(jsonpull.String) {
		return n.text
	}
	return ""
}

// write appends the value as JSON.
func (n *node) write(out *strings.Builder) {
	switch n.kind {
	case jsonpull.Object:
		for i, name := range n.names {
			out.WriteByte("{,"[min(i, 1)])
			out.Write(quoted(name))
			out.WriteByte(':')
			n.kids[i].write(out)
		}
		if len(n.names) == 0 {
			out.WriteByte('{')
		}
		out.WriteByte('}')
	case jsonpull.Array:
		for i, kid := range n.kids {
			out.WriteByte("[,"[min(i, 1)])
			kid.write(out)
		}
		if len(n.kids) == 0 {
			out.WriteByte('[')
		}
		out.WriteByte(']')
	case jsonpull.String:
		out.Write(quoted(n.text))
	default:
		out.WriteString(n.text)
	}
}

func (n *node) json() []byte {
	var out strings.Builder
	n.write(&out)
	return []byte(out.String())
}

// quoted writes a string with its characters as they are.
func quoted(s string) []byte {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic("sdjwtvc: a string always has a JSON form")
	}
	return []byte(strings.TrimSuffix(out.String(), "\n"))
}
