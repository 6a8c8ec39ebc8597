package office_test

import (
	"context"
	"crypto/rand"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/office"
	"madoguchi.example/backend/internal/office/officetest"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/notice"
)

// policy is what the pages have to live with, as httpapi sends it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// staff pages by method and path. The routes and their roles are httpapi's; these tests
// are about what stands on a page and can be done there.
func pages(o *office.Office) map[string]func(context.Context, actor.Staff, office.Request) (office.Page, error) {
	const b, c, p, z = "/office/benefits", "/office/children", "/office/protection", "/office/certificates"
	return map[string]func(context.Context, actor.Staff, office.Request) (office.Page, error){
		"GET /office/": o.Today,
		"GET " + b:     o.RunList, "GET " + b + "/new": o.NewRun, "POST " + b + "/runs": o.DraftRun,
		"GET " + b + "/runs/{id}": o.RunPage, "GET " + b + "/runs/{id}/progress": o.RunProgress, "GET " + b + "/runs/{id}/awards": o.AwardList,
		"GET " + b + "/runs/{id}/questions": o.QuestionList, "POST " + b + "/runs/{id}/act": o.ActOnRun, "POST " + b + "/runs/{id}/list": o.Propose,
		"GET " + b + "/awards/{id}": o.AwardPage, "POST " + b + "/awards/{id}/letter": o.RecordLetter, "POST " + b + "/awards/{id}/refusal": o.RecordRefusal,
		"GET " + b + "/lists/{id}": o.ListPage, "POST " + b + "/lists/{id}/approve": o.ApproveList, "POST " + b + "/lists/{id}/return": o.ReturnList,
		"GET " + c: o.CaseList, "GET " + c + "/erasures": o.ErasureList, "GET " + c + "/cases/{id}": o.CasePage,
		"POST " + c + "/cases/{id}/assess": o.AssessCase, "POST " + c + "/cases/{id}/approve": o.ApproveContact,
		"POST " + c + "/cases/{id}/return": o.ReturnCase, "POST " + c + "/cases/{id}/close": o.CloseCase,
		"GET " + z: o.CertificatesPage, "POST " + z + "/find": o.FindPaper, "GET " + z + "/corrections/{id}": o.CorrectionPage,
		"POST " + z + "/corrections/{id}/answer": o.AnswerCorrection, "GET " + z + "/papers/{id}": o.PaperPage, "POST " + z + "/papers/{id}/revoke": o.RevokePaper,
		"GET " + p: o.ProtectionPage, "GET " + p + "/withheld/{id}": o.WithheldPage, "POST " + p + "/withheld/{id}": o.Settle,
		"POST " + p + "/flags": o.SetFlag, "POST " + p + "/flags/lift": o.LiftFlag,
	}
}

// everyRole is an officer who may do everything.
var everyRole = actor.Staff{ID: "stf_1", Name: officetest.LongName, Municipality: "990019", Roles: actor.Roles()}

func officer(roles ...actor.Role) actor.Staff {
	return actor.Staff{ID: "stf_1", Name: officetest.LongName, Municipality: "990019", Roles: roles}
}

// console makes the console of a canned municipality.
func console(t *testing.T, c *officetest.Canned) *office.Office {
	t.Helper()
	o, err := office.New(office.Parts{
		Benefits: c.Benefits(), Children: c.Children(), Protection: c.Protection(), Certificates: c.Certificates(), Approvals: c, Names: c,
		Log: slog.New(slog.NewJSONHandler(io.Discard, nil)), Now: func() time.Time { return officetest.Now },
		IDs: handle.Source{Now: func() time.Time { return officetest.Now }, Rand: rand.Reader},
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// desk is a served console.
type desk struct {
	*httptest.Server
	mu  sync.Mutex
	who actor.Staff
}

func (d *desk) staff() actor.Staff {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.who
}

// now lets another officer sit down.
func (d *desk) now(who actor.Staff) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.who = who
}

func serve(t *testing.T, o *office.Office, who actor.Staff) *desk {
	t.Helper()
	assets, err := office.Assets()
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{who: who}
	mux := http.NewServeMux()
	mux.Handle("GET /office/assets/", http.StripPrefix("/office/assets/", noCache(assets)))
	mux.HandleFunc("POST /office/language", func(w http.ResponseWriter, r *http.Request) {
		in := requestOf(t, r, "/office/language", "")
		page, err := o.ChooseLanguage(r.Context(), actor.Anyone{}, in)
		answer(t, w, o, in, page, err)
	})
	for route, page := range pages(o) {
		_, path, _ := strings.Cut(route, " ")
		pattern := route
		if path == "/office/" {
			pattern += "{$}"
		}
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			in := requestOf(t, r, path, r.PathValue("id"))
			out, err := page(r.Context(), d.staff(), in)
			answer(t, w, o, in, out, err)
		})
	}
	d.Server = httptest.NewServer(mux)
	t.Cleanup(d.Close)
	return d
}

func noCache(files fs.FS) http.Handler { return http.FileServerFS(files) }

func requestOf(t *testing.T, r *http.Request, path, id string) office.Request {
	in := office.Request{Method: r.Method, Path: path, Param: map[string]string{}, Query: r.URL.Query(), Cookie: map[string]string{},
		Accept: r.Header.Get("Accept-Language"), Partial: r.Header.Get("HX-Request") == "true"}
	if id != "" {
		in.Param["id"] = id
	}
	for _, c := range r.Cookies() {
		in.Cookie[c.Name] = c.Value
	}
	if r.Method != http.MethodGet {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		in.Form = r.PostForm
	}
	return in
}

func answer(t *testing.T, w http.ResponseWriter, o *office.Office, in office.Request, page office.Page, err error) {
	if err != nil {
		status := map[fault.Code]int{fault.NotFound: 404, fault.Forbidden: 403, fault.InvalidArgument: 400, fault.Conflict: 409}[fault.CodeOf(err)]
		if status == 0 {
			t.Errorf("%s %s: %v", in.Method, in.Path, err)
			status = 500
		}
		page = o.Failed(in, status, fault.CodeOf(err), "trace")
	}
	for _, c := range page.Cookies {
		http.SetCookie(w, c)
	}
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if page.Location != "" {
		w.Header().Set("Location", page.Location)
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	if page.Status != 0 {
		w.WriteHeader(page.Status)
	}
	_, _ = w.Write(page.HTML)
}

// get asks for one page without a server.
func get(t *testing.T, o *office.Office, who actor.Staff, path string, l notice.Language) string {
	t.Helper()
	return string(ask(t, o, who, "GET", path, nil, l).HTML)
}
