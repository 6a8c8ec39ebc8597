package oqsfolder_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"madoguchi.example/agent/internal/oqsfolder"
	"madoguchi.example/shared/fault"
)

const onSmallDisk = "MADOGUCHI_TEST_SMALL_DISK"

// TestARealFullDisk writes into a file system of 32 KiB, which a second run of this test
// binary mounts for itself alone.
func TestARealFullDisk(t *testing.T) {
	if dir := os.Getenv(onSmallDisk); dir != "" {
		fillAndAsk(t, dir)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestARealFullDisk$", "-test.v")
	cmd.Env = append(os.Environ(), onSmallDisk+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}}
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || strings.Contains(string(out), "--- SKIP") {
		t.Skipf("no file system of its own may be mounted here: %v", err)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}

func fillAndAsk(t *testing.T, dir string) {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=32k"); err != nil {
		t.Skipf("cannot mount: %v", err)
	}
	w := newWorld(t, func(c *oqsfolder.Config) { c.ReqDir = dir })
	asked := 0
	for n := range 100 {
		err := w.x.Ask(context.Background(), inquiry(n))
		if err == nil {
			asked++
			continue
		}
		if f, _ := errors.AsType[*fault.Error](err); f == nil || f.Place != oqsfolder.Place || f.Message != oqsfolder.FaultFull {
			t.Fatalf("got %v", err)
		}
		break
	}
	left := w.names(dir)
	if asked == 0 || asked == 100 || len(left) != asked {
		t.Fatalf("%d asked, %d files", asked, len(left))
	}
	w.req = dir
	w.collect() // each of them is a whole document; and there is room again
	w.scan()
	w.ask(1)
	if h := w.x.Health(); !h.Ready || len(w.names(dir)) != 1 {
		t.Errorf("%+v", h)
	}
}
