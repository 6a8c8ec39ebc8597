package importing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"unicode/utf8"

	"madoguchi.example/backend/internal/actor"
)

// Cells is one row of a document: what a CSV row of the sheet's columns would say.
type Cells struct {
	Line  int    // where it begins
	Place string // "entry[12]"
	// Values by column; a column that is not there is empty.
	Values map[string]string
	// Nothing: the row says nothing to store. It counts as unchanged.
	Nothing bool
	// Faults are the document's own, by column: the row is refused with them.
	Faults map[string]string
}

// Form is how documents of one kind are read.
type Form struct {
	// End is how their names end.
	End string
	// Paths name each column's place within a row's place, for faults.
	Paths map[string]string
	// Rows takes a document apart. An error refuses the whole document, and what was
	// yielded before with it; it holds no value. Line is where it lies, from 1.
	Rows func(text []byte, yield func(Cells)) (line int, err error)
}

// ForDocuments makes the importer of documents whose rows a sheet understands. The limits
// of a file hold, but for that of a line: a row's size is the form's to bound.
func ForDocuments[T any](s Sheet[T], f Form) Importer {
	s.File = "*" + f.End
	return &documentImporter[T]{importer[T]{s}, f}
}

type documentImporter[T any] struct {
	importer[T]
	form Form
}

func (i *documentImporter[T]) read(ctx context.Context, d *Desk, who actor.System, in io.Reader, rep *FileReport) error {
	text, err := io.ReadAll(io.LimitReader(in, MaxFileBytes+1))
	switch {
	case err != nil:
		return fmt.Errorf("cannot read the file: %w", err)
	case len(text) > MaxFileBytes:
		rep.whole(fmt.Sprintf("larger than %d bytes", int64(MaxFileBytes)))
		return nil
	case !utf8.Valid(text):
		rep.whole(reasonUTF8)
		return nil
	}
	var rows []Cells
	line, err := i.form.Rows(text, func(c Cells) { rows = append(rows, c) })
	if err == nil && len(rows) > MaxRows {
		line, err = rows[MaxRows].Line, errors.New("more rows than a file may have")
	}
	if err != nil {
		rep.refuse(Fault{Line: max(line, 1), Reason: err.Error()})
		return nil
	}
	p := &pass[T]{sheet: i.sheet, desk: d, who: who, rep: rep, paths: i.form.Paths, seen: map[string]first{}}
	for _, c := range rows {
		if err := p.cells(ctx, c); err != nil {
			return err
		}
	}
	return p.end(ctx)
}

// cells takes one row of a document.
func (p *pass[T]) cells(ctx context.Context, c Cells) error {
	p.rep.Rows++
	if c.Nothing {
		p.rep.Unchanged++
		return nil
	}
	if len(c.Faults) > 0 {
		var faults []Fault
		for _, column := range slices.Sorted(maps.Keys(c.Faults)) {
			faults = append(faults, Fault{Line: c.Line, Name: p.nameOf(c.Place, column), Reason: c.Faults[column]})
		}
		p.rep.refuse(faults...)
		return nil
	}
	p.parse(&Row{Line: c.Line, cells: c.Values}, c.Place)
	if len(p.batch) == BatchRows && p.sheet.Whole == nil {
		return p.flush(ctx)
	}
	return nil
}
