//go:build !windows

package pcsc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"madoguchi.example/agent/internal/card"
)

// Client is pcscd. It is safe for concurrent use and holds no connection of its own: each
// watch and each card has one.
type Client struct {
	socket string
	dial   func(ctx context.Context, socket string) (net.Conn, error)
	minor  atomic.Uint32 // that the service took last
}

// New makes a Client. It reaches nothing yet.
func New(o Options) *Client {
	c := &Client{socket: o.Socket, dial: o.Dial}
	if c.socket == "" {
		c.socket = DefaultSocket
	}
	if c.dial == nil {
		c.dial = func(ctx context.Context, socket string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		}
	}
	c.minor.Store(minorFirst)
	return c
}

// link is one connection to pcscd with a context of its own. It is for one goroutine.
type link struct {
	conn   net.Conn
	handle uint32 // the context's
	broken error  // what ended it; requests and replies are out of step then
}

// open connects, agrees on a protocol line and establishes a context.
func (c *Client) open(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeWait)
	defer cancel()
	l, err := c.greet(ctx)
	if err != nil {
		return nil, err
	}
	reply, err := l.call(ctx, cmdEstablish, fields(scopeSystem, 0, 0), nil, sizeEstablish)
	if err == nil {
		err, _ = resultOf(reply).fault()
	}
	if err != nil {
		l.hangUp()
		return nil, err
	}
	l.handle = number(reply, 4)
	return l, nil
}

// greet connects and tries the protocol line that held last, then the one that the service
// names.
func (c *Client) greet(ctx context.Context) (*link, error) {
	minor := c.minor.Load()
	for tried := uint32(0); ; {
		l, theirs, err := c.try(ctx, minor)
		if err != nil {
			return nil, err
		}
		if l != nil {
			c.minor.Store(minor)
			return l, nil
		}
		next := min(max(theirs, minorFirst), minorLast)
		if next == minor || next == tried {
			return nil, card.PCSCDOther.Fault(fmt.Errorf("pcscd speaks %d:%d", protocolMajor, theirs))
		}
		tried, minor = minor, next
	}
}

// try says one protocol line. Without a link and without an error the service refused it
// and named its own.
func (c *Client) try(ctx context.Context, minor uint32) (l *link, theirs uint32, err error) {
	conn, err := c.dial(ctx, c.socket)
	switch {
	case errors.Is(err, os.ErrPermission):
		return nil, 0, card.PCSCDRefused.Fault(err)
	case err != nil:
		return nil, 0, card.NoPCSCD.Fault(err)
	}
	l = &link{conn: conn}
	reply, err := l.call(ctx, cmdVersion, fields(protocolMajor, minor, 0), nil, sizeVersion)
	if err == nil && resultOf(reply) == success {
		return l, minor, nil
	}
	l.hangUp()
	switch {
	case hungUp(err):
		return nil, 0, card.PCSCDRefused.Fault(err) // as it does to who may not use it
	case err != nil:
		return nil, 0, card.NoPCSCD.Fault(err)
	case resultOf(reply) != serviceStopped || number(reply, 0) != protocolMajor:
		return nil, 0, card.PCSCDOther.Fault(resultOf(reply))
	}
	return nil, number(reply, 4), nil
}

func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// call sends one request and reads its reply of a fixed size. The frame is wiped.
func (l *link) call(ctx context.Context, command uint32, body, tail []byte, reply int) ([]byte, error) {
	out := make([]byte, reply)
	err := l.during(ctx, func() error {
		request := frame(command, body, tail)
		defer clear(request)
		if _, err := l.conn.Write(request); err != nil {
			return err
		}
		_, err := io.ReadFull(l.conn, out)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// read reads more of a reply.
func (l *link) read(ctx context.Context, size int) ([]byte, error) {
	out := make([]byte, size)
	err := l.during(ctx, func() error {
		_, err := io.ReadFull(l.conn, out)
		return err
	})
	return out, err
}

// during runs what reads and writes, and breaks it off when ctx ends. After an error the
// link is broken.
func (l *link) during(ctx context.Context, do func() error) error {
	if l.broken != nil {
		return l.broken
	}
	if err := ctx.Err(); err != nil {
		return card.CardSlow.Fault(err) // nothing was sent: the link is whole
	}
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		_ = l.conn.SetDeadline(time.Unix(1, 0))
	})
	err := do()
	if !stop() {
		<-done
		_ = l.conn.SetDeadline(time.Time{})
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		l.broken = card.CardSlow.Fault(ctx.Err())
	default:
		l.broken = card.PCSCDGone.Fault(err)
	}
	return l.broken
}

func (l *link) hangUp() { _ = l.conn.Close() }
