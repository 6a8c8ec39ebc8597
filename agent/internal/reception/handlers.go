package reception

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"madoguchi.example/agent/internal/check"
	"madoguchi.example/agent/internal/door"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/notice"
)

// The tabs of the middle column.
const (
	tabCard     = "card"
	tabNumbers  = "numbers"
	tabScan     = "scan"
	tabFaces    = "faces"
	tabDeclare  = "declare"
	tabMonth    = "month"
	tabBookings = "bookings"
	tabHelp     = "help"
	tabOutbox   = "outbox" // opened from the bar: it is not one of a visit's
)

// tabsOf are the tabs that a terminal's class has.
func tabsOf(insurance bool) []string {
	if insurance {
		return []string{tabCard, tabNumbers, tabScan, tabFaces, tabDeclare, tabMonth, tabBookings, tabHelp}
	}
	return []string{tabCard, tabScan, tabHelp}
}

// page is the whole screen. ?case= opens one row in the result column.
func (s *server) page(w http.ResponseWriter, r *http.Request) {
	v := s.view(w, r)
	if id := r.URL.Query().Get("case"); id != "" && v.Insurance {
		if c, err := s.Desk.Case(r.Context(), id); err == nil {
			v.Case = &c
		}
	}
	s.open(r, v, r.URL.Query().Get("tab"))
	s.whole(w, r, http.StatusOK, v)
}

// act is one tab of the middle column.
func (s *server) act(w http.ResponseWriter, r *http.Request) {
	v := s.view(w, r)
	s.open(r, v, r.PathValue("tab"))
	s.answer(w, r, http.StatusOK, "act", v)
}

// part answers with one part that refreshes itself.
func (s *server) part(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := s.view(w, r)
		if name == "list" {
			s.list(r, v)
		}
		s.render(w, http.StatusOK, name, v)
	}
}

// by is who stands at the desk.
func by(r *http.Request) check.By {
	o := door.From(r.Context()).Operator
	return check.By{Operator: o.Name, OperatorID: o.ID}
}

// complain logs what kept an act from being done, where that is not the entry itself.
func (s *server) complain(what string, err error) {
	switch code := fault.CodeOf(err); code {
	case fault.InvalidArgument, fault.TooLarge, fault.MyNumberRefused, fault.Forbidden, fault.Conflict:
	default:
		s.Log.Error(what, "code", string(code), "error", err)
	}
}

// changeLanguage remembers the language and goes back to the screen.
func (s *server) changeLanguage(w http.ResponseWriter, r *http.Request) {
	if l := notice.Language(r.PostFormValue("lang")); slices.Contains(notice.Languages(), l) {
		http.SetCookie(w, languageCookie(l))
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func languageCookie(l notice.Language) *http.Cookie {
	return &http.Cookie{Name: "lang", Value: string(l), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode}
}

// language is the one asked for, remembered in a cookie.
func (s *server) language(w http.ResponseWriter, r *http.Request) notice.Language {
	asked := notice.Language(r.URL.Query().Get("lang"))
	if slices.Contains(notice.Languages(), asked) {
		http.SetCookie(w, languageCookie(asked))
		return asked
	}
	if c, err := r.Cookie("lang"); err == nil && slices.Contains(notice.Languages(), notice.Language(c.Value)) {
		return notice.Language(c.Value)
	}
	return notice.Japanese
}

func bodyFault(err error) error {
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return fault.Wrap(fault.TooLarge, err, "the form or picture is too large")
	}
	return fault.Wrap(fault.InvalidArgument, err, "the form cannot be read")
}

// statusOf translates a fault once, at this edge.
func statusOf(err error) int {
	switch fault.CodeOf(err) {
	case fault.InvalidArgument, fault.MyNumberRefused, fault.Unauthenticated:
		return http.StatusUnprocessableEntity
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.Conflict:
		return http.StatusConflict
	case fault.QueueFull, fault.Unavailable, fault.Unknown:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// fail says in the page's language what kept an act from being done, above what is there:
// nothing of a form is lost by it. It never repeats input.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	s.failIn(w, s.words[s.language(w, r)], err)
}

func (s *server) failIn(w http.ResponseWriter, words words, err error) {
	status := statusOf(err)
	if status == http.StatusInternalServerError {
		s.Log.Error("the desk failed", "error", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("HX-Reswap", "afterbegin")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<p class=\"general\" role=\"alert\" lang=%q>%s %s</p>\n", words.Lang, icons["refused"], words.rich(failedKey(err)))
}

// failedKey is the key of the words for an act that has no form to stand beside.
func failedKey(err error) string {
	switch fault.CodeOf(err) {
	case fault.TooLarge:
		return "e.too_large"
	case fault.InvalidArgument:
		return "e.unreadable"
	case fault.NotFound:
		return "e.gone"
	case fault.Forbidden:
		return "e.class"
	}
	return "e.now"
}
