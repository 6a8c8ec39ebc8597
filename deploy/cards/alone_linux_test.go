package cards

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"madoguchi.example/deploy/stage"
)

// Variables that the tests hand to themselves in their own namespaces.
const (
	outsideVariable = "MADOGUCHI_CARDS_OUTSIDE" // the network namespace from which they came
	agentVariable   = "MADOGUCHI_CARDS_AGENT"   // the agent's program; empty: only try whether it goes
)

// impossible says why the tests cannot run here; empty where they can.
var impossible string

// agentProgram is the agent's program.
var agentProgram string

// TestMain starts this program again, alone.
func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	if outside := os.Getenv(outsideVariable); outside != "" {
		return inside(m, outside, os.Getenv(agentVariable))
	}
	impossible = missing()
	switch {
	case impossible == "":
		return again()
	case os.Getenv("CI") == "true":
		fmt.Fprintln(os.Stderr, "not skipped with CI=true:", impossible)
		return 1
	}
	return m.Run()
}

// inside runs the tests in their namespaces.
func inside(m *testing.M, outside, agent string) int {
	if err := closeDoors(outside); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if agent == "" {
		return 0
	}
	agentProgram = agent
	return m.Run()
}

// alone is the beginning of each test.
func alone(t testing.TB) {
	t.Helper()
	if impossible != "" {
		t.Skipf("skipped, because %s", impossible)
	}
}

const vpcdLibrary = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"

func missing() string {
	for _, name := range []string{pcscdProgram, vpcdLibrary} {
		if _, err := os.Stat(name); err != nil {
			return name + " is not installed"
		}
	}
	for _, name := range []string{"opensc-tool", "pkcs15-tool", "pkcs15-crypt"} {
		if _, err := exec.LookPath(name); err != nil {
			return name + " is not installed"
		}
	}
	if out, err := namespaced("").CombinedOutput(); err != nil {
		return fmt.Sprintf("a mount and network namespace of one's own cannot be had here: %v %s", err, out)
	}
	return ""
}

// again runs this program in its namespaces and gives its exit code.
func again() int {
	program, tidy, err := buildAgent()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer tidy()
	// The kernel kills the child when the thread that started it ends.
	runtime.LockOSThread()
	cmd := namespaced(program)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return cmd.ProcessState.ExitCode()
}

// namespaced is this program once more, in a mount and network namespace of its own, as the
// superuser or in a user namespace.
func namespaced(agent string) *exec.Cmd {
	outside, _ := os.Readlink("/proc/self/ns/net") // without it nothing is alone, and says so
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.Env = append(os.Environ(), outsideVariable+"="+outside, agentVariable+"="+agent)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if uid := os.Getuid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return cmd
}

// buildAgent gives the agent's program: that of the folder MADOGUCHI_BIN, or one built now
// and removed by tidy.
func buildAgent() (program string, tidy func(), err error) {
	if dir := os.Getenv("MADOGUCHI_BIN"); dir != "" {
		return filepath.Join(dir, stage.Agent), func() {}, nil
	}
	root, err := stage.Root(context.Background())
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "madoguchi-cards-")
	if err != nil {
		return "", nil, err
	}
	program = filepath.Join(dir, stage.Agent)
	cmd := exec.Command("go", "build", "-o", program, "./agent/cmd/"+stage.Agent)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		return "", nil, fmt.Errorf("the agent cannot be built: %w\n%s", err, out)
	}
	return program, func() { os.RemoveAll(dir) }, nil
}

// closeDoors makes the namespaces private: /run is empty, no reader of the machine can be
// opened, and the network is a loopback that ends here.
func closeDoors(outside string) error {
	here, err := os.Readlink("/proc/self/ns/net")
	if err != nil || here == outside {
		return fmt.Errorf("cannot leave the machine's network: %w", errors.Join(err, os.ErrExist))
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot make the mounts private: %w", err)
	}
	for _, dir := range []string{"/run", "/dev/bus"} {
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
			return fmt.Errorf("cannot hide %s: %w", dir, err)
		}
	}
	if err := os.Mkdir(runDir, 0o755); err != nil {
		return fmt.Errorf("cannot make %s: %w", runDir, err)
	}
	return loopbackUp()
}

func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot raise the loopback: %w", err)
	}
	defer unix.Close(s)
	lo, err := unix.NewIfreq("lo")
	if err == nil {
		lo.SetUint16(unix.IFF_UP)
		err = unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo)
	}
	if err != nil {
		return fmt.Errorf("cannot raise the loopback: %w", err)
	}
	return nil
}

// The namespaces hide what the tests promise to hide.
func TestNothingLeaks(t *testing.T) {
	alone(t)
	startDaemon(t)
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagUp != 0 && i.Flags&net.FlagLoopback == 0 {
			t.Errorf("there is a network besides the loopback: %s", i.Name)
		}
	}
	routes, err := os.ReadFile("/proc/net/route")
	if err != nil || strings.Count(string(routes), "\n") > 1 {
		t.Errorf("there is a way out: %s %v", routes, err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(mounts), "\n") {
		if strings.Contains(line, " shared:") {
			t.Errorf("a mount is shared with the machine: %s", line)
		}
	}
}
