package tour

import (
	"bytes"
	"context"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"madoguchi.example/deploy/population"
	"madoguchi.example/deploy/stage"
)

// Desk drives a reception desk by its forms, as its pages do without JavaScript. It comes in
// through the door when it is first asked for something, and again when its session is over
// or locked. It is for one goroutine.
type Desk struct {
	terminal *stage.Terminal
	room     string       // instead of a terminal: the address of a desk for practising, which has no door
	client   *http.Client // nil: not opened yet
	csrf     string
}

// NewDesk gives the desk of a running terminal.
func NewDesk(t *stage.Terminal) *Desk { return &Desk{terminal: t} }

func (d *Desk) post(ctx context.Context, path string, form url.Values) (page, error) {
	return d.send(ctx, path, "application/x-www-form-urlencoded", []byte(form.Encode()))
}

func (d *Desk) send(ctx context.Context, path, kind string, body []byte) (page, error) {
	return d.ask(ctx, http.MethodPost, path, kind, body)
}

// ask sends one request; where the door is in between it comes in anew, once.
func (d *Desk) ask(ctx context.Context, method, path, kind string, body []byte) (page, error) {
	for opened := false; ; {
		if d.client == nil {
			if err := d.open(ctx); err != nil {
				return page{}, err
			}
			opened = true
		}
		req, err := http.NewRequestWithContext(ctx, method, d.base()+path, bytes.NewReader(body))
		if err != nil {
			return page{}, err
		}
		if method != http.MethodGet {
			req.Header.Set("Content-Type", kind)
			req.Header.Set("Origin", d.base())
			if d.csrf != "" {
				req.Header.Set("X-CSRF-Token", d.csrf)
			}
		}
		p, err := fetch(d.client, req)
		shut := p.status == http.StatusUnauthorized || p.status == http.StatusForbidden
		if err != nil || !shut || opened {
			return p, err
		}
		d.client = nil
	}
}

func (d *Desk) base() string {
	if d.room != "" {
		return d.room
	}
	return d.terminal.Desk()
}

// open comes in. A room has no door: its forms bring their token themselves.
func (d *Desk) open(ctx context.Context) (err error) {
	if d.room != "" {
		d.client = &http.Client{}
		return nil
	}
	d.client, d.csrf, err = d.terminal.Open(ctx)
	return err
}

func (d *Desk) get(ctx context.Context, path string) (element, error) {
	p, err := d.ask(ctx, http.MethodGet, path, "", nil)
	if err != nil {
		return element{}, err
	}
	if p.status != http.StatusOK {
		return element{}, fmt.Errorf("the desk answered %d to %s", p.status, path)
	}
	return parse(p.text)
}

// Recorded is what the desk said to an entry.
type Recorded struct {
	Status int
	ID     string // of the record; empty when nothing was recorded
	HTML   string
	page   element
}

// Record fills the form of the numbers and sends it. Fields that are not named keep what
// the page had in them.
func (d *Desk) Record(ctx context.Context, fields url.Values) (Recorded, error) {
	start, err := d.get(ctx, "/?tab=numbers")
	if err != nil {
		return Recorded{}, err
	}
	return d.recordOn(ctx, start, fields)
}

// Again sends the form that came back, with what stands in it.
func (d *Desk) Again(ctx context.Context, before Recorded) (Recorded, error) {
	return d.recordOn(ctx, before.page, nil)
}

func (d *Desk) recordOn(ctx context.Context, on element, fields url.Values) (Recorded, error) {
	form, err := on.form("/checks")
	if err != nil {
		return Recorded{}, err
	}
	for name, values := range fields {
		if _, there := form[name]; !there {
			return Recorded{}, fmt.Errorf("the desk's form has no field %s", name)
		}
		form[name] = values
	}
	p, err := d.post(ctx, "/checks", form)
	if err != nil {
		return Recorded{}, err
	}
	parsed, err := parse(p.text)
	return Recorded{p.status, p.header.Get("X-Record-Id"), p.text, parsed}, err
}

// Display gives the word that the desk shows for a record: valid, checking, offline …,
// and the whole result column.
func (d *Desk) Display(ctx context.Context, id string) (word string, column element, err error) {
	e, err := d.get(ctx, "/cases/"+url.PathEscape(id))
	if err != nil {
		return "", e, err
	}
	c, ok := e.byID("case")
	if !ok {
		return "", e, fmt.Errorf("the desk shows no result for the record")
	}
	return c.attr("data-display"), c, nil
}

// Row gives the state of a record in today's list (recorded, checking, answered, task …)
// and the words of its row.
func (d *Desk) Row(ctx context.Context, id string) (state, words string, err error) {
	e, err := d.get(ctx, "/parts/list")
	if err != nil {
		return "", "", err
	}
	for _, row := range e.all(func(x element) bool { return x.Data == "a" && strings.HasSuffix(x.attr("href"), id) }) {
		state, _, _ := strings.Cut(strings.TrimPrefix(row.attr("class"), "row "), " ") // its age may stand behind
		return state, row.text(), nil
	}
	return "", "", fmt.Errorf("the record is not in today's list")
}

// Bar gives the words about what waits to be sent and about the line, and whether the
// desk holds the line for up.
func (d *Desk) Bar(ctx context.Context) (pending, line string, up bool, err error) {
	e, err := d.get(ctx, "/parts/bar")
	if err != nil {
		return "", "", false, err
	}
	for _, x := range e.all(func(x element) bool { return x.Data == "p" }) {
		switch class := x.attr("class"); {
		case strings.HasPrefix(class, "pending") && pending == "":
			pending = x.text()
		case strings.HasPrefix(class, "line") && x.attr("role") == "status":
			line, up = x.text(), strings.Contains(class, " up")
		}
	}
	return pending, line, up, nil
}

// Verify has the desk read the text of a code and gives the outcome.
func (d *Desk) Verify(ctx context.Context, text string) (string, error) {
	v, err := d.Verdict(ctx, text)
	return v.attr("data-outcome"), err
}

// Verdict has the desk read the text of a code and gives what it shows.
func (d *Desk) Verdict(ctx context.Context, text string) (element, error) {
	p, err := d.post(ctx, "/verify", url.Values{"text": {text}})
	if err != nil {
		return element{}, err
	}
	return verdictOn(p)
}

// Picture has the desk read a picture and gives the outcome.
func (d *Desk) Picture(ctx context.Context, picture []byte) (string, error) {
	p, err := d.upload(ctx, "/verify", "screen.png", picture)
	if err != nil {
		return "", err
	}
	v, err := verdictOn(p)
	return v.attr("data-outcome"), err
}

// upload sends a file in the field "file".
func (d *Desk) upload(ctx context.Context, path, name string, content []byte) (page, error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", name)
	if err != nil {
		return page{}, err
	}
	if _, err := file.Write(content); err != nil {
		return page{}, err
	}
	if err := form.Close(); err != nil {
		return page{}, err
	}
	return d.send(ctx, path, form.FormDataContentType(), body.Bytes())
}

// Parts has the desk read a code of which parts are missing, and gives what it says of them.
func (d *Desk) Parts(ctx context.Context, text string) (string, error) {
	p, err := d.post(ctx, "/verify", url.Values{"text": {text}})
	if err != nil {
		return "", err
	}
	e, err := parse(p.text)
	if err != nil {
		return "", err
	}
	for _, x := range e.all(func(x element) bool { return strings.Contains(x.attr("class"), "parts") }) {
		return x.text(), nil
	}
	return "", fmt.Errorf("the desk tells of no parts (status %d)", p.status)
}

func verdictOn(p page) (element, error) {
	e, err := parse(p.text)
	if err != nil {
		return e, err
	}
	v, ok := e.byID("verdict")
	if !ok {
		return e, fmt.Errorf("the desk shows no verdict (status %d)", p.status)
	}
	return v, nil
}

func (d *Desk) waitLine(ctx context.Context, up bool) error {
	return until(ctx, func() (bool, string, error) {
		_, words, is, err := d.Bar(ctx)
		return is == up, words, err
	})
}

func (d *Desk) waitDisplay(ctx context.Context, id, word string) error {
	return until(ctx, func() (bool, string, error) {
		is, _, err := d.Display(ctx, id)
		return is == word, is, err
	})
}

// numbers fills the form from a card.
func numbers(c population.Card) url.Values {
	return url.Values{"insurer_number": {c.InsurerNumber}, "symbol": {c.Symbol}, "number": {c.Number},
		"branch": {c.Branch}, "birth_date": {c.BirthDate}, "copayment": {c.Copayment}, "label": {c.NameKana}}
}

// typed writes ASCII digits in full width and puts a blank between, as hands do.
func typed(v url.Values, names ...string) url.Values {
	for _, name := range names {
		var b strings.Builder
		for i, r := range v.Get(name) {
			if r >= '0' && r <= '9' {
				r += '０' - '0'
			}
			if i == 2 {
				b.WriteRune('　')
			}
			b.WriteRune(r)
		}
		v.Set(name, b.String())
	}
	return v
}
