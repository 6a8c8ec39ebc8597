package evdev

import (
	"slices"

	"madoguchi.example/agent/internal/scanner"
	"madoguchi.example/agent/internal/scanner/keys"
	"madoguchi.example/agent/internal/scanner/wedge"
)

// page is what the keys write on one layout.
type page struct {
	layout keys.Layout
	text   []byte
	lost   bool // a key writes nothing there
}

// typist makes codes of keys. It follows the same keys on both layouts.
type typist struct {
	deliver func(scanner.Scan)

	held       map[uint16]bool // the keys that change others
	caps       bool
	alt        int // the number typed on the pad while Alt is held; -1 for none
	pages      [2]page
	over       bool // longer than any code: dropped up to the next silence
	incomplete bool
	dropping   bool // the kernel lost events: up to the next report nothing counts
}

func newTypist(layout keys.Layout, deliver func(scanner.Scan)) *typist {
	other := keys.JIS
	if layout == keys.JIS {
		other = keys.US
	}
	return &typist{deliver: deliver, held: map[uint16]bool{}, alt: -1, pages: [2]page{{layout: layout}, {layout: other}}}
}

func (t *typist) take(e event) {
	switch {
	case e.kind == kindSync && e.code == syncDropped:
		t.dropping, t.incomplete, t.alt = true, true, -1
		clear(t.held)
	case e.kind == kindSync && e.code == syncReport:
		t.dropping = false
	case t.dropping || e.kind != kindKey:
	case e.value == released:
		t.release(e.code)
	case e.value == pressed: // a held key's repeats are no presses
		t.press(e.code)
	}
}

func (t *typist) either(a, b uint16) bool { return t.held[a] || t.held[b] }

func (t *typist) release(code uint16) {
	delete(t.held, code)
	if (code == keys.LeftAlt || code == keys.RightAlt) && t.alt >= 0 {
		// A number over 255 is a character of two bytes.
		if t.alt > 0xff {
			t.write(byte(t.alt>>8), byte(t.alt>>8))
		}
		t.write(byte(t.alt), byte(t.alt))
		t.alt = -1
	}
}

func (t *typist) press(code uint16) {
	switch code {
	case keys.LeftShift, keys.RightShift, keys.LeftCtrl, keys.RightCtrl, keys.LeftAlt, keys.RightAlt:
		t.held[code] = true
		return
	case keys.CapsLock:
		t.caps = !t.caps
		return
	case keys.Enter, keys.PadEnter, keys.Tab:
		if !t.over {
			t.end()
		}
		return
	}
	if t.either(keys.LeftAlt, keys.RightAlt) {
		if digit, ok := keys.PadDigit(code); ok && t.alt < 0xffff/10 {
			t.alt = max(t.alt, 0)*10 + digit
		}
		return
	}
	own, other := t.char(t.pages[0].layout, code), t.char(t.pages[1].layout, code)
	if own == 0 && other == 0 {
		return
	}
	t.write(own, other)
}

// char gives what a key writes on a layout, 0 for nothing.
func (t *typist) char(layout keys.Layout, code uint16) byte {
	shift := t.either(keys.LeftShift, keys.RightShift)
	c := layout.Char(code, shift)
	if letter := (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); letter && t.caps {
		c = layout.Char(code, !shift)
	}
	if t.either(keys.LeftCtrl, keys.RightCtrl) {
		if c < '@' || c > '~' {
			return 0
		}
		return byte(c) & 0x1f // as a scanner sends a control character
	}
	return byte(c)
}

func (t *typist) write(own, other byte) {
	if len(t.pages[0].text) == scanner.MaxScanBytes || len(t.pages[1].text) == scanner.MaxScanBytes {
		t.begin()
		t.over = true
	}
	if t.over {
		return
	}
	for i, c := range []byte{own, other} {
		p := &t.pages[i]
		if c == 0 {
			p.lost = true
			continue
		}
		p.text = append(p.text, c)
	}
}

// begin forgets the code so far.
func (t *typist) begin() {
	t.over, t.incomplete, t.alt = false, false, -1
	for i := range t.pages {
		t.pages[i] = page{layout: t.pages[i].layout}
	}
}

// end delivers the code so far, if there is one.
func (t *typist) end() {
	scan, ok := t.scan()
	t.begin()
	if ok {
		t.deliver(scan)
	}
}

func (t *typist) scan() (scanner.Scan, bool) {
	own, other := t.pages[0], t.pages[1]
	switch {
	case t.over:
		return scanner.TooLong(scanner.FromEvdev), true
	case len(own.text) == 0 && len(other.text) == 0 && !t.incomplete:
		return scanner.Scan{}, false
	}
	s := scanner.New(own.text, scanner.FromEvdev)
	if _, isText := s.Text(); isText && !slices.ContainsFunc(own.text, func(c byte) bool { return c > '~' }) {
		s = read(own, other)
	}
	if t.incomplete {
		s.Faults = append(s.Faults, scanner.FaultIncomplete)
	}
	return s, true
}

// read takes the configured layout's text unless only the other's is of a known form.
func read(own, other page) scanner.Scan {
	text, repairs, faults := wedge.Repair(string(own.text))
	if own.lost {
		faults = []string{scanner.FaultLayout}
	}
	if len(repairs)+len(faults) > 0 && !other.lost {
		if mended, again, left := wedge.Repair(string(other.text)); len(left) == 0 && (len(again) == 0 || len(faults) > 0) {
			repair := scanner.RepairUSLayout
			if other.layout == keys.JIS {
				repair = scanner.RepairJISLayout
			}
			return scanner.Scan{Bytes: []byte(mended), From: scanner.FromEvdev, Repairs: append([]string{repair}, again...)}
		}
	}
	if len(faults) > 0 {
		return scanner.Scan{Bytes: own.text, From: scanner.FromEvdev, Faults: faults}
	}
	return scanner.Scan{Bytes: []byte(text), From: scanner.FromEvdev, Repairs: repairs}
}
