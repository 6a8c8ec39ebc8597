package control_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"madoguchi.example/agent/internal/control"
	"madoguchi.example/shared/fault"
)

// Another user of the machine gets no code: not past the modes, and not where somebody
// opened the modes by mistake.
func TestAnotherUserOfTheMachineGetsNothing(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("this test needs the superuser on Linux, to become another user")
		}
		t.Skip("only the superuser can become another user")
	}
	const nobody, group = 65534, 65534
	dir := filepath.Join(t.TempDir(), "state")
	path := filepath.Join(dir, control.SocketName)
	serve(t, path, "", map[string]control.Act{"launch": launch})
	as := func(uid, gid int) string {
		t.Helper()
		program, err := os.ReadFile("/proc/self/exe")
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(t.TempDir(), "caller")
		if err := os.WriteFile(copied, program, 0o755); err != nil {
			t.Fatal(err)
		}
		for d := filepath.Dir(copied); d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
			if err := os.Chmod(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.CommandContext(t.Context(), copied)
		cmd.Env, cmd.Dir = []string{calledAs + "=" + path}, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), NoSetGroups: false}}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	if got, want := as(nobody, group), `uid=65534 code="" fault=forbidden`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(path, 0o666)); err != nil {
		t.Fatal(err)
	}
	if got, want := as(nobody, group), `uid=65534 code="" fault=forbidden`; got != want {
		t.Errorf("with the modes open: %s, want %s", got, want)
	}
	if got, want := as(0, 0), `uid=0 code="12345678" fault=`; got != want {
		t.Errorf("the superuser: %s, want %s", got, want)
	}
}

func TestTheGroupMayCallToo(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only the superuser may give a socket to another group")
	}
	if _, err := control.Listen(filepath.Join(t.TempDir(), "s"), "no-such-group-here", nil); fault.CodeOf(err) != fault.InvalidArgument {
		t.Errorf("an unknown group: %v", err)
	}
	path := filepath.Join(t.TempDir(), "run", control.SocketName)
	serve(t, path, "users", map[string]control.Act{"launch": launch})
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Perm() != 0o660 || info.Sys().(*syscall.Stat_t).Gid != 100 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}
