// Package consent shows the pages on which a citizen allows a wallet to fetch a
// certificate, or does not, in three languages.
//
// It knows no HTTP framework: httpapi owns the routes and hands over a Request of plain
// values. It promises that every page works without a script and by keyboard alone, that no
// answer is chosen beforehand where there is a choice, and that the browser is led to the
// wallet by the desk's word alone.
package consent

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"madoguchi.example/backend/internal/wallet"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

//go:embed words/*.json
var wordFiles embed.FS

//go:embed pages.html
var pageFile string

//go:embed assets
var assetFiles embed.FS

// Assets gives the pages' own style.
func Assets() (fs.FS, error) { return fs.Sub(assetFiles, "assets") }

// Desk is what the pages ask. *wallet.Desk implements it.
type Desk interface {
	Authorize(ctx context.Context, query url.Values) (wallet.Step, error)
	Callback(ctx context.Context, query url.Values, secret string) (wallet.Step, error)
	Consent(ctx context.Context, secret string) (wallet.Consent, error)
	Answer(ctx context.Context, secret string, r wallet.Reply) (wallet.Step, error)
}

// Request is what a page function gets: copies, which stay as they are.
type Request struct {
	Query  url.Values
	Form   url.Values // of a POST
	Cookie map[string]string
	Accept string // Accept-Language
}

// Page is what a page function answers. Status 0 means 200, or 303 with a Location.
type Page struct {
	Status   int
	HTML     []byte
	Location string
	Cookie   *http.Cookie
	// Home is the wallet's address to which the answer to the page's form leads.
	Home string
}

// Pages gives the pages. It is safe for concurrent use.
type Pages struct {
	desk   Desk
	secure bool
	words  map[notice.Language]map[string]string
	set    *template.Template
}

// New makes the pages. secure: the browser comes over TLS.
func New(desk Desk, secure bool) (*Pages, error) {
	p := &Pages{desk: desk, secure: secure, words: map[notice.Language]map[string]string{}}
	for _, l := range notice.Languages() {
		raw, err := wordFiles.ReadFile("words/" + string(l) + ".json")
		if err != nil {
			return nil, fmt.Errorf("cannot read the words of %s: %w", l, err)
		}
		words := map[string]string{}
		if err := json.Unmarshal(raw, &words); err != nil {
			return nil, fmt.Errorf("cannot read the words of %s: %w", l, err)
		}
		p.words[l] = words
	}
	set, err := template.New("pages").Parse(pageFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read the pages: %w", err)
	}
	p.set = set
	return p, nil
}

// cookieName is the browser's secret. With the prefix a browser takes it from this very
// host over TLS alone, so that no neighbour can plant one.
func (p *Pages) cookieName() string {
	if p.secure {
		return "__Host-madoguchi_wallet"
	}
	return "madoguchi_wallet"
}

// keep makes the cookie of a step; an empty secret takes it away.
func (p *Pages) keep(secret string) *http.Cookie {
	c := &http.Cookie{
		Name: p.cookieName(), Value: secret, Path: "/", HttpOnly: true, Secure: p.secure,
		SameSite: http.SameSiteLaxMode, MaxAge: int(wallet.VisitLifetime / time.Second),
	}
	if secret == "" {
		c.MaxAge = -1
	}
	return c
}

// Authorize takes a wallet's request from a browser.
func (p *Pages) Authorize(ctx context.Context, r Request) (Page, error) {
	step, err := p.desk.Authorize(ctx, r.Query)
	if err != nil {
		return Page{}, err
	}
	page := Page{Location: step.Location}
	if step.Secret != "" {
		page.Cookie = p.keep(step.Secret)
	}
	return page, nil
}

// Callback takes the provider's answer.
func (p *Pages) Callback(ctx context.Context, r Request) (Page, error) {
	step, err := p.desk.Callback(ctx, r.Query, r.Cookie[p.cookieName()])
	if fault.CodeOf(err) == fault.IdentityUnlinked {
		return p.unlinked(ctx, r, err)
	}
	if err != nil {
		return Page{}, err
	}
	return Page{Location: step.Location, Cookie: p.keep(step.Secret)}, nil
}

// Ask shows what the citizen is asked.
func (p *Pages) Ask(ctx context.Context, r Request) (Page, error) {
	c, err := p.desk.Consent(ctx, r.Cookie[p.cookieName()])
	if err != nil {
		return Page{}, err
	}
	return p.ask(r, c, false)
}

func (p *Pages) ask(r Request, c wallet.Consent, unchosen bool) (Page, error) {
	v := p.view(r)
	v.Ask, v.Unchosen, v.Only = &c, unchosen, len(c.Choices) == 1
	for _, h := range c.Choices {
		v.Choices = append(v.Choices, choice{h, h.Person == c.Citizen, v.day(h.IssuedAt)})
	}
	kind := "ask"
	switch {
	case !c.Signed:
		kind = "turned"
	case len(c.Choices) == 0:
		kind = "nothing"
	}
	page, err := p.render(v, kind)
	page.Home = c.Home
	return page, err
}

// Answer takes what the citizen chose.
func (p *Pages) Answer(ctx context.Context, r Request) (Page, error) {
	secret, answer := r.Cookie[p.cookieName()], r.Form.Get("answer")
	if answer != "yes" && answer != "no" {
		return Page{}, fault.At(fault.InvalidArgument, "answer", "the answer is yes or no")
	}
	step, err := p.desk.Answer(ctx, secret, wallet.Reply{
		Form: r.Form.Get("form"), Yes: answer == "yes", Certificate: r.Form.Get("certificate"),
	})
	if fault.PlaceOf(err) == "certificate" {
		c, err := p.desk.Consent(ctx, secret)
		if err != nil {
			return Page{}, err
		}
		page, err := p.ask(r, c, true)
		page.Status = http.StatusUnprocessableEntity
		return page, err
	}
	if err != nil {
		return Page{}, err
	}
	return Page{Location: step.Location, Cookie: p.keep("")}, nil
}

// whereToGo is what an error implements to name a counter.
type whereToGo interface {
	error
	WhereToGo() (municipality, name, place, phone, hours string)
}

type counter struct{ Municipality, Name, Place, Phone, Hours string }

// unlinked sends a person whom the register does not know to the counter. The wallet can
// still be told no.
func (p *Pages) unlinked(ctx context.Context, r Request, cause error) (Page, error) {
	v := p.view(r)
	if w, ok := errors.AsType[whereToGo](cause); ok {
		var at counter
		at.Municipality, at.Name, at.Place, at.Phone, at.Hours = w.WhereToGo()
		v.Counter = &at
	}
	c, err := p.desk.Consent(ctx, r.Cookie[p.cookieName()])
	if err != nil {
		return Page{}, err
	}
	v.Ask = &c
	page, err := p.render(v, "unlinked")
	page.Status, page.Home = http.StatusForbidden, c.Home
	return page, err
}

// Failed shows what happened. status and code come from the fault; nothing else does.
func (p *Pages) Failed(r Request, status int, code fault.Code, trace string) Page {
	v := p.view(r)
	v.Failed, v.Trace = "failed."+string(code), trace
	if _, ok := p.words[notice.Japanese][v.Failed]; !ok {
		v.Failed = "failed.internal"
	}
	page, err := p.render(v, "failed")
	if err != nil {
		return Page{Status: status}
	}
	page.Status = status
	return page
}

// view is what the pages are written from.
type view struct {
	words    map[string]string
	Lang     notice.Language
	Title    string // a key
	Ask      *wallet.Consent
	Choices  []choice
	Only     bool // there is one choice
	Unchosen bool // yes was said and nothing chosen
	Counter  *counter
	Failed   string
	Trace    string
}

type choice struct {
	wallet.Held
	Self bool
	Day  string
}

// fact is one choice with the words to write it.
type fact struct {
	V      view
	Choice choice
}

// Fact puts a choice beside the words.
func (v view) Fact(c choice) fact { return fact{v, c} }

// T gives a sentence; a key that does not exist shows itself, so that a test finds it.
func (v view) T(key string) string {
	if w, ok := v.words[key]; ok {
		return w
	}
	return "⟦" + key + "⟧"
}

// HTMLLang is the language of the page as HTML says it.
func (v view) HTMLLang() string {
	if v.Lang == notice.English {
		return "en"
	}
	return "ja"
}

// Langs lists the languages that are offered.
func (v view) Langs() []notice.Language { return notice.Languages() }

// Doses counts doses in words.
func (v view) Doses(n int) string { return strings.ReplaceAll(v.T("doses"), "#", fmt.Sprint(n)) }

// Host says where the wallet's address is, for people.
func (v view) Host() string {
	u, err := url.Parse(v.Ask.Home)
	if err != nil {
		return identity.Mask
	}
	if u.Host != "" {
		return u.Host
	}
	return u.Scheme
}

func (v view) day(at time.Time) string {
	d := civil.In(at)
	return strings.NewReplacer("Y", fmt.Sprint(d.Year), "M", fmt.Sprint(int(d.Month)), "D", fmt.Sprint(d.Day)).Replace(v.T("date"))
}

// view takes the language that the person chose, else what the browser prefers, else Japanese.
func (p *Pages) view(r Request) view {
	l := notice.Japanese
	if strings.HasPrefix(strings.ToLower(r.Accept), "en") {
		l = notice.English
	}
	for _, from := range []url.Values{r.Query, r.Form} {
		if chosen := notice.Language(from.Get("lang")); p.words[chosen] != nil {
			l = chosen
		}
	}
	return view{words: p.words[l], Lang: l}
}

func (p *Pages) render(v view, kind string) (Page, error) {
	v.Title = kind + ".title"
	if kind == "ask" {
		v.Title = "title"
	}
	var out bytes.Buffer
	if err := p.set.ExecuteTemplate(&out, kind, v); err != nil {
		return Page{}, fmt.Errorf("cannot write the page: %w", err)
	}
	return Page{HTML: out.Bytes()}, nil
}
