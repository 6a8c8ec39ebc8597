// Package tpmtest starts an emulated TPM for tests. It promises that the emulator ends with
// the test, and that a test without one is skipped, but fails where all tests must run.
package tpmtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"madoguchi.example/agent/internal/vault/tpm"
)

// comesUp bounds the emulator's start.
const comesUp = 10 * time.Second

// Emulate starts a TPM with its state in a folder and gives its device. It ends with the
// test, or with stop.
func Emulate(t *testing.T, state string) (device string, stop func()) {
	t.Helper()
	program, err := exec.LookPath("swtpm")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("swtpm is not installed")
		}
		t.Skip("swtpm is not installed")
	}
	dir, err := os.MkdirTemp("", "tpm") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	cmd := exec.Command(program, "socket", "--tpm2", "--tpmstate", "dir="+state, "--server", "type=unixio,path="+path, "--flags", "not-need-init,startup-clear")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	})
	t.Cleanup(stop)
	device = "unix:" + path
	for deadline := time.After(comesUp); !tpm.Reachable(t.Context(), device); {
		select {
		case <-deadline:
			t.Fatal("the emulated TPM does not come up")
		case <-time.After(5 * time.Millisecond):
		}
	}
	return device, stop
}
