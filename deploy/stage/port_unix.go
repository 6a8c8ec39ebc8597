//go:build !windows

package stage

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// sharePort lets a socket share its port with the one that holdPort made.
func sharePort(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	if err != nil {
		return err
	}
	return failed
}

// holdPort binds address without listening: connections are refused, and nobody else gets
// the port while the link is cut.
func holdPort(address string) (io.Closer, string, error) {
	probe := net.ListenConfig{Control: sharePort}
	if _, port, err := net.SplitHostPort(address); err == nil && port != "0" {
		probe.Control = nil // somebody else's socket on a wished-for port is not to be shared
	}
	l, err := probe.Listen(context.Background(), "tcp4", address)
	if err != nil {
		return nil, "", err
	}
	defer l.Close()
	at := l.Addr().(*net.TCPAddr)
	if !at.IP.IsLoopback() {
		return nil, "", fmt.Errorf("not a loopback address")
	}
	if probe.Control == nil {
		l.Close()
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, "", err
	}
	unix.CloseOnExec(fd)
	hold := os.NewFile(uintptr(fd), "held port")
	where := &unix.SockaddrInet4{Port: at.Port, Addr: [4]byte(at.IP.To4())}
	options := []int{unix.SO_REUSEPORT}
	if probe.Control == nil {
		options = append(options, unix.SO_REUSEADDR) // connections of an earlier run may linger
	}
	for _, option := range options {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, 1); err != nil {
			hold.Close()
			return nil, "", err
		}
	}
	if err := unix.Bind(fd, where); err != nil {
		hold.Close()
		return nil, "", err
	}
	return hold, at.String(), nil
}
