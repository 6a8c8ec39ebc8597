package serial

import (
	"bytes"

	"madoguchi.example/agent/internal/scanner"
)

// framer finds where a code ends. It is a device.Framer.
type framer struct {
	take   func(scanner.Scan)
	frame  []byte
	binary bool // the frame is no text: silence alone ends it
	over   bool // it was longer than any code; the rest is dropped up to the next silence
}

// Feed takes what came next.
func (f *framer) Feed(chunk []byte) {
	for _, c := range chunk {
		switch {
		case f.over:
			return
		case (c == '\r' || c == '\n') && !f.binary && f.isText():
			f.end()
			continue
		}
		if len(f.frame) == scanner.MaxScanBytes {
			*f = framer{take: f.take, over: true}
			return
		}
		f.frame = append(f.frame, c)
	}
}

// isText judges the frame at its first line end; what is no text then is none later.
func (f *framer) isText() bool {
	_, ok := scanner.Scan{Bytes: f.frame}.Text()
	f.binary = !ok
	return ok
}

func (f *framer) end() {
	frame := f.frame
	*f = framer{take: f.take}
	if len(frame) > 0 {
		f.take(scanner.New(frame, scanner.FromSerial))
	}
}

// Silent is told that nothing came for a while.
func (f *framer) Silent() {
	if f.over {
		*f = framer{take: f.take}
		f.take(scanner.TooLong(scanner.FromSerial))
		return
	}
	if f.binary {
		f.frame = bytes.TrimSuffix(bytes.TrimSuffix(f.frame, []byte("\n")), []byte("\r"))
	}
	f.end()
}
