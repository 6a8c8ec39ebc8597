package shc

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"madoguchi.example/shared/fault"
)

const (
	prefix    = "shc:/"
	digitBase = '-' // a pair of digits is a character's code less this
	maxPair   = 77  // 'z' - '-'
)

// Part is the text of one QR code of a card. A whole card is part 1 of 1.
type Part struct {
	Index  int // from 1
	Total  int
	Digits string
}

// QRText gives the text for one QR code: "shc:/" and two digits a character. It refuses a
// JWS that is too long for version 22.
func QRText(jws string) (string, error) {
	if len(jws) > MaxSingleQR {
		return "", fault.At(fault.TooLarge, "certificate", "does not fit one QR code: %d characters, at most %d", len(jws), MaxSingleQR)
	}
	out := make([]byte, len(prefix), len(prefix)+2*len(jws))
	copy(out, prefix)
	for _, c := range []byte(jws) {
		if c < digitBase || c > digitBase+maxPair {
			return "", fault.New(fault.InvalidArgument, "not a JWS: it cannot be written in digits")
		}
		n := c - digitBase
		out = append(out, '0'+n/10, '0'+n%10)
	}
	return string(out), nil
}

// ParsePart reads the text of one QR code without decoding its digits: "shc:/DIGITS" or
// "shc:/INDEX/TOTAL/DIGITS".
func ParsePart(text string) (Part, error) {
	if len(text) > MaxPart {
		return Part{}, fmt.Errorf("cannot read the QR text: longer than %d characters", MaxPart)
	}
	rest, ok := strings.CutPrefix(text, prefix)
	if !ok {
		return Part{}, errors.New("cannot read the QR text: it does not begin with shc:/")
	}
	p := Part{Index: 1, Total: 1, Digits: rest}
	if index, behind, split := strings.Cut(rest, "/"); split {
		total, digits, _ := strings.Cut(behind, "/")
		i, err1 := strconv.ParseUint(index, 10, 8)
		n, err2 := strconv.ParseUint(total, 10, 8)
		if err1 != nil || err2 != nil || i < 1 || i > n || n > MaxParts {
			return Part{}, errors.New("cannot read the QR text: its part number is out of range")
		}
		p = Part{Index: int(i), Total: int(n), Digits: digits}
	}
	if p.Digits == "" || len(p.Digits)%2 != 0 {
		return Part{}, errors.New("cannot read the QR text: an odd count of digits")
	}
	return p, nil
}

// decodeQR reads QR texts, one a line in any order, as one JWS.
func decodeQR(input []byte) (compact []byte, parts int, err error) {
	input = bytes.TrimSpace(input)
	if bytes.IndexByte(input, '\n') >= 0 {
		return decodeLines(input)
	}
	digits, usual := bytes.CutPrefix(input, []byte(prefix))
	if !usual || len(input) > MaxPart || len(digits) == 0 || len(digits)%2 != 0 || bytes.IndexByte(digits, '/') >= 0 {
		return decodeLines(input) // a part, or a fault, which is told there
	}
	compact, err = appendDigits(make([]byte, 0, len(digits)/2), digits)
	return compact, 1, err
}

// decodeLines reads one or several.
func decodeLines(input []byte) (compact []byte, parts int, err error) {
	lines := splitLines(string(input))
	if len(lines) > MaxParts {
		return nil, 0, fmt.Errorf("cannot read the QR text: not 1 to %d lines", MaxParts)
	}
	ordered := make([]string, len(lines))
	size := 0
	for _, line := range lines {
		part, err := ParsePart(line)
		switch {
		case err != nil:
			return nil, 0, err
		case part.Total != len(lines):
			return nil, 0, fmt.Errorf("cannot join the split code: %d of %d parts", len(lines), part.Total)
		case ordered[part.Index-1] != "":
			return nil, 0, errors.New("cannot join the split code: a part stands twice")
		}
		ordered[part.Index-1] = part.Digits
		size += len(part.Digits) / 2
	}
	if size > MaxJWS {
		return nil, 0, fmt.Errorf("cannot read the QR text: longer than %d characters", MaxJWS)
	}
	compact = make([]byte, 0, size)
	for _, digits := range ordered {
		if compact, err = appendDigits(compact, digits); err != nil {
			return nil, 0, err
		}
	}
	return compact, len(lines), nil
}

// splitLines gives the lines that are not blank, without the blanks around them.
func splitLines(text string) []string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func appendDigits[T []byte | string](out []byte, digits T) ([]byte, error) {
	for i := 0; i < len(digits); i += 2 {
		high, low := digits[i]-'0', digits[i+1]-'0'
		if high > 9 || low > 9 || high*10+low > maxPair {
			return nil, errors.New("cannot read the QR text: a pair that is no character")
		}
		out = append(out, digitBase+high*10+low)
	}
	return out, nil
}
