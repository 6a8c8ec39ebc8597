package benefit

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"madoguchi.example/shared/civil"
)

// Limits of a folder of programmes, checked before anything is decoded.
const (
	MaxPrograms = 500
	MaxFile     = 1 << 20 // bytes
	MaxFiles    = 200     // of one programme
	maxDays     = 36_600  // of a deadline or a grace, and more than enough months
)

// Load reads every directory of fsys as one programme and gives them by id. The error
// joins every *Fault that was found; nothing is given then.
func Load(fsys fs.FS) (map[string]*Program, error) {
	dirs, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("cannot read the programmes: %w", err)
	}
	programs := map[string]*Program{}
	var faults []*Fault
	for _, dir := range dirs {
		if !dir.IsDir() || strings.HasPrefix(dir.Name(), ".") {
			continue
		}
		if len(programs) == MaxPrograms {
			return nil, fmt.Errorf("cannot read the programmes: there are more than %d", MaxPrograms)
		}
		l := loader{fsys: fsys, dir: dir.Name()}
		programs[dir.Name()] = l.program()
		faults = append(faults, l.faults...)
	}
	if len(faults) > 0 {
		return nil, Join(faults)
	}
	if len(programs) == 0 {
		return nil, errors.New("cannot read the programmes: the folder holds none")
	}
	return programs, nil
}

// loader reads one directory and collects its faults.
type loader struct {
	fsys   fs.FS
	dir    string
	faults []*Fault
}

func (l *loader) fault(at Place, format string, args ...any) {
	l.faults = append(l.faults, Faultf(at, format, args...))
}

func (l *loader) program() *Program {
	p := &Program{ID: l.dir, Parameters: map[string][]Parameter{}}
	entries, err := fs.ReadDir(l.fsys, l.dir)
	if err != nil {
		l.fault(Place{File: l.dir}, "cannot be read")
		return p
	}
	if len(entries) > MaxFiles {
		l.fault(Place{File: l.dir}, "holds more than %d files", MaxFiles)
		return p
	}
	head, editions := false, 0
	for _, e := range entries {
		switch name := e.Name(); {
		case name == "program.toml":
			head = true
			l.readProgram(p, name)
		case name == "parameters.toml":
			l.readParameters(p, name)
		case strings.HasPrefix(name, "edition-") && strings.HasSuffix(name, ".toml"):
			editions++
			l.readEdition(p, name)
		case strings.HasSuffix(name, ".toml"):
			l.fault(Place{File: path.Join(l.dir, name)}, "is none of program.toml, parameters.toml, edition-*.toml")
		}
	}
	if !head {
		l.fault(Place{File: path.Join(l.dir, "program.toml")}, "is missing")
	}
	if editions == 0 {
		l.fault(Place{File: l.dir}, "has no edition")
	}
	l.orderParameters(p)
	l.orderEditions(p)
	return p
}

type programFile struct {
	ID        string         `toml:"id"`
	Procedure string         `toml:"procedure"`
	Basis     string         `toml:"basis"`
	Name      Words          `toml:"name"`
	Deadlines []deadlineFile `toml:"deadline"`
}

type deadlineFile struct {
	ID      string `toml:"id"`
	Article string `toml:"article"`
	On      string `toml:"on"`
	After   string `toml:"after"`
	Days    int    `toml:"days"`
	Months  int    `toml:"months"`
	Text    Words  `toml:"text"`
}

func (l *loader) readProgram(p *Program, name string) {
	var f programFile
	x, ok := l.decode(name, &f)
	if !ok {
		return
	}
	if f.ID != l.dir {
		l.fault(x.at("", "id"), "the id is not the directory's name")
	}
	p.Procedure = Procedure(f.Procedure)
	if p.Procedure != Application && p.Procedure != OptOut {
		l.fault(x.at("", "procedure"), "the procedure is neither %s nor %s", Application, OptOut)
	}
	if p.Basis = f.Basis; p.Basis == "" {
		l.fault(x.at("", "basis"), "the legal basis is missing")
	}
	if p.Name = f.Name; !p.Name.whole() {
		l.fault(x.at("", "name"), "the name is not there in ja, ja_easy and en")
	}
	for i, d := range f.Deadlines {
		table := fmt.Sprintf("deadline[%d]", i)
		v := Deadline{ID: d.ID, Article: d.Article, After: d.After, Days: d.Days, MonthsAfter: d.Months, Text: d.Text}
		if d.On != "" {
			v.On = l.day(x.at(table, "on"), d.On)
		}
		if d.ID == "" || (d.On == "") == (d.After == "") || min(d.Days, d.Months) < 0 || max(d.Days, d.Months) > maxDays || !d.Text.whole() {
			l.fault(x.at(table, ""), "a deadline needs an id, either on or after, days and months that are not many, and its text in ja, ja_easy and en")
		}
		p.Deadlines = append(p.Deadlines, v)
	}
}

type parametersFile struct {
	Parameters []parameterFile `toml:"parameter"`
}

type parameterFile struct {
	ID     string `toml:"id"`
	From   string `toml:"valid_from"`
	To     string `toml:"valid_to"`
	Value  *int64 `toml:"value"`
	Unit   string `toml:"unit"`
	Source string `toml:"source"`
}

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

func (l *loader) readParameters(p *Program, name string) {
	var f parametersFile
	x, ok := l.decode(name, &f)
	if !ok {
		return
	}
	for i, r := range f.Parameters {
		table := fmt.Sprintf("parameter[%d]", i)
		row := Parameter{ID: r.ID, Unit: Unit(r.Unit), Source: r.Source, Place: x.at(table, "")}
		row.From, row.To = l.span(x, table, r.From, r.To)
		switch {
		case !nameForm.MatchString(r.ID):
			l.fault(x.at(table, "id"), "the id is not a name of a-z, 0-9 and _")
		case r.Value == nil:
			l.fault(row.Place, "parameter %s has no value", r.ID)
		case r.Source == "":
			l.fault(row.Place, "parameter %s has no source", r.ID)
		case row.Unit != UnitYen && row.Unit != UnitNone:
			l.fault(x.at(table, "unit"), "there is no such unit")
		case *r.Value > MaxAmount || *r.Value < -MaxAmount:
			l.fault(x.at(table, "value"), "the value is too large")
		default:
			row.Value = *r.Value
			p.Parameters[r.ID] = append(p.Parameters[r.ID], row)
		}
	}
}

// orderParameters sorts the rows of each id and refuses gaps and overlaps.
func (l *loader) orderParameters(p *Program) {
	for _, id := range sortedKeys(p.Parameters) {
		rows := p.Parameters[id]
		slices.SortStableFunc(rows, func(a, b Parameter) int { return a.From.Since(b.From) })
		for i := 1; i < len(rows); i++ {
			l.follows("parameter "+id, rows[i-1].To, rows[i-1].Place, rows[i].From, rows[i].Place)
		}
	}
}

func (l *loader) orderEditions(p *Program) {
	slices.SortStableFunc(p.Editions, func(a, b Edition) int { return a.From.Since(b.From) })
	for i := 1; i < len(p.Editions); i++ {
		a, b := p.Editions[i-1], p.Editions[i]
		l.follows("the edition", a.To, a.Place, b.From, b.Place)
	}
}

func (l *loader) follows(what string, to Month, before Place, from Month, at Place) {
	switch {
	case to.IsZero() || !to.Before(from):
		l.fault(at, "%s overlaps the one at %s: that is valid to %s, this from %s", what, before, orOpen(to), from)
	case to.Add(1) != from:
		l.fault(at, "%s leaves a gap after the one at %s: %s to %s", what, before, to.Add(1), from.Add(-1))
	}
}

func orOpen(m Month) string {
	if m.IsZero() {
		return "an open end"
	}
	return m.String()
}

func (l *loader) span(x index, table, from, to string) (Month, Month) {
	first := l.month(x.at(table, "valid_from"), from)
	if to == "" {
		return first, Month{}
	}
	last := l.month(x.at(table, "valid_to"), to)
	if !first.IsZero() && !last.IsZero() && last.Before(first) {
		l.fault(x.at(table, "valid_to"), "ends before it begins")
	}
	return first, last
}

func (l *loader) month(at Place, s string) Month {
	m, err := ParseMonth(s)
	if err != nil {
		l.fault(at, "%v", err)
	}
	return m
}

func (l *loader) day(at Place, s string) civil.Date {
	d, err := civil.Parse(s)
	if err != nil {
		l.fault(at, "%v", err)
	}
	return d
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// months reads paying months, which must be some of 1 to 12.
func (l *loader) months(at Place, in []int) []time.Month {
	var out []time.Month
	for _, n := range in {
		if n < 1 || n > 12 {
			l.fault(at, "a paying month is 1 to 12")
			return nil
		}
		out = append(out, time.Month(n))
	}
	return out
}
