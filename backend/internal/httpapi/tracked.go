package httpapi

import (
	"net"
	"sync"
)

// tracked is a listener that can close every connection it accepted: a connection on
// which a browser has not asked anything yet would otherwise hold a shutdown up.
type tracked struct {
	net.Listener
	mu   sync.Mutex
	open map[*trackedConn]struct{}
}

func newTracked(ln net.Listener) *tracked {
	return &tracked{Listener: ln, open: map[*trackedConn]struct{}{}}
}

type trackedConn struct {
	net.Conn
	owner *tracked
}

// Accept waits for a connection and remembers it.
func (t *tracked) Accept() (net.Conn, error) {
	c, err := t.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tc := &trackedConn{c, t}
	t.mu.Lock()
	t.open[tc] = struct{}{}
	t.mu.Unlock()
	return tc, nil
}

// Close closes the connection and forgets it.
func (c *trackedConn) Close() error {
	c.owner.mu.Lock()
	delete(c.owner.open, c)
	c.owner.mu.Unlock()
	return c.Conn.Close()
}

func (t *tracked) closeAll() {
	t.mu.Lock()
	open := make([]*trackedConn, 0, len(t.open))
	for c := range t.open {
		open = append(open, c)
	}
	t.mu.Unlock()
	for _, c := range open {
		_ = c.Close()
	}
}
