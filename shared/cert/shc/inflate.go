package shc

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"sync"
)

// inflater is what inflating one payload needs, kept between cards.
type inflater struct {
	in      bytes.Reader
	out     bytes.Buffer
	z       io.ReadCloser
	limited io.LimitedReader
}

var inflaters = sync.Pool{New: func() any {
	f := &inflater{}
	f.z = flate.NewReader(&f.in)
	return f
}}

var errInflate = errors.New("not raw DEFLATE data")

// inflate reads raw DEFLATE (RFC 1951) of at most limit bytes, with nothing after it.
func inflate(compressed []byte, limit int) (string, error) {
	f := inflaters.Get().(*inflater)
	defer inflaters.Put(f)
	f.in.Reset(compressed)
	f.out.Reset()
	if err := f.z.(flate.Resetter).Reset(&f.in, nil); err != nil {
		return "", errInflate
	}
	f.limited = io.LimitedReader{R: f.z, N: int64(limit) + 1}
	n, err := f.out.ReadFrom(&f.limited)
	switch {
	case err != nil:
		return "", errInflate
	case n > int64(limit):
		return "", fmt.Errorf("larger than %d bytes when inflated", limit)
	case f.in.Len() != 0:
		return "", errors.New("data after the compressed payload")
	}
	return f.out.String(), nil
}
