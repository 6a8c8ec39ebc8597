package backup

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"

	"madoguchi.example/shared/fault"
)

var (
	errForm    = fault.New(fault.InvalidArgument, "the file is no backup, or it was changed")
	errCut     = fault.New(fault.InvalidArgument, "the file was cut: it ends before its manifest")
	errNewer   = fault.New(fault.InvalidArgument, "the backup was made by a newer program: restore it with that one")
	errSum     = fault.New(fault.InvalidArgument, "the file was changed: its sums do not agree with its rows")
	errTooMuch = fault.New(fault.TooLarge, "a part of the file is larger than a backup's may be")
)

// Read reads a whole file from r, whose seal is open, into sink, and gives its manifest.
// begin is told the head before any table. Whatever sink took counts only when Read answers
// no error: the sink undoes it otherwise.
func Read(ctx context.Context, r io.Reader, begin func(Head) error, sink Sink) (Manifest, error) {
	m, err := read(ctx, r, begin, sink)
	if err != nil {
		return Manifest{}, fmt.Errorf("cannot read the backup: %w", err)
	}
	return m, nil
}

func read(ctx context.Context, r io.Reader, begin func(Head) error, sink Sink) (Manifest, error) {
	start := make([]byte, len(magic))
	if _, err := io.ReadFull(r, start); err != nil || string(start) != magic {
		return Manifest{}, errForm
	}
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(window), zstd.WithDecoderLowmem(true))
	if err != nil {
		return Manifest{}, err
	}
	defer z.Close()
	x := &reader{in: bufio.NewReaderSize(z, 64<<10), sink: sink, begin: begin}
	for !x.done {
		if err := x.step(ctx); err != nil {
			return Manifest{}, err
		}
	}
	if _, err := x.in.ReadByte(); !errors.Is(err, io.EOF) {
		return Manifest{}, errForm
	}
	return x.manifest, nil
}

// Check reads a whole file and keeps nothing: it proves that every row can be read and that
// all sums agree.
func Check(ctx context.Context, r io.Reader) (Manifest, error) {
	return Read(ctx, r, func(Head) error { return nil }, nowhere{})
}

type nowhere struct{}

// Begin implements Sink.
func (nowhere) Begin(context.Context, Table) error { return nil }

// Insert implements Sink.
func (nowhere) Insert(context.Context, Table, [][]any) error { return nil }

// reader is where a reading is.
type reader struct {
	in       *bufio.Reader
	begin    func(Head) error
	sink     Sink
	buf      []byte
	head     *Head
	open     *Table
	sum      hash.Hash
	rows     int64
	found    []Sum
	done     bool
	manifest Manifest
}

// step reads one frame.
func (x *reader) step(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	kind, payload, err := x.frame()
	if err != nil {
		return err
	}
	switch {
	case x.head == nil && kind == frameHead:
		return x.first(payload)
	case x.head == nil:
		return errForm
	case kind == frameTable && x.open == nil:
		return x.table(ctx, payload)
	case kind == frameRow && x.open != nil:
		return x.row(ctx, payload)
	case kind == frameEnd && x.open != nil:
		return x.end(payload)
	case kind == frameManifest && x.open == nil:
		return x.last(payload)
	}
	return errForm
}

// frame reads a frame; its payload is valid until the next one.
func (x *reader) frame() (byte, []byte, error) {
	kind, err := x.in.ReadByte()
	if err != nil {
		return 0, nil, cut(err)
	}
	n, err := binary.ReadUvarint(x.in)
	if err != nil {
		return 0, nil, cut(err)
	}
	if n > MaxFrame {
		return 0, nil, errTooMuch
	}
	x.buf = slices.Grow(x.buf[:0], int(min(n, 1<<20)))
	for left := int(n); left > 0; { // grows with what is there, not with what is claimed
		part := min(left, 1<<20)
		at := len(x.buf)
		x.buf = slices.Grow(x.buf, part)[:at+part]
		if _, err := io.ReadFull(x.in, x.buf[at:]); err != nil {
			return 0, nil, cut(err)
		}
		left -= part
	}
	return kind, x.buf, nil
}

// cut names an end that came too early, and damage that the unpacking found.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errCut
	}
	return fault.Wrap(fault.InvalidArgument, err, "the file was changed, or cannot be read")
}

func (x *reader) first(payload []byte) error {
	var h Head
	if json.Unmarshal(payload, &h) != nil {
		return errForm
	}
	if h.Format > Format {
		return errNewer
	}
	if h.Format < 1 || h.Epoch == "" || len(h.Schema) == 0 {
		return errForm
	}
	x.head = &h
	return x.begin(h)
}

func (x *reader) table(ctx context.Context, payload []byte) error {
	var t Table
	if json.Unmarshal(payload, &t) != nil || t.Name == "" || len(t.Columns) == 0 || !Holds(t.Name) {
		return errForm
	}
	if len(t.Columns) > maxColumns || len(x.found) >= maxTables {
		return errTooMuch
	}
	if slices.ContainsFunc(x.found, func(s Sum) bool { return s.Table == t.Name }) {
		return errForm
	}
	x.open, x.sum, x.rows = &t, sha256.New(), 0
	x.sum.Write(payload)
	return x.sink.Begin(ctx, t)
}

// row takes a frame of rows.
func (x *reader) row(ctx context.Context, payload []byte) error {
	x.sum.Write(payload)
	rows, err := decodeRows(payload, len(x.open.Columns))
	if err != nil {
		return err
	}
	x.rows += int64(len(rows))
	return x.sink.Insert(ctx, *x.open, rows)
}

func decodeRows(payload []byte, columns int) ([][]any, error) {
	var rows [][]any
	for len(payload) > 0 {
		row := make([]any, columns)
		for i := range row {
			var err error
			if row[i], payload, err = decodeValue(payload); err != nil {
				return nil, err
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func decodeValue(raw []byte) (any, []byte, error) {
	if len(raw) == 0 {
		return nil, nil, errForm
	}
	tag, raw := raw[0], raw[1:]
	switch tag {
	case tagNull:
		return nil, raw, nil
	case tagInt:
		v, n := binary.Varint(raw)
		if n <= 0 {
			return nil, nil, errForm
		}
		return v, raw[n:], nil
	case tagText, tagBytes:
		size, n := binary.Uvarint(raw)
		if n <= 0 || size > uint64(len(raw)-n) {
			return nil, nil, errForm
		}
		v, rest := raw[n:n+int(size)], raw[n+int(size):]
		if tag == tagBytes {
			return slices.Clone(v), rest, nil
		}
		if !utf8.Valid(v) {
			return nil, nil, errForm
		}
		return string(v), rest, nil
	}
	return nil, nil, errForm
}

func (x *reader) end(payload []byte) error {
	var said Sum
	if json.Unmarshal(payload, &said) != nil {
		return errForm
	}
	got := Sum{Table: x.open.Name, Rows: x.rows}
	x.sum.Sum(got.SHA256[:0])
	if said != got {
		return errSum
	}
	x.found, x.open = append(x.found, got), nil
	return nil
}

func (x *reader) last(payload []byte) error {
	var m Manifest
	if json.Unmarshal(payload, &m) != nil {
		return errForm
	}
	var rows int64
	for _, s := range x.found {
		rows += s.Rows
	}
	if !slices.Equal(m.Tables, x.found) || m.Rows != rows || m.Epoch != x.head.Epoch || !slices.Equal(m.Schema, x.head.Schema) {
		return errSum
	}
	x.manifest, x.done = m, true
	return nil
}
