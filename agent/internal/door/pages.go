package door

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"madoguchi.example/agent/internal/operator"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/notice"
)

//go:embed words/*.json templates/*.html static/*
var files embed.FS

// words is the door's catalogue in one language. A key that is missing shows itself.
type words struct {
	Lang notice.Language
	text map[string]string
}

// view is everything that a page of the door may show.
type view struct {
	W         words
	Page      string // "launch", "opened", "sign-in", "stale", "operators", "devices", "lead-only", "pair", "pair-wait"
	Visitor   Visitor
	Office    string // behind the launch alone
	Pending   int
	Operators []operator.Operator // behind the launch alone
	Chosen    string              // the operator whom the form has chosen
	First     bool                // the PIN is set for the first time
	Fault     string              // a word of the catalogue: e.FAULT
	Hint      string
	Wait      int // seconds until the next PIN
	To        string
	Name      string

	Devices     []shownDevice
	Waiting     []waiting
	Fingerprint string
	LAN         bool
}

func (d *Door) loadPages() error {
	d.words = map[notice.Language]words{}
	for _, lang := range notice.Languages() {
		raw, err := files.ReadFile("words/" + string(lang) + ".json")
		if err != nil {
			return fmt.Errorf("cannot read the door's words: %w", err)
		}
		w := words{Lang: lang, text: map[string]string{}}
		if err := json.Unmarshal(raw, &w.text); err != nil {
			return fmt.Errorf("cannot read the door's words in %s: %w", lang, err)
		}
		d.words[lang] = w
	}
	pages, err := template.New("").Funcs(d.words[notice.Japanese].funcs()).ParseFS(files, "templates/*.html")
	if err != nil {
		return fmt.Errorf("cannot read the door's pages: %w", err)
	}
	d.pages = pages
	return nil
}

// Catalogue gives the door's words in one language as they are written, nil for a language
// that it does not have.
func Catalogue(lang string) map[string]string {
	var d Door
	if d.loadPages() != nil {
		return nil
	}
	return d.words[notice.Language(lang)].text
}

func (w words) funcs() template.FuncMap {
	return template.FuncMap{
		"t": w.rich, "plain": w.plain,
		"clock": func(t time.Time) string { return t.In(civil.Japan).Format("15:04") },
		"day":   func(t time.Time) string { return civil.In(t).String() },
		"act": func(path, csrf, field, id, do, label, name string) button {
			return button{Path: path, CSRF: csrf, Field: field, ID: id, Do: do, Label: label, Name: name}
		},
		"withcode": func(b button, code string) button {
			b.Code, b.Main = code, true
			return b
		},
	}
}

// button is a form of one button about one operator or device.
type button struct {
	Path, CSRF, Field, ID, Do, Label, Name, Code string
	Main                                         bool
}

// ruby is 漢字 with its reading, written {漢字|かんじ} in the catalogue.
var ruby = regexp.MustCompile(`\{([^{|}]+)\|([^{|}]+)\}`)

func (w words) format(key string, args []any) string {
	text, ok := w.text[key]
	switch {
	case !ok:
		return "[" + key + "]"
	case len(args) == 0:
		return text
	}
	return fmt.Sprintf(text, args...)
}

// plain gives the words without ruby, for titles and attributes.
func (w words) plain(key string, args ...any) string {
	return ruby.ReplaceAllString(w.format(key, args), "$1")
}

// rich gives the words with their readings; everything else is escaped.
func (w words) rich(key string, args ...any) template.HTML {
	escaped := template.HTMLEscapeString(w.format(key, args))
	return template.HTML(ruby.ReplaceAllString(escaped, "<ruby>$1<rp>（</rp><rt>$2</rt><rp>）</rp></ruby>"))
}

// view fills in what the page may show to this visitor: names only behind the launch.
func (e *entrance) view(r *http.Request, page string) *view {
	v := &view{W: e.words[language(r)], Page: page, Visitor: From(r.Context()), Pending: e.c.Pending(), LAN: e.lan}
	switch page {
	case "sign-in", "stale":
		v.Office, v.Operators, v.Chosen = e.c.Office(), e.c.Operators.All(), e.lastOperator(r)
	case "operators":
		v.Office, v.Operators = e.c.Office(), e.c.Operators.All()
	case "devices":
		v.Office, v.Fingerprint = e.c.Office(), e.c.LAN.Fingerprint()
		v.Devices, v.Waiting = e.listed()
	case "pair":
		v.Fingerprint = e.c.LAN.Fingerprint()
	}
	return v
}

// lastOperator is whom the sign-in offers first: who was there before.
func (e *entrance) lastOperator(r *http.Request) string {
	cookie, err := r.Cookie(e.sessionName())
	if err != nil {
		return ""
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if s, ok := e.sessions[hashOf(cookie.Value)]; ok {
		return s.Last
	}
	return ""
}

// language is the one asked for here, or the one that the desk remembers.
func language(r *http.Request) notice.Language {
	asked := []notice.Language{notice.Language(r.URL.Query().Get("lang"))}
	if c, err := r.Cookie("lang"); err == nil {
		asked = append(asked, notice.Language(c.Value))
	}
	for _, l := range asked {
		if slices.Contains(notice.Languages(), l) {
			return l
		}
	}
	return notice.Japanese
}

// show answers with a whole page, and to a part of a page with the overlay alone.
func (e *entrance) show(w http.ResponseWriter, r *http.Request, status int, v *view) {
	name := "page"
	if r.Header.Get("HX-Request") == "true" {
		name = "overlay"
	}
	e.part(w, r, status, name, v)
}

func (e *entrance) part(w http.ResponseWriter, r *http.Request, status int, name string, v *view) {
	if lang := notice.Language(r.URL.Query().Get("lang")); slices.Contains(notice.Languages(), lang) {
		e.cookie(w, "lang", string(lang), deviceLife)
	}
	page, err := e.pages.Clone()
	if err == nil {
		var out bytes.Buffer
		if err = page.Funcs(v.W.funcs()).ExecuteTemplate(&out, name, v); err == nil {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(status)
			_, _ = out.WriteTo(w)
			return
		}
	}
	e.c.Log.Error("a page of the door cannot be written", "error", err)
	http.Error(w, "cannot do this now; try again", http.StatusInternalServerError)
}

// file serves the door's own script and style.
func (e *entrance) file(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, files, "static/"+r.PathValue("file"))
}

// ascii writes what is not ASCII in JSON as escapes.
func ascii(s string) string {
	var out strings.Builder
	for _, c := range s {
		if c < 0x80 {
			out.WriteRune(c)
			continue
		}
		for _, unit := range utf16.Encode([]rune{c}) {
			out.WriteString(`\u`)
			out.WriteString(strings.Repeat("0", 4-len(strconv.FormatInt(int64(unit), 16))))
			out.WriteString(strconv.FormatInt(int64(unit), 16))
		}
	}
	return out.String()
}
