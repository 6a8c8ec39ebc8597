//go:build !linux

package control

import (
	"context"
	"fmt"
	"net"
	"os"

	"madoguchi.example/shared/fault"
)

func listen(path string) (*net.UnixListener, error) {
	return net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
}

func dial(ctx context.Context, path string) (net.Conn, error) {
	d := net.Dialer{Timeout: Patience}
	return d.DialContext(ctx, "unix", path)
}

// peerOf knows nothing here: the folder's owner decides who reaches the socket.
func peerOf(*net.UnixConn) (Peer, error) { return Peer{}, nil }

func ownFolder(dir string, _ int) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the folder of the control socket: %w", err)
	}
	return nil
}

func groupID(name string) (int, error) {
	if name != "" {
		return 0, fault.At(fault.InvalidArgument, "desk.control_group", "is for Linux alone")
	}
	return -1, nil
}

func inGroup(Peer, int) bool { return false }
