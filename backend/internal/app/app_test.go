package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"madoguchi.example/backend/internal/config"
	"madoguchi.example/backend/internal/httpapi"
	"madoguchi.example/backend/internal/observe"
)

const seeded = "himitsu7391x"

// site is a folder with a configuration.
func site(t *testing.T, more string) (dir, file string) {
	t.Helper()
	dir = t.TempDir()
	file = filepath.Join(dir, "backend.toml")
	text := fmt.Sprintf(`listen = "127.0.0.1:0"
public_url = "http://127.0.0.1:8080"
state_dir = %q
key_dir = %q
%s
[store]
dsn = %q
[citizen_login]
issuer = "http://127.0.0.1:1"
client_id = "app"
[staff_login]
issuer = "http://127.0.0.1:1"
client_id = "office"
`, dir, filepath.Join(dir, "keys"), more, "sqlite:"+filepath.Join(dir, "m.db"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, file
}

func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := Run(t.Context(), args, func(string) string { return "" }, &out, io.Discard, time.Now)
	return out.String(), err
}

func TestCommands(t *testing.T) {
	dir, file := site(t, "")
	if out, err := run(t, "check-config", "--config", file); err != nil {
		t.Errorf("check-config: %v %s", err, out)
	}
	if out, err := run(t, "check-config"); err != nil {
		t.Errorf("check-config with neither file nor environment: %v %s", err, out)
	}
	if out, err := run(t, "migrate", "--config", file); err != nil || !strings.Contains(out, "applied") {
		t.Errorf("migrate: %v %s", err, out)
	}
	if out, err := run(t, "migrate", "--config", file); err != nil || !strings.Contains(out, "up to date") {
		t.Errorf("migrate again: %v %s", err, out)
	}
	people := filepath.Join(dir, "people")
	write(t, filepath.Join(people, "municipalities.csv"), "municipality_code,name_ja,name_easy,name_en,counter_name,counter_place,counter_phone,counter_hours\n"+
		"990019,みなと市,みなとし,Minato,市民課,1階,000-0000-0101,平日\n")
	write(t, filepath.Join(people, "offices.csv"), "office_ref,municipality_code,class,name,institution_code\nminato-counter,990019,counter,総合窓口,\n")
	write(t, filepath.Join(people, "staff.csv"), "subject,name,municipality_code,roles\ns-1,窓口 文香,990019,clerk;auditor\ns-2,"+seeded+",990019,"+seeded+"\n")
	out, err := run(t, "import", "--config", file, people)
	if err == nil || !strings.Contains(out, "staff.csv line 3 column 4 (roles)") || strings.Contains(out+err.Error(), seeded) {
		t.Errorf("import: %v\n%s", err, out)
	}
	out, err = run(t, "import", "--config", file, people)
	if !strings.Contains(out, "staff.csv: 2 rows, 0 added, 0 changed, 1 unchanged, 1 refused") {
		t.Errorf("import again: %v\n%s", err, out)
	}
	out, err = run(t, "terminal", "code", "--config", file, "--office", "minato-counter")
	if err != nil || len(strings.TrimSpace(out)) < 16 {
		t.Errorf("terminal code: %v %q", err, out)
	}
	for _, args := range [][]string{{}, {"x"}, {"serve", "x"}, {"import"}, {"terminal"}, {"terminal", "code"}, {"migrate", "--x"}, {"check-config", "x"}} {
		if _, err := run(t, args...); !errors.Is(err, ErrUsage) {
			t.Errorf("%v: %v", args, err)
		}
	}
	if _, err := run(t, "serve", "--config", filepath.Join(dir, "absent.toml")); err == nil {
		t.Error("a file that is not there was taken")
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// lockedBuffer is a log that many goroutines write.
type lockedBuffer struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	told chan string // receives the address, once
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, rest, ok := strings.Cut(string(p), `"msg":"listening","address":"`); ok && b.told != nil {
		address, _, _ := strings.Cut(rest, `"`)
		b.told <- address
		b.told = nil
	}
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// The whole program serves, tells its address, and ends with nothing left when told to.
func TestServe(t *testing.T) {
	dir, file := site(t, `metrics = "127.0.0.1:0"`)
	told := make(chan string, 1)
	log := &lockedBuffer{told: told}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, []string{"serve", "--config", file}, func(string) string { return "" }, io.Discard, log, time.Now)
	}()
	var address string
	select {
	case address = <-told:
	case err := <-done:
		t.Fatalf("serve ended: %v\n%s", err, log)
	}
	if raw, err := os.ReadFile(filepath.Join(dir, "address")); err != nil || strings.TrimSpace(string(raw)) != address {
		t.Errorf("the address file holds %q, %v", raw, err)
	}
	for path, want := range map[string]int{
		"/livez": 200, "/readyz": 200, "/app/": 200, "/.well-known/jwks.json": 200, "/v1/me": 401, "/office/sign-in": 200,
		"/terminal/v1/profile": 401, "/nothing": 404, "/app": 200, "/v1/me/": 404, "/V1/me": 404,
	} {
		resp, err := http.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("serve: %v", err)
	}
	if _, err := net.DialTimeout("tcp", address, time.Second); err == nil {
		t.Error("the listener is still open")
	}
}

// The real table binds every operation once; whatever is sent to whatever route, neither
// an error answer nor the log repeats it, and nothing fails.
func TestRealRoutes(t *testing.T) {
	_, file := site(t, "")
	var log lockedBuffer
	p, h := homeOf(t, file, &log)
	server, err := h.server(p, observe.New())
	if err != nil {
		t.Fatal(err)
	}
	if missing := httpapi.Unbound(server.Routes()); len(missing) > 0 {
		t.Errorf("operations that are not bound exactly once: %v", missing)
	}
	base, stop := serving(t, server)
	n := 0
	for _, r := range server.Routes() {
		if r.Method == http.MethodHead || strings.Contains(r.Path, "/assets/") {
			continue
		}
		for _, body := range []string{"", seeded, `{"` + seeded + `":1}`, `{"code":"` + seeded + `","state":"` + seeded + `","secret":"` + seeded + strings.Repeat("A", 43) + `"}`,
			`{"refresh_token":"` + seeded + `.` + seeded + `.x.y"}`, "grant_type=client_credentials&client_assertion=" + seeded, `[` + strings.Repeat(`"`+seeded+`",`, 9000) + `1]`} {
			for _, kind := range []string{"application/json", "application/x-www-form-urlencoded", "application/" + seeded} {
				status, answer := hit(t, base, r, kind, body)
				n++
				if status >= 400 && strings.Contains(answer, seeded) {
					t.Errorf("%s %s: the answer repeats what was sent: %s", r.Method, r.Path, answer)
				}
				if status >= 500 && status != http.StatusServiceUnavailable {
					t.Errorf("%s %s: status %d", r.Method, r.Path, status)
				}
			}
		}
	}
	stop()
	if at := strings.Index(log.String(), seeded); at >= 0 {
		t.Errorf("the log repeats what was sent: …%s", log.String()[max(0, at-200):at])
	}
	t.Logf("%d requests to %d routes", n, len(server.Routes()))
}

// serving has the server answer at base until stop, or the end of the test.
func serving(t testing.TB, server *httpapi.Server) (base string, stop func()) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, ln) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return "http://" + ln.Addr().String(), stop
}

// homeOf is the house of a site, with nothing running.
func homeOf(t testing.TB, file string, log io.Writer) (*program, *house) {
	t.Helper()
	p := &program{getenv: func(string) string { return "" }, stdout: io.Discard, stderr: log, now: time.Now, rand: rand.Reader}
	c, err := p.load(file, config.Config.Validate)
	if err != nil {
		t.Fatal(err)
	}
	h, err := p.open(t.Context(), c, p.logger(c))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.close)
	return p, h
}

func hit(t *testing.T, base string, r httpapi.Route, kind, body string) (int, string) {
	t.Helper()
	path := strings.NewReplacer("{id}", seeded, "{handle}", seeded, "{device}", seeded).Replace(r.Path)
	req, err := http.NewRequest(r.Method, base+path+"?after="+seeded+"&code="+seeded+"&state="+seeded, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+seeded)
	req.Header.Set("Cookie", httpapi.SessionCookie+"="+seeded+"; madoguchi_office_flow="+seeded)
	req.Header.Set("Content-Type", kind)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.Path, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, fmt.Sprint(resp.Header) + string(raw)
}
