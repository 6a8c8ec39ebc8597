package card

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// hurry has the kernel acknowledge at once what comes next. vpcd sends a message in two
// pieces and waits with the second until the first is acknowledged, which takes 40 ms.
func hurry(conn net.Conn) {
	if s, ok := conn.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) {
				_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1) // else it is slow, not wrong
			})
		}
	}
}
