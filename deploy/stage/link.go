package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Link is a line between programs: a TCP proxy on loopback whose address stays the same
// while what is behind it comes and goes, and which can be cut. It is safe for concurrent
// use.
type Link struct {
	address string
	hold    io.Closer // keeps the port ours while nothing listens on it

	mu       sync.Mutex
	target   string
	listener net.Listener
	pairs    map[*pair]struct{}
	breaks   []*Break
	closed   bool
	wg       sync.WaitGroup
}

// Break ends one connection in the middle of an answer: that of the next request whose
// bytes contain Request ("POST /terminal/v1/batches"). After bytes of the answer pass,
// then Then is called (when it is not nil) and the connection is closed at both ends.
// With After 0 nothing of the answer arrives, though the other side has answered.
type Break struct {
	Request string
	After   int
	Then    func()
}

// NewLink listens on address, a loopback host and port ("127.0.0.1:0" takes a free one).
func NewLink(address string) (*Link, error) {
	hold, bound, err := holdPort(address)
	if err != nil {
		return nil, fmt.Errorf("cannot make a link on %s: %w", address, err)
	}
	l := &Link{address: bound, hold: hold, pairs: map[*pair]struct{}{}}
	if err := l.Restore(); err != nil {
		hold.Close()
		return nil, err
	}
	return l, nil
}

// Address gives host:port of the near end.
func (l *Link) Address() string { return l.address }

// URL gives the near end as http://host:port.
func (l *Link) URL() string { return "http://" + l.address }

// Lead sets what is behind the link; connections that are open stay where they lead.
func (l *Link) Lead(target string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.target = target
}

// Cut closes the listener and every open connection: new ones are refused.
func (l *Link) Cut() {
	l.mu.Lock()
	if l.listener != nil {
		l.listener.Close()
		l.listener = nil
	}
	pairs := l.pairs
	l.pairs = map[*pair]struct{}{}
	l.mu.Unlock()
	for p := range pairs {
		p.close()
	}
}

// IsCut tells whether the link is cut.
func (l *Link) IsCut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.listener == nil
}

// Restore listens again at the same address. It does nothing when the link is not cut.
func (l *Link) Restore() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.listener != nil {
		return nil
	}
	config := net.ListenConfig{Control: sharePort}
	listener, err := config.Listen(context.Background(), "tcp", l.address)
	if err != nil {
		return fmt.Errorf("cannot restore the link: %w", err)
	}
	l.listener = listener
	l.wg.Go(func() { l.accept(listener) })
	return nil
}

// BreakNext arms b for one connection.
func (l *Link) BreakNext(b Break) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.breaks = append(l.breaks, &b)
}

// Mend disarms every break that has not come to pass.
func (l *Link) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.breaks = nil
}

// Close ends the link for good.
func (l *Link) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.Cut()
	l.wg.Wait()
	return l.hold.Close()
}

func (l *Link) accept(listener net.Listener) {
	for {
		near, err := listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				continue // a connection that went away before it was taken
			}
			return
		}
		l.wg.Go(func() { l.carry(near) })
	}
}

func (l *Link) carry(near net.Conn) {
	l.mu.Lock()
	target, open := l.target, l.listener != nil
	l.mu.Unlock()
	if !open || target == "" {
		near.Close()
		return
	}
	far, err := net.Dial("tcp", target)
	if err != nil {
		near.Close()
		return
	}
	p := &pair{link: l, near: near, far: far}
	l.mu.Lock()
	if l.listener == nil { // cut while it was dialling
		l.mu.Unlock()
		p.close()
		return
	}
	l.pairs[p] = struct{}{}
	l.mu.Unlock()
	l.wg.Go(p.answers)
	p.requests()
	_ = p.far.(*net.TCPConn).CloseWrite() // the other side may have gone
}

// pair is one connection through the link.
type pair struct {
	link      *Link
	near, far net.Conn

	mu    sync.Mutex
	armed *Break
	tail  []byte // the end of what was sent, to find a request across two reads
}

func (p *pair) close() {
	p.near.Close()
	p.far.Close()
	p.link.mu.Lock()
	delete(p.link.pairs, p)
	p.link.mu.Unlock()
}

// requests carries bytes to the far end and looks for a request that a break waits for.
func (p *pair) requests() {
	buf := make([]byte, 32<<10)
	for {
		n, err := p.near.Read(buf)
		if n > 0 {
			p.look(buf[:n])
			if _, werr := p.far.Write(buf[:n]); werr != nil {
				p.close()
				return
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				p.close()
			}
			return
		}
	}
}

// maxTail is the longest text of a Break that is found across two reads.
const maxTail = 256

func (p *pair) look(b []byte) {
	p.link.mu.Lock()
	defer p.link.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	text := append(p.tail, b...)
	for i, br := range p.link.breaks {
		if p.armed == nil && bytes.Contains(text, []byte(br.Request)) {
			p.armed = br
			p.link.breaks = append(p.link.breaks[:i:i], p.link.breaks[i+1:]...)
			text = nil
			break
		}
	}
	p.tail = append([]byte(nil), text[max(0, len(text)-maxTail):]...)
}

// answers carries bytes to the near end until an armed break says otherwise.
func (p *pair) answers() {
	defer p.close()
	buf := make([]byte, 32<<10)
	passed := 0
	for {
		n, err := p.far.Read(buf)
		p.mu.Lock()
		armed := p.armed
		p.mu.Unlock()
		if n > 0 && armed != nil && passed+n > armed.After {
			_, _ = p.near.Write(buf[:max(0, armed.After-passed)]) // it is about to be closed
			if armed.Then != nil {
				armed.Then()
			}
			return
		}
		if armed != nil {
			passed += n
		}
		if n > 0 {
			if _, werr := p.near.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
