package app_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"madoguchi.example/agent/internal/app"
	"madoguchi.example/agent/internal/outbox"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/terminal"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/wire"
)

// says runs a command and gives what it printed.
func (c *counter) says(want int, args ...string) string {
	c.t.Helper()
	before := len(c.out.String())
	code := c.main(c.limit, args...)
	said := c.out.String()[before:]
	if code != want {
		c.t.Fatalf("%v: %d, want %d: %s", args, code, want, said)
	}
	return said
}

func (c *counter) queueAs(what string) []queue.Entry {
	c.t.Helper()
	var entries []queue.Entry
	if err := json.Unmarshal([]byte(c.says(app.ExitOK, "queue", "list", "--what", what, "--json")), &entries); err != nil {
		c.t.Fatal(err)
	}
	return entries
}

// twoWait leaves a record that waits and a dead letter in the terminal's file.
func (c *counter) twoWait() (waits, dead string) {
	c.t.Helper()
	ids := c.leaves("", wire.Rejected)
	return ids[0], ids[1]
}

// leaves leaves records in the terminal's file of which the backend said this; "": nothing.
func (c *counter) leaves(said ...wire.Status) (ids []string) {
	c.t.Helper()
	term, err := terminal.Load(terminal.Options{StateDir: c.dir, Now: time.Now, Rand: rand.Reader})
	if err != nil {
		c.t.Fatal(err)
	}
	v, err := vault.Open(c.limit, c.dir, vault.Options{Key: c.key(), Now: time.Now, Rand: rand.Reader, Terminal: term.ID()})
	if err != nil {
		c.t.Fatal(err)
	}
	q, err := queue.Open(v, queue.Limits{}, handle.Source{Now: time.Now, Rand: rand.Reader})
	if err != nil {
		c.t.Fatal(err)
	}
	var results []wire.Result
	for _, status := range said {
		r, err := q.Append(c.limit, queue.Draft{Kind: wire.KindCertificateVerification, At: time.Now(), Body: json.RawMessage(`{"format":"shc","outcome":"valid","day":"2026-11-21"}`)})
		if err != nil {
			c.t.Fatal(err)
		}
		ids = append(ids, r.ID)
		if status != "" {
			results = append(results, wire.Result{ID: r.ID, Status: status, Code: map[wire.Status]string{wire.Rejected: string(fault.Forbidden)}[status]})
		}
	}
	err = q.Settle(c.limit, wire.Receipt{Results: results})
	if err = errors.Join(err, q.Close(), v.Close()); err != nil {
		c.t.Fatal(err)
	}
	return ids
}

// opened gives the records of an export, as the office reads them.
func (o *office) opened(file string) map[string]wire.ExportEntry {
	o.t.Helper()
	sealed, err := os.ReadFile(file)
	if err != nil {
		o.t.Fatal(err)
	}
	in, err := age.Decrypt(bytes.NewReader(sealed), o.payer)
	if err != nil {
		o.t.Fatal(err)
	}
	r, err := wire.NewExportReader(in)
	if err != nil {
		o.t.Fatal(err)
	}
	all := map[string]wire.ExportEntry{}
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			o.t.Fatal(err)
		}
		all[e.Record.ID] = e
	}
}

// Where no agent runs the commands look into the file themselves, and uninstall lets nothing
// be lost: keys and file go only when all of it is in an export.
func TestTheQueueByHandAndItsEnd(t *testing.T) {
	o := newOffice(t)
	c := enrolled(t, o)
	waits, dead := c.twoWait()
	if said := c.says(app.ExitOK, "queue", "status"); !strings.Contains(said, "pending 1\n") || !strings.Contains(said, "dead 1\n") || !strings.Contains(said, "key key_file\nline -\n") {
		t.Error(said)
	}
	var f outbox.Figures
	if err := json.Unmarshal([]byte(c.says(app.ExitOK, "queue", "status", "--json")), &f); err != nil || f.Pending != 1 || f.DeadLetters != 1 || f.Running || f.Exported {
		t.Errorf("%+v: %v", f, err)
	}
	if all := c.queueAs("waiting"); len(all) != 1 || all[0].ID != waits {
		t.Errorf("%+v", all)
	}
	if said := c.says(app.ExitOK, "queue", "list", "--what", "dead"); !strings.Contains(said, dead) || !strings.Contains(said, "rejected") || !strings.Contains(said, "forbidden") {
		t.Error(said)
	}
	if said := c.says(app.ExitOK, "queue", "show", dead, "--json"); !strings.Contains(said, `"outcome":"valid"`) && !strings.Contains(said, `"outcome": "valid"`) {
		t.Error(said)
	}
	if said := c.says(app.ExitUsage, "uninstall"); !strings.Contains(said, "--yes") {
		t.Error(said)
	}
	if said := c.says(app.ExitKept, "uninstall", "--yes"); !strings.Contains(said, "1 records wait to be sent and 1 were not taken: nothing was deleted") {
		t.Error(said)
	}
	file := filepath.Join(t.TempDir(), "out.age")
	c.says(app.ExitOK, "queue", "export", "--to", file)
	if all := o.opened(file); len(all) != 2 || all[dead].Reason != "forbidden" || all[waits].Dead() {
		t.Errorf("%+v", all)
	}
	c.says(app.ExitFailed, "queue", "export", "--to", file) // what is there is not overwritten
	c.says(app.ExitOK, "queue", "retry", dead)
	if all := c.queueAs("waiting"); len(all) != 2 {
		t.Errorf("%+v", all)
	}
	c.twoWait()
	c.says(app.ExitKept, "uninstall", "--yes") // the export does not hold what came since
	if err := os.WriteFile(filepath.Join(c.dir, "notes.txt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	again := filepath.Join(t.TempDir(), "again.age")
	if said := c.says(app.ExitOK, "uninstall", "--yes", "--export", again); !strings.Contains(said, "notes.txt") {
		t.Error(said)
	}
	left, err := os.ReadDir(c.dir)
	if err != nil || len(left) != 1 || len(o.opened(again)) != 4 {
		t.Errorf("left %v: %v", left, err)
	}
}

// Without anything that waits nothing needs an export, and the folder goes.
func TestUninstallOfADrainedTerminal(t *testing.T) {
	c := enrolled(t, newOffice(t))
	c.run()
	if said := c.says(app.ExitFailed, "uninstall", "--yes"); !strings.Contains(said, "the agent runs: stop it first") {
		t.Error(said)
	}
	c.stop()
	c.says(app.ExitOK, "uninstall", "--yes")
	if _, err := os.Stat(c.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}

// The same commands ask the agent where one runs; a dead letter that is tried again goes.
func TestTheQueueOfARunningAgent(t *testing.T) {
	o := newOffice(t)
	o.say = func(n int, _ wire.Record) (wire.Status, *eligibility.Answer) {
		if n == 0 {
			return wire.Rejected, nil
		}
		return wire.Accepted, nil
	}
	c := enrolled(t, o)
	c.env["MADOGUCHI_AGENT_METRICS_LISTEN"] = "127.0.0.1:0"
	c.run()
	id := c.record()
	c.until(id, `data-display="refused"`)
	if all := c.queueAs("dead"); len(all) != 1 || all[0].ID != id || all[0].State != queue.Rejected {
		t.Errorf("%+v", all)
	}
	shown := c.says(app.ExitOK, "queue", "show", id)
	for _, secret := range secrets {
		if strings.Contains(shown, secret) {
			t.Errorf("%q is shown", secret)
		}
	}
	if !strings.Contains(shown, `"sealed"`) || !strings.Contains(shown, "state rejected") {
		t.Error(shown)
	}
	file := filepath.Join(t.TempDir(), "out.age")
	c.says(app.ExitOK, "queue", "export", "--to", file)
	if all := o.opened(file); len(all) != 1 || all[id].Status != wire.Rejected {
		t.Errorf("%+v", all)
	}
	if said := c.says(app.ExitOK, "queue", "status"); !strings.Contains(said, "exported true\n") || !strings.Contains(said, "line up\n") {
		t.Error(said)
	}
	if said := c.metrics(); !strings.Contains(said, "\nmadoguchi_agent_dead_letters 1\n") || !strings.Contains(said, `key_class="key_file"`) {
		t.Error(said)
	}
	c.says(app.ExitOK, "queue", "retry", id)
	for c.limit.Err() == nil && len(c.queueAs("kept")) == 0 {
		o.heard()
	}
	if all := c.queueAs("dead"); len(all) != 0 {
		t.Errorf("still dead: %+v", all)
	}
}

// metricsAt finds where the metrics are served.
var metricsAt = regexp.MustCompile(`"listening for the metrics","address":"([^"]+)"`)

func (c *counter) metrics() string {
	c.t.Helper()
	at := metricsAt.FindStringSubmatch(c.out.String())
	if at == nil {
		c.t.Fatal("no metrics are served")
	}
	r, err := http.NewRequestWithContext(c.limit, http.MethodGet, "http://"+at[1]+"/metrics", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(text)
}

func TestQueueIsCalledRightly(t *testing.T) {
	c := enrolled(t, newOffice(t))
	for _, args := range [][]string{
		{"queue"}, {"queue", "dance"}, {"queue", "show"}, {"queue", "retry"}, {"queue", "export"}, {"queue", "list", "--what", "all"}, {"queue", "list", "--limit", "0"},
		{"queue", "show", "a", "b"}, {"queue", "status", "x"}, {"queue", "show", "not-an-id"}, {"queue", "retry", "01920000-0000-4000-8000-000000000001"},
	} {
		if said := c.says(app.ExitUsage, args...); !strings.Contains(said, "usage: madoguchi-agent queue") {
			t.Errorf("%v: %s", args, said)
		}
	}
	there := filepath.Join(t.TempDir(), "there")
	if err := os.WriteFile(there, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, e := range []struct {
		args []string
		next string // what to do
	}{
		{[]string{"queue", "show", "01920000-0000-7000-8000-000000000001"}, "see queue list --what waiting, dead or kept"},
		{[]string{"queue", "retry", "01920000-0000-7000-8000-000000000001"}, "see queue list --what waiting, dead or kept"},
		{[]string{"queue", "export", "--to", there}, "name another"},
		{[]string{"uninstall", "--yes", "--export", there}, "name another"},
	} {
		if said := c.says(app.ExitFailed, e.args...); !strings.Contains(said, e.next) {
			t.Errorf("%v: %s", e.args, said)
		}
	}
	if kept, err := os.ReadFile(there); err != nil || string(kept) != "mine" {
		t.Errorf("a file that was there holds %q: %v", kept, err)
	}
}

// A dead letter alone is nowhere else; what the backend took is there.
func TestUninstallKeepsADeadLetter(t *testing.T) {
	c := enrolled(t, newOffice(t))
	c.leaves(wire.Accepted, wire.Rejected)
	if said := c.says(app.ExitKept, "uninstall", "--yes"); !strings.Contains(said, "0 records wait to be sent and 1 were not taken") {
		t.Error(said)
	}
	// An export that cannot be sealed leaves no file that looks like one.
	told, err := os.ReadFile(filepath.Join(c.dir, "profile.json"))
	if err == nil {
		err = os.WriteFile(filepath.Join(c.dir, "profile.json"), regexp.MustCompile(`"export_recipient":\s*"[^"]*"`).ReplaceAll(told, []byte(`"export_recipient":""`)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "out.age")
	if said := c.says(app.ExitFailed, "uninstall", "--yes", "--export", file); !strings.Contains(said, "connect the terminal once") {
		t.Error(said)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half an export is there: %v", err)
	}
	taken := enrolled(t, newOffice(t))
	taken.leaves(wire.Accepted)
	taken.says(app.ExitOK, "uninstall", "--yes")
}

// What a stand-in holds that could not be taken in is nowhere else.
func TestUninstallKeepsAStandIn(t *testing.T) {
	c := enrolled(t, newOffice(t))
	c.says(app.ExitOK, "queue", "status") // makes the file
	own := filepath.Join(c.dir, vault.StandInDir)
	if err := os.MkdirAll(filepath.Join(own, vault.FileName), 0o700); err != nil { // cannot be opened as a file
		t.Fatal(err)
	}
	if said := c.says(app.ExitKept, "uninstall", "--yes"); !strings.Contains(said, "nothing was deleted") || !strings.Contains(said, own) {
		t.Error(said)
	}
	for _, kept := range []string{own, filepath.Join(c.dir, vault.KeysDir), filepath.Join(c.dir, vault.FileName)} {
		if _, err := os.Stat(kept); err != nil {
			t.Error(err)
		}
	}
	if err := os.Rename(own, filepath.Join(t.TempDir(), "safe")); err != nil {
		t.Fatal(err)
	}
	c.says(app.ExitOK, "uninstall", "--yes")
}

// Who may not speak with the agent is told so, not that it runs or does not.
func TestUninstallByAnotherUser(t *testing.T) {
	c := enrolled(t, newOffice(t))
	listener, err := net.Listen("unix", filepath.Join(c.dir, "control.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = bufio.NewReader(conn).ReadString('\n')
			_, _ = io.WriteString(conn, `{"error":{"code":"forbidden","message":"this user may not use the desk of this terminal"}}`+"\n")
			_ = conn.Close()
		}
	}()
	said := c.says(app.ExitFailed, "uninstall", "--yes")
	if !strings.Contains(said, "this user may not use the desk") || !strings.Contains(said, "nothing is deleted") || strings.Contains(said, "runs: stop") {
		t.Error(said)
	}
}
