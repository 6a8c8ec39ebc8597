package terminal_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"madoguchi.example/agent/internal/terminal"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// answering gives every request the same answer, but for a good token.
type answering struct {
	status          int
	kind, body, etc string
}

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	status, kind, body := a.status, a.kind, a.body
	if strings.HasSuffix(r.URL.Path, "/token") && a.etc != "token" {
		status, kind, body = http.StatusOK, "application/json", `{"access_token":"x","token_type":"Bearer","expires_in":600}`
	}
	h := http.Header{"Content-Type": {kind}, "Retry-After": {a.etc}, "Etag": {a.etc}, "Location": {a.etc}, "Date": {a.etc}}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1, Request: r}, nil
}

// FuzzBackend answers every call with anything: no call fails but with a fault, whose words
// repeat nothing of the answer, and trust and profile stay as they are or are whole.
func FuzzBackend(f *testing.F) {
	dir := f.TempDir()
	b, _ := enrolledIn(f, dir)
	f.Add(200, "application/json", `{"version":0,"results":[]}`, "")
	f.Add(422, "application/problem+json", `{"code":"invalid_argument","detail":"x"}`, "30")
	f.Add(302, "text/html", "<html>", "http://elsewhere.example/")
	f.Add(200, "application/json", `{"terminal":"trm_1","class":"clinic","payers":[{"recipient":"age1"}]}`, `"1"`)
	f.Add(200, "application/json", `{"access_token":5}`, "token")
	f.Add(200, "application/x-tar", string(bundle(f, map[string]string{"snapshot.json": `{"as_of":"2026-11-01T00:00:00Z"}`})), "Sat, 21 Nov 2026 00:00:00 GMT")
	f.Fuzz(func(t *testing.T, status int, kind, body, etc string) {
		if status < 200 || status > 599 {
			return
		}
		o := b.options(dir)
		o.HTTP = answering{status, kind, body, etc}
		term, err := terminal.Load(o)
		if err != nil {
			t.Fatal(err)
		}
		_, sent := term.Send(t.Context(), wire.Batch{Records: []wire.Record{record()}})
		_, asked := term.Answers(t.Context(), 0, 0)
		_, profiled := term.RefreshProfile(t.Context())
		_, trusted := term.RefreshTrust(t.Context())
		for _, err := range []error{sent, asked, profiled, trusted} {
			if err != nil && len(body) > 24 && strings.Contains(err.Error(), body) {
				t.Fatal("an error repeats the answer")
			}
			if status >= 400 && fault.CodeOf(err) == "" {
				t.Fatalf("status %d is no error", status)
			}
		}
		if trusted == nil {
			if s, err := term.Trust(t.Context()); err == nil && s.AsOf().Equal(time.Time{}) {
				t.Fatal("a trust list without an age is in use")
			}
		}
	})
}

// FuzzStateFiles starts from files as a bad disk may leave them: the terminal loads, or says
// why it does not.
func FuzzStateFiles(f *testing.F) {
	good := f.TempDir()
	b, _ := enrolledIn(f, good)
	for _, name := range []string{"terminal.json", "profile.json", "trust/current.json"} {
		text, err := os.ReadFile(filepath.Join(good, name))
		if err != nil {
			text = []byte(`{"folder":"1"}`)
		}
		f.Add(name, text)
	}
	f.Fuzz(func(t *testing.T, name string, text []byte) {
		if name != "terminal.json" && name != "profile.json" && name != "trust/current.json" && name != "terminal.key" && name != "answers.key" {
			return
		}
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(good)); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"terminal.key", "answers.key"} {
			if err := os.Chmod(filepath.Join(dir, key), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		term, err := terminal.Load(b.options(dir))
		if err != nil && (name == "profile.json" || name == "trust/current.json") {
			t.Fatalf("%s keeps the agent from starting: %v", name, err)
		}
		if err == nil {
			_, _ = term.Profile(), term.TrustDir()
			_, _ = term.Trust(t.Context())
		}
	})
}
