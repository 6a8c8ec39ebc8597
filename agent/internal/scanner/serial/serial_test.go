package serial_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/text/encoding/japanese"

	"madoguchi.example/agent/internal/scanner"
	"madoguchi.example/agent/internal/scanner/device"
	"madoguchi.example/agent/internal/scanner/serial"
)

// desk collects what a source delivers.
type desk struct {
	mu    sync.Mutex
	scans []scanner.Scan
}

func (d *desk) take(s scanner.Scan) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.scans = append(d.scans, s)
}

// taken gives what came since the last call.
func (d *desk) taken() []scanner.Scan {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := d.scans
	d.scans = nil
	return out
}

// line is a port that a test writes to.
func line() (io.WriteCloser, func(string, int) (io.ReadCloser, error)) {
	r, w := io.Pipe()
	return w, func(string, int) (io.ReadCloser, error) { return r, nil }
}

func start(t *testing.T, c serial.Config) (*device.Loop, *desk) {
	t.Helper()
	c.Now = time.Now
	r, d := serial.New(c), &desk{}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx, d.take) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	})
	synctest.Wait()
	return r, d
}

func shiftJIS(t *testing.T, text string) string {
	t.Helper()
	out, err := japanese.ShiftJIS.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCodesEnd(t *testing.T) {
	long := strings.Repeat("0123456789", scanner.MaxScanBytes/10)
	full := (long + "xx")[:scanner.MaxScanBytes]
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	noise := make([]byte, 100_000)
	for i, from := 0, rand.NewChaCha8([32]byte{1}); i < len(noise); i++ {
		noise[i] = byte(from.Uint64())
	}
	for name, c := range map[string]struct {
		chunks []string // with a little pause between; "…" is silence
		want   []string
		fault  string // of all
	}{
		"CR":                  {[]string{"shc:/56\r"}, []string{"shc:/56"}, ""},
		"LF":                  {[]string{"shc:/56\n"}, []string{"shc:/56"}, ""},
		"CR and LF":           {[]string{"shc:/56\r\nshc:/57\r\n"}, []string{"shc:/56", "shc:/57"}, ""},
		"CR and LF apart":     {[]string{"a\r", "\nb\r", "\n"}, []string{"a", "b"}, ""},
		"silence":             {[]string{"shc", ":/", "56", "…"}, []string{"shc:/56"}, ""},
		"silence, then more":  {[]string{"a", "…", "b", "…", "c\r"}, []string{"a", "b", "c"}, ""},
		"empty lines":         {[]string{"\r\n\r\n\n\n", "…"}, nil, ""},
		"Shift_JIS":           {[]string{shiftJIS(t, "髙橋　花子，ﾊﾅｺ\r\n")}, []string{shiftJIS(t, "髙橋　花子，ﾊﾅｺ")}, ""},
		"UTF-8 in two halves": {[]string{"花"[:1], "花"[1:] + "\r"}, []string{"花"}, ""},
		"separators of GS1":   {[]string{"01049\x1d17\r"}, []string{"01049\x1d17"}, ""},
		"every byte":          {[]string{"\x00" + string(every) + "\r\n", "…"}, []string{"\x00" + string(every)}, scanner.FaultBinary},
		"controls":            {[]string{"\x1b[11~\x03\x1a\r", "…"}, []string{"\x1b[11~\x03\x1a"}, scanner.FaultBinary},
		"as long as may be":   {[]string{full + "\r"}, []string{full}, ""},
		"4 KB":                {[]string{full[:4096], "…"}, []string{full[:4096]}, ""},
		"one too long":        {[]string{full + "x\r", "…"}, []string{""}, scanner.FaultTooLong},
		"100 KB of garbage":   {[]string{"\xff\x00\x01\n" + string(noise), "…"}, []string{""}, scanner.FaultTooLong},
		"DER with a line end": {[]string{"0\x82\x01\n\xa0\r\n", "…"}, []string{"0\x82\x01\n\xa0"}, scanner.FaultBinary},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, open := line()
				_, d := start(t, serial.Config{Port: "port", Open: open})
				for _, chunk := range c.chunks {
					if chunk == "…" {
						time.Sleep(serial.DefaultSilence + time.Millisecond)
						continue
					}
					if _, err := io.WriteString(w, chunk); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				scans := d.taken()
				if len(scans) != len(c.want) {
					t.Fatalf("%d scans, want %d", len(scans), len(c.want))
				}
				for i, s := range scans {
					wrong := len(s.Faults) > 0 != (c.fault != "") || (c.fault != "" && s.Faults[0] != c.fault)
					if string(s.Bytes) != c.want[i] || wrong || s.From != scanner.FromSerial {
						t.Errorf("scan %d: %.40q %v", i, s.Bytes, s.Faults)
					}
				}
			})
		})
	}
}

// TestASlowPortIsGivenTime has pauses within a code at 300 baud.
func TestASlowPortIsGivenTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, open := line()
		_, d := start(t, serial.Config{Port: "port", Baud: 300, Open: open})
		for _, part := range []string{"ab", "cd"} {
			if _, err := io.WriteString(w, part); err != nil {
				t.Fatal(err)
			}
			time.Sleep(900 * time.Millisecond)
		}
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		if scans := d.taken(); len(scans) != 1 || string(scans[0].Bytes) != "abcd" {
			t.Errorf("%d scans", len(scans))
		}
	})
}

// plugged is what a machine has in its sockets.
type plugged struct {
	mu    sync.Mutex
	ports []serial.Port
	fail  error
	how   func(string, int) (io.ReadCloser, error)
}

func (p *plugged) set(ports []serial.Port, fail error, how func(string, int) (io.ReadCloser, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ports, p.fail, p.how = ports, fail, how
}

func (p *plugged) list() ([]serial.Port, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ports, p.fail
}

func (p *plugged) open(name string, baud int) (io.ReadCloser, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.how == nil {
		return nil, p.fail
	}
	return p.how(name, baud)
}

// TestUnpluggedAndPluggedAgain pulls the scanner in the middle of a code.
func TestUnpluggedAndPluggedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var there plugged
		w, open := line()
		there.set(nil, nil, open)
		changes := 0
		r, d := start(t, serial.Config{Port: serial.Auto, Open: there.open, List: there.list, Changed: func() { changes++ }})
		expect := func(ready bool, fault, device string) {
			t.Helper()
			synctest.Wait()
			if h := r.Health(); h.Ready != ready || h.Fault != fault || h.Device != device || !h.Used || !h.Automatic {
				t.Errorf("%+v", h)
			}
		}
		expect(false, scanner.NoDevice, "")
		there.set([]serial.Port{{Name: "/dev/ttyACM0", VID: "065A", PID: "A002"}}, nil, open)
		time.Sleep(device.DefaultRetry)
		expect(true, "", "/dev/ttyACM0")
		before := r.Health().Since
		if _, err := io.WriteString(w, "first\rhalf a co"); err != nil {
			t.Fatal(err)
		}
		there.set(nil, nil, nil)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		expect(false, scanner.NoDevice, "/dev/ttyACM0")
		time.Sleep(device.DefaultRetry)
		expect(false, scanner.NoDevice, "")
		there.set(nil, errors.New("no list"), nil)
		time.Sleep(device.DefaultRetry)
		expect(false, scanner.Failed, "")
		w, open = line()
		there.set([]serial.Port{{Name: "/dev/ttyACM1", VID: "065A", PID: "A002"}}, nil, open)
		time.Sleep(device.DefaultRetry)
		expect(true, "", "/dev/ttyACM1")
		if _, err := io.WriteString(w, "second\r"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		scans := d.taken()
		if len(scans) != 2 || string(scans[0].Bytes) != "first" || string(scans[1].Bytes) != "second" {
			t.Errorf("%d scans", len(scans))
		}
		if h := r.Health(); !h.Since.After(before) || h.LastScan.IsZero() || changes != 6 {
			t.Errorf("%+v, %d changes", h, changes)
		}
	})
}

func TestPortsThatDoNotOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var there plugged
		there.set(nil, fs.ErrNotExist, nil)
		r, _ := start(t, serial.Config{Port: "/dev/ttyACM0", Open: there.open})
		for _, c := range []struct {
			err   error
			fault string
		}{
			{&fs.PathError{Op: "open", Err: fs.ErrNotExist}, scanner.NoDevice}, {fs.ErrPermission, scanner.NoPermission}, {errors.New("x"), scanner.Failed},
		} {
			there.set(nil, c.err, nil)
			time.Sleep(device.DefaultRetry)
			synctest.Wait()
			if h := r.Health(); h.Fault != c.fault || h.Ready || h.Automatic {
				t.Errorf("%v: %+v", c.err, h)
			}
		}
	})
}

func TestWithoutAPortNothingIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := start(t, serial.Config{List: func() ([]serial.Port, error) { t.Error("asked"); return nil, nil }})
		if r.Health() != (scanner.Health{}) {
			t.Errorf("%+v", r.Health())
		}
	})
}

func TestChoose(t *testing.T) {
	opticon, denso := serial.Port{Name: "a", VID: "065a"}, serial.Port{Name: "b", VID: "076D"}
	named, modem := serial.Port{Name: "c", VID: "1A86", Product: "USB Barcode Scanner"}, serial.Port{Name: "d", VID: "2C7C", Product: "LTE Modem"}
	for _, c := range []struct {
		ports       []serial.Port
		name, fault string
	}{
		{nil, "", scanner.NoDevice},
		{[]serial.Port{opticon}, "a", ""},
		{[]serial.Port{modem, named}, "c", ""},
		{[]serial.Port{modem}, "d", scanner.UnknownPort},
		{[]serial.Port{opticon, denso, modem}, "a b", scanner.SeveralPorts},
	} {
		if name, fault := serial.Choose(c.ports); name != c.name || fault != c.fault {
			t.Errorf("%v: %q %q", c.ports, name, fault)
		}
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte("shc:/56\r\n\x00\r\nab\n"), 3)
	f.Add(bytes.Repeat([]byte{0xff, '\n'}, 100), 7)
	f.Fuzz(func(t *testing.T, sent []byte, cut int) {
		scans := serial.Frames(sent, max(1, cut))
		kept := 0
		for _, s := range scans {
			kept += len(s.Bytes)
			if len(s.Bytes) > scanner.MaxScanBytes || (len(s.Bytes) == 0 && len(s.Faults) == 0) {
				t.Errorf("%d bytes %v", len(s.Bytes), s.Faults)
			}
		}
		whole := serial.Frames(sent, len(sent)+1)
		if kept > len(sent) || len(scans) != len(whole) {
			t.Errorf("%d bytes of %d; %d scans in pieces, %d in one", kept, len(sent), len(scans), len(whole))
		}
	})
}
