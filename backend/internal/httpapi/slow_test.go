package httpapi

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
)

// A reader that takes nothing loses its connection after the write timeout; a handler that
// waits for longer than that still answers.
func TestSlowReadersAreBoundedAndLongPollsAreNot(t *testing.T) {
	const limit = 200 * time.Millisecond
	large := bytes.Repeat([]byte("x"), 64<<20)
	s := serve(t, io.Discard, func(c *Config) { c.WriteTimeout = limit },
		Raw(http.MethodGet, "/large", Public, func(context.Context, actor.Anyone, Request) (Response, error) {
			return Response{Body: large}, nil
		}),
		Raw(http.MethodGet, "/poll", Public, func(ctx context.Context, _ actor.Anyone, _ Request) (Response, error) {
			waited := time.NewTimer(3 * limit)
			defer waited.Stop()
			select {
			case <-waited.C:
				return Response{Body: []byte("heard")}, nil
			case <-ctx.Done():
				return Response{}, ctx.Err()
			}
		}))
	slow, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if _, err := io.WriteString(slow, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return s.app.Server().GetOpenConnectionsCount() == 1 })
	waitFor(t, func() bool { return s.app.Server().GetOpenConnectionsCount() == 0 })
	for range 2 { // the second on the kept connection
		resp, err := http.Get(s.base + "/poll")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || string(body) != "heard" {
			t.Errorf("the long poll: %q, %v", body, err)
		}
	}
}

// An officer who mistypes an address gets a page in the console's words; everything else
// gets a problem. Neither repeats the address.
func TestUnknownPathsOfTheConsoleArePages(t *testing.T) {
	routes, change := officeRoutes(t, 1)
	s := serve(t, io.Discard, change, routes...)
	for _, c := range []struct {
		method, path, language string
		status                 int
		kind, holds            string
	}{
		{"GET", "/office/" + secret, "ja", 404, "text/html; charset=utf-8", "この画面や記録"},
		{"GET", "/office/notices/x/" + secret, "en", 404, "text/html; charset=utf-8", "no such page"},
		{"DELETE", "/office/notices", "en", 405, "text/html; charset=utf-8", "no such page"},
		{"GET", "/officer", "en", 404, "application/problem+json", "not_found"},
		{"GET", "/" + secret, "en", 404, "application/problem+json", "not_found"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, s.base+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Language", c.language)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != c.status || resp.Header.Get("Content-Type") != c.kind || !strings.Contains(string(body), c.holds) {
			t.Errorf("%s %s: %d %s %v\n%s", c.method, c.path, resp.StatusCode, resp.Header.Get("Content-Type"), err, body)
		}
		if strings.Contains(string(body), secret) {
			t.Errorf("%s: the answer repeats the address", c.path)
		}
	}
}

// A planted second session cookie lets nobody in, whichever stands first.
func TestTwoSessionCookiesProveNobody(t *testing.T) {
	routes, change := officeRoutes(t, 1)
	s := serve(t, io.Discard, change, routes...)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for cookies, want := range map[string]int{
		SessionCookie + "=a":                          200,
		SessionCookie + "=a; " + SessionCookie + "=b": 303,
		"x=1; " + SessionCookie + "=a; y=2":           200,
		"x=1":                                         303,
	} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", s.base+"/office/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Cookie", cookies)
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", cookies, resp.StatusCode, want)
		}
	}
}

// The cause of a failure of ours keeps what an operator needs and no value.
func TestCausesHoldNoValues(t *testing.T) {
	for text, want := range map[string]string{
		"dial tcp 127.0.0.1:543: connection refused":       "dial tcp 127.0.0.1:543: connection refused",
		`strconv.ParseInt: parsing "9018": invalid syntax`: `strconv.ParseInt: parsing "#": invalid syntax`,
		"cannot store 123456789018 twice":                  "cannot store # twice",
		"cannot read 山田 花子: broken":                        "cannot read # #: broken",
		"cannot read １２３４ of \"山田 \\\" Hanako\": broken":   `cannot read # of "#": broken`,
		`cut off "Hanako`:               `cut off "#"`,
		"line\nbreak":                   "line#break",
		strings.Repeat("x", 2*maxCause): strings.Repeat("x", maxCause),
	} {
		if got := withoutValues(text); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A form of another content type is refused by 415, in words.
func TestFormsOfAnotherTypeAre415(t *testing.T) {
	routes, change := officeRoutes(t, 1)
	s := serve(t, io.Discard, change, routes...)
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.base+"/office/language", strings.NewReader(`{"language":"en"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusUnsupportedMediaType || !strings.Contains(string(body), "この形式の送信") {
		t.Errorf("%d %v\n%s", resp.StatusCode, err, body)
	}
}
