//go:build !windows

package pcsc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"madoguchi.example/agent/internal/card"
)

// Watch implements card.Readers.
func (c *Client) Watch(ctx context.Context, report func([]card.Reader)) error {
	err := c.watch(ctx, report)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (c *Client) watch(ctx context.Context, report func([]card.Reader)) error {
	l, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer l.hangUp()
	for {
		// The service tells the state at once and registers who asked, so that nothing is
		// lost between two rounds.
		table, err := l.call(ctx, cmdWait, nil, nil, sizeReaders)
		if err != nil {
			return err
		}
		readers, err := parseReaders(table)
		if err != nil {
			return card.PCSCDOther.Fault(err)
		}
		report(readers)
		changed, err := l.read(ctx, sizeWait)
		if err != nil {
			return err
		}
		if err, _ := resultOf(changed).fault(); err != nil {
			return err
		}
	}
}

// Connect implements card.Readers.
func (c *Client) Connect(ctx context.Context, reader string) (card.Transport, error) {
	l, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	t, err := connect(ctx, l, reader)
	if err != nil {
		l.hangUp()
		return nil, err
	}
	return t, nil
}

func connect(ctx context.Context, l *link, reader string) (*connection, error) {
	body, err := connectBody(l.handle, reader)
	if err != nil {
		return nil, err
	}
	looking, done := context.WithTimeout(ctx, handshakeWait)
	defer done()
	readers, err := l.readers(looking)
	if err != nil {
		return nil, err
	}
	t := &connection{l: l, reader: reader, events: eventsOf(reader, readers)}
	// The service keeps who connects waiting while another program is in a transaction.
	waiting, cancel := context.WithTimeout(ctx, beginWait)
	defer cancel()
	reply, err := l.call(waiting, cmdConnect, body, nil, sizeConnect)
	if err != nil {
		return nil, kept(ctx, err)
	}
	if code := resultOf(reply); code == unknownReader {
		return nil, card.ReaderUnknown.Fault(code)
	} else if err := t.judge(ctx, code); err != nil {
		return nil, err
	}
	t.handle = number(reply, connectHandle)
	return t, t.use(number(reply, connectProtocol))
}

// kept tells that another program keeps the card where waiting for it ended by itself.
func kept(ctx context.Context, err error) error {
	if card.WordOf(err) == card.CardSlow && ctx.Err() == nil {
		return card.ReaderInUse.Fault(err)
	}
	return err
}

// readers asks for the state of all readers.
func (l *link) readers(ctx context.Context) ([]card.Reader, error) {
	table, err := l.call(ctx, cmdReaders, nil, nil, sizeReaders)
	if err != nil {
		return nil, err
	}
	readers, err := parseReaders(table)
	if err != nil {
		return nil, card.PCSCDOther.Fault(err)
	}
	return readers, nil
}

// connection is a connected card.
type connection struct {
	l        *link
	reader   string
	events   uint32 // that the reader had counted when the card was taken up
	handle   uint32
	protocol uint32
	began    bool
	reset    bool // by another program: it is to be taken up again
	closed   bool
}

// use takes the protocol that the card speaks.
func (t *connection) use(protocol uint32) error {
	if protocol != protocolT0 && protocol != protocolT1 {
		return card.PCSCDOther.Fault(fmt.Errorf("a card of protocol %d", protocol))
	}
	t.protocol = protocol
	return nil
}

// ask sends a request about this card and gives the reply with its result told as a fault.
func (t *connection) ask(ctx context.Context, command uint32, body []byte, size int) ([]byte, error) {
	reply, err := t.l.call(ctx, command, body, nil, size)
	if err != nil {
		return nil, err
	}
	return reply, t.judge(ctx, resultOf(reply))
}

// judge tells a result as a fault, a vague one with the help of the reader's state.
func (t *connection) judge(ctx context.Context, code result) error {
	t.reset = t.reset || code == resetCard
	err, vague := code.fault()
	if !vague {
		return err
	}
	return t.explain(ctx, err)
}

func (t *connection) explain(ctx context.Context, vague error) error {
	return explain(ctx, vague, t.reader, t.events, t.l.readers)
}

// Begin implements card.Transport. The service answers a sharing violation while another
// program is in a transaction.
func (t *connection) Begin(ctx context.Context) error {
	if t.closed {
		return errClosed
	}
	enough := time.NewTimer(beginWait)
	defer enough.Stop()
	for resets := 0; ; {
		err := t.begin(ctx)
		switch word := card.WordOf(err); {
		case err == nil:
			t.began = true
			return nil
		case word == card.CardReset && resets < maxResets:
			resets++
			continue // taken up again in the next round
		case word != card.ReaderInUse:
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-enough.C:
			return err
		case <-time.After(beginPause):
		}
	}
}

func (t *connection) begin(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, beginWait)
	defer cancel()
	if t.reset {
		reply, err := t.ask(waiting, cmdReconnect, fields(t.handle, shareShared, protocolsAny, leaveCard, 0, 0), sizeReconnect)
		if err != nil {
			return kept(ctx, err)
		}
		t.reset = false
		if err := t.use(number(reply, reconnectActive)); err != nil {
			return err
		}
	}
	_, err := t.ask(waiting, cmdBegin, fields(t.handle, 0), sizeBegin)
	return kept(ctx, err)
}

// End implements card.Transport.
func (t *connection) End(ctx context.Context) error {
	if !t.began || t.closed {
		return nil
	}
	t.began = false
	ctx, cancel := context.WithTimeout(ctx, closeWait)
	defer cancel()
	_, err := t.ask(ctx, cmdEnd, fields(t.handle, leaveCard, 0), sizeEnd)
	return err
}

// Transmit implements card.Transport.
func (t *connection) Transmit(ctx context.Context, apdu []byte) ([]byte, error) {
	if t.closed {
		return nil, errClosed
	}
	ctx, cancel := context.WithTimeout(ctx, cardWait)
	defer cancel()
	const pciSize = 16
	head := fields(t.handle, t.protocol, pciSize, uint32(len(apdu)), 0, 0, card.MaxAnswer, 0)
	reply, err := t.l.call(ctx, cmdTransmit, head, apdu, sizeTransmit)
	if err != nil {
		return nil, err
	}
	if err := t.judge(ctx, resultOf(reply)); err != nil {
		return nil, err
	}
	length := number(reply, transmitLength)
	if length > card.MaxAnswer {
		t.l.broken = card.PCSCDOther.Fault(errors.New("an answer longer than may be"))
		return nil, t.l.broken
	}
	answer, err := t.l.read(ctx, int(length))
	if err == nil && length < minAnswer {
		return nil, t.explain(ctx, card.CardSlow.Fault(errNoAnswer))
	}
	return answer, err
}

var errClosed = errors.New("the card was let go of")

// Close implements card.Transport.
func (t *connection) Close() error {
	if t.closed {
		return nil
	}
	t.closed = true
	defer t.l.hangUp()
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	if t.l.broken != nil {
		return nil // hanging up lets go of everything
	}
	if _, err := t.l.call(ctx, cmdDisconnect, fields(t.handle, leaveCard, 0), nil, sizeDisconnect); err != nil {
		return nil
	}
	_, _ = t.l.call(ctx, cmdRelease, fields(t.l.handle, 0), nil, sizeRelease)
	return nil
}
