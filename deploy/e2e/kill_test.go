package e2e_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"madoguchi.example/deploy/faults/witness"
	"madoguchi.example/deploy/stage"
	"madoguchi.example/shared/wire"
)

// long is within what a loop ends at its full count, on a machine that has much else to do.
const long = time.Hour

// watched gives a witness at the only terminal of a new stage.
func watched(t *testing.T, d time.Duration) (context.Context, *witness.Witness) {
	t.Helper()
	ctx := limit(t, d)
	s, terminal := open(t, ctx, stage.Options{Residents: 100})
	return ctx, witness.New(t, ctx, s, terminal)
}

// The agent is killed while four hands record: with the line open, cut, and between the
// backend's commit and the arrival of its answer.
func TestNothingConfirmedIsLostWhenTheAgentIsKilled(t *testing.T) {
	c := counts(t)
	_, x := watched(t, long)
	between := 0
	for i := range c.AgentKills {
		x.Stage.Line.Mend()
		x.Restore()
		if i%3 == 1 {
			x.Stage.Line.Cut()
		}
		x.Start()
		process := x.Terminal.Process()
		if i%3 != 2 {
			x.RecordUntil(c.RecordsPerKill, process.Kill)
			continue
		}
		killed := make(chan struct{})
		x.RecordUntil(c.RecordsPerKill, func() {
			x.Stage.Line.BreakNext(stage.Break{Request: witness.Batches, Then: func() { process.Kill(); close(killed) }})
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
	x.Stage.Line.Mend()
	x.Restore()
	x.Start()
	x.AllSent()
	x.MustHold()
	if x.Confirmed() < c.AgentKills*c.RecordsPerKill {
		t.Errorf("only %d records were confirmed", x.Confirmed())
	}
}

// patient is how many kills of the backend there are to each one after which the terminal
// is not started anew.
const patient = 5

// The backend is killed while it takes in a batch: at once when the batch arrives, a
// little later, and after its answer was written but before it arrives.
func TestNothingConfirmedIsLostWhenTheBackendIsKilled(t *testing.T) {
	c := counts(t)
	ctx, x := watched(t, long)
	x.Start()
	for i := range c.BackendKills {
		x.Stage.Line.Cut()
		backend, killed := x.Stage.Backend, make(chan struct{})
		kill := func() { backend.Kill(); close(killed) }
		if i%2 == 0 {
			x.Stage.Line.BreakNext(stage.Break{Request: witness.Batches, Then: kill})
		} else {
			// From the moment it arrives to some milliseconds after, one step further each time.
			x.Tap.WhenArrived(func() { time.AfterFunc(time.Duration(i)*400*time.Microsecond, kill) })
		}
		for range c.RecordsPerKill {
			x.Record()
		}
		x.Restore()
		if i%patient != 0 { // else the terminal finds the backend again by itself, after some seconds
			x.Kill()
			x.Start()
		}
		for done := false; !done; {
			x.Record() // each record wakes the uplink
			select {
			case <-killed:
				done = true
			case <-ctx.Done():
				t.Fatalf("round %d: no batch came", i)
			case <-time.After(100 * time.Millisecond):
			}
		}
		x.RestartBackend()
	}
	x.Record()
	x.AllSent()
	x.MustHold()
}

// Control: without the duplicate check (here: a record that is sent again has a new id)
// the audit must find entries twice.
func TestTheAuditFindsWhatIsTakenInTwice(t *testing.T) {
	_, x := watched(t, 5*time.Minute)
	var mu sync.Mutex
	names := map[string]int{}
	x.Tap.Alter(func(b *wire.Batch) map[string]string {
		mu.Lock()
		defer mu.Unlock()
		own := map[string]string{}
		for i, r := range b.Records {
			if names[r.ID]++; names[r.ID] > 1 {
				id := uuid.Must(uuid.NewV7()).String()
				own[id], b.Records[i].ID = r.ID, id
			}
			if i > 0 && !b.Records[i].Prev.IsZero() {
				b.Records[i].Prev = wire.After(b.Records[i-1]) // the chain as such a terminal would make it
			}
		}
		return own
	})
	x.Start()
	x.Stage.Line.BreakNext(stage.Break{Request: witness.Batches})
	for range 5 {
		x.Record()
	}
	x.AllSent()
	x.MustFind(witness.Twice)
}

// Control: a terminal whose disk keeps nothing of what was confirmed (here: its file is
// put back to what it was before) must be found out.
func TestTheAuditFindsWhatWasNotKept(t *testing.T) {
	_, x := watched(t, 5*time.Minute)
	x.Start()
	x.Record()
	x.AllSent()
	x.Kill()
	file := filepath.Join(x.Terminal.Dir, "state", "agent.db")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	x.Stage.Line.Cut()
	x.Start()
	for range 5 {
		x.Record()
	}
	x.Kill()
	if err := os.WriteFile(file, before, 0o600); err != nil {
		t.Fatal(err)
	}
	x.Restore()
	x.Start()
	x.AllSent()
	x.MustFind(witness.Lost)
}

// Control: an agent that answers before it stores (built here from its source with two
// lines more) must be found out by the same kill.
func TestTheAuditFindsAnAgentThatAnswersBeforeItStores(t *testing.T) {
	ctx, x := watched(t, 8*time.Minute)
	x.Stage.Programs = stage.Programs{Dir: t.TempDir()}
	buildChanged(t, ctx, x.Stage.Programs.Path(stage.Agent), "agent/internal/queue/writer.go",
		"\tg, refused, err := q.try(all)\n",
		`	for i, r := range all {
		later := *r
		later.result = make(chan error, 1)
		all[i] = &later
		r.result <- nil
	}
	time.Sleep(2 * time.Second)
	g, refused, err := q.try(all)
`)
	x.Stage.Line.Cut()
	x.Start()
	if !x.Record() {
		t.Fatal("the changed agent confirmed nothing")
	}
	x.Kill()
	x.Stage.Programs = programs(t)
	x.Restore()
	x.Start()
	x.AllSent()
	x.MustFind(witness.Lost)
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
