// Package importing takes in the registers that an office exports: as CSV, and as documents
// of other forms whose rows say the same.
//
// It promises: every bad row is reported with file, line, column and reason and never
// with a value; good rows are kept, but of a file that is one statement all or none; the same file a second time changes nothing; every
// limit is checked before a byte is decoded. What the columns mean is said by the use
// case that owns them, in an Importer made with For; docs/import.md lists them.
package importing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
)

// Limits of one import file.
const (
	MaxFileBytes = 64 << 20 // larger files are refused whole
	MaxRows      = 200_000  // rows after the header; later ones are not read
	MaxRowBytes  = 64 << 10 // a longer row is refused, the next one is read
	BatchRows    = 500      // rows of one transaction
)

// Order lists the files in the order in which they build on each other. A file that is
// not here, as every document, comes last.
var Order = []string{
	"municipalities.csv", "offices.csv", "staff.csv", "residents.csv", "households.csv",
	"births.csv", "moves.csv", "deaths.csv", "income.csv", "coverage.csv", "vaccinations.csv", "vaccination_corrections.csv",
	"protections.csv", "benefit_facts.csv", "childcare.csv", "checkups.csv",
}

// Source is one file to import.
type Source struct {
	Name string // base name; it says which importer reads the file
	Size int64  // bytes as the file system tells; the limit holds for what is read as well
	Open func() (io.ReadCloser, error)
}

// Importer reads one kind of file. For makes one.
type Importer interface {
	// File is the base name that it reads; "*.fhir.json" are all that end in ".fhir.json".
	File() string
	// Columns lists the header's names.
	Columns() []string
	read(ctx context.Context, d *Desk, who actor.System, in io.Reader, rep *FileReport) error
}

// Verdict is what became of one row.
type Verdict struct {
	Result Result
	Column string // the column that was wrong, for Refused
	Reason string // what to mend, for Refused; never a value
}

// Result says what one row did.
type Result int

// The results.
const (
	Added     Result = iota // stored for the first time
	Changed                 // replaced what an earlier file said
	Unchanged               // was there already
	Refused                 // not kept; Column and Reason say why
)

// Fault is one bad place in a file. It holds no value of the file.
type Fault struct {
	File   string `json:"file"`
	Line   int    `json:"line"`   // 1 is the header
	Column int    `json:"column"` // 1 is the first; 0 means the whole row
	Name   string `json:"name"`   // the column's name, "" for the whole row; in a document the place
	Reason string `json:"reason"`
}

// String gives "residents.csv line 12 column 3 (birth_date): not a day …".
func (f Fault) String() string {
	at := fmt.Sprintf("%s line %d", f.File, f.Line)
	if f.Column == 0 && strings.Contains(f.Name, "[") { // a place in a document
		at += " (" + f.Name + ")"
	}
	if f.Column > 0 {
		at += fmt.Sprintf(" column %d", f.Column)
		if f.Name != "" {
			at += " (" + f.Name + ")"
		}
	}
	return at + ": " + f.Reason
}

// FileReport counts what became of one file's rows.
type FileReport struct {
	File      string `json:"file"`
	Rows      int    `json:"rows"`
	Added     int    `json:"added"`
	Changed   int    `json:"changed"`
	Unchanged int    `json:"unchanged"`
	Refused   int    `json:"refused"`
	// Faults lists every fault, by line. One row may have several.
	Faults []Fault `json:"faults"`
}

// Report is the outcome of one import.
type Report struct {
	Files []FileReport `json:"files"`
}

// Refused counts the rows and files that were not taken in.
func (r Report) Refused() int {
	n := 0
	for _, f := range r.Files {
		n += f.Refused
	}
	return n
}

// Desk runs imports. It holds no state between them and is safe for concurrent use.
type Desk struct {
	runner    tx.Runner
	importers map[string]Importer
}

// New makes a Desk that knows these importers.
func New(runner tx.Runner, importers ...Importer) *Desk {
	d := &Desk{runner: runner, importers: map[string]Importer{}}
	for _, i := range importers {
		d.importers[i.File()] = i
	}
	return d
}

// Import reads the files in Order, whatever the order given. An error means that the
// store failed: what the report counts until then is stored, and the same call again is
// safe. Faults of the files themselves stand in the report alone.
func (d *Desk) Import(ctx context.Context, who actor.System, files []Source) (Report, error) {
	files = slices.Clone(files)
	slices.SortStableFunc(files, func(a, b Source) int { return place(a.Name) - place(b.Name) })
	rep := Report{Files: []FileReport{}}
	for _, f := range files {
		one := FileReport{File: f.Name, Faults: []Fault{}}
		err := d.file(ctx, who, f, &one)
		slices.SortStableFunc(one.Faults, func(a, b Fault) int { return a.Line - b.Line })
		rep.Files = append(rep.Files, one)
		if err != nil {
			return rep, fmt.Errorf("cannot import %s: %w", f.Name, err)
		}
	}
	return rep, nil
}

func (d *Desk) file(ctx context.Context, who actor.System, f Source, rep *FileReport) error {
	imp, ok := d.importer(f.Name)
	if !ok {
		rep.whole("no importer knows this file name")
		return nil
	}
	if f.Size > MaxFileBytes {
		rep.whole(fmt.Sprintf("larger than %d bytes", int64(MaxFileBytes)))
		return nil
	}
	in, err := f.Open()
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "cannot open the file")
	}
	defer in.Close()
	return imp.read(ctx, d, who, in, rep)
}

// importer finds who reads a file: by its name, else by its end.
func (d *Desk) importer(name string) (Importer, bool) {
	if imp, ok := d.importers[name]; ok {
		return imp, true
	}
	for pattern, imp := range d.importers {
		if end, ok := strings.CutPrefix(pattern, "*"); ok && strings.HasSuffix(name, end) {
			return imp, true
		}
	}
	return nil, false
}

func place(name string) int {
	if i := slices.Index(Order, name); i >= 0 {
		return i
	}
	return len(Order)
}

// whole reports a fault of the whole file.
func (r *FileReport) whole(reason string) { r.refuse(Fault{Line: 1, Reason: reason}) }

// refuse counts one row or file as refused and keeps its faults.
func (r *FileReport) refuse(faults ...Fault) {
	r.Refused++
	for _, f := range faults {
		f.File = r.File
		r.Faults = append(r.Faults, f)
	}
}

// repeat runs a write again when the store could not say that it is stored: every write
// of an importer is safe to repeat.
func repeat(write func() error) error {
	const attempts = 4
	var err error
	for range attempts {
		err = write()
		if !errors.Is(err, tx.ErrUnknown) && !errors.Is(err, tx.ErrGroup) {
			return err
		}
	}
	return err
}
