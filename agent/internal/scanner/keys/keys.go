// Package keys promises what each key of a keyboard means on the two layouts that scanners
// and Japanese machines count by: US (ANSI) and JIS (OADG 109). Keys have the numbers of
// Linux's input events. It judges nothing.
package keys

// Layout says which characters stand on the keys.
type Layout string

// The layouts.
const (
	US  Layout = "us"
	JIS Layout = "jis"
)

// Keys with a meaning other than a character.
const (
	Backspace  = 14
	Tab        = 15
	Enter      = 28
	LeftCtrl   = 29
	LeftShift  = 42
	RightShift = 54
	LeftAlt    = 56
	CapsLock   = 58
	PadEnter   = 96
	RightCtrl  = 97
	RightAlt   = 100
)

// key holds what a key writes without and with shift on each layout; 0 is nothing.
type key struct{ us, usShift, jis, jisShift rune }

// signs are the keys that are neither letters nor of the number pad. On a JIS keyboard the
// key left of 1 turns the input method on and off, and shift with 0 writes nothing.
var signs = map[uint16]key{
	2: {'1', '!', '1', '!'}, 3: {'2', '@', '2', '"'}, 4: {'3', '#', '3', '#'}, 5: {'4', '$', '4', '$'},
	6: {'5', '%', '5', '%'}, 7: {'6', '^', '6', '&'}, 8: {'7', '&', '7', '\''}, 9: {'8', '*', '8', '('},
	10: {'9', '(', '9', ')'}, 11: {'0', ')', '0', 0}, 12: {'-', '_', '-', '='}, 13: {'=', '+', '^', '~'},
	26: {'[', '{', '@', '`'}, 27: {']', '}', '[', '{'}, 39: {';', ':', ';', '+'}, 40: {'\'', '"', ':', '*'},
	41: {'`', '~', 0, 0}, 43: {'\\', '|', ']', '}'},
	51: {',', '<', ',', '<'}, 52: {'.', '>', '.', '>'}, 53: {'/', '?', '/', '?'}, 57: {' ', ' ', ' ', ' '},
	89: {0, 0, '\\', '_'}, 124: {0, 0, '\\', '|'},
}

// rows are the letters from their first key on.
var rows = map[uint16]string{16: "qwertyuiop", 30: "asdfghjkl", 44: "zxcvbnm"}

// pad is the number pad, which is the same on both, with and without shift.
var pad = map[uint16]rune{
	55: '*', 71: '7', 72: '8', 73: '9', 74: '-', 75: '4', 76: '5', 77: '6', 78: '+',
	79: '1', 80: '2', 81: '3', 82: '0', 83: '.', 98: '/', 117: '=',
}

// field are the keys that are not of the number pad.
var field = func() map[uint16]key {
	out := map[uint16]key{}
	for code, k := range signs {
		out[code] = k
	}
	for first, letters := range rows {
		for i, r := range letters {
			capital := r - 'a' + 'A'
			out[first+uint16(i)] = key{r, capital, r, capital}
		}
	}
	return out
}()

// Char gives what a key writes, 0 for nothing.
func (l Layout) Char(code uint16, shift bool) rune {
	if r, ok := pad[code]; ok {
		return r
	}
	k := field[code]
	switch {
	case l == JIS && shift:
		return k.jisShift
	case l == JIS:
		return k.jis
	case shift:
		return k.usShift
	}
	return k.us
}

// PadDigit gives the digit of a key of the number pad.
func PadDigit(code uint16) (digit int, ok bool) {
	r := pad[code]
	return int(r - '0'), r >= '0' && r <= '9'
}

// Misread gives, for each character that keys of the layout meant write, what the same keys
// write on the layout seen; 0 where they write nothing there.
func Misread(meant, seen Layout) map[rune]rune {
	out := map[rune]rune{}
	for code := range field {
		for _, shift := range []bool{false, true} {
			if c := meant.Char(code, shift); c != 0 && out[c] == 0 {
				out[c] = seen.Char(code, shift)
			}
		}
	}
	return out
}
