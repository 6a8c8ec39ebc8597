package wedge

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// BurstJSON holds the constants of the rule for the desk's page, which follows the same one:
//
// A key belongs to a burst when it comes less than within_ms behind the one before; a slower
// one begins a new burst, and so does the first. Repeats of a held key and keys with Ctrl,
// Alt or Meta end a burst. From its from-th character on a burst is a scanner's: its keys go
// nowhere else, be they shortcuts or not, and the field that took the first ones is put back
// as it was before them. One of ends within end_within_ms closes it: it is then a scan,
// wherever the focus was; without one it is a scan after silence_ms when it has at least
// alone characters, for scanners that end with nothing. A burst of more than most characters
// is swallowed whole and told as too long. What is shorter was typed by hand and stays where
// it went.
//
// While an input method is on, a key is named composing whatever it is, the end too. It
// counts as a character; the text is then what the input method wrote since the burst began,
// and Repair makes of it what was meant.
//
//go:embed burst.json
var BurstJSON []byte

// BurstRule are the constants of the rule.
type BurstRule struct {
	Within    Milliseconds `json:"within_ms"`
	EndWithin Milliseconds `json:"end_within_ms"`
	Silence   Milliseconds `json:"silence_ms"`
	From      int          `json:"from"`
	Alone     int          `json:"alone"`
	Most      int          `json:"most"`
	Ends      []string     `json:"ends"`
	Composing string       `json:"composing"`
}

// Milliseconds is a length of time as JavaScript counts it.
type Milliseconds int64

// Duration gives it as Go counts it.
func (m Milliseconds) Duration() time.Duration { return time.Duration(m) * time.Millisecond }

// Rule gives the constants of BurstJSON.
func Rule() (BurstRule, error) {
	var r BurstRule
	err := json.Unmarshal(BurstJSON, &r)
	return r, err
}

// Key is one press of a key, named as in the DOM's KeyboardEvent.key: a character, or a word
// such as Enter or F9.
type Key struct {
	Name    string        `json:"key"`
	At      time.Duration `json:"-"`
	Repeat  bool          `json:"repeat,omitempty"`
	Control bool          `json:"control,omitempty"` // with Ctrl, Alt or Meta
}

// Act is what becomes of a key.
type Act string

// The acts.
const (
	Leave   Act = "leave"    // a person's: it does what it always does
	Hold    Act = "hold"     // a scanner's: it does nothing else
	Scanned Act = "scan"     // it closes a scan
	Over    Act = "too_long" // it closes a burst that is no code
)

// Burst tells scanned keys from typed ones. It is the rule that BurstJSON tells, for tests of
// the page's own; it is not safe for concurrent use.
type Burst struct {
	Rule BurstRule

	text     []string
	count    int  // characters of the burst, kept or not
	composed bool // by an input method: the text is not in the keys
	last     time.Duration
	begun    bool
}

// Press takes the next key. The text of a scan is "" where an input method has it.
func (b *Burst) Press(k Key) (act Act, text string) {
	isEnd := slices.Contains(b.Rule.Ends, k.Name)
	limit := b.Rule.Within
	if isEnd {
		limit = b.Rule.EndWithin
	}
	if !b.begun || k.At-b.last >= limit.Duration() || k.Repeat || k.Control {
		b.reset()
	}
	if k.Repeat || k.Control {
		return Leave, ""
	}
	b.begun, b.last = true, k.At
	switch {
	case isEnd:
		return b.close(b.Rule.From)
	case k.Name == b.Rule.Composing:
		b.composed = true
	case utf8.RuneCountInString(k.Name) != 1:
		return b.other()
	}
	if b.count++; b.count <= b.Rule.Most {
		b.text = append(b.text, k.Name)
	}
	if b.count >= b.Rule.From {
		return Hold, ""
	}
	return Leave, ""
}

// other takes a key that is no character: within a scan it does nothing.
func (b *Burst) other() (Act, string) {
	if b.count >= b.Rule.From {
		return Hold, ""
	}
	b.reset()
	return Leave, ""
}

// Silent is told that no key came for Rule.Silence.
func (b *Burst) Silent() (act Act, text string) { return b.close(b.Rule.Alone) }

func (b *Burst) close(least int) (act Act, text string) {
	act, text = Leave, ""
	switch {
	case b.count > b.Rule.Most:
		act = Over
	case b.count >= least && b.composed:
		act = Scanned
	case b.count >= least:
		act, text = Scanned, strings.Join(b.text, "")
	}
	b.reset()
	return act, text
}

func (b *Burst) reset() { b.text, b.count, b.composed, b.begun = nil, 0, false, false }
