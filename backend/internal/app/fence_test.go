package app

import (
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/fence"
	"madoguchi.example/backend/internal/httpapi"
	"madoguchi.example/backend/internal/observe"
)

// fenced is a house with all its faces whose store was just adopted.
func fenced(t *testing.T) (*house, *httpapi.Server) {
	t.Helper()
	_, file := site(t, "")
	if _, err := run(t, "keys", "list", "--config", file); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, "restore", "--adopt", "--config", file); err != nil {
		t.Fatal(err)
	}
	p, h := homeOf(t, file, io.Discard)
	server, err := h.server(p, observe.New())
	if err != nil {
		t.Fatal(err)
	}
	return h, server
}

// alike are the files that are the same for everybody.
var alike = map[string]bool{"GET /app/*": true, "HEAD /app/*": true, "GET /wallet/assets/*": true, "HEAD /wallet/assets/*": true,
	"GET /office/assets/*": true, "HEAD /office/assets/*": true}

// Every route and every kind of job says on which side it is, and the table names nothing
// that is not there.
func TestEverythingIsDeclaredOutwardOrInward(t *testing.T) {
	h, server := fenced(t)
	var there []string
	for _, r := range server.Routes() {
		name, ok := fence.DeclaredBy(r.Method, r.Path)
		if !ok {
			t.Errorf("%s %s is declared neither outward nor inward: see fence/table.go", r.Method, r.Path)
		}
		there = append(there, name)
	}
	for _, name := range fence.DeclaredRoutes() {
		if side, _ := fence.DeclaredRoute(strings.Split(name, " ")[0], strings.Split(name, " ")[1]); side == fence.Inward && strings.HasSuffix(name, "*") && !alike[name] {
			t.Errorf("fence/table.go takes all of %s for inward: declare each route", name)
		}
		if !slices.Contains(there, name) {
			t.Errorf("fence/table.go declares %s, which is no route", name)
		}
	}
	if err := h.handlers(); err != nil {
		t.Fatal(err)
	}
	kinds := h.jobs.Kinds()
	for _, kind := range kinds {
		if _, ok := fence.DeclaredJob(kind); !ok {
			t.Errorf("the job %s is declared neither outward nor inward: see fence/table.go", kind)
		}
	}
	for _, kind := range fence.DeclaredJobs() {
		if !slices.Contains(kinds, kind) {
			t.Errorf("fence/table.go declares the job %s, which nobody handles", kind)
		}
	}
	t.Logf("%d routes, %d jobs", len(there), len(kinds))
}

// transfers names the packages that write or read which lists left the house, with the route
// or job by which they do. Who makes a transfer file joins here.
var transfers = map[string]string{"store/fence": ""} // by the command that lifts the fence

// Whatever sends payments out knows of the lists that left, and waits for the fence.
func TestWhatSendsPaymentsOutIsOutward(t *testing.T) {
	seen := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(raw, []byte("payment_export")) {
			return err
		}
		seen++
		by, known := transfers[strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../")]
		if !known {
			t.Errorf("%s sends payments out: name its route or job here, and declare it outward", path)
		}
		if method, route, isRoute := strings.Cut(by, " "); isRoute && fence.RouteSide(method, route) != fence.Outward || by != "" && !isRoute && fence.JobSide(by) != fence.Outward {
			t.Errorf("%s is not declared outward", by)
		}
		return nil
	})
	if err != nil || seen == 0 {
		t.Errorf("%d files, %v", seen, err)
	}
}

// While the fence stands each outward route is refused, with the reason and before anybody
// is asked for; each inward one answers as always. After it has lifted nothing is refused.
func TestTheFenceRefusesEachOutwardRoute(t *testing.T) {
	h, server := fenced(t)
	ctx := t.Context()
	base, _ := serving(t, server)
	ask := func(r httpapi.Route) bool { return refused(t, base, r) }
	outward := 0
	for _, r := range server.Routes() {
		want := fence.RouteSide(r.Method, r.Path) == fence.Outward
		if got := ask(r); got != want {
			t.Errorf("%s %s: refused %v, want %v", r.Method, r.Path, got, want)
		}
		if want {
			outward++
		}
	}
	for _, kind := range []string{"push_send", "award_run", "payer_answer", "a_kind_that_nobody_declared"} {
		if !h.fence.HoldsJob(ctx, kind) {
			t.Errorf("the job %s is not held", kind)
		}
	}
	if h.fence.HoldsJob(ctx, "child_indicate") {
		t.Error("an inward job is held")
	}
	if _, err := h.fence.Reconcile(ctx, fence.Decision{By: "test", Pushes: fence.Kept}); err != nil {
		t.Fatal(err)
	}
	for _, r := range server.Routes() {
		if ask(r) {
			t.Errorf("%s %s is refused after the fence has lifted", r.Method, r.Path)
		}
	}
	t.Logf("%d of %d routes are outward", outward, len(server.Routes()))
}

// An officer is told in words why the console refuses.
func TestOfficersReadWhyTheConsoleRefuses(t *testing.T) {
	_, server := fenced(t)
	base, _ := serving(t, server)
	route := httpapi.Route{Method: http.MethodPost, Path: "/office/benefits/lists/{id}/approve"}
	status, page := hit(t, base, route, "application/x-www-form-urlencoded", "")
	if status != http.StatusServiceUnavailable || !strings.Contains(page, "復元したあとの照合") {
		t.Errorf("status %d, page %s", status, page)
	}
}

// refused tells whether the route answers that the store was restored.
func refused(t *testing.T, base string, r httpapi.Route) bool {
	t.Helper()
	status, answer := hit(t, base, r, "application/json", "")
	return status == http.StatusServiceUnavailable && (r.Method == http.MethodHead || // without a body
		strings.Contains(answer, `"code":"restored"`) || strings.Contains(answer, "復元したあとの照合") || strings.HasPrefix(r.Path, "/wallet/"))
}

// A program under which the store was restored, or whose file was replaced, takes nothing in
// and gives nothing out: what it was sent might be lost, and it would tell terminals of a life
// that is over. It lives, and is not ready.
func TestAProgramOfALifeThatIsOverDoesNothing(t *testing.T) {
	for name, restore := range map[string]func(t *testing.T, file, db string){
		"adopted": func(t *testing.T, file, _ string) {
			if _, err := run(t, "restore", "--adopt", "--config", file); err != nil {
				t.Fatal(err)
			}
		},
		"replaced": func(t *testing.T, _, db string) {
			if err := os.Rename(db, db+".broken"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, file := site(t, "")
			p, h := homeOf(t, file, io.Discard)
			server, err := h.server(p, observe.New())
			if err != nil {
				t.Fatal(err)
			}
			base, _ := serving(t, server)
			for _, over := range []bool{false, true} {
				for _, r := range server.Routes() {
					health := r.Path == "/livez" || r.Path == "/readyz"
					if got := refused(t, base, r); got != (over && !health) {
						t.Errorf("over %v: %s %s: refused %v", over, r.Method, r.Path, got)
					}
				}
				if !over {
					restore(t, file, filepath.Join(dir, "m.db"))
					h.fence.Forget()
				}
			}
			for path, want := range map[string]int{"/livez": http.StatusOK, "/readyz": http.StatusServiceUnavailable} {
				if status, _ := hit(t, base, httpapi.Route{Method: http.MethodGet, Path: path}, "", ""); status != want {
					t.Errorf("%s: %d", path, status)
				}
			}
			for _, kind := range fence.DeclaredJobs() {
				if !h.fence.HoldsJob(t.Context(), kind) {
					t.Errorf("the job %s goes on", kind)
				}
			}
		})
	}
}
