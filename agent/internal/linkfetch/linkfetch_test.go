package linkfetch_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"madoguchi.example/agent/internal/linkfetch"
	"madoguchi.example/shared/cert/shlink"
	"madoguchi.example/shared/fault"
)

var now = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

var key = shlink.Key{1, 2, 3}

// sharer serves one link on this machine, as a person's app would from its server.
type sharer struct {
	*httptest.Server
	t testing.TB

	mu       sync.Mutex
	asked    []string
	attempts int
	answer   func(w http.ResponseWriter, r *http.Request) bool // true: it has answered
	files    []map[string]string
	passcode string
}

func newSharer(t testing.TB) *sharer {
	s := &sharer{t: t, attempts: 3}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *sharer) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	s.asked = append(s.asked, r.Method+" "+r.URL.String()+" "+string(body))
	if s.answer != nil && s.answer(w, r) {
		return
	}
	switch {
	case r.URL.Path == "/file":
		_, _ = io.WriteString(w, s.seal("two"))
		return
	case r.Method == http.MethodGet:
		_, _ = io.WriteString(w, s.seal("one"))
		return
	}
	var ask struct {
		Recipient, Passcode string
	}
	if json.Unmarshal(body, &ask) != nil || ask.Recipient == "" || ask.Passcode != s.passcode {
		s.attempts--
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"remainingAttempts":%d}`, s.attempts)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"files": s.files})
}

func (s *sharer) seal(content string) string {
	s.t.Helper()
	sealed, err := shlink.Seal(key, []byte(content), shlink.HealthCard, rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	return sealed
}

func (s *sharer) link(flags shlink.Link) []byte {
	s.t.Helper()
	flags.URL = s.URL + "/m"
	l, err := shlink.New(flags, key)
	if err != nil {
		s.t.Fatal(err)
	}
	return []byte(l.Text())
}

func fetcher(change ...func(*linkfetch.Config)) *linkfetch.Fetcher {
	c := linkfetch.Config{Recipient: func() string { return "みなと内科" }, Now: func() time.Time { return now }, AllowLocal: true}
	for _, do := range change {
		do(&c)
	}
	return linkfetch.New(c)
}

func contents(files []shlink.File) (all []string) {
	for _, f := range files {
		all = append(all, string(f.Content))
	}
	return all
}

func TestFilesOfAManifest(t *testing.T) {
	s := newSharer(t)
	s.files = []map[string]string{
		{"contentType": string(shlink.HealthCard), "embedded": s.seal("one")},
		{"contentType": string(shlink.FHIR), "location": s.URL + "/never"},
		{"contentType": string(shlink.HealthCard), "location": s.URL + "/file"},
	}
	files, err := fetcher().Fetch(t.Context(), []byte("https://viewer.example/#"+string(s.link(shlink.Link{}))), "not for them")
	if err != nil || !slices.Equal(contents(files), []string{"one", "two"}) {
		t.Fatalf("%v, %v", contents(files), err)
	}
	if len(s.asked) != 2 || !strings.Contains(s.asked[0], `"recipient":"みなと内科"`) || strings.Contains(s.asked[0], "not for them") {
		t.Errorf("asked %q", s.asked)
	}
}

func TestOneDirectFile(t *testing.T) {
	s := newSharer(t)
	files, err := fetcher().Fetch(t.Context(), s.link(shlink.Link{Direct: true}), "")
	if err != nil || !slices.Equal(contents(files), []string{"one"}) || files[0].ContentType != shlink.HealthCard {
		t.Fatalf("%v, %v", files, err)
	}
	if len(s.asked) != 1 || !strings.HasPrefix(s.asked[0], "GET /m?recipient=") {
		t.Errorf("asked %q", s.asked)
	}
}

func TestPasscode(t *testing.T) {
	s := newSharer(t)
	s.passcode, s.files = "1234", []map[string]string{}
	link := s.link(shlink.Link{Passcode: true})
	if _, err := fetcher().Fetch(t.Context(), link, ""); !errors.Is(err, linkfetch.ErrPasscode) || len(s.asked) != 0 {
		t.Errorf("without: %v, asked %q", err, s.asked)
	}
	_, err := fetcher().Fetch(t.Context(), link, "9999")
	if r, ok := errors.AsType[shlink.Refusal](err); !ok || r.Kind != shlink.WrongPasscode || r.Remaining != 2 {
		t.Errorf("wrong: %v", err)
	}
	if files, err := fetcher().Fetch(t.Context(), link, "1234"); err != nil || len(files) != 0 {
		t.Errorf("right: %v %v", files, err)
	}
	if _, err := fetcher().Fetch(t.Context(), link, strings.Repeat("1", linkfetch.MaxPasscode+1)); fault.CodeOf(err) != fault.TooLarge {
		t.Errorf("long: %v", err)
	}
}

// What a server may do to a reader, and what it is then told.
func TestServersThatRefuseOrAreHostile(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request) bool
		want   func(error) bool
	}{
		"gone": {status(http.StatusNotFound), refused(shlink.Gone, 0)},
		"too many": {func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Retry-After", "90")
			return status(http.StatusTooManyRequests)(w, r)
		}, refused(shlink.TooMany, 90*time.Second)},
		"an error": {status(http.StatusInternalServerError), refused(shlink.OtherRefusal, 0)},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "/file", http.StatusFound)
			return true
		}, refused(shlink.OtherRefusal, 0)},
		"a large answer, told": {func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", strconv.Itoa(shlink.MaxManifest+1))
			w.WriteHeader(http.StatusOK)
			return true
		}, code(fault.TooLarge)},
		"an answer without end": {func(w http.ResponseWriter, r *http.Request) bool {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					break
				}
			}
			return true
		}, code(fault.TooLarge)},
		"no manifest":   {text("<html>"), code(fault.InvalidArgument)},
		"not encrypted": {text(`{"files":[{"contentType":"application/smart-health-card","embedded":"a.b.c"}]}`), code(fault.InvalidArgument)},
		"a file at a strange address": {text(`{"files":[{"contentType":"application/smart-health-card","location":"http://192.0.2.1/x"}]}`),
			code(fault.Forbidden)},
	} {
		s := newSharer(t)
		s.answer = c.answer
		_, err := fetcher().Fetch(t.Context(), s.link(shlink.Link{}), "")
		if !c.want(err) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), s.URL) {
			t.Errorf("%s: the error tells the address: %v", name, err)
		}
		if len(s.asked) != 1 {
			t.Errorf("%s: asked %q", name, s.asked)
		}
	}
}

func status(n int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(n)
		return true
	}
}

func text(s string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		_, _ = io.WriteString(w, s)
		return true
	}
}

func refused(kind shlink.RefusalKind, after time.Duration) func(error) bool {
	return func(err error) bool {
		r, ok := errors.AsType[shlink.Refusal](err)
		return ok && r.Kind == kind && r.RetryAfter == after
	}
}

func code(want fault.Code) func(error) bool {
	return func(err error) bool { return fault.CodeOf(err) == want }
}

// A server that never answers is left after the time of the whole fetch.
func TestAServerThatNeverAnswers(t *testing.T) {
	s := newSharer(t)
	s.answer = func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	}
	_, err := fetcher(func(c *linkfetch.Config) { c.Timeout = 50 * time.Millisecond }).Fetch(t.Context(), s.link(shlink.Link{}), "")
	if fault.CodeOf(err) != fault.Unavailable || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// A scanned link reaches nothing of this machine or its network, however it is written.
func TestNoLinkReachesTheTerminalItself(t *testing.T) {
	s := newSharer(t)
	port := s.URL[strings.LastIndexByte(s.URL, ':'):]
	for _, address := range []string{
		s.URL, "https://127.0.0.1" + port, "https://localhost" + port, "https://[::1]" + port, "https://[::ffff:127.0.0.1]" + port, "https://0.0.0.0" + port,
		"https://10.0.0.1", "https://192.168.0.1", "https://169.254.169.254", "https://172.16.9.9", "https://100.64.0.1", "https://[fe80::1]",
		"https://198.18.0.1", "https://240.0.0.1", "https://[64:ff9b:1::1]", "https://[2001::1]", "https://[2002:7f00:1::]", "https://[fec0::1]",
		"https://[fd00::1]", "https://[64:ff9b::7f00:1]" + port, "https://224.0.0.1", "https://0.1.2.3", "http://192.0.2.1",
	} {
		l, err := shlink.New(shlink.Link{URL: address + "/m"}, key)
		if err != nil {
			t.Fatal(address, err)
		}
		_, err = fetcher(func(c *linkfetch.Config) { c.AllowLocal = false }).Fetch(t.Context(), []byte(l.Text()), "")
		if fault.CodeOf(err) != fault.Forbidden {
			t.Errorf("%s: %v", address, err)
		}
	}
	if len(s.asked) != 0 {
		t.Errorf("asked %q", s.asked)
	}
}

// FuzzFetch gives any text as a link's content and any bytes as the server's answers.
func FuzzFetch(f *testing.F) {
	s := newSharer(f)
	var answer []byte
	s.answer = func(w http.ResponseWriter, _ *http.Request) bool {
		_, _ = w.Write(answer)
		return true
	}
	good := s.link(shlink.Link{})
	f.Add([]byte(`{"files":[{"contentType":"application/smart-health-card","embedded":"`+s.seal("one")+`"}]}`), false)
	f.Add([]byte(s.seal("one")), true)
	f.Add([]byte(`{"files":[]}`), false)
	direct := s.link(shlink.Link{Direct: true})
	fetch := fetcher()
	f.Fuzz(func(t *testing.T, body []byte, file bool) {
		answer = body
		link := good
		if file {
			link = direct
		}
		if files, err := fetch.Fetch(t.Context(), link, ""); err != nil && files != nil {
			t.Errorf("%d files with %v", len(files), err)
		}
	})
}
