package wire

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"madoguchi.example/shared/fault"
)

// ExportFormat names the format of an export in its header.
const ExportFormat = "madoguchi-export"

// ExportVersion is the version of the format that is written; it is the only one that is read.
const ExportVersion = 1

// Limits of an export.
const (
	MaxExportLine    = MaxRecordBytes + 2<<10 // bytes, without the line's end
	MaxExportEntries = 1_000_000
)

// Reasons of an exported entry that is no backend's fault.Code.
const ReasonDamaged = "damaged" // its stored bytes do not open: the record has no Body

// ExportHeader is the first line of an export: whose records these are.
type ExportHeader struct {
	Format      string    `json:"format"`  // ExportFormat
	Version     int       `json:"version"` // ExportVersion
	Terminal    string    `json:"terminal"`
	At          time.Time `json:"at"`                     // by the terminal's clock
	ServerEpoch string    `json:"server_epoch,omitempty"` // as the terminal last heard
}

// ExportEntry is one line of an export: a record that waits (both statuses empty), or a dead
// letter with the backend's word and code, or ReasonDamaged.
type ExportEntry struct {
	Record Record    `json:"record"`
	Status Status    `json:"status,omitempty"` // Rejected or Conflict, of a dead letter
	Reason string    `json:"reason,omitempty"` // a fault.Code or ReasonDamaged, of a dead letter
	DeadAt time.Time `json:"dead_at,omitzero"` // when it became one
}

// Dead tells a dead letter from a record that waits.
func (e ExportEntry) Dead() bool { return e.Status != "" || e.Reason != "" }

// exportEnd is the last line: an export without it was cut off.
type exportEnd struct {
	End *exportSum `json:"end"`
}

type exportSum struct {
	Waiting int `json:"waiting"`
	Dead    int `json:"dead"`
}

// Validate checks one entry by itself.
func (e ExportEntry) Validate() error {
	switch {
	case e.Status != "" && e.Status != Rejected && e.Status != Conflict:
		return fault.At(fault.InvalidArgument, "status", "must be rejected or conflict")
	case e.Reason != "" && !nameForm.MatchString(e.Reason):
		return fault.At(fault.InvalidArgument, "reason", "must be a short name in lower case")
	case e.Reason == ReasonDamaged:
		if len(e.Record.Body) > 0 {
			return fault.At(fault.InvalidArgument, "record.body", "must be absent in what is damaged")
		}
		return nil // what is known of it, and no more
	}
	if err := e.Record.Validate(); err != nil {
		return fault.At(fault.CodeOf(err), "record."+fault.PlaceOf(err), "%s", messageOf(err))
	}
	return nil
}

// ExportWriter writes an export, line by line. It is not sealed: the caller's writer is.
// It is for one goroutine.
type ExportWriter struct {
	w    *bufio.Writer
	sum  exportSum
	last error
}

// NewExportWriter writes the header; Format and Version are filled in.
func NewExportWriter(w io.Writer, h ExportHeader) (*ExportWriter, error) {
	h.Format, h.Version = ExportFormat, ExportVersion
	if err := h.validate(); err != nil {
		return nil, err
	}
	x := &ExportWriter{w: bufio.NewWriter(w)}
	return x, x.line(h)
}

func (h ExportHeader) validate() error {
	switch {
	case h.Format != ExportFormat:
		return fault.At(fault.InvalidArgument, "export.format", "must be %s", ExportFormat)
	case h.Version != ExportVersion:
		return fault.At(fault.InvalidArgument, "export.version", "must be %d", ExportVersion)
	case !nameForm.MatchString(h.Terminal):
		return fault.At(fault.InvalidArgument, "export.terminal", "must be a terminal's handle")
	case h.ServerEpoch != "" && !nameForm.MatchString(h.ServerEpoch):
		return fault.At(fault.InvalidArgument, "export.server_epoch", "must be a short name in lower case")
	}
	return nil
}

// Write adds one entry. After an error the export is of no use.
func (x *ExportWriter) Write(e ExportEntry) error {
	if x.last != nil {
		return x.last
	}
	if x.sum.Waiting+x.sum.Dead >= MaxExportEntries {
		x.last = fault.At(fault.TooLarge, "export", "must be at most %d entries", MaxExportEntries)
		return x.last
	}
	if x.last = e.Validate(); x.last != nil {
		return x.last
	}
	if e.Dead() {
		x.sum.Dead++
	} else {
		x.sum.Waiting++
	}
	return x.line(e)
}

// Close writes the last line, which tells the reader that nothing is missing.
func (x *ExportWriter) Close() error {
	if x.last != nil {
		return x.last
	}
	if err := x.line(exportEnd{&x.sum}); err != nil {
		return err
	}
	if err := x.w.Flush(); err != nil {
		x.last = fmt.Errorf("cannot write the export: %w", err)
	}
	return x.last
}

func (x *ExportWriter) line(v any) error {
	b, err := encodeJSON(v)
	if err == nil && len(b) > MaxExportLine {
		err = fault.At(fault.TooLarge, "export", "a line must be at most %d bytes", MaxExportLine)
	}
	if err == nil {
		_, err = x.w.Write(append(b, '\n'))
	}
	if err != nil {
		x.last = fmt.Errorf("cannot write the export: %w", err)
	}
	return x.last
}

// ExportReader reads an export, line by line, within its limits. It is for one goroutine.
type ExportReader struct {
	lines  *bufio.Scanner
	header ExportHeader
	number int
	sum    exportSum
	last   error
}

// NewExportReader reads the header.
func NewExportReader(r io.Reader) (*ExportReader, error) {
	x := &ExportReader{lines: bufio.NewScanner(r)}
	x.lines.Buffer(make([]byte, 0, 4<<10), MaxExportLine+1)
	b, err := x.line()
	if err != nil {
		return nil, err
	}
	if err := strict(x.place(), b, MaxExportLine, &x.header); err != nil {
		return nil, err
	}
	return x, x.header.validate()
}

// Header is the first line.
func (x *ExportReader) Header() ExportHeader { return x.header }

// Next gives the next entry, io.EOF after the last of a whole export, and
// io.ErrUnexpectedEOF in the chain where the export was cut off.
func (x *ExportReader) Next() (ExportEntry, error) {
	if x.last != nil {
		return ExportEntry{}, x.last
	}
	e, err := x.next()
	x.last = err
	return e, err
}

func (x *ExportReader) next() (ExportEntry, error) {
	b, err := x.line()
	if err != nil {
		return ExportEntry{}, err
	}
	if bytes.HasPrefix(b, []byte(`{"end":`)) {
		return ExportEntry{}, x.finish(b)
	}
	var e ExportEntry
	if err := strict(x.place(), b, MaxExportLine, &e); err != nil {
		return ExportEntry{}, err
	}
	if string(e.Record.Body) == "null" {
		e.Record.Body = nil // as it is written where there is none
	}
	if err := e.Validate(); err != nil {
		return ExportEntry{}, fault.At(fault.CodeOf(err), x.place()+"."+fault.PlaceOf(err), "%s", messageOf(err))
	}
	if e.Dead() {
		x.sum.Dead++
	} else {
		x.sum.Waiting++
	}
	if x.sum.Waiting+x.sum.Dead > MaxExportEntries {
		return ExportEntry{}, fault.At(fault.TooLarge, "export", "must be at most %d entries", MaxExportEntries)
	}
	return e, nil
}

// finish compares the last line with what was read: io.EOF when both agree.
func (x *ExportReader) finish(b []byte) error {
	var end exportEnd
	if err := strict(x.place(), b, MaxExportLine, &end); err != nil {
		return err
	}
	if end.End == nil || *end.End != x.sum {
		return fault.At(fault.InvalidArgument, x.place(), "does not agree with what was read")
	}
	if x.lines.Scan() {
		return fault.At(fault.InvalidArgument, "export", "holds something after its end")
	}
	return io.EOF
}

func (x *ExportReader) line() (json.RawMessage, error) {
	x.number++
	if x.lines.Scan() {
		return x.lines.Bytes(), nil
	}
	err := x.lines.Err()
	switch {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fault.At(fault.TooLarge, x.place(), "must be at most %d bytes", MaxExportLine)
	case err == nil:
		err = io.ErrUnexpectedEOF
	}
	return nil, fmt.Errorf("cannot read the export: %w", err)
}

func (x *ExportReader) place() string { return fmt.Sprintf("line %d", x.number) }
