package card

import (
	"errors"
	"fmt"
)

// Limits of BER-TLV data.
const (
	maxTagBytes    = 3
	maxLengthBytes = 2 // beside the first: up to 65535 bytes
	MaxElements    = 64
)

// errShort says that a length reaches behind the data.
var errShort = errors.New("a length reaches behind the data")

// Element is one data object of BER-TLV, its tag with all its bytes, so 0xFF20 or 0xDF22.
type Element struct {
	Tag   uint32
	Value []byte
}

// HeaderOf reads the tag and length that data begins with and gives how many bytes these
// take and how many the value takes. The value need not be there.
func HeaderOf(data []byte) (tag uint32, header, value int, err error) {
	if tag, header, err = tagOf(data); err != nil {
		return 0, 0, 0, err
	}
	n, size, err := lengthOf(data[header:])
	return tag, header + n, size, err
}

// tagOf reads a tag (ISO 7816-4 section 5.2.2.1).
func tagOf(data []byte) (tag uint32, n int, err error) {
	if len(data) == 0 {
		return 0, 0, errShort
	}
	tag, n = uint32(data[0]), 1
	if data[0]&0x1F != 0x1F {
		return tag, n, nil
	}
	for {
		switch {
		case n == len(data):
			return 0, 0, errShort
		case n == maxTagBytes:
			return 0, 0, fmt.Errorf("a tag of more than %d bytes", maxTagBytes)
		}
		b := data[n]
		if n == 1 && b&0x7F == 0 {
			return 0, 0, errors.New("a tag that begins with zero")
		}
		tag = tag<<8 | uint32(b)
		n++
		if b&0x80 == 0 {
			return tag, n, nil
		}
	}
}

// lengthOf reads a definite length. Cards write it with more bytes than it needs, which is
// allowed in BER.
func lengthOf(data []byte) (n, size int, err error) {
	if len(data) == 0 {
		return 0, 0, errShort
	}
	first := data[0]
	if first < 0x80 {
		return 1, int(first), nil
	}
	count := int(first & 0x7F)
	switch {
	case count == 0:
		return 0, 0, errors.New("a length that is not told")
	case count > maxLengthBytes:
		return 0, 0, fmt.Errorf("a length of more than %d bytes", maxLengthBytes)
	case len(data) < 1+count:
		return 0, 0, errShort
	}
	for _, b := range data[1 : 1+count] {
		size = size<<8 | int(b)
	}
	return 1 + count, size, nil
}

// Elements takes data apart into the objects that stand one behind the other, which must be
// all of it: at most MaxElements, no tag twice. Values are parts of data, not copies, and
// are not looked into.
func Elements(data []byte) ([]Element, error) {
	var out []Element
	seen := map[uint32]bool{}
	for len(data) > 0 {
		tag, header, size, err := HeaderOf(data)
		switch {
		case err != nil:
			return nil, err
		case size > len(data)-header:
			return nil, errShort
		case seen[tag]:
			return nil, fmt.Errorf("the tag %X stands twice", tag)
		case len(out) == MaxElements:
			return nil, fmt.Errorf("more than %d objects", MaxElements)
		}
		seen[tag] = true
		end := header + size
		out = append(out, Element{Tag: tag, Value: data[header:end:end]})
		data = data[end:]
	}
	return out, nil
}
