package cborpull

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
)

// appendHead writes the shortest head (RFC 8949 section 4.2.1).
func appendHead(dst []byte, major byte, n uint64) []byte {
	major <<= 5
	switch {
	case n < infoByte:
		return append(dst, major|byte(n))
	case n <= math.MaxUint8:
		return append(dst, major|infoByte, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, major|(infoByte+1)), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, major|(infoByte+2)), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|infoEight), n)
}

// AppendInt writes an integer.
func AppendInt(dst []byte, n int64) []byte {
	if n < 0 {
		return appendHead(dst, majorNegative, uint64(-1-n))
	}
	return appendHead(dst, majorUnsigned, uint64(n))
}

// AppendBytes writes a byte string.
func AppendBytes[B []byte | string](dst []byte, b B) []byte {
	return append(appendHead(dst, majorBytes, uint64(len(b))), b...)
}

// AppendText writes a text, which the caller knows to be UTF-8.
func AppendText(dst []byte, s string) []byte {
	return append(appendHead(dst, majorText, uint64(len(s))), s...)
}

// AppendArray writes the head of an array of n items, which the caller appends.
func AppendArray(dst []byte, n int) []byte { return appendHead(dst, majorArray, uint64(n)) }

// AppendTag writes the head of a tag, whose content the caller appends.
func AppendTag(dst []byte, n uint64) []byte { return appendHead(dst, majorTag, n) }

// Builder collects the pairs of one map.
type Builder struct{ pairs [][2][]byte }

// Put adds a pair of two encoded items.
func (b *Builder) Put(key, value []byte) { b.pairs = append(b.pairs, [2][]byte{key, value}) }

// PutText adds a text under a text, unless it is empty.
func (b *Builder) PutText(key, value string) {
	if value != "" {
		b.Put(AppendText(nil, key), AppendText(nil, value))
	}
}

// PutInt adds an integer under a text.
func (b *Builder) PutInt(key string, value int64) {
	b.Put(AppendText(nil, key), AppendInt(nil, value))
}

// Append writes the map with its keys in the order of their bytes (RFC 8949 section 4.2.1).
func (b *Builder) Append(dst []byte) []byte {
	slices.SortFunc(b.pairs, func(x, y [2][]byte) int { return bytes.Compare(x[0], y[0]) })
	dst = appendHead(dst, majorMap, uint64(len(b.pairs)))
	for _, pair := range b.pairs {
		dst = append(append(dst, pair[0]...), pair[1]...)
	}
	return dst
}
