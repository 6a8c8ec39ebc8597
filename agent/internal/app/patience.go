package app

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// Bounds of what a caller may keep open. Whoever reaches an address can call it, before any
// cookie or key is asked for.
const (
	// callTime is how long a caller may take to say a request whole and to take the answer.
	// It is longer than anything that a desk waits for.
	callTime = 90 * time.Second
	// idleTime is how long a connection stays open without a request.
	idleTime = 2 * time.Minute
	// maxCallers are connected at once from the clinic's network, maxOfAddress of them from
	// one address. A browser needs six at most.
	maxCallers   = 512
	maxOfAddress = 32
)

// streamPath is the one answer that does not end: each part of it has its own time.
const streamPath = "/events"

// patient ends requests whose caller is too slow.
func patient(desk http.Handler, limit time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := http.NewResponseController(w)
		end := time.Now().Add(limit)
		stream := r.URL.Path == streamPath && r.ContentLength == 0
		if !stream { // a time to read would end the stream, too
			_ = out.SetReadDeadline(end)
		}
		_ = out.SetWriteDeadline(end)
		if stream {
			w = &streamWriter{ResponseWriter: w, out: out, limit: limit}
		}
		desk.ServeHTTP(w, r)
	})
}

// streamWriter gives each part of a stream its own time.
type streamWriter struct {
	http.ResponseWriter
	out   *http.ResponseController
	limit time.Duration
}

// Write writes one part.
func (s *streamWriter) Write(b []byte) (int, error) {
	_ = s.out.SetWriteDeadline(time.Now().Add(s.limit))
	return s.ResponseWriter.Write(b)
}

// Unwrap gives what net/http's own controller looks for.
func (s *streamWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// crowded bounds how many callers a listener has at once; further ones are hung up on.
type crowded struct {
	net.Listener
	all, each int

	mu   sync.Mutex
	here int
	from map[string]int // by address
}

func bounded(ln net.Listener, all, each int) net.Listener {
	return &crowded{Listener: ln, all: all, each: each, from: map[string]int{}}
}

// Accept gives the next caller for whom there is room.
func (c *crowded) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := conn.RemoteAddr().String()
		if host, _, err := net.SplitHostPort(from); err == nil {
			from = host
		}
		if !c.enters(from) {
			_ = conn.Close()
			continue
		}
		return &caller{Conn: conn, leaves: sync.OnceFunc(func() { c.leaves(from) })}, nil
	}
}

func (c *crowded) enters(from string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.here >= c.all || c.from[from] >= c.each {
		return false
	}
	c.here++
	c.from[from]++
	return true
}

func (c *crowded) leaves(from string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.here--
	if c.from[from]--; c.from[from] == 0 {
		delete(c.from, from)
	}
}

// caller is one connection that counts.
type caller struct {
	net.Conn
	leaves func()
}

// Close ends the connection and makes room.
func (c *caller) Close() error {
	c.leaves()
	return c.Conn.Close()
}
