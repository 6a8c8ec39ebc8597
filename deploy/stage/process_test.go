package stage_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"madoguchi.example/deploy/stage"
)

func limit(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func shell(t *testing.T, script string) *stage.Process {
	t.Helper()
	p, err := stage.Start(stage.Command{Name: "shell", Path: "/bin/sh", Args: []string{"-c", script}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func TestTheAddressIsReadFromTheLog(t *testing.T) {
	p := shell(t, `echo noise; echo '{"msg":"listening","address":"127.0.0.1:7"}' >&2; echo '{"msg":"listening","address":"second"}'; exec sleep 60`)
	if a, err := p.Listening(limit(t)); err != nil || a != "127.0.0.1:7" {
		t.Errorf("%q %v", a, err)
	}
	if err := p.Said(limit(t), "noise"); err != nil {
		t.Error(err)
	}
}

func TestAProgramThatEndsEarlySaysWhy(t *testing.T) {
	p := shell(t, `echo the reason >&2; exit 3`)
	if _, err := p.Listening(limit(t)); err == nil || !strings.Contains(err.Error(), "the reason") {
		t.Errorf("%v", err)
	}
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// grandchild waits for the process id that the script has written.
func grandchild(t *testing.T, p *stage.Process) int {
	t.Helper()
	if err := p.Said(limit(t), "child"); err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(p.Output(), "child")))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func gone(t *testing.T, pid int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ctx := limit(t); alive(pid); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("process %d is still there", pid)
		}
	}
}

func TestTheWholeGroupEnds(t *testing.T) {
	for name, end := range map[string]func(*stage.Process){
		"kill": func(p *stage.Process) { p.Kill() },
		"stop": func(p *stage.Process) {
			if err := p.Stop(10 * time.Second); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := shell(t, `sleep 60 >/dev/null 2>&1 & echo child $!; wait`)
			pid := grandchild(t, p)
			end(p)
			gone(t, pid)
		})
	}
}

func TestWhatDoesNotStopIsKilled(t *testing.T) {
	p := shell(t, `trap '' TERM; echo ready; while :; do sleep 1; done`)
	if err := p.Said(limit(t), "ready"); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(50 * time.Millisecond); err == nil {
		t.Error("nobody was told")
	}
	gone(t, p.Pid())
}

func TestRunGivesOutputAndStatus(t *testing.T) {
	run := func(script string) ([]byte, int, error) {
		return stage.Run(limit(t), stage.Command{Name: "shell", Path: "/bin/sh", Args: []string{"-c", script}, Env: []string{"A=b"}})
	}
	if out, status, err := run(`printf %s "$A"; exit 4`); string(out) != "b" || status != 4 || err != nil {
		t.Errorf("%q %d %v", out, status, err)
	}
	if _, _, err := run(`kill -9 $$`); err == nil {
		t.Error("a killed program counts as run")
	}
	if _, err := stage.RunWell(limit(t), stage.Command{Name: "shell", Path: "/bin/sh", Args: []string{"-c", "echo why >&2; exit 1"}}); err == nil || !strings.Contains(err.Error(), "why") {
		t.Errorf("%v", err)
	}
}

func TestTheProgramsSeeNoSettingsOfOurs(t *testing.T) {
	t.Setenv("MADOGUCHI_BACKEND_STORE_DSN", "somewhere")
	out, _, err := stage.Run(limit(t), stage.Command{Name: "env", Path: "/usr/bin/env"})
	if err != nil || strings.Contains(string(out), "MADOGUCHI_") {
		t.Errorf("%v", err)
	}
}

// TestChildrenDieWithTheirStarter runs this test binary again as a starter that is killed.
func TestChildrenDieWithTheirStarter(t *testing.T) {
	if file := os.Getenv("STAGE_TEST_CHILD"); file != "" {
		p := shell(t, `exec sleep 60`)
		if err := os.WriteFile(file+".new", []byte(strconv.Itoa(p.Pid())), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
		<-p.Done()
		return
	}
	file := filepath.Join(t.TempDir(), "pid")
	starter, err := stage.Start(stage.Command{Name: "starter", Path: os.Args[0],
		Args: []string{"-test.run", "^TestChildrenDieWithTheirStarter$"}, Env: []string{"STAGE_TEST_CHILD=" + file}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(starter.Kill)
	pid := 0
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ctx := limit(t); pid == 0; {
		select {
		case <-tick.C:
			if raw, err := os.ReadFile(file); err == nil {
				pid, _ = strconv.Atoi(string(raw))
			}
		case <-ctx.Done():
			t.Fatal(starter.Output())
		}
	}
	if err := syscall.Kill(starter.Pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	gone(t, pid)
}
