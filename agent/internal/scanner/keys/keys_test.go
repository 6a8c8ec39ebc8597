package keys_test

import (
	"testing"

	"madoguchi.example/agent/internal/scanner/keys"
)

func TestChar(t *testing.T) {
	for _, c := range []struct {
		code    uint16
		shift   bool
		us, jis rune
	}{
		{2, false, '1', '1'}, {3, true, '@', '"'}, {11, true, ')', 0}, {13, true, '+', '~'}, {16, true, 'Q', 'Q'}, {50, false, 'm', 'm'},
		{26, false, '[', '@'}, {39, true, ':', '+'}, {40, false, '\'', ':'}, {41, true, '~', 0}, {89, true, 0, '_'}, {124, false, 0, '\\'},
		{82, true, '0', '0'}, {57, false, ' ', ' '}, {keys.Enter, false, 0, 0}, {59, false, 0, 0}, {700, true, 0, 0},
	} {
		if us, jis := keys.US.Char(c.code, c.shift), keys.JIS.Char(c.code, c.shift); us != c.us || jis != c.jis {
			t.Errorf("key %d: %q %q", c.code, us, jis)
		}
	}
}

func TestMisreadNamesWhatIsLost(t *testing.T) {
	for _, c := range []struct {
		meant, seen keys.Layout
		lost        string
	}{{keys.US, keys.JIS, ")`~"}, {keys.JIS, keys.US, "\\_|"}} {
		out := keys.Misread(c.meant, c.seen)
		if len(out) != '~'-' '+1 {
			t.Errorf("%s: %d characters", c.meant, len(out))
		}
		lost := 0
		for _, seen := range out {
			if seen == 0 {
				lost++
			}
		}
		for _, r := range c.lost {
			if out[r] != 0 {
				t.Errorf("%s: %q is not lost", c.meant, r)
			}
		}
		if lost != len(c.lost) {
			t.Errorf("%s: %d are lost", c.meant, lost)
		}
	}
}

func TestPadDigit(t *testing.T) {
	if d, ok := keys.PadDigit(82); d != 0 || !ok {
		t.Error("0 is no digit")
	}
	for _, code := range []uint16{2, 55, 83, 98, 0} {
		if _, ok := keys.PadDigit(code); ok {
			t.Errorf("key %d is a digit of the pad", code)
		}
	}
}
