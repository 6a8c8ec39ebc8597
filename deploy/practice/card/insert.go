package card

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Faults are what goes wrong with a card that lies in a reader. Counts are of commands
// since it was put there; 0 is never.
type Faults struct {
	PullAfter  int           // it is pulled out instead of answering the command after so many
	ResetAfter int           // it loses what was selected and verified after so many
	MuteAfter  int           // it answers no command after so many
	Mute       bool          // it lies there and tells no ATR when it gets power
	Slow       time.Duration // what each answer takes longer
}

// Messages of vpcd that have one byte. Only the last is answered.
const (
	vpcdOff   = 0
	vpcdOn    = 1
	vpcdReset = 2
	vpcdATR   = 4
)

// redial is how long a card waits that lies in a reader nobody reads, before it shows
// itself again: the daemon is being started anew.
const redial = 50 * time.Millisecond

// Inserted is a card that lies in a reader.
type Inserted struct {
	card   *Card
	faults Faults
	cancel context.CancelFunc
	done   chan struct{}

	mu       sync.Mutex
	commands int
}

// Insert puts the card into the reader of the vpcd that listens at the address, as soon as
// one does. It lies there, also when the daemon goes and comes again, until Remove, the
// fault PullAfter or the end of ctx.
func Insert(ctx context.Context, address string, c *Card, f Faults) (*Inserted, error) {
	conn, err := dial(ctx, address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	in := &Inserted{card: c, faults: f, cancel: cancel, done: make(chan struct{})}
	go in.lie(ctx, address, conn)
	return in, nil
}

func dial(ctx context.Context, address string) (net.Conn, error) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var d net.Dialer
	for {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("cannot put the card into the reader: %w", ctx.Err())
		case <-timer.C:
		}
		if conn, err := d.DialContext(ctx, "tcp", address); err == nil {
			return conn, nil
		}
		timer.Reset(redial)
	}
}

// lie serves one connection after the other until the card is out of the reader.
func (in *Inserted) lie(ctx context.Context, address string, conn net.Conn) {
	defer close(in.done)
	defer in.cancel()
	defer in.card.Reset()
	for {
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		err := in.serve(ctx, conn)
		stop()
		conn.Close()
		in.card.Reset()
		if ctx.Err() != nil || errors.Is(err, errPulled) {
			return
		}
		if conn, err = dial(ctx, address); err != nil {
			return
		}
	}
}

// Remove takes the card out of the reader and waits until it is out.
func (in *Inserted) Remove() {
	in.cancel()
	<-in.done
}

// Removed is closed when the card is out of the reader.
func (in *Inserted) Removed() <-chan struct{} { return in.done }

// Commands counts those since it was put into the reader.
func (in *Inserted) Commands() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.commands
}

var (
	errPulled = errors.New("the card was pulled")
	errMute   = errors.New("the card does not take power")
)

// serve speaks vpcd's protocol on one connection: messages both ways are two bytes of
// length, high byte first, and so many bytes.
func (in *Inserted) serve(ctx context.Context, conn net.Conn) error {
	var head [2]byte
	for {
		hurry(conn)
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return err
		}
		message := make([]byte, binary.BigEndian.Uint16(head[:]))
		if _, err := io.ReadFull(conn, message); err != nil {
			return err
		}
		reply, err := in.reply(ctx, message)
		if err != nil {
			return err
		}
		if reply == nil {
			continue
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
			return err
		}
	}
}

// reply gives the answer to one message, nil for none.
func (in *Inserted) reply(ctx context.Context, message []byte) ([]byte, error) {
	if len(message) != 1 {
		return in.answer(ctx, message)
	}
	switch message[0] {
	case vpcdOff, vpcdOn, vpcdReset:
		in.card.Reset()
		if in.faults.Mute && message[0] != vpcdOff {
			// By the ATR vpcd finds out whether a card is there at all, so that silence is no
			// sign of a mute one: a wire that breaks under power is.
			return nil, errMute
		}
	case vpcdATR:
		return in.card.ATR(), nil
	}
	return nil, nil
}

func (in *Inserted) answer(ctx context.Context, apdu []byte) ([]byte, error) {
	in.mu.Lock()
	before := in.commands
	in.commands++
	in.mu.Unlock()
	due := func(after int) bool { return after > 0 && before >= after }
	switch f := in.faults; {
	case due(f.PullAfter):
		return nil, errPulled
	case due(f.MuteAfter):
		return nil, nil
	case f.ResetAfter > 0 && before == f.ResetAfter:
		in.card.Reset()
	}
	if in.faults.Slow > 0 {
		timer := time.NewTimer(in.faults.Slow)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return in.card.Answer(apdu), nil
}
