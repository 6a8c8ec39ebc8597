package app_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"madoguchi.example/agent/internal/app"
	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/terminal"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/wire"
)

// output keeps what a program printed, and tells where its desk listens.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	rest    []byte
	address chan string
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(b)
	o.rest = append(o.rest, b...)
	for {
		line, rest, whole := bytes.Cut(o.rest, []byte("\n"))
		if !whole {
			return len(b), nil
		}
		o.rest = rest
		var l struct{ Msg, Address string }
		if json.Unmarshal(line, &l) == nil && l.Msg == "listening" {
			o.address <- l.Address
		}
	}
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// counter is a state directory with all that any of its programs printed.
type counter struct {
	t     *testing.T
	dir   string
	env   map[string]string
	out   *output
	desk  string
	stop  func()
	limit context.Context
	now   func() time.Time
	http  *http.Client // with the session
	csrf  string       // and its token
}

func enrolled(t *testing.T, o *office) *counter {
	t.Helper()
	limit, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	c := &counter{t: t, dir: t.TempDir(), out: &output{address: make(chan string, 1)}, limit: limit, now: time.Now}
	c.env = map[string]string{
		"MADOGUCHI_AGENT_STATE_DIR": c.dir, "MADOGUCHI_AGENT_DESK_LISTEN": "127.0.0.1:0", "MADOGUCHI_AGENT_BACKEND_URL": o.URL,
		"MADOGUCHI_AGENT_LOG_LEVEL": "debug", "MADOGUCHI_AGENT_DESK_PRACTICE_LISTEN": "127.0.0.1:0", "MADOGUCHI_AGENT_CARD_ENABLED": "false",
	}
	if code := c.main(limit, "enroll", "--code", "ABCD-EFGH"); code != app.ExitOK {
		t.Fatalf("enroll: %d %s", code, c.out)
	}
	return c
}

func (c *counter) main(ctx context.Context, args ...string) int {
	return app.Main(ctx, args, app.World{
		Getenv: func(k string) string { return c.env[k] }, Stdin: strings.NewReader(secretText + secretKanji), Stdout: c.out, Stderr: c.out,
		Now: c.now, Rand: rand.Reader, Version: "v-test",
	})
}

// run starts the agent and waits for its desk; c.stop ends it.
func (c *counter) run() {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.limit)
	ended := make(chan int, 1)
	go func() { ended <- c.main(ctx, "run") }()
	c.stop = sync.OnceFunc(func() {
		cancel()
		if code := <-ended; code != app.ExitOK {
			c.t.Errorf("run ended with %d", code)
		}
	})
	c.t.Cleanup(c.stop)
	select {
	case address := <-c.out.address:
		c.desk = "http://" + address
		c.enter()
	case code := <-ended:
		ended <- code
		c.t.Fatalf("run ended with %d: %s", code, c.out)
	case <-c.limit.Done():
		c.t.Fatal("no desk")
	}
}

func (c *counter) do(method, path string, form url.Values) (int, string, http.Header) {
	c.t.Helper()
	kind := ""
	if form != nil {
		kind = "application/x-www-form-urlencoded"
	}
	resp, err := c.ask(method, path, strings.NewReader(form.Encode()), kind)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp.StatusCode, string(body), resp.Header
}

// form is the person's check, changed by pairs of field and value.
func form(change ...string) url.Values {
	f := url.Values{
		"insurer_number": {secretInsurer}, "symbol": {secretSymbol}, "number": {secretNumber}, "branch": {"01"}, "birth_date": {"S36.7.29"},
		"label": {secretKana}, "evidence": {"certificate"}, "copayment": {"30"}, "override": {"1"},
	}
	for i := 0; i+1 < len(change); i += 2 {
		f.Set(change[i], change[i+1])
	}
	return f
}

func (c *counter) record() string {
	c.t.Helper()
	status, body, header := c.do(http.MethodPost, "/checks", form())
	if status != http.StatusCreated {
		c.t.Fatalf("not recorded: %d %s", status, body)
	}
	return header.Get("X-Record-Id")
}

// until waits for the desk to show the case with an attribute, by the desk's own events.
func (c *counter) until(id, attribute string) {
	c.t.Helper()
	resp, err := c.ask(http.MethodGet, "/events", nil, "")
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if !strings.HasPrefix(lines.Text(), "event:") {
			continue
		}
		if _, body, _ := c.do(http.MethodGet, "/?case="+id, nil); strings.Contains(body, attribute) {
			return
		}
	}
	_, body, _ := c.do(http.MethodGet, "/?case="+id, nil)
	c.t.Fatalf("the case never has %s: %s\n%s", attribute, body, c.out)
}

// TestNoLogNamesAnybody drives the whole agent through answers, refusals, odd answers of
// the backend, hostile forms, verifications, a damaged file and a second process, at level
// debug, and looks for the person in everything it printed.
func TestNoLogNamesAnybody(t *testing.T) {
	o := newOffice(t)
	o.say = func(n int, _ wire.Record) (wire.Status, *eligibility.Answer) {
		switch n {
		case 0:
			return wire.Accepted, &eligibility.Answer{Validity: eligibility.Valid, CopaymentPercent: 10, HolderKanji: secretKanji, HolderKana: secretKana}
		case 1:
			return wire.Rejected, nil
		default:
			return wire.Accepted, &eligibility.Answer{} // sealed to nobody
		}
	}
	o.trouble = 4
	c := enrolled(t, o)
	c.run()
	answered := c.record()
	c.until(answered, `data-display="valid"`)
	if _, body, _ := c.do(http.MethodGet, "/?case="+answered, nil); !strings.Contains(body, `data-state="task"`) {
		t.Error("a share that differs is no task")
	}
	refused := c.record()
	c.until(refused, `data-display="refused"`)
	unopened := c.record()
	c.until(unopened, `data-state="checking"`)
	for _, f := range []url.Values{
		form("number", "123456789018"), form("label", secretKanji+"123456789018"), form("birth_date", secretText), form("insurer_number", secretText),
		form("label", strings.Repeat(secretKana, 20_000)), form("insurer_number", "33120016", "override", ""),
	} {
		if status, _, _ := c.do(http.MethodPost, "/checks", f); status == http.StatusCreated {
			t.Errorf("recorded: %.60q", f)
		}
	}
	for _, text := range []string{secretText, "shc:/" + secretNumber, `{"verifiableCredential":["` + secretKanji + `"]}`} {
		c.do(http.MethodPost, "/verify", url.Values{"text": {text}})
	}
	c.do(http.MethodPost, "/cases/"+secretText+"/close", url.Values{})
	c.do(http.MethodGet, "/"+secretText+"?case="+secretKana, nil)

	if code := c.main(c.limit, "run"); code != app.ExitFailed || !strings.Contains(c.out.String(), "another process holds the file") {
		t.Errorf("a second process: %d", code)
	}
	if code := c.main(c.limit, "queue", "status"); code != app.ExitOK || !strings.Contains(c.out.String(), "pending 0\n") {
		t.Errorf("how the running agent's queue stands: %d %s", code, c.out)
	}
	c.stop()
	if code := c.main(c.limit, "verify", "-"); code != app.ExitFailed {
		t.Errorf("verify: %d", code)
	}
	c.damage()
	c.run()
	if _, body, _ := c.do(http.MethodGet, "/", nil); !strings.Contains(body, "別に保存しました（1個）") {
		t.Error("the desk does not say that the file was put aside")
	}
	c.until(c.record(), `data-state="checking"`)
	c.stop()

	log := c.out.String()
	for _, said := range []string{"was damaged and put aside", "an answer could not be taken", "line changed"} {
		if !strings.Contains(log, said) {
			t.Errorf("the log does not tell %q", said)
		}
	}
	for _, secret := range secrets {
		if i := strings.Index(log, secret); i >= 0 {
			t.Errorf("%q was printed: …%s…", secret, log[max(0, i-80):min(len(log), i+80)])
		}
	}
}

// damage cuts off most of the terminal's file.
func (c *counter) damage() {
	c.t.Helper()
	path := filepath.Join(c.dir, vault.FileName)
	if err := os.Truncate(path, int64(3*os.Getpagesize())); err != nil { // the meta pages and one more
		c.t.Fatal(err)
	}
}

// TestARowLeftBehindCatchesUpAtTheStart: the queue knows that a record was accepted, its
// row does not. And a desk whose address cannot be written down opens all the same.
func TestARowLeftBehindCatchesUpAtTheStart(t *testing.T) {
	c := enrolled(t, newOffice(t))
	id := c.leaveBehind()
	if err := os.Mkdir(filepath.Join(c.dir, "address"), 0o700); err != nil {
		t.Fatal(err)
	}
	c.run()
	if _, body, _ := c.do(http.MethodGet, "/?case="+id, nil); !strings.Contains(body, `data-state="checking"`) {
		t.Error("the row still waits to be sent")
	}
}

// key is the vault's key file, made where it is not there yet.
func (c *counter) key() vault.KeySource {
	c.t.Helper()
	key := vault.KeyFile(filepath.Join(c.dir, vault.KeyFileName))
	if err := key.Create(rand.Reader); err != nil {
		c.t.Fatal(err)
	}
	return key
}

// leaveBehind stores a settled record with the row that it had before.
func (c *counter) leaveBehind() string {
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
	r, err := q.AppendWith(c.t.Context(), queue.Draft{Kind: wire.KindEligibilityCheck, At: time.Now()}, func(r wire.Record) (json.RawMessage, []vault.Put, error) {
		row, err := casebook.Encode(casebook.Case{RecordID: r.ID, RecordedAt: r.At, VisitDay: civil.In(r.At), State: eligibility.Queued, Route: eligibility.RoutePayer, Inquiry: eligibility.Inquiry{InsurerNumber: "990010", Number: "1"}, Cause: eligibility.CauseNone, Evidence: eligibility.EvidenceNotice})
		return json.RawMessage("{}"), []vault.Put{{Shelf: casebook.ShelfName, Key: r.ID, Value: row}}, err
	})
	if err == nil {
		err = q.Settle(c.t.Context(), wire.Receipt{Results: []wire.Result{{ID: r.ID, Status: wire.Accepted}}})
	}
	if err = errors.Join(err, q.Close(), v.Close()); err != nil {
		c.t.Fatal(err)
	}
	return r.ID
}
