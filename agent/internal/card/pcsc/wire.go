package pcsc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"madoguchi.example/agent/internal/card"
)

// Commands of pcscd's socket.
const (
	cmdEstablish  = 0x01
	cmdRelease    = 0x02
	cmdConnect    = 0x04
	cmdReconnect  = 0x05
	cmdDisconnect = 0x06
	cmdBegin      = 0x07
	cmdEnd        = 0x08
	cmdTransmit   = 0x09
	cmdVersion    = 0x11
	cmdReaders    = 0x12
	cmdWait       = 0x13
)

// Protocol lines: pcscd up to 1.9 wants minor 4, 2.3.0 to 2.4.0 want 5, later ones take from
// 4 upwards and keep the older commands for who says so. Above 5 the commands for readers
// differ, so nothing above is ever said.
const (
	protocolMajor = 4
	minorFirst    = 4
	minorLast     = 5
)

// Sizes of bodies, in bytes.
const (
	headerSize     = 8
	sizeVersion    = 12
	sizeEstablish  = 12
	sizeRelease    = 8
	sizeConnect    = 152
	sizeReconnect  = 24
	sizeDisconnect = 12
	sizeBegin      = 8
	sizeEnd        = 12
	sizeTransmit   = 32
	sizeWait       = 8
	sizeReader     = 184
	maxReaders     = 16
	sizeReaders    = maxReaders * sizeReader
	maxName        = 128
	maxATR         = 33
)

// Places within bodies.
const (
	connectHandle   = 140
	connectProtocol = 144
	reconnectActive = 16
	transmitLength  = 24
	readerEvents    = 128
	readerState     = 132
	readerSharing   = 136
	readerATR       = 140
	readerATRLength = 176
)

// frame is one request: the body's size, the command and the body, little-endian. Behind a
// TRANSMIT the command for the card follows, which the size does not count.
func frame(command uint32, body, tail []byte) []byte {
	out := make([]byte, 0, headerSize+len(body)+len(tail))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(body)))
	out = binary.LittleEndian.AppendUint32(out, command)
	return append(append(out, body...), tail...)
}

// fields is a body of 32-bit numbers.
func fields(numbers ...uint32) []byte {
	out := make([]byte, 0, 4*len(numbers))
	for _, n := range numbers {
		out = binary.LittleEndian.AppendUint32(out, n)
	}
	return out
}

func number(body []byte, at int) uint32 { return binary.LittleEndian.Uint32(body[at:]) }

// resultOf is the last number of every reply but a list of readers.
func resultOf(body []byte) result { return result(number(body, len(body)-4)) }

// connectBody asks for the card in the reader.
func connectBody(context uint32, reader string) ([]byte, error) {
	if reader == "" || len(reader) >= maxName || strings.IndexByte(reader, 0) >= 0 {
		return nil, card.ReaderUnknown.Fault(errors.New("not a name that a reader can have"))
	}
	name := make([]byte, maxName)
	copy(name, reader)
	out := append(fields(context), name...)
	return append(out, fields(shareShared, protocolsAny, 0, 0, 0)...), nil
}

// parseReaders reads the service's table, in which a line without a name is no reader.
func parseReaders(table []byte) ([]card.Reader, error) {
	if len(table) != sizeReaders {
		return nil, fmt.Errorf("a table of readers of %d bytes", len(table))
	}
	var out []card.Reader
	for ; len(table) > 0; table = table[sizeReader:] {
		name, _, ended := bytes.Cut(table[:maxName], []byte{0})
		if len(name) == 0 {
			continue
		}
		length := number(table, readerATRLength)
		if !ended || length > maxATR {
			return nil, errors.New("a table of readers with a name or an answer to reset without end")
		}
		r := card.Reader{Name: string(name), Events: number(table, readerEvents)}
		state, sharing := number(table, readerState), int32(number(table, readerSharing))
		if r.State = stateOf(state, sharing); state&statePresent != 0 {
			r.ATR = bytes.Clone(table[readerATR : readerATR+int(length)])
		}
		out = append(out, r)
	}
	return out, nil
}

// stateOf takes pcscd's bits; sharing is below zero where one program has the card alone.
func stateOf(state uint32, sharing int32) card.ReaderState {
	switch {
	case state&stateUnknown != 0:
		return card.Gone
	case state&statePresent == 0:
		return card.Empty
	case state&stateMuted != 0:
		return card.Mute
	case sharing < 0:
		return card.InUse
	}
	return card.Present
}
