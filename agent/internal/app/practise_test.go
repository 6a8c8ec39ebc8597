package app_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"html"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"madoguchi.example/agent/internal/app"
	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/check"
	"madoguchi.example/agent/internal/control"
	"madoguchi.example/agent/internal/doctor"
	"madoguchi.example/agent/internal/precheck"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/rehearsal"
	"madoguchi.example/agent/internal/terminal"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/handle"
)

// said gives the address of the log's last line that says msg.
func (o *output) said(msg string) (address string) {
	for line := range strings.Lines(o.String()) {
		var l struct{ Msg, Address string }
		if json.Unmarshal([]byte(line), &l) == nil && l.Msg == msg {
			address = l.Address
		}
	}
	return address
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
	c.stop()
	before := c.kept()
	c.run()
	room = c.at(c.out.said("listening for practice"))
	room.practisedAll()
	if code := c.main(c.limit, "queue", "status"); code != app.ExitOK || !strings.Contains(c.out.String(), "pending 0\n") {
		t.Errorf("how the queue stands: %d", code)
	}
	c.stop()
	if after := c.kept(); !maps.Equal(before, after) {
		t.Errorf("the terminal's file holds something of it: %v, before %v", after, before)
	}
	if len(o.seen) != 0 {
		t.Errorf("the backend got %d records of practice", len(o.seen))
	}
	c.run()
	c.until(c.record(), `data-state="checking"`)
	c.stop()
	if len(o.seen) != 1 || maps.Equal(before, c.kept()) {
		t.Errorf("the backend got %d records, the file counts %v", len(o.seen), before)
	}
}

// kept counts what the terminal's file holds of patients, shelf by shelf, and what its queue
// holds.
func (c *counter) kept() map[string]int {
	c.t.Helper()
	term, err := terminal.Load(terminal.Options{StateDir: c.dir, Now: time.Now, Rand: rand.Reader})
	if err != nil {
		c.t.Fatal(err)
	}
	v, err := vault.Open(c.t.Context(), c.dir, vault.Options{Key: c.key(), Now: time.Now, Rand: rand.Reader, Terminal: term.ID()})
	if err != nil {
		c.t.Fatal(err)
	}
	q, err := queue.Open(v, queue.Limits{}, handle.Source{Now: time.Now, Rand: rand.Reader})
	if err != nil {
		c.t.Fatal(err)
	}
	s := q.Stats()
	kept := map[string]int{"pending": s.Pending, "kept": s.Kept, "dead": s.Dead, "unanswered": s.SentUnanswered}
	for _, name := range []string{
		casebook.ShelfName, check.ShelfParked, check.ShelfFaces, precheck.ShelfBookings, precheck.ShelfBatches, precheck.ShelfKnown,
	} {
		err = errors.Join(err, v.Shelf(name).Each(c.t.Context(), func(string, []byte) error { kept[name]++; return nil }))
	}
	if err = errors.Join(err, q.Close(), v.Close()); err != nil {
		c.t.Fatal(err)
	}
	return kept
}

// practisedAll does every act that keeps or sends something at a real desk.
func (c *counter) practisedAll() {
	c.t.Helper()
	c.practised()
	_, page, header := c.do(http.MethodPost, "/checks", form("label", "モウヒトリ"))
	id := header.Get("X-Record-Id")
	if id == "" {
		c.t.Fatalf("not recorded: %s", page)
	}
	for _, act := range []struct {
		path string
		form url.Values
	}{
		{"/park", form("label", "ホリュウ")}, {"/undo", url.Values{}}, {"/checks", form("label", "ナオシタヒト", "amends", id, "reason", "typo")},
		{"/cases/" + id + "/void", url.Values{"reason": {"wrong_patient"}}}, {"/practice/line", url.Values{"cut": {"1"}}}, {"/checks", form("label", "キレタヒト")},
		{"/practice/line", url.Values{"cut": {"0"}}}, {"/verify", url.Values{"text": {"HC1:" + secretText}}}, {"/card", url.Values{"card_pin": {rehearsal.CardPIN}}},
	} {
		if status, page, _ := c.do(http.MethodPost, act.path, act.form); status >= http.StatusInternalServerError || status == http.StatusNotFound {
			c.t.Errorf("%s: %d %.200s", act.path, status, page)
		}
	}
}

// The command serves a room of its own without a terminal's folder.
func TestARoomWithoutATerminal(t *testing.T) {
	for class, want := range map[string]int{"clinic": http.StatusCreated, "insurer_counter": http.StatusCreated, "counter": http.StatusForbidden, "shelter": http.StatusForbidden} {
		c := newRoom(t, class)
		if status := c.practised(); status != want {
			t.Errorf("%s: %d", class, status)
		}
		c.stop()
		if _, err := os.Stat(c.dir); err == nil {
			t.Errorf("%s: it made the terminal's folder", class)
		}
	}
}

// newRoom starts the command for a class; c.stop ends it.
func newRoom(t *testing.T, class string) *counter {
	t.Helper()
	c := &counter{t: t, dir: filepath.Join(t.TempDir(), "nothing"), out: &output{address: make(chan string, 1)}, limit: t.Context(), now: time.Now}
	c.env = map[string]string{"MADOGUCHI_AGENT_STATE_DIR": c.dir}
	ctx, cancel := context.WithCancel(c.limit)
	ended := make(chan int, 1)
	go func() { ended <- c.main(ctx, "practice", "--class", class, "--listen", "127.0.0.1:0") }()
	stop := sync.OnceFunc(func() {
		cancel()
		if code := <-ended; code != app.ExitOK {
			t.Errorf("%s: ended with %d", class, code)
		}
	})
	t.Cleanup(stop)
	select {
	case address := <-c.out.address:
		room := c.at(address)
		room.dir, room.stop = c.dir, stop
		return room
	case code := <-ended:
		ended <- code
		t.Fatalf("%s: ended with %d: %s", class, code, c.out)
		return nil
	}
}

// The walk-through of a counter and of a shelter: a card says who stands there, certificates
// are verified, and there is no word of insurance, on no page and behind no address.
func TestTheWalkThroughWithoutInsurance(t *testing.T) {
	for _, class := range []string{"counter", "shelter"} {
		c := newRoom(t, class)
		if status := c.practised(); status != http.StatusForbidden {
			t.Errorf("%s: a check is answered %d", class, status)
		}
		for _, path := range []string{"/", "/?tab=card", "/?tab=scan", "/?tab=help", "/?tab=numbers", "/?tab=declare"} {
			status, page, _ := c.do(http.MethodGet, path, nil)
			if status != http.StatusOK || !strings.Contains(page, "練習モード") {
				t.Errorf("%s%s: %d, or it does not say that it is practice", class, path, status)
			}
			for _, word := range []string{"insurer_number", "保険者番号", "申立書", "負担割合", "資格確認書"} {
				if strings.Contains(page, word) {
					t.Errorf("%s%s speaks of %s", class, path, word)
				}
			}
		}
		for _, path := range []string{"/park", "/undo", "/past", "/checks/kind", "/bookings", "/faces/x/drop"} {
			if status, _, _ := c.do(http.MethodPost, path, url.Values{}); status != http.StatusForbidden {
				t.Errorf("%s: %s is answered %d", class, path, status)
			}
		}
		lessons := func() int {
			_, page, _ := c.do(http.MethodGet, "/?tab=help", nil)
			return strings.Count(page, `<li class="done">`)
		}
		if n := lessons(); n != 0 {
			t.Errorf("%s: %d lessons are done before the first act", class, n)
		}
		_, page, _ := c.do(http.MethodPost, "/card", url.Values{"card_pin": {rehearsal.CardPIN}})
		if !strings.Contains(page, "練習　花子") || strings.Contains(page, "card_pin\" value=\"1") || strings.Contains(page, "番号を入れる") {
			t.Errorf("%s: who the card names: %s", class, page)
		}
		_, page, _ = c.do(http.MethodGet, "/?tab=help", nil)
		specimens := specimen.FindAllStringSubmatch(page, -1)
		if len(specimens) != 2 {
			t.Fatalf("%s: %d certificates to verify", class, len(specimens))
		}
		for i, want := range []string{"有効な証明書です", "署名が正しくありません"} {
			if _, page, _ := c.do(http.MethodPost, "/verify", url.Values{"text": {html.UnescapeString(specimens[i][1])}}); !strings.Contains(page, want) {
				t.Errorf("%s: %q is not said: %s", class, want, page)
			}
		}
		_, page, _ = c.do(http.MethodGet, "/?tab=help", nil)
		if done, all := lessons(), strings.Count(page, `<li class="`); done != all || done < 4 {
			t.Errorf("%s: %d of %d lessons are done at the end", class, done, all)
		}
		c.stop()
	}
}

// specimen finds a practised certificate on the page of help.
var specimen = regexp.MustCompile(`name="text" value="([^"]+)"`)

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
