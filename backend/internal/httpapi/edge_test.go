package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/mobile-api/apiv1"
	"madoguchi.example/shared/fault"
)

// stub binds an operation to a handler that answers nothing.
func stub[I, O, A any](op apiv1.Op[I, O], rule Rule[A]) Route {
	return Bind(op, rule, func(context.Context, A, *I) (*O, error) { return new(O), nil })
}

// everyOperation binds the whole contract.
func everyOperation() []Route {
	return []Route{
		stub(apiv1.StartSignIn, Public), stub(apiv1.FinishSignIn, Public), stub(apiv1.RefreshToken, Public),
		stub(apiv1.SignOut, CitizenOnly), stub(apiv1.GetMe, CitizenOnly),
		stub(apiv1.IssueCert, CitizenOnly), stub(apiv1.ListCerts, CitizenOnly), stub(apiv1.OfferToWallet, CitizenOnly),
		stub(apiv1.AskCorrection, CitizenOnly), stub(apiv1.ListCorrections, CitizenOnly),
		stub(apiv1.ListNotice, CitizenOnly), stub(apiv1.GetNotice, CitizenOnly), stub(apiv1.ReadNotice, CitizenOnly),
		stub(apiv1.ListBenefit, CitizenOnly), stub(apiv1.GetBenefit, CitizenOnly), stub(apiv1.Refuse, CitizenOnly),
		stub(apiv1.ListOffer, CitizenOnly), stub(apiv1.GetOffer, CitizenOnly), stub(apiv1.Answer, CitizenOnly),
		stub(apiv1.ResolvePush, CitizenOnly), stub(apiv1.PutDevice, CitizenOnly), stub(apiv1.DeleteDevice, CitizenOnly),
		stub(apiv1.ListAccesses, CitizenOnly),
	}
}

// everyRoute is the contract, the console, health, a raw route that fails with its input
// in the error, and one that panics with it.
func everyRoute(t *testing.T) ([]Route, func(*Config)) {
	t.Helper()
	pages, change := officeRoutes(t, 3)
	app, err := AppRoutes()
	if err != nil {
		t.Fatal(err)
	}
	routes := slices.Concat(everyOperation(), pages, app, HealthRoutes(func(context.Context) error { return nil }))
	return append(routes,
		Raw(http.MethodPost, "/terminal/v1/bytes", TerminalOnly, func(context.Context, actor.Terminal, Request) (Response, error) {
			return Response{}, nil
		}),
		Raw(http.MethodPost, "/panics", Public, func(_ context.Context, _ actor.Anyone, in Request) (Response, error) {
			panic(string(in.Body) + in.Header.Get("X-Any"))
		}),
		Raw(http.MethodGet, "/fails/{what}", Public, func(_ context.Context, _ actor.Anyone, in Request) (Response, error) {
			return Response{}, fault.At(fault.InvalidArgument, "path.what", "what is wrong")
		}),
	), change
}

// A route table and what Fiber serves are the same; every operation is bound once.
func TestRouteTable(t *testing.T) {
	routes, change := everyRoute(t)
	s := serve(t, io.Discard, change, routes...)
	var want, got []string
	for _, r := range s.Routes() {
		want = append(want, r.Method+" "+fiberPath(r.Path))
		if r.Rule == "" {
			t.Errorf("%s %s has no rule", r.Method, r.Path)
		}
	}
	for _, r := range s.app.GetRoutes(true) {
		got = append(got, r.Method+" "+r.Path)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		t.Errorf("the table has\n%s\nFiber serves\n%s", strings.Join(want, "\n"), strings.Join(got, "\n"))
	}
	if missing := Unbound(s.Routes()); len(missing) > 0 {
		t.Errorf("not bound once: %v", missing)
	}
	if missing := Unbound(routes[1:]); len(missing) != 1 {
		t.Errorf("a missing operation was not noticed: %v", missing)
	}
}

// The document of the running server is the committed one's text.
func TestDocumentIsTheServers(t *testing.T) {
	s := serve(t, io.Discard, nil, everyOperation()...)
	got, err := s.Document()
	if err != nil {
		t.Fatal(err)
	}
	want, err := apiv1.Document()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the server's document differs from the contract's")
	}
}

func TestZeroRulePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a route without a rule was made")
		}
	}()
	stub(apiv1.GetMe, Rule[actor.Citizen]{})
}

const seeded = "himitsu7391x"

type hostile struct {
	name   string
	change func(r *http.Request)
	body   string
	kind   string
}

func hostiles() []hostile {
	many := func(n int) string { return strings.Repeat(seeded, n) }
	out := []hostile{
		{name: "unknown field", body: `{"` + seeded + `":"` + seeded + `"}`},
		{name: "seed everywhere", body: `{"binding":"` + seeded + `","language":"` + seeded + `","code":["` + seeded + `"],"state":{"` + seeded + `":1},"secret":"` + seeded + `","person":"` + seeded + `","use":"` + seeded + `","transport":"` + seeded + `","token":"` + seeded + `","refresh_token":"` + seeded + `"}`},
		{name: "other case", body: `{"BINDING":"` + seeded + `","Language":"` + seeded + `"}`},
		{name: "twice", body: `{"binding":"a","binding":"` + seeded + `"}`},
		{name: "wrong type", body: `["` + seeded + `"]`},
		{name: "text", body: `"` + seeded + `"`},
		{name: "truncated", body: `{"binding":"` + seeded},
		{name: "not JSON", body: seeded + "\x00\xff"},
		{name: "index", body: `{"tags[123456789018]":"` + seeded + `"}`},
		{name: "deep", body: strings.Repeat(`{"`+seeded+`":`, 200) + "1" + strings.Repeat("}", 200)},
		{name: "large", body: `{"binding":"` + many(10_000) + `"}`},
		{name: "empty", body: ""},
		{name: "form", body: "kind=" + seeded + "&title_ja=" + seeded + "&refs=" + seeded + "%zz", kind: "application/x-www-form-urlencoded"},
		{name: "bad form", body: seeded + "=%" + seeded, kind: "application/x-www-form-urlencoded"},
		{name: "multipart", body: "--b\r\nContent-Disposition: form-data; name=\"" + seeded + "\"\r\n\r\n" + seeded, kind: "multipart/form-data; boundary=b"},
		{name: "other JSON", body: `{"a":"` + seeded + `"}`, kind: "application/x+json"},
		{name: "seeded type", body: "{}", kind: "application/" + seeded},
		{name: "cbor", body: "\xa1\x61a\x6c" + seeded, kind: "application/cbor"},
		{name: "query", body: "{}", change: func(r *http.Request) {
			r.URL.RawQuery = seeded + "=" + seeded + "&limit=" + seeded + "&cursor=" + seeded + "&code=" + seeded + "&state=" + seeded
		}},
		{name: "bad query", body: "{}", change: func(r *http.Request) { r.URL.RawQuery = "limit=%zz" + seeded }},
		{name: "path", body: "{}", change: func(r *http.Request) { r.URL.Path += "/" + seeded }},
		{name: "encoding", body: "{}", change: func(r *http.Request) { r.Header.Set("Content-Encoding", seeded) }},
		{name: "accept", body: "{}", change: func(r *http.Request) { r.Header.Set("Accept", "text/"+seeded) }},
		{name: "method", body: "{}", change: func(r *http.Request) { r.Method = "HIMITSU7391X" }},
		{name: "wrong method", body: "{}", change: func(r *http.Request) { r.Method = "PATCH" }},
		{name: "two authorizations", body: "{}", change: func(r *http.Request) { r.Header.Add("Authorization", "Bearer "+seeded) }},
		{name: "basic", body: "{}", change: func(r *http.Request) { r.Header.Set("Authorization", "Basic "+seeded) }},
		{name: "no credential", body: "{}", change: func(r *http.Request) { r.Header.Del("Authorization"); r.Header.Del("Cookie") }},
	}
	for _, h := range []string{"Idempotency-Key", "If-None-Match", "Origin", "Referer", "Accept-Language", "DPoP", "X-Any",
		"X-Forwarded-For", "X-Request-Id", "Sec-Fetch-Site", "Range", "Cookie", "Host", "HX-Request"} {
		out = append(out, hostile{name: "header " + h, body: "{}", change: func(r *http.Request) {
			r.Header.Set(h, seeded)
			if h == "Host" {
				r.Host = seeded
			}
		}})
	}
	return out
}

// lockedBuffer is a log that many goroutines write.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// Whatever is sent to whatever route, no error answer and no log line repeats it, no
// answer is a failure of ours, and the server stays up.
func TestNothingIsEchoed(t *testing.T) {
	routes, change := everyRoute(t)
	var log lockedBuffer
	s := serve(t, &log, change, routes...)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	n := 0
	for _, r := range routes {
		if r.Method == http.MethodHead || strings.Contains(r.Path, "/assets/") {
			continue
		}
		for _, h := range hostiles() {
			status, answer := send(t, client, s.base, r, h)
			n++
			for _, seed := range []string{seeded, strings.ToUpper(seeded), "123456789018"} {
				if status >= 400 && strings.Contains(answer, seed) && !shownBack(r, h) {
					t.Errorf("%s %s, %s: the answer repeats what was sent:\n%s", r.Method, r.Path, h.name, answer)
				}
			}
			if status >= 500 && r.Path != "/panics" && status != http.StatusNotImplemented {
				t.Errorf("%s %s, %s: status %d", r.Method, r.Path, h.name, status)
			}
		}
	}
	for _, seed := range []string{seeded, strings.ToUpper(seeded), "123456789018"} {
		if at := strings.Index(log.String(), seed); at >= 0 {
			t.Errorf("the log repeats what was sent: …%s…", log.String()[max(0, at-200):at+20])
		}
	}
	if resp, err := client.Get(s.base + "/livez"); err != nil || resp.StatusCode != http.StatusOK {
		t.Error("the server is not up any more")
	}
	t.Logf("%d hostile requests to %d routes", n, len(routes))
}

// shownBack: a form of the console comes back to the officer who filled it in, with what
// they wrote: that is no error answer but the form itself.
func shownBack(r Route, h hostile) bool {
	return strings.HasPrefix(r.Path, "/office/") && h.kind == "application/x-www-form-urlencoded"
}

func send(t *testing.T, client *http.Client, base string, route Route, h hostile) (int, string) {
	t.Helper()
	path := strings.NewReplacer("{id}", "ntc_"+seeded+"0000000000000", "{handle}", "psh_"+seeded, "{device}", seeded+"%20"+seeded, "{what}", seeded).Replace(route.Path)
	req, err := http.NewRequest(route.Method, base+path, strings.NewReader(h.body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+seeded)
	req.Header.Set("Cookie", SessionCookie+"="+seeded)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	req.Header.Set("Content-Type", "application/json")
	if h.kind != "" {
		req.Header.Set("Content-Type", h.kind)
	}
	if h.change != nil {
		h.change(req)
	}
	resp, err := client.Do(req)
	if err != nil {
		if h.name == "large" {
			return 0, "" // the server may close before all was sent
		}
		t.Fatalf("%s %s, %s: %v", route.Method, route.Path, h.name, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, fmt.Sprint(resp.Header) + string(body)
}

// Requests that net/http would not send: they get an answer without an echo, or none.
func TestBrokenRequests(t *testing.T) {
	var log lockedBuffer
	s := serve(t, &log, nil, everyOperation()...)
	for name, raw := range map[string]string{
		"no protocol":     "GET /" + seeded + "\r\n\r\n",
		"unknown method":  "HIMITSU7391X /v1/me HTTP/1.1\r\nHost: x\r\n\r\n",
		"bad length":      "POST /v1/sign-in/start HTTP/1.1\r\nHost: x\r\nContent-Length: " + seeded + "\r\n\r\n",
		"too long":        "POST /v1/sign-in/start HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n" + seeded,
		"large header":    "GET /v1/me HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat(seeded, 4000) + "\r\n\r\n",
		"bad chunk":       "POST /v1/sign-in/start HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + seeded + "\r\n",
		"NUL in the path": "GET /v1/" + seeded + "\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = io.WriteString(c, raw)
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
		answer, _ := io.ReadAll(bufio.NewReader(c)) // a reset is an answer too
		_ = c.Close()
		if low := strings.ToLower(string(answer)); strings.Contains(low, seeded) {
			t.Errorf("%s: the answer repeats what was sent:\n%s", name, answer)
		}
		if strings.HasPrefix(string(answer), "HTTP/1.1 200") {
			t.Errorf("%s: was accepted", name)
		}
	}
	if strings.Contains(strings.ToLower(log.String()), seeded) {
		t.Error("the log repeats what was sent")
	}
}

// A name in another case does not stand for the field (it would pass by the validator).
func TestValidationCannotBeBypassed(t *testing.T) {
	var seen string
	s := serve(t, io.Discard, nil, Bind(apiv1.StartSignIn, Public, func(_ context.Context, _ actor.Anyone, in *apiv1.SignInStart) (*apiv1.SignInStarted, error) {
		seen = in.Body.Binding
		return &apiv1.SignInStarted{}, nil
	}))
	good := strings.Repeat("A", 43)
	for _, body := range []string{
		`{"binding":"` + good + `","BINDING":"evil","language":"ja"}`,
		`{"binding":"evil","binding":"` + good + `","language":"ja"}`,
		`{"binding":"` + good + `","language":"ja"} {}`,
	} {
		if status := post(t, s.base+"/v1/sign-in/start", body); status < 400 {
			t.Errorf("%s: status %d, the handler saw %q", body, status, seen)
		}
	}
	if status := post(t, s.base+"/v1/sign-in/start", `{"binding":"`+good+`","language":"ja"}`); status != http.StatusOK {
		t.Errorf("a good body: status %d", status)
	}
}

func post(t *testing.T, url, body string) int {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// Strings that handlers keep stay as they were after later requests.
func TestKeptStringsStay(t *testing.T) {
	var mu sync.Mutex
	var kept, raws []string
	s := serve(t, io.Discard, nil,
		Bind(apiv1.GetNotice, CitizenOnly, func(_ context.Context, _ actor.Citizen, in *apiv1.ByNotice) (*apiv1.OneNotice, error) {
			mu.Lock()
			defer mu.Unlock()
			kept = append(kept, in.ID)
			return &apiv1.OneNotice{}, nil
		}),
		Raw(http.MethodPost, "/raw/{id}", Public, func(_ context.Context, _ actor.Anyone, in Request) (Response, error) {
			mu.Lock()
			defer mu.Unlock()
			raws = append(raws, in.Param["id"]+in.Query.Get("q")+in.Header.Get("X-Any")+string(in.Body))
			return Response{}, nil
		}))
	const n = 200
	for i := range n {
		id := fmt.Sprintf("ntc_%026d", i)
		r, _ := http.NewRequest("GET", s.base+"/v1/notices/"+id, nil)
		r.Header.Set("Authorization", "Bearer x")
		do(t, r)
		r, _ = http.NewRequest("POST", s.base+fmt.Sprintf("/raw/%03d?q=%03d", i, i), strings.NewReader(fmt.Sprintf("%03d", i)))
		r.Header.Set("X-Any", fmt.Sprintf("%03d", i))
		do(t, r)
	}
	for i := range n {
		if want := fmt.Sprintf("ntc_%026d", i); kept[i] != want {
			t.Fatalf("string %d became %q", i, kept[i])
		}
		if want := strings.Repeat(fmt.Sprintf("%03d", i), 4); raws[i] != want {
			t.Fatalf("raw string %d became %q", i, raws[i])
		}
	}
}

func do(t *testing.T, r *http.Request) *http.Response {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp
}

// A handler that does not look at its context is answered for at its deadline.
func TestDeadline(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	s := serve(t, io.Discard, func(c *Config) { c.LastMoment = time.Millisecond },
		Bind(apiv1.GetMe, CitizenOnly, func(context.Context, actor.Citizen, *apiv1.Nothing) (*apiv1.Me, error) {
			<-release
			return &apiv1.Me{}, nil
		}).Within(30*time.Millisecond))
	r, _ := http.NewRequest("GET", s.base+"/v1/me", nil)
	r.Header.Set("Authorization", "Bearer x")
	if resp := do(t, r); resp.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("status %d", resp.StatusCode)
	}
	if s.Abandoned() != 1 {
		t.Errorf("%d handlers are counted as left behind", s.Abandoned())
	}
}

// A server that is told to stop wakes a waiting handler, takes its answer, and closes
// even the connections that never asked anything.
func TestDrain(t *testing.T) {
	entered := make(chan struct{})
	s := serve(t, io.Discard, nil, Raw(http.MethodGet, "/wait", Public, func(ctx context.Context, _ actor.Anyone, _ Request) (Response, error) {
		close(entered)
		<-ctx.Done()
		return Response{Body: []byte("own answer")}, nil
	}).Within(time.Minute))
	silent, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	answered := make(chan string, 1)
	go func() {
		resp, err := http.Get(s.base + "/wait")
		if err != nil {
			answered <- err.Error()
			return
		}
		b, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		answered <- string(b)
	}()
	<-entered
	start := time.Now()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("stopping took %v", took)
	}
	if got := <-answered; got != "own answer" {
		t.Errorf("the waiting handler's caller got %q", got)
	}
	_ = silent.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := silent.Read(make([]byte, 1)); err == nil {
		t.Error("the silent connection is still open")
	}
	if _, err := net.DialTimeout("tcp", strings.TrimPrefix(s.base, "http://"), time.Second); err == nil {
		t.Error("the listener is still open")
	}
}

// Every code has a status, and the answer is a problem document with trace and counter.
func TestProblem(t *testing.T) {
	s := serve(t, io.Discard, nil, Raw(http.MethodGet, "/x", Public, func(context.Context, actor.Anyone, Request) (Response, error) {
		return Response{}, WithCounter(fault.New(fault.IdentityUnlinked, "go to the counter"), apiv1.Counter{Name: "市民課"})
	}))
	resp, err := http.Get(s.base + "/x")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var p apiv1.Problem
	if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 403 || p.Code != "identity_unlinked" || p.Counter == nil || p.Counter.Name != "市民課" ||
		p.Trace == "" || p.Trace != resp.Header.Get(fiber.HeaderXRequestID) || resp.Header.Get("Content-Type") != apiv1.ProblemType {
		t.Errorf("got %d %+v", resp.StatusCode, p)
	}
}

// A page is refused to another site's form, is kept by no cache and sends the visitor who
// is not signed in to the sign-in page.
func TestScreens(t *testing.T) {
	routes, change := officeRoutes(t, 3)
	s := serve(t, io.Discard, change, routes...)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ask := func(method, path, site, cookie string) *http.Response {
		r, _ := http.NewRequest(method, s.base+path, strings.NewReader("language=en&back=//evil.example/"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", site)
		r.Header.Set("Cookie", cookie)
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp
	}
	for _, site := range []string{"", "cross-site", "same-site", "none"} {
		if resp := ask("POST", "/office/language", site, ""); resp.StatusCode != http.StatusForbidden {
			t.Errorf("a form from %q: status %d", site, resp.StatusCode)
		}
	}
	resp := ask("POST", "/office/language", "same-origin", "")
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/office/" {
		t.Errorf("an own form: status %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	resp = ask("GET", "/office/", "", "")
	if resp.Header.Get("Location") != "/office/sign-in" {
		t.Errorf("not signed in: %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	resp = ask("GET", "/office/", "", SessionCookie+"=x")
	h := resp.Header
	if resp.StatusCode != 200 || h.Get("Cache-Control") != "no-store" || h.Get("Vary") != "HX-Request" ||
		strings.Contains(h.Get("Content-Security-Policy"), "unsafe") {
		t.Errorf("signed in: %d %v", resp.StatusCode, h)
	}
}

// Files: asked for again each time and answered 304 while unchanged, or kept for a year.
func TestFiles(t *testing.T) {
	routes, err := AppRoutes()
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, io.Discard, nil, routes...)
	resp, err := http.Get(s.base + "/app/")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 200 || resp.Header.Get("Cache-Control") != "no-cache" || resp.Header.Get("ETag") == "" {
		t.Errorf("index: %d %v", resp.StatusCode, resp.Header)
	}
	r, _ := http.NewRequest("GET", s.base+"/app/", nil)
	r.Header.Set("If-None-Match", resp.Header.Get("ETag"))
	if again := do(t, r); again.StatusCode != http.StatusNotModified {
		t.Errorf("index again: %d", again.StatusCode)
	}
	for _, route := range routes {
		if route.Method == http.MethodGet && strings.Contains(route.Path, "/assets/") {
			r, _ := http.NewRequest("HEAD", s.base+route.Path, nil)
			if head := do(t, r); head.StatusCode != 200 || !strings.Contains(head.Header.Get("Cache-Control"), "immutable") {
				t.Errorf("%s: %d %v", route.Path, head.StatusCode, head.Header)
			}
		}
	}
	r, _ = http.NewRequest("GET", s.base+"/app/certificates/crt_1", nil)
	if page := do(t, r); page.StatusCode != 200 {
		t.Errorf("a page of the app: %d", page.StatusCode)
	}
}
