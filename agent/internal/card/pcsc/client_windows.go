package pcsc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"

	"madoguchi.example/agent/internal/card"
)

// The functions of winscard.dll.
var (
	dll              = windows.NewLazySystemDLL("winscard.dll")
	establishContext = dll.NewProc("SCardEstablishContext")
	releaseContext   = dll.NewProc("SCardReleaseContext")
	cancelContext    = dll.NewProc("SCardCancel")
	listReaders      = dll.NewProc("SCardListReadersW")
	getStatusChange  = dll.NewProc("SCardGetStatusChangeW")
	connectCard      = dll.NewProc("SCardConnectW")
	reconnectCard    = dll.NewProc("SCardReconnect")
	disconnectCard   = dll.NewProc("SCardDisconnect")
	beginTransaction = dll.NewProc("SCardBeginTransaction")
	endTransaction   = dll.NewProc("SCardEndTransaction")
	transmit         = dll.NewProc("SCardTransmit")
)

// Reader states as Windows tells them, in the low half of a state; the high half counts
// insertions and removals.
const (
	winUnknown     = 0x0004
	winUnavailable = 0x0008
	winPresent     = 0x0020
	winExclusive   = 0x0080
	winMute        = 0x0200
	winChanged     = 0x0002
	winATR         = 36
	infinite       = 0xFFFFFFFF
	maxList        = 32 << 10 // characters of a list of names
	cancelled      = result(0x80100002)
	plugged        = `\\?PnP?\Notification` // stands for readers that come and go
)

// readerStateW is SCARD_READERSTATEW.
type readerStateW struct {
	name     *uint16
	userData uintptr
	current  uint32
	event    uint32
	atrSize  uint32
	atr      [winATR]byte
}

// ioRequest is SCARD_IO_REQUEST.
type ioRequest struct{ protocol, size uint32 }

// Client is the Smart Card service. It is safe for concurrent use.
type Client struct{}

// New makes a Client. Options mean nothing here.
func New(Options) *Client { return &Client{} }

// call calls a function of the library. What its numbers point to stays where it is until the
// call returns.
//
//go:uintptrescapes
func call(p *windows.LazyProc, args ...uintptr) result {
	if p.Find() != nil {
		return noService
	}
	code, _, _ := p.Call(args...)
	return result(uint32(code))
}

func establish() (uintptr, error) {
	var handle uintptr
	switch code := call(establishContext, scopeSystem, 0, 0, uintptr(unsafe.Pointer(&handle))); code {
	case success:
		return handle, nil
	case noService, serviceStopped:
		return 0, card.NoPCSCD.Fault(code)
	default:
		err, _ := code.fault()
		return 0, err
	}
}

// Watch implements card.Readers.
func (c *Client) Watch(ctx context.Context, report func([]card.Reader)) error {
	handle, err := establish()
	if err != nil {
		return err
	}
	defer call(releaseContext, handle)
	stop := context.AfterFunc(ctx, func() { call(cancelContext, handle) })
	defer stop()
	for ctx.Err() == nil {
		states, err := look(handle)
		if err != nil {
			return err
		}
		report(readersOf(states))
		if err := wait(ctx, handle, states); err != nil {
			return err
		}
	}
	return nil
}

// names lists the readers that are plugged in.
func names(handle uintptr) ([]string, error) {
	size := uint32(maxList)
	list := make([]uint16, maxList)
	switch code := call(listReaders, handle, 0, uintptr(unsafe.Pointer(&list[0])), uintptr(unsafe.Pointer(&size))); code {
	case success:
	case noReaders:
		return nil, nil
	default:
		err, _ := code.fault()
		return nil, err
	}
	var out []string
	for _, name := range strings.Split(windows.UTF16ToString(zeroSeparated(list[:min(size, maxList)])), "\n") {
		if name != "" {
			out = append(out, name)
		}
	}
	return out, nil
}

// zeroSeparated makes the zeros between names line feeds, which no name holds.
func zeroSeparated(list []uint16) []uint16 {
	for i, u := range list {
		if u == 0 {
			list[i] = '\n'
		}
	}
	return list
}

// look gives the state of every reader now.
func look(handle uintptr) ([]readerStateW, error) {
	all, err := names(handle)
	if err != nil {
		return nil, err
	}
	states := make([]readerStateW, len(all))
	for i, name := range all {
		if states[i].name, err = windows.UTF16PtrFromString(name); err != nil {
			return nil, card.PCSCDOther.Fault(err)
		}
	}
	if len(states) == 0 {
		return nil, nil
	}
	switch code := call(getStatusChange, handle, 0, uintptr(unsafe.Pointer(&states[0])), uintptr(len(states))); code {
	case success, timedOut, unknownReader: // unplugged since it was listed: the next look has it no more
		return states, nil
	default:
		err, _ := code.fault()
		return nil, err
	}
}

// wait returns when a reader's state is another, or readers came or went.
func wait(ctx context.Context, handle uintptr, states []readerStateW) error {
	name, err := windows.UTF16PtrFromString(plugged)
	if err != nil {
		return card.PCSCDOther.Fault(err)
	}
	for i := range states {
		states[i].current = states[i].event &^ winChanged
	}
	states = append(states, readerStateW{name: name, current: uint32(len(states)) << 16})
	if ctx.Err() != nil {
		return nil
	}
	switch code := call(getStatusChange, handle, infinite, uintptr(unsafe.Pointer(&states[0])), uintptr(len(states))); code {
	case success, timedOut, unknownReader, cancelled:
		return nil
	default:
		err, _ := code.fault()
		return err
	}
}

func readersOf(states []readerStateW) []card.Reader {
	out := make([]card.Reader, 0, len(states))
	for _, s := range states {
		r := card.Reader{Name: windows.UTF16PtrToString(s.name), Events: s.event >> 16}
		switch {
		case s.event&(winUnknown|winUnavailable) != 0:
			r.State = card.Gone
		case s.event&winPresent == 0:
			r.State = card.Empty
		case s.event&winMute != 0:
			r.State = card.Mute
		case s.event&winExclusive != 0:
			r.State = card.InUse
		default:
			r.State = card.Present
		}
		if s.event&winPresent != 0 {
			r.ATR = append([]byte(nil), s.atr[:min(s.atrSize, winATR)]...)
		}
		out = append(out, r)
	}
	return out
}

// Connect implements card.Readers.
func (c *Client) Connect(ctx context.Context, reader string) (card.Transport, error) {
	name, err := windows.UTF16PtrFromString(reader)
	if err != nil || reader == "" {
		return nil, card.ReaderUnknown.Fault(err)
	}
	handle, err := establish()
	if err != nil {
		return nil, err
	}
	t := &connection{context: handle, reader: reader}
	if readers, err := t.readers(ctx); err == nil {
		t.events = eventsOf(reader, readers)
	}
	var connected uintptr
	var protocol uint32
	code, err := await(ctx, func() result {
		return call(connectCard, handle, uintptr(unsafe.Pointer(name)), shareShared, protocolsAny,
			uintptr(unsafe.Pointer(&connected)), uintptr(unsafe.Pointer(&protocol)))
	})
	switch {
	case card.WordOf(err) == card.CardSlow && ctx.Err() == nil:
		err = card.ReaderInUse.Fault(err)
	case err == nil && code == unknownReader:
		err = card.ReaderUnknown.Fault(code)
	case err == nil:
		err, _ = code.fault()
	}
	if err != nil {
		call(releaseContext, handle)
		return nil, err
	}
	t.handle, t.protocol = connected, protocol
	return t, nil
}

// await lets a call that cannot be broken off go on by itself when ctx ends. What it uses
// must be its own then.
func await(ctx context.Context, do func() result) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, cardWait)
	defer cancel()
	done := make(chan result, 1)
	go func() { done <- do() }()
	select {
	case code := <-done:
		return code, nil
	case <-ctx.Done():
		return 0, card.CardSlow.Fault(ctx.Err())
	}
}

// connection is a connected card.
type connection struct {
	context, handle uintptr
	reader          string
	events          uint32 // that the reader had counted when the card was taken up
	protocol        uint32
	began, reset    bool
	broken          error // a call that went on by itself
	closed          bool
}

var errClosed = errors.New("the card was let go of")

// ask makes a call about this card and tells its result as a fault.
func (t *connection) ask(ctx context.Context, do func() result) error {
	switch {
	case t.closed:
		return errClosed
	case t.broken != nil:
		return t.broken
	}
	code, err := await(ctx, do)
	if err != nil {
		t.broken = err
		return err
	}
	t.reset = t.reset || code == resetCard
	err, vague := code.fault()
	if !vague {
		return err
	}
	return explain(ctx, err, t.reader, t.events, t.readers)
}

func (t *connection) readers(context.Context) ([]card.Reader, error) {
	states, err := look(t.context)
	return readersOf(states), err
}

// Begin implements card.Transport.
func (t *connection) Begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, beginWait)
	defer cancel()
	for resets := 0; ; resets++ {
		err := t.begin(ctx)
		if card.WordOf(err) != card.CardReset || resets == maxResets {
			t.began = err == nil
			if card.WordOf(err) == card.CardSlow {
				err = card.ReaderInUse.Fault(err)
			}
			return err
		}
	}
}

func (t *connection) begin(ctx context.Context) error {
	if t.reset {
		var protocol uint32
		err := t.ask(ctx, func() result {
			return call(reconnectCard, t.handle, shareShared, protocolsAny, leaveCard, uintptr(unsafe.Pointer(&protocol)))
		})
		if err != nil {
			return err
		}
		t.reset, t.protocol = false, protocol
	}
	return t.ask(ctx, func() result { return call(beginTransaction, t.handle) })
}

// End implements card.Transport.
func (t *connection) End(ctx context.Context) error {
	if !t.began || t.closed {
		return nil
	}
	t.began = false
	return t.ask(ctx, func() result { return call(endTransaction, t.handle, leaveCard) })
}

// Transmit implements card.Transport.
func (t *connection) Transmit(ctx context.Context, apdu []byte) ([]byte, error) {
	if len(apdu) == 0 {
		return nil, card.Guarded.Fault(fmt.Errorf("an empty command"))
	}
	send := append([]byte(nil), apdu...)
	answer := make([]byte, card.MaxAnswer)
	size := uint32(len(answer))
	pci := ioRequest{protocol: t.protocol, size: uint32(unsafe.Sizeof(ioRequest{}))}
	err := t.ask(ctx, func() result {
		defer clear(send)
		return call(transmit, t.handle, uintptr(unsafe.Pointer(&pci)), uintptr(unsafe.Pointer(&send[0])), uintptr(len(send)),
			0, uintptr(unsafe.Pointer(&answer[0])), uintptr(unsafe.Pointer(&size)))
	})
	if err != nil {
		return nil, err
	}
	if size < minAnswer {
		return nil, explain(ctx, card.CardSlow.Fault(errNoAnswer), t.reader, t.events, t.readers)
	}
	return answer[:min(size, card.MaxAnswer)], nil
}

// Close implements card.Transport.
func (t *connection) Close() error {
	if t.closed {
		return nil
	}
	t.closed = true
	if t.broken == nil {
		call(disconnectCard, t.handle, leaveCard)
	}
	call(releaseContext, t.context)
	return nil
}
