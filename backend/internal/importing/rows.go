package importing

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// line is one physical line of a file: one row, for a cell may not hold a line break.
type line struct {
	number int
	text   []byte // without its end; valid until the next call
	ended  bool   // a line break stood after it
	long   bool   // longer than MaxRowBytes; text is cut
}

// lines splits a file into lines within the limits. It never holds more than one line.
type lines struct {
	in     *bufio.Reader
	buf    []byte
	number int
	read   int64
}

var errFileSize = errors.New("the file is larger than the limit")

func newLines(in io.Reader) *lines {
	return &lines{in: bufio.NewReaderSize(in, 64<<10), buf: make([]byte, 0, 4<<10)}
}

// next gives the next line, io.EOF after the last, errFileSize past the limit.
func (l *lines) next() (line, error) {
	l.buf = l.buf[:0]
	long := false
	for {
		part, err := l.in.ReadSlice('\n')
		l.read += int64(len(part))
		if l.read > MaxFileBytes {
			return line{}, errFileSize
		}
		if len(l.buf)+len(part) > MaxRowBytes+len("\r\n") {
			long = true
		}
		if !long {
			l.buf = append(l.buf, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == nil, errors.Is(err, io.EOF):
			if len(part) == 0 && len(l.buf) == 0 && !long {
				return line{}, io.EOF
			}
			l.number++
			text, ended := trimEnd(l.buf, err == nil)
			return line{number: l.number, text: text, ended: ended, long: long}, nil
		default:
			return line{}, fmt.Errorf("cannot read line %d: %w", l.number+1, err)
		}
	}
}

func trimEnd(b []byte, ended bool) ([]byte, bool) {
	b = bytes.TrimSuffix(b, []byte("\n"))
	if ended {
		b = bytes.TrimSuffix(b, []byte("\r"))
	}
	return b, ended
}

// flaw is what is wrong in one line; column counts from 1, 0 means the whole row.
type flaw struct {
	column int
	reason string
}

// Reasons that the reader itself gives.
const (
	reasonLong      = "the row is longer than the limit"
	reasonUTF8      = "not valid UTF-8"
	reasonNUL       = "holds a NUL character"
	reasonControl   = "holds a control character"
	reasonQuote     = "a quote stands where none may, or is not closed in this line"
	reasonCut       = "the row may be cut: end the file with a line break"
	reasonNothing   = "nothing of this file was taken in: its faults follow"
	reasonEmptyFile = "the file is empty: it must begin with the header"
)

// bad checks the bytes of a line before it is taken apart.
func (l line) bad() (string, bool) {
	switch {
	case l.long:
		return reasonLong, true
	case bytes.IndexByte(l.text, 0) >= 0:
		return reasonNUL, true
	case !utf8.Valid(l.text):
		return reasonUTF8, true
	}
	return "", false
}

// cells takes one line apart by RFC 4180, without line breaks inside quotes.
func cells(text string) ([]string, *flaw) {
	var out []string
	for {
		cell, rest, more, ok := cell(text)
		if !ok {
			return nil, &flaw{len(out) + 1, reasonQuote}
		}
		for _, r := range cell {
			if r < ' ' || r == 0x7f {
				return nil, &flaw{len(out) + 1, reasonControl}
			}
		}
		out = append(out, cell)
		if !more {
			return out, nil
		}
		text = rest
	}
}

// cell reads one cell and tells whether a comma, and so another cell, follows it.
func cell(text string) (value, rest string, more, ok bool) {
	if len(text) == 0 || text[0] != '"' {
		return bare(text)
	}
	var b []byte
	for i := 1; i < len(text); i++ {
		if text[i] != '"' {
			b = append(b, text[i])
			continue
		}
		switch {
		case i+1 == len(text):
			return string(b), "", false, true
		case text[i+1] == '"':
			b = append(b, '"')
			i++
		case text[i+1] == ',':
			return string(b), text[i+2:], true, true
		default:
			return "", "", false, false
		}
	}
	return "", "", false, false
}

func bare(text string) (value, rest string, more, ok bool) {
	for i := range len(text) {
		switch text[i] {
		case '"':
			return "", "", false, false
		case ',':
			return text[:i], text[i+1:], true, true
		}
	}
	return text, "", false, true
}
