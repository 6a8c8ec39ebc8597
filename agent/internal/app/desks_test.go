package app_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"madoguchi.example/shared/wire"
)

// Two desks, one list: a PC that was paired over TLS works at the same patients as the
// terminal itself. What one records comes to the other by its stream, each record has the
// operator who made it, and a PC that was sent away is out at once.
func TestTwoDesksHaveOneList(t *testing.T) {
	o := newOffice(t)
	here := enrolled(t, o)
	here.env["MADOGUCHI_AGENT_DESK_LAN_LISTEN"], here.env["MADOGUCHI_AGENT_DESK_LAN_NAMES"] = "127.0.0.1:0", "localhost"
	here.run()
	there := here.otherPC()
	there.pair(here, "2番カウンター")
	there.signIn("op_2")
	streamHere, streamThere := here.stream(), there.stream()

	here.recorded("ヒガシノヒト")
	there.shows(streamThere, "ヒガシノヒト")
	there.recorded("ニシノヒト")
	here.shows(streamHere, "ニシノヒト")
	for _, desk := range []*counter{here, there} {
		if _, page, _ := desk.do(http.MethodGet, "/", nil); !strings.Contains(page, "ヒガシノヒト") || !strings.Contains(page, "ニシノヒト") {
			t.Errorf("%s does not show both", desk.desk)
		}
	}
	// The rows are one: each opens at the desk that did not record it.
	_, page, _ := there.do(http.MethodGet, "/parts/list", nil)
	ids := regexp.MustCompile(`/cases/([0-9a-f-]{36})`).FindAllStringSubmatch(page, -1)
	if len(ids) < 2 {
		t.Fatalf("no rows to open: %s", page)
	}
	for _, id := range ids {
		if status, _, _ := there.do(http.MethodGet, "/cases/"+id[1], nil); status != http.StatusOK {
			t.Errorf("a row does not open at the other desk: %d", status)
		}
	}
	there.sentAway(here, streamThere)
	here.until(here.record(), `data-state="checking"`) // and so are those before it
	here.stop()
	if got := o.operators(); !slices.Equal(got, []string{"op_1", "op_2"}) {
		t.Errorf("the records are of %v", got)
	}
}

// otherPC is a browser of the clinic's network that took over the desk's certificate.
func (c *counter) otherPC() *counter {
	c.t.Helper()
	pem, err := os.ReadFile(filepath.Join(c.dir, "lan", "ca.crt"))
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		c.t.Fatalf("no authority: %v", err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	_, port, _ := strings.Cut(c.out.said("listening on the network"), ":")
	return &counter{t: c.t, limit: c.limit, out: c.out, desk: "https://localhost:" + port, http: &http.Client{
		Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

var (
	codeOfPC  = regexp.MustCompile(`id="pair-code">([0-9]{6})<`)
	waitingPC = regexp.MustCompile(`name="device" value="([0-9a-f]{16})"><input type="hidden" name="code" value="([0-9]{6})"`)
)

// pair has the lead accept this PC after the code on both screens.
func (c *counter) pair(lead *counter, name string) {
	c.t.Helper()
	if status, page, _ := c.do(http.MethodPost, "/pair", url.Values{"name": {name}}); status != http.StatusSeeOther {
		c.t.Fatalf("it cannot ask to be paired: %d %s", status, page)
	}
	_, page, _ := c.do(http.MethodGet, "/pair", nil)
	code := codeOfPC.FindStringSubmatch(page)
	_, page, _ = lead.do(http.MethodGet, "/devices", nil)
	device := waitingPC.FindStringSubmatch(page)
	if code == nil || device == nil || device[2] != code[1] {
		c.t.Fatalf("the codes on the screens: %v, %v", code, device)
	}
	if status, page, _ := lead.do(http.MethodPost, "/devices", url.Values{"do": {"accept"}, "device": {device[1]}, "code": {device[2]}}); status != http.StatusSeeOther {
		c.t.Fatalf("the lead cannot accept it: %d %s", status, page)
	}
}

// stream opens the desk's events and waits for the first, after which nothing is missed.
func (c *counter) stream() *bufio.Scanner {
	c.t.Helper()
	resp, err := c.ask(http.MethodGet, "/events", nil, "")
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = resp.Body.Close() })
	lines := bufio.NewScanner(resp.Body)
	if !lines.Scan() {
		c.t.Fatalf("no stream: %d %v", resp.StatusCode, lines.Err())
	}
	return lines
}

// shows waits, event by event, until the list has a text.
func (c *counter) shows(stream *bufio.Scanner, text string) {
	c.t.Helper()
	for stream.Scan() {
		if !strings.HasPrefix(stream.Text(), "event:") {
			continue
		}
		if _, page, _ := c.do(http.MethodGet, "/parts/list", nil); strings.Contains(page, text) {
			return
		}
	}
	c.t.Fatalf("%s never shows it: %v", c.desk, stream.Err())
}

func (c *counter) recorded(label string) {
	c.t.Helper()
	if status, page, _ := c.do(http.MethodPost, "/checks", form("label", label)); status != http.StatusCreated {
		c.t.Fatalf("not recorded at %s: %d %s", c.desk, status, page)
	}
}

// sentAway takes the PC's key away at the first desk.
func (c *counter) sentAway(lead *counter, stream *bufio.Scanner) {
	c.t.Helper()
	if status, page, _ := lead.do(http.MethodPost, "/devices", url.Values{"do": {"revoke"}, "device": {"dev_1"}}); status != http.StatusSeeOther {
		c.t.Fatalf("the PC cannot be sent away: %d %s", status, page)
	}
	for stream.Scan() { // to its end
	}
	status, _, header := c.do(http.MethodGet, "/", nil)
	if status != http.StatusSeeOther || header.Get("Location") != "/pair" {
		c.t.Errorf("after it was sent away: %d to %q", status, header.Get("Location"))
	}
	for _, path := range []string{"/checks", "/undo", "/sign-in"} {
		if status, _, _ := c.do(http.MethodPost, path, form("label", "ダレデモナイ")); status != http.StatusUnauthorized {
			c.t.Errorf("after it was sent away it posts to %s: %d", path, status)
		}
	}
	if _, page, _ := lead.do(http.MethodGet, "/parts/list", nil); strings.Contains(page, "ダレデモナイ") {
		c.t.Error("it still records")
	}
}

// operators are those of the checks that arrived.
func (o *office) operators() []string {
	o.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := map[string]bool{}
	for _, r := range o.seen {
		body, err := wire.DecodeEligibilityCheck(r.Body)
		if err != nil {
			o.t.Error(err)
			continue
		}
		seen[body.Operator] = true
	}
	return slices.Sorted(maps.Keys(seen))
}
