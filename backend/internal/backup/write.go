package backup

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"
)

// magic begins what is inside the seal.
const magic = "madoguchi-backup/1\n"

// The kinds of frames.
const (
	frameHead     = 'H'
	frameTable    = 'T'
	frameRow      = 'R'
	frameEnd      = 'E'
	frameManifest = 'M'
)

// The tags of values.
const (
	tagNull = iota
	tagInt
	tagText
	tagBytes
)

// Write streams all of src to w and gives what it wrote. w is not closed.
func Write(ctx context.Context, w io.Writer, head Head, src Source) (Manifest, error) {
	head.Format = Format
	m := Manifest{Head: head}
	if _, err := io.WriteString(w, magic); err != nil {
		return m, fmt.Errorf("cannot write the backup: %w", err)
	}
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window))
	if err != nil {
		return m, fmt.Errorf("cannot write the backup: %w", err)
	}
	x := &writer{out: bufio.NewWriter(z)}
	err = x.all(ctx, &m, src)
	if err == nil {
		err = x.out.Flush()
	}
	if failed := z.Close(); err == nil {
		err = failed
	}
	if err != nil {
		return m, fmt.Errorf("cannot write the backup: %w", err)
	}
	return m, nil
}

// window bounds what compressing and unpacking keep.
const window = 4 << 20

type writer struct {
	out *bufio.Writer
	sum hash.Hash // of the open table
	buf []byte    // rows that wait for their frame
}

func (x *writer) all(ctx context.Context, m *Manifest, src Source) error {
	if err := x.json(frameHead, m.Head); err != nil {
		return err
	}
	tables, err := src.Tables(ctx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if !Holds(t.Name) {
			continue
		}
		sum, err := x.table(ctx, t, src)
		if err != nil {
			return fmt.Errorf("table %s: %w", t.Name, err)
		}
		m.Tables = append(m.Tables, sum)
		m.Rows += sum.Rows
	}
	return x.json(frameManifest, m)
}

func (x *writer) table(ctx context.Context, t Table, src Source) (Sum, error) {
	x.sum, x.buf = sha256.New(), x.buf[:0]
	sum := Sum{Table: t.Name}
	if err := x.json(frameTable, t); err != nil {
		return sum, err
	}
	err := src.Each(ctx, t, func(row []any) error {
		sum.Rows++
		return x.row(t, row)
	})
	if err == nil {
		err = x.flush()
	}
	if err != nil {
		return sum, err
	}
	x.sum.Sum(sum.SHA256[:0])
	return sum, x.json(frameEnd, sum)
}

func (x *writer) row(t Table, row []any) error {
	if len(row) != len(t.Columns) {
		return fmt.Errorf("a row has %d values for %d columns", len(row), len(t.Columns))
	}
	before := len(x.buf)
	for i, v := range row {
		var err error
		if x.buf, err = appendValue(x.buf, v); err != nil {
			return fmt.Errorf("column %s: %w", t.Columns[i], err)
		}
	}
	if len(x.buf)-before > MaxFrame {
		return fmt.Errorf("a row is larger than %d bytes", MaxFrame)
	}
	if len(x.buf) > MaxFrame { // this row begins the next frame
		last := append([]byte(nil), x.buf[before:]...)
		x.buf = x.buf[:before]
		if err := x.flush(); err != nil {
			return err
		}
		x.buf = last
	}
	if len(x.buf) < frameRows {
		return nil
	}
	return x.flush()
}

func appendValue(buf []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(buf, tagNull), nil
	case int64:
		return binary.AppendVarint(append(buf, tagInt), v), nil
	case string:
		buf = binary.AppendUvarint(append(buf, tagText), uint64(len(v)))
		return append(buf, v...), nil
	case []byte:
		buf = binary.AppendUvarint(append(buf, tagBytes), uint64(len(v)))
		return append(buf, v...), nil
	}
	return buf, fmt.Errorf("a %T is not text, a whole number, bytes or nothing", v)
}

func (x *writer) flush() error {
	if len(x.buf) == 0 {
		return nil
	}
	err := x.frame(frameRow, x.buf)
	x.buf = x.buf[:0]
	return err
}

func (x *writer) json(kind byte, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return x.frame(kind, text)
}

func (x *writer) frame(kind byte, payload []byte) error {
	if kind == frameTable || kind == frameRow {
		x.sum.Write(payload) // a hash takes everything
	}
	var head [1 + binary.MaxVarintLen64]byte
	head[0] = kind
	n := binary.PutUvarint(head[1:], uint64(len(payload)))
	if _, err := x.out.Write(head[:1+n]); err != nil {
		return err
	}
	_, err := x.out.Write(payload)
	return err
}
