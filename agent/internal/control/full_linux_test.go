package control_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"madoguchi.example/agent/internal/control"
)

// exhausted tells this test program, started anew, to run out of files.
const exhausted = "MADOGUCHI_TEST_EXHAUSTED"

// An agent that ran out of files, with whatever a neighbour keeps open, answers its own user
// again once there are some.
func TestTheSocketOutlivesALackOfFiles(t *testing.T) {
	if os.Getenv(exhausted) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), exhausted+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "s")
	serve(t, path, "", map[string]control.Act{"launch": launch})
	// The limit of this program alone: nothing else on the machine runs out.
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 64, Max: 64}); err != nil {
		t.Skipf("no limit can be set: %v", err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	var held []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		held = append(held, f)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(fd, []byte(`{"do":"launch"}`+"\n")); err != nil {
		t.Fatal(err)
	}
	unix.SetNonblock(fd, false)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 300_000}); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 100)
	if n, _ := unix.Read(fd, answer); n > 0 { // while there are no files nobody answers
		t.Fatalf("answered %q", answer[:n])
	}
	for _, f := range held {
		_ = f.Close()
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: int64(10 * time.Second / time.Second)}); err != nil {
		t.Fatal(err)
	}
	n, err := unix.Read(fd, answer)
	if err != nil || n <= 0 {
		t.Fatal(fmt.Errorf("no answer after the lack: %d %w", n, err))
	}
}
