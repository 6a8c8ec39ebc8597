package app

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// coreless tells this test program, started anew, to give up its core files: a limit once
// lowered stays lowered.
const coreless = "MADOGUCHI_TEST_CORELESS"

func TestNoCoreFiles(t *testing.T) {
	if os.Getenv(coreless) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestNoCoreFiles$")
		cmd.Env = append(os.Environ(), coreless+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	noCoreFiles()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil || limit.Cur != 0 || limit.Max != 0 {
		t.Errorf("%+v: %v", limit, err)
	}
}
