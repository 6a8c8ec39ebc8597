package scanner

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/transform"
)

// MaxScanBytes bounds one scan: the largest code there is holds 7,089 digits. What is
// longer is no code, and none of it is kept.
const MaxScanBytes = 8 << 10

// Where a scan came from.
const (
	FromSerial = "serial" // a scanner in USB-COM mode
	FromWedge  = "wedge"  // a scanner that acts as a keyboard, heard by the desk's page
	FromEvdev  = "evdev"  // the same, heard by the agent alone
	FromScreen = "screen" // typed or pasted by a person
)

// What was mended in a scan, and what is wrong with it.
const (
	RepairUSLayout  = "us_layout"     // US key codes had been read as those of a Japanese keyboard
	RepairJISLayout = "jis_layout"    // the other way round
	RepairFullwidth = "ime_fullwidth" // an input method had widened the characters
	RepairKana      = "ime_kana"      // an input method had read the keys as kana
	RepairCapsLock  = "caps_lock"     // capitals and small letters were exchanged

	FaultLayout     = "layout_unrepairable" // an input method or layout changed it, and it has no one reading
	FaultTooLong    = "too_long"            // over MaxScanBytes; nothing of it is kept
	FaultBinary     = "binary"              // neither UTF-8 nor Shift_JIS text
	FaultIncomplete = "incomplete"          // the machine lost keys on the way
)

// Scan is one code as a scanner delivered it. Its bytes are whatever somebody printed: they
// are handed on as they are and mean nothing to a program until a verifier has read them.
type Scan struct {
	Bytes   []byte
	From    string
	Repairs []string
	Faults  []string
}

// LogValue keeps what was scanned out of logs: it names people.
func (s Scan) LogValue() slog.Value {
	return slog.GroupValue(slog.String("from", s.From), slog.Int("bytes", len(s.Bytes)), slog.Any("repairs", s.Repairs), slog.Any("faults", s.Faults))
}

// Text gives the scan as text: UTF-8, or else Shift_JIS, as older Japanese printers write.
// It is false where the bytes are neither.
func (s Scan) Text() (string, bool) { return text(s.Bytes) }

func text(b []byte) (string, bool) {
	if utf8.Valid(b) {
		return string(b), plain(b)
	}
	out, _, err := transform.Bytes(japanese.ShiftJIS.NewDecoder(), b)
	if err != nil || bytes.ContainsRune(out, utf8.RuneError) {
		return "", false
	}
	return string(out), plain(out)
}

// plain tells whether only those controls occur that texts in codes have: tab, line ends,
// and the separators of GS1 and of driving licences.
func plain(b []byte) bool {
	return !bytes.ContainsFunc(b, func(r rune) bool {
		switch r {
		case '\t', '\n', '\r', 0x1c, 0x1d, 0x1e, 0x1f, 0x04:
			return false
		}
		return r < ' ' || (r >= 0x7f && r < 0xa0)
	})
}

// New makes a scan of a frame's bytes, which it keeps, and names a binary one.
func New(frame []byte, from string) Scan {
	s := Scan{Bytes: frame, From: from}
	if _, ok := text(frame); !ok {
		s.Faults = append(s.Faults, FaultBinary)
	}
	return s
}

// TooLong is what is told of a code over MaxScanBytes.
func TooLong(from string) Scan { return Scan{From: from, Faults: []string{FaultTooLong}} }

// Source is a device that delivers scans.
type Source interface {
	// Run hands each scan on, in order, until ctx ends; it then gives ctx's error. A device
	// that is not there, or goes away, is waited for: Health tells.
	Run(ctx context.Context, take func(Scan)) error
	Health() Health
}

// The faults of a device. "" is none.
const (
	NoDevice     = "no_device"     // it is not plugged in, or is set to another mode
	UnknownPort  = "unknown_port"  // a port is there, but nothing says that it is a scanner's
	SeveralPorts = "several_ports" // more than one may be the scanner
	NoPermission = "no_permission" // the agent's user may not open it
	Busy         = "busy"          // another program holds it
	NoScanner    = "not_a_scanner" // the configured device is none of that kind
	Failed       = "failed"        // anything else; the log tells
)

// words are what scanners call themselves by, makers first.
var words = []string{
	"opticon", "honeywell", "metrologic", "symbol", "zebra", "datalogic", "denso", "newland",
	"scan", "barcode", "bar code", "bar_code", "code reader", "code_reader", "2d reader", "2d_reader", "qr",
}

// Named tells whether a device's own name says that it is a scanner.
func Named(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(name, word) })
}

// Health is how a device is.
type Health struct {
	Used      bool      // it is configured
	Automatic bool      // it is looked for; none is no fault, since a scanner may also act as a keyboard
	Ready     bool      // it is open and listened to
	Fault     string    // why it is not
	Device    string    // which one, or which ones are in question
	Since     time.Time // when Ready or Fault last changed
	LastScan  time.Time // zero: none since the start
}
