package oqs

import (
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// node is one element. A known leaf has text alone, a known container children alone; an
// element that is not known here has no name, and its text is not kept.
type node struct {
	name     string
	place    string
	text     strings.Builder
	broken   bool // a comment or an instruction stands inside
	children []*node
	count    map[string]int // of known children, by name
}

// limits bound one document. once lists elements that stand at most once in all of it.
type limits struct {
	bytes, elements int
	once            map[string]bool
}

// treeReader builds the tree of one document.
type treeReader struct {
	limits   limits
	decoder  *xml.Decoder
	open     []*node
	root     *node
	space    string // the root's namespace: others' elements are unknown
	elements int
	seen     map[string]bool // of limits.once
	remarks  []Remark
}

// readTree checks and reads a whole document.
func readTree(b []byte, l limits) (*node, Encoding, []Remark, error) {
	if len(b) > l.bytes {
		return nil, "", nil, refuse("document", RefusedTooLarge)
	}
	text, enc, odd, err := decodeText(b)
	if err != nil {
		return nil, "", nil, err
	}
	r := &treeReader{limits: l, decoder: xml.NewDecoder(strings.NewReader(text)), seen: map[string]bool{}}
	r.decoder.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // decoded already
	if odd {
		r.remark("MessageHeader/CharacterCodeIdentifier", OtherEncoding)
	}
	for {
		token, err := r.decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, "", nil, r.syntax(err)
		}
		if err := r.take(token); err != nil {
			return nil, "", nil, err
		}
	}
	if r.root == nil {
		return nil, "", nil, refuse("document", RefusedIncomplete)
	}
	return r.root, enc, r.remarks, nil
}

func (r *treeReader) take(token xml.Token) error {
	switch t := token.(type) {
	case xml.StartElement:
		return r.start(t.Name)
	case xml.EndElement:
		return r.end()
	case xml.CharData:
		return r.characters(t)
	case xml.Directive:
		return refuse(r.where(), RefusedEntities)
	case xml.Comment, xml.ProcInst:
		if len(r.open) > 0 {
			r.open[len(r.open)-1].broken = true
		}
	}
	return nil
}

func (r *treeReader) start(name xml.Name) error {
	r.elements++
	switch {
	case r.elements > r.limits.elements, len(r.open) == MaxDepth:
		return refuse(r.where(), RefusedTooLarge)
	case r.root == nil:
		if name.Local != rootName {
			return refuse(r.where(), RefusedRoot)
		}
		r.space, r.root = name.Space, &node{name: rootName}
		r.open = append(r.open, r.root)
		return nil
	case len(r.open) == 0:
		return refuse(r.where(), RefusedMarkup) // a second root
	}
	parent, n := r.open[len(r.open)-1], &node{}
	if name.Space != r.space || !leaves[name.Local] && !containers[name.Local] {
		n.place = r.where()
		r.remark(n.place, UnknownElement)
	} else if err := r.name(parent, n, name.Local); err != nil {
		return err
	}
	parent.children = append(parent.children, n)
	r.open = append(r.open, n)
	return nil
}

// name names a known element and its place, and refuses it where it may not stand again.
func (r *treeReader) name(parent, n *node, name string) error {
	n.name, n.place = name, name
	if parent.place != "" {
		n.place = parent.place + "/" + name
	}
	if parent.count == nil {
		parent.count = map[string]int{}
	}
	parent.count[name]++
	switch nth := parent.count[name]; {
	case nth > 1 && !repeats[name], r.limits.once[name] && r.seen[name]:
		return refuse(n.place, RefusedTwice)
	case nth > MaxSearches:
		return refuse(n.place, RefusedTooLarge)
	case nth > 1:
		n.place += "[" + strconv.Itoa(nth) + "]"
	}
	r.seen[name] = true
	return nil
}

func (r *treeReader) end() error {
	n := r.open[len(r.open)-1]
	r.open = r.open[:len(r.open)-1]
	if leaves[n.name] && (len(n.children) > 0 || n.broken) {
		return refuse(n.place, RefusedMarkup)
	}
	return nil
}

func (r *treeReader) characters(text xml.CharData) error {
	blank := len(strings.TrimSpace(string(text))) == 0
	if len(r.open) == 0 {
		if !blank {
			return refuse(r.where(), RefusedMarkup)
		}
		return nil
	}
	n := r.open[len(r.open)-1]
	switch {
	case leaves[n.name]:
		n.text.Write(text)
		if n.text.Len() > MaxText*utf8.UTFMax {
			return refuse(n.place, RefusedTooLarge)
		}
	case containers[n.name] && !blank:
		return refuse(n.place, RefusedMarkup)
	}
	return nil
}

// syntax translates the decoder's error, whose text may repeat what was read.
func (r *treeReader) syntax(err error) error {
	word := RefusedMarkup
	if s, ok := errors.AsType[*xml.SyntaxError](err); ok {
		switch {
		case strings.Contains(s.Msg, "unexpected EOF"):
			word = RefusedIncomplete
		case strings.Contains(s.Msg, "character entity"):
			word = RefusedEntities
		}
	}
	return refuse(r.where(), word)
}

func (r *treeReader) where() string {
	line, _ := r.decoder.InputPos()
	return "line " + strconv.Itoa(line)
}

func (r *treeReader) remark(place string, code RemarkCode) {
	r.remarks = remark(r.remarks, place, code)
}

func remark(all []Remark, place string, code RemarkCode) []Remark {
	if len(all) == MaxRemarks {
		return all
	}
	return append(all, Remark{Place: place, Code: code})
}

// child gives the first child of the name, or nil.
func (n *node) child(name string) *node {
	if n == nil {
		return nil
	}
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// all gives the children of the name in order.
func (n *node) all(name string) []*node {
	var found []*node
	if n == nil {
		return nil
	}
	for _, c := range n.children {
		if c.name == name {
			found = append(found, c)
		}
	}
	return found
}

// told gives the trimmed text of a leaf below n, "" where it is missing or empty.
func (n *node) told(name string) string {
	c := n.child(name)
	if c == nil {
		return ""
	}
	return strings.TrimSpace(c.text.String())
}
