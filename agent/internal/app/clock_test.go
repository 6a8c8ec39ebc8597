package app_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"madoguchi.example/agent/internal/app"
	"madoguchi.example/shared/cert/shlink"
)

// A terminal whose clock was set back while it was off says so from its first page on, keeps
// recording, and says nothing any more once the clock is right.
func TestAClockSetBackIsNoticedAfterARestart(t *testing.T) {
	o := newOffice(t)
	c := enrolled(t, o)
	bar := func() string {
		_, body, _ := c.do(http.MethodGet, "/parts/bar", nil)
		return body
	}
	const words = "時計を合わせてください。記録は続けられます"
	c.run()
	if strings.Contains(bar(), words) {
		t.Error("a right clock is told to be behind")
	}
	c.record()
	c.stop()

	o.Close() // the line is down as well
	c.now = func() time.Time { return time.Now().Add(-3 * time.Hour) }
	c.out.address = make(chan string, 1)
	c.run()
	if !strings.Contains(bar(), "2時間59分以上おくれています") && !strings.Contains(bar(), "3時間0分以上おくれています") {
		t.Errorf("the bar does not say that the clock was set back: %s", bar())
	}
	c.record()
	_, body, _ := c.do(http.MethodPost, "/verify", map[string][]string{"text": {"HC1:ABC"}})
	if !strings.Contains(body, "最後に確かだった時刻で判定しました") {
		t.Error("a verdict does not say it")
	}
	c.stop()

	c.now = time.Now
	c.out.address = make(chan string, 1)
	c.run()
	if strings.Contains(bar(), words) {
		t.Error("the clock is right again and told to be behind")
	}
}

// The command follows a link through the built parts, under the name that is configured, and
// only to where the configuration lets it.
func TestVerifyFollowsALink(t *testing.T) {
	key := shlink.Key{7}
	sealed, err := shlink.Seal(key, []byte(`{"verifiableCredential":["eyJ"]}`), shlink.HealthCard, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	asked := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.Query().Get("recipient")
		_, _ = w.Write([]byte(sealed))
	}))
	defer server.Close()
	link, err := shlink.New(shlink.Link{URL: server.URL + "/one", Direct: true}, key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "link.txt")
	if err := os.WriteFile(file, []byte(link.Text()), 0o600); err != nil {
		t.Fatal(err)
	}
	verify := func(local string) string {
		var out bytes.Buffer
		env := map[string]string{"MADOGUCHI_AGENT_STATE_DIR": dir, "MADOGUCHI_AGENT_LINKS_ALLOW_LOCAL": local, "MADOGUCHI_AGENT_LINKS_RECIPIENT": "架空診療所"}
		app.Main(context.Background(), []string{"verify", "--fetch", "--trust", dir, "--json", file}, app.World{
			Getenv: func(k string) string { return env[k] }, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Now: time.Now, Rand: rand.Reader,
		})
		return out.String()
	}
	if out := verify("false"); !strings.Contains(out, "link_not_followed") || asked != "" {
		t.Errorf("a link to this machine: %s, asked as %q", out, asked)
	}
	if out := verify("true"); !strings.Contains(out, `"format":"shc","outcome":"malformed","findings":["from_link"]`) || asked != "架空診療所" {
		t.Errorf("where it is allowed: %s, asked as %q", out, asked)
	}
}
