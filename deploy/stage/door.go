package stage

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

// The first operator of every terminal, and the PIN that they choose when they first sign in.
const (
	Operator     = "op_1"
	OperatorName = "受付１"
	PIN          = "2580"
)

// token finds a form's token on a page.
var token = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// Launch asks the running agent for the page that opens its desk and for the code that is
// typed there, once.
func (t *Terminal) Launch(ctx context.Context) (address, code string, err error) {
	out, err := t.Tool(ctx, "open", "--print")
	if err != nil {
		return "", "", err
	}
	var l struct{ URL, Code string }
	if err := json.Unmarshal(out, &l); err != nil {
		return "", "", fmt.Errorf("cannot read how to open the desk: %w", err)
	}
	return l.URL, l.Code, nil
}

// Open comes in through the desk's door, as a browser of this machine's user does, and signs
// the first operator in. It gives a client with the session and the session's token, which
// belongs into the field csrf or the header X-CSRF-Token of whatever changes something.
func (t *Terminal) Open(ctx context.Context) (*http.Client, string, error) {
	address, code, err := t.Launch(ctx)
	if err != nil {
		return nil, "", err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, "", fmt.Errorf("cannot keep a session: %w", err)
	}
	c := &http.Client{Jar: jar, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	_, page, err := post(ctx, c, address, url.Values{"code": {code}})
	if err != nil {
		return nil, "", err
	}
	found := token.FindStringSubmatch(page)
	if found == nil {
		return nil, "", fmt.Errorf("cannot sign in at the desk: its page has no token")
	}
	signIn := strings.TrimSuffix(address, "/launch") + "/sign-in"
	form := url.Values{"operator": {Operator}, "pin": {PIN}, "csrf": {found[1]}}
	status, page, err := post(ctx, c, signIn, form)
	if err == nil && strings.Contains(page, `name="again"`) { // nobody has chosen it yet
		form.Set("again", PIN)
		status, _, err = post(ctx, c, signIn, form)
	}
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("cannot sign in at the desk: it answered %d", status)
	}
	return c, found[1], err
}

// post sends a form of the door, follows where it leads and gives that page.
func post(ctx context.Context, c *http.Client, address string, form url.Values) (status int, page string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, "", fmt.Errorf("cannot open the desk: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := c.Do(req)
	if err != nil {
		return 0, "", fmt.Errorf("cannot open the desk: %w", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, "", fmt.Errorf("cannot open the desk: %w", err)
	}
	return resp.StatusCode, string(raw), nil
}
