package app

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/config"
	"madoguchi.example/backend/internal/fence"
	"madoguchi.example/backend/internal/httpapi"
	"madoguchi.example/backend/internal/observe"
)

// fenced is a house with all its faces whose store was just adopted.
func fenced(t *testing.T) (*house, *httpapi.Server) {
	t.Helper()
	_, file := site(t, "")
	if _, err := run(t, "migrate", "--config", file); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, "restore", "--adopt", "--config", file); err != nil {
		t.Fatal(err)
	}
	p := &program{getenv: func(string) string { return "" }, stdout: io.Discard, stderr: io.Discard, now: time.Now, rand: rand.Reader}
	c, err := p.load(file, config.Config.Validate)
	if err != nil {
		t.Fatal(err)
	}
	h, err := p.open(t.Context(), c, p.logger(c))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.close)
	server, err := h.server(p, observe.New())
	if err != nil {
		t.Fatal(err)
	}
	return h, server
}

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

// While the fence stands each outward route is refused, with the reason and before anybody
// is asked for; each inward one answers as always. After it has lifted nothing is refused.
func TestTheFenceRefusesEachOutwardRoute(t *testing.T) {
	h, server := fenced(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, ln) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	ask := func(r httpapi.Route) bool {
		status, answer := hit(t, "http://"+ln.Addr().String(), r, "application/json", "")
		held := status == http.StatusServiceUnavailable && (strings.Contains(answer, `"reason":"restored"`) || strings.Contains(answer, "復元したあとの照合") || strings.HasPrefix(r.Path, "/wallet/"))
		return held
	}
	refused, outward := 0, 0
	for _, r := range server.Routes() {
		want := fence.RouteSide(r.Method, r.Path) == fence.Outward
		if got := ask(r); got != want {
			t.Errorf("%s %s: refused %v, want %v", r.Method, r.Path, got, want)
		}
		if want {
			outward++
		}
	}
	for _, kind := range []string{"push_send", "award_run", "a_kind_that_nobody_declared"} {
		if !h.fence.HoldsJob(ctx, kind) {
			t.Errorf("the job %s is not held", kind)
		}
	}
	if h.fence.HoldsJob(ctx, "payer_answer") {
		t.Error("terminals get no answers")
	}
	if _, err := h.fence.Reconcile(ctx, fence.Decision{By: "test", Pushes: fence.Kept}); err != nil {
		t.Fatal(err)
	}
	for _, r := range server.Routes() {
		if ask(r) {
			refused++
			t.Errorf("%s %s is refused after the fence has lifted", r.Method, r.Path)
		}
	}
	t.Logf("%d of %d routes are outward", outward, len(server.Routes()))
}

// An officer is told in words why the console refuses.
func TestOfficersReadWhyTheConsoleRefuses(t *testing.T) {
	_, server := fenced(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, ln) }()
	route := httpapi.Route{Method: http.MethodPost, Path: "/office/benefits/lists/{id}/approve"}
	status, page := hit(t, "http://"+ln.Addr().String(), route, "application/x-www-form-urlencoded", "")
	if status != http.StatusServiceUnavailable || !strings.Contains(page, "復元したあとの照合") {
		t.Errorf("status %d, page %s", status, page)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
