package tour

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
)

// Console drives the office console by its forms, in one officer's browser.
type Console struct {
	Base string // of the backend
	http *http.Client
}

// Console signs an officer in.
func (g *Guide) Console(ctx context.Context, sub string) (*Console, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	c := &Console{Base: g.Stage.Public.URL(), http: stay()}
	c.http.Jar = jar
	begun, err := c.get(ctx, "/office/sign-in/start")
	if err != nil {
		return nil, err
	}
	at, err := authorize(ctx, c.http, begun.header.Get("Location"), sub)
	if err != nil {
		return nil, err
	}
	done, err := getPage(ctx, c.http, at.String())
	if err != nil {
		return nil, err
	}
	if done.header.Get("Location") != "/office/" {
		return nil, fmt.Errorf("the console did not let %s in: status %d", sub, done.status)
	}
	return c, nil
}

func (c *Console) get(ctx context.Context, path string) (page, error) {
	return getPage(ctx, c.http, c.Base+path)
}

func (c *Console) post(ctx context.Context, path string, form url.Values) (page, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return page{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", c.Base)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return fetch(c.http, req)
}

// Status asks for a page and gives the status of the answer alone.
func (c *Console) Status(ctx context.Context, path string) (int, error) {
	p, err := c.get(ctx, path)
	return p.status, err
}

// Shows tells whether a page has the text on it.
func (c *Console) Shows(ctx context.Context, path, text string) (bool, error) {
	e, err := c.open(ctx, path)
	return err == nil && strings.Contains(e.text(), text), err
}

// Notice is what an officer writes.
type Notice struct {
	Title, Body string
	Refs        []string
}

// Preview fills the form and gives the page before sending, with how many it says will
// get the notice.
func (c *Console) Preview(ctx context.Context, n Notice) (confirm url.Values, people string, err error) {
	start, err := c.get(ctx, "/office/notices/new")
	if err != nil {
		return nil, "", err
	}
	if start.status != http.StatusOK {
		return nil, "", fmt.Errorf("the console answered %d instead of the form", start.status)
	}
	e, err := parse(start.text)
	if err != nil {
		return nil, "", err
	}
	form, err := e.form("/office/notices/preview")
	if err != nil {
		return nil, "", err
	}
	form.Set("kind", "information")
	form.Set("title_ja", n.Title)
	form.Set("body_ja", n.Body)
	form.Set("refs", strings.Join(n.Refs, "\n"))
	shown, err := c.post(ctx, "/office/notices/preview", form)
	if err != nil {
		return nil, "", err
	}
	if e, err = parse(shown.text); err != nil {
		return nil, "", err
	}
	for _, f := range e.all(func(x element) bool { return x.Data == "strong" && x.attr("class") == "figure" }) {
		people = f.text()
	}
	confirm, err = e.form("/office/notices")
	if err != nil {
		err = fmt.Errorf("status %d: %w", shown.status, err)
	}
	return confirm, people, err
}

// Send sends what was previewed and gives the path of the page that shows whom it reached.
func (c *Console) Send(ctx context.Context, confirm url.Values) (string, error) {
	p, err := c.post(ctx, "/office/notices", confirm)
	if err != nil {
		return "", err
	}
	to := p.header.Get("Location")
	return to, want(strings.HasPrefix(to, "/office/notices/"), "the console answered %d to the sending", p.status)
}

// Count gives one of the figures of a sent notice's page, such as "1 / 2" for reach.read.
func (c *Console) Count(ctx context.Context, path, key string) (string, error) {
	p, err := c.get(ctx, path)
	if err != nil {
		return "", err
	}
	e, err := parse(p.text)
	if err != nil {
		return "", err
	}
	for _, f := range e.all(func(x element) bool { return x.attr("data-count") == key }) {
		return f.text(), nil
	}
	return "", fmt.Errorf("the page shows no figure %s (status %d)", key, p.status)
}
