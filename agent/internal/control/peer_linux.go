package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"madoguchi.example/shared/fault"
)

// maxPath is how long a socket's path may be for the kernel.
const maxPath = 100

// short calls use with a path to the same socket that the kernel can take.
func short[T any](path string, use func(string) (T, error)) (T, error) {
	if len(path) <= maxPath {
		return use(path)
	}
	var none T
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return none, err
	}
	defer func() { _ = dir.Close() }()
	return use("/proc/self/fd/" + strconv.Itoa(int(dir.Fd())) + "/" + filepath.Base(path))
}

func listen(path string) (*net.UnixListener, error) {
	return short(path, func(p string) (*net.UnixListener, error) {
		return net.ListenUnix("unix", &net.UnixAddr{Name: p, Net: "unix"})
	})
}

func dial(ctx context.Context, path string) (net.Conn, error) {
	return short(path, func(p string) (net.Conn, error) {
		d := net.Dialer{Timeout: Patience}
		return d.DialContext(ctx, "unix", p)
	})
}

// peerOf asks the kernel who is at the other end.
func peerOf(conn *net.UnixConn) (Peer, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return Peer{}, err
	}
	var cred *unix.Ucred
	var asked error
	err = raw.Control(func(fd uintptr) {
		cred, asked = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, asked); err != nil {
		return Peer{}, fmt.Errorf("cannot tell who calls: %w", err)
	}
	return Peer{Known: true, UID: int(cred.Uid), GID: int(cred.Gid), PID: int(cred.Pid)}, nil
}

// ownFolder makes the folder where it is missing. Without a group it is closed to others; in
// any case nobody else may write there, who could put another socket in place of ours.
func ownFolder(dir string, gid int) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the folder of the control socket: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("cannot look at the folder of the control socket: %w", err)
	}
	owner := -1
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		owner = int(st.Uid)
	}
	mode := info.Mode().Perm()
	want := mode &^ 0o077
	if gid >= 0 {
		want = mode &^ 0o022
	}
	if want == mode {
		return nil
	}
	if owner != os.Geteuid() {
		return fault.At(fault.InvalidArgument, "desk.control", "lies in a folder that others may write to or enter; it must be the agent's own")
	}
	if err := os.Chmod(dir, want); err != nil {
		return fmt.Errorf("cannot close the folder of the control socket: %w", err)
	}
	return nil
}

// groupID gives the number of a group, -1 for no name.
func groupID(name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, fault.Wrap(fault.InvalidArgument, err, "desk.control_group: there is no such group")
	}
	return strconv.Atoi(g.Gid)
}

func inGroup(p Peer, gid int) bool {
	if p.GID == gid {
		return true
	}
	u, err := user.LookupId(strconv.Itoa(p.UID))
	if err != nil {
		return false
	}
	groups, err := u.GroupIds()
	return err == nil && slices.Contains(groups, strconv.Itoa(gid))
}
