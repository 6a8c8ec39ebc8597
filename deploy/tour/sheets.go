package tour

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// sheet is a form of a console's page, filled in or not.
type sheet struct {
	action string
	fields url.Values
}

// having fits the form with a control of this name; a value that is not empty must be one
// of the control's own.
func having(name, value string) func(element) bool {
	return func(form element) bool {
		return len(form.all(func(x element) bool {
			return x.attr("name") == name && (value == "" || x.attr("value") == value)
		})) > 0
	}
}

// leading fits the form that leads to a path with this end.
func leading(end string) func(element) bool {
	return func(form element) bool { return strings.HasSuffix(form.attr("action"), end) }
}

// sheet finds a form of the page.
func (e element) sheet(fits func(element) bool) (sheet, bool) {
	for _, form := range e.all(func(x element) bool { return x.Data == "form" }) {
		if fits(form) {
			return sheet{form.attr("action"), form.fields()}, true
		}
	}
	return sheet{}, false
}

// open asks for a page that must be there.
func (c *Console) open(ctx context.Context, path string) (element, error) {
	p, err := c.get(ctx, path)
	if err != nil {
		return element{}, err
	}
	if p.status != http.StatusOK {
		return element{}, fmt.Errorf("%s was answered with %d", strings.SplitN(path, "?", 2)[0], p.status)
	}
	return parse(p.text)
}

// fill opens the page and sends one of its forms with these fields set.
func (c *Console) fill(ctx context.Context, path string, fits func(element) bool, set map[string]string) (page, error) {
	e, err := c.open(ctx, path)
	if err != nil {
		return page{}, err
	}
	s, there := e.sheet(fits)
	if !there {
		return page{}, fmt.Errorf("the page has no such form; it says: %.300s", e.text())
	}
	for name, value := range set {
		s.fields.Set(name, value)
	}
	return c.post(ctx, s.action, s.fields)
}

// done is fill for a form that must be taken; it gives where the console leads to.
func (c *Console) done(ctx context.Context, path string, fits func(element) bool, set map[string]string) (string, error) {
	p, err := c.fill(ctx, path, fits, set)
	if err != nil {
		return "", err
	}
	to := p.header.Get("Location")
	if p.status != http.StatusSeeOther || to == "" {
		return "", fmt.Errorf("the form was answered with %d: %s", p.status, faults(p.text))
	}
	to, _, _ = strings.Cut(to, "?")
	return to, nil
}

// refused is fill for a form that the console must not take.
func (c *Console) refused(ctx context.Context, path string, fits func(element) bool, set map[string]string) error {
	p, err := c.fill(ctx, path, fits, set)
	if err != nil {
		return err
	}
	return want(p.status == http.StatusUnprocessableEntity && faults(p.text) != "",
		"the form was answered with %d instead of what is wrong", p.status)
}

// faults gives what a page says is wrong.
func faults(text string) string {
	e, err := parse(text)
	if err != nil {
		return err.Error()
	}
	for _, alert := range e.all(func(x element) bool { return x.attr("role") == "alert" || x.attr("id") == "faults" }) {
		return alert.text()
	}
	return ""
}
