//go:build !windows

// Package pcsctest is a pcscd in the test's own process: a socket that speaks its protocol,
// strictly, with readers and cards that a test plugs, puts, pulls and resets.
//
// It checks every size and every field that the protocol fixes and writes down what a
// client did wrong; Close fails the test with it. It is written from what was seen of pcscd
// 1.9.9, 2.3 and 2.5, and shares no code with the client.
package pcsctest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
)

// Lines of the protocol, by the minor number that the service names.
const (
	Debian12 = 4 // takes 4 alone
	Strict5  = 5 // takes 5 alone
	Tolerant = 6 // takes 4 and above
)

// Chip is a card that lies in a reader.
type Chip interface {
	ATR() []byte
	Answer(apdu []byte) []byte
	PowerOff()
}

// Results.
const (
	ok             = 0
	invalidHandle  = 0x80100003
	unknownReader  = 0x80100009
	sharing        = 0x8010000B
	noCard         = 0x8010000C
	NotTransacted  = 0x80100016
	serviceStopped = 0x8010001E
	unresponsive   = 0x80100066
	wasReset       = 0x80100068
	removed        = 0x80100069
	unavailable    = 0x80100017
	Silent         = 1 // no result of PC/SC: success, with an answer of no bytes
)

const (
	slots      = 16
	readerSize = 184
	nameSize   = 128
	protocolT1 = 2
	scope      = 2
	maxAPDU    = 65548
)

// Server is the service. Its methods are safe for concurrent use.
type Server struct {
	t     testing.TB
	path  string
	minor uint32

	// Before, where it is set before a client connects, is called with each command for a
	// card before the card answers, without a lock held: it may pull the card.
	Before func(reader string, count int, apdu []byte)
	// Pulled is the result of a command to a card that was pulled; zero: removed.
	Pulled uint32
	// Late is how many looks at the table still show a card that was pulled.
	Late int

	mu       sync.Mutex
	listener net.Listener
	table    []*slot
	clients  map[*client]bool
	wrong    []string
	serial   uint32
	count    int
	closed   bool
	running  sync.WaitGroup
}

type slot struct {
	name    string
	chip    Chip
	mute    bool
	held    bool // by a program that shares with nobody
	events  uint32
	lock    *handle
	plugged bool
	ghost   int // looks that still show what was pulled
}

type client struct {
	conn     net.Conn
	greeted  bool
	contexts map[uint32]bool
	handles  map[uint32]*handle
	waiting  bool
	dropped  bool
}

// handle is a card as one client connected to it.
type handle struct {
	slot   *slot
	events uint32
	reset  bool
}

// New makes a service on a socket of that path and starts it.
func New(t testing.TB, path string, minor uint32) *Server {
	t.Helper()
	s := &Server{t: t, path: path, minor: minor, clients: map[*client]bool{}}
	s.Start()
	t.Cleanup(s.close)
	return s
}

// Path gives the socket's.
func (s *Server) Path() string { return s.path }

// Start listens, after Stop again.
func (s *Server) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.start()
}

// Stop hangs up on everybody.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
}

// Restart stops and starts, so that nobody finds the service gone but who was connected.
func (s *Server) Restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
	s.start()
}

func (s *Server) start() {
	if s.closed {
		return
	}
	l, err := net.Listen("unix", s.path)
	if err != nil {
		s.t.Errorf("cannot start pcscd: %v", err)
		return
	}
	s.listener = l
	s.running.Go(func() { s.accept(l) })
}

func (s *Server) stop() {
	if s.listener != nil {
		_ = s.listener.Close()
		s.listener = nil
	}
	for c := range s.clients {
		c.dropped = true
		_ = c.conn.Close()
	}
	for _, x := range s.table {
		x.lock = nil
		if x.chip != nil {
			x.chip.PowerOff()
		}
	}
}

func (s *Server) close() {
	s.mu.Lock()
	s.closed = true
	s.stop()
	s.mu.Unlock()
	s.running.Wait()
	for _, w := range s.Wrong() {
		s.t.Errorf("a client of pcscd: %s", w)
	}
}

// Wrong lists what clients did against the protocol, once.
func (s *Server) Wrong() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.wrong
	s.wrong = nil
	return out
}

func (s *Server) find(reader string) *slot {
	for _, x := range s.table {
		if x.name == reader && x.plugged {
			return x
		}
	}
	s.t.Errorf("there is no reader %q", reader)
	return &slot{}
}

// change changes the readers and tells who waits for it.
func (s *Server) change(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
	for c := range s.clients {
		if c.waiting {
			c.waiting = false
			_, _ = c.conn.Write(words(0, ok))
		}
	}
}

// Plug plugs in a reader.
func (s *Server) Plug(reader string) {
	s.change(func() { s.table = append(s.table, &slot{name: reader, plugged: true}) })
}

// Unplug takes a reader away.
func (s *Server) Unplug(reader string) {
	s.change(func() {
		x := s.find(reader)
		x.plugged, x.chip, x.lock = false, nil, nil
		s.table = slices.DeleteFunc(s.table, func(y *slot) bool { return x == y })
	})
}

// Put puts a card into a reader.
func (s *Server) Put(reader string, chip Chip) {
	s.change(func() {
		x := s.find(reader)
		chip.PowerOff()
		x.chip, x.mute = chip, false
		x.events++
	})
}

// PutMute puts a card into a reader that does not answer.
func (s *Server) PutMute(reader string) {
	s.change(func() {
		x := s.find(reader)
		x.chip, x.mute = nil, true
		x.events++
	})
}

// Pull takes the card away.
func (s *Server) Pull(reader string) {
	s.change(func() {
		x := s.find(reader)
		if x.chip != nil {
			x.chip.PowerOff()
		}
		x.chip, x.mute, x.lock = nil, false, nil
		x.events++
		x.ghost = s.Late
	})
}

// Reset resets the card, as another program does.
func (s *Server) Reset(reader string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.find(reader)
	x.chip.PowerOff()
	for c := range s.clients {
		for _, h := range c.handles {
			h.reset = h.reset || h.slot == x
		}
	}
}

// Hold has another program keep the card to itself, or not any more.
func (s *Server) Hold(reader string, alone bool) {
	s.change(func() { s.find(reader).held = alone })
}

func (s *Server) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		c := &client{conn: conn, contexts: map[uint32]bool{}, handles: map[uint32]*handle{}}
		s.mu.Lock()
		late := s.listener != l || s.closed // it was stopped in between
		if !late {
			s.clients[c] = true
		}
		s.mu.Unlock()
		if late {
			_ = conn.Close()
			return
		}
		s.running.Go(func() { s.serve(c) })
	}
}

func (s *Server) serve(c *client) {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.clients, c)
		for _, h := range c.handles {
			h.free()
		}
		_ = c.conn.Close()
	}()
	for {
		head := make([]byte, 8)
		if _, err := io.ReadFull(c.conn, head); err != nil {
			return
		}
		size, command := number(head, 0), number(head, 4)
		want, known := bodies[command]
		if !known || size != want {
			s.note("command %#x with a body of %d bytes, want %d", command, size, want)
			return
		}
		body := make([]byte, size)
		if _, err := io.ReadFull(c.conn, body); err != nil {
			return
		}
		if !s.run(c, command, body) {
			return
		}
	}
}

// bodies is the size of every command's body.
var bodies = map[uint32]uint32{
	0x01: 12, 0x02: 8, 0x04: 152, 0x05: 24, 0x06: 12, 0x07: 8, 0x08: 12, 0x09: 32, 0x11: 12, 0x12: 0, 0x13: 0, 0x14: 0,
}

// run answers one command and tells whether the client may go on.
func (s *Server) run(c *client, command uint32, body []byte) bool {
	switch {
	case c.greeted == (command == 0x11):
		return s.note("command %#x, greeted %v", command, c.greeted)
	case s.isWaiting(c) && command != 0x14:
		return s.note("command %#x while it waits for a change", command)
	}
	switch command {
	case 0x09:
		return s.transmit(c, body)
	case 0x11:
		return s.version(c, body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch command {
	case 0x01:
		return s.establish(c, body)
	case 0x02:
		known := c.contexts[number(body, 0)]
		delete(c.contexts, number(body, 0))
		return s.want(known, "it releases a context that it has not") && s.write(c, words(number(body, 0), ok))
	case 0x04:
		return s.connect(c, body)
	case 0x05, 0x06, 0x07, 0x08:
		return s.onHandle(c, command, body)
	case 0x12:
		return s.write(c, s.readers())
	case 0x13:
		c.waiting = s.write(c, s.readers())
		return c.waiting
	}
	c.waiting = false
	return s.write(c, words(0, ok))
}

func (s *Server) isWaiting(c *client) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return c.waiting
}

func (s *Server) version(c *client, body []byte) bool {
	major, minor := number(body, 0), number(body, 4)
	good := major == 4 && (minor == s.minor || s.minor == Tolerant && minor >= 4)
	if minor < 4 || minor > 5 || number(body, 8) != 0 {
		return s.note("it says %d:%d with the result %#x", major, minor, number(body, 8))
	}
	if !good {
		_ = s.write(c, words(4, s.minor, serviceStopped))
		return false
	}
	c.greeted = true
	return s.write(c, words(4, s.minor, ok))
}

// The following hold the lock.

func (s *Server) establish(c *client, body []byte) bool {
	if !s.want(bytes.Equal(body, words(scope, 0, 0)), "it establishes a context with %x", body) {
		return false
	}
	s.serial++
	c.contexts[s.serial] = true
	return s.write(c, words(scope, s.serial, ok))
}

func (s *Server) connect(c *client, body []byte) bool {
	name, padding, ended := bytes.Cut(body[4:4+nameSize], []byte{0})
	good := c.contexts[number(body, 0)] && ended && len(bytes.Trim(padding, "\x00")) == 0 &&
		bytes.Equal(body[4+nameSize:], words(2, 3, 0, 0, 0))
	if !s.want(good, "it connects with %x", body) {
		return false
	}
	result, i := uint32(ok), slices.IndexFunc(s.table, func(x *slot) bool { return x.name == string(name) })
	switch {
	case i < 0:
		result = unknownReader
	case s.table[i].mute:
		result = unresponsive
	case s.table[i].chip == nil:
		result = noCard
	case s.table[i].held:
		result = sharing
	}
	if result == ok {
		s.serial++
		c.handles[s.serial] = &handle{slot: s.table[i], events: s.table[i].events}
		binary.LittleEndian.PutUint32(body[140:], s.serial)
		binary.LittleEndian.PutUint32(body[144:], protocolT1)
	}
	binary.LittleEndian.PutUint32(body[148:], result)
	return s.write(c, body)
}

// state is what keeps a command from the card.
func (s *Server) state(h *handle) uint32 {
	switch {
	case h == nil:
		return invalidHandle
	case !h.slot.plugged:
		return unavailable
	case h.slot.chip == nil || h.slot.events != h.events:
		if s.Pulled != 0 {
			return s.Pulled
		}
		return removed
	case h.reset:
		return wasReset
	case h.slot.lock != nil && h.slot.lock != h, h.slot.held:
		return sharing
	}
	return ok
}

func (h *handle) free() {
	if h.slot.lock == h {
		h.slot.lock = nil
	}
}

func (s *Server) onHandle(c *client, command uint32, body []byte) bool {
	id := number(body, 0)
	h := c.handles[id]
	result := s.state(h)
	switch command {
	case 0x05:
		if !s.want(bytes.Equal(body[4:], words(2, 3, 0, 0, 0)), "it connects again with %x", body) {
			return false
		}
		if result == wasReset {
			h.reset, result = false, ok
		}
		return s.write(c, words(id, 2, 3, 0, protocolT1, result))
	case 0x06:
		if h == nil || number(body, 4) != 0 || number(body, 8) != 0 {
			return s.want(false, "it disconnects with %x", body)
		}
		h.free()
		delete(c.handles, id)
		return s.write(c, words(id, 0, ok))
	case 0x07:
		if result == ok {
			h.slot.lock = h
		}
		return s.write(c, words(id, result))
	}
	if h != nil {
		if !s.want(number(body, 4) == 0, "it ends a transaction with %x", body) {
			return false
		}
		h.free()
	}
	return s.write(c, words(id, 0, result))
}

// transmit takes the lock itself: Before comes before.
func (s *Server) transmit(c *client, body []byte) bool {
	length := number(body, 12)
	if length < 4 || length > maxAPDU {
		return s.note("it transmits %d bytes", length)
	}
	apdu := make([]byte, length)
	if _, err := io.ReadFull(c.conn, apdu); err != nil {
		return false
	}
	s.mu.Lock()
	h := c.handles[number(body, 0)]
	s.count++
	count, before := s.count, s.Before
	s.mu.Unlock()
	if h != nil && before != nil {
		before(h.slot.name, count, apdu)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.dropped {
		return false
	}
	good := h != nil && bytes.Equal(body[4:], words(protocolT1, 16, length, 0, 0, 65538, 0)) && (h.slot.lock == h || s.state(h) != ok)
	if !s.want(good, "it transmits with %x, in a transaction %v", body, h != nil && h.slot.lock == h) {
		return false
	}
	var answer []byte
	result := s.state(h)
	switch result {
	case ok:
		answer = h.slot.chip.Answer(apdu)
	case Silent:
		result = ok
	}
	reply := words(number(body, 0), protocolT1, 16, length, protocolT1, 16, uint32(len(answer)), result)
	return s.write(c, append(reply, answer...))
}

func (s *Server) readers() []byte {
	table := make([]byte, slots*readerSize)
	for i, x := range s.table {
		line := table[i*readerSize:]
		copy(line[:nameSize-1], x.name)
		state := uint32(0x02)
		if x.mute {
			state = 0x04 | 0x08
		}
		if x.chip != nil {
			state = 0x34
			atr := x.chip.ATR()
			copy(line[140:173], atr)
			binary.LittleEndian.PutUint32(line[176:], uint32(len(atr)))
			binary.LittleEndian.PutUint32(line[180:], protocolT1)
		}
		events := x.events
		if x.ghost > 0 && x.chip == nil {
			x.ghost--
			state, events = 0x34, events-1
		}
		binary.LittleEndian.PutUint32(line[128:], events)
		binary.LittleEndian.PutUint32(line[132:], state)
		if x.held {
			binary.LittleEndian.PutUint32(line[136:], 0xFFFFFFFF)
		}
	}
	return table
}

func (s *Server) write(c *client, b []byte) bool {
	_, err := c.conn.Write(b)
	return err == nil
}

func (s *Server) want(good bool, format string, args ...any) bool {
	if !good {
		s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
	}
	return good
}

// note is want without the lock.
func (s *Server) note(format string, args ...any) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.want(false, format, args...)
}

func words(numbers ...uint32) []byte {
	var out []byte
	for _, n := range numbers {
		out = binary.LittleEndian.AppendUint32(out, n)
	}
	return out
}

func number(b []byte, at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
