package app_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"madoguchi.example/agent/internal/control"
	"madoguchi.example/agent/internal/door"
)

// token finds a form's token on a page.
var token = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// enter comes in through the door, as a browser that was launched does, and signs the first
// operator in; the first time they choose their PIN.
func (c *counter) enter() {
	c.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	c.http = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	var l door.Launch
	if err := control.Call(c.limit, filepath.Join(c.dir, control.SocketName), "launch", nil, &l); err != nil {
		c.t.Fatal(err)
	}
	if l.URL != c.desk+"/launch" {
		c.t.Fatalf("the desk at %s is opened at %s", c.desk, l.URL)
	}
	c.csrf = ""
	if status, page, _ := c.do(http.MethodPost, "/launch", url.Values{"code": {l.Code}}); status != http.StatusSeeOther {
		c.t.Fatalf("the code opens nothing: %d %s", status, page)
	}
	c.signIn("op_1")
}

// signIn gives the operator's PIN at a desk that is open; the first time it is chosen.
func (c *counter) signIn(operator string) {
	c.t.Helper()
	status, page, _ := c.do(http.MethodGet, "/sign-in", nil)
	found := token.FindStringSubmatch(page)
	if status != http.StatusOK || found == nil {
		c.t.Fatalf("nobody can sign in: %d %s", status, page)
	}
	c.csrf = found[1]
	form := url.Values{"operator": {operator}, "pin": {secretPIN}}
	status, page, _ = c.do(http.MethodPost, "/sign-in", form)
	if strings.Contains(page, `name="again"`) {
		form.Set("again", secretPIN)
		status, page, _ = c.do(http.MethodPost, "/sign-in", form)
	}
	if status != http.StatusSeeOther {
		c.t.Fatalf("the operator cannot sign in: %d %s", status, page)
	}
}

// ask sends one request with the session's cookie and, where it changes something, its token.
func (c *counter) ask(method, path string, body io.Reader, kind string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(c.limit, method, c.desk+path, body)
	if err != nil {
		return nil, fmt.Errorf("cannot ask the desk: %w", err)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if method != http.MethodGet && c.csrf != "" {
		r.Header.Set("X-CSRF-Token", c.csrf)
	}
	return c.http.Do(r)
}
