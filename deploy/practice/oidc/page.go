package oidc

import (
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"madoguchi.example/deploy/practice/people"
)

// maxShown is how many people the page lists at once; the search narrows them.
const maxShown = 40

//go:embed page.html
var pageText string

var pages = template.Must(template.New("page").Parse(pageText))

type shownPerson struct {
	people.Person
	URL string
}

type signInView struct {
	Kind   string
	Search string
	Hidden map[string]string
	People []shownPerson
	Total  int
	Cancel string
}

// signInPage lists the people of the client's kind who fit the search.
func (p *Provider) signInPage(w http.ResponseWriter, req Request) {
	kind := p.clients[req.ClientID].Kind
	view := signInView{Kind: string(kind), Search: req.Search, Hidden: map[string]string{},
		Cancel: withParam(req.raw, "practice_cancel", "1")}
	for _, name := range once {
		if name != "q" && req.raw.Has(name) {
			view.Hidden[name] = req.raw.Get(name)
		}
	}
	for _, person := range p.cfg.People {
		if person.Client != kind || !matches(person, req.Search) {
			continue
		}
		view.Total++
		if len(view.People) < maxShown {
			view.People = append(view.People, shownPerson{person, withParam(req.raw, "login_hint", person.Sub)})
		}
	}
	p.render(w, http.StatusOK, "sign-in", view)
}

// matches tells whether every word of the search stands somewhere in the person's line.
func matches(p people.Person, search string) bool {
	line := strings.ToLower(strings.Join([]string{p.Sub, p.Label, p.Name, p.Address, p.BirthDate}, " "))
	for _, word := range strings.Fields(strings.ToLower(search)) {
		if !strings.Contains(line, word) {
			return false
		}
	}
	return true
}

func withParam(v url.Values, name, value string) string {
	out := url.Values{}
	for _, k := range once {
		if k != "q" && v.Has(k) {
			out.Set(k, v.Get(k))
		}
	}
	out.Set(name, value)
	return "?" + out.Encode()
}

func (p *Provider) faultPage(w http.ResponseWriter, status int, code string) {
	p.render(w, status, "fault", code)
}

func (p *Provider) render(w http.ResponseWriter, status int, name string, data any) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// The status is out: a failed write means that the caller has gone.
	_ = pages.ExecuteTemplate(w, name, data)
}
