package importing

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/tx"
)

// Entry is one good row of a batch.
type Entry[T any] struct {
	Line int
	Key  string
	// Place names the row in a file that is no CSV, "" in one that is.
	Place string
	// Digest is the SHA-256 of the row's cells in the order of the columns: equal
	// content has an equal digest, whatever the file's order of columns.
	Digest []byte
	Value  T
}

// Sheet says how one kind of file is read and stored.
type Sheet[T any] struct {
	File    string
	Columns []Column
	// Parse reads one row; what it notes as faults refuses the row.
	Parse func(r *Row) T
	// Key names the thing that the row is about: a second row with the same key in one
	// file is refused, unless it is the very same row.
	Key func(v T) string
	// Store takes a batch of at most BatchRows in one transaction and answers one verdict
	// per entry, in order. It must be safe to repeat. A transaction over many citizens
	// only inserts: what must be replaced is answered as Changed and given to Replace.
	Store func(ctx context.Context, t tx.Tx, who actor.System, batch []Entry[T]) ([]Verdict, error)
	// Whole, where it is set, makes the file one statement: it is read to its end before
	// anything is stored, and a fault in any row, a last row without a line break, or an
	// objection of Whole refuses all of it. What Store refuses is refused alone.
	Whole func(ctx context.Context, t tx.Tx, who actor.System, all []Entry[T]) ([]Objection, error)
	// Ended refuses a last row without a line break: where a cut row could pass for another
	// whole one, it must not be taken in.
	Ended bool
	// Replace stores one changed row in a transaction of its own. Nil where rows never
	// change.
	Replace func(ctx context.Context, t tx.Tx, who actor.System, e Entry[T]) error
}

// Objection refuses a whole file at one of its lines. Reason never holds a value.
type Objection struct {
	Line   int
	Column string // "" for the whole row
	Reason string
}

// For makes the importer of a sheet.
func For[T any](s Sheet[T]) Importer { return &importer[T]{s} }

type importer[T any] struct{ sheet Sheet[T] }

func (i *importer[T]) File() string { return i.sheet.File }

func (i *importer[T]) Columns() []string {
	out := make([]string, len(i.sheet.Columns))
	for n, c := range i.sheet.Columns {
		out[n] = c.Name
	}
	return out
}

// first remembers where a key stood before.
type first struct {
	line   int
	digest [sha256.Size]byte
}

// pass is one reading of one file.
type pass[T any] struct {
	sheet  Sheet[T]
	desk   *Desk
	who    actor.System
	rep    *FileReport
	header []string
	paths  map[string]string // of columns, in a file that is no CSV
	seen   map[string]first
	batch  []Entry[T]
}

func (i *importer[T]) read(ctx context.Context, d *Desk, who actor.System, in io.Reader, rep *FileReport) error {
	p := &pass[T]{sheet: i.sheet, desk: d, who: who, rep: rep, seen: map[string]first{}}
	ls := newLines(in)
	head, err := ls.next()
	switch {
	case errors.Is(err, io.EOF):
		rep.whole(reasonEmptyFile)
		return nil
	case err != nil:
		return err
	}
	header, flaws := readHeader(head, i.Columns())
	if len(flaws) > 0 {
		rep.refuse(flaws...)
		return nil
	}
	p.header = header
	if err := p.rows(ctx, ls); err != nil {
		return err
	}
	return p.end(ctx)
}

// rows reads everything after the header.
func (p *pass[T]) rows(ctx context.Context, ls *lines) error {
	for {
		l, err := ls.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, errFileSize):
			p.rep.refuse(Fault{Line: ls.number + 1, Reason: fmt.Sprintf("the file is larger than %d bytes: rows from here on were not read", int64(MaxFileBytes))})
			return nil
		case err != nil:
			return err
		}
		if len(l.text) == 0 && l.ended && !l.long {
			continue // an empty line holds nothing to lose
		}
		if p.rep.Rows == MaxRows {
			p.rep.refuse(Fault{Line: l.number, Reason: fmt.Sprintf("more than %d rows: rows from here on were not read", MaxRows)})
			return nil
		}
		p.rep.Rows++
		p.row(l)
		if len(p.batch) == BatchRows && p.sheet.Whole == nil {
			if err := p.flush(ctx); err != nil {
				return err
			}
		}
	}
}

// row reads one line into the batch, or reports it.
func (p *pass[T]) row(l line) {
	if reason, bad := l.bad(); bad {
		p.rep.refuse(Fault{Line: l.number, Reason: reason})
		return
	}
	values, f := cells(string(l.text))
	switch {
	case f != nil:
		p.refuseAt(l.number, f.column, f.reason)
		return
	case len(values) != len(p.header):
		p.rep.refuse(Fault{Line: l.number, Reason: fmt.Sprintf("has %d cells where the header has %d", len(values), len(p.header))})
		return
	case !l.ended && (p.sheet.Ended || p.sheet.Whole != nil || p.free(p.header[len(p.header)-1])):
		p.rep.refuse(Fault{Line: l.number, Reason: reasonCut})
		return
	}
	row := &Row{Line: l.number, cells: make(map[string]string, len(values))}
	for n, v := range values {
		row.cells[p.header[n]] = v
	}
	p.parse(row, "")
}

// parse reads the cells of one row, wherever they come from, into the batch, or reports them.
func (p *pass[T]) parse(row *Row, place string) {
	row.refuseMyNumbers(p.sheet.Columns)
	v := p.sheet.Parse(row)
	if !row.OK() {
		faults := make([]Fault, len(row.flaws))
		for n, f := range row.flaws {
			faults[n] = Fault{Line: row.Line, Column: p.index(f.column), Name: p.nameOf(place, f.column), Reason: f.reason}
		}
		p.rep.refuse(faults...)
		return
	}
	p.keep(row.Line, place, v, digest(p.sheet.Columns, row.cells))
}

// nameOf names a column in a fault: by itself, or by its path within its place.
func (p *pass[T]) nameOf(place, column string) string {
	if place == "" {
		return column
	}
	path, ok := p.paths[column]
	if !ok {
		return place
	}
	return place + "." + path
}

// refuseEntry reports an entry that the store would not take.
func (p *pass[T]) refuseEntry(e Entry[T], v Verdict) {
	if e.Place == "" {
		p.refuseAt(e.Line, p.index(v.Column), v.Reason)
		return
	}
	p.rep.refuse(Fault{Line: e.Line, Name: p.nameOf(e.Place, v.Column), Reason: v.Reason})
}

// keep puts a good row into the batch unless its key stood in the file before.
func (p *pass[T]) keep(number int, place string, v T, sum [sha256.Size]byte) {
	key := p.sheet.Key(v)
	before, again := p.seen[key]
	switch {
	case again && before.digest == sum:
		p.rep.Unchanged++
	case again:
		p.rep.refuse(Fault{Line: number, Reason: fmt.Sprintf("conflict: line %d says something else about the same thing", before.line)})
	default:
		p.seen[key] = first{number, sum}
		p.batch = append(p.batch, Entry[T]{Line: number, Key: key, Place: place, Digest: sum[:], Value: v})
	}
}

// end stores what is left of the file: all of it where it is one statement.
func (p *pass[T]) end(ctx context.Context) error {
	all := p.batch
	p.batch = nil
	if p.sheet.Whole != nil {
		ok, err := p.agreed(ctx, all)
		if err != nil || !ok {
			return err
		}
	}
	for batch := range slices.Chunk(all, BatchRows) {
		if err := p.store(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// agreed asks whether a file that is one statement may be stored.
func (p *pass[T]) agreed(ctx context.Context, all []Entry[T]) (bool, error) {
	if p.rep.Refused == 0 {
		var objections []Objection
		err := p.desk.runner.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
			objections, err = p.sheet.Whole(ctx, t, p.who, all)
			return err
		})
		if err != nil {
			return false, fmt.Errorf("cannot look at the file as a whole: %w", err)
		}
		for _, o := range objections {
			p.refuseAt(o.Line, p.index(o.Column), o.Reason)
		}
	}
	if p.rep.Refused == 0 {
		return true, nil
	}
	p.rep.Unchanged = 0
	p.rep.whole(reasonNothing)
	return false, nil
}

// flush stores the batch.
func (p *pass[T]) flush(ctx context.Context) error {
	batch := p.batch
	p.batch = nil
	return p.store(ctx, batch)
}

// store stores rows and counts what became of them.
func (p *pass[T]) store(ctx context.Context, batch []Entry[T]) error {
	if len(batch) == 0 {
		return nil
	}
	var verdicts []Verdict
	err := repeat(func() error {
		return p.desk.runner.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
			verdicts, err = p.sheet.Store(ctx, t, p.who, batch)
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("cannot store the rows from line %d on: %w", batch[0].Line, err)
	}
	if len(verdicts) != len(batch) {
		return fmt.Errorf("cannot report the rows from line %d on: %d verdicts for %d rows", batch[0].Line, len(verdicts), len(batch))
	}
	for n, v := range verdicts {
		if err := p.settle(ctx, batch[n], v); err != nil {
			return err
		}
	}
	return nil
}

func (p *pass[T]) settle(ctx context.Context, e Entry[T], v Verdict) error {
	switch v.Result {
	case Added:
		p.rep.Added++
	case Unchanged:
		p.rep.Unchanged++
	case Refused:
		p.refuseEntry(e, v)
	case Changed:
		err := repeat(func() error {
			return p.desk.runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
				return p.sheet.Replace(ctx, t, p.who, e)
			})
		})
		if err != nil {
			return fmt.Errorf("cannot store line %d: %w", e.Line, err)
		}
		p.rep.Changed++
	}
	return nil
}

func (p *pass[T]) refuseAt(number, column int, reason string) {
	f := Fault{Line: number, Column: column, Reason: reason}
	if column > 0 && column <= len(p.header) {
		f.Name = p.header[column-1]
	}
	p.rep.refuse(f)
}

// index gives the column's place in this file, 0 for a name that is not there.
func (p *pass[T]) index(name string) int { return slices.Index(p.header, name) + 1 }

func (p *pass[T]) free(name string) bool {
	return slices.Contains(p.sheet.Columns, Column{Name: name, Free: true})
}

// readHeader checks the first line: every known column once, in any order, no other.
func readHeader(l line, known []string) ([]string, []Fault) {
	l.text = []byte(strings.TrimPrefix(string(l.text), "\ufeff"))
	if reason, bad := l.bad(); bad {
		return nil, []Fault{{Line: 1, Reason: reason}}
	}
	names, f := cells(string(l.text))
	if f != nil {
		return nil, []Fault{{Line: 1, Column: f.column, Reason: f.reason}}
	}
	var faults []Fault
	for n, name := range names {
		switch {
		case !slices.Contains(known, name):
			faults = append(faults, Fault{Line: 1, Column: n + 1, Reason: "unknown column"})
		case slices.Contains(names[:n], name):
			faults = append(faults, Fault{Line: 1, Column: n + 1, Name: name, Reason: "the column stands twice"})
		}
	}
	for _, name := range known {
		if !slices.Contains(names, name) {
			faults = append(faults, Fault{Line: 1, Name: name, Reason: "the column " + name + " is missing"})
		}
	}
	return names, faults
}

// digest hashes the cells, each after its length, in the sheet's order.
func digest(columns []Column, cells map[string]string) [sha256.Size]byte {
	h := sha256.New()
	var size [8]byte
	for _, c := range columns {
		v := cells[c.Name]
		binary.BigEndian.PutUint64(size[:], uint64(len(v)))
		h.Write(size[:])
		io.WriteString(h, v)
	}
	return [sha256.Size]byte(h.Sum(nil))
}
