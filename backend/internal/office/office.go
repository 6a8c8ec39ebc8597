package office

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/notice"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets
var assetFiles embed.FS

// Assets gives the console's own style, script and their licences.
func Assets() (fs.FS, error) { return fs.Sub(assetFiles, "assets") }

// Parts are what the console works with; all are needed but Notices, Benefits, Children,
// Certificates, Protection, Approvals, Terminals and Trail, whose pages and routes are left out when they
// are nil.
type Parts struct {
	SignIn       SignIn
	Notices      Notices
	Benefits     Benefits
	Children     Children
	Certificates Certificates
	Protection   Protection
	Approvals    Approvals
	Terminals    Terminals
	Trail        Trail
	Names        Names
	Secure       bool // cookies travel over TLS alone
	Log          *slog.Logger
	IDs          handle.Source
	Now          func() time.Time
}

// Office gives the pages. It is safe for concurrent use.
type Office struct {
	Parts
	words     catalogue
	templates map[string]*template.Template
}

// New makes the console.
func New(p Parts) (*Office, error) {
	words, err := loadWords()
	if err != nil {
		return nil, err
	}
	o := &Office{Parts: p, words: words, templates: map[string]*template.Template{}}
	pages, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	for _, page := range pages {
		name := strings.TrimSuffix(strings.TrimPrefix(page, "templates/"), ".html")
		if name == "layout" || name == "parts" {
			continue
		}
		t, err := template.New("layout.html").Funcs(placeholders).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html", page)
		if err != nil {
			return nil, fmt.Errorf("cannot read the page %s: %w", name, err)
		}
		o.templates[name] = t
	}
	return o, nil
}

// view is what every page's template sees.
type view struct {
	Lang   notice.Language
	Page   string
	Who    *actor.Staff
	Place  string
	Nav    []link
	Langs  []notice.Language
	Back   string
	Body   any
	office *Office
}

type link struct {
	Key, To string
	Here    bool
}

// HTMLLang is the value of the html element's lang attribute.
func (v view) HTMLLang() string {
	if v.Lang == notice.English {
		return "en"
	}
	return "ja"
}

// T gives a sentence in the officer's language.
func (v view) T(key string) string { return v.office.words.word(v.Lang, key) }

// Fault gives the sentence for a field's fault.
func (v view) Fault(key string) string {
	if !v.office.words.has("fault." + key) {
		key = "invalid"
	}
	return v.T("fault." + key)
}

// Label names a field of the notice's form, for a list of faults.
func (v view) Label(field string) string {
	part, lang, inLanguage := strings.Cut(field, "_")
	if !inLanguage {
		return v.T("write." + field)
	}
	return v.T("write.text."+part) + " – " + v.T("language."+lang)
}

// Day and Time write dates as the language does, in Japan's time.
func (v view) Day(d civil.Date) string { return dayText(v.Lang, d) }

// Time writes a day and a time of the day.
func (v view) Time(t time.Time) string { return timeText(v.Lang, t) }

// Purpose gives a purpose's name.
func (v view) Purpose(p string) string { return v.office.Trail.PurposeName(p, v.Lang) }

// placeholders are functions of the templates that need no request.
var placeholders = template.FuncMap{
	"languageName": func(l notice.Language) string { return "language." + string(l) },
}

// render writes a page, or for htmx its fragment "part" alone.
func (o *Office) render(ctx context.Context, r Request, who *actor.Staff, page string, body any) (Page, error) {
	v := view{
		Lang: languageOf(r), Page: page, Who: who, Langs: notice.Languages(), Body: body, office: o,
		Back: backOf(r), Nav: o.nav(who, r.Path),
	}
	if who != nil && !r.Partial {
		name, err := o.Names.Municipality(ctx, who.Municipality, v.Lang)
		if err != nil {
			return Page{}, err
		}
		v.Place = name
	}
	name := "layout.html"
	if r.Partial {
		name = "part"
	}
	var out bytes.Buffer
	if err := o.templates[page].ExecuteTemplate(&out, name, v); err != nil {
		return Page{}, fmt.Errorf("cannot write the page %s: %w", page, err)
	}
	return Page{HTML: out.Bytes()}, nil
}

// backOf gives the page's own path, where the choice of a language leads back to; the first
// page for one that cannot be asked for again.
func backOf(r Request) string {
	path := r.Path
	for name, value := range r.Param {
		path = strings.ReplaceAll(path, "{"+name+"}", value)
	}
	if r.Method != http.MethodGet || strings.Contains(path, "{") || !ourPath(path) {
		return "/office/"
	}
	return path
}

func (o *Office) nav(who *actor.Staff, path string) []link {
	if who == nil {
		return nil
	}
	links := []link{{Key: "nav.today", To: "/office/"}}
	offer := func(there bool, key, to string, roles ...actor.Role) {
		if there && slices.ContainsFunc(roles, who.Has) {
			links = append(links, link{Key: key, To: to})
		}
	}
	offer(o.Notices != nil, "nav.notices", "/office/notices", actor.Clerk, actor.Approver)
	offer(o.Benefits != nil, "nav.benefits", "/office/benefits", actor.Clerk, actor.Approver)
	offer(o.Children != nil, "nav.children", "/office/children", actor.ChildOfficer, actor.ChildApprover)
	offer(o.Certificates != nil, "nav.certificates", certificatesPath, actor.Clerk, actor.Approver)
	offer(o.Protection != nil, "nav.protection", protectionPath, actor.Protector)
	offer(o.Terminals != nil, "nav.terminals", "/office/terminals", actor.TerminalManager)
	offer(o.Trail != nil, "nav.records", "/office/records", actor.Auditor)
	offer(o.Children != nil, "nav.erasures", erasuresPath, actor.Auditor)
	for i, l := range links {
		links[i].Here = path == l.To || l.To != "/office/" && strings.HasPrefix(path, l.To+"/")
	}
	if n := len(links) - 1; links[n].To == erasuresPath && links[n].Here {
		for i := range links[:n] {
			links[i].Here = false
		}
	}
	return links
}

// cookie makes one of our cookies: out of reach of scripts, and not sent along when
// another site posts here.
func (o *Office) cookie(name, value, path string, age time.Duration) *http.Cookie {
	c := &http.Cookie{
		Name: name, Value: value, Path: path, HttpOnly: true, Secure: o.Secure,
		SameSite: http.SameSiteLaxMode, MaxAge: int(age / time.Second),
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}
