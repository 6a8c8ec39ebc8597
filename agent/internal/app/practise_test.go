package app_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"madoguchi.example/agent/internal/app"
	"madoguchi.example/agent/internal/control"
	"madoguchi.example/agent/internal/doctor"
	"madoguchi.example/agent/internal/queue"
)

// said gives the address of the log's line that says msg.
func (o *output) said(msg string) string {
	for line := range strings.Lines(o.String()) {
		var l struct{ Msg, Address string }
		if json.Unmarshal([]byte(line), &l) == nil && l.Msg == msg {
			return l.Address
		}
	}
	return ""
}

// at gives a visitor of another desk without a session.
func (c *counter) at(address string) *counter {
	c.t.Helper()
	if address == "" {
		c.t.Fatalf("it listens nowhere: %s", c.out)
	}
	return &counter{t: c.t, limit: c.limit, out: c.out, desk: "http://" + address, http: &http.Client{}}
}

// practised records a check and gives the answer's status.
func (c *counter) practised() int {
	c.t.Helper()
	status, page, _ := c.do(http.MethodGet, "/", nil)
	found := token.FindStringSubmatch(page)
	if status != http.StatusOK || found == nil {
		c.t.Fatalf("no desk: %d %s", status, page)
	}
	c.csrf = found[1]
	status, _, _ = c.do(http.MethodPost, "/checks", form())
	return status
}

// What is practised beside a running desk is recorded there and reaches neither its queue
// nor the backend.
func TestWhatIsPractisedStaysInTheRoom(t *testing.T) {
	o := newOffice(t)
	c := enrolled(t, o)
	c.run()
	room := c.at(c.out.said("listening for practice"))
	if status := room.practised(); status != http.StatusCreated {
		t.Fatalf("not recorded: %d", status)
	}
	if status, page, _ := room.do(http.MethodPost, "/operators", url.Values{}); status != http.StatusNotFound {
		t.Errorf("the room has a door's page: %d %s", status, page)
	}
	var s struct {
		Practice string
		Queue    queue.Stats
	}
	if err := control.Call(c.limit, filepath.Join(c.dir, control.SocketName), "status", nil, &s); err != nil || s.Queue.Pending+s.Queue.Kept+s.Queue.Dead > 0 || s.Practice != room.desk {
		t.Errorf("the queue holds something: %+v, %v", s, err)
	}
	if _, page, _ := c.do(http.MethodGet, "/parts/list", nil); strings.Contains(page, secretKana) {
		t.Error("the real list shows what was practised")
	}
	c.until(c.record(), `data-state="checking"`)
	c.stop()
	if len(o.seen) != 1 {
		t.Errorf("the backend got %d records", len(o.seen))
	}
}

// The command serves a room of its own without a terminal's folder.
func TestARoomWithoutATerminal(t *testing.T) {
	for class, want := range map[string]int{"clinic": http.StatusCreated, "shelter": http.StatusForbidden} {
		c := &counter{t: t, dir: filepath.Join(t.TempDir(), "nothing"), out: &output{address: make(chan string, 1)}, limit: t.Context(), now: time.Now}
		c.env = map[string]string{"MADOGUCHI_AGENT_STATE_DIR": c.dir}
		ctx, cancel := context.WithCancel(c.limit)
		ended := make(chan int, 1)
		go func() { ended <- c.main(ctx, "practice", "--class", class, "--listen", "127.0.0.1:0") }()
		select {
		case address := <-c.out.address:
			if status := c.at(address).practised(); status != want {
				t.Errorf("%s: %d", class, status)
			}
		case code := <-ended:
			t.Fatalf("%s: ended with %d: %s", class, code, c.out)
		}
		cancel()
		if code := <-ended; code != app.ExitOK {
			t.Errorf("%s: ended with %d", class, code)
		}
		if _, err := os.Stat(c.dir); err == nil {
			t.Errorf("%s: it made the terminal's folder", class)
		}
	}
}

// A running agent tells a folder that is missing, and each part with its own code.
func TestTheDoctorOfARunningAgent(t *testing.T) {
	c := enrolled(t, newOffice(t))
	c.env["MADOGUCHI_AGENT_OQS_REQUEST_DIR"] = filepath.Join(c.dir, "req")
	c.env["MADOGUCHI_AGENT_OQS_RESULT_DIR"] = filepath.Join(c.dir, "res")
	c.run()
	if code := c.main(c.limit, "doctor", "--json"); code != doctor.Folder.ExitCode() || !strings.Contains(c.out.String(), `"no_folder"`) {
		t.Errorf("without a folder: %d %s", code, c.out)
	}
	for _, dir := range []string{"req", "res"} {
		if err := os.Mkdir(filepath.Join(c.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if code := c.main(c.limit, "doctor", "--json"); code != doctor.ExitWell {
		t.Errorf("with the folders: %d %s", code, c.out)
	}
}

// Other PCs reach a page for pairing over TLS, and nothing else.
func TestOtherPCsPairOverTLS(t *testing.T) {
	c := enrolled(t, newOffice(t))
	c.env["MADOGUCHI_AGENT_DESK_LAN_LISTEN"], c.env["MADOGUCHI_AGENT_DESK_LAN_NAMES"] = "127.0.0.1:0", "localhost"
	c.run()
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(filepath.Join(c.dir, "lan", "ca.crt"))
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		t.Fatalf("no authority: %v", err)
	}
	_, port, _ := strings.Cut(c.out.said("listening on the network"), ":")
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for path, want := range map[string]int{"/pair": http.StatusOK, "/parts/list": http.StatusSeeOther, "/launch": http.StatusSeeOther} {
		resp, err := client.Get("https://localhost:" + port + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
}
