package faults_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"madoguchi.example/deploy/faults/witness"
	"madoguchi.example/deploy/stage"
)

// tracer injects errors into the system calls of a running program.
type tracer struct {
	*stage.Process
	log string
}

// inject has the kernel answer the terminal's system calls so, until it is stopped.
func inject(t *testing.T, ctx context.Context, strace string, pid int, calls, how string) tracer {
	t.Helper()
	log := filepath.Join(t.TempDir(), "strace")
	p, err := stage.Start(stage.Command{Name: "strace", Path: strace, Args: []string{"-f", "-o", log,
		"-e", "trace=" + calls, "-e", "inject=" + calls + ":" + how, "-p", strconv.Itoa(pid)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	if err := p.Said(ctx, "attached"); err != nil {
		if said := p.Output(); strings.Contains(said, "not permitted") || strings.Contains(said, "ptrace") {
			t.Skipf("this machine lets nobody trace: %s", said)
		}
		t.Fatal(err, p.Output())
	}
	return tracer{p, log}
}

// end lets the program go on as usual and tells how many calls were answered with an error.
func (s tracer) end(t *testing.T) int {
	t.Helper()
	if err := s.Stop(10 * time.Second); err != nil {
		t.Error(err)
	}
	raw, err := os.ReadFile(s.log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	return strings.Count(string(raw), "(INJECTED)")
}

// The kernel answers syncs and writes of the running terminal with errors: always, and at
// the n-th of a thread.
func TestNothingConfirmedIsLostWhenTheKernelRefuses(t *testing.T) {
	strace := need(t, "strace")
	ctx := limit(t, 5*time.Minute)
	w := watched(t, ctx)
	w.Stage.Line.Cut()
	w.Start()
	w.Record()
	for _, c := range []struct {
		name, calls, how string
		always           bool
	}{
		{"no sync", "fdatasync,fsync", "error=EIO", true},
		{"no room", "pwrite64", "error=ENOSPC", true},
		{"the first sync", "fdatasync,fsync", "error=EIO:when=1", false},
		{"the second sync", "fdatasync,fsync", "error=EIO:when=2", false},
		{"the third write", "pwrite64", "error=EIO:when=3", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			tracer := inject(t, ctx, strace, w.Terminal.Process().Pid(), c.calls, c.how)
			var said []witness.Answer
			for range 3 {
				said = append(said, w.Try())
			}
			injected := tracer.end(t)
			if injected == 0 {
				t.Error("no call was answered with an error")
			}
			for _, a := range said {
				if c.always {
					refuses(t, a)
				} else if !a.Confirmed() {
					refuses(t, a)
				}
			}
			recovers(t, w)
			t.Logf("%d calls were answered with an error", injected)
		})
	}
	w.Kill()
	w.Restore()
	w.Start()
	w.AllSent()
	w.MustHold()
	wholeFile(t, w)
}
