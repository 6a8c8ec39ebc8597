package tour

import (
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// element is a node of a page that was parsed.
type element struct{ *html.Node }

func parse(text string) (element, error) {
	n, err := html.Parse(strings.NewReader(text))
	if err != nil {
		return element{}, fmt.Errorf("cannot parse the page: %w", err)
	}
	return element{n}, nil
}

// attr gives an attribute, "" where it is absent.
func (e element) attr(name string) string {
	v, _ := e.lookup(name)
	return v
}

func (e element) lookup(name string) (string, bool) {
	for _, a := range e.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// all lists the elements below e for which fits holds, in the order of the page.
func (e element) all(fits func(element) bool) []element {
	var out []element
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if one := (element{n}); n.Type == html.ElementNode && fits(one) {
			out = append(out, one)
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(e.Node)
	return out
}

// byID finds one element.
func (e element) byID(id string) (element, bool) {
	found := e.all(func(x element) bool { return x.attr("id") == id })
	if len(found) == 0 {
		return element{}, false
	}
	return found[0], true
}

// text gives the words below e with single blanks between.
func (e element) text() string {
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
		if n.Type == html.ElementNode && (n.Data == "script" || n.Data == "style" || n.Data == "textarea") {
			return
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
			if c.Type == html.ElementNode {
				b.WriteByte(' ')
			}
		}
	}
	walk(e.Node)
	return strings.Join(strings.Fields(b.String()), " ")
}

// form gives the fields of the form that posts to action, as a browser would send them.
func (e element) form(action string) (url.Values, error) {
	forms := e.all(func(x element) bool { return x.Data == "form" && x.attr("action") == action })
	if len(forms) == 0 {
		return nil, fmt.Errorf("the page has no form for %s", action)
	}
	return forms[0].fields(), nil
}

// fields gives what a browser would send of a form.
func (e element) fields() url.Values {
	out := url.Values{}
	for _, field := range e.all(func(x element) bool { return x.attr("name") != "" }) {
		name := field.attr("name")
		switch field.Data {
		case "input":
			kind := field.attr("type")
			if _, on := field.lookup("checked"); (kind == "radio" || kind == "checkbox") && !on || kind == "file" || kind == "submit" {
				continue
			}
			out.Add(name, field.attr("value"))
		case "textarea":
			if field.FirstChild != nil {
				out.Add(name, strings.TrimPrefix(field.FirstChild.Data, "\n"))
			} else {
				out.Add(name, "")
			}
		case "select":
			out.Add(name, selected(field))
		}
	}
	return out
}

func selected(field element) string {
	options := field.all(func(x element) bool { return x.Data == "option" })
	for _, o := range options {
		if _, on := o.lookup("selected"); on {
			return o.attr("value")
		}
	}
	if len(options) > 0 {
		return options[0].attr("value")
	}
	return ""
}
