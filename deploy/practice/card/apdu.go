package card

// Status words (ISO/IEC 7816-4, 5.6) that this card gives.
const (
	swDone         uint16 = 0x9000
	swEndOfFile    uint16 = 0x6282
	swWrongPIN     uint16 = 0x63C0 // with the tries left in its last digit
	swWrongLength  uint16 = 0x6700
	swIncompatible uint16 = 0x6981 // the command does not fit the kind of file
	swNoPIN        uint16 = 0x6982
	swBlocked      uint16 = 0x6984
	swNoFile       uint16 = 0x6986 // no file is selected
	swBadData      uint16 = 0x6A80
	swNotFound     uint16 = 0x6A82
	swBadP1P2      uint16 = 0x6A86
	swNoReference  uint16 = 0x6A88 // what is selected is no PIN, or no key
	swOutside      uint16 = 0x6B00 // the offset lies behind the end
	swUnknownINS   uint16 = 0x6D00
	swUnknownCLA   uint16 = 0x6E00
)

// The commands, with their class.
const (
	insSelect uint16 = 0x00A4
	insVerify uint16 = 0x0020
	insRead   uint16 = 0x00B0
	insSign   uint16 = 0x802A
)

// maxLe is what a length byte of zero asks for.
const maxLe = 256

// command is one short command. le is -1 where no answer is asked for.
type command struct {
	ins    uint16 // class and instruction
	p1, p2 byte
	data   []byte
	le     int
}

// parse reads a short command of any of the four cases. Extended lengths are refused.
func parse(apdu []byte) (command, uint16) {
	if len(apdu) < 4 {
		return command{}, swWrongLength
	}
	c := command{ins: uint16(apdu[0])<<8 | uint16(apdu[1]), p1: apdu[2], p2: apdu[3], le: -1}
	rest := apdu[4:]
	switch {
	case len(rest) == 0:
		return c, swDone
	case len(rest) == 1:
		c.le = expected(rest[0])
		return c, swDone
	}
	lc := int(rest[0])
	if lc == 0 || len(rest) < 1+lc || len(rest) > 2+lc {
		return c, swWrongLength
	}
	c.data = rest[1 : 1+lc]
	if len(rest) == 2+lc {
		c.le = expected(rest[1+lc])
	}
	return c, swDone
}

func expected(b byte) int {
	if b == 0 {
		return maxLe
	}
	return int(b)
}

func answer(data []byte, sw uint16) []byte {
	out := make([]byte, 0, len(data)+2)
	out = append(out, data...)
	return append(out, byte(sw>>8), byte(sw))
}
