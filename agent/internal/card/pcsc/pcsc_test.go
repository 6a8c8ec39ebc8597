//go:build !windows

package pcsc_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/agent/internal/card/cardtest"
	"madoguchi.example/agent/internal/card/pcsc"
	"madoguchi.example/agent/internal/card/pcsc/pcsctest"
)

const reader = "Practice Reader 00 00"

// start gives a service with one reader, and a client of it.
func start(t *testing.T, minor uint32) (*pcsctest.Server, *pcsc.Client) {
	t.Helper()
	dir, err := os.MkdirTemp("", "pcsc") // short: a socket's path may have 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	s := pcsctest.New(t, path, minor)
	s.Plug(reader)
	return s, pcsc.New(pcsc.Options{Socket: path})
}

var token = []byte{0x00, 0xA4, 0x04, 0x0C, 0x0A, 0xD3, 0x92, 0xF0, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01}

func TestEveryLineOfTheProtocol(t *testing.T) {
	for name, minor := range map[string]uint32{"4": pcsctest.Debian12, "5": pcsctest.Strict5, "4 and above": pcsctest.Tolerant} {
		t.Run(name, func(t *testing.T) {
			s, c := start(t, minor)
			chip := cardtest.Plastic(nil, nil)
			s.Put(reader, chip)
			for range 2 { // the second connection knows the line already
				x, err := c.Connect(t.Context(), reader)
				if err != nil {
					t.Fatal(err)
				}
				if err := x.Begin(t.Context()); err != nil {
					t.Fatal(err)
				}
				answer, err := x.Transmit(t.Context(), token)
				if err != nil || !bytes.Equal(answer, []byte{0x90, 0}) {
					t.Errorf("%x, %v", answer, err)
				}
				if err := x.End(t.Context()); err != nil {
					t.Error(err)
				}
				if err := errors.Join(x.Close(), x.Close()); err != nil {
					t.Error(err)
				}
				if _, err := x.Transmit(t.Context(), token); err == nil {
					t.Error("a card that was let go of answers")
				}
			}
			if n := len(chip.Commands()); n != 2 {
				t.Errorf("the card got %d commands", n)
			}
		})
	}
}

// TestALineThatIsNotKnown: the service wants more than this client may say.
func TestALineThatIsNotKnown(t *testing.T) {
	for name, minor := range map[string]uint32{"newer": 9, "older": 3} {
		_, c := start(t, minor)
		if _, err := c.Connect(t.Context(), reader); card.WordOf(err) != card.PCSCDOther {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// watching collects what a watch reports.
type watching struct {
	reports chan []card.Reader
	ended   chan error
}

func watch(t *testing.T, c *pcsc.Client) watching {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := watching{make(chan []card.Reader, 64), make(chan error, 1)}
	go func() {
		w.ended <- c.Watch(ctx, func(r []card.Reader) { w.reports <- slices.Clone(r) })
	}()
	t.Cleanup(cancel)
	return w
}

func (w watching) next(t *testing.T) []card.Reader {
	t.Helper()
	select {
	case r := <-w.reports:
		return r
	case err := <-w.ended:
		t.Fatalf("the watch ended: %v", err)
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was reported")
	}
	return nil
}

func TestCardsAndReadersComeAndGo(t *testing.T) {
	for _, minor := range []uint32{pcsctest.Debian12, pcsctest.Strict5} {
		s, c := start(t, minor)
		w := watch(t, c)
		chip := cardtest.Plastic(nil, nil)
		states := func(r []card.Reader) (out []card.ReaderState) {
			for _, x := range r {
				out = append(out, x.State)
			}
			return out
		}
		for _, step := range []struct {
			name string
			do   func()
			want []card.ReaderState
		}{
			{"at once", func() {}, []card.ReaderState{card.Empty}},
			{"a card", func() { s.Put(reader, chip) }, []card.ReaderState{card.Present}},
			{"kept by another program", func() { s.Hold(reader, true) }, []card.ReaderState{card.InUse}},
			{"given free", func() { s.Hold(reader, false) }, []card.ReaderState{card.Present}},
			{"a second reader", func() { s.Plug("Practice Reader 01 00") }, []card.ReaderState{card.Present, card.Empty}},
			{"a mute card", func() { s.PutMute("Practice Reader 01 00") }, []card.ReaderState{card.Present, card.Mute}},
			{"pulled", func() { s.Pull(reader) }, []card.ReaderState{card.Empty, card.Mute}},
			{"unplugged", func() { s.Unplug(reader) }, []card.ReaderState{card.Mute}},
			{"and the last", func() { s.Unplug("Practice Reader 01 00") }, nil},
		} {
			step.do()
			got := w.next(t)
			if !slices.Equal(states(got), step.want) {
				t.Errorf("%s: %v, want %v", step.name, states(got), step.want)
			}
			if len(got) > 0 && got[0].State == card.Present && !bytes.Equal(got[0].ATR, chip.ATR()) {
				t.Errorf("%s: ATR %x", step.name, got[0].ATR)
			}
		}
		s.Stop()
		if err := <-w.ended; card.WordOf(err) != card.PCSCDGone {
			t.Errorf("the service stopped: %v", err)
		}
	}
}

func TestAWatchEndsWithItsContext(t *testing.T) {
	_, c := start(t, pcsctest.Debian12)
	ctx, cancel := context.WithCancel(t.Context())
	err := c.Watch(ctx, func([]card.Reader) { cancel() })
	if err != nil {
		t.Error(err)
	}
}

func connected(t *testing.T, s *pcsctest.Server, c *pcsc.Client, chip pcsctest.Chip) card.Transport {
	t.Helper()
	s.Put(reader, chip)
	x, err := c.Connect(t.Context(), reader)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.Close() })
	if err := x.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	return x
}

func TestWhatMayHappenToACard(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(s *pcsctest.Server)
		want card.Word
	}{
		{"pulled", func(s *pcsctest.Server) { s.Pull(reader) }, card.CardRemoved},
		{"pulled, told vaguely", func(s *pcsctest.Server) { s.Pulled = pcsctest.NotTransacted; s.Pull(reader) }, card.CardRemoved},
		{"pulled, and an answer of nothing", func(s *pcsctest.Server) { s.Pulled = pcsctest.Silent; s.Pull(reader) }, card.CardRemoved},
		{"pulled, seen late", func(s *pcsctest.Server) { s.Pulled, s.Late = pcsctest.NotTransacted, 5; s.Pull(reader) }, card.CardRemoved},
		{"pulled, an answer of nothing, seen late", func(s *pcsctest.Server) { s.Pulled, s.Late = pcsctest.Silent, 5; s.Pull(reader) }, card.CardRemoved},
		{"not answering, and there", func(s *pcsctest.Server) { s.Pulled, s.Late = pcsctest.NotTransacted, 1000; s.Pull(reader) }, card.CardSlow},
		{"another one put there", func(s *pcsctest.Server) { s.Pull(reader); s.Put(reader, cardtest.Foreign()) }, card.CardRemoved},
		{"another one put there, told vaguely", func(s *pcsctest.Server) {
			s.Pulled = pcsctest.NotTransacted
			s.Pull(reader)
			s.Put(reader, cardtest.Foreign())
		}, card.CardRemoved},
		{"mute suddenly", func(s *pcsctest.Server) { s.Pulled = pcsctest.NotTransacted; s.Pull(reader); s.PutMute(reader) }, card.MuteCard},
		{"unplugged", func(s *pcsctest.Server) { s.Unplug(reader) }, card.ReaderGone},
		{"kept by another program", func(s *pcsctest.Server) { s.Hold(reader, true) }, card.ReaderInUse},
		{"reset", func(s *pcsctest.Server) { s.Reset(reader) }, card.CardReset},
		{"the service stopped", func(s *pcsctest.Server) { s.Stop() }, card.PCSCDGone},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, client := start(t, pcsctest.Debian12)
			x := connected(t, s, client, cardtest.Plastic(nil, nil))
			c.do(s)
			_, err := x.Transmit(t.Context(), token)
			if card.WordOf(err) != c.want {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

func TestAResetCardIsTakenUpAgain(t *testing.T) {
	s, c := start(t, pcsctest.Debian12)
	x := connected(t, s, c, cardtest.Plastic(nil, nil))
	s.Reset(reader)
	if _, err := x.Transmit(t.Context(), token); card.WordOf(err) != card.CardReset {
		t.Fatal(err)
	}
	_ = x.End(t.Context())
	// Reset again before the transaction begins: Begin hears of it first.
	if err := x.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	_ = x.End(t.Context())
	s.Reset(reader)
	if err := x.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if answer, err := x.Transmit(t.Context(), token); err != nil || len(answer) != 2 {
		t.Errorf("%x, %v", answer, err)
	}
}

func TestATransactionWaitsForAnother(t *testing.T) {
	s, c := start(t, pcsctest.Strict5)
	first := connected(t, s, c, cardtest.Plastic(nil, nil))
	second, err := c.Connect(t.Context(), reader)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second.Close() }()
	begun := make(chan error, 1)
	go func() { begun <- second.Begin(t.Context()) }()
	if _, err := first.Transmit(t.Context(), token); err != nil {
		t.Error(err)
	}
	select {
	case err := <-begun:
		t.Errorf("two transactions at once: %v", err)
	default:
	}
	if err := first.End(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-begun; err != nil {
		t.Error(err)
	}
}

func TestATransactionThatNeverEnds(t *testing.T) {
	s, c := start(t, pcsctest.Debian12)
	_ = connected(t, s, c, cardtest.Plastic(nil, nil))
	second, err := c.Connect(t.Context(), reader)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := second.Begin(ctx); card.WordOf(err) != card.ReaderInUse && card.WordOf(err) != card.CardSlow {
		t.Error(err)
	}
}

func TestWhatCannotBeConnected(t *testing.T) {
	s, c := start(t, pcsctest.Debian12)
	try := func(name, to string, want card.Word) {
		t.Helper()
		x, err := c.Connect(t.Context(), to)
		if card.WordOf(err) != want || x != nil {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	try("no card", reader, card.NoCard)
	try("no such reader", "Another Reader", card.ReaderUnknown)
	try("no name", "", card.ReaderUnknown)
	try("a name too long", strings.Repeat("x", 128), card.ReaderUnknown)
	try("a name with a zero", "a\x00b", card.ReaderUnknown)
	s.PutMute(reader)
	try("a mute card", reader, card.MuteCard)
	s.Put(reader, cardtest.Plastic(nil, nil))
	s.Hold(reader, true)
	try("a card of another program", reader, card.ReaderInUse)
	s.Stop()
	try("no service", reader, card.NoPCSCD)
	if err := c.Watch(t.Context(), func([]card.Reader) {}); card.WordOf(err) != card.NoPCSCD {
		t.Errorf("a watch without service: %v", err)
	}
	s.Start()
	s.Hold(reader, false)
	x, err := c.Connect(t.Context(), reader)
	if err != nil {
		t.Fatalf("after the service came back: %v", err)
	}
	_ = x.Close()
}

// pipe is a service of which a test is the other end.
func pipe(t *testing.T, serve func(conn net.Conn)) *pcsc.Client {
	t.Helper()
	return pcsc.New(pcsc.Options{Dial: func(context.Context, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer func() { _ = theirs.Close() }()
			serve(theirs)
		}()
		return ours, nil
	}})
}

func numbers(n ...uint32) []byte {
	var out []byte
	for _, x := range n {
		out = binary.LittleEndian.AppendUint32(out, x)
	}
	return out
}

func TestAServiceThatIsNotOne(t *testing.T) {
	greet := func(conn net.Conn, reply []byte) {
		_, _ = io.ReadFull(conn, make([]byte, 20))
		_, _ = conn.Write(reply)
	}
	good := numbers(4, 4, 0)
	table := make([]byte, 16*184)
	copy(table, strings.Repeat("x", 128)) // a name without end
	for name, c := range map[string]struct {
		want  card.Word
		serve func(conn net.Conn)
	}{
		"hangs up at the greeting": {card.PCSCDRefused, func(conn net.Conn) { greet(conn, nil) }},
		"refuses with a code":      {card.PCSCDOther, func(conn net.Conn) { greet(conn, numbers(4, 4, 0x80100001)) }},
		"speaks another protocol":  {card.PCSCDOther, func(conn net.Conn) { greet(conn, numbers(7, 4, 0x8010001E)) }},
		"refuses a context": {card.PCSCDRefused, func(conn net.Conn) {
			greet(conn, good)
			greet(conn, numbers(2, 0, 0x8010006A))
		}},
		"hangs up in the table": {card.PCSCDGone, func(conn net.Conn) {
			greet(conn, good)
			greet(conn, numbers(2, 1, 0))
			_, _ = io.ReadFull(conn, make([]byte, 8))
			_, _ = conn.Write(table[:100])
		}},
		"a name without end": {card.PCSCDOther, func(conn net.Conn) {
			greet(conn, good)
			greet(conn, numbers(2, 1, 0))
			_, _ = io.ReadFull(conn, make([]byte, 8))
			_, _ = conn.Write(table)
		}},
	} {
		err := pipe(t, c.serve).Watch(t.Context(), func([]card.Reader) {})
		if card.WordOf(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	refusing := pcsc.New(pcsc.Options{Dial: func(context.Context, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EACCES)}
	}})
	if err := refusing.Watch(t.Context(), nil); card.WordOf(err) != card.PCSCDRefused {
		t.Errorf("a socket of another user: %v", err)
	}
}

// TestAnAnswerLongerThanMayBe: the service says that the answer has four gigabytes.
func TestAnAnswerLongerThanMayBe(t *testing.T) {
	c := pipe(t, func(conn net.Conn) {
		for _, reply := range []struct {
			request int
			reply   []byte
		}{
			{20, numbers(4, 4, 0)}, {20, numbers(2, 1, 0)}, {8, make([]byte, 16*184)},
			{160, append(make([]byte, 140), numbers(7, 2, 0)...)},
			{8 + 32 + len(token), numbers(7, 2, 16, 0, 0, 0, 0xFFFFFFFF, 0)},
		} {
			_, _ = io.ReadFull(conn, make([]byte, reply.request))
			_, _ = conn.Write(reply.reply)
		}
		_, _ = io.Copy(io.Discard, conn)
	})
	x, err := c.Connect(t.Context(), reader)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = x.Close() }()
	for range 2 {
		if _, err := x.Transmit(t.Context(), token); card.WordOf(err) != card.PCSCDOther {
			t.Error(err)
		}
	}
}

// TestAServiceThatKeepsWaiting: pcscd answers a CONNECT only when another program's
// transaction has ended.
func TestAServiceThatKeepsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := pipe(t, func(conn net.Conn) {
			for _, reply := range []struct {
				request int
				reply   []byte
			}{{20, numbers(4, 4, 0)}, {20, numbers(2, 1, 0)}, {8, make([]byte, 16*184)}} {
				_, _ = io.ReadFull(conn, make([]byte, reply.request))
				_, _ = conn.Write(reply.reply)
			}
			_, _ = io.Copy(io.Discard, conn)
		})
		if _, err := c.Connect(t.Context(), reader); card.WordOf(err) != card.ReaderInUse {
			t.Error(err)
		}
	})
}

// TestACardThatDoesNotAnswerInTime: whoever waits may stop to, and the connection is not
// used any more.
func TestACardThatDoesNotAnswerInTime(t *testing.T) {
	s, c := start(t, pcsctest.Debian12)
	ctx, cancel := context.WithCancel(t.Context())
	s.Before = func(string, int, []byte) { cancel() }
	held := make(chan struct{})
	chip := cardtest.Plastic(nil, nil)
	chip.Instead = func([]byte) ([]byte, bool) { <-held; return nil, false }
	x := connected(t, s, c, chip)
	if _, err := x.Transmit(ctx, token); card.WordOf(err) != card.CardSlow || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(held)
	if _, err := x.Transmit(t.Context(), token); card.WordOf(err) != card.CardSlow {
		t.Errorf("out of step: %v", err)
	}
}

// keeping is a connection that keeps the memory it was given to write.
type keeping struct {
	net.Conn
	mu   *sync.Mutex
	kept *[][]byte
}

func (k keeping) Write(b []byte) (int, error) {
	k.mu.Lock()
	*k.kept = append(*k.kept, b)
	k.mu.Unlock()
	return k.Conn.Write(b)
}

func TestFramesAreWiped(t *testing.T) {
	s, _ := start(t, pcsctest.Debian12)
	var mu sync.Mutex
	var kept [][]byte
	s.Put(reader, cardtest.Plastic(nil, nil))
	client := pcsc.New(pcsc.Options{Socket: s.Path(), Dial: func(ctx context.Context, socket string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", socket)
		return keeping{conn, &mu, &kept}, err
	}})
	x, err := client.Connect(t.Context(), reader)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = x.Close() }()
	if err := x.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Transmit(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for i, frame := range kept {
		if !bytes.Equal(frame, make([]byte, len(frame))) {
			t.Errorf("frame %d of %d was not wiped", i+1, len(kept))
		}
	}
	if len(kept) != 6 {
		t.Errorf("%d frames", len(kept))
	}
}

func TestWhichSocket(t *testing.T) {
	env := func(string) string { return "/of/the/environment" }
	none := func(string) string { return "" }
	if got := pcsc.Socket("/asked", env); got != "/asked" {
		t.Error(got)
	}
	if got := pcsc.Socket("", env); got != "/of/the/environment" {
		t.Error(got)
	}
	if got := pcsc.Socket("", none); got != pcsc.DefaultSocket {
		t.Error(got)
	}
}

// FuzzTable: whatever the service's table holds, a name ends and an ATR is no longer than
// one can be.
func FuzzTable(f *testing.F) {
	f.Add([]byte("Practice Reader\x00"), uint32(0x34), uint32(9))
	f.Add(bytes.Repeat([]byte{'x'}, 128), uint32(0x0C), uint32(34))
	f.Fuzz(func(t *testing.T, name []byte, state, length uint32) {
		table := make([]byte, 16*184)
		copy(table[:128], name)
		binary.LittleEndian.PutUint32(table[132:], state)
		binary.LittleEndian.PutUint32(table[176:], length)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := pipe(t, func(conn net.Conn) {
			_, _ = io.ReadFull(conn, make([]byte, 20))
			_, _ = conn.Write(numbers(4, 4, 0))
			_, _ = io.ReadFull(conn, make([]byte, 20))
			_, _ = conn.Write(numbers(2, 1, 0))
			_, _ = io.ReadFull(conn, make([]byte, 8))
			_, _ = conn.Write(table)
		})
		_ = c.Watch(ctx, func(readers []card.Reader) {
			cancel()
			for _, r := range readers {
				if r.Name == "" || len(r.Name) > 127 || len(r.ATR) > 33 || r.State == "" {
					t.Errorf("%q %s %x", r.Name, r.State, r.ATR)
				}
			}
		})
	})
}
