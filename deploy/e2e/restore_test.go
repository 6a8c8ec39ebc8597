package e2e_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"madoguchi.example/deploy/faults/witness"
	"madoguchi.example/deploy/population"
	"madoguchi.example/deploy/stage"
	"madoguchi.example/deploy/tour"
	"madoguchi.example/mobile-api/client"
)

// drill is a backend that is lost and comes back from its backup.
type drill struct {
	t   *testing.T
	ctx context.Context
	x   *witness.Witness
	dir string
	id  *age.X25519Identity
}

// The drill of deploy/runbooks/restore.md, with the programs as they are delivered: what a
// backup did not know comes back from the terminals, each record once; nothing goes out
// before a person has said what became of the open payment list, and then it does.
func TestARestoredBackendActsOnNothingUntilItIsReconciled(t *testing.T) {
	for _, store := range stores() {
		t.Run(store.name, func(t *testing.T) {
			ctx := limit(t, 5*time.Minute)
			s, terminal := open(t, ctx, stage.Options{DSN: store.dsn(t), Residents: 100})
			d := newDrill(t, ctx, witness.New(t, ctx, s, terminal))
			d.x.Start()
			d.record(5)
			d.list("waiting")
			d.owe()
			before := d.status()
			d.tool("backup", "--to", d.file("backup"), "--recipient", d.id.Recipient().String())
			d.record(5)
			d.list("approved") // and its file was sent
			d.outward(true)

			d.lose()
			d.pushService(nil)
			d.tool("restore", "--from", d.file("backup"), "--identity", d.file("identity"))
			d.x.RestartBackend()
			d.record(1) // or the next beat, ten minutes later: either brings the news
			d.x.MustHold()
			after := d.status()
			if !after.Fenced || after.Epoch == before.Epoch || after.Prior != before.Epoch || after.Terminals.Heard != 1 || len(after.Lists) != 1 {
				t.Errorf("before %+v, after %+v", before, after)
			}
			d.outward(false)

			d.reconcile(false)
			d.outward(false)
			if n := d.pushed(); n != 0 {
				t.Errorf("%d pushes left while the fence stood", n)
			}
			d.reconcile(true, "--sent", "lst_drill")
			d.outward(true)
			d.once()
			d.arrives()
			d.record(2)
			d.x.MustHold()
			if n := d.pushed(); n != 1 {
				t.Errorf("the phone was woken %d times", n)
			}
			if d.x.Confirmed() != 13 {
				t.Errorf("%d records were confirmed", d.x.Confirmed())
			}
		})
	}
}

func newDrill(t *testing.T, ctx context.Context, x *witness.Witness) *drill {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	d := &drill{t, ctx, x, t.TempDir(), id}
	if err := os.WriteFile(d.file("identity"), []byte(id.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *drill) file(name string) string { return filepath.Join(d.dir, name) }

func (d *drill) record(n int) {
	d.t.Helper()
	for range n {
		d.x.Record()
	}
	d.x.AllSent()
}

func (d *drill) tool(args ...string) []byte {
	d.t.Helper()
	out, err := d.x.Stage.Tool(d.ctx, args...)
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}

// db opens the backend's store beside the backend.
func (d *drill) db() *sql.DB {
	d.t.Helper()
	driver, dsn := "pgx", d.x.Stage.DSN
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		driver, dsn = "sqlite", "file:"+path+"?_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		d.t.Fatal(err)
	}
	return db
}

func (d *drill) exec(statements ...string) {
	d.t.Helper()
	db := d.db()
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(d.ctx, s); err != nil {
			d.t.Fatal(err)
		}
	}
}

// list puts a payment list of one award into a state.
func (d *drill) list(state string) {
	d.t.Helper()
	if state != "waiting" {
		d.exec(`UPDATE payment_list SET state = '` + state + `' WHERE list_id = 'lst_drill'`)
		return
	}
	d.exec(`INSERT INTO payment_list (list_id, run_id, municipality, state, line_count, total, made_by, made_at, moved_at, reached, page)
			VALUES ('lst_drill', 'run_drill', '990019', 'waiting', 1, 30000, 'stf_drill', 1, 1, '', 1)`,
		`INSERT INTO list_line (citizen_id, award_id, attempt, list_id, amount, children) VALUES ('ctz_drill', 'awd_drill', 0, 'lst_drill', 30000, 1)`)
}

// owe has a notice lie in a mailbox whose phone was not woken for it, since the push service
// is out.
func (d *drill) owe() {
	d.t.Helper()
	g := tour.Guide{Stage: d.x.Stage, Rand: rand.Reader}
	phone, err := g.SignIn(d.ctx, population.SubParent)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := phone.RegisterDevice(d.ctx, client.Device{ID: "drill-device-0000000000", Token: drillToken, Language: "ja"}); err != nil {
		d.t.Fatal(err)
	}
	d.pushService([]map[string]any{{"code": "UNAVAILABLE", "times": 0}})
	clerk, err := g.Console(d.ctx, population.SubMinatoClerk)
	if err != nil {
		d.t.Fatal(err)
	}
	form, _, err := clerk.Preview(d.ctx, tour.Notice{Title: "訓練", Body: "訓練のお知らせです。", Refs: []string{d.x.Stage.Cast.Parent.ResidentRef}})
	if err == nil {
		_, err = clerk.Send(d.ctx, form)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

const drillToken = "practice:drill-device-0000000000"

// pushService has the practice push service fail so, or work again.
func (d *drill) pushService(faults []map[string]any) {
	d.t.Helper()
	body, err := json.Marshal(map[string]any{"token": drillToken, "faults": faults})
	if err != nil {
		d.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(d.ctx, http.MethodPut, d.x.Stage.PracticeURL+"/practice/fcm/faults", bytes.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode > 299 {
		d.t.Fatalf("the practice push service answers %d", resp.StatusCode)
	}
}

// pushed counts what reached the phone.
func (d *drill) pushed() int {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.ctx, http.MethodGet, d.x.Stage.PracticeURL+"/practice/fcm/messages?token="+drillToken, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	var taken struct {
		Messages []json.RawMessage `json:"messages"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&taken); err != nil {
		d.t.Fatal(err)
	}
	return len(taken.Messages)
}

// arrives waits until the phone was woken: a job that was held waits some seconds more.
func (d *drill) arrives() {
	d.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for d.pushed() == 0 {
		select {
		case <-tick.C:
		case <-d.ctx.Done():
			d.t.Fatal("the push that was owed does not come after the fence has lifted")
		}
	}
}

// lose ends the backend and destroys its store.
func (d *drill) lose() {
	d.t.Helper()
	d.x.Stage.Backend.Kill()
	<-d.x.Stage.Backend.Done()
	path, ok := strings.CutPrefix(d.x.Stage.DSN, "sqlite:")
	if !ok {
		d.exec(`DROP SCHEMA public CASCADE`, `CREATE SCHEMA public`)
		return
	}
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + end); err != nil && !os.IsNotExist(err) {
			d.t.Fatal(err)
		}
	}
}

// restoration is what `restore status --json` says.
type restoration struct {
	Fenced    bool   `json:"fenced"`
	Epoch     string `json:"server_epoch"`
	Prior     string `json:"prior_epoch"`
	Lists     []any  `json:"payment_lists"`
	Terminals struct {
		Heard int `json:"heard"`
	} `json:"terminals"`
}

func (d *drill) status() (r restoration) {
	d.t.Helper()
	if err := json.Unmarshal(d.tool("restore", "status", "--json"), &r); err != nil {
		d.t.Fatal(err)
	}
	return r
}

// outward asks for what goes out: keys, trust, sign-in, wallets. Staff and health answer
// always.
func (d *drill) outward(open bool) {
	d.t.Helper()
	for _, c := range []struct {
		method, path string
		outward      bool
	}{
		{http.MethodGet, "/.well-known/jwks.json", true},
		{http.MethodGet, "/.well-known/hcert/revocation.json", true},
		{http.MethodPost, "/v1/sign-in/start", true},
		{http.MethodPost, "/v1/sign-in/refresh", true},
		{http.MethodPost, "/terminal/v1/enrol", true},
		{http.MethodPost, "/wallet/token", true},
		{http.MethodGet, "/office/sign-in", false},
		{http.MethodGet, "/readyz", false},
	} {
		status := d.ask(c.method, c.path)
		if open && c.outward {
			d.lifted(c.method, c.path, status)
		} else if held := status == http.StatusServiceUnavailable; held != c.outward {
			d.t.Errorf("%s %s: %d, open %v", c.method, c.path, status, open)
		}
	}
}

// lifted waits until a route that may answer does: a backend believes what it read of the
// fence for a second.
func (d *drill) lifted(method, path string, status int) {
	d.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for status == http.StatusServiceUnavailable {
		select {
		case <-tick.C:
			status = d.ask(method, path)
		case <-d.ctx.Done():
			d.t.Fatalf("%s %s answers %d after the fence has lifted", method, path, status)
		}
	}
}

func (d *drill) ask(method, path string) int {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.ctx, method, d.x.Stage.Public.URL()+path, strings.NewReader("{}"))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// reconcile says the words and wants the fence to lift or to stand.
func (d *drill) reconcile(lifts bool, words ...string) {
	d.t.Helper()
	out, err := d.x.Stage.Tool(d.ctx, append([]string{"restore", "reconcile", "--by", "drill", "--pushes", "keep"}, words...)...)
	if (err == nil) != lifts {
		d.t.Errorf("reconcile %v: %v\n%s", words, err, out)
	}
}

// once looks that the list which was sent is booked once and can never leave again.
func (d *drill) once() {
	d.t.Helper()
	db := d.db()
	defer db.Close()
	var exported, approved, entries, sum int
	err := db.QueryRowContext(d.ctx, `SELECT (SELECT count(*) FROM payment_export WHERE list_id = 'lst_drill'),
		(SELECT count(*) FROM payment_list WHERE list_id = 'lst_drill' AND state = 'approved'),
		count(*), CAST(coalesce(sum(amount), 1) AS BIGINT) FROM ledger`).Scan(&exported, &approved, &entries, &sum)
	if err != nil || exported != 1 || approved != 1 || entries != 2 || sum != 0 {
		d.t.Errorf("exported %d, approved %d, %d entries that sum to %d: %v", exported, approved, entries, sum, err)
	}
}
