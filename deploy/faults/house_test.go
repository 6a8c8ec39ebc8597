package faults_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"madoguchi.example/deploy/e2e"
	"madoguchi.example/deploy/faults/amnesia"
	"madoguchi.example/deploy/faults/witness"
	"madoguchi.example/deploy/population"
	"madoguchi.example/deploy/stage"
)

// apartVariable tells the tests that they have mounts of their own.
const apartVariable = "MADOGUCHI_FAULTS_APART"

// TestMain runs the tests in a mount namespace of their own where it may: however they end,
// no mount and no network namespace is left.
func TestMain(m *testing.M) {
	if dir := os.Getenv(lifeVariable); dir != "" {
		os.Exit(liveOnce(dir))
	}
	if os.Geteuid() == 0 && os.Getenv(apartVariable) == "" {
		if code, err := apart(); err == nil {
			os.Exit(code)
		}
	}
	if os.Getenv(apartVariable) != "" {
		letGo()
	}
	code := m.Run()
	if err := stage.Clean(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// apart runs this program again with its own mounts, and gives its exit status.
func apart() (int, error) {
	runtime.LockOSThread() // the kernel watches the thread that starts a child
	signal.Ignore(syscall.SIGINT)
	again := exec.Command(os.Args[0], os.Args[1:]...)
	again.Stdin, again.Stdout, again.Stderr = os.Stdin, os.Stdout, os.Stderr
	again.Env = append(os.Environ(), apartVariable+"=1")
	again.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if err := again.Start(); err != nil {
		return 0, err
	}
	err := again.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 1, nil
	}
	return max(0, again.ProcessState.ExitCode()), nil
}

// letGo takes off what other tests had mounted when these went apart: a copy of a mount keeps
// its file system from ending.
func letGo() {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(mounts)) {
		if words := strings.Fields(line); len(words) > 2 && words[2] == "fuse.amnesia" {
			_ = syscall.Unmount(words[1], syscall.MNT_DETACH) // it only delays the other tests
		}
	}
}

func counts(t *testing.T) e2e.Counts {
	t.Helper()
	c, err := e2e.ReadCounts(os.Getenv("MADOGUCHI_SOAK") != "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// long is within what a loop ends at its full count, on a machine that has much else to do.
const long = time.Hour

func limit(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// house makes a stage whose backend serves. What the programs wrote is shown when the test
// fails.
func house(t *testing.T, ctx context.Context) *stage.Stage {
	t.Helper()
	programs, err := stage.Built()
	if err != nil {
		t.Fatal(err)
	}
	s, err := stage.New(ctx, stage.Options{Programs: programs, Dir: t.TempDir(), Seed: 7, Residents: 100})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			showLogs(t, s)
		}
	})
	if _, err := s.Import(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.StartBackend(ctx); err != nil {
		t.Fatal(err)
	}
	return s
}

func showLogs(t *testing.T, s *stage.Stage) {
	t.Helper()
	files, _ := s.LogFiles()
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		t.Logf("the end of %s:\n%s", f, raw[max(0, len(raw)-4000):])
	}
}

func enrol(t *testing.T, ctx context.Context, s *stage.Stage) *stage.Terminal {
	t.Helper()
	terminal, err := s.Enrol(ctx, population.OfficeMinatoClinic, stage.Equipment{})
	if err != nil {
		t.Fatal(err)
	}
	return terminal
}

// watched gives a witness at the only terminal of a new stage.
func watched(t *testing.T, ctx context.Context) *witness.Witness {
	t.Helper()
	s := house(t, ctx)
	return witness.New(t, ctx, s, enrol(t, ctx, s))
}

// forgetful gives a witness at a terminal whose state lies on a file system that forgets,
// from its enrolment on.
func forgetful(t *testing.T, ctx context.Context) (*witness.Witness, *amnesia.FS) {
	t.Helper()
	if err := amnesia.Possible(); err != nil {
		t.Skip(err) // also where everything else must be there: a container may have no such device
	}
	s := house(t, ctx)
	state := filepath.Join(s.Dir, "agent-1", "state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	disk := amnesia.New(rand.New(rand.NewPCG(20, 26)))
	if err := disk.Mount(state); err != nil {
		t.Fatal(err)
	}
	var terminal *stage.Terminal
	t.Cleanup(func() {
		if terminal != nil && terminal.Process() != nil {
			terminal.Process().Kill()
		}
		if err := disk.Unmount(); err != nil {
			t.Error(err)
		}
	})
	terminal = enrol(t, ctx, s)
	if got, err := filepath.Abs(filepath.Join(terminal.Dir, "state")); err != nil || got != state {
		t.Fatalf("the terminal's state is %s, the disk is at %s: %v", got, state, err)
	}
	return witness.New(t, ctx, s, terminal), disk
}

// need fails the test under CI, and skips it elsewhere, when a program is not installed.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("%s is needed", program)
	}
	if err != nil {
		t.Skipf("%s is not installed", program)
	}
	return path
}
