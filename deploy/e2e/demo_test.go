package e2e_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"madoguchi.example/deploy/stage"
)

// demo starts `madoguchi-demo` and waits until it has said where everything is.
func demo(t *testing.T, ctx context.Context) (*stage.Process, stage.Facts, string) {
	t.Helper()
	p := programs(t)
	state := filepath.Join(t.TempDir(), "state")
	d, err := stage.Start(stage.Command{Name: "demo", Path: p.Path(stage.Demo),
		Args: []string{"--bin", p.Dir, "--state", state, "--residents", "100"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Kill)
	if err := d.Said(ctx, "Try first"); err != nil {
		t.Fatalf("%v\n%s", err, d.Output())
	}
	raw, err := os.ReadFile(filepath.Join(state, stage.FactsFile))
	if err != nil {
		t.Fatal(err)
	}
	var f stage.Facts
	if err := json.Unmarshal(raw, &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Pids) != 5 || len(f.Desks) != 3 {
		t.Fatalf("the stage is %+v", f)
	}
	return d, f, state
}

func ended(t *testing.T, ctx context.Context, d *stage.Process) error {
	t.Helper()
	select {
	case <-d.Done():
		return d.Err()
	case <-ctx.Done():
		t.Fatalf("the demonstration does not end\n%s", d.Output())
		return nil
	}
}

// nothingLeft waits until none of the processes is there any more, zombies aside, and
// checks that nobody listens.
func nothingLeft(t *testing.T, ctx context.Context, f stage.Facts) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for _, pid := range f.Pids {
		for runs(pid) {
			select {
			case <-tick.C:
			case <-ctx.Done():
				t.Fatalf("process %d is left", pid)
			}
		}
	}
	for _, u := range append(f.Desks, f.Citizen, f.Practice) {
		if resp, err := http.Get(u); err == nil {
			resp.Body.Close()
			t.Errorf("somebody still answers at %s", u)
		}
	}
}

func runs(pid int) bool {
	raw, err := os.ReadFile(filepath.Join("/proc", itoa(pid), "stat"))
	if err != nil {
		return syscall.Kill(pid, 0) == nil && !os.IsNotExist(err)
	}
	_, after, _ := strings.Cut(string(raw), ") ")
	return !strings.HasPrefix(after, "Z")
}

func itoa(n int) string {
	raw, _ := json.Marshal(n) // a number always encodes
	return string(raw)
}

func TestTheDemonstrationLeavesNothingRunning(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(t *testing.T, d *stage.Process, f stage.Facts)
		good bool
		says string
	}{
		{"Ctrl-C", func(t *testing.T, d *stage.Process, _ stage.Facts) { signal(t, d.Pid(), syscall.SIGINT) }, true, "ending"},
		{"terminal closed", func(t *testing.T, d *stage.Process, _ stage.Facts) { signal(t, d.Pid(), syscall.SIGHUP) }, true, "ending"},
		{"killed", func(t *testing.T, d *stage.Process, _ stage.Facts) { signal(t, d.Pid(), syscall.SIGKILL) }, false, ""},
		{"a program dies", func(t *testing.T, _ *stage.Process, f stage.Facts) { signal(t, f.Pids[len(f.Desks)], syscall.SIGKILL) }, false, "backend ended by itself"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := limit(t, time.Minute)
			d, f, _ := demo(t, ctx)
			if resp, err := http.Get(f.Citizen); err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("the citizen app does not answer: %v", err)
			} else {
				resp.Body.Close()
			}
			c.end(t, d, f)
			if err := ended(t, ctx, d); (err == nil) != c.good {
				t.Errorf("it ended with %v\n%s", err, d.Output())
			}
			if !strings.Contains(d.Output(), c.says) {
				t.Errorf("it did not say %q\n%s", c.says, d.Output())
			}
			nothingLeft(t, ctx, f)
		})
	}
}

func signal(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatal(err)
	}
}

func TestTheTourEndsByItself(t *testing.T) {
	ctx := limit(t, 5*time.Minute)
	p := forPractice(t)
	state := filepath.Join(t.TempDir(), "state")
	out, status, err := stage.Run(ctx, stage.Command{Name: "demo", Path: p.Path(stage.Demo),
		Args: []string{"--bin", p.Dir, "--state", state, "--tour", "--residents", "100"}})
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if last := lines[len(lines)-1]; status != 0 || !strings.HasSuffix(last, " passed, 0 failed") {
		t.Errorf("status %d\n%s", status, out)
	}
	// A second run finds its own state; something else in the folder is left alone.
	if err := os.Remove(filepath.Join(state, ".madoguchi-demo")); err != nil {
		t.Fatal(err)
	}
	_, status, err = stage.Run(ctx, stage.Command{Name: "demo", Path: p.Path(stage.Demo), Args: []string{"--bin", p.Dir, "--state", state}})
	if err != nil || status != 1 {
		t.Errorf("a folder that holds something else was taken: status %d, %v", status, err)
	}
	if _, err := os.Stat(filepath.Join(state, "logs")); err != nil {
		t.Error("a folder that holds something else was emptied")
	}
}
