package scanner_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"golang.org/x/text/encoding/japanese"

	"madoguchi.example/agent/internal/scanner"
)

func TestTextOfAScan(t *testing.T) {
	sjis, err := japanese.ShiftJIS.NewEncoder().Bytes([]byte("髙橋　ﾊﾅｺ"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		bytes []byte
		text  string
		ok    bool
	}{
		"UTF-8":     {[]byte("髙橋"), "髙橋", true},
		"Shift_JIS": {sjis, "髙橋　ﾊﾅｺ", true},
		"ASCII":     {[]byte("a\tb\r\nc"), "a\tb\r\nc", true},
		"GS1":       {[]byte("01\x1d17"), "01\x1d17", true},
		"DER":       {[]byte{0x30, 0x82, 0x01, 0x0a, 0xfd}, "", false},
		"Escape":    {[]byte("a\x1b[A"), "", false},
		"NUL":       {[]byte{0}, "", false},
		"empty":     {nil, "", true},
	} {
		s := scanner.New(c.bytes, scanner.FromSerial)
		text, ok := s.Text()
		if ok != c.ok || (ok && text != c.text) || (len(s.Faults) == 0) != c.ok || !bytes.Equal(s.Bytes, c.bytes) {
			t.Errorf("%s: %q %v %v", name, text, ok, s.Faults)
		}
	}
}

func TestAScanIsNotLogged(t *testing.T) {
	var out strings.Builder
	s := scanner.New([]byte("shc:/5676"), scanner.FromSerial)
	slog.New(slog.NewTextHandler(&out, nil)).Info("scan", "scan", s, "pointer", &s)
	if strings.Contains(out.String(), "5676") || !strings.Contains(out.String(), "scan.bytes=9") {
		t.Error(out.String())
	}
}

func TestNamesOfScanners(t *testing.T) {
	for name, want := range map[string]bool{
		"Opticon L-46X": true, "USB Barcode Scanner": true, "usb-0c2e_Honeywell_1950-event-kbd": true, "QR Reader": true,
		"Logitech Keyboard K120": false, "LTE Modem": false, "": false,
	} {
		if scanner.Named(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}
