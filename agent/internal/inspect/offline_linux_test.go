//go:build linux && (amd64 || arm64)

package inspect_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"madoguchi.example/agent/internal/inspect"
)

// confined names the program that this test binary becomes after it has given up sockets.
const confined = "MADOGUCHI_CONFINED"

func TestMain(m *testing.M) {
	if program := os.Getenv(confined); program != "" {
		fmt.Fprintln(os.Stderr, giveUpSockets(program, os.Args[1:]))
		os.Exit(125)
	}
	os.Exit(m.Run())
}

// giveUpSockets forbids this process and whatever it becomes to make a socket of any kind:
// the kernel ends it at the attempt.
func giveUpSockets(program string, args []string) error {
	runtime.LockOSThread()
	load := func(k uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: k}
	}
	kill := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_KILL_PROCESS}
	filter := []unix.SockFilter{
		load(0), // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_SOCKET, Jt: 3},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_SOCKETPAIR, Jt: 2},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_IO_URING_SETUP, Jt: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		kill,
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot give up privileges: %w", err)
	}
	code := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&code)), 0, 0); err != nil {
		return fmt.Errorf("cannot give up sockets: %w", err)
	}
	environment := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	return syscall.Exec(program, append([]string{program}, args...), environment)
}

// The built program verifies although the kernel would end it at its first socket, and is
// ended when it is told to follow a link.
func TestTheProgramMakesNoSocket(t *testing.T) {
	d, program := newDesk(t), build(t)
	confine := func(args ...string) (int, []byte, *os.ProcessState) {
		c := exec.Command(os.Args[0], args...)
		c.Env = append(os.Environ(), confined+"="+program)
		code, out := runProgram(t, c)
		return code, out, c.ProcessState
	}
	if code, _, _ := confine("version"); code == 125 {
		needsHere(t, "a kernel with seccomp filters")
	}
	d.write("link.txt", []byte(link))
	trust, at := filepath.Join(d.dir, "trust"), "2026-11-21T10:00:01Z"
	for file, want := range map[string]int{
		"card.txt": inspect.ExitValid, "card.png": inspect.ExitValid, "card.smart-health-card": inspect.ExitValid, "bad.txt": inspect.ExitOther, "link.txt": inspect.ExitOther,
	} {
		if code, out, state := confine("verify", "--json", "--trust", trust, "--at", at, filepath.Join(d.dir, file)); code != want {
			t.Errorf("%s: exit %d (%s), %s", file, code, state, out)
		}
	}
	_, out, state := confine("verify", "--fetch", "--passcode", "1", "--json", "--trust", trust, "--at", at, filepath.Join(d.dir, "link.txt"))
	if how, ok := state.Sys().(syscall.WaitStatus); !ok || !how.Signaled() || how.Signal() != syscall.SIGSYS {
		t.Errorf("a link that is followed makes no socket either: the proof proves nothing (%s, %s)", state, out)
	}
}
