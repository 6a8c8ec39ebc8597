package door_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"madoguchi.example/agent/internal/control"
	"madoguchi.example/agent/internal/door"
	"madoguchi.example/agent/internal/operator"
)

// secretName is a patient whom nobody without an operator may see.
const secretName = "カクレタロウ"

// shelf keeps values in memory and may be full.
type shelf struct {
	mu     sync.Mutex
	values map[string][]byte
	full   error
}

func (s *shelf) Each(_ context.Context, visit func(string, []byte) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range slices.Sorted(maps.Keys(s.values)) {
		if err := visit(k, s.values[k]); err != nil {
			return err
		}
	}
	return nil
}

func (s *shelf) PutAll(_ context.Context, values map[string][]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full != nil {
		return s.full
	}
	maps.Copy(s.values, values)
	return nil
}

func (s *shelf) Delete(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.values, key)
	return nil
}

func (s *shelf) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for k, v := range s.values {
		all = append(all, k+" "+string(v))
	}
	return strings.Join(all, "\n")
}

// stage is a desk with one list behind a door, on a real listener.
type stage struct {
	t                            *testing.T
	operators, sessions, devices *shelf
	lan                          door.LAN
	sweep                        time.Duration

	mu      sync.Mutex
	now     time.Time
	names   []string        // the desk's list
	seen    []door.Visitor  // who came through
	changed chan struct{}   // closed and made anew with each entry
	log     strings.Builder // what was logged

	book *operator.Book
	door *door.Door
	*httptest.Server
}

func newStage(t *testing.T, prepare ...func(*stage)) *stage {
	t.Helper()
	s := &stage{
		t: t, operators: &shelf{values: map[string][]byte{}}, sessions: &shelf{values: map[string][]byte{}}, devices: &shelf{values: map[string][]byte{}},
		now: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), names: []string{secretName}, changed: make(chan struct{}), sweep: time.Millisecond,
	}
	for _, f := range prepare {
		f(s)
	}
	s.open()
	return s
}

func (s *stage) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *stage) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func (s *stage) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

func (s *stage) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(b)
}

// open starts the agent's part, as after a restart.
func (s *stage) open() {
	s.t.Helper()
	var err error
	s.book, err = operator.Open(s.t.Context(), operator.Config{Shelf: s.operators, Now: s.clock, Rand: rand.Reader, First: []string{"受付１", "受付２"}, Rounds: 5})
	if err != nil {
		s.t.Fatal(err)
	}
	s.door, err = door.New(door.Config{
		Operators: s.book, Sessions: s.sessions, Devices: s.devices, LockAfter: 10 * time.Minute, Pending: func() int { return 7 },
		Office: func() string { return "架空診療所" }, LAN: s.lan, Now: s.clock, Rand: rand.Reader, Log: slog.New(slog.NewTextHandler(s, nil)), SweepEvery: s.sweep,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.door.Run(ctx) }()
	s.Server = httptest.NewServer(s.door.Wrap(s.desk()))
	server := s.Server
	s.t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		cancel()
		if err := <-ran; err != nil {
			s.t.Error(err)
		}
	})
}

// desk is a small one: a list, an entry, a stream.
func (s *stage) desk() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.list)
	mux.HandleFunc("GET /print", s.list)
	mux.HandleFunc("POST /checks", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.names = append(s.names, r.PostFormValue("label"))
		s.seen = append(s.seen, door.From(r.Context()))
		close(s.changed)
		s.changed = make(chan struct{})
		w.WriteHeader(http.StatusCreated)
	})
	mux.HandleFunc("POST /verify", func(w http.ResponseWriter, r *http.Request) {
		file, _, err := r.FormFile("file")
		if err != nil {
			http.Error(w, "no file", http.StatusBadRequest)
			return
		}
		text, _ := io.ReadAll(file)
		_, _ = fmt.Fprintf(w, "%d bytes", len(text))
	})
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for {
			s.mu.Lock()
			next := s.changed
			s.mu.Unlock()
			_, _ = io.WriteString(w, "retry: 50\nevent: changed\ndata: {}\n\n")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-next:
			case <-r.Context().Done():
				return
			}
		}
	})
	files := http.FileServer(http.Dir("../reception/assets"))
	mux.HandleFunc("GET /assets/test.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = io.WriteString(w, deskScript)
	})
	mux.Handle("GET /assets/", http.StripPrefix("/assets/", files))
	return mux
}

const deskScript = `"use strict";
const stream = new EventSource("/events");
const fresh = async () => {
  const r = await fetch("/", { headers: { "HX-Request": "true" } });
  if (!r.ok) return;
  const d = new DOMParser().parseFromString(await r.text(), "text/html");
  document.getElementById("list").replaceChildren(...d.getElementById("list").children);
};
stream.addEventListener("changed", () => fresh().catch(() => {}));
stream.addEventListener("locked", () => document.body.dispatchEvent(new Event("door-locked")));
`

func (s *stage) list(w http.ResponseWriter, r *http.Request) {
	v := door.From(r.Context())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, v)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, `<!doctype html><html lang="ja"><head><meta charset="utf-8"><title>受付</title>
<meta name="htmx-config" content='{"includeIndicatorStyles":false,"allowEval":false,"selfRequestsOnly":true,"responseHandling":[{"code":"...","swap":true}]}'>
<link rel="stylesheet" href="/assets/tokens.css"><link rel="stylesheet" href="/assets/desk.css"><link rel="stylesheet" href="/door/door.css">
<script src="/assets/htmx.min.js" defer></script><script src="/door/door.js" defer></script><script src="/assets/test.js" defer></script></head>
<body hx-headers='{"X-CSRF-Token":"%s"}'><main><h1>受付 <span id="who">%s</span></h1>
<section id="act"><form method="post" action="/checks" hx-post="/checks" hx-swap="none"><label for="label">氏名</label><input id="label" name="label"><button id="record">記録</button></form></section>
<ul id="list" class="personal">`, v.CSRF, html.EscapeString(v.Operator.Name))
	for _, n := range s.names {
		fmt.Fprintf(w, "<li>%s</li>", html.EscapeString(n))
	}
	_, _ = io.WriteString(w, `</ul></main><div id="door"></div></body></html>`)
}

// launched asks for a code as a program of the same person does.
func (s *stage) launched() door.Launch {
	s.t.Helper()
	acts := s.door.Acts(func() string { return s.URL })
	l, err := acts["launch"](s.t.Context(), control.Peer{}, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return l.(door.Launch)
}

// browser is a client that keeps cookies and follows nothing.
type browser struct {
	s       *stage
	base    string
	cookies map[string]string
	client  *http.Client
}

func (s *stage) browser() *browser {
	return &browser{s: s, base: s.URL, cookies: map[string]string{}, client: &http.Client{
		Transport: &http.Transport{}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is what came back.
type answer struct {
	status int
	body   string
	header http.Header
}

// do sends a request; header is pairs, "Host" among them.
func (b *browser) do(method, path string, form url.Values, header ...string) answer {
	b.s.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(b.s.t.Context(), method, b.base+path, body)
	if err != nil {
		b.s.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for k, v := range b.cookies {
		r.AddCookie(&http.Cookie{Name: k, Value: v})
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	return b.send(r)
}

func (b *browser) send(r *http.Request) answer {
	b.s.t.Helper()
	resp, err := b.client.Do(r)
	if err != nil {
		b.s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.s.t.Fatal(err)
	}
	for _, c := range resp.Cookies() {
		b.cookies[c.Name] = c.Value
	}
	return answer{resp.StatusCode, string(text), resp.Header}
}

func (b *browser) get(path string, header ...string) answer {
	b.s.t.Helper()
	return b.do(http.MethodGet, path, nil, header...)
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

func (b *browser) csrf() string {
	b.s.t.Helper()
	m := csrfField.FindStringSubmatch(b.get("/sign-in").body)
	if m == nil {
		b.s.t.Fatal("no token on the sign-in page")
	}
	return m[1]
}

// come launches and signs in, setting the PIN where there is none.
func (b *browser) come(id, pin string) *browser {
	b.s.t.Helper()
	if got := b.do(http.MethodPost, "/launch", url.Values{"code": {b.s.launched().Code}}); got.status != http.StatusSeeOther {
		b.s.t.Fatalf("launch: %d %s", got.status, got.body)
	}
	b.signIn(id, pin)
	return b
}

func (b *browser) signIn(id, pin string) {
	b.s.t.Helper()
	if got := b.do(http.MethodPost, "/sign-in", url.Values{"csrf": {b.csrf()}, "operator": {id}, "pin": {pin}, "again": {pin}}); got.status != http.StatusSeeOther {
		b.s.t.Fatalf("sign-in: %d %s", got.status, got.body)
	}
}

func needs(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("this test needs %s", what)
	}
	t.Skipf("this test needs %s", what)
}

// The whole way in: nothing before the code, only figures before the PIN, then the desk,
// which knows who is there.
func TestTheWayIn(t *testing.T) {
	s := newStage(t)
	b := s.browser()
	got := b.get("/")
	if got.status != http.StatusUnauthorized || !strings.Contains(got.body, `action="/launch"`) || !strings.Contains(got.body, "7件") {
		t.Errorf("%d %s", got.status, got.body)
	}
	for _, secret := range []string{secretName, "受付１", "架空診療所"} {
		if strings.Contains(got.body, secret) {
			t.Errorf("a stranger reads %s", secret)
		}
	}
	if got := b.do(http.MethodPost, "/launch", url.Values{"code": {s.launched().Code}}); got.status != http.StatusSeeOther || got.header.Get("Location") != "/" {
		t.Fatalf("%d %s", got.status, got.body)
	}
	got = b.get("/print?x=1")
	if got.status != http.StatusForbidden || strings.Contains(got.body, secretName) || !strings.Contains(got.body, "受付１") || !strings.Contains(got.body, `value="/print?x=1"`) {
		t.Errorf("before the PIN: %d %s", got.status, got.body)
	}
	got = b.do(http.MethodPost, "/sign-in", url.Values{"csrf": {b.csrf()}, "operator": {"op_2"}, "pin": {"2580"}, "again": {""}})
	if got.status != http.StatusConflict || !strings.Contains(got.body, `name="again"`) {
		t.Errorf("the first PIN is asked for twice: %d %s", got.status, got.body)
	}
	got = b.do(http.MethodPost, "/sign-in", url.Values{"csrf": {b.csrf()}, "operator": {"op_2"}, "pin": {"2580"}, "again": {"2581"}})
	if got.status != http.StatusUnprocessableEntity {
		t.Errorf("two PINs that differ: %d", got.status)
	}
	got = b.do(http.MethodPost, "/sign-in", url.Values{"csrf": {b.csrf()}, "operator": {"op_2"}, "pin": {"２５８０"}, "again": {"２５８０"}, "to": {"/print?x=1"}})
	if got.status != http.StatusSeeOther || got.header.Get("Location") != "/print?x=1" {
		t.Errorf("%d to %s", got.status, got.header.Get("Location"))
	}
	if got = b.get("/"); got.status != http.StatusOK || !strings.Contains(got.body, secretName) {
		t.Errorf("%d %s", got.status, got.body)
	}
	if v := s.seen[len(s.seen)-1]; v.Operator.ID != "op_2" || v.Operator.Name != "受付２" || v.Device != "" || !v.SignedIn || v.Locked || v.CSRF == "" {
		t.Errorf("the desk sees %+v", v)
	}
	for name, value := range b.cookies {
		if strings.Contains(s.sessions.String(), value) || strings.Contains(s.logged(), value) {
			t.Errorf("the cookie %s lies on the terminal in clear", name)
		}
	}
}

// Every answer forbids what a page of the desk does not need, whoever asks.
func TestEveryAnswerIsStrict(t *testing.T) {
	s := newStage(t)
	b := s.browser()
	in := s.browser().come("op_1", "2580")
	for _, got := range []answer{b.get("/"), b.get("/launch"), b.get("/assets/desk.css"), b.get("/x", "Host", "evil.example"), in.get("/"), in.get("/nowhere"), b.get("/door/door.js")} {
		csp := got.header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%d: policy %q", got.status, csp)
		}
		for name, want := range map[string]string{
			"Cross-Origin-Resource-Policy": "same-origin", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY", "Cache-Control": "no-store",
		} {
			if got.header.Get(name) != want {
				t.Errorf("%d: %s is %q", got.status, name, got.header.Get(name))
			}
		}
		if got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Error("another origin is let in")
		}
	}
	got := b.do(http.MethodPost, "/launch", url.Values{"code": {s.launched().Code}})
	cookie := got.header.Get("Set-Cookie")
	if !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Strict") || !strings.Contains(cookie, "Path=/;") || strings.Contains(cookie, "Domain") {
		t.Error(cookie)
	}
}

// A page elsewhere that rebinds its name to this machine reaches the listener, with its own
// name in Host and Origin, and gets nothing: neither a page, nor a file, nor an act.
func TestAReboundNameGetsNothing(t *testing.T) {
	s := newStage(t)
	b := s.browser().come("op_1", "2580")
	token := b.csrf()
	port := s.URL[strings.LastIndex(s.URL, ":"):]
	for _, host := range []string{"evil.example", "evil.example" + port, "127.0.0.1.evil.example" + port, "localhost.evil.example", "0.0.0.0" + port, "192.168.1.5", "[::ffff:127.0.0.1]" + port, "desk.localhost", "127.0.0.2", "127.1", "2130706433", "localhost.", "x"} {
		origin := "http://" + host
		for _, got := range []answer{
			b.get("/", "Host", host), b.get("/events", "Host", host), b.get("/assets/desk.css", "Host", host), b.get("/launch", "Host", host), b.get("/door/door.js", "Host", host),
			b.get("/", "Host", host, "Origin", origin, "Sec-Fetch-Site", "same-origin"),
			b.do(http.MethodPost, "/checks", url.Values{"label": {"x"}, "csrf": {token}}, "Host", host, "Origin", origin, "Sec-Fetch-Site", "same-origin"),
			b.do(http.MethodPost, "/launch", url.Values{"code": {s.launched().Code}}, "Host", host, "Origin", origin),
		} {
			if got.status != http.StatusMisdirectedRequest || strings.Contains(got.body, secretName) || got.header.Get("Set-Cookie") != "" {
				t.Errorf("%s: %d %s", host, got.status, got.body)
			}
		}
	}
	for _, host := range []string{"localhost", "127.0.0.1", "[::1]", "LOCALHOST:99", "[::1]:99"} {
		if got := b.get("/", "Host", host); got.status != http.StatusOK {
			t.Errorf("%s: %d", host, got.status)
		}
	}
	if len(s.names) != 1 {
		t.Errorf("something was recorded: %v", s.names)
	}
}

// What browsers say of another page's request, with the right cookie and even the right
// token: a link may lead here, and nothing else.
func TestAnotherPageGetsNothing(t *testing.T) {
	s := newStage(t)
	b := s.browser().come("op_1", "2580")
	form := url.Values{"label": {"x"}, "csrf": {b.csrf()}}
	for _, site := range []string{"cross-site", "same-site", "nonsense"} {
		for _, h := range [][]string{
			{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, {"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script"},
			{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, {"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"},
			{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "embed"}, {},
		} {
			for _, path := range []string{"/", "/events", "/assets/desk.css", "/door/door.js", "/operators", "/sign-in"} {
				if got := b.get(path, append(h, "Sec-Fetch-Site", site)...); got.status != http.StatusForbidden || strings.Contains(got.body, "受付") {
					t.Errorf("%s %s %v: %d", site, path, h, got.status)
				}
			}
		}
		for _, path := range []string{"/checks", "/lock", "/sign-in", "/operators", "/devices", "/awake", "/launch"} {
			if got := b.do(http.MethodPost, path, form, "Sec-Fetch-Site", site, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"); got.status != http.StatusForbidden {
				t.Errorf("%s POST %s: %d", site, path, got.status)
			}
		}
	}
	for _, origin := range []string{"http://evil.example", "null", "http://127.0.0.1:1", strings.Replace(s.URL, "http:", "https:", 1), "file://"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if got := b.do(method, "/checks", form, "Origin", origin); got.status != http.StatusForbidden {
				t.Errorf("%s from %s: %d", method, origin, got.status)
			}
		}
	}
	if got := b.get("/", "Upgrade", "websocket", "Connection", "Upgrade", "Sec-WebSocket-Key", "x", "Sec-WebSocket-Version", "13"); got.status != http.StatusForbidden {
		t.Errorf("an upgrade: %d", got.status)
	}
	if got := b.get("/", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"); got.status != http.StatusOK {
		t.Errorf("a link: %d", got.status)
	}
	if got := b.do(http.MethodPost, "/checks", form, "Origin", s.URL, "Sec-Fetch-Site", "same-origin"); got.status != http.StatusCreated {
		t.Errorf("the desk's own page: %d", got.status)
	}
	if got := b.do(http.MethodPost, "/checks", form, "Origin", "null", "Sec-Fetch-Site", "same-origin"); got.status != http.StatusCreated {
		t.Errorf("the desk's own page without a referrer: %d", got.status)
	}
	if len(s.names) != 3 {
		t.Errorf("recorded: %v", s.names)
	}
}

func TestUnsafeMethodsNeedTheSessionsToken(t *testing.T) {
	s := newStage(t)
	b, other := s.browser().come("op_1", "2580"), s.browser().come("op_1", "2580")
	mine := b.csrf()
	for name, token := range map[string]string{"none": "", "wrong": "x", "of another session": other.csrf()} {
		for _, path := range []string{"/checks", "/operators", "/lock", "/awake"} {
			if got := b.do(http.MethodPost, path, url.Values{"label": {"x"}, "csrf": {token}}); got.status != http.StatusForbidden {
				t.Errorf("%s, %s: %d", name, path, got.status)
			}
		}
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch, "TRACE", http.MethodOptions} {
		if got := b.do(method, "/checks", nil, "X-CSRF-Token", mine); got.status < 400 {
			t.Errorf("%s: %d", method, got.status)
		}
	}
	if got := b.do(http.MethodPost, "/checks?csrf="+mine, url.Values{"label": {"x"}}); got.status != http.StatusForbidden {
		t.Errorf("a token in the address: %d", got.status)
	}
	if got := b.do(http.MethodPost, "/checks", url.Values{"label": {"x"}}, "X-CSRF-Token", mine); got.status != http.StatusCreated {
		t.Errorf("in the header: %d", got.status)
	}
	body := "--x\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n%s\r\n--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n%s\r\n--x--\r\n"
	for size, want := range map[int]int{100: http.StatusOK, 9 << 20: http.StatusOK, door.MaxFileBytes: http.StatusRequestEntityTooLarge} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/verify", strings.NewReader(fmt.Sprintf(body, mine, strings.Repeat("p", size))))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		for k, v := range b.cookies {
			r.AddCookie(&http.Cookie{Name: k, Value: v})
		}
		if got := b.send(r); got.status != want || (want == http.StatusOK && got.body != fmt.Sprintf("%d bytes", size)) {
			t.Errorf("a picture of %d bytes: %d %s", size, got.status, got.body)
		}
	}
	if got := b.do(http.MethodPost, "/checks", url.Values{"label": {strings.Repeat("x", door.MaxFormBytes)}}); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a form that is too long: %d", got.status)
	}
}

// The public folder of files is not a way around the door.
func TestNoPathLeadsAroundTheDoor(t *testing.T) {
	s := newStage(t)
	b := s.browser()
	for _, path := range []string{
		"/assets/../print", "/assets/%2e%2e/print", "/assets/..%2fprint", "/assets//../print", "//print", "/./print", "/assets/../../print", "/door/../print", "/door/..%2f..%2fdoor.go",
		"/launch/../print", "/launch/", "/print/", "/%70rint", "/PRINT", "/assets/..;/print", "/door/", "/assets",
	} {
		got := b.get(path)
		for range 3 { // follow what it leads to
			if to := got.header.Get("Location"); got.status/100 == 3 && strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") {
				got = b.get(to)
			}
		}
		if strings.Contains(got.body, secretName) || strings.Contains(got.body, "package door") || got.status == http.StatusOK {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	if len(s.seen) != 0 {
		t.Errorf("the desk was reached: %v", s.seen)
	}
	if got := b.get("/assets/tokens.css"); got.status != http.StatusOK {
		t.Errorf("the look: %d", got.status)
	}
}

func TestACodeOpensOnceAndSoon(t *testing.T) {
	s := newStage(t)
	try := func(code string) int {
		return s.browser().do(http.MethodPost, "/launch", url.Values{"code": {code}}).status
	}
	l := s.launched()
	if !regexp.MustCompile(`^[0-9]{8}$`).MatchString(l.Code) || l.URL != s.URL+"/launch" || strings.Contains(l.URL, l.Code) {
		t.Errorf("%+v", l)
	}
	if got := try(l.Code[:4] + " " + l.Code[4:]); got != http.StatusSeeOther {
		t.Errorf("with a space: %d", got)
	}
	if got := try(l.Code); got != http.StatusUnprocessableEntity {
		t.Errorf("a second time: %d", got)
	}
	l = s.launched()
	s.pass(door.CodeLife)
	if got := try(l.Code); got != http.StatusUnprocessableEntity {
		t.Errorf("too late: %d", got)
	}
	l = s.launched()
	for i := range door.CodeTries {
		wrong := fmt.Sprintf("%08d", i)
		if wrong == l.Code {
			wrong = "99999999"
		}
		if got := try(wrong); got != http.StatusUnprocessableEntity {
			t.Errorf("wrong: %d", got)
		}
	}
	if got := try(l.Code); got != http.StatusUnprocessableEntity {
		t.Errorf("after %d wrong ones: %d", door.CodeTries, got)
	}
	for _, code := range []string{"", strings.Repeat("1", 9000), "abc", "\x00"} {
		if got := try(code); got != http.StatusUnprocessableEntity {
			t.Errorf("%.10q: %d", code, got)
		}
	}
	eldest := s.launched()
	for range door.CodesOut {
		l = s.launched()
	}
	if try(eldest.Code) == http.StatusSeeOther || try(l.Code) != http.StatusSeeOther {
		t.Error("of too many codes the eldest must give way")
	}
}

// The file that the browser opens has no origin. It may spend its ticket; whoever else has
// no origin, as a page in a closed frame, can neither try codes nor burn them.
func TestOnlyATicketComesWithoutAnOrigin(t *testing.T) {
	s := newStage(t)
	l := s.launched()
	null := []string{"Origin", "null", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}
	for range 2 * door.CodeTries {
		for _, form := range []url.Values{{"code": {l.Code}}, {"ticket": {"x"}}, {"ticket": {l.Code}}, {}} {
			if got := s.browser().do(http.MethodPost, "/launch", form, null...); got.status != http.StatusUnprocessableEntity || got.header.Get("Set-Cookie") != "" {
				t.Fatalf("%v: %d", form, got.status)
			}
		}
	}
	for _, other := range [][]string{{"Sec-Fetch-Mode", "no-cors"}, {"Sec-Fetch-Dest", "iframe"}, {"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}} {
		if got := s.browser().do(http.MethodPost, "/launch", url.Values{"ticket": {l.Ticket}}, append(slices.Clone(null), other...)...); got.status != http.StatusForbidden {
			t.Errorf("%v: %d", other, got.status)
		}
	}
	acts := s.door.Acts(func() string { return "" })
	arg, err := json.Marshal(l.Ticket)
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan any, 1)
	go func() {
		done, _ := acts["launched"](t.Context(), control.Peer{}, arg)
		told <- done
	}()
	b := s.browser()
	got := b.do(http.MethodPost, "/launch", url.Values{"ticket": {l.Ticket}}, null...)
	if got.status != http.StatusOK || !strings.Contains(got.body, `content="0;url=/"`) || b.cookies["madoguchi-session"] == "" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if done := <-told; done != true {
		t.Errorf("open was told %v", done)
	}
	if got := s.browser().do(http.MethodPost, "/launch", url.Values{"code": {l.Code}}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("the code of a spent ticket: %d", got.status)
	}
}

// A power cut costs nobody a sign-in, and no session lives for ever or at another door.
func TestASessionOutlivesTheAgent(t *testing.T) {
	s := newStage(t)
	b := s.browser().come("op_1", "2580")
	s.pass(5 * time.Minute)
	s.open()
	b.base = s.URL
	if got := b.get("/"); got.status != http.StatusOK || !strings.Contains(got.body, secretName) {
		t.Errorf("after a restart: %d", got.status)
	}
	for range 95 { // somebody works all day
		s.pass(door.SessionLife / 100)
		if got := b.get("/"); got.status != http.StatusOK {
			t.Fatalf("while somebody works: %d", got.status)
		}
	}
	s.pass(door.SessionLife / 20)
	if got := b.get("/"); got.status != http.StatusUnauthorized || strings.Contains(got.body, "受付１") {
		t.Errorf("after its life: %d", got.status)
	}
	s.open()
	if s.sessions.String() != "" {
		t.Errorf("what is over stays: %s", s.sessions)
	}
	s.sessions.values["damaged"] = nil
	s.open()
	if got := s.browser().get("/"); got.status != http.StatusUnauthorized {
		t.Errorf("with a damaged session on the shelf: %d", got.status)
	}
}

func TestAFullDiskKeepsNobodyOut(t *testing.T) {
	s := newStage(t)
	s.browser().come("op_1", "2580")
	s.sessions.full = errors.New("no space left on device")
	if got := s.browser().come("op_1", "2580").get("/"); got.status != http.StatusOK {
		t.Errorf("%d", got.status)
	}
}

func TestSessionsAreBounded(t *testing.T) {
	s := newStage(t)
	first := s.browser().come("op_1", "2580")
	for range door.MaxSessions {
		s.pass(time.Second)
		s.browser().do(http.MethodPost, "/launch", url.Values{"code": {s.launched().Code}})
	}
	if got := first.get("/"); got.status != http.StatusUnauthorized {
		t.Errorf("the eldest session: %d", got.status)
	}
	if n := len(s.sessions.values); n > door.MaxSessions {
		t.Errorf("%d sessions", n)
	}
}

// Shelves that were replaced by what could be salvaged of them get back who was let in.
func TestSessionsSurviveTheirShelf(t *testing.T) {
	s := newStage(t)
	b := s.browser().come("op_1", "2580")
	clear(s.sessions.values)
	if err := s.door.Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.open()
	b.base = s.URL
	if got := b.get("/"); got.status != http.StatusOK {
		t.Errorf("after a restart: %d", got.status)
	}
}
