package e2e_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/uuid"

	"madoguchi.example/deploy/stage"
	"madoguchi.example/deploy/tour"
	"madoguchi.example/shared/wire"
)

// ledger is what the receptionist saw: which entries were tried, which were confirmed.
type ledger struct {
	mu        sync.Mutex
	next      int
	tried     map[string]bool   // by the number that was typed
	confirmed map[string]string // record id → typed number
}

func newLedger() *ledger {
	return &ledger{next: 7_000_000, tried: map[string]bool{}, confirmed: map[string]string{}}
}

func (l *ledger) number() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	n := fmt.Sprint(l.next)
	l.tried[n] = true
	return n
}

func (l *ledger) confirm(id, number string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.confirmed[id] = number
	return len(l.confirmed)
}

func (l *ledger) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.confirmed)
}

// tap stands between the line and the backend and keeps what terminals send. It may alter
// batches, and is told of each before the backend is.
type tap struct {
	server *httptest.Server

	mu      sync.Mutex
	target  string
	sent    map[string][][]byte // record id → each different body that was sent
	arrived func()
	alter   func(*wire.Batch) map[string]string // new id → old id
}

func newTap(t *testing.T) *tap {
	t.Helper()
	p := &tap{sent: map[string][][]byte{}}
	p.server = httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			p.mu.Lock()
			defer p.mu.Unlock()
			r.SetURL(&url.URL{Scheme: "http", Host: p.target})
			r.Out.Host = r.In.Host
		},
		Transport:     passing{p},
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0), // connections that are cut are the test's doing
	})
	t.Cleanup(func() { p.server.CloseClientConnections(); p.server.Close() })
	return p
}

func (p *tap) address() string { return strings.TrimPrefix(p.server.URL, "http://") }

func (p *tap) lead(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

func (p *tap) whenArrived(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.arrived = f
}

// passing carries one request, and reads the batches.
type passing struct{ *tap }

// RoundTrip implements http.RoundTripper.
func (p passing) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path != "/terminal/v1/batches" {
		return http.DefaultTransport.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	batch, err := wire.DecodeBatch(body)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	for _, rec := range batch.Records {
		same := func(b []byte) bool { return bytes.Equal(b, rec.Body) }
		if !slices.ContainsFunc(p.sent[rec.ID], same) {
			p.sent[rec.ID] = append(p.sent[rec.ID], rec.Body)
		}
	}
	arrived, alter := p.arrived, p.alter
	p.arrived = nil
	p.mu.Unlock()
	var back map[string]string
	if alter != nil {
		if back = alter(&batch); len(back) > 0 {
			if body, err = wire.EncodeBatch(batch); err != nil {
				return nil, err
			}
		}
	}
	if arrived != nil {
		arrived()
	}
	out := r.Clone(r.Context())
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp, err := http.DefaultTransport.RoundTrip(out)
	if err != nil || len(back) == 0 {
		return resp, err
	}
	return renamed(resp, back)
}

// renamed gives the terminal the ids that it knows.
func renamed(resp *http.Response, back map[string]string) (*http.Response, error) {
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	for to, from := range back {
		raw = bytes.ReplaceAll(raw, []byte(to), []byte(from))
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	return resp, nil
}

// scene is a stage with a tap, one terminal and a ledger.
type scene struct {
	t        testing.TB
	ctx      context.Context
	stage    *stage.Stage
	terminal *stage.Terminal
	tap      *tap
	ledger   *ledger
	http     *http.Client // with a session at the desk that runs
	csrf     string       // and its token
}

func newScene(t *testing.T, d time.Duration) *scene {
	t.Helper()
	ctx := limit(t, d)
	s, terminal := open(t, ctx, stage.Options{Residents: 100})
	x := &scene{t: t, ctx: ctx, stage: s, terminal: terminal, tap: newTap(t), ledger: newLedger()}
	x.throughTap()
	return x
}

// throughTap leads the terminals' line through the tap to the backend that runs now.
func (x *scene) throughTap() {
	x.t.Helper()
	address, err := x.stage.Backend.Listening(x.ctx)
	if err != nil {
		x.t.Fatal(err)
	}
	x.tap.lead(address)
	x.stage.Line.Lead(x.tap.address())
}

func (x *scene) start() {
	x.t.Helper()
	if err := x.terminal.Start(x.ctx); err != nil {
		x.t.Fatal(err)
	}
	var err error
	if x.http, x.csrf, err = x.terminal.Open(x.ctx); err != nil {
		x.t.Fatal(err)
	}
}

func (x *scene) restartBackend() {
	x.t.Helper()
	if err := x.stage.StartBackend(x.ctx); err != nil {
		x.t.Fatal(err)
	}
	x.throughTap()
}

// record records one entry with a number of its own, and tells whether it was confirmed.
func (x *scene) record() bool {
	number := x.ledger.number()
	card := x.stage.Cast.Insured
	form := url.Values{"insurer_number": {card.InsurerNumber}, "symbol": {card.Symbol}, "number": {number}, "branch": {card.Branch},
		"birth_date": {card.BirthDate}, "visit_day": {x.stage.AsOf}, "evidence": {"certificate"}, "copayment": {"30"}, "override": {"1"}}
	req, err := http.NewRequestWithContext(x.ctx, http.MethodPost, x.terminal.Desk()+"/checks", strings.NewReader(form.Encode()))
	if err != nil {
		x.t.Error(err)
		return false
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("HX-Request", "true")
	req.Header.Set("X-CSRF-Token", x.csrf)
	resp, err := x.http.Do(req)
	if err != nil {
		return false // killed before or after it was stored: nobody was told
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return false
	}
	id := resp.Header.Get("X-Record-Id")
	if resp.StatusCode != http.StatusCreated || id == "" {
		x.t.Errorf("the desk answered %d: %.500s", resp.StatusCode, text)
		return false
	}
	x.ledger.confirm(id, number)
	return true
}

// recordUntil records from four hands until the agent is gone or enough is confirmed.
func (x *scene) recordUntil(enough int, then func()) {
	goal := x.ledger.size() + enough
	var once sync.Once
	var hands sync.WaitGroup
	for range 4 {
		hands.Go(func() {
			for x.ctx.Err() == nil {
				if !x.record() {
					return
				}
				if x.ledger.size() >= goal {
					once.Do(then)
					if x.ledger.size() >= goal+enough {
						return // whoever was to be killed is not the agent
					}
				}
			}
		})
	}
	hands.Wait()
}

// allSent waits until nothing waits at the terminal.
func (x *scene) allSent() {
	x.t.Helper()
	desk := tour.NewDesk(x.terminal)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		pending, line, _, err := desk.Bar(x.ctx)
		if err == nil && strings.Contains(pending, " 0件") {
			return
		}
		select {
		case <-tick.C:
		case <-x.ctx.Done():
			x.t.Fatalf("records still wait: %s, %s, %v", pending, line, err)
		}
	}
}

// kept is one record at the backend.
type kept struct {
	id     string
	body   []byte
	number string // what the payer reads in it
}

// atBackend reads every record from the backend's store and opens it with the payer's key.
func (x *scene) atBackend() []kept {
	x.t.Helper()
	db, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(x.stage.DSN, "sqlite:")+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		x.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(x.ctx, "SELECT record_id, body FROM intake_record")
	if err != nil {
		x.t.Fatal(err)
	}
	defer rows.Close()
	key, err := os.ReadFile(filepath.Join(x.stage.Dir, "backend", "keys", "payer-registry.age"))
	if err != nil {
		x.t.Fatal(err)
	}
	identities, err := age.ParseIdentities(bytes.NewReader(key))
	if err != nil {
		x.t.Fatal(err)
	}
	var out []kept
	for rows.Next() {
		var k kept
		if err := rows.Scan(&k.id, &k.body); err != nil {
			x.t.Fatal(err)
		}
		k.number = opened(x.t, k.body, identities)
		out = append(out, k)
	}
	if err := rows.Err(); err != nil {
		x.t.Fatal(err)
	}
	return out
}

// opened gives the insured person's number in a record.
func opened(t testing.TB, body []byte, identities []age.Identity) string {
	t.Helper()
	check, err := wire.DecodeEligibilityCheck(body)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := age.Decrypt(bytes.NewReader(check.Sealed), identities...)
	if err != nil {
		t.Fatal(err)
	}
	var inquiry struct {
		Number string `json:"number"`
	}
	if err := json.NewDecoder(plain).Decode(&inquiry); err != nil {
		t.Fatal(err)
	}
	return inquiry.Number
}

// audit compares what was confirmed with what the backend has and names every difference.
func (x *scene) audit() []string {
	x.t.Helper()
	var faults []string
	byID, byNumber := map[string]kept{}, map[string]int{}
	for _, k := range x.atBackend() {
		byID[k.id] = k
		byNumber[k.number]++
		if !x.ledger.tried[k.number] {
			faults = append(faults, "the backend has a record that nobody entered")
		}
		if sent := x.tap.sent[k.id]; len(sent) != 1 || !bytes.Equal(sent[0], k.body) {
			faults = append(faults, fmt.Sprintf("record %s is not what was sent, byte for byte (%d forms were sent)", k.id, len(sent)))
		}
	}
	for id, number := range x.ledger.confirmed {
		k, there := byID[id]
		switch {
		case !there:
			faults = append(faults, "lost: a confirmed record is not at the backend")
		case k.number != number:
			faults = append(faults, "a record holds another number than was typed")
		}
	}
	for _, n := range byNumber {
		if n > 1 {
			faults = append(faults, fmt.Sprintf("twice: one entry is at the backend %d times", n))
		}
	}
	return faults
}

func (x *scene) mustHold() {
	x.t.Helper()
	faults := x.audit()
	for _, f := range faults[:min(len(faults), 10)] {
		x.t.Error(f)
	}
	x.t.Logf("%d records were confirmed, %d were tried, %d differences", len(x.ledger.confirmed), len(x.ledger.tried), len(faults))
}

// The agent is killed while four hands record: with the line open, cut, and between the
// backend's commit and the arrival of its answer.
func TestNothingConfirmedIsLostWhenTheAgentIsKilled(t *testing.T) {
	c := counts(t)
	x := newScene(t, 20*time.Minute)
	between := 0
	for i := range c.AgentKills {
		x.stage.Line.Mend()
		restore(t, x.stage.Line)
		if i%3 == 1 {
			x.stage.Line.Cut()
		}
		x.start()
		process := x.terminal.Process()
		if i%3 != 2 {
			x.recordUntil(c.RecordsPerKill, process.Kill)
			continue
		}
		killed := make(chan struct{})
		x.recordUntil(c.RecordsPerKill, func() {
			x.stage.Line.BreakNext(stage.Break{Request: "POST /terminal/v1/batches", Then: func() { process.Kill(); close(killed) }})
		})
		select {
		case <-killed:
			between++
		case <-time.After(5 * time.Second):
			process.Kill() // all was sent before the break was armed
		}
	}
	if between < c.AgentKills/6 {
		t.Errorf("only %d kills fell between write and answer", between)
	}
	x.stage.Line.Mend()
	restore(t, x.stage.Line)
	x.start()
	x.allSent()
	x.mustHold()
	if x.ledger.size() < c.AgentKills*c.RecordsPerKill {
		t.Errorf("only %d records were confirmed", x.ledger.size())
	}
}

func restore(t testing.TB, l *stage.Link) {
	t.Helper()
	if err := l.Restore(); err != nil {
		t.Fatal(err)
	}
}

// The backend is killed while it takes in a batch: at once when the batch arrives, a
// little later, and after its answer was written but before it arrives.
func TestNothingConfirmedIsLostWhenTheBackendIsKilled(t *testing.T) {
	c := counts(t)
	x := newScene(t, 20*time.Minute)
	x.start()
	for i := range c.BackendKills {
		x.stage.Line.Cut()
		backend, killed := x.stage.Backend, make(chan struct{})
		kill := func() { backend.Kill(); close(killed) }
		if i%2 == 0 {
			x.stage.Line.BreakNext(stage.Break{Request: "POST /terminal/v1/batches", Then: kill})
		} else {
			// From the moment it arrives to some milliseconds after, one step further each time.
			x.tap.whenArrived(func() { time.AfterFunc(time.Duration(i)*400*time.Microsecond, kill) })
		}
		for range c.RecordsPerKill {
			x.record()
		}
		restore(t, x.stage.Line)
		for done := false; !done; {
			x.record() // each record wakes the uplink
			select {
			case <-killed:
				done = true
			case <-x.ctx.Done():
				t.Fatalf("round %d: no batch came", i)
			case <-time.After(100 * time.Millisecond):
			}
		}
		x.restartBackend()
	}
	x.record()
	x.allSent()
	x.mustHold()
}

// Control: without the duplicate check (here: a record that is sent again has a new id)
// the audit must find entries twice.
func TestTheAuditFindsWhatIsTakenInTwice(t *testing.T) {
	x := newScene(t, 5*time.Minute)
	names := map[string]int{}
	x.tap.alter = func(b *wire.Batch) map[string]string {
		x.tap.mu.Lock()
		defer x.tap.mu.Unlock()
		back := map[string]string{}
		for i, r := range b.Records {
			if names[r.ID]++; names[r.ID] > 1 {
				id := uuid.Must(uuid.NewV7()).String()
				back[id], b.Records[i].ID = r.ID, id
				x.tap.sent[id] = [][]byte{r.Body}
			}
		}
		return back
	}
	x.start()
	x.stage.Line.BreakNext(stage.Break{Request: "POST /terminal/v1/batches"})
	for range 5 {
		x.record()
	}
	x.allSent()
	if faults := x.audit(); !slices.ContainsFunc(faults, func(f string) bool { return strings.HasPrefix(f, "twice") }) {
		t.Errorf("the audit found %v", faults)
	}
}

// Control: a terminal whose disk keeps nothing of what was confirmed (here: its file is
// put back to what it was before) must be found out.
func TestTheAuditFindsWhatWasNotKept(t *testing.T) {
	x := newScene(t, 5*time.Minute)
	x.start()
	x.record()
	x.allSent()
	x.terminal.Process().Kill()
	file := filepath.Join(x.terminal.Dir, "state", "agent.db")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	x.stage.Line.Cut()
	x.start()
	for range 5 {
		x.record()
	}
	x.terminal.Process().Kill()
	if err := os.WriteFile(file, before, 0o600); err != nil {
		t.Fatal(err)
	}
	restore(t, x.stage.Line)
	x.start()
	x.allSent()
	if faults := x.audit(); !slices.ContainsFunc(faults, func(f string) bool { return strings.HasPrefix(f, "lost") }) {
		t.Errorf("the audit found %v", faults)
	}
}

// Control: an agent that answers before it stores (built here from its source with two
// lines more) must be found out by the same kill.
func TestTheAuditFindsAnAgentThatAnswersBeforeItStores(t *testing.T) {
	x := newScene(t, 8*time.Minute)
	x.stage.Programs = stage.Programs{Dir: t.TempDir()}
	buildChanged(t, x.ctx, x.stage.Programs.Path(stage.Agent), "agent/internal/queue/writer.go",
		"\trefused := make([]error, len(all))\n",
		`	refused := make([]error, len(all))
	for i, r := range all {
		later := *r
		later.result = make(chan error, 1)
		all[i] = &later
		r.result <- nil
	}
	time.Sleep(2 * time.Second)
`)
	x.stage.Line.Cut()
	x.start()
	if !x.record() {
		t.Fatal("the changed agent confirmed nothing")
	}
	x.terminal.Process().Kill()
	x.stage.Programs = programs(t)
	restore(t, x.stage.Line)
	x.start()
	x.allSent()
	if faults := x.audit(); !slices.ContainsFunc(faults, func(f string) bool { return strings.HasPrefix(f, "lost") }) {
		t.Errorf("the audit found %v", faults)
	}
}

// buildChanged builds the agent into out with one place of one source file replaced. The
// tree stays as it is.
func buildChanged(t *testing.T, ctx context.Context, out, source, place, instead string) {
	t.Helper()
	root, err := stage.Root(ctx)
	if err != nil {
		t.Fatal(err)
	}
	source = filepath.Join(root, source)
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), place); n != 1 {
		t.Fatalf("the place to change stands %d times in %s: the control must follow the code", n, source)
	}
	dir := t.TempDir()
	changed := filepath.Join(dir, "changed.go")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(text), place, instead, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {source: changed}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(ctx, "go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", out, "./agent/cmd/"+stage.Agent)
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build the changed agent: %v\n%s", err, said)
	}
}
