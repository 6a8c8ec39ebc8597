package oqs

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/japanese"
)

// Encoding says in which characters a document is written and which it names.
type Encoding string

// The encodings; the last two name another one than they are written in.
const (
	UTF8            Encoding = "utf-8"
	ShiftJIS        Encoding = "shift_jis"
	ShiftJISAsUTF8  Encoding = "shift_jis_as_utf-8"
	UTF8AsShiftJIS  Encoding = "utf-8_as_shift_jis"
	maxRequestBytes          = 8 << 20
	maxDepth                 = 8
	maxElements              = 200_000
)

func (e Encoding) known() bool {
	return e == UTF8 || e == ShiftJIS || e == ShiftJISAsUTF8 || e == UTF8AsShiftJIS
}

// written tells in which characters, named tells which the document says.
func (e Encoding) written() Encoding {
	if e == ShiftJIS || e == ShiftJISAsUTF8 {
		return ShiftJIS
	}
	return UTF8
}

func (e Encoding) named() Encoding {
	if e == ShiftJIS || e == UTF8AsShiftJIS {
		return ShiftJIS
	}
	return UTF8
}

// node is one element: with children, or with text.
type node struct {
	name string
	text string
	kids []*node
}

func leaf(name, text string) *node            { return &node{name: name, text: text} }
func branch(name string, kids ...*node) *node { return &node{name: name, kids: kids} }

// given makes leaves of the pairs whose text is not empty.
func given(pairs ...[2]string) []*node {
	var out []*node
	for _, p := range pairs {
		if p[1] != "" {
			out = append(out, leaf(p[0], p[1]))
		}
	}
	return out
}

func (n *node) child(name string) *node {
	for _, k := range n.kids {
		if k.name == name {
			return k
		}
	}
	return nil
}

// value gives the text of a child, "" where there is none.
func (n *node) value(name string) string {
	if k := n.child(name); k != nil {
		return k.text
	}
	return ""
}

var (
	errEncoding  = errors.New("encoding")
	errMalformed = errors.New("malformed")
)

// read reads a document strictly: one root, no attributes, no document type, no text
// beside elements, the characters that it names.
func read(raw []byte) (*node, error) {
	text, err := decode(raw)
	if err != nil {
		return nil, err
	}
	d := xml.NewDecoder(strings.NewReader(text))
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // decoded already
	var stack []*node
	var root *node
	for n := 0; ; n++ {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil || n > 3*maxElements {
			return nil, errMalformed
		}
		switch x := token.(type) {
		case xml.StartElement:
			e := &node{name: x.Name.Local}
			if len(x.Attr) > 0 || x.Name.Space != "" || len(stack) == maxDepth || root != nil && len(stack) == 0 {
				return nil, errMalformed
			}
			if root == nil {
				root = e
			} else {
				up := stack[len(stack)-1]
				up.kids = append(up.kids, e)
			}
			stack = append(stack, e)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 0 {
				stack[len(stack)-1].text += string(x)
			}
		case xml.Directive:
			return nil, errMalformed
		}
	}
	if root == nil || len(stack) > 0 || !clean(root) {
		return nil, errMalformed
	}
	return root, nil
}

// clean drops the blanks between elements; other text beside elements is wrong.
func clean(n *node) bool {
	if len(n.kids) == 0 {
		return true
	}
	if strings.TrimSpace(n.text) != "" {
		return false
	}
	n.text = ""
	for _, k := range n.kids {
		if !clean(k) {
			return false
		}
	}
	return true
}

// decode gives the text in the encoding that the XML declaration names, UTF-8 where it
// names none.
func decode(raw []byte) (string, error) {
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	line, _, _ := bytes.Cut(raw, []byte("?>"))
	switch head := strings.ToLower(string(line)); {
	case strings.HasPrefix(head, "<?xml") && strings.Contains(head, `shift_jis`):
		text, err := japanese.ShiftJIS.NewDecoder().Bytes(raw)
		if err != nil || bytes.ContainsRune(text, utf8.RuneError) {
			return "", errEncoding
		}
		return string(text), nil
	case strings.HasPrefix(head, "<?xml") && strings.Contains(head, "encoding") && !strings.Contains(head, "utf-8"):
		return "", errEncoding
	}
	if !utf8.Valid(raw) {
		return "", errEncoding
	}
	return string(raw), nil
}

// write gives the document in the encoding; what its characters lack becomes ●.
func (n *node) write(e Encoding) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="` + map[Encoding]string{UTF8: "UTF-8", ShiftJIS: "Shift_JIS"}[e.named()] + `" standalone="no"?>` + "\r\n")
	n.put(&b, 0)
	if e.written() == UTF8 {
		return b.Bytes()
	}
	var out bytes.Buffer
	for _, r := range b.String() {
		c, err := japanese.ShiftJIS.NewEncoder().String(string(r))
		if err != nil {
			c, _ = japanese.ShiftJIS.NewEncoder().String(wildcard)
		}
		out.WriteString(c)
	}
	return out.Bytes()
}

func (n *node) put(b *bytes.Buffer, depth int) {
	indent := strings.Repeat("\t", depth)
	if len(n.kids) == 0 {
		b.WriteString(indent + "<" + n.name + ">")
		_ = xml.EscapeText(b, []byte(n.text)) // a Buffer takes everything
		b.WriteString("</" + n.name + ">\r\n")
		return
	}
	b.WriteString(indent + "<" + n.name + ">\r\n")
	for _, k := range n.kids {
		k.put(b, depth+1)
	}
	b.WriteString(indent + "</" + n.name + ">\r\n")
}

// wildcard stands for a character that cannot be told.
const wildcard = "●"

// rare puts ● for characters outside JIS X 0208, as the system does.
func rare(s string) string {
	return strings.Map(func(r rune) rune {
		c, err := japanese.ShiftJIS.NewEncoder().Bytes([]byte(string(r)))
		if err != nil || len(c) == 2 && (c[0] == 0x87 || c[0] >= 0xed) {
			return '●'
		}
		return r
	}, s)
}

// without drops the elements of these names, wherever they stand.
func (n *node) without(names map[string]bool) {
	var kept []*node
	for _, k := range n.kids {
		if !names[k.name] {
			k.without(names)
			kept = append(kept, k)
		}
	}
	n.kids = kept
}

// reversed turns the order of the elements round on every level.
func (n *node) reversed() {
	for i, j := 0, len(n.kids)-1; i < j; i, j = i+1, j-1 {
		n.kids[i], n.kids[j] = n.kids[j], n.kids[i]
	}
	for _, k := range n.kids {
		k.reversed()
	}
}
