package evdev_test

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"madoguchi.example/agent/internal/scanner"
	"madoguchi.example/agent/internal/scanner/evdev"
	"madoguchi.example/agent/internal/scanner/keys"
)

// The signs of both keyboards in the order of the keys' numbers, \x00 where a key writes
// nothing; written out apart from the code's own table.
const (
	usPlain = "1234567890-=qwertyuiop[]asdfghjkl;'`\\zxcvbnm,./ \x00\x00"
	usShift = "!@#$%^&*()_+QWERTYUIOP{}ASDFGHJKL:\"~|ZXCVBNM<>? \x00\x00"
	jpPlain = "1234567890-^qwertyuiop@[asdfghjkl;:\x00]zxcvbnm,./ \x00\\"
	jpShift = "!\"#$%&'()\x00=~QWERTYUIOP`{ASDFGHJKL+*\x00}ZXCVBNM<>? _|"
)

var numbers = func() []uint16 {
	var out []uint16
	for _, span := range [][2]uint16{{2, 13}, {16, 27}, {30, 41}, {43, 53}, {57, 57}, {89, 89}, {124, 124}} {
		for code := span[0]; code <= span[1]; code++ {
			out = append(out, code)
		}
	}
	return out
}()

// recorder writes events as the kernel does.
type recorder struct {
	size int
	out  []byte
}

func (r *recorder) event(kind, code uint16, value int32) {
	e := make([]byte, r.size)
	binary.NativeEndian.PutUint32(e, 1_795_000_000)
	binary.NativeEndian.PutUint16(e[r.size-8:], kind)
	binary.NativeEndian.PutUint16(e[r.size-6:], code)
	binary.NativeEndian.PutUint32(e[r.size-4:], uint32(value))
	r.out = append(r.out, e...)
}

// stroke is one change of a key with the events around it.
func (r *recorder) stroke(code uint16, value int32) {
	r.event(4, 4, 0x70000+int32(code)) // the scan code
	r.event(1, code, value)
	r.event(0, 0, 0)
}

func (r *recorder) press(code uint16) *recorder {
	r.stroke(code, 1)
	r.stroke(code, 0)
	return r
}

func (r *recorder) with(modifier uint16, codes ...uint16) *recorder {
	r.stroke(modifier, 1)
	for _, code := range codes {
		r.press(code)
	}
	r.stroke(modifier, 0)
	return r
}

// text presses the keys of a keyboard for text.
func (r *recorder) text(t testing.TB, layout keys.Layout, text string) *recorder {
	t.Helper()
	plain, shift := usPlain, usShift
	if layout == keys.JIS {
		plain, shift = jpPlain, jpShift
	}
	for _, c := range text {
		if at := strings.IndexRune(plain, c); at >= 0 {
			r.press(numbers[at])
		} else if at := strings.IndexRune(shift, c); at >= 0 {
			r.with([]uint16{keys.LeftShift, keys.RightShift}[at%2], numbers[at])
		} else {
			t.Fatalf("no key writes %q", c)
		}
	}
	return r
}

const (
	card   = "shc:/567629595326546034602925"
	wallet = "openid4vp://?client_id=x509_san_dns%3Aa.example&request_uri=https%3A%2F%2Fa.example%2F~r"
	seal   = `{"data":{"n":"A_B (1) ~c"},"sig":{"alg":"ES256","v":"a-_|\\^@"}}`
	hc1    = "HC1:6BF+70790T9WJWG.FKY*4GO0.O1"
)

func TestTextOfKeys(t *testing.T) {
	for _, size := range []int{16, 24} {
		for _, scannerIs := range []keys.Layout{keys.US, keys.JIS} {
			for _, configured := range []keys.Layout{keys.US, keys.JIS} {
				for _, text := range []string{card, wallet, seal, hc1, "4901234567894"} {
					r := &recorder{size: size}
					r.text(t, scannerIs, text).press(keys.Enter)
					for _, piece := range []int{1, 5, 24, 4096} {
						scans := evdev.Codes(configured, size, r.out, piece)
						if len(scans) != 1 || string(scans[0].Bytes) != text || len(scans[0].Faults) > 0 || scans[0].From != scanner.FromEvdev {
							t.Fatalf("%d, %s as %s: %+q", size, scannerIs, configured, scans)
						}
						if told := len(scans[0].Repairs) == 1; told != (scannerIs != configured && text[0] != '4') {
							t.Errorf("%s as %s: %q told %v", scannerIs, configured, text, scans[0].Repairs)
						}
					}
				}
			}
		}
	}
}

// TestARecordedStream has a scanner's own bytes: 49, Enter.
func TestARecordedStream(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("recorded on a little-endian machine")
	}
	const stamp = "b0c8fd6a00000000a2c0040000000000"
	var stream []byte
	for _, line := range []string{
		"0400040021000700", "0100050001000000", "0000000000000000", "0400040021000700", "0100050000000000", "0000000000000000",
		"0400040026000700", "01000a0001000000", "0000000000000000", "0400040026000700", "01000a0000000000", "0000000000000000",
		"0400040028000700", "01001c0001000000", "0000000000000000", "0400040028000700", "01001c0000000000", "0000000000000000",
	} {
		event, err := hex.DecodeString(stamp + line)
		if err != nil {
			t.Fatal(err)
		}
		stream = append(stream, event...)
	}
	if scans := evdev.Codes(keys.US, 24, stream, 7); len(scans) != 1 || string(scans[0].Bytes) != "49" {
		t.Errorf("%+v", scans)
	}
}

func TestKeysThatAreNoCharacters(t *testing.T) {
	fresh := func() *recorder { return &recorder{size: 24} }
	for name, c := range map[string]struct {
		keys   *recorder
		want   []string
		faults []string // of the first
	}{
		"two codes":             {fresh().text(t, keys.US, "12").press(keys.Enter).text(t, keys.US, "34").press(keys.Tab), []string{"12", "34"}, nil},
		"no end":                {fresh().text(t, keys.US, "12"), []string{"12"}, nil},
		"Enter alone":           {fresh().press(keys.Enter).press(keys.Enter), nil, nil},
		"the pad's Enter":       {fresh().text(t, keys.US, "12").press(keys.PadEnter).text(t, keys.US, "3"), []string{"12", "3"}, nil},
		"function keys":         {fresh().text(t, keys.US, "1").press(59).press(1).press(111).text(t, keys.US, "2"), []string{"12"}, nil},
		"shortcuts":             {fresh().text(t, keys.US, "1").with(keys.LeftAlt, 62).with(keys.LeftCtrl, 59).with(125, 38).text(t, keys.US, "2"), []string{"1l2"}, nil},
		"Caps Lock":             {fresh().press(keys.CapsLock).text(t, keys.US, "aB1!"), []string{"Ab1!"}, nil},
		"Caps Lock with a card": {fresh().press(keys.CapsLock).text(t, keys.US, card), []string{card}, nil},
		"control characters":    {fresh().text(t, keys.US, "01").with(keys.RightCtrl, 27).text(t, keys.US, "17"), []string{"01\x1d17"}, nil},
		"Escape and backspace":  {fresh().text(t, keys.US, "01").with(keys.LeftCtrl, 26).with(keys.LeftCtrl, 35), []string{"01\x1b\x08"}, []string{scanner.FaultBinary}},
		"a number with Alt":     {fresh().with(keys.LeftAlt, 82, 80, 76, 76).text(t, keys.US, "a"), []string{"\xffa"}, []string{scanner.FaultBinary}},
		"a character of two":    {fresh().with(keys.LeftAlt, 81, 81, 75, 75, 82), []string{"\x82\xa0"}, nil},
		"a held key": {func() *recorder {
			r := fresh()
			r.stroke(2, 1)
			r.stroke(2, 2)
			r.stroke(2, 2)
			r.stroke(2, 0)
			return r
		}(), []string{"1"}, nil},
		"a key only JIS has":      {fresh().text(t, keys.JIS, "a_b"), []string{"a_b"}, nil},
		"keys of the other kinds": {fresh().text(t, keys.US, "`").text(t, keys.JIS, "_"), []string{"`"}, []string{scanner.FaultLayout}},
	} {
		scans := evdev.Codes(keys.US, 24, c.keys.out, 1000)
		var got []string
		for _, s := range scans {
			got = append(got, string(s.Bytes))
		}
		if !slices.Equal(got, c.want) || (len(scans) > 0 && !slices.Equal(scans[0].Faults, c.faults)) {
			t.Errorf("%s: %q %+v", name, got, scans)
		}
	}
}

// TestLostEvents has the kernel's buffer overflow in the middle of a code.
func TestLostEvents(t *testing.T) {
	r := &recorder{size: 24}
	r.text(t, keys.US, "12")
	r.stroke(keys.LeftShift, 1)
	r.event(0, 3, 0)
	r.event(1, 4, 1)
	r.event(0, 0, 0)
	r.text(t, keys.US, "3").press(keys.Enter).text(t, keys.US, "45").press(keys.Enter)
	scans := evdev.Codes(keys.US, 24, r.out, 24)
	if len(scans) != 2 || string(scans[0].Bytes) != "123" || !slices.Equal(scans[0].Faults, []string{scanner.FaultIncomplete}) ||
		string(scans[1].Bytes) != "45" || scans[1].Faults != nil {
		t.Errorf("%+v", scans)
	}
}

func TestLongCodes(t *testing.T) {
	full := strings.Repeat("7", scanner.MaxScanBytes)
	for text, want := range map[string]string{full: full, full[:4096]: full[:4096], full + "7": "", strings.Repeat("7a#", 34_000): ""} {
		r := &recorder{size: 24}
		scans := evdev.Codes(keys.US, 24, r.text(t, keys.US, text).press(keys.Enter).out, 1024)
		if len(scans) != 1 || string(scans[0].Bytes) != want || (want == "") != slices.Equal(scans[0].Faults, []string{scanner.FaultTooLong}) {
			t.Errorf("%d characters: %d scans", len(text), len(scans))
		}
	}
}

// TestThroughAPipe runs the whole source on a file of the kernel's, with the scanner pulled
// in the middle of a code and plugged in again.
func TestThroughAPipe(t *testing.T) {
	type end struct{ r, w *os.File }
	plugs := make(chan end, 1)
	open := func(string) (io.ReadCloser, error) {
		select {
		case p := <-plugs:
			return p.r, nil
		default:
			return nil, fs.ErrNotExist
		}
	}
	changes, scans := make(chan struct{}, 64), make(chan scanner.Scan, 8)
	l := evdev.New(evdev.Config{
		Device: "/dev/input/by-id/usb-x-event-kbd", Now: time.Now, Open: open, Retry: 5 * time.Millisecond,
		Silence: time.Hour, Changed: func() { changes <- struct{}{} },
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx, func(s scanner.Scan) { scans <- s }) }()
	until := func(ready bool) {
		t.Helper()
		for l.Health().Ready != ready {
			select {
			case <-changes:
			case <-time.After(10 * time.Second):
				t.Fatalf("%+v", l.Health())
			}
		}
	}
	for range 2 {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		plugs <- end{r, w}
		until(true)
		rec := &recorder{size: evdev.EventBytes}
		if _, err := w.Write(rec.text(t, keys.US, card).press(keys.Enter).text(t, keys.US, "half").out); err != nil {
			t.Fatal(err)
		}
		select {
		case s := <-scans:
			if string(s.Bytes) != card {
				t.Errorf("%q", s.Bytes)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("nothing came")
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		until(false)
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) || len(scans) != 0 {
		t.Errorf("%v, %d more", err, len(scans))
	}
}

func TestOpenRefusesOthers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{file: scanner.NoScanner, file + "-gone": scanner.NoDevice, "/dev/null": scanner.NoScanner} {
		if _, err := evdev.Open(path); evdev.FaultOf(err) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestOnlyScannersAreTakenByAPattern never takes the receptionist's keyboard.
func TestOnlyScannersAreTakenByAPattern(t *testing.T) {
	const board, opticon, other = "usb-Logitech_Keyboard_K120-event-kbd", "usb-Opticon_L-46X_0001-event-kbd", "usb-USB_Barcode_Scanner-event-kbd"
	for _, c := range []struct {
		there         []string
		ready, fault  string
		severalInName int
	}{
		{nil, "", scanner.NoDevice, 0}, {[]string{board}, "", scanner.UnknownPort, 1},
		{[]string{board, opticon}, opticon, "", 1}, {[]string{opticon, board, other}, "", scanner.SeveralPorts, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			for _, name := range c.there {
				if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			opened := ""
			r, w := io.Pipe()
			l := evdev.New(evdev.Config{Device: filepath.Join(dir, "*-event-kbd"), Now: time.Now, Open: func(path string) (io.ReadCloser, error) {
				opened = filepath.Base(path)
				return r, nil
			}})
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- l.Run(ctx, func(scanner.Scan) {}) }()
			synctest.Wait()
			h := l.Health()
			if opened != c.ready || h.Ready != (c.ready != "") || h.Fault != c.fault || len(strings.Fields(h.Device)) != c.severalInName {
				t.Errorf("%v: opened %q, %+v", c.there, opened, h)
			}
			stop()
			_ = w.Close()
			<-ended
		})
	}
}

func FuzzEvents(f *testing.F) {
	for _, size := range []int{16, 24} {
		r := &recorder{size: size}
		r.text(f, keys.US, card).press(keys.Enter).with(keys.LeftAlt, 82, 79).with(keys.LeftCtrl, 30)
		r.event(0, 3, 0)
		f.Add(r.out, 5, size == 16)
	}
	f.Fuzz(func(t *testing.T, stream []byte, piece int, small bool) {
		size := 24
		if small {
			size = 16
		}
		scans := evdev.Codes(keys.JIS, size, stream, max(1, piece))
		if whole := evdev.Codes(keys.JIS, size, stream, len(stream)+1); len(whole) != len(scans) {
			t.Errorf("%d codes in pieces, %d in one", len(scans), len(whole))
		}
		for _, s := range scans {
			if len(s.Bytes) > scanner.MaxScanBytes || (len(s.Bytes) == 0 && len(s.Faults) == 0) {
				t.Errorf("%d bytes %v", len(s.Bytes), s.Faults)
			}
		}
	})
}
