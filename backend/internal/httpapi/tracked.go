package httpapi

import (
	"io"
	"net"
	"sync"
	"time"
)

// Bounds of how long a closed connection is still listened to.
const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 8 << 20
)

// tracked is a listener that can close every connection it accepted: a connection on
// which a browser has not asked anything yet would otherwise hold a shutdown up.
type tracked struct {
	net.Listener
	mu    sync.Mutex
	open  map[*trackedConn]struct{}
	hurry bool // connections are closed without listening to what still comes
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

// Close closes the connection and forgets it. What the other side is still sending is read
// away first, for a moment: closed with bytes unread, the system would reset the connection
// and the reset would overtake the answer that refused them (RFC 9112 section 9.6).
func (c *trackedConn) Close() error {
	c.owner.mu.Lock()
	_, first := c.owner.open[c]
	delete(c.owner.open, c)
	linger := first && !c.owner.hurry
	c.owner.mu.Unlock()
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && linger && half.CloseWrite() == nil {
		enough := time.AfterFunc(lingerTime, func() { _ = c.Conn.Close() })
		_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes)
		enough.Stop()
	}
	return c.Conn.Close()
}

// drain closes connections at once from now on: a server that stops waits for nobody's
// last bytes.
func (t *tracked) drain() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hurry = true
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
